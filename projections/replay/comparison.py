"""Compares new tables with the live ones, at the same position, by a checksum that no order of rows changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from projections.following import follow, positions
from projections.projection import SQL, Projection
from projections.replay.beside import Connection, Kinds, as_owner, next_of
from store.ledger import Ledger
from store.statements import select

Checksum = tuple[int, int]
"""Number of rows, and the sum of their hashes."""


def differing(ledger: Ledger, beside: Ledger, kinds: Kinds) -> list[str]:
    """The tables that are not as the live ones; only projections of the live version can be compared.

    The live tables are read as they are at one moment, and the new ones brought to the position they had then, so
    others may go on writing.
    """
    live = positions(ledger)
    same = [kind for kind in kinds if live.get(kind.name, (None, 0))[0] == kind.version]
    if not same:
        return []
    behind = max(at for _, at in positions(beside).values())
    follow(ledger, [kind.name for kind in same], behind)  # usually they are there already
    found = []
    for kind in same:
        with _moment(ledger) as connection:
            position = {name: at for name, _, at in select(connection, SQL["positions"])}[kind.name]
            was = _checksum(connection, kind, ledger.settings.ledger)
        if position > ledger.position():
            found.append(kind.table)
            continue
        follow(beside, [kind.name], position)
        with _moment(ledger) as connection:
            if _checksum(connection, kind, next_of(ledger)) != was:
                found.append(kind.table)
    return found


@contextmanager
def _moment(ledger: Ledger) -> Iterator[Connection]:
    with as_owner(ledger) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SET LOCAL timezone = 'UTC'")
        yield connection


def _checksum(connection: Connection, kind: type[Projection], schema: str) -> Checksum:
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in kind.columns if name not in kind.varying)
    statement = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(ROW({})::text, 0)), 0) FROM {}")
    ((count, total),) = connection.execute(statement.format(columns, sql.Identifier(schema, kind.table)))
    return int(count), int(total)
