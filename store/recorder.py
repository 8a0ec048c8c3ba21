"""Records events in one total order without gaps, and reads them back.

The library's own recorder goes through a psycopg pipeline and arrays of composites, which is slow
and hangs on large calls. Here one server-side function takes binary arrays and draws positions
from a single row, whose lock puts writers in line (``migrations/0001_ledger.sql``).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from eventsourcing.persistence import InterfaceError, OperationalError, StoredEvent
from eventsourcing.postgres import PostgresAggregateRecorder, PostgresApplicationRecorder, PostgresSubscription
from eventsourcing.utils import retry
from psycopg import Connection, Cursor, sql
from psycopg.rows import tuple_row

from domain.errors import IntegrityFailure
from store import statements
from store.datastore import LedgerDatastore
from store.mapper import NewEvent, RecordedEvent
from store.sizes import unpacked_size

SQL = statements.load("store", "log.sql")
NO_LIMIT = 2**62
RANGE_OCTETS = 4 * 1024 * 1024
"""What one reading of the log brings at most, as stored; a thousand usual events are a tenth of it."""
POLL_SECONDS = 0.1


class SnapshotRecorder(PostgresAggregateRecorder):
    """The library's aggregate recorder on our snapshots, without the composite type that its insert needs."""

    def _insert_stored_events(self, curs: Cursor[Any], stored_events: Sequence[StoredEvent], **_: Any) -> None:
        rows = [(each.originator_id, each.originator_version, each.topic, each.state) for each in stored_events]
        curs.execute(SQL["insert_new_snapshots"], [list(column) for column in zip(*rows, strict=True)])


