"""Builds the indexes of several new tables at once, while something else is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import psycopg

from projections.replay.beside import Connection, by_size, index
from store.ledger import Ledger

AT_ONCE = 2
CANCEL_SECONDS = 10.0


@contextmanager
def indexing(ledger: Ledger, tables: Sequence[str]) -> Iterator[None]:
    """Give these tables of ``next`` their keys and indexes, the largest first; when this ends, they have them.

    Whatever goes wrong inside, an interruption too, stops the building.
    """
    building: list[Connection] = []
    with ThreadPoolExecutor(AT_ONCE, "indexing") as builders:
        running = [builders.submit(index, ledger, table, building.append) for table in by_size(ledger, tables)]
        try:
            yield
            for each in running:
                each.result()
        except BaseException:
            for each in running:
                each.cancel()
            for connection in building:
                with suppress(psycopg.Error):  # it is done, or the server is gone
                    connection.cancel_safe(timeout=CANCEL_SECONDS)
            raise
