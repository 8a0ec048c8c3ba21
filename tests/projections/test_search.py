"""Search as of any position finds what a look at every document as it was then finds."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from audit.verify import verify
from domain.agents import person
from domain.digital_object import DigitalObject, Provenance
from domain.errors import NotFound, RefusedInput
from projections.engine import catch_up, rebuild
from projections.search import query
from projections.search.content import WORDS, content_of, folded
from projections.search.query import counts, page, total
from projections.search.question import Search
from store import migrate
from store.ledger import Ledger
from store.settings import Settings
from tests.audit.tampering import told
from tests.conftest import SAMPLES
from tests.store.ledger_building import pid
from tests.synchronisation.sync_support import find_source_pid, sync


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


WAYS = {
    "by the next rows": (300, 20_000, 5_000),
    "by the index": (1, 1, 5_000),
    "by further rows": (1, 2, 0),
    "by either": (2, 3, 2),
}
"""Rows that are looked at first, and at once at most, and that the index may list."""


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("seed", range(2))
def test_as_of_every_position_it_finds_what_a_look_at_every_document_finds(
    ledger: Ledger, seed: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, rows in zip(("FIRST_WINDOW", "LARGEST_WINDOW", "LISTED"), WAYS[way], strict=True):
        monkeypatch.setattr(query, name, rows)
    after = lives(ledger, seed)
    found_any = Counter[int]()
    for position, there in enumerate(after):
        for number, search in enumerate(SEARCHES):
            then = Search(search.text, search.filters, search.type, search.tombstoned, position)
            wanted = sorted(which for which, state in there.items() if is_found(search, state))
            hits = page(ledger, then)
            assert [hit.pid for hit in hits] == wanted, (search, position)
            assert [hit.pid for hit in page(ledger, then, limit=2, after=pid(1))] == [
                which for which in wanted if which > pid(1)
            ][:2]
            assert total(ledger, then) == len(wanted)
            sexes = Counter(sex for which in wanted for sex in values(there[which], "dwc:sex"))
            assert counts(ledger, then, ["dwc:sex"])["dwc:sex"] == sexes
            found_any[number] += len(wanted)
            if position == len(after) - 1:
                assert page(ledger, search) == hits
    assert all(found_any[number] for number in range(len(SEARCHES) - 1)), "a search that finds nothing tells nothing"
    assert verify(ledger).ok


def test_pages_follow_each_other_without_gap_or_double(ledger: Ledger) -> None:
    rand = random.Random(5)
    for number in range(23):
        ledger.record(None, DigitalObject.create(pid(number), document(rand), by_anna()))
    catch_up(ledger)
    found, after = [], None
    while hits := page(ledger, Search(), limit=5, after=after):
        found += [hit.pid for hit in hits]
        after = found[-1]
    assert found == sorted(pid(number) for number in range(23))
    for limit in (0, 1001):
        with pytest.raises(RefusedInput, match="a page has 1 to 1000"):
            page(ledger, Search(), limit=limit)


def test_what_is_no_facet_is_refused(ledger: Ledger) -> None:
    with pytest.raises(RefusedInput, match="'dwc:locality' is no facet; there are dcterms:license"):
        Search(filters={"dwc:locality": ["steppe"]})
    with pytest.raises(RefusedInput, match="no facet"):
        counts(ledger, Search(), ["dwc:localtiy"])


def test_a_change_of_nothing_that_is_seen_makes_no_row(ledger: Ledger) -> None:
    rand = random.Random(1)
    state = ledger.record(None, DigitalObject.create(pid(1), content := document(rand), by_anna()))
    state = ledger.record(state, state.update({**content, "dwc:disposition": "on loan"}, by_anna()))
    ledger.record(state, state.update({**content, "dwc:disposition": "on loan", "dwc:sex": "queen"}, by_anna()))
    catch_up(ledger)
    with ledger.connection() as connection:
        rows = connection.execute("SELECT from_position, to_position FROM search ORDER BY 1").fetchall()
    assert [(row["from_position"], row["to_position"]) for row in rows] == [(1, 3), (3, None)]
    (hit,) = page(ledger, Search(filters={"dwc:sex": ["queen"]}))
    assert (hit.since, hit.name, hit.identifier) == (
        3,
        content.get("ods:specimenName"),
        content["ods:physicalSpecimenID"],
    )


def test_the_samples_are_found_as_they_were(ledger: Ledger) -> None:
    sync(ledger, SAMPLES / "2010")
    first = ledger.position()
    sync(ledger, SAMPLES / "2015", tombstone_missing=True)
    sync(ledger, SAMPLES / "2024", tombstone_missing=True)
    catch_up(ledger)
    specimens = Search(type="ods:DigitalSpecimen")
    assert total(ledger, Search(type="ods:DigitalSpecimen", position=first)) == 13
    assert 0 < total(ledger, specimens) <= 15
    kingdoms = counts(ledger, specimens, ["dwc:kingdom", "ods:midsLevel"])
    assert sum(kingdoms["ods:midsLevel"].values()) == total(ledger, specimens)
    assert [hit.name for hit in page(ledger, Search(type="ods:SourceSystem"))] == ["museum"]
    assert find_source_pid(ledger) in {hit.pid for hit in page(ledger, Search("museum"))}


def test_it_is_rebuilt_beside_and_an_altered_row_is_told(ledger: Ledger) -> None:
    lives(ledger, 7, steps=30)
    rebuild(ledger, ["search"])
    assert verify(ledger).ok
    with psycopg.connect(ledger.conninfo, options=f"-c search_path={ledger.settings.ledger}") as connection:
        connection.execute("UPDATE search SET facets = facets || 'dwc:sex=queen'::text WHERE to_position IS NULL")
    assert re.search(r"search TEST/\S+, row \d+, facets: differs from what the log gives", told(verify(ledger)))
    rebuild(ledger, ["search"], accept_differences=True)
    assert verify(ledger).ok


def test_a_time_is_a_position(ledger: Ledger) -> None:
    after = lives(ledger, 3, steps=10)
    assert query.reached(ledger) == 10
    for position, there in enumerate(after[1:], 1):
        recorded = max(state.recorded for state in there.values() if state.recorded)
        assert query.position_at(ledger, recorded) == position
    with pytest.raises(NotFound):
        rebuild(ledger, ["seek"])


def test_an_index_of_the_first_form_is_taken_over(
    new_settings: Callable[[], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, rand = new_settings(), random.Random(3)
    with monkeypatch.context() as earlier:
        known = migrate.available()[:11]
        earlier.setattr(migrate, "available", lambda: known)
        with Ledger.open(settings) as ledger, ledger.connection() as connection:
            for number in range(5):
                state = ledger.record(None, DigitalObject.create(pid(number), document(rand), by_anna()))
                seen = content_of(state.document, state.object_type, tombstoned=False)
                facets = [each for each in seen.facets if not each.startswith("@type=")]
                connection.execute(
                    "INSERT INTO search VALUES (%s, %s, NULL, %s, %s, %s, %s, %s, %s)",
                    (state.id, number + 1, *seen[:-1], facets),
                )
            connection.execute("INSERT INTO projections (name, version, position) VALUES ('search', 1, 5)")
    with Ledger.open(settings) as ledger:
        specimens = Search(type="ods:DigitalSpecimen")
        assert [hit.pid for hit in page(ledger, specimens)] == [pid(number) for number in range(5)]
        assert total(ledger, Search("steppe", type="ods:DigitalSpecimen")) == 5
        catch_up(ledger)
        assert verify(ledger).ok
