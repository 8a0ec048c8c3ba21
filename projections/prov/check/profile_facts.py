"""What a bundle that uses our terms tells about entities and activities, gathered for the rules of the profile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from projections.prov.check.relations import ACTIVITY, GENERATION, INVALIDATION, USAGE
from projections.prov.check.statements import Instance, Statement
from projections.prov.check.terms import Term
from projections.prov.names import ODS


@dataclass
class Facts:
    """A normalised instance, and its statements by what they are about.

    ``told`` has the values of ``ods:`` attributes by element and local name. Generations, invalidations and uses are
    those stated, not those inferred.
    """

    instance: Instance
    told: dict[Term, dict[str, list[Any]]]
    elements: dict[Term, Statement] = field(default_factory=dict)
    activities: dict[Term, Statement] = field(default_factory=dict)
    generations: dict[Term, list[Statement]] = field(default_factory=lambda: defaultdict(list))
    invalidations: dict[Term, list[Statement]] = field(default_factory=lambda: defaultdict(list))
    usages: list[Statement] = field(default_factory=list)

    def value(self, statement: Statement, position: int) -> Term:
        """An argument of a statement after unification."""
        return self.instance.terms.value(statement.args[position])

    def time(self, statement: Statement, position: int = 2) -> datetime | None:
        """The time in an argument; None if it is not told."""
        found = self.value(statement, position)
        return found if isinstance(found, datetime) else None

    def find(self, rule: str, what: str, *statements: Statement) -> None:
        """Report a broken rule of the profile."""
        self.instance.find(f"profile: {rule}", what, *statements)


def facts(instance: Instance) -> Facts | None:
    """The facts of ``instance``; None if no element in it has an ``ods:`` attribute."""
    told: dict[Term, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for statement in instance.statements:
        if statement.kind.element:
            for name, value in statement.record.extra_attributes:
                if name.namespace.uri == ODS.uri and value not in told[statement.id][name.localpart]:
                    told[statement.id][name.localpart].append(value)
    if not told:
        return None
    gathered = Facts(instance, told)
    for statement in instance.statements:
        _gather(gathered, statement)
    return gathered


def _gather(into: Facts, statement: Statement) -> None:
    kind = statement.kind
    if kind.element:
        into.elements.setdefault(statement.id, statement)
    if kind is ACTIVITY:
        into.activities.setdefault(statement.id, statement)
    elif statement.inferred:
        return
    elif kind is GENERATION:
        into.generations[into.value(statement, 0)].append(statement)
    elif kind is INVALIDATION:
        into.invalidations[into.value(statement, 0)].append(statement)
    elif kind is USAGE:
        into.usages.append(statement)


def before(one: datetime | None, other: datetime | None) -> bool:
    """Whether both times are told and the first is earlier; times with and without zone cannot be compared."""
    if one is None or other is None or (one.tzinfo is None) != (other.tzinfo is None):
        return False
    return one < other


def texts(values: Sequence[Any]) -> str:
    """Attribute values for a person, in one order whatever the document's."""
    return ", ".join(sorted(map(str, values)))
