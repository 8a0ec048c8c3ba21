"""Checks that the database still refuses to change the log: its triggers, and what the service role may do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from store import statements

SQL = statements.load("audit", "guards.sql")


def guard_problems(connection: Connection[Any]) -> Iterator[tuple[str, str]]:
    """(where, what) for every guard that is missing. The connection acts as the service role."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        for (table,) in cursor.execute(SQL["unguarded"]).fetchall():
            yield table, "has no working trigger that refuses to change it; make it anew as the migrations do"
        for table, privileges in cursor.execute(SQL["privileges"]).fetchall():
            yield table, f"can be written by the service role, which has {privileges} on it; revoke that"
