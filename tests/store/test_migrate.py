"""Migrations: from nothing to the documented schema, once, by however many at the same time."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from domain.errors import IntegrityFailure, RefusedInput, StoreUnavailable
from store import migrate
from store.ledger import Ledger
from store.settings import Settings
from tests.conftest import drop_ledger
from tests.store.ledger_building import created, pid

EXPECTED = Path(__file__).parent / "expected_schema.txt"

COLUMNS = """
SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       coalesce('DEFAULT ' || pg_get_expr(d.adbin, d.adrelid),
                CASE a.attidentity WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY' END)
  FROM pg_class AS c
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
 ORDER BY c.relname COLLATE "C", a.attnum
"""
DETAILS = """
SELECT c.relname::text, pg_get_constraintdef(o.oid) AS line
  FROM pg_constraint AS o JOIN pg_class AS c ON c.oid = o.conrelid
 WHERE c.relnamespace = %(schema)s::regnamespace AND NOT c.relispartition AND o.contype IN ('c', 'f', 'p', 'u')
UNION ALL
SELECT c.relname::text, pg_get_indexdef(i.indexrelid)
  FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
 WHERE c.relnamespace = %(schema)s::regnamespace AND NOT c.relispartition AND NOT i.indisprimary
UNION ALL
SELECT c.relname::text, pg_get_triggerdef(t.oid)
  FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
 WHERE c.relnamespace = %(schema)s::regnamespace AND NOT c.relispartition AND NOT t.tgisinternal
UNION ALL
SELECT p.relname::text, format('%%s partitions by %%s, each with triggers %%s', count(DISTINCT c.oid),
                               pg_get_partkeydef(p.oid), string_agg(DISTINCT t.tgname::text, ', '))
  FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid JOIN pg_class AS p ON p.oid = inhparent
  JOIN pg_trigger AS t ON t.tgrelid = c.oid
 WHERE p.relnamespace = %(schema)s::regnamespace AND p.relkind = 'p' GROUP BY p.oid, p.relname
"""
OTHERS = """
SELECT format('function %%s(%%s) returns %%s%%s', proname, pg_get_function_identity_arguments(oid),
              pg_get_function_result(oid), CASE WHEN prosecdef THEN ', as its owner, '
              || array_to_string(proconfig, ', ') ELSE '' END) AS line
  FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace
UNION ALL
SELECT format('sequence %%s', relname) FROM pg_class WHERE relnamespace = %(schema)s::regnamespace AND relkind = 'S'
UNION ALL
SELECT format('type %%s', typname) FROM pg_type AS t
 WHERE typnamespace = %(schema)s::regnamespace AND typtype <> 'b' AND typrelid = 0 AND typcategory <> 'A'
"""


def listing(connection: psycopg.Connection[Any], schema: str) -> str:
    """What the schema holds, in words; the same for every PostgreSQL version and schema name."""
    lines: dict[str, list[str]] = {}
    names = {"schema": schema}
    for table, column, kind, required, default in connection.execute(COLUMNS, names):
        ending = (" NOT NULL" if required else "") + (f" {default}" if default else "")
        lines.setdefault(f"table {table}", []).append(f"    {column} {kind}{ending}")
    for table, line in sorted(connection.execute(DETAILS, names)):
        lines[f"table {table}"].append(f"    - {line}")
    for (line,) in sorted(connection.execute(OTHERS, names)):
        lines[line] = []
    text = "\n".join("\n".join([title, *body]) for title, body in lines.items()) + "\n"
    return text.replace(f"{schema}.", "").replace(schema, "LEDGER")


def connect(settings: Settings) -> psycopg.Connection[Any]:
    assert settings.database_url is not None
    return psycopg.connect(settings.database_url, autocommit=True)


def open_and_count(settings: Settings) -> int:
    with Ledger.open(settings) as ledger:
        return ledger.position()


def in_public(connection: psycopg.Connection[Any]) -> set[str]:
    rows = connection.execute("SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    return {name for (name,) in rows}


@pytest.fixture
def settings(unmigrated: Settings) -> Settings:
    return unmigrated


def bring_up_to_date(settings: Settings) -> int:
    assert settings.database_url is not None
    return migrate.migrate(settings.database_url, settings.ledger)


def test_a_new_ledger_gets_the_documented_schema(settings: Settings) -> None:
    with connect(settings) as connection:
        before = in_public(connection)
        assert bring_up_to_date(settings) == len(migrate.available()) > 0
        found = listing(connection, settings.ledger)
        assert in_public(connection) == before
    if os.environ.get("WRITE_EXPECTED_SCHEMA"):
        EXPECTED.write_text(found)
    assert found == EXPECTED.read_text(), "if it is meant: WRITE_EXPECTED_SCHEMA=1 pytest tests/store/test_migrate.py"


def test_the_second_call_does_nothing(settings: Settings) -> None:
    bring_up_to_date(settings)
    with connect(settings) as connection:
        query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(settings.ledger, "migrations"))
        before = connection.execute(query).fetchall()
        assert bring_up_to_date(settings) == 0
        assert connection.execute(query).fetchall() == before
    assert [row[:3] for row in before] == [(each.number, each.name, each.checksum) for each in migrate.available()]


def test_migrations_are_numbered_without_gap() -> None:
    assert [each.number for each in migrate.available()] == list(range(1, len(migrate.available()) + 1))


@pytest.mark.parametrize("executor", ["processes", "threads"])
def test_eight_may_open_a_new_ledger_at_once(settings: Settings, executor: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(8, mp_context=spawn) if executor == "processes" else ThreadPoolExecutor(8) as pool:
        assert list(pool.map(open_and_count, [settings] * 8)) == [0] * 8
    with connect(settings) as connection:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(settings.ledger, "migrations"))
        assert connection.execute(query).fetchone() == (len(migrate.available()),)


@pytest.fixture
def other_database(settings: Settings) -> Iterator[Settings]:
    """The same ledger name in another database of the cluster; roles are shared by both."""
    name = f"test_{uuid4().hex[:16]}"
    assert settings.database_url is not None
    with connect(settings) as connection:
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege:
            pytest.skip("this user may not create databases")
        yield Settings(make_conninfo(settings.database_url, dbname=name), settings.home, settings.ledger)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_two_databases_may_get_the_same_ledger_at_once(
    settings: Settings, other_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An advisory lock holds in one database only, but the service role belongs to the whole cluster."""
    grant, together, waited = migrate._grant, threading.Barrier(2), threading.local()

    def grant_together(connection: psycopg.Connection[Any], ledger: str) -> None:
        if not hasattr(waited, "once"):
            waited.once = together.wait(30)
        grant(connection, ledger)

    monkeypatch.setattr(migrate, "_grant", grant_together)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(open_and_count, [settings, other_database])) == [0, 0]