class LedgerRecorder(PostgresApplicationRecorder):
    """The library's application recorder on our log.

    ``insert_events`` is one transaction; ``append`` does the same inside a transaction of the
    caller, who can write tables of its own beside it.
    """

    datastore: LedgerDatastore

    def __init__(self, datastore: LedgerDatastore, *, events_table_name: str = "events") -> None:
        super().__init__(datastore, events_table_name=events_table_name)

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Append events; returns their positions. ``snapshots`` may be given to go with them."""
        with self.datastore.get_connection() as connection, connection.transaction():
            with connection.cursor() as cursor:
                self._insert_events(cursor, stored_events, **kwargs)
            return self.append(connection, stored_events)

    def _insert_events(
        self,
        curs: Cursor[Any],
        stored_events: Sequence[StoredEvent],  # noqa: ARG002 - the library's hook
        **kwargs: Any,
    ) -> None:
        for snapshot in kwargs.get("snapshots", ()):
            row = (snapshot.originator_id, snapshot.originator_version, snapshot.topic, snapshot.state)
            curs.execute(SQL["insert_snapshot"], row)

    def append(self, connection: Connection[Any], stored_events: Sequence[StoredEvent]) -> list[int]:
        """Append inside the caller's transaction; returns the positions.

        Holds the head of the log until that transaction ends: do everything else first. Raises
        psycopg's ``UniqueViolation`` when a version or activity id is taken.
        """
        if not stored_events:
            return []
        columns: tuple[list[Any], ...] = ([], [], [], [], [], [], [])
        for event in stored_events:
            named = event if isinstance(event, NewEvent) else None
            row = (
                event.originator_id,
                event.originator_version,
                event.topic,
                event.state,
                named.event_id if named else uuid4(),
                named.occurred if named else None,
                named.undoes if named else None,
            )
            for column, value in zip(columns, row, strict=True):
                column.append(value)
        with connection.cursor(row_factory=tuple_row) as cursor:
            first = cursor.execute(SQL["append"], columns, prepare=True).fetchone()
        assert first is not None
        return list(range(first[0], first[0] + len(stored_events)))

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The events of one stream, as :class:`RecordedEvent`."""
        parameters = (str(originator_id), gt or 0, NO_LIMIT if lte is None else lte)
        found = list(self._select("select_stream", parameters))
        if desc:
            found.reverse()
        return found if limit is None else found[:limit]

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def select_state(self, pid: str, upto: int | None = None) -> list[StoredEvent]:
        """What rebuilds an object at a version (default the last): a snapshot, if there is one, and the events then."""
        return _state(self._rows("select_state", (pid, NO_LIMIT if upto is None else min(upto, NO_LIMIT))))

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def select_state_at(self, pid: str, moment: datetime, axis: str) -> list[StoredEvent]:
        """What rebuilds an object as it was at a time, ``recorded`` or ``occurred``; nothing when it was not there."""
        return _state(self._rows(f"select_state_{axis}_at", (pid, pid, moment)))

    def select_range(
        self,
        after: int,
        upto: int = NO_LIMIT,
        limit: int = 1000,
        octets: int = RANGE_OCTETS,
        connection: Connection[Any] | None = None,
    ) -> list[RecordedEvent]:
        """At most ``limit`` events after position ``after`` and up to ``upto``, in ledger order.

        As stored they are no larger than ``octets`` together; the first is given whatever its size.
        With a connection, as its transaction sees them.
        """
        return list(self._select("select_range", (after, upto, limit, octets), connection))

    def sizes_of_states(self, versions: dict[str, int]) -> dict[str, int]:
        """For each object at its version, the bytes unpacked to rebuild it: its last snapshot and the events after.

        Read from the frame headers; nothing is unpacked.
        """
        sizes = dict.fromkeys(versions, 0)
        for pid, frame in self.fetch("frames_of_states", (list(versions), list(versions.values()))):
            sizes[pid] += unpacked_size(frame)
        return sizes

    def select_states(self, versions: dict[str, int]) -> dict[str, list[StoredEvent]]:
        """What rebuilds each of many objects at its version: a snapshot, if there is one, and the events then."""
        found: dict[str, list[StoredEvent]] = defaultdict(list)
        for row in self._rows("select_snapshots", (list(versions), list(versions.values()))):
            found[row[0]].append(StoredEvent(*row))
        frozen = {pid: stored[0].originator_version for pid, stored in found.items()}
        bounds = {pid: (frozen.get(pid, 0), upto) for pid, upto in versions.items()}
        for stored in self.select_streams(bounds):
            found[str(stored.originator_id)].append(stored)
        return found

    def select_streams(
        self, bounds: dict[str, tuple[int, int]], connection: Connection[Any] | None = None
    ) -> Iterator[RecordedEvent]:
        """The events of many streams, each between its bounds (after, up to), by stream and version.

        With a connection, as its transaction sees them.
        """
        parameters = (list(bounds), [after for after, _ in bounds.values()], [upto for _, upto in bounds.values()])
        yield from self._select("select_streams", parameters, connection)

    def partitions(self) -> list[str]:
        """The names of the log's partitions: each has whole streams."""
        return [name for (name,) in self.fetch("partitions")]

    def select_partition(
        self, partition: str, after: tuple[str, int], upto: int, limit: int = 1000, octets: int = RANGE_OCTETS
    ) -> list[RecordedEvent]:
        """Events of one partition up to position ``upto``, by stream and version, after a (stream, version).

        At most ``limit``, and as stored no larger than ``octets`` together; the first is given whatever its size.
        """
        statement = sql.SQL(SQL["select_partition"]).format(partition=sql.Identifier(partition))
        return list(self._select(statement, (*after, upto, limit, octets)))

    def select_by_id(self, ids: Sequence[tuple[str, UUID]]) -> list[RecordedEvent]:
        """The stored events with these (stream, activity id)."""
        return list(self._select("events_by_id", ([pid for pid, _ in ids], [event_id for _, event_id in ids])))

    def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one named statement of ``log.sql`` and return its rows as tuples."""
        with self.datastore.get_connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(SQL[statement], parameters)
            return cursor.fetchall() if cursor.description else []

    def max_notification_id(self) -> int | None:
        """The position of the last event, or None when there is none.

        Raises :class:`IntegrityFailure` when the store does not know it.
        """
        rows = self.fetch("position")
        if not rows or rows[0][0] is None:
            raise IntegrityFailure("log_head does not say where the log ends; see 'provenarium verify'")
        return rows[0][0] or None

    def _select(
        self, statement: str | sql.Composed, parameters: Sequence[Any], connection: Connection[Any] | None = None
    ) -> Iterator[RecordedEvent]:
        yield from map(_recorded, self._rows(statement, parameters, connection))

    def _rows(
        self, statement: str | sql.Composed, parameters: Sequence[Any], connection: Connection[Any] | None = None
    ) -> list[tuple[Any, ...]]:
        chosen = SQL[statement] if isinstance(statement, str) else statement
        with (
            self.datastore.get_connection() if connection is None else nullcontext(connection) as used,
            used.cursor(row_factory=tuple_row, binary=True) as cursor,
        ):
            return cursor.execute(chosen, parameters, prepare=True).fetchall()

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> PollingSubscription:
        """Follow the log; the commit path sends no notification, so followers poll."""
        return PollingSubscription(recorder=self, gt=gt, topics=topics)


def _state(rows: Sequence[tuple[Any, ...]]) -> list[StoredEvent]:
    has_snapshot = bool(rows) and rows[0][4] is None
    frozen: list[StoredEvent] = [StoredEvent(*rows[0][:4])] if has_snapshot else []
    return [*frozen, *map(_recorded, rows[has_snapshot:])]


def _recorded(row: tuple[Any, ...]) -> RecordedEvent:
    if None in row:
        raise IntegrityFailure(f"{row[0]}/{row[1]}: a column of the stored event holds nothing")
    return RecordedEvent(*row)


class PollingSubscription(PostgresSubscription):
    """The library's subscription, woken by the clock instead of ``NOTIFY``, which would slow every commit."""

    def _listen(self) -> None:
        while not self._has_been_stopped and not self._thread_error:
            self._has_been_notified.set()
            time.sleep(POLL_SECONDS)
