"""What a bundle is about: chosen objects, a source system, a run, a time, or the whole ledger.

Every scope is a set of objects. Of each object the bundle has the whole history up to the checkpoint, because a
version cannot be checked without those before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import tuple_row

from domain.errors import NotFound
from domain.times import to_text
from sources.synchronisation import runs
from sources.synchronisation.source_system import SourceSystem
from store import statements
from store.ledger import Ledger

SQL = statements.load("audit.bundle", "scope.sql")
FETCH = 2000
MAX_NAMED = 1000
"""PIDs of a scope that the bundle repeats."""


@dataclass(frozen=True)
class Scope:
    """A set of objects; make one with the functions of this module.

    ``kind`` is pids, source, run, since or all; ``description`` says it to a person.
    """

    kind: str
    description: str
    pids: tuple[str, ...] = ()
    source: str | None = None
    run: str | None = None
    since: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """What the bundle says of its scope."""
        value: dict[str, Any] = {"kind": self.kind, "description": self.description}
        if self.pids:
            value["pids"] = list(self.pids[:MAX_NAMED])
        if self.source:
            value["source"] = self.source
        if self.run:
            value["run"] = self.run
        if self.since:
            value["since"] = to_text(self.since)
        return value

    def objects(self, ledger: Ledger, size: int) -> Iterator[tuple[str, int]]:
        """(PID, last version) of every object among the first ``size`` events, by PID in code point order."""
        if self.kind == "all":
            yield from _rows(ledger, "every_object", (size,))
        else:
            yield from _rows(ledger, "objects", (*self._parameters, size))

    def positions(self, ledger: Ledger, size: int) -> Iterator[int]:
        """The positions of all events of these objects among the first ``size``, ascending."""
        if self.kind == "all":
            yield from range(1, size + 1)
        else:
            for (position,) in _rows(ledger, "positions", (*self._parameters, size)):
                yield position

    @property
    def _parameters(self) -> tuple[Any, ...]:
        return list(self.pids), self.source, self.run, self.since


def of_objects(ledger: Ledger, pids: Sequence[str]) -> Scope:
    """Some objects by PID. Raises :class:`NotFound` naming one that is not there."""
    known = ledger.versions_at(pids)
    for pid in pids:
        if pid not in known:
            raise NotFound(f"there is no object {pid} in this ledger")
    chosen = tuple(sorted(known))
    named = ", ".join(chosen[:3]) + (f" and {len(chosen) - 3} more" if len(chosen) > 3 else "")
    return Scope("pids", f"objects {named}" if len(chosen) > 1 else f"object {named}", pids=chosen)


def of_source(system: SourceSystem) -> Scope:
    """A source system: itself, and every object it gave records for."""
    return Scope("source", f"source system {system.name} ({system.pid})", pids=(system.pid,), source=system.pid)


def of_run(ledger: Ledger, run: UUID) -> Scope:
    """The objects that a synchronisation or its reversal changed. Raises :class:`NotFound` for an unknown run.

    Read from the projection ``versions``, so as complete as that is.
    """
    return Scope("run", f"run {runs.get(ledger, run).id}", run=str(run))


def since(moment: datetime) -> Scope:
    """The objects with an event recorded at or after a time; from the projection ``versions``."""
    return Scope("since", f"objects changed since {to_text(moment)}", since=moment)


def everything() -> Scope:
    """The whole ledger."""
    return Scope("all", "the whole ledger")


def _rows(ledger: Ledger, statement: str, parameters: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    with _cursor(ledger) as cursor:
        cursor.execute(SQL[statement], parameters)
        yield from cursor


@contextmanager
def _cursor(ledger: Ledger) -> Iterator[Any]:
    """A cursor on the server, so that a million rows are not held here."""
    with (
        ledger.connection() as connection,
        connection.transaction(),
        connection.cursor("bundle", row_factory=tuple_row) as cursor,
    ):
        cursor.itersize = FETCH
        yield cursor
