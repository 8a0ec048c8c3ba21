"""What the checker says: which rule is broken, by which records, and how, in one sentence for a person."""

from __future__ import annotations

from dataclasses import dataclass

MANDATORY = "PROV-DM mandatory-argument"
UNIQUE_MENTION = "PROV-Links unique-mention"

# Of the constraints on order, a cycle is told by the one that is strict.
_CONSTRAINTS = {
    22: "key-object",
    23: "key-properties",
    24: "unique-generation",
    25: "unique-invalidation",
    26: "unique-wasStartedBy",
    27: "unique-wasEndedBy",
    28: "unique-startTime",
    29: "unique-endTime",
    42: "derivation-generation-generation-ordering",
    51: "impossible-unspecified-derivation-generation-use",
    52: "impossible-specialization-reflexive",
    53: "impossible-property-overlap",
    54: "impossible-object-property-overlap",
    55: "entity-activity-disjoint",
    56: "membership-empty-collection",
}


def constraint(number: int) -> str:
    """``PROV-CONSTRAINTS 24 unique-generation``: a constraint by the number and name the Recommendation gives it."""
    return f"PROV-CONSTRAINTS {number} {_CONSTRAINTS[number]}"


@dataclass(frozen=True)
class Where:
    """The place of a finding.

    ``bundle`` is the bundle's IRI, None for the top level of the document; ``records`` are the IRIs of the records
    involved, or for a record without identifier its statement: ``used(https://example.org/a, https://example.org/e)``.
    """

    bundle: str | None
    records: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """One broken rule: ``PROV-CONSTRAINTS`` with number and name, or ``profile:`` with a name."""

    rule: str
    where: Where
    what: str
