"""Follows the log in a process of its own while another writes it, so that two cores are used.

Nothing depends on that process: what it had no time for, or failed at, is left to whoever catches up next.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import psycopg
from eventsourcing.persistence import PersistenceError

from domain.errors import ProvenariumError
from projections.following import PROJECTIONS, begun, follow
from store.ledger import Ledger
from store.processes import start_helper
from store.settings import Settings

AFTER_SECONDS = 1.0
"""Starting a process takes up to a second of a processor; what is done sooner does not need it."""
POLL_SECONDS = 0.2

_LEFT_TO_OTHERS = (ProvenariumError, PersistenceError, psycopg.Error, OSError)
"""What is met again, and told, by whoever catches up next."""


@contextmanager
def followed_meanwhile(ledger: Ledger, after: float = AFTER_SECONDS) -> Iterator[None]:
    """Bring all projections forward meanwhile, from ``after`` seconds on.

    Only projections that need no rebuild are. When this ends, the process has ended.
    """
    companion = _Companion(ledger)
    timer = threading.Timer(after, companion.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        companion.stop()


class _Companion:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._turn = threading.Lock()
        self._is_over = False
        self._running: tuple[BaseProcess, Connection] | None = None

    def start(self) -> None:
        with self._turn, suppress(*_LEFT_TO_OTHERS):
            if self._is_over or not _are_current(self._ledger):
                return
            settings = replace(self._ledger.settings, key_passphrase=None)
            self._running = start_helper(_run, self._ledger.conninfo, settings, listens=True)

    def stop(self) -> None:
        """End the process after its present batch."""
        with self._turn:
            self._is_over = True
            if self._running is not None:
                process, pipe = self._running
                pipe.close()
                process.join()


def _are_current(ledger: Ledger) -> bool:
    """Whether following is all that any projection needs."""
    there = begun(ledger, PROJECTIONS)
    return all(there.get(name, (0, 0))[0] == kind.version for name, kind in PROJECTIONS.items())


class _Stopped(Exception):
    """Whoever started this process is done, or gone."""


def _run(conninfo: str, settings: Settings, pipe: Connection) -> None:
    """Follow until the other end of the pipe is closed."""

    def tick(_done: int, _end: int) -> None:
        if pipe.poll():
            raise _Stopped

    with suppress(_Stopped, *_LEFT_TO_OTHERS), Ledger(conninfo, settings) as ledger:
        while not pipe.poll(POLL_SECONDS):
            follow(ledger, PROJECTIONS, progress=tick)
