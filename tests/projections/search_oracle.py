"""Random lives of a few objects, and what a look at every document says that searches must find of them."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from domain.agents import person
from domain.digital_object import DigitalObject, Provenance
from projections.engine import catch_up
from projections.search.content import WORDS, content_of, folded
from projections.search.question import Hit, Search
from store.ledger import Ledger
from tests.store.ledger_building import pid


def by_anna() -> Provenance:
    return Provenance((person("https://orcid.org/0000-0002-1825-0097"),))


PLACES = ("Perú", "Chad", "São Tomé and Príncipe", "CHAD", "Côte d'Ivoire")
SEXES = ("female", "male", None)
NAMES = ("Parus major Linnaeus, 1758", "Parus minor", "Raphus cucullatus", None)


def document(rand: random.Random) -> dict[str, Any]:
    place, sex, name = rand.choice(PLACES), rand.choice(SEXES), rand.choice(NAMES)
    made: dict[str, Any] = {
        "@type": "ods:DigitalSpecimen",
        "ods:physicalSpecimenID": f"urn:{rand.randrange(3)}",
        "ods:hasEvents": [{"ods:hasLocation": {"dwc:country": place}}, {"ods:hasLocation": {"dwc:locality": "steppe"}}],
        "dwc:disposition": f"seen by nobody {rand.randrange(9)}",
    }
    if sex:
        made["dwc:sex"] = sex
    if name:
        made["ods:specimenName"] = name
    return made


def lives(ledger: Ledger, seed: int, steps: int = 60) -> list[dict[str, DigitalObject]]:
    """Random lives of a few objects; what there was after each event."""
    rand = random.Random(seed)
    there: dict[str, DigitalObject] = {}
    after: list[dict[str, DigitalObject]] = [{}]
    while len(after) <= steps:
        which = pid(rand.randrange(7))
        state = ledger.get(which) if which in there else None
        content = document(rand)
        if state is None:
            state = ledger.record(None, DigitalObject.create(which, content, by_anna()))
        elif state.tombstoned:
            state = ledger.record(state, state.restore(by_anna(), content))
        elif rand.random() < 0.2:
            state = ledger.record(state, state.tombstone("lost", by_anna()))
        elif content == state.document:
            continue
        else:
            state = ledger.record(state, state.update(content, by_anna()))
        there[which] = state
        after.append(dict(there))
        if rand.random() < 0.1:
            catch_up(ledger)
    catch_up(ledger)
    return after


def values(state: DigitalObject, term: str) -> set[str]:
    found = content_of(state.document, state.object_type, state.tombstoned).facets
    return {each.partition("=")[2] for each in found if each.startswith(term + "=")}


def words(state: DigitalObject) -> set[str]:
    """Every word of every term that is searched."""

    def leaves(value: Any, term: str) -> list[str]:
        if isinstance(value, dict):
            return [leaf for name, member in value.items() for leaf in leaves(member, name)]
        if isinstance(value, list):
            return [leaf for item in value for leaf in leaves(item, term)]
        return [value] if term in WORDS and isinstance(value, str) else []

    return {word for leaf in leaves(state.document, "") for word in re.findall(r"\w+", folded(leaf))}


SEARCHES = [
    Search(),
    Search(tombstoned=True),
    Search("parus"),
    Search("PÁRUS -minor"),
    Search("sao principe", tombstoned=True),
    Search(filters={"dwc:country": ["Perú"]}),
    Search(filters={"dwc:country": ["Perú", "CHAD"], "dwc:sex": ["male"]}),
    Search("cucullatus or minor", filters={"dwc:sex": ["male", "female"]}, type="ods:DigitalSpecimen"),
    Search(type="ods:DigitalMedia"),
]


def is_found(search: Search, state: DigitalObject) -> bool:
    if state.tombstoned and not search.tombstoned:
        return False
    if search.type not in (None, state.object_type):
        return False
    if any(values(state, term).isdisjoint(wanted) for term, wanted in search.filters.items()):
        return False
    said = words(state)
    match folded(search.text):
        case "parus -minor":
            return "parus" in said and "minor" not in said
        case "cucullatus or minor":
            return bool({"cucullatus", "minor"} & said)
        case text:
            return set(text.split()) <= said


class Page(Protocol):
    """Asks an index for a page."""

    def __call__(self, search: Search, limit: int = 25, after: str | None = None) -> list[Hit]: ...


class Total(Protocol):
    """Asks an index how many there are."""

    def __call__(self, search: Search) -> int: ...


class Counts(Protocol):
    """Asks an index how many have each value."""

    def __call__(self, search: Search, terms: Sequence[str]) -> dict[str, dict[str, int]]: ...


def require_all(
    after: list[dict[str, DigitalObject]], end: int, page: Page, total: Total, counts: Counts
) -> Counter[int]:
    """Every search as of every position finds what a look at every document finds; how much each found.

    ``end`` is the position as of which the same is found now.
    """
    found = Counter[int]()
    for position, there in enumerate(after):
        for number, search in enumerate(SEARCHES):
            then = replace(search, position=position)
            wanted = sorted(which for which, state in there.items() if is_found(search, state))
            hits = page(then)
            assert [hit.pid for hit in hits] == wanted, (search, position)
            some = [which for which in wanted if which > pid(1)][:2]
            assert [hit.pid for hit in page(then, limit=2, after=pid(1))] == some
            assert total(then) == len(wanted)
            sexes = Counter(sex for which in wanted for sex in values(there[which], "dwc:sex"))
            assert counts(then, ["dwc:sex"])["dwc:sex"] == sexes
            found[number] += len(wanted)
            if position == end:
                assert page(search) == hits
    return found
