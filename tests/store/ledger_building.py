"""Small documents, decisions and histories for the tests of the store."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from domain.agents import person
from domain.digital_object import DigitalObject, Provenance
from domain.events import Created
from store.ledger import Ledger

SPECIMEN = "ods:DigitalSpecimen"
ORCID = "https://orcid.org/0000-0002-1825-0097"


def pid(number: int, group: str = "AAA") -> str:
    """A PID for a test, by number."""
    return f"TEST/{group}-{number // 1000:03d}-{number % 1000:03d}"


def specimen(**terms: Any) -> dict[str, Any]:
    """A specimen with these terms of Darwin Core."""
    return {"@type": SPECIMEN, **{f"dwc:{name}": value for name, value in terms.items()}}


def by(**details: Any) -> Provenance:
    """A decision of one person."""
    return Provenance((person(ORCID),), **details)


def created(which: str, **terms: Any) -> Created:
    """The first event of an object."""
    return DigitalObject.create(which, specimen(**terms), by())


def grow(ledger: Ledger, which: str, versions: int) -> DigitalObject:
    """An object with so many versions, recorded one by one; ``dwc:individualCount`` is the version."""
    state = ledger.record(None, created(which, individualCount=1, country="Kenya"))
    for number in range(2, versions + 1):
        state = ledger.record(state, state.update({**state.document, "dwc:individualCount": number}, by()))
    return state


_texts = st.text("aé~/ \U0001d4b3", max_size=3)
_scalars = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, 1e21, "", "Kenya", "0"]) | _texts
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["", "0", "a/b", "~"]), inner),
    max_leaves=6,
)
_identifications = st.fixed_dictionaries(
    {
        "ods:hasTaxonIdentifications": st.lists(
            st.fixed_dictionaries(
                {"dwc:scientificName": st.sampled_from(["Aus bus", "Cus dus", "Eus fus"])},
                optional={"dwc:rank": st.sampled_from(["species", "genus"])},
            ),
            min_size=1,
            max_size=2,
        )
    },
    optional={"dwc:dateIdentified": st.sampled_from(["1901", "1950"]), "dwc:remarks": _scalars},
)
_identifiers = st.fixed_dictionaries(
    {"dcterms:title": st.sampled_from("abc"), "dcterms:identifier": st.sampled_from("xyz")}
)

documents = st.fixed_dictionaries(
    {"@type": st.just(SPECIMEN)},
    optional={
        "dwc:country": _scalars,
        "ods:hasIdentifications": st.lists(_identifications, max_size=4),
        "ods:hasIdentifiers": st.lists(_identifiers, max_size=4),
        "dcterms:subject": st.lists(st.sampled_from("abcd"), max_size=4),
        "notes": st.lists(st.sampled_from(["a", "b", {"c": 1}, {"c": 1, "d": []}]), max_size=4),
        "a/b~": _json,
        "": _json,
    },
)
"""Documents that often share parts, so that items of their arrays stay, move, change and vanish."""
