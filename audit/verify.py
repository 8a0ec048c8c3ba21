"""Checks the store against its own log: every patch, digest, order, snapshot and projection row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventsourcing.persistence import PersistenceError, StoredEvent
from psycopg import Connection
from psycopg.rows import tuple_row

from audit.bookkeeping import Statement, bookkeeping_problems
from audit.guards import guard_problems
from audit.tlog.checkpoint import Checkpoint
from audit.tree import checkpoint_problems, leaf_problems, tile_problems
from domain.canonical import canonical_bytes, digest
from domain.digital_object import project, snapshot_of
from domain.errors import IntegrityFailure, InvalidPatch, NotFound, ProvenariumError
from domain.events import Created, DigitalObjectEvent
from domain.history import Step, steps
from domain.patch import apply_in_place, copy_of, invert
from projections.engine import OBJECT_PROJECTIONS, catch_up
from projections.ledger.tree import LedgerTree
from projections.projection import Row
from store import statements
from store.compression import ZstdDictionaryCompressor
from store.ledger import Ledger
from store.mapper import RecordedEvent
from store.recorder import NO_LIMIT
from store.sizes import fitting, unpacked_size

SQL = statements.load("audit", "verify.sql")
STREAMS = 200
STREAM_BYTES = 64 * 1024 * 1024
"""How many objects are verified together, and how large their events may be, unpacked."""

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Problem:
    """Something that does not add up: where (``PID/n``, a table, a position) and what."""

    where: str
    what: str


@dataclass
class Verification:
    """What was checked, and every problem found."""

    objects: int = 0
    events: int = 0
    position: int = 0
    problems: list[Problem] = field(default_factory=list)
    of_runs: dict[str, set[Statement]] = field(default_factory=lambda: defaultdict(set), repr=False)

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The report under the names the command prints."""
        return {
            "ok": self.ok,
            "objects": self.objects,
            "events": self.events,
            "position": self.position,
            "problems": [{"where": problem.where, "what": problem.what} for problem in self.problems],
        }


def verify(
    ledger: Ledger,
    pid: str | None = None,
    progress: Progress = lambda _done, _total: None,
    outside: Sequence[tuple[str, Checkpoint]] = (),
) -> Verification:
    """Re-apply every patch, recompute every digest, and compare snapshots and projections with the log.

    For one object, or for the whole ledger, where the order of the log is checked too. Problems
    are collected, not raised. Everything is read in one transaction that sees the store as it is at
    one moment, so others may go on writing. ``outside`` are checkpoints kept elsewhere, each with
    where it comes from: what the database alone cannot tell, they do.

    Raises :class:`NotFound` for a PID that is not there.
    """
    found = Verification()
    try:
        catch_up(ledger)
    except (ProvenariumError, PersistenceError) as error:
        reason = " ".join(str(error).split())
        found.problems.append(Problem("projections", f"cannot be brought up to date: {reason}"))
    with ledger.connection() as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found.position = _rows(connection, "head")[0][0]
        if pid is None:
            found.problems.extend(_log_problems(connection))
            for streams in _streams(connection):
                _verify_streams(ledger, connection, streams, found)
                progress(found.events, found.position)
            found.problems.extend(_stragglers(connection, found.events))
            found.problems.extend(_strangers(connection))
            found.problems.extend(Problem(*finding) for finding in tile_problems(connection))
            found.problems.extend(Problem(*finding) for finding in checkpoint_problems(connection, outside))
            found.problems.extend(_dictionary_problems(connection))
            found.problems.extend(Problem(*finding) for finding in guard_problems(connection))
            found.problems.extend(
                Problem(*finding) for finding in bookkeeping_problems(ledger, connection, found.of_runs)
            )
        else:
            _verify_streams(ledger, connection, [pid], found)
            if not found.events:
                raise NotFound(f"there is no object {pid} in this ledger")
    return found


def _rows(connection: Connection[Any], statement: str, parameters: tuple[Any, ...] = ()) -> list[Row]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(SQL[statement], parameters).fetchall()


def _streams(connection: Connection[Any]) -> Iterator[list[str]]:
    after: str | None = None
    while rows := _rows(connection, "streams", (after, after, STREAMS)):
        pids = [pid for (pid,) in rows]
        starts: dict[str, list[bytes]] = dict(_rows(connection, "frame_starts", (pids,)))
        while pids:
            amount = fitting((sum(map(unpacked_size, starts[pid])) for pid in pids), STREAM_BYTES)
            yield pids[:amount]
            pids = pids[amount:]
        after = rows[-1][0]


def _log_problems(connection: Connection[Any]) -> Iterator[Problem]:
    """Positions run 1, 2, 3 ... without gap, recorded times never go back, every stream begins at 1."""
    for position, pid, version, recorded, before, recorded_before in _rows(connection, "disorder"):
        where = f"position {position} ({pid}/{version})"
        if position != before + 1:
            yield Problem(where, f"follows position {before}: events are missing or doubled")
        else:
            yield Problem(where, f"recorded {recorded} is earlier than the event before, {recorded_before}")
    for pid, version in _rows(connection, "headless_streams"):
        yield Problem(f"{pid}/{version}", "the versions before this one are missing from the log")
    head, last = _rows(connection, "head")[0]
    if head != last:
        yield Problem("log_head", f"says the log ends at {head}, but its last event is at {last}")
    for head_time, last_time in _rows(connection, "head_time"):
        yield Problem("log_head", f"says the last event was recorded at {head_time}, but it was at {last_time}")
    for name, position in _rows(connection, "projections"):
        if position > head:
            yield Problem(f"projections {name}", f"was made of {position} events, but the log ends at {head}")


