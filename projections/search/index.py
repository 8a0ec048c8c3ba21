"""The projection ``search``: a row for every range of positions in which search sees the same of an object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from domain.history import Step
from projections.projection import Gathering, ObjectProjection, Row, rows_by_pid
from projections.search.content import SEEN, Content, content_of, with_mids
from store import statements

SQL = statements.load("projections.search", "search.sql")


class Ranges(Gathering):
    """The rows of one object, the last of them open; begins with the open one that is stored, if there is one."""

    def __init__(self, before: Row | None = None) -> None:
        self._rows: list[Row] = [before] if before is not None else []
        self._stored = len(self._rows)

    def take(self, step: Step) -> None:
        last = Content(*self._rows[-1][3:]) if self._rows else None
        content = _content(step, last)
        if content == last:
            return
        position = step.event.position
        if self._rows:
            self._rows[-1] = (*self._rows[-1][:2], position, *self._rows[-1][3:])
        self._rows.append((step.state.id, position, None, *content))

    def rows(self) -> list[Row]:
        return self._rows

    @property
    def closed(self) -> Row | None:
        """The stored row, if it is no longer open."""
        return self._rows[0] if self._stored and self._rows[0][2] is not None else None

    @property
    def new(self) -> list[Row]:
        """The rows that are not stored yet."""
        return self._rows[self._stored :]


class Search(ObjectProjection):
    """Words and facets of every object, as of any position."""

    name = "search"
    table = "search"
    version = 2
    migrated = 2
    columns = (*("pid", "from_position", "to_position", "type", "tombstoned", "name", "identifier", "text", "facets"),)
    types = ("text", "int8", "int8", "text", "bool", "text", "text", "text", "text[]")

    def begin(self, connection: Connection[Any], pids: Sequence[str]) -> None:
        with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
            opened = {row[0]: row for row in cursor.execute(SQL["open_rows"], (list(pids),))}
        self._objects = {pid: Ranges(opened.get(pid)) for pid in pids}

    def add(self, step: Step) -> None:
        self._objects[step.state.id].take(step)

    def flush(self, connection: Connection[Any]) -> None:
        closed = [row[:3] for ranges in self._objects.values() if (row := ranges.closed) is not None]
        if closed:
            connection.execute(SQL["close_rows"], [list(column) for column in zip(*closed, strict=True)])
        self.insert(connection, [row for ranges in self._objects.values() for row in ranges.new])

    def gathering(self) -> Gathering:
        return Ranges()

    def stored(self, connection: Connection[Any], pids: Sequence[str]) -> dict[str, list[Row]]:
        with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
            return rows_by_pid(cursor.execute(SQL["stored_rows"], (list(pids),)).fetchall())


def _content(step: Step, last: Content | None) -> Content:
    state = step.state
    if last is not None and SEEN.isdisjoint(change.term.rpartition("/")[2] for change in step.changes.terms):
        return with_mids(last, state.document, state.tombstoned)
    return content_of(state.document, state.object_type, state.tombstoned)
