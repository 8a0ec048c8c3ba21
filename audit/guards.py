"""Checks that the database still guards the log as the migrations made it: keys, triggers, functions, privileges.

What it enforces on the tables that nothing can be made anew from is compared, word for word, with
``expected_guards.json``, which a test writes from the migrations. The names of constraints and indexes do not matter.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from audit.findings import Finding
from store import statements
from store.migrate import PRIVILEGES
from store.statements import select

SQL = statements.load("audit", "guards.sql")
LOG = statements.load("store", "log.sql")

TABLES = (
    *("agents", "checkpoints", "dictionaries", "events", "log_head", "migrations", "natural_keys", "run_items", "runs"),
    "source_records",
)
PARTITION = "events_pNN"
"""Stands for every partition of the log."""

Inventory = dict[str, list[str]]
"""What is enforced on each table, one sorted line each; of each function, what it is."""


def guard_problems(connection: Connection[Any]) -> Iterator[Finding]:
    """(where, what) for every guard that is missing, changed or new. The connection acts as the service role."""
    wanted = expected()
    found = inventory(connection)
    for name in sorted({*wanted, *found} - {PARTITION}):
        yield from _differences(name, found.get(name, []), wanted.get(_general(name), []))
    partitions = len(select(connection, LOG["partitions"]))
    if partitions != 16:
        yield "events", f"has {partitions} partitions instead of 16"
    tables = [*TABLES, *(name for name in found if _general(name) == PARTITION)]
    with _catalog(connection) as (cursor, schema):
        problems = list(_right_problems(cursor, schema, tables))
    yield from problems


def _right_problems(cursor: Cursor[Any], schema: str, tables: list[str]) -> Iterator[Finding]:
    rights = [(table, right) for table, allowed in PRIVILEGES.items() for right in allowed]
    parameters = {
        "schema": schema,
        "tables": tables,
        "allowed": [table for table, _ in rights],
        "privileges": [right for _, right in rights],
    }
    for table, privileges in cursor.execute(SQL["privileges"], parameters).fetchall():
        yield table, f"can be written by the service role, which has {privileges} on it; revoke that"
    for table, whose, privileges in cursor.execute(SQL["rights_of_others"], parameters).fetchall():
        yield table, f"can be written by {whose}, with {privileges} on it; revoke that"
    ((owns, may_create),) = cursor.execute(SQL["rights_on_schema"], parameters).fetchall()
    if owns or may_create:
        yield f"schema {schema}", "belongs to the service role, or lets it make things there; take that from it"
    for function, owned, public in cursor.execute(SQL["rights_on_functions"], parameters).fetchall():
        if owned:
            yield function, "belongs to the service role, which could make it do something else"
        if public:
            yield function, "can be called by everybody, with the rights of its owner; revoke that"
    for (whose,) in cursor.execute(SQL["replication_role"]).fetchall():
        yield "session_replication_role", f"is not 'origin' for {whose}, so that no trigger refuses a change there"


@contextmanager
def _catalog(connection: Connection[Any]) -> Iterator[tuple[Cursor[Any], str]]:
    """A cursor that sees the catalog and nothing of the ledger's schema, and that schema's name, quoted."""
    with connection.transaction(force_rollback=True), connection.cursor(row_factory=tuple_row) as cursor:
        ((schema,),) = cursor.execute(SQL["schema"]).fetchall()
        cursor.execute(SQL["look_in_catalog"])
        yield cursor, schema


def inventory(connection: Connection[Any]) -> Inventory:
    """What the ledger that the connection sees enforces, without the name of its schema."""
    partitions = [name for (name,) in select(connection, LOG["partitions"])]
    with _catalog(connection) as (cursor, schema):
        rows = cursor.execute(SQL["inventory"], {"schema": schema, "tables": [*TABLES, *partitions]}).fetchall()
    found: Inventory = {}
    for name, line in rows:
        told = line.replace(f"{schema}.", "").replace(f"search_path={schema},", "search_path=,")
        told = re.sub(r"INDEX \S+ ON (?:ONLY )?", "INDEX ON ", told)
        if _general(name) == PARTITION:
            told = told.replace(name, PARTITION)
        found.setdefault(name, []).append(told)
    return {name: sorted(lines) for name, lines in found.items()}


def general(found: Inventory) -> Inventory:
    """The inventory of a ledger as it should be, with one entry for all partitions."""
    return {_general(name): lines for name, lines in sorted(found.items())}


@cache
def expected() -> Inventory:
    """What the migrations make."""
    read: Inventory = json.loads((resources.files("audit") / "expected_guards.json").read_text(encoding="utf-8"))
    return read


def _differences(name: str, found: list[str], wanted: list[str]) -> Iterator[Finding]:
    there, should = Counter(found), Counter(wanted)
    for line in sorted((should - there).elements()):
        yield name, f"no longer has what the migrations made: {line}"
    for line in sorted((there - should).elements()):
        yield name, f"has what no migration made: {line}"


def _general(name: str) -> str:
    return PARTITION if re.fullmatch(r"events_p[0-9]{2}", name) else name
