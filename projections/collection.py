"""A whole collection as it was at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from eventsourcing.persistence import StoredEvent

from domain.digital_object import DigitalObject
from projections.projection import SQL
from store.ahead import read_ahead
from store.ledger import Axis, Ledger
from store.statements import index_order, select

CHUNK = 500


def collection(
    ledger: Ledger,
    source: str,
    at: datetime | None = None,
    axis: Axis = Axis.RECORDED,
    *,
    include_tombstoned: bool = False,
    include_media: bool = False,
    to_follow: bool = False,
) -> Iterator[DigitalObject]:
    """Every object of a source system (a PID) as it was at a time (None: now), by type and natural key.

    Reads the log, not projections, in constant memory: while a page is folded, the next one is read. Objects that did
    not exist then are left out; so are those tombstoned then, and digital media, unless included. Only with
    ``to_follow`` do states know the event that made them, so that another may follow.
    """
    pages = _pages(ledger, _Wanted(source, at, axis, include_media))
    for pids, versions, stored in read_ahead(pages):
        states = {state.id: state for state in ledger.fold(versions, stored, to_follow=to_follow)}
        for pid in pids:
            state = states.get(pid)
            if state is not None and (include_tombstoned or not state.tombstoned):
                yield state


class _Wanted(NamedTuple):
    source: str
    at: datetime | None
    axis: Axis
    include_media: bool


def _pages(ledger: Ledger, wanted: _Wanted) -> Iterator[tuple[list[str], dict[str, int], dict[str, list[StoredEvent]]]]:
    """Some PIDs at a time, their versions then, and what rebuilds these."""
    after = ("", "")
    while True:
        with ledger.connection() as connection, index_order(connection):
            parameters = (wanted.source, *after, wanted.include_media, CHUNK)
            rows = select(connection, SQL["collection"], parameters)
        if not rows:
            return
        after = rows[-1][:2]
        pids = [pid for _, _, pid in rows]
        versions = ledger.versions_at(pids, wanted.at, wanted.axis)
        yield pids, versions, ledger.recorder.select_states(versions)
