"""A whole collection: as it was at a time, and what changed in it between two times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg.rows import tuple_row

from domain.digital_object import DigitalObject
from domain.terms import ABSENT
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


@dataclass(frozen=True)
class CollectionChange:
    """One changed term of one version; a version that began or changed no term has ``term`` None."""

    recorded: datetime
    occurred: datetime
    pid: str
    record: str
    version: int
    activity: UUID
    activity_type: str
    agents: list[dict[str, Any]]
    term: str | None
    pointer: str | None
    old: Any
    new: Any

    @property
    def agent(self) -> str:
        """The agent on whose request it happened, else the first one."""
        requestors = [agent["id"] for agent in self.agents if agent["role"] in ("Requestor", "Proposer")]
        return str((requestors or [agent["id"] for agent in self.agents])[0])


def changes(
    ledger: Ledger, source: str, since: datetime, until: datetime, axis: Axis = Axis.RECORDED
) -> Iterator[CollectionChange]:
    """Every change in a collection between two times (both included), in ledger order, streamed.

    From the projections ``versions`` and ``terms``, so as current as they are.
    """
    with (
        ledger.connection() as connection,
        connection.transaction(),
        connection.cursor("changes", row_factory=tuple_row) as cursor,
    ):
        cursor.execute(SQL["changes_of_source"], (source, axis.value, axis.value, since, axis.value, until))
        for row in cursor:
            yield CollectionChange(*row[:-2], *map(_value, row[-2:]))


def _value(canonical: bytes | None) -> Any:
    return ABSENT if canonical is None else orjson.loads(canonical)
