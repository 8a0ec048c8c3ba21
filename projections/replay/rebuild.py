"""Rebuilds projections from the log while the live ones go on: beside them, then switched in one moment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg

from domain.errors import Conflict, IntegrityFailure, ProjectionFailed
from projections.following import EVENT_PROJECTIONS, PROJECTIONS, Progress, follow, known, positions
from projections.replay import beside, status
from projections.replay.assembling import assemble
from projections.replay.beside import Kinds, next_of
from projections.replay.comparison import differing
from projections.replay.filling import Task, fill
from projections.replay.indexing import indexing
from projections.replay.status import SQL
from projections.replay.switching import switch
from projections.replay.workers import fill_with
from store import statements
from store.ledger import Ledger

ALONE = 20_000
"""Up to so many events are filled in by this process itself: starting others takes longer."""
NOTE_SECONDS = 1.0
ORPHAN_SECONDS = 0.2


def rebuild(
    ledger: Ledger,
    names: Iterable[str] | None = None,
    progress: Progress = lambda _done, _total: None,
    *,
    workers: int | None = None,
    anew: bool = False,
    instead: bool = False,
    accept_differences: bool = False,
    waiting: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Make the tables of projections (default all) anew from the log, and put them in the place of the live ones.

    The live tables are read and follow the log as ever until the new ones, caught up, take their place. A rebuild of
    the same projections that was interrupted, in whatever way, goes on where it stopped, unless ``anew``; one of other
    projections is only dropped with ``anew`` or ``instead``. Tables of a projection whose version has not changed must
    have the same rows as the live ones, unless ``accept_differences``. ``workers`` are the processes that fill
    (default: as many as the machine has processors). ``progress`` is told (events done, events in all); ``waiting``
    that readers of the live tables are waited for.

    Returns ``projections``, the ``position`` up to which their tables are, the ``events`` that were taken in now,
    ``seconds`` and ``rate`` (events a second). Raises :class:`NotFound` for a name that is no projection,
    :class:`Conflict` when another process is rebuilding, or another rebuild is unfinished, :class:`ProjectionFailed`
    for an event that cannot be taken in, :class:`IntegrityFailure` when the log lacks an event or new tables differ;
    the live ones then stay.
    """
    kinds = [PROJECTIONS[name] for name in known(names)]
    workers = workers or os.cpu_count() or 1
    began = time.monotonic()
    with only_one(ledger):
        job = _go_on(ledger, kinds) if not anew else None
        if job is None:
            if not (anew or instead):
                _require_none(ledger)
            job = _begin(ledger, kinds, workers)
        run = _Run(ledger, kinds, *job, workers, progress)
        try:
            run.fill()
            run.follow()
            if not accept_differences:
                run.compare()
            run.switch(waiting)
        except (ProjectionFailed, IntegrityFailure) as failure:
            status.fail(ledger, run.id, failure)
            raise
    seconds = time.monotonic() - began
    return {
        "projections": [kind.name for kind in kinds],
        "position": run.position,
        "events": run.taken_in,
        "seconds": round(seconds, 3),
        "rate": round(run.taken_in / seconds) if seconds else 0,
    }


def cancel(ledger: Ledger) -> bool:
    """Drop what an unfinished rebuild has made; returns whether there was one. The live tables stay as they are."""
    with only_one(ledger):
        found = _unfinished(ledger)
        beside.drop(ledger, next_of(ledger))
        if found is not None:
            status.finish(ledger, found[0], "cancelled")
        return found is not None


@contextmanager
def only_one(ledger: Ledger) -> Iterator[None]:
    """Hold the right to rebuild, until the process ends; raises :class:`Conflict` when another process has it."""
    with psycopg.connect(ledger.conninfo, autocommit=True) as connection:
        if not statements.select(connection, SQL["lock"], (ledger.settings.ledger,))[0][0]:
            raise Conflict("another process is rebuilding projections of this ledger; wait until it is done")
        try:
            yield
        finally:
            if not connection.broken:  # the end of a connection is noticed a little later
                connection.execute(SQL["unlock"], (ledger.settings.ledger,))


def _begin(ledger: Ledger, kinds: Kinds, workers: int) -> tuple[UUID, int]:
    unfinished = _unfinished(ledger)
    if unfinished is not None:
        status.finish(ledger, unfinished[0], "cancelled")
    rebuild, horizon = uuid4(), ledger.position()
    beside.make(ledger, kinds, rebuild)
    status.begin(ledger, rebuild, kinds, horizon, horizon, workers)
    return rebuild, horizon


def _require_none(ledger: Ledger) -> None:
    """Raises :class:`Conflict` when there is an unfinished rebuild that this program could go on with."""
    found = _unfinished(ledger)
    if found is None or not beside.is_whole(ledger):
        return
    if all(name in PROJECTIONS and PROJECTIONS[name].version == version for name, version in found[1].items()):
        names = " ".join(sorted(found[1]))
        raise Conflict(
            f"a rebuild of {names} is unfinished: 'provenarium rebuild {names}' goes on with it, 'provenarium rebuild "
            "--cancel' drops what it has made, and so does --anew with this command"
        )


