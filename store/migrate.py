"""Brings a ledger's schema up to date: numbered SQL files, forward only, checksummed, one at a time."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from domain.errors import IntegrityFailure, RefusedInput, StoreUnavailable
from store import statements

Connection = psycopg.Connection[Any]

_READ = ("SELECT",)
_DERIVED = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")

PRIVILEGES: dict[str, tuple[LiteralString, ...]] = {
    "migrations": _READ,
    "events": _READ,  # written only through append_events
    "log_head": _READ,
    "dictionaries": _READ,  # written only through add_dictionary
    "snapshots": ("SELECT", "INSERT", "DELETE"),
    "agents": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "natural_keys": ("SELECT", "INSERT"),
    "runs": ("SELECT", "INSERT", "UPDATE"),
    "run_items": ("SELECT", "INSERT"),
    "source_records": ("SELECT", "INSERT", "UPDATE"),
    "projections": _DERIVED,
    "objects": _DERIVED,
    "versions": _DERIVED,
    "terms": _DERIVED,
    "search": _DERIVED,
    "ledger_tiles": _DERIVED,
    "checkpoints": ("SELECT", "INSERT"),
    "self_checks": ("SELECT", "INSERT", "UPDATE"),
    "rebuilds": ("SELECT", "INSERT", "UPDATE"),
}
"""What the service role may do with each table; everything else is refused to it."""


FUNCTIONS: dict[str, LiteralString] = {
    "append_events": "text[], bigint[], text[], bytea[], uuid[], timestamptz[], bigint[]",
    "add_dictionary": "bigint, bytea",
    "state_of": "text, bigint",
    "version_recorded_at": "text, timestamptz",
    "version_occurred_at": "text, timestamptz",
}
"""What the service role may call, and their arguments; the first two act with the owner's rights."""


@dataclass(frozen=True)
class Migration:
    """One file of ``migrations/``: its number, name, SQL text and the SHA-256 of that text."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def service_role(ledger: str) -> str:
    """The database role that commands act as: it can append to the log, and never change it."""
    return f"{ledger}_service"


def available() -> list[Migration]:
    """The migrations of this version of the program, in order."""
    files = sorted(
        (file for file in resources.files("migrations").iterdir() if file.name.endswith(".sql")),
        key=lambda file: file.name,
    )
    return [Migration(int(file.name[:4]), file.name, file.read_text(encoding="utf-8")) for file in files]


def migrate(conninfo: str, ledger: str) -> int:
    """Apply what is missing to the ledger (a PostgreSQL schema); returns how many were applied.

    Safe to call from many processes at once. Raises :class:`IntegrityFailure` when an applied file
    was changed afterwards or the database is newer than the program, :class:`StoreUnavailable` when
    the database cannot be reached or the user may not create what is needed.
    """
    try:
        with psycopg.connect(conninfo) as connection:
            if _is_current(connection, ledger):
                return 0
            return _migrate(connection, ledger)
    except psycopg.errors.InsufficientPrivilege as error:
        raise StoreUnavailable(
            f"the database user may not prepare the ledger {ledger!r}: {_line(error)}; "
            f"it needs CREATE on the database and either CREATEROLE or membership in {service_role(ledger)}"
        ) from None
    except psycopg.OperationalError as error:
        raise StoreUnavailable(f"cannot reach the database: {_line(error)}; check DATABASE_URL") from None


def _is_current(connection: Connection, ledger: str) -> bool:
    """Whether nothing is to do; takes no lock, so the usual start costs one query."""
    if connection.info.server_version < 150000:
        raise StoreUnavailable(f"PostgreSQL 15 or newer is needed, this is {connection.info.server_version // 10000}")
    if connection.execute("SELECT quote_ident(%s) <> %s", (ledger, ledger)).fetchone() == (True,):
        raise RefusedInput(f"PROVENARIUM_LEDGER {ledger!r} is a word of SQL's own; choose another name")
    table = sql.Identifier(ledger, "migrations").as_string(connection)
    if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() == (None,):
        return False
    query = sql.SQL("SELECT number, checksum FROM {}").format(sql.Identifier(ledger, "migrations"))
    return dict(connection.execute(query).fetchall()) == {item.number: item.checksum for item in available()}


def _migrate(connection: Connection, ledger: str) -> int:
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('provenarium migrations', 0))")
    schema = sql.Identifier(ledger)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
    connection.execute(sql.SQL("SET LOCAL search_path = {}, pg_temp").format(schema))
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (number int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
    )
    applied: dict[int, str] = dict(connection.execute("SELECT number, checksum FROM migrations").fetchall())
    known = {migration.number: migration for migration in available()}
    for number, checksum in applied.items():
        if number not in known:
            raise IntegrityFailure(f"the ledger {ledger!r} has migration {number}, newer than this program; upgrade it")
        if known[number].checksum != checksum:
            raise IntegrityFailure(
                f"migration {known[number].name} was changed after it was applied to {ledger!r}; "
                "use the program version that made this ledger"
            )
    missing = [migration for number, migration in sorted(known.items()) if number not in applied]
    for migration in missing:
        connection.execute(migration.text.encode(), prepare=False)
        connection.execute(
            "INSERT INTO migrations (number, name, checksum) VALUES (%s, %s, %s)",
            (migration.number, migration.name, migration.checksum),
        )
    _grant(connection, ledger)
    return len(missing)


def _grant(connection: Connection, ledger: str) -> None:
    """Give the service role its privileges, and nothing to anybody else."""
    role = sql.Identifier(service_role(ledger))
    exists = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (service_role(ledger),)).fetchone()
    if exists is None:
        # Roles belong to the cluster, the advisory lock to one database: the same ledger in another may come first.
        with suppress(psycopg.errors.UniqueViolation, psycopg.errors.DuplicateObject), connection.transaction():
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(ledger), role))
    for table, privileges in PRIVILEGES.items():
        name = sql.Identifier(ledger, table)
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM PUBLIC, {}").format(name, role))
        allowed = sql.SQL(", ").join(map(sql.SQL, privileges))
        connection.execute(sql.SQL("GRANT {} ON {} TO {}").format(allowed, name, role))
    for (partition,) in statements.select(connection, statements.load("store", "log.sql")["partitions"]):
        connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(ledger, partition), role))
    for function, types in FUNCTIONS.items():
        called = sql.SQL("FUNCTION {}({})").format(sql.Identifier(ledger, function), sql.SQL(types))
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(called))
        connection.execute(sql.SQL("GRANT EXECUTE ON {} TO {}").format(called, role))


def _line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]
