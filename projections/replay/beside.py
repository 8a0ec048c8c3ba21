"""The schemas beside a ledger's own: ``next``, in which a rebuild makes tables, and ``former``, which keeps old ones.

Tables have the same names in all three, and a connection looks in the schema in front first: so whatever reads and
writes a projection does so in another schema without a change, and switching is moving tables between schemas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from domain.errors import StoreUnavailable
from projections.projection import Projection
from store import statements
from store.ledger import Ledger
from store.migrate import service_role

SQL = statements.load("projections", "tables.sql")
POSITIONS, PARTS, PIECES = "projections", "parts", "pieces"

Kinds = Sequence[type[Projection]]
Connection = psycopg.Connection[Any]


def next_of(ledger: Ledger) -> str:
    """The schema of tables that are being made."""
    return f"{ledger.settings.ledger}__next"


def former_of(ledger: Ledger) -> str:
    """The schema of tables that were switched away from."""
    return f"{ledger.settings.ledger}__former"


@contextmanager
def as_owner(ledger: Ledger, *path: str) -> Iterator[Connection]:
    """A transaction with the rights of the schemas' owner, which looks in ``path``, then in the ledger."""
    try:
        with psycopg.connect(ledger.conninfo) as connection:
            schemas = map(sql.Identifier, (*path, ledger.settings.ledger))
            connection.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.SQL(", ").join(schemas)))
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        raise StoreUnavailable(
            f"making tables anew needs the rights of the ledger's owner ({str(error).splitlines()[0]}); "
            "run 'provenarium rebuild' once with a login that has them"
        ) from None


def make(ledger: Ledger, kinds: Kinds, rebuild: UUID) -> None:
    """Make the schema ``next`` anew: empty tables of these projections, their positions, and the parts to do."""
    schema = next_of(ledger)
    tables = [PARTS, PIECES, *(kind.table for kind in kinds)]
    drop(ledger, schema)
    with as_owner(ledger, schema) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        for table in tables:
            connection.execute(SQL[f"create_{table}"], prepare=False)
        make_positions(connection, schema)
        put_positions(connection, schema, [(kind.name, kind.version, 0) for kind in kinds])
        connection.execute(SQL["add_parts"], (ledger.recorder.partitions(), rebuild))
        _open(ledger, connection, schema, (POSITIONS, *tables))


def index(ledger: Ledger, table: str, begun: Callable[[Connection], None] = lambda _connection: None) -> None:
    """Give a filled table of ``next`` its key and indexes, unless it has them, and let the planner know it.

    ``begun`` is told the connection that does it.
    """
    with as_owner(ledger, next_of(ledger)) as connection:
        begun(connection)
        connection.execute(SQL["index_memory"])
        # One that was killed may be about to commit the same.
        connection.execute(
            sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(next_of(ledger), table))
        )
        if connection.execute(SQL["is_indexed"], (next_of(ledger), table)).fetchone() == (False,):
            connection.execute(SQL[f"index_{table}"], prepare=False)
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(next_of(ledger), table)))


def by_size(ledger: Ledger, tables: Sequence[str]) -> list[str]:
    """These tables of ``next``, the largest first."""
    with ledger.connection() as connection:
        sizes = dict(statements.select(connection, SQL["sizes_in"], (next_of(ledger),)))
    return sorted(tables, key=lambda table: -sizes[table])


def drop(ledger: Ledger, schema: str) -> None:
    """Remove one of the schemas beside with all in it, if it is there."""
    with as_owner(ledger) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def is_there(ledger: Ledger, schema: str) -> bool:
    """Whether one of the schemas beside exists."""
    with ledger.connection() as connection:
        return bool(statements.select(connection, SQL["is_there"], (schema,))[0][0])


def is_whole(ledger: Ledger) -> bool:
    """Whether ``next`` is there with all that a rebuild of this program goes on with."""
    if not is_there(ledger, next_of(ledger)):
        return False
    with ledger.connection() as connection:
        return (PIECES,) in statements.select(connection, SQL["tables_in"], (next_of(ledger),))


def move(connection: Connection, table: str, source: str, target: str) -> None:
    """Move a table with its indexes from one schema to another."""
    connection.execute(
        sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(sql.Identifier(source, table), sql.Identifier(target))
    )


def remove(connection: Connection, table: str, schema: str) -> None:
    """Drop a table of a schema beside, if it is there."""
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(schema, table)))


def make_positions(connection: Connection, schema: str) -> None:
    """The table of the positions of projections whose tables are in a schema, if it is not there."""
    statement = sql.SQL(SQL[f"create_{POSITIONS}"])
    connection.execute(statement.format(projections=sql.Identifier(schema, POSITIONS)))


def put_positions(connection: Connection, schema: str, rows: Iterable[tuple[str, int, int]]) -> None:
    """State (name, version, position) of projections whose tables are in a schema."""
    statement = sql.SQL(SQL["put_position"]).format(projections=sql.Identifier(schema, POSITIONS))
    for row in rows:
        connection.execute(statement, row)


@contextmanager
def holding(ledger: Ledger, connection: Connection) -> Iterator[str]:
    """A schema to keep tables in for a moment: their indexes have the names of those that take their place."""
    schema = f"{ledger.settings.ledger}__hold"
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    yield schema
    connection.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(schema)))


def make_former(ledger: Ledger, connection: Connection) -> None:
    """The schema ``former`` with its positions, if it is not there."""
    schema = former_of(ledger)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    make_positions(connection, schema)
    _open(ledger, connection, schema, (POSITIONS,))


def _open(ledger: Ledger, connection: Connection, schema: str, tables: Iterable[str]) -> None:
    """Let the service role use tables of a schema, as it may use those of the ledger."""
    role = sql.Identifier(service_role(ledger.settings.ledger))
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), role))
    for table in tables:
        name = sql.Identifier(schema, table)
        connection.execute(sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON {} TO {}").format(name, role))