def _stragglers(connection: Connection[Any], verified: int) -> Iterator[Problem]:
    amount = _rows(connection, "amount")[0][0]
    if amount != verified:
        yield Problem("events", f"{amount - verified} of {amount} belong to no object that begins at version 1")


def _dictionary_problems(connection: Connection[Any]) -> Iterator[Problem]:
    for number, content in _rows(connection, "dictionaries"):
        try:
            ZstdDictionaryCompressor(lambda _: None).use(number, bytes(content))
        except IntegrityFailure as error:
            yield Problem(f"dictionaries {number}", str(error))


def _strangers(connection: Connection[Any]) -> Iterator[Problem]:
    for table, name in _rows(connection, "strangers"):
        yield Problem(f"{table} {name}", "has no event in the log")


def _verify_streams(ledger: Ledger, connection: Connection[Any], pids: list[str], found: Verification) -> None:
    stored: dict[str, list[RecordedEvent]] = {pid: [] for pid in pids}
    for event in ledger.recorder.select_streams(dict.fromkeys(pids, (0, NO_LIMIT)), connection):
        stored[str(event.originator_id)].append(event)
    tables = {name: kind(ledger.mapper).stored(connection, pids) for name, kind in OBJECT_PROJECTIONS.items()}
    reached: dict[str, int] = dict(_rows(connection, "projections"))
    for pid, events in stored.items():
        if not events:
            continue
        found.objects += 1
        found.events += len(events)
        history = _readable(ledger, events, found)
        if history is None:
            continue
        _note_runs(history, found)
        leaves = [event for event in history if (event.position or 0) <= reached.get(LedgerTree.name, 0)]
        found.problems.extend(Problem(*finding) for finding in leaf_problems(connection, leaves))
        columns = _rows(connection, "columns", (pid,))
        found.problems.extend(_column_problems(history, columns))
        replayed = len(found.problems)
        found.problems.extend(_replay_problems(history))
        if len(found.problems) > replayed:
            continue  # what derives from a broken history cannot be judged
        found.problems.extend(_snapshot_problems(ledger, connection, pid, history))
        for name, kind in OBJECT_PROJECTIONS.items():
            projected = [event for event in history if (event.position or 0) <= reached.get(name, 0)]
            expected = kind(ledger.mapper).expected(steps(projected))
            found.problems.extend(_row_problems(name, pid, expected, tables[name].get(pid, [])))


def _note_runs(history: list[DigitalObjectEvent], found: Verification) -> None:
    for event in history:
        cause, source = event.activity.cause, event.source
        if cause is not None and cause.kind == "run" and source is not None:
            found.of_runs[cause.id].add((source.system, source.archive, source.mapping))


def _readable(ledger: Ledger, events: list[RecordedEvent], found: Verification) -> list[DigitalObjectEvent] | None:
    history = []
    for stored in events:
        where = f"{stored.originator_id}/{stored.originator_version}"
        try:
            value = ledger.mapper.value_of(stored)
            event = ledger.mapper.event_of(stored, value)
            if canonical_bytes(event.to_json()) != canonical_bytes(value):
                found.problems.append(Problem(where, "the stored event holds more than an event says"))
            elif ledger.mapper.text_for(value) != ledger.mapper.text_of(stored):
                found.problems.append(Problem(where, "the stored text of the event is not as this store writes it"))
            history.append(event)
        except ProvenariumError as error:
            found.problems.append(Problem(where, str(error).removeprefix(f"{where}: ")))
    return history if len(history) == len(events) else None


def _column_problems(history: list[DigitalObjectEvent], columns: list[Row]) -> Iterator[Problem]:
    for event, (version, event_id, occurred, undoes, has_metadata, *state) in zip(history, columns, strict=True):
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
        if document.get("@type") != event.object_type or event.object_type != history[0].object_type:
            yield Problem(
                where, f"says it is of type {event.object_type}; its document or its first event is of another"
            )
            return
        if event.previous != before_hash and event.event_version > 1:
            yield Problem(where, f"names {event.previous} as the event before, which has the hash {before_hash}")
            return
        if digest(document) != event.digest:
            yield Problem(where, f"the document has digest {digest(document)}, the event says {event.digest}")
            return
        if canonical_bytes(back) != canonical_bytes(before):
            yield Problem(where, "undoing its patch does not give the version before")
        before_hash = event.hash


def _snapshot_problems(
    ledger: Ledger, connection: Connection[Any], pid: str, history: list[DigitalObjectEvent]
) -> Iterator[Problem]:
    for version, topic, state in _rows(connection, "snapshots", (pid,)):
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


__all__ = ["Problem", "Step", "Verification", "verify"]
