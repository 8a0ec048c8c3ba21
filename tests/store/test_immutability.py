"""The database itself refuses to change the log, and gives the service role no more than it needs."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError
from psycopg.errors import InsufficientPrivilege
from psycopg.rows import tuple_row

from store.ledger import Ledger
from store.migrate import PRIVILEGES, service_role
from tests.store.ledger_building import created, pid

Owner = psycopg.Connection[Any]

ALL_PRIVILEGES = {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"}
PARTITIONS = [f"events_p{number:02d}" for number in range(16)]
APPEND_ONLY = ["events", *PARTITIONS, "dictionaries"]


def numbered(dictionary_id: int) -> bytes:
    """The head of a Zstandard dictionary (RFC 8878, section 5)."""
    return b"\x37\xa4\x30\xec" + dictionary_id.to_bytes(4, "little") + b"content"


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    ledger.append([created(pid(number)) for number in range(100)])
    ledger.recorder.fetch("insert_dictionary", (1, numbered(1)))
    return ledger


def service(ledger: Ledger) -> Any:
    return ledger.connection()


def rows(connection: Owner, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query, parameters).fetchall()  # type: ignore[arg-type]


def test_nobody_changes_what_is_appended_not_even_the_owner(
    filled: Ledger, owner: Owner, subtests: pytest.Subtests
) -> None:
    for table in APPEND_ONLY:
        column = "created_at" if table == "dictionaries" else "metadata"
        for statement in (
            f"UPDATE {table} SET {column} = DEFAULT",
            f"UPDATE {table} SET {column} = DEFAULT WHERE false",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            with subtests.test(statement), pytest.raises(InsufficientPrivilege, match=r"is append-only.*refused"):
                owner.execute(statement)
    assert rows(owner, "SELECT count(*) FROM events") == [(100,)]


@pytest.mark.parametrize("statement", [
    "INSERT INTO events SELECT * FROM events ON CONFLICT (originator_id, originator_version) DO UPDATE SET state = ''",
    ("MERGE INTO events AS e USING events AS o ON e.originator_id = o.originator_id "
    "WHEN MATCHED THEN UPDATE SET state = ''"),
    "MERGE INTO events AS e USING events AS o ON e.originator_id = o.originator_id WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM events RETURNING 1) SELECT * FROM gone",
])  # fmt: skip
def test_no_roundabout_statement_changes_the_log(filled: Ledger, owner: Owner, statement: str) -> None:
    with pytest.raises(InsufficientPrivilege, match="is append-only"):
        owner.execute(statement)  # type: ignore[call-overload]


def test_connections_of_a_ledger_act_as_the_service_role(filled: Ledger) -> None:
    role = service_role(filled.settings.ledger)
    with service(filled) as first, service(filled) as second:
        for connection in (first, second):
            assert rows(connection, "SELECT current_user::text") == [(role,)]
            assert rows(connection, "SELECT current_schema()::text") == [(filled.settings.ledger,)]
            assert rows(connection, "SELECT current_setting('timezone')") == [("UTC",)]
        attributes = "rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls"
        assert rows(first, f"SELECT {attributes} FROM pg_roles WHERE rolname = current_user") == [(False,) * 6]
        assert rows(first, "SELECT roleid FROM pg_auth_members WHERE member = current_user::regrole") == []


def test_the_service_role_has_the_listed_privileges_and_no_other(filled: Ledger, owner: Owner) -> None:
    ledger, role = filled.settings.ledger, service_role(filled.settings.ledger)
    found: dict[str, set[str]] = {}
    tables = rows(owner, "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN "
                  "('r', 'p', 'v', 'm', 'f')", ledger)  # fmt: skip
    assert {name for (name,) in tables} == {*PRIVILEGES, *PARTITIONS}, "every table is in the list"
    for (name,) in tables:
        for privilege in ALL_PRIVILEGES:
            if rows(owner, "SELECT has_table_privilege(%s, %s, %s)", role, f"{ledger}.{name}", privilege) == [(True,)]:
                found.setdefault(name, set()).add(privilege)
            for scope in ("has_any_column_privilege(%s, %s, %s)",):
                if privilege in ("SELECT", "INSERT", "UPDATE", "REFERENCES"):
                    there = rows(owner, f"SELECT {scope}", role, f"{ledger}.{name}", privilege) == [(True,)]
                    assert there == (privilege in found.get(name, ())), (name, privilege)
    listed = {name: set(privileges) for name, privileges in PRIVILEGES.items()}
    assert found == {**listed, **{name: {"SELECT"} for name in PARTITIONS}}
    assert rows(owner, "SELECT has_schema_privilege(%s, %s, 'USAGE'), has_schema_privilege(%s, %s, 'CREATE')",
                role, ledger, role, ledger) == [(True, False)]  # fmt: skip


def test_nobody_else_has_privileges(filled: Ledger, owner: Owner) -> None:
    ledger = filled.settings.ledger
    grants = rows(owner, "SELECT DISTINCT grantee::text FROM information_schema.table_privileges "
                  "WHERE table_schema = %s", ledger)  # fmt: skip
    current = rows(owner, "SELECT current_user::text")
    assert set(grants) == {(service_role(ledger),), *current}
    callable_by_all = rows(
        owner,
        "SELECT proname::text FROM pg_proc WHERE pronamespace = %s::regnamespace AND prorettype <> 'trigger'::regtype "
        "AND has_function_privilege('public', oid, 'EXECUTE')",
        ledger,
    )
    assert callable_by_all == []


REFUSED_TO_THE_SERVICE = (
    "INSERT INTO events SELECT 'TEST/X', 1, topic, state, 999, recorded_at, occurred_at, event_id FROM events LIMIT 1",
    "INSERT INTO events_p00 SELECT * FROM events LIMIT 1",
    "UPDATE events SET topic = 'x'", "DELETE FROM events", "TRUNCATE events",
    "UPDATE log_head SET position = 0", "DELETE FROM log_head", "INSERT INTO log_head VALUES (true, 0, now())",
    "SELECT * FROM log_head FOR UPDATE", "LOCK TABLE events IN EXCLUSIVE MODE",
    "INSERT INTO dictionaries VALUES (2, '')",
    "UPDATE dictionaries SET content = ''", "DELETE FROM dictionaries", "TRUNCATE dictionaries",
    "UPDATE natural_keys SET pid = 'x'", "DELETE FROM natural_keys",
    "DELETE FROM runs", "UPDATE run_items SET outcome = 'x'", "DELETE FROM run_items", "DELETE FROM source_records",
    "UPDATE migrations SET checksum = ''", "INSERT INTO migrations VALUES (9999, 'x', 'x')",
    "ALTER TABLE events DISABLE TRIGGER ALL", "ALTER TABLE events_p00 DISABLE TRIGGER append_only",
    "DROP TRIGGER append_only ON events", "DROP TABLE events", "ALTER TABLE events DETACH PARTITION events_p00",
    "CREATE TRIGGER mine BEFORE INSERT ON events EXECUTE FUNCTION refuse_change()",
    "CREATE RULE mine AS ON INSERT TO events DO INSTEAD NOTHING",
    "SET session_replication_role = replica",
    "CREATE TABLE mine (a int)", "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
    "CREATE TYPE mine AS (a int)", "CREATE SCHEMA mine", "CREATE ROLE mine",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "DROP FUNCTION refuse_change() CASCADE",
    "ALTER FUNCTION append_events(text[], bigint[], text[], bytea[], uuid[], timestamptz[], bigint[]) SECURITY INVOKER",
)  # fmt: skip


def test_the_service_role_is_refused_everything_else(filled: Ledger, subtests: pytest.Subtests) -> None:
    for statement in REFUSED_TO_THE_SERVICE:
        with (
            subtests.test(statement),
            service(filled) as connection,
            pytest.raises(InsufficientPrivilege),
            connection.transaction(),
        ):
            connection.execute(statement)


def test_temporary_tables_cannot_stand_in_for_the_log(filled: Ledger) -> None:
    """They would let the service role run code with the owner's rights, from a trigger of its own."""
    with service(filled) as connection:
        connection.execute("CREATE TEMP TABLE log_head AS SELECT * FROM log_head")
        connection.execute("CREATE TEMP TABLE events AS SELECT * FROM events LIMIT 0")
        connection.execute(
            "CREATE FUNCTION pg_temp.become_owner() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION 'ran as %', current_user; END $$"
        )
        connection.execute(
            "CREATE TRIGGER mine BEFORE UPDATE ON pg_temp.log_head EXECUTE FUNCTION pg_temp.become_owner()"
        )
        filled.recorder.append(connection, [filled.mapper.to_stored_event(created(pid(500)))])
        connection.execute("DROP TABLE pg_temp.log_head, pg_temp.events")
    assert filled.position() == 101
    assert filled.get(pid(500)).version == 1


@pytest.mark.parametrize(("number", "content"), [(2, b""), (2, b"rubbish"), (2, numbered(3)), (2, numbered(1))])
def test_what_is_no_dictionary_is_refused(filled: Ledger, number: int, content: bytes) -> None:
    with pytest.raises(IntegrityError, match="not a Zstandard dictionary with the number 2"):
        filled.recorder.fetch("insert_dictionary", (number, content))


@pytest.mark.parametrize("number", [1, 3, 0])
def test_dictionaries_are_added_in_order(filled: Ledger, owner: Owner, number: int) -> None:
    filled.recorder.fetch("insert_dictionary", (number, numbered(number)))
    assert rows(owner, "SELECT id, content FROM dictionaries") == [(1, numbered(1))]


def test_the_service_role_appends_and_reads(filled: Ledger) -> None:
    with service(filled) as connection, connection.transaction():
        assert filled.recorder.append(connection, [filled.mapper.to_stored_event(created(pid(500)))]) == [101]
        assert rows(connection, "SELECT count(*) FROM events") == [(101,)]
