"""A whole collection as it was at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from psycopg.rows import tuple_row

from domain.digital_object import DigitalObject
from projections.projection import SQL
from store.ledger import Axis, Ledger

CHUNK = 500


def collection(
    ledger: Ledger,
    source: str,
    at: datetime | None = None,
    axis: Axis = Axis.RECORDED,
    *,
    include_tombstoned: bool = False,
    include_media: bool = False,
) -> Iterator[DigitalObject]:
    """Every object of a source system (a PID) as it was at a time (None: now), by type and natural key.

    Reads the log, not projections, in constant memory. Objects that did not exist then are left
    out; so are those tombstoned then, and digital media, unless included.
    """
    after = ("", "")
    while True:
        with ledger.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(SQL["collection"], (source, *after, include_media, CHUNK)).fetchall()
        if not rows:
            return
        after = rows[-1][:2]
        pids = [pid for _, _, pid in rows]
        states = {state.id: state for state in ledger.states(ledger.versions_at(pids, at, axis))}
        for pid in pids:
            state = states.get(pid)
            if state is not None and (include_tombstoned or not state.tombstoned):
                yield state
