"""Processes that fill tables together; one that dies is replaced, one that fails stops all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import psycopg
from eventsourcing.persistence import PersistenceError

from domain.errors import ProvenariumError, StoreUnavailable
from projections.replay.filling import Superseded, Task, fill
from store.ledger import Ledger
from store.processes import start_helper
from store.settings import Settings

DEATHS = 5
"""How many workers may die, not failing but killed, before the rebuild is given up for now."""
TICK_SECONDS = 0.5


class Orphaned(Exception):
    """The process that started this worker is gone."""


@dataclass(frozen=True)
class Job:
    """What a worker is told: where the ledger is, and what to fill."""

    conninfo: str
    settings: Settings
    schema: str
    task: Task


def fill_with(workers: int, ledger: Ledger, schema: str, task: Task) -> Iterator[int]:
    """Fill the tables in ``schema`` until no part is open that nobody works on.

    Yields the number of events written since the last time, at least twice a second. Raises what stopped a worker:
    :class:`ProjectionFailed`, :class:`StoreUnavailable`.
    """
    crew = _Crew(Job(ledger.conninfo, replace(ledger.settings, key_passphrase=None), schema, task))
    try:
        for _ in range(workers):
            crew.hire()
        while crew.processes:
            yield crew.listen()
    finally:
        crew.dismiss()


class _Crew:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._deaths = 0
        self.processes: dict[Connection, BaseProcess] = {}

    def hire(self) -> None:
        process, pipe = start_helper(work, self._job)
        self.processes[pipe] = process

    def listen(self) -> int:
        """The events that workers report; ends what has ended."""
        events = 0
        for pipe in wait(list(self.processes), TICK_SECONDS):
            assert isinstance(pipe, Connection)
            try:
                message = pipe.recv()
            except EOFError:
                self._gone(pipe)
                continue
            if isinstance(message, ProvenariumError):
                raise message
            events += message
        return events

    def _gone(self, pipe: Connection) -> None:
        process = self.processes.pop(pipe)
        process.join()
        if process.exitcode == 0:
            return
        self._deaths += 1
        if self._deaths > DEATHS:
            raise StoreUnavailable(
                f"{self._deaths} workers of the rebuild died (the last with status {process.exitcode}); "
                "see whether the machine has enough memory, then give the same command again, which goes on"
            )
        self.hire()

    def dismiss(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.join()


def work(job: Job, pipe: Connection) -> None:
    """One worker: fills parts until there are none left, and reports events, or the error that stopped it."""
    parent = os.getppid()

    def tick(events: int) -> None:
        if os.getppid() != parent:
            raise Orphaned
        pipe.send(events)

    with suppress(Orphaned, Superseded, BrokenPipeError):
        try:
            with Ledger(job.conninfo, job.settings, before=(job.schema,)) as beside:
                fill(beside, job.task, tick)
        except ProvenariumError as error:
            pipe.send(error)
        except (psycopg.Error, PersistenceError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            pipe.send(StoreUnavailable(f"the database failed: {reason}; give the same command again, which goes on"))