def test_an_applied_file_must_not_change(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    bring_up_to_date(settings)
    known = migrate.available()
    changed = migrate.Migration(known[1].number, known[1].name, known[1].text + "\n-- harmless\n")
    monkeypatch.setattr(migrate, "available", lambda: [known[0], changed, *known[2:]])
    with pytest.raises(IntegrityFailure, match=f"{known[1].name} was changed after it was applied"):
        bring_up_to_date(settings)
    with pytest.raises(IntegrityFailure, match="was changed"):
        Ledger.open(settings)


def test_a_ledger_of_a_newer_program_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    bring_up_to_date(settings)
    known = migrate.available()
    monkeypatch.setattr(migrate, "available", lambda: known[:-1])
    with pytest.raises(IntegrityFailure, match=f"migration {known[-1].number}, newer than this program"):
        bring_up_to_date(settings)


def test_a_newer_program_brings_an_older_ledger_up_to_date(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    bring_up_to_date(settings)
    with Ledger.open(settings) as ledger:
        ledger.append([created(pid(1))])
    known = migrate.available()
    newer = migrate.Migration(len(known) + 1, "later.sql", "CREATE TABLE later (a int); INSERT INTO later VALUES (1);")
    monkeypatch.setattr(migrate, "available", lambda: [*known, newer])
    monkeypatch.setitem(migrate.PRIVILEGES, "later", ("SELECT",))
    with Ledger.open(settings) as ledger, ledger.connection() as connection:
        assert connection.execute("SELECT a FROM later").fetchone() == {"a": 1}
        assert ledger.position() == 1


def test_a_migration_that_fails_leaves_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = migrate.Migration(4, "broken.sql", "CREATE TABLE half (a int); SELECT 1/0;")
    known = migrate.available()
    monkeypatch.setattr(migrate, "available", lambda: [*known, broken])
    with pytest.raises(psycopg.errors.DivisionByZero):
        bring_up_to_date(settings)
    with connect(settings) as connection:
        assert connection.execute("SELECT to_regnamespace(%s)", (settings.ledger,)).fetchone() == (None,)


def test_ledgers_of_one_database_know_nothing_of_each_other(settings: Settings) -> None:
    name = f"test_{uuid4().hex[:16]}"
    with Ledger.open(settings) as one, Ledger.open(replace(settings, ledger=name)) as other:
        _know_nothing_of_each_other(one, other)
    with connect(settings) as connection:
        drop_ledger(connection, name)


def _know_nothing_of_each_other(one: Ledger, other: Ledger) -> None:
    assert one.append([created(pid(1)), created(pid(2))]) == [1, 2]
    assert other.append([created(pid(1))]) == [1]
    assert (one.position(), other.position()) == (2, 1)
    assert one.history(pid(1)) != other.history(pid(1))
    foreign = sql.SQL("SELECT FROM {}").format(sql.Identifier(other.settings.ledger, "events"))
    with one.connection() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(foreign)


def test_a_user_who_may_not_create_is_told_what_is_needed(settings: Settings) -> None:
    assert settings.database_url is not None
    name = f"{settings.ledger}_poor"
    with connect(settings) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'poor'").format(sql.Identifier(name)))
        poor = make_conninfo(settings.database_url, user=name, password="poor")
        try:
            try:
                psycopg.connect(poor).close()
            except psycopg.OperationalError:
                pytest.skip("this server does not let a new role in")
            with pytest.raises(StoreUnavailable, match="needs CREATE on the database"):
                migrate.migrate(poor, settings.ledger)
        finally:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_an_unreachable_database_is_told(tmp_path: Path) -> None:
    nowhere = Settings(database_url=f"host={tmp_path} dbname=x", home=tmp_path)
    with pytest.raises(StoreUnavailable, match=r"cannot reach the database.*check DATABASE_URL"):
        Ledger.open(nowhere)


@pytest.mark.parametrize("name", ["Upper", "1st", "a-b", "a b", 'a"b', "x" * 50, "ä"])
def test_a_ledger_name_is_a_plain_identifier(name: str) -> None:
    with pytest.raises(RefusedInput, match="PROVENARIUM_LEDGER"):
        Settings.from_environment({"PROVENARIUM_LEDGER": name})


@pytest.mark.parametrize("name", ["all", "user", "select"])
def test_a_ledger_is_not_named_by_a_word_of_sql(settings: Settings, name: str) -> None:
    assert settings.database_url is not None
    with pytest.raises(RefusedInput, match="a word of SQL's own"):
        migrate.migrate(settings.database_url, name)
