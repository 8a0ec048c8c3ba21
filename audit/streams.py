"""Verifies objects: each event replayed, its bytes, its place, and all that derives from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from audit.bookkeeping import Told, run_problems, told_of_runs
from audit.findings import Problem, Verification
from audit.natural_keys import key_problems
from audit.tree import leaf_problems, leaves_at
from domain.canonical import canonical_bytes, digest, normal_form
from domain.digital_object import project, snapshot_of
from domain.errors import IntegrityFailure, InvalidPatch, ProvenariumError
from domain.events import Created, DigitalObjectEvent
from domain.history import steps
from domain.patch import apply_in_place, copy_of, invert
from projections.engine import OBJECT_PROJECTIONS
from projections.ledger.tree import LedgerTree
from projections.projection import Row, rows_by_pid
from store import statements
from store.ledger import Ledger
from store.mapper import RecordedEvent
from store.recorder import NO_LIMIT
from store.sizes import fitting, unpacked_size
from store.statements import select

SQL = statements.load("audit", "verify.sql")
STREAMS = 200
STREAM_BYTES = 64 * 1024 * 1024
"""How many objects are verified together, and how large their events may be, unpacked."""


def streams(connection: Connection[Any], after: str | None = None) -> Iterator[list[str]]:
    """The PIDs of all objects in order, or of those after one, in groups that can be verified together."""
    while rows := select(connection, SQL["streams"], (after, after, STREAMS)):
        pids = [pid for (pid,) in rows]
        starts: dict[str, list[bytes]] = dict(select(connection, SQL["frame_starts"], (pids,)))
        while pids:
            amount = fitting((sum(map(unpacked_size, starts[pid])) for pid in pids), STREAM_BYTES)
            yield pids[:amount]
            pids = pids[amount:]
        after = rows[-1][0]


def verify_streams(ledger: Ledger, connection: Connection[Any], pids: list[str], found: Verification) -> None:
    """Verify the events of these objects and everything derived from them; what is wrong goes into ``found``."""
    columns = rows_by_pid(select(connection, SQL["columns"], (pids,)))
    stored = _stored(ledger, connection, pids, found)
    if len(stored) < len(pids):
        found.objects += len(pids) - len(stored)
        found.events += sum(len(columns[pid]) for pid in pids if pid not in stored)
        pids = list(stored)
    tables = {name: kind(ledger.mapper).stored(connection, pids) for name, kind in OBJECT_PROJECTIONS.items()}
    snapshots = rows_by_pid(select(connection, SQL["snapshots"], (pids,)))
    reached: dict[str, int] = dict(select(connection, SQL["projections"]))
    in_tree = reached.get(LedgerTree.name, 0)
    leaves = leaves_at(
        connection, [event.position for events in stored.values() for event in events if event.position <= in_tree]
    )
    told: set[Told] = set()
    sound: list[list[DigitalObjectEvent]] = []
    for pid, events in stored.items():
        if not events:
            continue
        found.objects += 1
        found.events += len(events)
        history = _readable(ledger, events, found)
        if history is None:
            continue
        told |= told_of_runs(history)
        found.add(leaf_problems([event for event in history if (event.position or 0) <= in_tree], leaves))
        found.problems.extend(_column_problems(history, columns[pid]))
        replayed = len(found.problems)
        found.problems.extend(_replay_problems(history))
        if len(found.problems) > replayed:
            continue  # what derives from a broken history cannot be judged
        sound.append(history)
        found.problems.extend(_snapshot_problems(ledger, snapshots.get(pid, []), history))
        for name, kind in OBJECT_PROJECTIONS.items():
            projected = [event for event in history if (event.position or 0) <= reached.get(name, 0)]
            expected = kind(ledger.mapper).expected(steps(projected))
            found.problems.extend(_row_problems(name, pid, expected, tables[name].get(pid, [])))
    found.add(run_problems(connection, told))
    found.add(key_problems(connection, sound))


def _stored(
    ledger: Ledger, connection: Connection[Any], pids: list[str], found: Verification
) -> dict[str, list[RecordedEvent]]:
    """The stored events of these objects, without those of which one has nothing where something must be."""
    stored: dict[str, list[RecordedEvent]] = {pid: [] for pid in pids}
    try:
        for event in ledger.recorder.select_streams(dict.fromkeys(pids, (0, NO_LIMIT)), connection):
            stored[str(event.originator_id)].append(event)
    except IntegrityFailure as error:
        if len(pids) == 1:
            where, _, what = str(error).partition(": ")
            found.add([(where, what)])
            return {}
        return {pid: events for each in pids for pid, events in _stored(ledger, connection, [each], found).items()}
    return stored


def _readable(ledger: Ledger, events: list[RecordedEvent], found: Verification) -> list[DigitalObjectEvent] | None:
    history = []
    for stored in events:
        where = f"{stored.originator_id}/{stored.originator_version}"
        try:
            value = ledger.mapper.value_of(stored)
            event = ledger.mapper.event_of(stored, value)
            if canonical_bytes(event.to_json()) != canonical_bytes(value):
                found.problems.append(Problem(where, "the stored event holds more than an event says"))
            elif ledger.mapper.text_for(_in_normal_form(value)) != ledger.mapper.text_of(stored.state):
                found.problems.append(Problem(where, "the stored text of the event is not as this store writes it"))
            history.append(event)
        except ProvenariumError as error:
            found.problems.append(Problem(where, str(error).removeprefix(f"{where}: ")))
    return history if len(history) == len(events) else None


def _in_normal_form(value: dict[str, Any]) -> dict[str, Any]:
    """An event with its numbers in the form in which they are stored; its document may be as deep as one may be."""
    patch = [{name: normal_form(part) for name, part in operation.items()} for operation in value["patch"]]
    return {name: patch if name == "patch" else normal_form(part) for name, part in value.items()}


def _column_problems(history: list[DigitalObjectEvent], columns: list[Row]) -> Iterator[Problem]:
    for event, (_, version, event_id, occurred, undoes, has_metadata, *state) in zip(history, columns, strict=True):
        where = f"{event.originator_id}/{version}"
        if event.activity.id != event_id:
            yield Problem(where, f"column event_id {event_id} is not the activity {event.activity.id} of the event")
        if event.occurred != occurred:
            yield Problem(where, f"column occurred_at {occurred} is not the time {event.occurred} in the event")
        if event.undoes != undoes:
            yield Problem(where, f"column undoes {undoes} is not the version {event.undoes} in the event")
        is_as_recorded, is_unknown = state
        if not is_as_recorded and not (is_unknown and event.event_version == 1):
            yield Problem(where, "its stored bytes are not those that were recorded")
        if has_metadata:
            yield Problem(where, "column metadata holds something; this store puts nothing there")


def _replay_problems(history: list[DigitalObjectEvent]) -> Iterator[Problem]:
    document: Any = {}
    before_hash: str | None = None
    for expected, event in enumerate(history, 1):
        where = f"{event.originator_id}/{event.originator_version}"
        if event.originator_version != expected:
            yield Problem(where, f"version {expected} is missing from the log")
            return
        if expected > 1 and (event.position or 0) <= (history[expected - 2].position or 0):
            yield Problem(where, f"stands at position {event.position}, before the version it follows")
        before = copy_of(document)
        try:
            document = apply_in_place(document, event.patch)
            back = before if isinstance(event, Created) else apply_in_place(copy_of(document), invert(event.patch))
        except InvalidPatch as error:
            yield Problem(where, f"its patch does not apply or cannot be undone: {error}")
            return
        type_ = document.get("@type") if isinstance(document, dict) else None
        if type_ != event.object_type or event.object_type != history[0].object_type:
            yield Problem(
                where, f"says it is of type {event.object_type}; its document or its first event is of another"
            )
            return
        if expected > 1 and event.event_version < history[expected - 2].event_version:
            yield Problem(where, "is of an older event schema than the version before it")
        if event.previous != before_hash and event.event_version > 1:
            yield Problem(where, f"names {event.previous} as the event before, which has the hash {before_hash}")
            return
        if digest(document) != event.digest:
            yield Problem(where, f"the document has digest {digest(document)}, the event says {event.digest}")
            return
        if canonical_bytes(back) != canonical_bytes(before):
            yield Problem(where, "undoing its patch does not give the version before")
        before_hash = event.hash


def _snapshot_problems(ledger: Ledger, snapshots: list[Row], history: list[DigitalObjectEvent]) -> Iterator[Problem]:
    for pid, version, topic, state in snapshots:
        where = f"snapshot {pid}/{version}"
        folded = project(None, history[:version])
        try:
            snapshot = ledger.mapper.to_domain_event(StoredEvent(pid, version, topic, bytes(state)))
        except ProvenariumError as error:
            yield Problem(where, str(error).removeprefix(f"{pid}/{version}: "))
            continue
        if (
            folded is None
            or snapshot_of(folded) != snapshot
            or canonical_bytes(folded.document) != canonical_bytes(snapshot.document)  # Python takes true for 1
        ):
            yield Problem(where, "is not the state that the log gives for this version")


def _row_problems(name: str, pid: str, expected: list[Row], stored: list[Row]) -> Iterator[Problem]:
    if len(expected) != len(stored):
        yield Problem(f"{name} {pid}", f"{len(stored)} rows, the log gives {len(expected)}")
        return
    columns = OBJECT_PROJECTIONS[name].columns
    for number, (wanted, there) in enumerate(zip(expected, stored, strict=True), 1):
        if wanted != there:
            column = next(index for index, pair in enumerate(zip(wanted, there, strict=True)) if pair[0] != pair[1])
            yield Problem(f"{name} {pid}, row {number}, {columns[column]}", "differs from what the log gives")
