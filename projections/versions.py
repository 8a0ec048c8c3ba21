"""One row an event: when, who, why, from where, and which terms it changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from psycopg import Connection
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from domain.history import Step
from projections.projection import SQL, Gathering, ObjectProjection, Row, rows_by_pid

_AGENTS = 7


class Versions(ObjectProjection):
    """The history of every object as rows."""

    name = "versions"
    table = "versions"
    version = 2
    migrated = 2
    columns = (
        *("pid", "version", "position", "activity", "activity_type", "recorded", "occurred", "agents", "comment"),
        *("cause_kind", "cause_id", "source", "digest", "terms", "undoes"),
    )
    types = (
        *("text", "int8", "int8", "uuid", "text", "timestamptz", "timestamptz", "jsonb", "text"),
        *("text", "text", "text", "bytea", "text[]", "int8"),
    )

    def begin(self, connection: Connection[Any], pids: Sequence[str]) -> None:  # noqa: ARG002 - starts from nothing
        self._rows: list[Row] = []

    def add(self, step: Step) -> None:
        self._rows.append(self.packed(_row(step)))

    def flush(self, connection: Connection[Any]) -> None:
        self.insert(connection, self._rows)

    def gathering(self) -> Gathering:
        return _All()

    def packed(self, row: Row) -> Row:
        return (*row[:_AGENTS], Jsonb(row[_AGENTS], dumps=orjson.dumps), *row[_AGENTS + 1 :])

    def stored(self, connection: Connection[Any], pids: Sequence[str]) -> dict[str, list[Row]]:
        with connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(SQL["stored_versions"], (list(pids),)).fetchall()
        return rows_by_pid((*row[:12], bytes(row[12]), *row[13:]) for row in rows)


class _All(Gathering):
    def __init__(self) -> None:
        self._rows: list[Row] = []

    def take(self, step: Step) -> None:
        self._rows.append(_row(step))

    def rows(self) -> list[Row]:
        return self._rows


def _row(step: Step) -> Row:
    event = step.event
    cause = event.activity.cause
    return (
        event.originator_id,
        event.originator_version,
        event.position,
        event.activity.id,
        event.activity_type,
        event.recorded,
        event.occurred,
        [agent.to_json() for agent in event.agents],
        event.activity.comment,
        cause.kind if cause else None,
        cause.id if cause else None,
        event.source.system if event.source else None,
        bytes.fromhex(event.digest),
        step.terms,
        event.undoes,
    )
