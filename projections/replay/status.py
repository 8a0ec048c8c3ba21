"""What a rebuild is at, as a row that anything else can read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from domain.errors import ProjectionFailed, ProvenariumError
from domain.times import to_text
from projections.replay.beside import Kinds
from store import statements
from store.ledger import Ledger

SQL = statements.load("projections.replay", "replay.sql")


@dataclass(frozen=True)
class Status:
    """The state of a rebuild; ``rate`` in events a second, ``failure`` what stopped it, and the event if one did."""

    id: UUID
    projections: dict[str, int]
    state: str
    horizon: int
    events: int
    total: int
    rate: float
    workers: int
    failure: dict[str, Any] | None
    started: datetime
    updated: datetime
    finished: datetime | None

    @property
    def remaining(self) -> float | None:
        """Seconds until all events are in, at the present rate; None while something else is done."""
        return (self.total - self.events) / self.rate if self.rate and self.state in ("filling", "following") else None

    def to_json(self) -> dict[str, Any]:
        """As printed for programs."""
        times = {
            name: to_text(moment) for name in ("started", "updated", "finished") if (moment := getattr(self, name))
        }
        return {**asdict(self), "id": str(self.id), "rate": round(self.rate), "remaining": self.remaining, **times}


def begin(ledger: Ledger, rebuild: UUID, kinds: Kinds, horizon: int, total: int, workers: int) -> None:
    """A new row."""
    versions = orjson.dumps({kind.name: kind.version for kind in kinds}).decode()
    with ledger.connection() as connection:
        connection.execute(SQL["begin"], (rebuild, versions, horizon, total, workers))


def note(ledger: Ledger, rebuild: UUID, state: str, events: int, total: int, rate: float, workers: int) -> None:
    """How far it is."""
    with ledger.connection() as connection:
        connection.execute(SQL["progress"], (state, events, total, rate, workers, rebuild))


def fail(ledger: Ledger, rebuild: UUID, failure: ProvenariumError) -> None:
    """What stopped it: ``cause``, and the event if it was one."""
    names = ("projection", "pid", "version", "position", "cause") if isinstance(failure, ProjectionFailed) else ()
    value = orjson.dumps({"cause": str(failure)} | {name: getattr(failure, name) for name in names}).decode()
    with ledger.connection() as connection:
        connection.execute(SQL["fail"], (value, rebuild))


def finish(ledger: Ledger, rebuild: UUID, state: str) -> None:
    """``switched``, ``switched back`` or ``cancelled``."""
    with ledger.connection() as connection:
        connection.execute(SQL["finish"], (state, rebuild))


def newest(ledger: Ledger) -> Status | None:
    """The rebuild that began last."""
    with ledger.connection() as connection:
        rows = statements.select(connection, SQL["newest"])
    return Status(*rows[0]) if rows else None


def is_worked_on(ledger: Ledger) -> bool:
    """Whether a process is rebuilding at this moment."""
    with ledger.connection() as connection:
        return bool(statements.select(connection, SQL["is_locked"], (ledger.settings.ledger,))[0][0])


def last_switched(ledger: Ledger) -> tuple[UUID, list[str], str] | None:
    """The rebuild that was switched to, or back from, last: id, projections, state."""
    with ledger.connection() as connection:
        rows = statements.select(connection, SQL["last_switched"])
    return (rows[0][0], list(rows[0][1]), rows[0][2]) if rows else None
