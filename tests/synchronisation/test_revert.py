"""Reverting a run: the collection is as before it, nothing is erased, and curators' work stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from audit.verify import verify
from domain.errors import Conflict, NotFound, SourceBusy
from projections.accountability import of_source
from projections.engine import catch_up
from sources.synchronisation import runs, synchronise
from sources.synchronisation.revert import revert
from sources.synchronisation.synchronise import find, held
from store.ledger import Axis, Ledger
from tests.conftest import SAMPLES
from tests.synchronisation.sync_support import (
    Specimen,
    changes_nothing,
    contents,
    counts,
    curate,
    document_of,
    picture,
    run_items,
    states,
    sync,
    versions_of,
    write_archive,
)

A, B, C = (Specimen(name, {"preparations": "skin"}) for name in "abc")


def test_reverting_the_second_run_restores_the_first_state_and_it_can_be_repeated(ledger: Ledger) -> None:
    sync(ledger, SAMPLES / "2010", tombstone_missing=True)
    first = contents(ledger)
    run = sync(ledger, SAMPLES / "2015", tombstone_missing=True)
    second = contents(ledger)
    assert first != second

    result = revert(ledger, run.run)
    assert contents(ledger) == first
    assert result["reverts"] == str(run.run)
    assert result["conflicts"] == 0
    assert result["reverted"] == 7 + 1 + 1 + sum(
        run.media.get(name, 0) for name in ("created", "updated", "restored", "tombstoned")
    )
    assert runs.get(ledger, run.run).reverted_by == UUID(result["run"])
    assert changes_nothing(sync(ledger, SAMPLES / "2010", tombstone_missing=True))

    again = sync(ledger, SAMPLES / "2015", tombstone_missing=True)
    assert again.run != run.run
    assert counts(again) == {
        "read": 13,
        "restored": 1,  # the one that the first run of this archive created
        "updated": 7,
        "unchanged": 5,
        "missing": 1,
        "tombstoned": 1,
    }
    assert contents(ledger) == second
    catch_up(ledger)
    assert verify(ledger).ok


def test_every_run_can_be_reverted_from_the_last_back_to_the_first(ledger: Ledger) -> None:
    before = []
    done = []
    for year in ("2010", "2015", "2024"):
        before.append(contents(ledger) if done else {})
        done.append(sync(ledger, SAMPLES / year, tombstone_missing=True).run)
    last = contents(ledger)
    for run, state in reversed(list(zip(done, before, strict=True))):
        revert(ledger, run)
        assert contents(ledger) == state
        catch_up(ledger)
        assert verify(ledger).ok
    assert all(state.tombstoned for state in states(ledger, include_tombstoned=True))
    for year in ("2010", "2015", "2024"):
        sync(ledger, SAMPLES / year, tombstone_missing=True)
    assert contents(ledger) == last


def test_a_revert_reaches_over_chunks_and_shared_media(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synchronise, "CHUNK", 1)
    shared = picture("shared")
    one = write_archive(tmp_path / "1", [Specimen(key, media=(shared,)) for key in "abc"])
    two = write_archive(tmp_path / "2", [Specimen("a"), Specimen("b", media=(picture("new"),)), Specimen("d")])
    sync(ledger, one)
    first = contents(ledger)
    run = sync(ledger, two, tombstone_missing=True).run
    second = contents(ledger)
    revert(ledger, run)
    assert contents(ledger) == first
    sync(ledger, two, tombstone_missing=True)
    assert contents(ledger) == second


def test_the_reversal_says_what_it_did_to_each_record(ledger: Ledger, tmp_path: Path) -> None:
    sync(ledger, write_archive(tmp_path / "1", [A, B, C]))
    run = sync(
        ledger, write_archive(tmp_path / "2", [A.but(preparations="skull"), C, Specimen("d")]), tombstone_missing=True
    )
    result = revert(ledger, run.run)
    items = {
        item.key: (item.outcome, item.version_before, item.version_after) for item in run_items(ledger, result["run"])
    }
    assert items == {"a": ("reverted", 2, 3), "b": ("reverted", 2, 3), "d": ("reverted", 1, 2)}
    assert versions_of(ledger, "a") == ["Create", "Update", "Update"]
    assert versions_of(ledger, "b") == ["Create", "Tombstone", "Restore"]
    assert versions_of(ledger, "d") == ["Create", "Tombstone"]
    last = ledger.history(find(ledger, "museum", "a"))[-1]
    assert last.activity.cause is not None
    assert (last.activity.cause.kind, last.activity.cause.id) == ("revert", result["run"])
    assert str(run.run) in str(last.activity.comment)


def test_an_object_withdrawn_again_has_its_old_tombstone_and_one_event(ledger: Ledger, tmp_path: Path) -> None:
    sync(ledger, write_archive(tmp_path / "1", [A, B]))
    sync(ledger, write_archive(tmp_path / "2", [A], "2021-01-01"), tombstone_missing=True)
    pid = find(ledger, "museum", "b")
    before = ledger.get(pid)
    run = sync(ledger, write_archive(tmp_path / "3", [A, B.but(preparations="skull")], "2022-01-01"))
    assert run.restored == 1
    result = revert(ledger, run.run)
    after = ledger.get(pid)
    assert versions_of(ledger, "b") == ["Create", "Tombstone", "Restore", "Tombstone"]
    assert (after.document, after.tombstoned, after.occurred) == (before.document, True, before.occurred)
    assert result["reverted"] == 1
    catch_up(ledger)
    assert verify(ledger).ok


# -- times ----------------------------------------------------------------------------------------


def as_of(ledger: Ledger, year: int) -> dict[tuple[str, str], Any]:
    return contents(ledger, at=datetime(year, 12, 31, 23, tzinfo=UTC), axis=Axis.OCCURRED)


def only(new_ledger: Callable[[], Ledger], archive: Path) -> dict[tuple[str, str], Any]:
    ledger = new_ledger()
    sync(ledger, archive)
    return contents(ledger)


def test_what_an_undone_run_said_never_held(new_ledger: Callable[[], Ledger]) -> None:
    ledger = new_ledger()
    _, second, third = (sync(ledger, SAMPLES / year, tombstone_missing=True).run for year in ("2010", "2015", "2024"))
    revert(ledger, third)
    assert as_of(ledger, 2015) == as_of(ledger, 2024) == only(new_ledger, SAMPLES / "2015")
    revert(ledger, second)
    first = only(new_ledger, SAMPLES / "2010")
    assert as_of(ledger, 2010) == as_of(ledger, 2015) == as_of(ledger, 2024) == first
    assert as_of(ledger, 2009) == {}


def test_the_right_archive_after_a_wrong_one_was_undone_is_found_at_its_own_time(
    new_ledger: Callable[[], Ledger],
) -> None:
    ledger = new_ledger()
    sync(ledger, SAMPLES / "2010", tombstone_missing=True)
    revert(ledger, sync(ledger, SAMPLES / "2024", tombstone_missing=True).run)
    assert sync(ledger, SAMPLES / "2015", tombstone_missing=True).warning is None
    assert as_of(ledger, 2015) == as_of(ledger, 2024) == only(new_ledger, SAMPLES / "2015")
    assert as_of(ledger, 2014) == only(new_ledger, SAMPLES / "2010")


def test_what_only_an_undone_run_created_did_not_exist_at_any_time(ledger: Ledger, tmp_path: Path) -> None:
    run = sync(ledger, write_archive(tmp_path / "1", [A], "2010-01-01")).run
    revert(ledger, run)
    pid = find(ledger, "museum", "a")
    with pytest.raises(NotFound, match="what said that it did was undone"):
        ledger.get_at(pid, datetime(2020, 1, 1, tzinfo=UTC), Axis.OCCURRED)
    with pytest.raises(NotFound, match="it begins at 2010"):
        ledger.get_at(pid, datetime(2000, 1, 1, tzinfo=UTC), Axis.OCCURRED)
    assert ledger.get(pid).tombstoned


def test_a_wrong_date_is_put_right_by_undoing_the_run(ledger: Ledger, tmp_path: Path) -> None:
    sync(ledger, write_archive(tmp_path / "1", [A], "2010-01-01"))
    archive = write_archive(tmp_path / "2", [A.but(preparations="skull")], "2015-01-01")
    wrong = sync(ledger, archive, occurred=datetime(2999, 1, 1, tzinfo=UTC))
    assert wrong.warning is not None
    assert "2999-01-01" in wrong.warning
    assert "future" in wrong.warning
    revert(ledger, wrong.run)
    assert sync(ledger, archive).warning is None
    key = ("ods:DigitalSpecimen", "a")
    assert as_of(ledger, 2014)[key]["dwc:preparations"] == "skin"
    assert as_of(ledger, 2015)[key]["dwc:preparations"] == as_of(ledger, 2998)[key]["dwc:preparations"] == "skull"
    assert as_of(ledger, 2999)[key]["dwc:preparations"] == "skull"


def test_curation_since_the_undone_run_holds_from_its_own_time_on(ledger: Ledger, tmp_path: Path) -> None:
    sync(ledger, write_archive(tmp_path / "1", [A], "2010-01-01"))
    run = sync(ledger, write_archive(tmp_path / "2", [A.but(preparations="skull")], "2015-01-01")).run
    curate(ledger, "a").set("/dwc:disposition", "on loan", occurred=datetime(2020, 6, 1, tzinfo=UTC))
    revert(ledger, run)
    key = ("ods:DigitalSpecimen", "a")
    then, now = as_of(ledger, 2019)[key], as_of(ledger, 2020)[key]
    assert (then["dwc:preparations"], "dwc:disposition" in then) == ("skin", False)
    assert (now["dwc:preparations"], now["dwc:disposition"]) == ("skin", "on loan")


def test_changes_that_were_undone_did_not_occur(ledger: Ledger, tmp_path: Path) -> None:
    sync(ledger, write_archive(tmp_path / "1", [A], "2010-01-01"))
    run = sync(ledger, write_archive(tmp_path / "2", [A.but(preparations="skull")], "2015-01-01")).run
    curate(ledger, "a").set("/dwc:disposition", "on loan", occurred=datetime(2020, 6, 1, tzinfo=UTC))
    result = revert(ledger, run)
    catch_up(ledger)
    source = runs.get(ledger, run).source
    begin, end = datetime(1900, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
    occurred = [(change.version, change.term) for change in of_source(ledger, source, begin, end, Axis.OCCURRED)]
    assert occurred == [(1, None), (3, "dwc:disposition")]
    recorded = [(change.version, change.term) for change in of_source(ledger, source, begin, end)]
    assert recorded == [(1, None), (2, "dwc:preparations"), (3, "dwc:disposition"), (4, "dwc:preparations")]
    assert result["reverted"] == 1


# -- what cannot be reverted ----------------------------------------------------------------------


def test_an_unknown_run_cannot_be_reverted(ledger: Ledger) -> None:
    unknown = uuid4()
    with pytest.raises(NotFound, match=f"no run {unknown}"):
        revert(ledger, unknown)


def test_a_reversal_cannot_be_reverted(ledger: Ledger) -> None:
    run = sync(ledger, SAMPLES / "2010")
    result = revert(ledger, run.run)
    with pytest.raises(Conflict, match="is itself a reversal"):
        revert(ledger, UUID(result["run"]))


def test_a_run_cannot_be_reverted_twice(ledger: Ledger) -> None:
    run = sync(ledger, SAMPLES / "2010")
    result = revert(ledger, run.run)
    before = ledger.position()
    with pytest.raises(Conflict, match=f"reverted already, by run {result['run']}"):
        revert(ledger, run.run)
    assert ledger.position() == before


def test_a_run_cannot_be_reverted_under_a_later_one_that_changed_something(ledger: Ledger) -> None:
    first = sync(ledger, SAMPLES / "2010")
    second = sync(ledger, SAMPLES / "2015")
    with pytest.raises(Conflict, match=f"revert run {second.run} first"):
        revert(ledger, first.run)
    revert(ledger, second.run)
    revert(ledger, first.run)
    assert contents(ledger) == {}


def test_a_later_run_that_changed_nothing_or_another_source_does_not_matter(ledger: Ledger) -> None:
    first = sync(ledger, SAMPLES / "2010")
    sync(ledger, SAMPLES / "2010")
    sync(ledger, SAMPLES / "2015", source="other museum")
    revert(ledger, first.run)
    assert contents(ledger) == {}
    assert len(contents(ledger, "other museum")) > 13


def test_nothing_is_reverted_while_the_source_is_synchronised(ledger: Ledger) -> None:
    run = sync(ledger, SAMPLES / "2010")
    source = runs.get(ledger, run.run).source
    with held(ledger, source, "museum"), pytest.raises(SourceBusy, match="'museum'"):
        revert(ledger, run.run)


# -- curation in between --------------------------------------------------------------------------


@pytest.fixture
def changed(ledger: Ledger, tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """After two runs of which the second changed ``a``, dropped ``b`` and created ``d``; reverts the second."""
    sync(ledger, write_archive(tmp_path / "1", [A, B, C]))
    second = [A.but(preparations="skull"), C, Specimen("d", {"preparations": "egg"})]
    run = sync(ledger, write_archive(tmp_path / "2", second), tombstone_missing=True)
    return lambda: revert(ledger, run.run)


def listed(ledger: Ledger, result: dict[str, Any]) -> dict[str | None, list[Any]]:
    return {
        item.key: [(conflict["pointer"], conflict["kept"]) for conflict in item.details["conflicts"]]
        for item in run_items(ledger, result["run"])
        if item.details
    }


def test_curation_of_another_term_stays_without_a_conflict(
    ledger: Ledger, changed: Callable[[], dict[str, Any]]
) -> None:
    curate(ledger, "a").set("/dwc:disposition", "on loan")
    result = changed()
    assert result["conflicts"] == 0
    document = document_of(ledger, "a")
    assert (document["dwc:preparations"], document["dwc:disposition"]) == ("skin", "on loan")


def test_curation_of_the_very_term_stays_and_is_listed(ledger: Ledger, changed: Callable[[], dict[str, Any]]) -> None:
    curate(ledger, "a").set("/dwc:preparations", "skin and skull")
    result = changed()
    assert result["conflicts"] == 1
    assert document_of(ledger, "a")["dwc:preparations"] == "skin and skull"
    assert listed(ledger, result) == {"a": [("/dwc:preparations", "curated")]}


def test_what_a_curator_tombstoned_since_stays_so(ledger: Ledger, changed: Callable[[], dict[str, Any]]) -> None:
    state = curate(ledger, "a").tombstone()
    result = changed()
    assert listed(ledger, result) == {"a": [("", "curated")]}
    assert ledger.get(state.id).tombstoned


def test_what_a_curator_restored_since_stays_as_it_is(ledger: Ledger, changed: Callable[[], dict[str, Any]]) -> None:
    curator = curate(ledger, "b")
    curator.restore()
    curator.set("/dwc:disposition", "found again")
    result = changed()
    assert result["conflicts"] == 0
    assert document_of(ledger, "b")["dwc:disposition"] == "found again"
    assert versions_of(ledger, "b") == ["Create", "Tombstone", "Restore", "Update"]


def test_what_a_curator_restored_and_tombstoned_since_stays_tombstoned(
    ledger: Ledger, changed: Callable[[], dict[str, Any]]
) -> None:
    curator = curate(ledger, "b")
    curator.restore()
    curator.tombstone()
    result = changed()
    assert listed(ledger, result) == {"b": [("", "curated")]}
    assert ledger.get(curator.pid).tombstoned


def test_a_created_record_goes_even_if_curated_but_is_listed_and_keeps_the_curation(
    ledger: Ledger, tmp_path: Path, changed: Callable[[], dict[str, Any]]
) -> None:
    curator = curate(ledger, "d")
    curator.set("/dwc:disposition", "on display")
    result = changed()
    assert listed(ledger, result) == {"d": [("", "source")]}
    state = ledger.get(curator.pid)
    assert state.tombstoned
    assert state.document["dwc:disposition"] == "on display"
    # When the record is imported again, what the curator made of it is still there.
    archive = write_archive(tmp_path / "3", [A, B, C, Specimen("d", {"preparations": "eggshell"})])
    assert sync(ledger, archive).restored == 1
    document = document_of(ledger, "d")
    assert (document["dwc:preparations"], document["dwc:disposition"]) == ("eggshell", "on display")


def test_conflicts_of_the_reverted_run_are_forgotten_so_that_they_come_again(ledger: Ledger, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "2", [A.but(preparations="skull"), B])
    sync(ledger, write_archive(tmp_path / "1", [A, B]))
    curate(ledger, "a").set("/dwc:preparations", "skin and skull")
    run = sync(ledger, archive)
    assert run.conflicts == 1
    revert(ledger, run.run)
    assert sync(ledger, archive).conflicts == 1
    assert document_of(ledger, "a")["dwc:preparations"] == "skin and skull"
