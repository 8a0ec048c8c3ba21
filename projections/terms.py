"""Blame as rows: one a changed term, from version 2 on; a term without a row belongs to version 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from domain.canonical import canonical_bytes
from domain.history import Step
from domain.terms import ABSENT
from projections.projection import SQL, Gathering, ObjectProjection, Row, rows_by_pid

Place = tuple[int, int]
"""(version, ordinal) of a row of one object."""


class Standing:
    """Where the last change of each term of one object stands: JSON Pointer to (version, ordinal)."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}

    def follow(self, step: Step) -> list[Row]:
        """Move on by one step; returns the step's new rows (their standing is filled in by the caller)."""
        for change in step.changes.terms:
            if change.was_at is not None:
                self.places.pop(change.was_at, None)
        if step.changes.moved:
            self.places = {step.changes.moved.get(where, where): place for where, place in self.places.items()}
        rows: list[Row] = []
        version = step.event.originator_version
        for ordinal, change in enumerate(step.changes.terms):
            if change.new is not ABSENT:
                self.places[change.pointer] = (version, ordinal)
            rows.append(
                (
                    step.state.id,
                    version,
                    ordinal,
                    change.term,
                    change.pointer,
                    None if change.old is ABSENT else canonical_bytes(change.old),
                    None if change.new is ABSENT else canonical_bytes(change.new),
                )
            )
        return rows


class Terms(ObjectProjection):
    """Every change of every term, and which of them still stands."""

    name = "terms"
    table = "terms"
    migrated = 1
    columns = ("pid", "version", "ordinal", "term", "pointer", "standing", "old", "new")
    types = ("text", "int8", "int4", "text", "text", "text", "bytea", "bytea")

    def begin(self, connection: Connection[Any], pids: Sequence[str]) -> None:
        self._objects = {pid: Standing() for pid in pids}
        self._before: dict[str, dict[Place, str]] = {pid: {} for pid in pids}
        self._rows: list[Row] = []
        with connection.cursor(row_factory=tuple_row) as cursor:
            for pid, standing, version, ordinal in cursor.execute(SQL["standing_terms"], (list(pids),)):
                self._objects[pid].places[standing] = (version, ordinal)
                self._before[pid][version, ordinal] = standing

    def add(self, step: Step) -> None:
        self._rows.extend(self._objects[step.state.id].follow(step))

    def flush(self, connection: Connection[Any]) -> None:
        standing = {
            (pid, *place): where for pid, found in self._objects.items() for where, place in found.places.items()
        }
        moved = [
            (pid, *place, standing.get((pid, *place)))
            for pid, places in self._before.items()
            for place, where in places.items()
            if standing.get((pid, *place)) != where
        ]
        if moved:
            connection.execute(SQL["move_terms"], [list(column) for column in zip(*moved, strict=True)])
        self.insert(connection, [_with_standing(row, standing.get(row[:3])) for row in self._rows])

    def gathering(self) -> Gathering:
        return _Blame()

    def stored(self, connection: Connection[Any], pids: Sequence[str]) -> dict[str, list[Row]]:
        with connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(SQL["stored_terms"], (list(pids),)).fetchall()
        return rows_by_pid(
            (*row[:6], *(bytes(value) if value is not None else None for value in row[6:])) for row in rows
        )


class _Blame(Gathering):
    def __init__(self) -> None:
        self._standing = Standing()
        self._rows: list[Row] = []

    def take(self, step: Step) -> None:
        self._rows += self._standing.follow(step)

    def rows(self) -> list[Row]:
        where = {place: pointer for pointer, place in self._standing.places.items()}
        return [_with_standing(row, where.get((row[1], row[2]))) for row in self._rows]


def _with_standing(row: Row, standing: str | None) -> Row:
    return (*row[:5], standing, *row[5:])
