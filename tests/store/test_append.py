"""Appending: expected versions, idempotence, atomicity, large calls."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, OperationalError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from domain.digital_object import DigitalObject, project
from domain.errors import RefusedInput, StoreUnavailable, VersionConflict
from domain.events import Cause
from domain.times import from_text
from store.ledger import Ledger
from store.mapper import NewEvent
from tests.store.ledger_building import by, created, grow, pid, specimen


def count(ledger: Ledger, table: str = "events") -> int:
    with ledger.connection() as connection:
        row = connection.execute(f"SELECT count(*) AS n FROM {table}").fetchone()
    return int(row["n"])


def save_key(key: str) -> Callable[[psycopg.Connection[Any]], None]:
    """Writes one row of its own beside the events."""

    def beside(connection: psycopg.Connection[Any]) -> None:
        connection.execute("INSERT INTO natural_keys VALUES ('s', 't', %s, %s)", (key, key))

    return beside


# -- versions -------------------------------------------------------------------------------------


def test_of_two_changes_to_one_version_the_second_is_refused(ledger: Ledger) -> None:
    base = ledger.record(None, created(pid(1), country="Kenya"))
    ledger.record(base, base.update(specimen(country="Chad"), by()))
    with pytest.raises(VersionConflict, match=rf"{pid(1)} \(version 2\).*read the object again"):
        ledger.record(base, base.update(specimen(country="Mali"), by()))
    assert ledger.get(pid(1)).document == specimen(country="Chad")
    assert count(ledger) == ledger.position() == 2


def test_one_object_is_created_once(ledger: Ledger) -> None:
    ledger.append([created(pid(1), country="Kenya")])
    with pytest.raises(VersionConflict):
        ledger.append([created(pid(1), country="Kenya")])
    assert count(ledger) == 1


def test_of_twenty_racing_writers_one_wins_each_version(ledger: Ledger) -> None:
    ledger.record(None, created(pid(1), individualCount=0))
    racers = 20
    start = threading.Barrier(racers)

    def race(number: int) -> int:
        start.wait()
        lost = 0
        while True:
            state = ledger.get(pid(1))
            try:
                ledger.record(state, state.update({**state.document, f"dwc:by{number}": number}, by()))
            except VersionConflict:
                lost += 1
            else:
                return lost

    with ThreadPoolExecutor(racers) as threads:
        lost = list(threads.map(race, range(racers)))
    assert sum(lost) >= 1, "nobody raced"
    assert [event.originator_version for event in ledger.history(pid(1))] == list(range(1, racers + 2))
    assert {f"dwc:by{number}" for number in range(racers)} < set(ledger.get(pid(1)).document)


def test_exactly_one_of_twenty_stores_the_same_version(ledger: Ledger) -> None:
    base = ledger.record(None, created(pid(1), individualCount=0))
    events = [base.update(specimen(individualCount=number), by()) for number in range(1, 21)]
    start = threading.Barrier(len(events))

    def race(event: Any) -> bool:
        start.wait()
        try:
            ledger.append([event])
        except VersionConflict:
            return False
        return True

    with ThreadPoolExecutor(len(events)) as threads:
        won = list(threads.map(race, events))
    assert won.count(True) == 1
    assert ledger.get(pid(1)).document == specimen(individualCount=won.index(True) + 1)


def test_a_version_that_would_leave_a_gap_is_refused(ledger: Ledger) -> None:
    state = grow(ledger, pid(1), 2)
    third = state.update(specimen(country="Chad"), by())
    with pytest.raises(VersionConflict, match=f"cannot record.*{pid(1)} version 4 would leave a gap"):
        ledger.append([replace(third, originator_version=4)])
    with pytest.raises(VersionConflict, match="would leave a gap"):
        ledger.append([replace(third, originator_id=pid(2), originator_version=2)])
    assert count(ledger) == ledger.position() == 2


def test_versions_in_the_wrong_order_are_refused(ledger: Ledger) -> None:
    first = created(pid(1), country="Kenya")
    state = project(None, [first])
    assert state is not None
    with pytest.raises(VersionConflict, match="would leave a gap"):
        ledger.append([state.update(specimen(country="Chad"), by()), first])
    assert ledger.position() == 0


def test_an_object_without_a_name_is_refused(ledger: Ledger) -> None:
    with pytest.raises(IntegrityError, match="events_originator_id_check"):
        ledger.append([created("")])


def test_the_library_path_refuses_a_gap_without_trying_again(ledger: Ledger) -> None:
    attempts = []
    append = ledger.recorder.append
    ledger.recorder.append = lambda *args: attempts.append(args) or append(*args)  # type: ignore[method-assign]
    event = ledger.mapper.to_stored_event(replace(created(pid(1)), originator_version=3))
    with pytest.raises(IntegrityError, match="would leave a gap"):
        ledger.recorder.insert_events([event])
    assert len(attempts) == 1


@pytest.mark.parametrize("version", [0, -1])
def test_versions_start_at_one(ledger: Ledger, version: int) -> None:
    with pytest.raises(IntegrityError):
        ledger.append([replace(created(pid(1)), originator_version=version)])
    assert count(ledger) == 0


# -- idempotence ----------------------------------------------------------------------------------


def test_the_same_events_again_are_stored_once(ledger: Ledger) -> None:
    base = ledger.record(None, created(pid(1)))
    events = [created(pid(2)), base.update(specimen(country="Chad"), by()), created(pid(3))]
    assert ledger.append(events) == [2, 3, 4]
    later = ledger.record(ledger.get(pid(1)), ledger.get(pid(1)).update(specimen(country="Mali"), by()))
    assert ledger.append(events) == [2, 3, 4]
    assert ledger.append(events[1:]) == [3, 4]
    assert count(ledger) == ledger.position() == 5
    assert ledger.get(pid(1)) == later


def test_a_decision_made_again_is_the_same_whatever_the_clock_says(ledger: Ledger) -> None:
    decision = by(occurred=from_text("2020-01-01T00:00:00Z"), comment="once")
    first = DigitalObject.create(pid(1), specimen(country="Kenya"), decision)
    again = DigitalObject.create(pid(1), specimen(country="Kenya"), decision)
    assert first.activity.ended < again.activity.ended
    assert ledger.append([first]) == ledger.append([again]) == [1]


def test_another_assertion_under_the_same_activity_is_refused(ledger: Ledger) -> None:
    event = created(pid(1), country="Kenya")
    ledger.append([event])
    for other in (
        replace(event, patch=[{"op": "add", "path": "", "value": specimen(country="Chad")}]),
        replace(event, digest="0" * 64),
        replace(event, occurred=from_text("2020-01-01T00:00:00Z")),
        replace(event, activity=replace(event.activity, comment="another")),
        replace(event, activity=replace(event.activity, cause=Cause("run", "1"))),
        replace(event, originator_version=2),
    ):
        with pytest.raises(VersionConflict):
            ledger.append([other])
    assert count(ledger) == 1


def test_one_activity_may_change_many_objects(ledger: Ledger) -> None:
    activity = uuid4()
    events = [DigitalObject.create(pid(number), specimen(), by(activity=activity)) for number in range(3)]
    assert ledger.append(events) == ledger.append(events) == [1, 2, 3]


def test_events_partly_stored_before_are_refused_together(ledger: Ledger) -> None:
    stored = created(pid(1))
    ledger.append([stored])
    with pytest.raises(VersionConflict):
        ledger.append([stored, created(pid(2))])
    assert count(ledger) == 1


def test_the_same_event_twice_in_one_call_is_refused(ledger: Ledger) -> None:
    event = created(pid(1))
    with pytest.raises(VersionConflict):
        ledger.append([event, event])
    assert count(ledger) == ledger.position() == 0


class ForgetfulProxy:
    """Between a client and the server: passes everything on, until it is told to swallow the reply to a COMMIT."""

    def __init__(self, conninfo: str) -> None:
        self._known = conninfo_to_dict(conninfo)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.swallow = threading.Event()
        self.swallowed = 0
        threading.Thread(target=self._welcome, daemon=True).start()

    def conninfo(self) -> str:
        port = self._door.getsockname()[1]
        return make_conninfo(
            **{**self._known, "host": "127.0.0.1", "port": str(port), "sslmode": "disable", "gssencmode": "disable"}
        )

    def close(self) -> None:
        self._door.close()

    def _server(self) -> socket.socket:
        host, port = str(self._known.get("host") or "127.0.0.1"), str(self._known.get("port") or 5432)
        if not host.startswith("/"):
            return socket.create_connection((host, int(port)))
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(Path(host) / f".s.PGSQL.{port}"))
        return server

    def _welcome(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = self._server()
                committing = threading.Event()
                threading.Thread(target=self._forward, args=(client, server, committing), daemon=True).start()
                threading.Thread(target=self._back, args=(server, client, committing), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket, committing: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if self.swallow.is_set() and b"COMMIT" in data:
                    committing.set()
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _back(self, server: socket.socket, client: socket.socket, committing: threading.Event) -> None:
        with suppress(OSError), server, client:
            while data := server.recv(1 << 16):
                if committing.is_set():
                    self.swallow.clear()
                    self.swallowed += 1
                    client.shutdown(socket.SHUT_RDWR)
                    break
                client.sendall(data)


@contextmanager
def through_a_proxy(ledger: Ledger) -> Iterator[tuple[Ledger, ForgetfulProxy]]:
    proxy = ForgetfulProxy(ledger.conninfo)
    try:
        with Ledger(proxy.conninfo(), ledger.settings) as far:
            yield far, proxy
    finally:
        proxy.close()


def test_a_commit_whose_reply_was_lost_can_be_repeated(ledger: Ledger) -> None:
    with through_a_proxy(ledger) as (far, proxy):
        far.append([created(pid(1))])
        events = [created(pid(2)), created(pid(3))]
        proxy.swallow.set()
        with pytest.raises(OperationalError):
            far.append(events, beside=save_key("once"))
        assert proxy.swallowed == 1
        assert ledger.position() == 3, "the server did commit"
        assert far.append(events, beside=save_key("once")) == [2, 3]
    assert count(ledger) == 3
    assert count(ledger, "natural_keys") == 1


def test_a_backend_killed_before_the_commit_stores_nothing(ledger: Ledger, owner: psycopg.Connection[Any]) -> None:
    def kill_me(connection: psycopg.Connection[Any]) -> None:
        save_key("never")(connection)
        owner.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))

    event = created(pid(1))
    with pytest.raises(OperationalError):
        ledger.append([event], beside=kill_me)
    assert count(ledger, "natural_keys") == 0
    assert ledger.append([event]) == [1], "the pool has replaced the connection"


# -- many, large, together ------------------------------------------------------------------------


def test_several_events_of_one_object_go_in_one_call(ledger: Ledger) -> None:
    first = created(pid(1), country="Kenya")
    state = project(None, [first])
    assert state is not None
    second = state.update(specimen(country="Chad"), by())
    assert ledger.append([first, second, created(pid(2))]) == [1, 2, 3]
    assert ledger.get(pid(1)).document == specimen(country="Chad")
    assert ledger.get(pid(1), 1).document == specimen(country="Kenya")
    assert ledger.get(pid(1), 1).recorded == ledger.get(pid(1), 2).recorded


def test_nothing_to_append_is_no_error(ledger: Ledger) -> None:
    assert ledger.append([]) == []
    assert ledger.append([], beside=save_key("alone")) == []
    assert count(ledger, "natural_keys") == 1


def test_five_thousand_large_events_go_in_one_call(ledger: Ledger) -> None:
    dice = random.Random(7)
    events = [created(pid(number), remarks=dice.randbytes(6144).hex()) for number in range(5000)]
    assert all(len(event.patch[0]["value"]["dwc:remarks"]) > 6000 for event in events)
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(ledger.append, events).result(timeout=60) == list(range(1, 5001))
    read = ledger.recorder.select_range(0, limit=5000, octets=2**40)
    assert [event.originator_id for event in read] == [event.originator_id for event in events]
    assert ledger.mapper.to_domain_event(read[4321]) == events[4321]


def test_more_threads_than_connections_wait_their_turn(ledger: Ledger) -> None:
    with ThreadPoolExecutor(60) as threads:
        positions = list(threads.map(lambda number: ledger.append([created(pid(number))]), range(300)))
    assert sorted(position for (position,) in positions) == list(range(1, 301))


def test_a_pool_without_a_free_connection_is_told_in_time(ledger: Ledger) -> None:
    ledger.append([created(pid(1))])
    ledger._datastore.pool.timeout = 0.3
    with ExitStack() as held:
        for _ in range(ledger._datastore.pool.max_size):
            held.enter_context(ledger.connection())
        for use in (lambda: ledger.get(pid(1)), ledger.position, lambda: ledger.append([created(pid(2))])):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="cannot be reached or is busy"):
                use()
            assert time.monotonic() - began < 3, "once, not ten times over"
    assert ledger.append([created(pid(2))]) == [2]


# -- beside ---------------------------------------------------------------------------------------


def test_an_error_beside_stores_nothing(ledger: Ledger) -> None:
    def beside(connection: psycopg.Connection[Any]) -> None:
        save_key("lost")(connection)
        raise RuntimeError("injected")

    with pytest.raises(RuntimeError, match="injected"):
        ledger.append([created(pid(1))], beside=beside)
    assert count(ledger) == count(ledger, "natural_keys") == 0


def test_a_conflict_takes_back_what_was_written_beside(ledger: Ledger) -> None:
    ledger.append([created(pid(1))])
    with pytest.raises(VersionConflict):
        ledger.append([created(pid(2)), created(pid(1))], beside=save_key("lost"))
    assert count(ledger, "natural_keys") == 0
    assert count(ledger) == 1


def test_a_key_that_is_taken_refuses_the_events(ledger: Ledger) -> None:
    ledger.append([created(pid(1))], beside=save_key("taken"))
    with pytest.raises(VersionConflict):
        ledger.append([created(pid(2))], beside=save_key("taken"))
    assert count(ledger) == 1


def test_a_key_that_is_taken_is_told_when_there_are_no_events(ledger: Ledger) -> None:
    ledger.append([], beside=save_key("taken"))
    with pytest.raises(VersionConflict, match="the same records"):
        ledger.append([], beside=save_key("taken"))


def test_snapshots_go_with_the_events_or_not_at_all(ledger: Ledger) -> None:
    state = grow(ledger, pid(1), 50)
    event = state.update(specimen(country="Chad"), by())
    other = state.update(specimen(country="Mali"), by())
    ledger.record(state, event)
    assert count(ledger, "snapshots") == 1
    state = grow(ledger, pid(2), 50)
    with pytest.raises(VersionConflict):
        ledger.record(state, replace(other, originator_id=pid(1)))
    assert count(ledger, "snapshots") == 1


# -- what the database could not hold ---------------------------------------------------------------


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_postgresql_cannot_hold_is_refused(ledger: Ledger, text: str) -> None:
    for event in (
        DigitalObject.create(pid(1), specimen(), by(comment=text)),
        DigitalObject.create(pid(1), specimen(), by(cause=Cause("run", text))),
    ):
        with pytest.raises(RefusedInput, match=r"U\+0000"):
            ledger.append([event])
    assert count(ledger) == 0


def test_an_event_too_large_to_be_read_back_is_refused(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.compression.MAX_DOCUMENT_BYTES", 10_000)
    ledger.append([created(pid(1), remarks="x" * 9_000)])
    assert len(ledger.get(pid(1)).document["dwc:remarks"]) == 9_000
    with pytest.raises(RefusedInput, match="larger than"):
        ledger.append([created(pid(2), remarks="x" * 10_000)])
    assert count(ledger) == 1


# -- identifiers ----------------------------------------------------------------------------------


def test_minted_pids_are_new(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.append([created(pid(1))], beside=save_key(pid(2)))
    drawn = iter([pid(1), pid(2), pid(3), pid(3), pid(4)])
    monkeypatch.setattr("store.ledger.pids.mint", lambda prefix: next(drawn))
    assert ledger.mint_pids(2) == [pid(3), pid(4)]


def test_a_new_event_carries_its_activity_and_time_to_the_row(ledger: Ledger) -> None:
    event = created(pid(1))
    stored = ledger.mapper.to_stored_event(event)
    assert isinstance(stored, NewEvent)
    ledger.append([event])
    with ledger.connection() as connection:
        row = connection.execute("SELECT topic, event_id, occurred_at, metadata FROM events").fetchone()
    assert row == {
        "topic": "ods:Create",
        "event_id": event.activity.id,
        "occurred_at": event.occurred,
        "metadata": None,
    }
