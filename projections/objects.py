"""The current state of every object: what search and lists need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from domain.canonical import canonical_bytes
from domain.errors import ProvenariumError
from domain.history import Step
from projections.projection import SQL, Gathering, ObjectProjection, Row, rows_by_pid

_VERSION = 2


class Objects(ObjectProjection):
    """One row an object: type, version, whether tombstoned, digest, document, times."""

    name = "objects"
    table = "objects"
    migrated = 1
    columns = ("pid", "type", "version", "tombstoned", "digest", "document", "created_at", "recorded", "occurred")
    varying = ("document",)
    types = ("text", "text", "int8", "bool", "bytea", "bytea", "timestamptz", "timestamptz", "timestamptz")

    def begin(self, connection: Connection[Any], pids: Sequence[str]) -> None:  # noqa: ARG002 - starts from nothing
        self._objects: dict[str, Gathering] = defaultdict(_Last)

    def add(self, step: Step) -> None:
        self._objects[step.state.id].take(step)

    def flush(self, connection: Connection[Any]) -> None:
        rows = [self.packed(row) for gathering in self._objects.values() for row in gathering.rows()]
        self.insert(connection, [row for row in rows if row[_VERSION] == 1])
        known = [row for row in rows if row[_VERSION] > 1]
        if known:
            connection.execute(SQL["upsert_objects"], [list(column) for column in zip(*known, strict=True)])

    def gathering(self) -> Gathering:
        return _Last()

    def packed(self, row: Row) -> Row:
        return (*row[:5], self.mapper.pack_text(row[5]), *row[6:])

    def stored(self, connection: Connection[Any], pids: Sequence[str]) -> dict[str, list[Row]]:
        with connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(SQL["stored_objects"], (list(pids),)).fetchall()
        return rows_by_pid((*row[:4], bytes(row[4]), self._text(bytes(row[5])), *row[6:]) for row in rows)

    def _text(self, document: bytes) -> bytes:
        """The canonical text of a stored document; a damaged one as it is, which equals no canonical text."""
        try:
            return canonical_bytes(self.mapper.unpack(document))
        except (ProvenariumError, ValueError):
            return document


class _Last(Gathering):
    def __init__(self) -> None:
        self._step: Step | None = None

    def take(self, step: Step) -> None:
        self._step = step

    def rows(self) -> list[Row]:
        return [] if self._step is None else [_row(self._step, self._step.state.canonical)]


def _row(step: Step, document: bytes) -> Row:
    state = step.state
    return (
        state.id,
        state.object_type,
        state.version,
        state.tombstoned,
        bytes.fromhex(step.event.digest),
        document,
        state.created,
        state.recorded,
        state.occurred,
    )
