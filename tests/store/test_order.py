"""The log is one total order without gaps, whoever writes at the same moment and whatever rolls back."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import PersistenceError

from domain.errors import VersionConflict
from domain.pid import mint
from store.ledger import Ledger
from store.mapper import RecordedEvent
from store.settings import Settings
from tests.store.ledger_building import created, pid

Written = set[tuple[str, int]]


class InjectedError(Exception):
    """Thrown in the middle of a transaction, on purpose."""


def refuse(connection: psycopg.Connection[Any]) -> None:
    raise InjectedError


def write(ledger: Ledger, seed: int, transactions: int) -> Written:
    """Append in many ways, most of them successful; returns the (PID, version) that were acknowledged."""
    dice = random.Random(seed)
    written: Written = set()
    for _ in range(transactions):
        events = [created(mint("TEST"), country="Kenya") for _ in range(dice.choice([1, 1, 2, 10, 40]))]
        way = dice.randrange(6)
        if way == 0:  # everybody wants these few
            events.append(created(pid(dice.randrange(20)), recordNumber=seed))
        with suppress(InjectedError, VersionConflict):
            if way == 1:  # fails before the log is locked
                ledger.append(events, beside=refuse)
            elif way == 2:  # fails when positions are drawn already
                with ledger.connection() as connection, connection.transaction():
                    ledger.recorder.append(connection, [ledger.mapper.to_stored_event(event) for event in events])
                    time.sleep(dice.random() / 200)
                    raise InjectedError
            elif way == 3:  # one conflict spoils the whole call
                ledger.append([*events, created(events[0].originator_id, country="Chad")])
            else:
                ledger.append(events)
                written.update((event.originator_id, event.originator_version) for event in events)
    return written


def write_in_process(settings: Settings, seed: int, transactions: int) -> Written:
    """The same in a process of its own, with several threads."""
    with Ledger.open(settings) as ledger, ThreadPoolExecutor(3) as threads:
        parts = [threads.submit(write, ledger, seed + number, transactions) for number in range(3)]
        return set().union(*(part.result() for part in parts))


def append_and_hang(settings: Settings, drawn: Any) -> None:
    """Draw positions and never end the transaction."""
    with Ledger.open(settings) as ledger, ledger.connection() as connection, connection.transaction():
        ledger.recorder.append(connection, [ledger.mapper.to_stored_event(created(mint("TEST"))) for _ in range(100)])
        drawn.set()
        time.sleep(600)


class Tail:
    """Follows the log by position while others write."""

    def __init__(self, ledger: Ledger, page: int) -> None:
        self.seen: list[RecordedEvent] = []
        self.finished = threading.Event()
        self._ledger, self._page = ledger, page

    def follow(self) -> list[RecordedEvent]:
        position = 0
        while True:
            last_look = self.finished.is_set()
            found = self._ledger.recorder.select_range(position, limit=self._page)
            self.seen.extend(found)
            if found:
                position = found[-1].position
            elif last_look:
                return self.seen


@pytest.mark.parametrize("page", [7, 1000])
def test_a_reader_that_tails_the_log_misses_nothing(ledger: Ledger, page: int) -> None:
    tail = Tail(ledger, page)
    spawn = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(5) as threads, ProcessPoolExecutor(2, mp_context=spawn) as processes:
        following = threads.submit(tail.follow)
        writers: list[Future[Written]] = [
            processes.submit(write_in_process, ledger.settings, 100 * number, 40) for number in (1, 2)
        ]
        writers += [threads.submit(write, ledger, number, 40) for number in range(4)]
        written: Written = set().union(*(writer.result() for writer in writers))
        tail.finished.set()
        seen = following.result()
    assert [event.position for event in seen] == list(range(1, len(seen) + 1))
    assert {(event.originator_id, event.originator_version) for event in seen} == written
    assert len(written) == len(seen) == ledger.position() > 1000
    recorded = [event.recorded for event in seen]
    assert recorded == sorted(recorded)
    assert seen == ledger.recorder.select_range(0, limit=len(seen) + 1)


def test_a_subscription_of_the_library_misses_nothing(ledger: Ledger) -> None:
    last = pid(1000)

    def write_last(writers: list[Future[Written]]) -> None:
        wait(writers)
        ledger.append([created(last)])

    with ThreadPoolExecutor(5) as threads:
        writers = [threads.submit(write, ledger, number, 30) for number in range(4)]
        end = threads.submit(write_last, writers)
        positions: list[int] = []
        with ledger.recorder.subscribe(gt=0) as subscription:
            for notification in subscription:
                positions.append(notification.id)
                if notification.originator_id == last:
                    break
    assert [writer.exception() for writer in [*writers, end]] == [None] * 5
    assert positions == list(range(1, ledger.position() + 1))


def test_the_time_never_goes_back_even_when_the_clock_does(ledger: Ledger, owner: psycopg.Connection[Any]) -> None:
    ledger.append([created(pid(1))])
    owner.execute("UPDATE log_head SET recorded_at = '2999-01-01Z'")  # as after a clock that ran ahead was put right
    ledger.append([created(pid(2)), created(pid(3))])
    ledger.append([created(pid(4))])
    first, second, third, fourth = (event.recorded for event in ledger.recorder.select_range(0))
    assert first < second == third < fourth


def test_a_writer_killed_in_its_transaction_leaves_no_gap(ledger: Ledger) -> None:
    spawn = multiprocessing.get_context("spawn")
    drawn = spawn.Event()
    killed = spawn.Process(target=append_and_hang, args=(ledger.settings, drawn))
    killed.start()
    assert drawn.wait(30)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(ledger.append, [created(pid(1))])
        time.sleep(0.2)
        assert not waiting.done(), "a writer must wait for the one before it"
        assert killed.pid is not None
        os.kill(killed.pid, signal.SIGKILL)
        assert waiting.result(30) == [1]
    killed.join()
    assert ledger.position() == 1


def test_a_reader_waits_for_no_writer(ledger: Ledger) -> None:
    ledger.append([created(pid(1))])
    with ledger.connection() as connection, connection.transaction(force_rollback=True):
        ledger.recorder.append(connection, [ledger.mapper.to_stored_event(created(pid(2)))])
        assert [event.position for event in ledger.recorder.select_range(0)] == [1]
        assert ledger.position() == 1
        assert ledger.get(pid(1)).version == 1


def test_readers_follow_in_batches_up_to_a_position(ledger: Ledger) -> None:
    ledger.append([created(pid(number)) for number in range(25)])
    batches = [[event.position for event in batch] for batch in ledger.scan(after=3, upto=21, batch=8)]
    assert batches == [list(range(4, 12)), list(range(12, 20)), [20, 21]]


@pytest.mark.parametrize("error", [InjectedError, KeyboardInterrupt])
def test_an_error_beside_frees_the_log(ledger: Ledger, error: type[BaseException]) -> None:
    def beside(connection: psycopg.Connection[Any]) -> None:
        raise error

    append: Callable[..., list[int]] = ledger.append
    with pytest.raises((error, PersistenceError)):
        append([created(pid(1))], beside=beside)
    assert append([created(pid(1))]) == [1]
