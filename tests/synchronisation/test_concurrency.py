"""Several at once: one run per source at a time, and curators who go on working meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit.verify import verify
from domain.errors import ProvenariumError, SourceBusy, VersionConflict
from domain.pid import mint
from domain.terms import ABSENT
from projections.engine import catch_up
from sources.synchronisation import comparison, contention
from sources.synchronisation import revert as reverting
from sources.synchronisation.candidates import ArchiveSource
from sources.synchronisation.revert import revert
from sources.synchronisation.synchronise import find
from store.ledger import Ledger
from tests.synchronisation.sync_support import (
    Specimen,
    contents,
    counts,
    curate,
    document_of,
    picture,
    states,
    sync,
    versions_of,
    write_archive,
)


class Paused:
    """Stops a reader after its first record until it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = threading.Event()
        self.go = threading.Event()
        read = ArchiveSource.records

        def records(source: ArchiveSource) -> Iterator[Any]:
            for number, found in enumerate(read(source)):
                if number == 1 and not self.reached.is_set():
                    self.reached.set()
                    assert self.go.wait(30)
                yield found

        monkeypatch.setattr(ArchiveSource, "records", records)


def test_a_source_is_synchronised_by_one_run_at_a_time(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_archive(tmp_path / "1", [Specimen("a"), Specimen("b")])
    paused = Paused(monkeypatch)
    reports: list[Any] = []
    first = threading.Thread(target=lambda: reports.append(sync(ledger, archive)))
    first.start()
    try:
        assert paused.reached.wait(30)
        with pytest.raises(SourceBusy, match=r"'museum'.*wait until it has finished") as caught:
            sync(ledger, archive)
        assert "\n" not in str(caught.value)
        with pytest.raises(SourceBusy):
            sync(ledger, archive, dry_run=True)
        assert sync(ledger, archive, source="another museum").created == 2
    finally:
        paused.go.set()
        first.join()
    assert counts(reports[0]) == {"read": 2, "created": 2}
    assert counts(sync(ledger, archive)) == {"read": 2, "unchanged": 2}


def test_curation_during_a_run_is_not_lost(ledger: Ledger, tmp_path: Path) -> None:
    amount = 200
    specimens = [Specimen(f"s{n}", {"preparations": "skin"}, media=(picture(f"p{n % 20}"),)) for n in range(amount)]
    sync(ledger, write_archive(tmp_path / "1", specimens))
    second = write_archive(
        tmp_path / "2", [specimen.but(preparations="skull") for specimen in specimens[: amount - 20]], "2021-01-01"
    )
    finished = threading.Event()
    made: dict[str, list[str]] = {}
    failures: list[ProvenariumError] = []

    def work(offset: int) -> None:
        turn = 0
        try:
            while not finished.is_set() and turn < 2000:
                record = f"s{(offset + 7 * turn) % amount}"
                try:
                    curate(ledger, record).set("/dwc:disposition", f"{offset}/{turn}")
                except VersionConflict:
                    continue  # as the command would tell the curator: read again and retry
                made.setdefault(record, []).append(f"{offset}/{turn}")
                turn += 1
        except ProvenariumError as error:
            failures.append(error)

    curators = [threading.Thread(target=work, args=(offset,)) for offset in range(2)]
    for curator in curators:
        curator.start()
    try:
        report = sync(ledger, second)
    finally:
        finished.set()
        for curator in curators:
            curator.join()
    assert failures == []
    assert made
    assert counts(report) == {"read": amount - 20, "updated": amount - 20, "missing": 20}
    for n in range(amount):
        record = f"s{n}"
        document = document_of(ledger, record)
        assert document["dwc:preparations"] == ("skull" if n < amount - 20 else "skin")
        said = [
            operation["value"]
            for event in ledger.history(find(ledger, "museum", record))[1:]
            for operation in event.patch
            if operation["op"] in ("add", "replace") and operation["path"] == "/dwc:disposition"
        ]
        assert sorted(said) == sorted(made.get(record, []))
        assert document.get("dwc:disposition", ABSENT) == (said[-1] if said else ABSENT)
    catch_up(ledger)
    assert verify(ledger).ok


@pytest.fixture
def interrupting(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Calls done, one each, between a decision and its storing."""
    between: list[Any] = []
    append = Ledger.append

    def interrupted(self: Ledger, events: Any, **options: Any) -> list[int]:
        if events and "beside" in options and between:
            between.pop(0)()
        return append(self, events, **options)

    monkeypatch.setattr(Ledger, "append", interrupted)
    return between


def test_a_decision_is_made_afresh_when_a_curator_was_faster(
    ledger: Ledger, tmp_path: Path, interrupting: list[Any]
) -> None:
    first = [Specimen(key, {"preparations": "skin"}) for key in "abcde"]
    sync(ledger, write_archive(tmp_path / "1", first))
    between = [
        lambda: curate(ledger, "c").set("/dwc:preparations", "bones"),
        lambda: curate(ledger, "a").tombstone(),
        lambda: curate(ledger, "b").set("/dwc:preparations", "feathers"),
        lambda: curate(ledger, "c").set("/dwc:disposition", "on loan"),
    ]
    interrupting.extend(between)
    report = sync(ledger, write_archive(tmp_path / "2", [s.but(preparations="skull") for s in first]))
    assert interrupting == []
    assert counts(report) == {"read": 5, "updated": 2, "unchanged": 3, "conflicts": 3}
    assert document_of(ledger, "b")["dwc:preparations"] == "feathers"
    assert document_of(ledger, "c")["dwc:preparations"] == "bones"
    assert document_of(ledger, "c")["dwc:disposition"] == "on loan"
    assert document_of(ledger, "d")["dwc:preparations"] == "skull"
    assert versions_of(ledger, "a") == ["Create", "Tombstone"]


def test_what_is_parked_is_not_forgotten_when_a_decision_is_made_afresh(
    ledger: Ledger, tmp_path: Path, interrupting: list[Any]
) -> None:
    first = [Specimen(key, {"preparations": "skin"}) for key in "ab"]
    sync(ledger, write_archive(tmp_path / "1", first))
    interrupting.append(lambda: curate(ledger, "a").set("/dwc:disposition", "on loan"))
    changed = [s.but(preparations="skull") for s in first]
    report = sync(ledger, write_archive(tmp_path / "2", [*changed, changed[0]], core_lines=["x\ttoo few"]))
    assert counts(report) == {"read": 4, "updated": 2, "parked": 2}


def test_a_tombstone_is_decided_afresh_when_a_curator_was_faster(
    ledger: Ledger, tmp_path: Path, interrupting: list[Any]
) -> None:
    sync(ledger, write_archive(tmp_path / "1", [Specimen(key) for key in "abc"]))
    interrupting.append(lambda: curate(ledger, "b").set("/dwc:disposition", "on loan"))
    report = sync(ledger, write_archive(tmp_path / "2", [Specimen("a")]), tombstone_missing=True)
    assert counts(report) == {"read": 1, "unchanged": 1, "missing": 2, "tombstoned": 2}
    assert versions_of(ledger, "b") == ["Create", "Update", "Tombstone"]
    assert contents(ledger).keys() == {("ods:DigitalSpecimen", "a")}


def test_a_reversal_is_decided_afresh_when_a_curator_was_faster(
    ledger: Ledger, tmp_path: Path, interrupting: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reverting, "CHUNK", 3)
    first = [Specimen(key, {"preparations": "skin"}) for key in "abcde"]
    sync(ledger, write_archive(tmp_path / "1", first))
    run = sync(ledger, write_archive(tmp_path / "2", [s.but(preparations="skull") for s in first])).run
    one, two, *others = sorted("abcde", key=lambda key: find(ledger, "museum", key))  # as a reversal goes through them
    interrupting.extend(
        [
            lambda: [curate(ledger, key).set("/dwc:disposition", "on loan") for key in (one, two)],
            lambda: [curate(ledger, key).set("/dwc:preparations", "bones") for key in others],
        ]
    )
    result = revert(ledger, run)
    assert interrupting == []
    assert result["conflicts"] == 3
    documents = {key: document_of(ledger, key) for key in "abcde"}
    assert {documents[key]["dwc:disposition"] for key in (one, two)} == {"on loan"}
    assert {documents[key]["dwc:preparations"] for key in (one, two)} == {"skin"}
    assert {documents[key]["dwc:preparations"] for key in others} == {"bones"}


def test_an_object_that_never_stands_still_stops_the_run_and_not_the_next(
    ledger: Ledger, tmp_path: Path, interrupting: list[Any]
) -> None:
    sync(ledger, write_archive(tmp_path / "1", [Specimen("a"), Specimen("b")]))
    archive = write_archive(tmp_path / "2", [Specimen(key, {"preparations": "skull"}) for key in "ab"])
    numbers = iter(range(1000))
    interrupting.extend([lambda: curate(ledger, "b").set("/dwc:disposition", str(next(numbers)))] * 100)
    with pytest.raises(VersionConflict):
        sync(ledger, archive)
    assert len(interrupting) < 100
    interrupting.clear()
    report = sync(ledger, archive)
    assert counts(report) == {"read": 2, "updated": 2}
    assert {state.document["dwc:preparations"] for state in states(ledger)} == {"skull"}


def test_the_retries_are_bounded() -> None:
    calls: list[int] = []

    def never(items: Any) -> None:
        calls.append(len(items))
        raise VersionConflict("again")

    with pytest.raises(VersionConflict):
        contention.settle(list("abcdefgh"), never)
    assert calls[:4] == [8, 4, 2, 1]
    assert len(calls) < 20
    contention.settle([], never)


def test_a_pid_drawn_twice_is_drawn_anew(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync(ledger, write_archive(tmp_path / "1", [Specimen("a", media=(picture("a"),))]))
    before = contents(ledger)
    drawn = iter([state.id for state in states(ledger)])
    monkeypatch.setattr(comparison, "mint", lambda prefix: next(drawn, None) or mint(prefix))
    specimens = [Specimen(name, media=(picture(name),)) for name in "abcde"]
    assert counts(sync(ledger, write_archive(tmp_path / "2", specimens))) == {"read": 5, "created": 4, "unchanged": 1}
    assert next(drawn, None) is None
    after = contents(ledger)
    assert len(after) == 10
    assert {key: after[key] for key in before} == before
    catch_up(ledger)
    assert verify(ledger).ok
