"""Named SQL statements, kept in ``.sql`` files beside the code that runs them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Any, LiteralString, cast

from psycopg import Connection
from psycopg.rows import tuple_row

_NAME = re.compile(r"^-- name: (\w+)[ \t]*$", re.MULTILINE)


def load(package: str, file: str) -> dict[str, LiteralString]:
    """The statements of one file by name: each follows a line ``-- name: the_name``.

    Raises ``ValueError`` when a name stands twice.
    """
    text = (resources.files(package) / file).read_text(encoding="utf-8")
    parts = _NAME.split(text)
    statements: dict[str, LiteralString] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if name in statements:
            raise ValueError(f"{package}/{file} defines {name} twice")
        statements[name] = cast("LiteralString", body.strip().removesuffix(";"))
    return statements


def select(
    connection: Connection[Any], statement: LiteralString, parameters: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """Run one statement on a connection, whatever its rows are otherwise, and return them as tuples."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(statement, parameters).fetchall()


@contextmanager
def index_order(connection: Connection[Any]) -> Iterator[None]:
    """A transaction in which a page is read in the order of an index.

    Where statistics are missing, PostgreSQL may take the rows of a whole collection for a few, and gather and sort all
    of them for each page.
    """
    with connection.transaction():
        connection.execute("SET LOCAL enable_sort = off")
        connection.execute("SET LOCAL enable_bitmapscan = off")
        yield
