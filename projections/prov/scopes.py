"""Which versions an export of provenance tells: of a source, of an agent, of a run, of a time, of a type of object.

A scope is a query over the read models ``versions`` and ``objects``, so it is as current as they are; what it finds is
read from the log itself, by :mod:`projections.prov.stored_events`. Its conditions are all to be met. What it finds is
streamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from psycopg.rows import tuple_row

from domain.query import Query
from domain.times import to_text
from projections.prov.runs import Run
from store import statements
from store.ledger import Axis, Ledger

SQL = statements.load("projections.prov", "scopes.sql")

_FETCHED = 2000
_MATCHED = 500


@dataclass(frozen=True)
class Scope:
    """Conditions on versions; None sets none.

    ``source`` is the PID of a source system: its records, and nothing the store keeps for itself. ``agent`` is the IRI
    of an agent that took part in the version's activity, or on whose behalf one did. ``run`` is the id of a run.
    ``object_type`` and ``key_prefix`` take objects of a type, whose natural key at their source begins so. ``query``
    takes objects whose document meets it at the end of the bounds.
    ``since`` and ``until`` bound, both included, when a version was recorded or occurred. Up to ``until`` on the
    recorded axis, everything is told as it was then; on the occurred axis, as it is.
    """

    source: str | None = None
    agent: str | None = None
    run: str | None = None
    object_type: str | None = None
    key_prefix: str | None = None
    query: Query | None = None
    since: datetime | None = None
    until: datetime | None = None
    axis: Axis = Axis.RECORDED

    def to_json(self) -> dict[str, str]:
        """The conditions that are set, by name."""
        found = {
            "source": self.source,
            "agent": self.agent,
            "run": self.run,
            "type": self.object_type,
            "keyPrefix": self.key_prefix,
            "query": orjson.dumps(self.query.texts).decode() if self.query else None,
            "since": to_text(self.since) if self.since else None,
            "until": to_text(self.until) if self.until else None,
            "axis": self.axis.value if self.since or self.until else None,
        }
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Bounds:
    """The part of the log that an export is about: after one position, up to another.

    ``anchor`` is the activity id of the event at its end, which tells ledgers apart; None when there is no event.
    ``as_of`` is when the bounds were drawn: of runs, nothing later is told.
    """

    after: int
    upto: int
    anchor: str | None
    as_of: datetime


class Listed(NamedTuple):
    """One object with the versions that a scope takes of it, in order."""

    pid: str
    object_type: str
    versions: list[int]


def bounds(ledger: Ledger, scope: Scope, as_of: datetime) -> Bounds:
    """Where the log ends for ``scope`` now; with these bounds the scope finds the same for ever."""
    recorded = scope.axis is Axis.RECORDED
    until = scope.until if recorded else None
    last = _fetch(ledger, "end_of_log") if until is None else _fetch(ledger, "last_recorded_by", (until,))
    upto, anchor = (last[0][0], str(last[0][1])) if last else (0, None)
    before = _fetch(ledger, "last_recorded_before", (scope.since,)) if recorded and scope.since else []
    return Bounds(before[0][0] if before else 0, upto, anchor, as_of)


def listed(ledger: Ledger, scope: Scope, within: Bounds) -> Iterator[Listed]:
    """The objects of which ``scope`` takes at least one version, by PID."""
    found = _listed(ledger, scope, within)
    if scope.query is None:
        yield from found
        return
    while batch := list(islice(found, _MATCHED)):
        until = scope.until if scope.axis is Axis.OCCURRED else None
        last = _fetch(ledger, "last_versions", ([each.pid for each in batch], within.upto, until, until))
        states = ledger.states(dict(last))
        matching = {state.id for state in states if scope.query.matches(state.document)}
        yield from (each for each in batch if each.pid in matching)


def _listed(ledger: Ledger, scope: Scope, within: Bounds) -> Iterator[Listed]:
    with ledger.connection() as connection, connection.transaction():
        connection.execute(SQL["no_fast_start"])
        with connection.cursor("versions_in_scope", row_factory=tuple_row) as cursor:
            cursor.itersize = _FETCHED
            cursor.execute(SQL["versions_in_scope"], _parameters(scope, within))
            for row in cursor:
                yield Listed(*row)


def runs_in(ledger: Ledger, scope: Scope, within: Bounds, found: Iterable[Listed]) -> list[str]:
    """The ids of the runs that made any of the versions, in the order they began.

    ``found`` is what :func:`listed` gave; it is read only when the scope alone does not tell.
    """
    runs = [str(id_) for (id_,) in _fetch(ledger, "runs_in_scope", _parameters(scope, within))]
    if scope.query is None:
        return runs
    told: set[str] = set()
    listing = iter(found)
    while batch := list(islice(listing, _MATCHED)):
        pids = [each.pid for each in batch for _ in each.versions]
        versions = [version for each in batch for version in each.versions]
        told.update(cause for (cause,) in _fetch(ledger, "causes_of", (pids, versions)))
    return [run for run in runs if run in told]


class RegisteredNames:
    """Names of agents from the register outside the events, looked up one by one and not kept."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def get(self, iri: str, /) -> str | None:
        """The name of an agent, or None."""
        return self._ledger.agent_names([iri]).get(iri)


class KnownRuns:
    """Runs as they were at a time, looked up one by one and not kept."""

    def __init__(self, ledger: Ledger, as_of: datetime) -> None:
        self._ledger = ledger
        self._as_of = as_of

    def get(self, run: str, /) -> Run | None:
        """The run with this id, or None."""
        try:
            wanted = UUID(run)
        except ValueError:
            return None
        for id_, kind, started, finished, reverts in _fetch(self._ledger, "known_run", (self._as_of, wanted)):
            return Run(str(id_), kind, started, finished, str(reverts) if reverts else None)
        return None


def _parameters(scope: Scope, within: Bounds) -> dict[str, Any]:
    occurred = scope.axis is Axis.OCCURRED
    return {
        "after": within.after,
        "upto": within.upto,
        "as_of": within.as_of,
        "source": scope.source,
        "type": scope.object_type,
        "key": scope.key_prefix,
        "run": scope.run,
        "agent": _agent("id", scope.agent),
        "on_behalf_of": _agent("onBehalfOf", scope.agent),
        "since": scope.since if occurred else None,
        "until": scope.until if occurred else None,
    }


def _agent(member: str, iri: str | None) -> str | None:
    return None if iri is None else orjson.dumps([{member: iri}]).decode()


def _fetch(ledger: Ledger, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
    with ledger.connection() as connection, connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        found: list[tuple[Any, ...]] = cursor.execute(SQL[statement], parameters).fetchall()
        return found
