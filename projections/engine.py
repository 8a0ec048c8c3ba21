"""Keeps projections up to date: batches of the log, each in one transaction with the position it reaches."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from domain.digital_object import DigitalObject
from domain.errors import IntegrityFailure, NotFound
from domain.history import Step, steps
from projections.ledger.tree import LedgerTree
from projections.objects import Objects
from projections.projection import SQL, ObjectProjection, Projection
from projections.terms import Terms
from projections.versions import Versions
from store.ledger import Ledger
from store.mapper import RecordedEvent
from store.sizes import fitting, unpacked_size

BATCH = 1000
BATCH_BYTES = 32 * 1024 * 1024
"""What a batch unpacks at most: its events, and what rebuilds the states they follow. One event always goes through."""

OBJECT_PROJECTIONS: dict[str, type[ObjectProjection]] = {kind.name: kind for kind in (Objects, Versions, Terms)}
"""The projections with rows of their own for every object, by name."""

PROJECTIONS: dict[str, type[Projection]] = {**OBJECT_PROJECTIONS, LedgerTree.name: LedgerTree}
"""Every projection by name."""

Progress = Callable[[int, int], None]

_turn = threading.Lock()
"""A batch needs a second connection to read the log; threads that wait for the positions with one each would keep it
from getting one."""


def catch_up(
    ledger: Ledger, names: Iterable[str] | None = None, progress: Progress = lambda _done, _total: None
) -> int:
    """Bring projections (default all) up to the end of the log as it is now; returns that position.

    Safe to run from several processes: a batch is done by one of them. A projection whose code
    has a new version starts again from an empty table. ``progress`` is told (position, end).
    """
    chosen = [PROJECTIONS[name](ledger.mapper) for name in _known(names)]
    _prepare(ledger, chosen)
    end = ledger.position()
    while (reached := _advance(ledger, chosen, end)) < end:
        progress(reached, end)
    progress(end, end)
    return end


def rebuild(
    ledger: Ledger, names: Iterable[str] | None = None, progress: Progress = lambda _done, _total: None
) -> dict[str, Any]:
    """Empty projections (default all) and replay the whole log into them.

    Returns ``projections``, ``events``, ``seconds`` and ``rate`` (events a second).
    Raises :class:`NotFound` for a name that is no projection.
    """
    chosen = _known(names)
    began = time.monotonic()
    with ledger.connection() as connection, connection.transaction():
        for name in chosen:
            kind = PROJECTIONS[name]
            connection.execute(SQL["ensure_position"], (name, kind.version))
            _restart(connection, kind)
    events = catch_up(ledger, chosen, progress)
    seconds = time.monotonic() - began
    return {
        "projections": chosen,
        "events": events,
        "seconds": round(seconds, 3),
        "rate": round(events / seconds) if seconds else None,
    }


def lag(ledger: Ledger) -> dict[str, int]:
    """How many events each projection is behind the log."""
    with ledger.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        positions = {name: position for name, _, position in cursor.execute(SQL["positions"])}
    end = ledger.position()
    return {name: end - positions.get(name, 0) for name in PROJECTIONS}


def _known(names: Iterable[str] | None) -> list[str]:
    chosen = list(dict.fromkeys(names or ())) or list(PROJECTIONS)
    for name in chosen:
        if name not in PROJECTIONS:
            raise NotFound(f"there is no projection {name!r}; there are {', '.join(PROJECTIONS)}")
    return chosen


def _prepare(ledger: Ledger, chosen: Sequence[Projection]) -> None:
    """Make sure that every projection has a position, of its present version."""
    with ledger.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        versions = {name: version for name, version, _ in cursor.execute(SQL["positions"])}
        for projection in chosen:
            if projection.name not in versions:
                connection.execute(SQL["ensure_position"], (projection.name, projection.version))
            elif versions[projection.name] != projection.version:
                with connection.transaction():
                    _restart(connection, type(projection))


def _restart(connection: Connection[Any], kind: type[Projection]) -> None:
    connection.execute(SQL["lock_positions"], ([kind.name],))
    connection.execute(SQL[f"clear_{kind.name}"])
    connection.execute(SQL["restart"], (kind.version, kind.name))


def _advance(ledger: Ledger, chosen: Sequence[Projection], end: int) -> int:
    """One batch for the projections that are furthest behind; returns the position of the hindmost."""
    with _turn, ledger.connection() as connection, connection.transaction():
        with connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(SQL["lock_positions"], ([projection.name for projection in chosen],)).fetchall()
        positions = {name: position for name, _, position in rows}
        behind: int = min(positions.values())
        if behind >= end:
            return end
        hindmost = [projection for projection in chosen if positions[projection.name] == behind]
        ahead: list[int] = [position for position in positions.values() if position > behind]
        upto = min([end, *ahead])
        reached = _project(ledger, connection, hindmost, behind, upto)
        connection.execute(SQL["set_positions"], (reached, [projection.name for projection in hindmost]))
        return min([reached, *ahead])


def _project(
    ledger: Ledger, connection: Connection[Any], projections: Sequence[Projection], after: int, upto: int
) -> int:
    """Feed the next events to projections that stand at the same position; returns the position reached."""
    batch = ledger.recorder.select_range(after, upto, BATCH)
    if not batch or [stored.position for stored in batch] != list(range(after + 1, after + len(batch) + 1)):
        raise IntegrityFailure(f"the log does not have every event from position {after + 1} to {upto} exactly once")
    batch, before = _bounded(ledger, batch)
    events = [ledger.mapper.to_domain_event(stored) for stored in batch]
    states: dict[str, DigitalObject | None] = defaultdict(lambda: None)
    for state in ledger.states(before):
        states[state.id] = state
    for projection in projections:
        projection.begin(connection, list(dict.fromkeys(event.originator_id for event in events)))
    for event in events:
        for step in steps([event], states[event.originator_id]):
            for projection in projections:
                projection.add(step)
            states[event.originator_id] = step.state
    for projection in projections:
        projection.flush(connection)
    return after + len(batch)


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


__all__ = ["BATCH", "OBJECT_PROJECTIONS", "PROJECTIONS", "Step", "catch_up", "lag", "rebuild"]
