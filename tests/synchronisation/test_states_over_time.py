"""Archives of one collection in turn: every state, read back, equals a store that saw only that archive."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import psycopg
import pytest

from audit.verify import verify
from sources.synchronisation.candidates import Unread, open_source
from store.ledger import Axis, Ledger
from tests.conftest import SAMPLES
from tests.synchronisation.sync_support import (
    Specimen,
    changes_nothing,
    contents,
    counts,
    find,
    run_items,
    sync,
    write_archive,
)

YEARS = ("2010", "2015", "2024")


def end_of_day(path: Path) -> datetime:
    """The end of the day an archive was published on, as ``--at DATE`` means it."""
    file = open_source(path)
    published = file.metadata.published
    file.close()
    assert published is not None
    day = published.replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=1, microseconds=-1)


def assert_each_state_as_if_alone(new_ledger: Callable[[], Ledger], archives: list[Path]) -> None:
    ledger = new_ledger()
    for archive in archives:
        sync(ledger, archive, tombstone_missing=True)
        assert changes_nothing(sync(ledger, archive, tombstone_missing=True))
    for archive in archives:
        alone = new_ledger()
        sync(alone, archive)
        then = contents(ledger, at=end_of_day(archive), axis=Axis.OCCURRED)
        expected = contents(alone)
        assert then.keys() == expected.keys()
        different = {key: (then[key], expected[key]) for key in then if then[key] != expected[key]}
        assert different == {}, archive.name


def test_the_samples_change_as_their_readme_says(ledger: Ledger) -> None:
    reports = [sync(ledger, SAMPLES / year, tombstone_missing=True) for year in YEARS]
    assert [counts(report) for report in reports] == [
        {"read": 13, "created": 13},
        {"read": 13, "created": 1, "updated": 7, "unchanged": 5, "missing": 1, "tombstoned": 1},
        {"read": 15, "created": 2, "updated": 6, "restored": 1, "unchanged": 6, "missing": 1, "tombstoned": 1},
    ]
    assert reports[0].warning is None


def test_every_state_of_the_samples_is_as_if_the_store_had_seen_nothing_else(
    new_ledger: Callable[[], Ledger],
) -> None:
    assert_each_state_as_if_alone(new_ledger, [SAMPLES / year for year in YEARS])


def test_before_the_first_archive_there_was_nothing(ledger: Ledger) -> None:
    sync(ledger, SAMPLES / "2010")
    assert contents(ledger, at=datetime(2009, 12, 31, tzinfo=UTC), axis=Axis.OCCURRED) == {}
    assert contents(ledger, at=datetime(2009, 12, 31, tzinfo=UTC), axis=Axis.RECORDED) == {}


@pytest.mark.slow
def test_every_state_of_rato_is_as_if_the_store_had_seen_nothing_else(
    new_ledger: Callable[[], Ledger], shared: Path
) -> None:
    archives = [shared / "rato" / f"rato-{number}.zip" for number in ("05", "07", "10")]
    assert [end_of_day(archive).date().isoformat() for archive in archives] == [
        "2022-10-20",
        "2023-02-02",
        "2023-02-24",
    ]
    assert_each_state_as_if_alone(new_ledger, archives)


@pytest.mark.parametrize("name", ["dwca-naturalis-ac-media", "dwca-lux-associated-media", "dwca-only-occurrences"])
def test_a_real_archive_imports_with_its_media_and_changes_nothing_the_second_time(
    ledger: Ledger, shared: Path, name: str
) -> None:
    archive = shared / "dissco" / "dwca" / f"{name}.zip"
    first = sync(ledger, archive)
    assert first.created == first.read > 0
    assert first.parked == 0
    assert first.media.keys() == {"created"}
    before = contents(ledger)
    assert changes_nothing(sync(ledger, archive))
    assert contents(ledger) == before


def test_the_invalid_archive_parks_its_media_and_keeps_its_specimen(ledger: Ledger, shared: Path) -> None:
    archive = shared / "dissco" / "dwca" / "dwca-invalid-ac-media.zip"
    first = sync(ledger, archive)
    assert first.created == first.read > 0
    places = [item.place for item in run_items(ledger, first.run, "parked")]
    reasons = [item.reason for item in run_items(ledger, first.run, "parked")]
    assert len(places) == len(set(places)) == first.parked > 0
    assert all(reason and "access URI" in reason for reason in reasons)
    second = sync(ledger, archive)
    assert changes_nothing(second)
    assert second.parked == first.parked


def test_a_change_is_told_of_the_row_that_said_it(ledger: Ledger, tmp_path: Path) -> None:
    known = Specimen("row:1", {"occurrenceID": "urn:specimen:1"})
    sync(ledger, write_archive(tmp_path / "first", [known]))
    renumbered = Specimen("row:2", {"occurrenceID": "urn:specimen:1", "country": "Peru"})
    sync(ledger, write_archive(tmp_path / "second", [renumbered], "2021-01-01"))
    history = ledger.history(find(ledger, "museum", "urn:specimen:1"))
    assert [event.source.record for event in history if event.source] == ["row:1", "row:2"]


def test_a_thorough_run_trusts_no_memory_of_what_was_read(ledger: Ledger, tmp_path: Path) -> None:
    sync(ledger, write_archive(tmp_path / "first", [Specimen("urn:specimen:1"), Specimen("urn:specimen:2")]))
    changed = write_archive(tmp_path / "second", [Specimen("urn:specimen:1", {"country": "Peru"})], "2021-01-01")
    read = open_source(changed)
    (unread,) = read.records()
    assert isinstance(unread, Unread)
    read.close()
    with psycopg.connect(ledger.conninfo, options=f"-c search_path={ledger.settings.ledger}") as connection:
        salted = hashlib.sha256(unread.record_digest + orjson.dumps([None, None])).digest()
        connection.execute("UPDATE source_records SET record_digest = %s WHERE key = 'urn:specimen:1'", (salted,))
    assert verify(ledger).ok, "what a record was read from is nowhere in the log"
    assert sync(ledger, changed).updated == 0, "somebody hid the change"
    assert sync(ledger, changed, thorough=True, dry_run=True).updated == 1
    assert sync(ledger, changed, thorough=True).updated == 1
    assert changes_nothing(sync(ledger, changed, thorough=True))