def _go_on(ledger: Ledger, kinds: Kinds) -> tuple[UUID, int] | None:
    found = _unfinished(ledger)
    if found is None or found[1] != {kind.name: kind.version for kind in kinds}:
        return None
    return (found[0], found[2]) if beside.is_whole(ledger) else None


def _unfinished(ledger: Ledger) -> tuple[UUID, dict[str, int], int] | None:
    with ledger.connection() as connection:
        rows = statements.select(connection, SQL["unfinished"])
    return (rows[0][0], rows[0][1], int(rows[0][2])) if rows else None


class _Run:
    """One rebuild at work."""

    def __init__(
        self, ledger: Ledger, kinds: Kinds, rebuild: UUID, horizon: int, workers: int, progress: Progress
    ) -> None:
        self.id = rebuild
        self.done = 0
        self.position = horizon
        self.taken_in = 0  # in this process's time, which its rate is told from
        self._ledger = ledger
        self._kinds = kinds
        self._horizon = horizon
        self._workers = workers
        self._progress = progress
        self._began = self._noted = time.monotonic()

    def fill(self) -> None:
        """The tables, up to the horizon."""
        names = tuple(kind.name for kind in self._kinds)
        with self._ledger.beside(next_of(self._ledger)) as new:
            self.done, _ = _filled(new)
            for events in self._filling(new, Task(self.id, names, self._horizon)):
                self._tell("filling", events)
            self._require_all(new)
            self._tell("indexing", 0, at_once=True)
            beside.index(self._ledger, beside.PIECES)
            with indexing(self._ledger, [kind.table for kind in self._kinds if kind.name not in EVENT_PROJECTIONS]):
                for kind in self._kinds:
                    if kind.name in EVENT_PROJECTIONS:
                        assemble(new, kind.name, self._horizon, lambda: self._tell("indexing", 0))
                        beside.index(self._ledger, kind.table)
            with new.connection() as connection:
                connection.execute(SQL["set_filled"], (self._horizon, list(names), self._horizon))

    def _require_all(self, new: Ledger) -> None:
        filled, _ = _filled(new)
        if filled == self._horizon:
            return
        with self._ledger.connection() as connection:
            ((first,),) = statements.select(connection, SQL["first_fault"], (self._horizon, self._horizon))
        beside.drop(self._ledger, next_of(self._ledger))
        raise IntegrityFailure(
            f"the log does not have every event from position 1 to {self._horizon} exactly once, but {filled}; "
            f"position {first} is the first that is wrong, 'provenarium verify' tells more. Nothing was switched; once "
            "the log is whole, the same command begins again"
        )

    def _filling(self, new: Ledger, task: Task) -> Iterator[int]:
        while True:
            if self._workers > 1 and self._horizon > ALONE:
                yield from fill_with(self._workers, self._ledger, next_of(self._ledger), task)
            else:
                fill(new, task, lambda events: self._tell("filling", events))
            if _filled(new)[1]:
                return
            time.sleep(ORPHAN_SECONDS)  # a worker of a rebuild that was killed has a part, and will notice
            yield 0

    def follow(self) -> None:
        """The log that was written meanwhile."""
        with self._ledger.beside(next_of(self._ledger)) as new:
            start = min(at for _, at in positions(new).values())
            done = self.done
            self.position = follow(
                new,
                [kind.name for kind in self._kinds],
                progress=lambda at, _end: self._tell("following", done + at - start - self.done),
            )

    def compare(self) -> None:
        """Raises :class:`IntegrityFailure` when tables that should be as the live ones are not."""
        self._tell("comparing", 0, at_once=True)
        with self._ledger.beside(next_of(self._ledger)) as new:
            found = differing(self._ledger, new, self._kinds)
        if found:
            raise IntegrityFailure(
                f"the new tables {', '.join(found)} have other rows than the live ones of the same version; "
                "'provenarium verify' tells which of them are wrong. Nothing was switched: give the command again with "
                "--accept-differences to switch nevertheless, or with --cancel to drop the new tables"
            )

    def switch(self, waiting: Callable[[], None]) -> None:
        """Take the place of the live tables."""

        def told() -> None:
            self._tell("waiting", 0, at_once=True)
            waiting()

        with self._ledger.beside(next_of(self._ledger)) as new:
            reached = switch(self._ledger, new, self._kinds, told)
        self._tell("following", reached - self.position, at_once=True)
        self.position = reached
        status.finish(self._ledger, self.id, "switched")

    def _tell(self, state: str, events: int, *, at_once: bool = False) -> None:
        self.done += events
        self.taken_in += events
        total = max(self._horizon, self.done)
        self._progress(self.done, total)
        moment = time.monotonic()
        if at_once or moment - self._noted >= NOTE_SECONDS:
            self._noted = moment
            rate = self.taken_in / max(moment - self._began, 1e-3)
            status.note(self._ledger, self.id, state, self.done, total, rate, self._workers)


def _filled(new: Ledger) -> tuple[int, bool]:
    """How many events the parts have taken in, and whether all parts are done."""
    with new.connection() as connection:
        ((events, is_done),) = statements.select(connection, SQL["filled"])
    return int(events), bool(is_done)
