"""Others work at the same time: one run per source, and decisions made afresh when a curator was faster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from psycopg import Connection

from domain.errors import SourceBusy, VersionConflict
from sources.synchronisation import source_records
from store.ledger import Ledger

RETRIES = 10
LOCK_SECONDS = 5.0
"""How long to wait for a source; the database may need a moment to notice that a run was killed."""

Item = TypeVar("Item")


@contextmanager
def held(ledger: Ledger, source_pid: str, name: str) -> Iterator[Connection[Any]]:
    """A connection that alone works on this source; raises :class:`SourceBusy` when another does."""
    with ledger.connection() as connection:
        deadline = time.monotonic() + LOCK_SECONDS
        while not source_records.run(connection, "lock_source", (source_pid,))[0][0]:
            if time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise SourceBusy(f"another run is synchronising {name!r} right now; wait until it has finished")
        try:
            yield connection
        finally:
            if not connection.closed:
                source_records.run(connection, "unlock_source", (source_pid,))


def settle(items: Sequence[Item], store: Callable[[Sequence[Item]], None]) -> None:
    """Decide on items and store that; decide afresh, on ever fewer at a time, while others change the same objects.

    Raises :class:`VersionConflict` when one object never stands still.
    """
    if not items:
        return
    tries = RETRIES if len(items) == 1 else 1
    for left in reversed(range(tries)):
        try:
            store(items)
        except VersionConflict:
            if len(items) == 1 and not left:
                raise
        else:
            return
    half = len(items) // 2
    settle(items[:half], store)
    settle(items[half:], store)
