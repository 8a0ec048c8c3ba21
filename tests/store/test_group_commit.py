"""What threads append at the same time shares a transaction, and only what is in conflict fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import OperationalError, StoredEvent

from domain.errors import StoreUnavailable, VersionConflict
from store import group_commit
from store.group_commit import Append, GroupCommit
from store.ledger import Ledger
from tests.store.ledger_building import by, created, pid, specimen


def appended(ledger: Ledger, events: list[Any], monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], list[int]]:
    """Each event appended by a thread of its own while the first commit is held up, and the sizes of the commits."""
    commit, sizes, held = ledger._group._commit, [], threading.Event()

    def slow(group: Sequence[Append]) -> list[int]:
        sizes.append(len(group))
        if len(sizes) == 1:
            held.wait(30)
        return commit(group)

    monkeypatch.setattr(ledger._group, "_commit", slow)
    with ThreadPoolExecutor(len(events)) as threads:
        running = [threads.submit(ledger.append, [events[0]])]
        while not sizes:
            time.sleep(0.001)
        for count, event in enumerate(events[1:], 1):  # in this order
            running.append(threads.submit(ledger.append, [event]))
            while len(ledger._group._waiting) < count:
                time.sleep(0.001)
        held.set()
        outcomes: list[Any] = [each.exception() or each.result() for each in running]
    return outcomes, sizes


def recorded_times(ledger: Ledger) -> list[Any]:
    with ledger.connection() as connection:
        rows = connection.execute("SELECT xmin::text AS x FROM events ORDER BY notification_id").fetchall()
    return [row["x"] for row in rows]


def test_those_who_wait_are_committed_together_in_their_order(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes, sizes = appended(ledger, [created(pid(number)) for number in range(9)], monkeypatch)
    assert sizes == [1, 8]
    assert outcomes == [[position] for position in range(1, 10)]
    transactions = recorded_times(ledger)
    assert len(set(transactions)) == 2
    assert [event.originator_id for batch in ledger.scan() for event in batch] == [pid(number) for number in range(9)]


def test_one_alone_does_not_wait(ledger: Ledger) -> None:
    assert ledger.append([created(pid(1))]) == [1]
    assert ledger.append([]) == []


def test_a_conflict_fails_only_its_own_append(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    same = created(pid(2))
    base = ledger.record(None, created(pid(9)))
    events = [
        created(pid(1)),
        same,
        created(pid(2), country="Peru"),
        base.update(specimen(country="Kenya"), by()),
        base.update(specimen(country="Peru"), by()),
        base.then(base.update(specimen(country="Togo"), by())).update(specimen(country="Mali"), by()),
        same,
        created(pid(3)),
    ]
    outcomes, sizes = appended(ledger, events, monkeypatch)
    assert sizes == [1, 7, *[1] * 7]
    kinds = [type(each) for each in outcomes]
    assert kinds == [list, list, VersionConflict, list, VersionConflict, list, list, list]
    assert outcomes[6] == outcomes[1], "the same event again is where it was"
    assert ledger.get(pid(2)).document == specimen()
    assert [event.originator_version for event in ledger.history(pid(9))] == [1, 2, 3]


def test_what_the_database_refuses_fails_only_its_own_append(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = ledger._group._commit

    def refusing(group: Sequence[Append]) -> list[int]:
        if any(event.originator_id == pid(2) for append in group for event in append.events):
            raise psycopg.DataError("not this one")
        return commit(group)

    monkeypatch.setattr(ledger._group, "_commit", refusing)
    outcomes, _ = appended(ledger, [created(pid(number)) for number in range(5)], monkeypatch)
    assert [type(each) for each in outcomes] == [list, list, psycopg.DataError, list, list]
    assert ledger.position() == 4


@pytest.mark.parametrize("failure", [OperationalError("gone"), StoreUnavailable("busy")])
def test_a_lost_database_is_told_to_all_who_wait_and_nothing_is_tried_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    commit, calls = ledger._group._commit, []

    def failing(group: Sequence[Append]) -> list[int]:
        calls.append(len(group))
        if len(calls) == 2:
            raise failure
        return commit(group)

    monkeypatch.setattr(ledger._group, "_commit", failing)
    outcomes, _ = appended(ledger, [created(pid(number)) for number in range(5)], monkeypatch)
    assert outcomes[0] == [1]
    assert [type(each) for each in outcomes[1:]] == [type(failure)] * 4
    assert len({id(each) for each in outcomes[1:]}) == 4, "each has an error of its own"
    assert calls == [1, 4]


def test_an_interruption_of_the_one_who_commits_does_not_leave_the_others_waiting() -> None:
    held, sizes = threading.Event(), []

    def commit(group: Sequence[Append]) -> list[int]:
        sizes.append(len(group))
        if len(sizes) == 1:
            held.wait(30)
            return [1]
        raise KeyboardInterrupt

    group = GroupCommit(commit)
    outcomes: list[BaseException | list[int]] = []

    def append(number: int) -> None:
        try:
            outcomes.append(group.append(Append([StoredEvent(pid(number), 1, "t", b"")])))
        except BaseException as error:  # noqa: BLE001 - as the thread that is interrupted meets it
            outcomes.append(error)

    threads = [threading.Thread(target=append, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
        while not sizes:
            time.sleep(0.001)
    while len(group._waiting) < 3:
        time.sleep(0.001)
    held.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert sorted(type(each).__name__ for each in outcomes) == [
        "KeyboardInterrupt",
        "OperationalError",
        "OperationalError",
        "list",
    ]


class _Interrupted:
    """A gate at which the thread that waits is interrupted, before or after it became the one to commit."""

    def __init__(self, *, promoted: bool) -> None:
        self._promoted = promoted
        self._calls = 0
        self.released = threading.Event()

    def acquire(self) -> None:
        self._calls += 1
        if self._calls == 2:
            if self._promoted:
                self.released.wait(30)
            raise KeyboardInterrupt

    def release(self) -> None:
        self.released.set()


@pytest.mark.parametrize("promoted", [False, True])
def test_an_interruption_of_one_who_waits_does_not_leave_the_others_waiting(promoted: bool) -> None:
    held, begun = threading.Event(), threading.Event()
    stored: list[str] = []

    def commit(group: Sequence[Append]) -> list[int]:
        begun.set()
        held.wait(30)
        stored.extend(str(event.originator_id) for append in group for event in append.events)
        return list(range(len(group)))

    group = GroupCommit(commit)

    def of(number: int) -> Append:
        return Append([StoredEvent(pid(number), 1, "t", b"")])

    interrupted = of(2)
    interrupted.gate = _Interrupted(promoted=promoted)  # type: ignore[assignment]
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(group.append, of(1))
        assert begun.wait(30)
        second = threads.submit(group.append, interrupted)
        if promoted:
            while not group._waiting:
                time.sleep(0.001)
        else:
            assert isinstance(second.exception(30), KeyboardInterrupt)
        third = threads.submit(group.append, of(3))
        while len(group._waiting) < 1 + promoted:
            time.sleep(0.001)
        held.set()
        assert isinstance(second.exception(30), KeyboardInterrupt)
        assert [first.result(30), third.result(30)] == [[0], [0]]
    assert stored == [pid(1), pid(3)]


def test_a_transaction_takes_only_so_much(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MAX_EVENTS", 3)
    outcomes, sizes = appended(ledger, [created(pid(number)) for number in range(8)], monkeypatch)
    assert sizes == [1, 3, 3, 1]
    assert outcomes == [[position] for position in range(1, 9)]
    monkeypatch.undo()
    monkeypatch.setattr(group_commit, "MAX_OCTETS", 1)
    _, sizes = appended(ledger, [created(pid(number, "BBB")) for number in range(4)], monkeypatch)
    assert sizes == [1] * 4


def test_many_threads_lose_and_double_nothing(ledger: Ledger) -> None:
    def write(group: str) -> list[int]:
        return [position for number in range(25) for position in ledger.append([created(pid(number, group))])]

    names = [f"{number:03}" for number in range(40)]
    with ThreadPoolExecutor(40) as threads:
        positions = [position for found in threads.map(write, names) for position in found]
    assert sorted(positions) == list(range(1, 1001))
    assert ledger.position() == 1000
