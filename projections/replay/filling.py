"""Fills the tables of projections from the log, a partition at a time: whole histories, object by object.

Nothing is looked up and nothing is written twice, which makes it several times as fast as following the log. Several
processes may fill at once; each takes a partition that no other works on. What a batch wrote and how far it came are
one transaction, so the part of a worker that was killed goes on where it stopped. For projections of the events alone
it makes their pieces, which :mod:`projections.replay.assembling` puts together in the order of the ledger.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection

from domain.errors import ProjectionFailed
from domain.events import DigitalObjectEvent
from domain.history import steps
from projections.failing import Place
from projections.following import EVENT_PROJECTIONS, OBJECT_PROJECTIONS
from projections.projection import EventProjection, ObjectProjection, Row, copy_rows
from projections.replay.status import SQL
from store import statements
from store.ledger import Ledger
from store.mapper import RecordedEvent
from store.sizes import unpacked_size

BATCH_EVENTS, BATCH_OCTETS = 5_000, 32 * 2**20
"""A batch is written once it has so many events, or they unpack to so many bytes."""
PAGE_EVENTS = 2_000

Tick = Callable[[int], None]


class Superseded(Exception):
    """The rebuild that is being filled for is not the present one."""


@dataclass(frozen=True)
class Task:
    """What is to be filled: for which rebuild, which projections, up to which position of the log."""

    rebuild: UUID
    names: tuple[str, ...]
    horizon: int


def fill(beside: Ledger, task: Task, tick: Tick) -> None:
    """Take open parts, one after another, until there is none that nobody works on.

    ``beside`` is the ledger with the new tables in front. ``tick`` is told the events of each batch once they are
    written; what it raises ends the filling.

    Raises :class:`ProjectionFailed` for an event that cannot be taken in, :class:`Superseded` when the part belongs to
    another rebuild by now.
    """
    mapper = beside.mapper
    projections = _Chosen(
        [kind(mapper) for name, kind in OBJECT_PROJECTIONS.items() if name in task.names],
        [kind(mapper) for name, kind in EVENT_PROJECTIONS.items() if name in task.names],
    )
    with beside.connection() as connection:
        for (partition,) in statements.select(connection, SQL["open_parts"]):
            if not statements.select(connection, SQL["claim_part"], (partition,))[0][0]:
                continue
            try:
                _fill_part(beside, connection, projections, task, partition, tick)
            finally:
                if not connection.broken:
                    connection.execute(SQL["release_part"], (partition,))


class _Chosen(NamedTuple):
    of_objects: Sequence[ObjectProjection]
    of_events: Sequence[EventProjection]


def _fill_part(
    beside: Ledger,
    connection: Connection[Any],
    projections: _Chosen,
    task: Task,
    partition: str,
    tick: Tick,
) -> None:
    size = BATCH_EVENTS
    while True:
        parts = statements.select(connection, SQL["part"], (partition, task.rebuild))
        if not parts:
            raise Superseded
        ((after, is_done),) = parts
        if is_done:  # also by somebody else, after it was listed
            return
        try:
            for batch in _batches(beside, projections, _histories(beside, partition, after, task.horizon), size):
                with connection.transaction():
                    with batch.place.told():
                        _write(connection, projections, batch)
                    _advance(connection, (batch.pid, batch.events, False, partition, task.rebuild, after))
                after = batch.pid
                tick(batch.events)
            _advance(connection, (after, 0, True, partition, task.rebuild, after))
        except ProjectionFailed:
            if size == 1:
                raise
            size = 1  # object by object, to find the one that the batch failed for


def _advance(connection: Connection[Any], place: tuple[Any, ...]) -> None:
    if not statements.select(connection, SQL["advance_part"], place):
        raise Superseded


class _Batch:
    """The rows of some objects, for each projection, and the pieces of their events."""

    def __init__(self, projections: _Chosen) -> None:
        self.rows: list[list[Row]] = [[] for _ in projections.of_objects]
        self.pieces: list[tuple[str, int, bytes]] = []
        self.events = self.octets = 0
        self.pid: str
        self.place: Place
        """The last object, and where it was taken in."""

    def counted(self, history: Iterable[RecordedEvent]) -> Iterator[RecordedEvent]:
        """The same events, counted as they are taken."""
        for stored in history:
            self.events += 1
            self.octets += unpacked_size(stored.state)
            yield stored


def _batches(
    beside: Ledger,
    projections: _Chosen,
    histories: Iterable[tuple[str, Iterator[RecordedEvent]]],
    size: int,
) -> Iterator[_Batch]:
    batch = _Batch(projections)
    for pid, history in histories:
        batch.pid, batch.place = pid, _gather(beside, projections, batch.counted(history), batch)
        if batch.events >= size or batch.octets >= BATCH_OCTETS:
            yield batch
            batch = _Batch(projections)
    if batch.events:
        yield batch


def _histories(
    beside: Ledger, partition: str, after: str, horizon: int
) -> Iterator[tuple[str, Iterator[RecordedEvent]]]:
    """Each object after ``after`` with its events up to the horizon, which are read in pages."""

    def stored() -> Iterator[RecordedEvent]:
        place = (after, 2**62)
        while page := beside.recorder.select_partition(partition, place, horizon, PAGE_EVENTS):
            yield from page
            place = (str(page[-1].originator_id), page[-1].originator_version)

    return groupby(stored(), key=lambda event: str(event.originator_id))


def _gather(beside: Ledger, projections: _Chosen, history: Iterable[RecordedEvent], batch: _Batch) -> Place:
    """Append the rows and pieces of one object; returns how far that got."""
    place = Place(beside.mapper)
    with place.told():
        events = _with_pieces(place, projections.of_events, history, batch)
        gathered = [(projection, projection.gathering()) for projection in projections.of_objects]
        if not gathered:
            deque(events, maxlen=0)  # for their pieces
        for step in steps(events):
            for projection, gathering in gathered:
                place.projection = projection.name
                gathering.take(step)
            place.projection = None
        for (projection, gathering), found in zip(gathered, batch.rows, strict=True):
            place.projection = projection.name
            found += map(projection.packed, gathering.rows())
    return place


def _with_pieces(
    place: Place, projections: Sequence[EventProjection], history: Iterable[RecordedEvent], batch: _Batch
) -> Iterator[DigitalObjectEvent]:
    for event in place.events(history):
        for projection in projections:
            place.projection = projection.name
            assert event.position is not None
            batch.pieces.append((projection.name, event.position, projection.piece(event)))
        place.projection = None
        yield event


def _write(connection: Connection[Any], projections: _Chosen, batch: _Batch) -> None:
    for projection, found in zip(projections.of_objects, batch.rows, strict=True):
        batch.place.projection = projection.name
        projection.insert(connection, found)
    batch.place.projection = None
    copy_rows(connection, SQL["copy_pieces"], ("text", "int8", "bytea"), batch.pieces)
