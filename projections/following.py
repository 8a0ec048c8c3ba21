"""Follows the log: batches of it, each in one transaction with the position that projections reach."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from domain.digital_object import DigitalObject
from domain.errors import IntegrityFailure, NotFound, ProjectionFailed
from domain.events import DigitalObjectEvent
from domain.history import steps
from projections.failing import Place
from projections.ledger.tree import LedgerTree
from projections.objects import Objects
from projections.projection import SQL, EventProjection, ObjectProjection, Projection
from projections.search.index import Search
from projections.terms import Terms
from projections.versions import Versions
from store import statements
from store.ledger import Ledger
from store.mapper import RecordedEvent
from store.sizes import fitting, unpacked_size

BATCH = 1000
BATCH_BYTES = 32 * 1024 * 1024
"""What a batch unpacks at most: its events, and what rebuilds the states they follow. One event always goes through."""

OBJECT_PROJECTIONS: dict[str, type[ObjectProjection]] = {kind.name: kind for kind in (Objects, Versions, Terms, Search)}
"""The projections with rows of their own for every object, by name."""

EVENT_PROJECTIONS: dict[str, type[EventProjection]] = {LedgerTree.name: LedgerTree}
"""The projections of the events alone, by name."""

PROJECTIONS: dict[str, type[Projection]] = {**OBJECT_PROJECTIONS, **EVENT_PROJECTIONS}
"""Every projection by name."""

Progress = Callable[[int, int], None]


def follow(
    ledger: Ledger,
    names: Iterable[str],
    upto: int | None = None,
    progress: Progress = lambda _done, _total: None,
) -> int:
    """Bring projections, which must have their tables, up to a position (default: the end of the log as it is now).

    Returns the position reached. Safe to run from several processes: a batch is done by one of them.
    ``progress`` is told (position, end).

    Raises :class:`ProjectionFailed` for an event that cannot be taken in; what came before it is done.
    """
    return follow_with(ledger, [PROJECTIONS[name](ledger.mapper) for name in names], upto, progress)


def follow_with(
    ledger: Ledger,
    chosen: Sequence[Projection],
    upto: int | None = None,
    progress: Progress = lambda _done, _total: None,
) -> int:
    """The same with projections that need not be among :data:`PROJECTIONS`, but have their positions there."""
    names = {projection.name for projection in chosen}
    end = ledger.position() if upto is None else upto
    careful = reached = 0
    while reached < end:
        try:
            reached = _advance(ledger, chosen, end, BATCH if reached >= careful else 1)
        except ProjectionFailed as failed:
            if reached < careful:
                raise
            careful = failed.position  # one by one, to find the event that the batch failed for
            reached = min(at for name, _, at in _stored_positions(ledger) if name in names)
        progress(min(reached, end), end)
    return end


def positions(ledger: Ledger) -> dict[str, tuple[int, int]]:
    """The version and position of every projection that has tables."""
    return {name: (version, at) for name, version, at in _stored_positions(ledger) if name in PROJECTIONS}


def begun(ledger: Ledger, names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """The same, once those of these that never began do, if their tables are as the migrations made them."""
    there = positions(ledger)
    for kind in map(PROJECTIONS.__getitem__, names):
        if kind.name not in there and kind.migrated == kind.version:
            with ledger.connection() as connection:
                connection.execute(SQL["ensure_position"], (kind.name, kind.version))
            there[kind.name] = kind.version, 0
    return there


def _stored_positions(ledger: Ledger) -> list[tuple[str, int, int]]:
    with ledger.connection() as connection:
        return statements.select(connection, SQL["positions"])


def lag(ledger: Ledger) -> dict[str, int]:
    """How many events each projection is behind the log."""
    reached = positions(ledger)
    end = ledger.position()
    return {name: end - reached[name][1] if name in reached else end for name in PROJECTIONS}


def known(names: Iterable[str] | None) -> list[str]:
    """These projections, each once, or all; raises :class:`NotFound` for a name that is none."""
    chosen = list(dict.fromkeys(names or ())) or list(PROJECTIONS)
    for name in chosen:
        if name not in PROJECTIONS:
            raise NotFound(f"there is no projection {name!r}; there are {', '.join(PROJECTIONS)}")
    return chosen


def _advance(ledger: Ledger, chosen: Sequence[Projection], end: int, limit: int) -> int:
    """One batch of up to ``limit`` events for those that are furthest behind; returns the position of the hindmost."""
    with ledger.turn, ledger.connection() as connection, connection.transaction():
        with connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(SQL["lock_positions"], ([projection.name for projection in chosen],)).fetchall()
        positions = {name: position for name, _, position in rows}
        behind: int = min(positions.values())
        if behind >= end:
            return end
        hindmost = [projection for projection in chosen if positions[projection.name] == behind]
        ahead: list[int] = [position for position in positions.values() if position > behind]
        upto = min([end, *ahead])
        reached = _project(ledger, connection, hindmost, behind, upto, limit)
        connection.execute(SQL["set_positions"], (reached, [projection.name for projection in hindmost]))
        return min([reached, *ahead])


def _project(
    ledger: Ledger, connection: Connection[Any], projections: Sequence[Projection], after: int, upto: int, limit: int
) -> int:
    """Feed the next events to projections that stand at the same position; returns the position reached."""
    batch = ledger.recorder.select_range(after, upto, limit)
    if not batch or [stored.position for stored in batch] != list(range(after + 1, after + len(batch) + 1)):
        raise IntegrityFailure(f"the log does not have every event from position {after + 1} to {upto} exactly once")
    of_events = [projection for projection in projections if isinstance(projection, EventProjection)]
    if len(of_events) == len(projections):
        batch = batch[: fitting((unpacked_size(stored.state) for stored in batch), BATCH_BYTES)]
        before: dict[str, int] = {}
    else:
        batch, before = _bounded(ledger, batch)
    states: dict[str, DigitalObject | None] = defaultdict(lambda: None)
    for state in ledger.states(before):
        states[state.id] = state
    for projection in projections:
        projection.begin(connection, list(dict.fromkeys(str(stored.originator_id) for stored in batch)))
    place = Place(ledger.mapper)
    with place.told():
        for event in place.events(batch):
            if len(of_events) == len(projections):
                _add_event(place, of_events, event)
            else:
                states[event.originator_id] = _add(place, projections, event, states[event.originator_id])
        for projection in projections:
            place.projection = projection.name
            projection.flush(connection)
    return after + len(batch)


def _add_event(place: Place, projections: Sequence[EventProjection], event: DigitalObjectEvent) -> None:
    for projection in projections:
        place.projection = projection.name
        projection.add_piece(projection.piece(event))
    place.projection = None


def _add(
    place: Place, projections: Sequence[Projection], event: DigitalObjectEvent, state: DigitalObject | None
) -> DigitalObject:
    """Take one event in; returns the state that it leads to."""
    (step,) = steps([event], state)
    for projection in projections:
        place.projection = projection.name
        projection.add(step)
    place.projection = None
    return step.state


def _bounded(ledger: Ledger, batch: list[RecordedEvent]) -> tuple[list[RecordedEvent], dict[str, int]]:
    """The events, from the first on, that may be unpacked together, and the version each object had before them."""
    first: dict[str, int] = {}
    for stored in batch:
        first.setdefault(str(stored.originator_id), stored.originator_version)
    before = {pid: version - 1 for pid, version in first.items() if version > 1}
    rebuilt = ledger.recorder.sizes_of_states(before) if before else {}

    def size(stored: RecordedEvent) -> int:
        pid, version = str(stored.originator_id), stored.originator_version
        return unpacked_size(stored.state) + (rebuilt.get(pid, 0) if version == first[pid] else 0)

    batch = batch[: fitting(map(size, batch), BATCH_BYTES)]
    touched = {str(stored.originator_id) for stored in batch}
    return batch, {pid: version for pid, version in before.items() if pid in touched}
