"""Search as of any position finds what a look at every document as it was then finds."""

from __future__ import annotations

import random
import re
from functools import partial
from typing import Any

import psycopg
import pytest

from audit.verify import verify
from domain.digital_object import DigitalObject
from domain.errors import NotFound, RefusedInput
from projections.engine import catch_up, rebuild
from projections.search import query
from projections.search.content import content_of
from projections.search.query import counts, page, total
from projections.search.question import MAX_WORDS, Search
from store import migrate
from store.ledger import Ledger
from store.settings import Settings
from tests.audit.tampering import told
from tests.conftest import SAMPLES
from tests.projections.search_oracle import SEARCHES, by_anna, document, lives, require_all
from tests.store.ledger_building import pid
from tests.synchronisation.sync_support import find_source_pid, sync

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
    asks = (partial(page, ledger), partial(total, ledger), partial(counts, ledger))
    found_any = require_all(after, ledger.position(), *asks)
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


@pytest.mark.parametrize(
    "question",
    [
        {"text": "a\0b"},
        {"text": "\ud800"},
        {"type": "\0"},
        {"filters": {"dwc:country": ["\0"]}},
        {"position": -1},
        {"text": "word " * (MAX_WORDS + 1)},
    ],
)
def test_what_cannot_be_asked_is_refused(question: dict[str, Any]) -> None:
    with pytest.raises(RefusedInput):
        Search(**question)


def test_a_page_begins_after_text(ledger: Ledger) -> None:
    with pytest.raises(RefusedInput):
        page(ledger, Search(), after="\0")


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


def test_an_index_of_the_first_form_is_taken_over(unmigrated: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, rand = unmigrated, random.Random(3)
    with monkeypatch.context() as earlier:
        known = migrate.available()[:11]
        earlier.setattr(migrate, "available", lambda: known)
        functions = ("append_events", "add_dictionary")
        earlier.setattr(migrate, "FUNCTIONS", {name: migrate.FUNCTIONS[name] for name in functions})
        with Ledger.open(settings) as ledger, ledger.connection() as connection:
            for number in range(5):
                event = DigitalObject.create(pid(number), document(rand), by_anna())
                ledger.append([event])
                seen = content_of(event.document, event.object_type, tombstoned=False)
                facets = [each for each in seen.facets if not each.startswith("@type=")]
                connection.execute(
                    "INSERT INTO search VALUES (%s, %s, NULL, %s, %s, %s, %s, %s, %s)",
                    (event.originator_id, number + 1, *seen[:-1], facets),
                )
            connection.execute("INSERT INTO projections (name, version, position) VALUES ('search', 1, 5)")
    with Ledger.open(settings) as ledger:
        specimens = Search(type="ods:DigitalSpecimen")
        assert [hit.pid for hit in page(ledger, specimens)] == [pid(number) for number in range(5)]
        assert total(ledger, Search("steppe", type="ods:DigitalSpecimen")) == 5
        catch_up(ledger)
        assert verify(ledger).ok
