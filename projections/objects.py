"""The current state of every object: what search and lists need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from domain.canonical import canonical_bytes
from domain.errors import ProvenariumError
from domain.history import Step
from projections.projection import SQL, ObjectProjection, Row, rows_by_pid


class Objects(ObjectProjection):
    """One row an object: type, version, whether tombstoned, digest, document, times."""

    name = "objects"
    columns = ("pid", "type", "version", "tombstoned", "digest", "document", "created_at", "recorded", "occurred")

    def begin(self, connection: Connection[Any], pids: Sequence[str]) -> None:  # noqa: ARG002 - starts from nothing
        self._rows: dict[str, Row] = {}

    def add(self, step: Step) -> None:
        self._rows[step.state.id] = self._row(step, self.mapper.pack(step.state.document))

    def flush(self, connection: Connection[Any]) -> None:
        connection.execute(SQL["upsert_objects"], [list(column) for column in zip(*self._rows.values(), strict=True)])

    def expected(self, steps: Iterable[Step]) -> list[Row]:
        rows: list[Row] = []
        for step in steps:
            rows = [self._row(step, canonical_bytes(step.state.document))]
        return rows

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

    def _row(self, step: Step, document: bytes) -> Row:
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
