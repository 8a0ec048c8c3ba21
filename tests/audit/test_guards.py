"""Verification tells when the database no longer guards the log, and what is in its way."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import guards
from audit.verify import verify
from store.ledger import Ledger
from store.migrate import service_role
from store.settings import Settings
from tests.audit.tampering import (
    A,
    Owner,
    record,
    told,
)

EXPECTED = Path(guards.__file__).parent / "expected_guards.json"
NO_LONGER, NEW = "no longer has what the migrations made: ", "has what no migration made: "
REFUSE = "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"
APPEND = """
    DO $$
    DECLARE body text := (SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p WHERE proname = 'append_events'
                             AND pronamespace = current_schema()::regnamespace);
    BEGIN EXECUTE replace(body, 'clock_timestamp()', 'now()'); END $$"""
SECRET = "CREATE TRIGGER zz_log AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
GUARDS = {
    "a trigger dropped": ("DROP TRIGGER append_only ON events", f"events: {NO_LONGER}CREATE TRIGGER append_only"),
    "a trigger disabled": ("ALTER TABLE events_p03 DISABLE TRIGGER append_only", f"events_p03: {NO_LONGER}CREATE TRIG"),
    "a trigger that replication passes": (
        "ALTER TABLE events ENABLE REPLICA TRIGGER append_only",
        f"events: {NO_LONGER}CREATE TRIG",
    ),
    "a dictionary's trigger dropped": ("DROP TRIGGER append_only ON dictionaries", f"dictionaries: {NO_LONGER}CREATE"),
    "a checkpoint's trigger dropped": ("DROP TRIGGER append_only ON checkpoints", f"checkpoints: {NO_LONGER}CREATE"),
    "a trigger that does less": (
        ("CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE ON events_p07 FOR EACH STATEMENT"
        " EXECUTE FUNCTION refuse_change()"),
        f"events_p07: {NO_LONGER}CREATE TRIGGER append_only BEFORE DELETE OR",
    ),
    "a trigger that never fires": (
        ("CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events FOR EACH STATEMENT"
        " WHEN (false) EXECUTE FUNCTION refuse_change()"),
        f"events: {NEW}CREATE TRIGGER append_only",
    ),
    "one trigger more": (SECRET.format(table="events"), f"events: {NEW}CREATE TRIGGER zz_log"),
    "one trigger more on a source's statements": (
        SECRET.format(table="source_records"),
        f"source_records: {NEW}CREATE TRIGGER zz_log",
    ),
    "a rule": ("CREATE RULE quiet AS ON UPDATE TO runs DO INSTEAD NOTHING", f"runs: {NEW}CREATE RULE quiet"),
    "a guard that lets through": (REFUSE, f"refuse_change: {NEW}()"),
    "another way to append": (APPEND, f"append_events: {NEW}(ids text[]"),
    "one more way to append": (
        "CREATE FUNCTION append_events() RETURNS void LANGUAGE sql AS 'SELECT'", f"append_events: {NEW}() returns void",
    ),
    "the key of the log dropped": (
        "ALTER TABLE events DROP CONSTRAINT events_pkey", f"events: {NO_LONGER}PRIMARY KEY (originator_id, originator",
    ),
    "a unique index dropped": ("DROP INDEX events_event_id", f"events: {NO_LONGER}CREATE UNIQUE INDEX ON"),
    "the key of PIDs dropped": ("DROP INDEX natural_keys_pid", f"natural_keys: {NO_LONGER}CREATE UNIQUE INDEX ON"),
    "the one row of the head": ("ALTER TABLE log_head DROP CONSTRAINT log_head_pkey", f"log_head: {NO_LONGER}PRIMARY"),
    "a column that may be empty": (
        "ALTER TABLE events ALTER COLUMN state DROP NOT NULL", f"events: {NO_LONGER}state bytea NOT NULL",
    ),
    "one column more": ("ALTER TABLE events ADD COLUMN remark text", f"events: {NEW}remark text"),
    "a partition detached": ("ALTER TABLE events DETACH PARTITION events_p05", "events: has 15 partitions instead of"),
    "rows hidden": ("ALTER TABLE runs ENABLE ROW LEVEL SECURITY", f"runs: {NEW}row security"),
    "rights on the log": ("GRANT INSERT, DELETE ON events TO {role}", "service role, which has DELETE, INSERT on it"),
    "rights on its head": ("GRANT UPDATE ON log_head TO PUBLIC", "log_head: can be written by the service role"),
    "rights on checkpoints": ("GRANT DELETE ON checkpoints TO {role}", "checkpoints: can be written by the service"),
    "rights on a partition": ("GRANT INSERT ON events_p03 TO {role}", "events_p03: can be written by the service"),
    "rights on a column": ("GRANT UPDATE (state) ON events TO {role}", "service role, which has UPDATE on it"),
    "rights on a column of the head": ("GRANT UPDATE (position) ON log_head TO {role}", "service role, which has UPD"),
    "rights of everybody": ("GRANT UPDATE (note) ON checkpoints TO PUBLIC", "written by everybody, with UPDATE on it"),
    "rights of a stranger": ("GRANT DELETE ON events TO pg_monitor", "can be written by pg_monitor, with DELETE on it"),
    "the schema given away": ("ALTER SCHEMA {ledger} OWNER TO {role}", "belongs to the service role, or lets it make"),
    "things made in the schema": ("GRANT CREATE ON SCHEMA {ledger} TO PUBLIC", "or lets it make things there"),
    "a function given away": ("ALTER FUNCTION refuse_change() OWNER TO {role}", "refuse_change: belongs to the servi"),
    "functions for everybody": (
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {ledger} TO PUBLIC", "append_events: can be called by everybody",
    ),
    "a child of a table": ("CREATE TABLE more () INHERITS (runs)", f"runs: {NEW}rows of the table"),
    "what a crash would empty": ("ALTER TABLE source_records SET UNLOGGED", "is not written to the log of the server"),
    "a trigger on a projection": (SECRET.format(table="objects"), f"objects: {NEW}CREATE TRIGGER zz_log"),
    "a function that stands in for another": (
        ("""CREATE FUNCTION format(text, text, "char") RETURNS text LANGUAGE sql AS
          $$ SELECT replace(pg_catalog.format($1, $2, $3), 'enabled D', 'enabled O') $$;"""
        "ALTER TABLE events DISABLE TRIGGER append_only"),
        f"events: {NO_LONGER}CREATE TRIGGER append_only",
    ),
    "a function of a stranger": (
        "CREATE FUNCTION length(text) RETURNS int LANGUAGE sql AS 'SELECT 1'", f"length: {NEW}(text)",
    ),
    "an operator of a stranger": (
        ("CREATE FUNCTION alike(text, bytea) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
        "CREATE OPERATOR = (LEFTARG = text, RIGHTARG = bytea, FUNCTION = alike)"), f"operators: {NEW}",
    ),
    "logins that fire no triggers": (
        "ALTER ROLE {role} SET session_replication_role = 'replica'", "is not 'origin' for logins as ",
    ),
}  # fmt: skip


@pytest.fixture
def ledger(unmigrated: Settings) -> Iterator[Ledger]:
    """A ledger with a role of its own, which is altered here."""
    with Ledger.open(unmigrated) as opened:
        yield opened


def test_a_ledger_enforces_what_is_written_down(ledger: Ledger) -> None:
    with ledger.connection() as connection:
        found = json.dumps(guards.general(guards.inventory(connection)), indent=1) + "\n"
    if os.environ.get("WRITE_EXPECTED_SCHEMA"):
        EXPECTED.write_text(found)
    assert found == EXPECTED.read_text(), "if it is meant: WRITE_EXPECTED_SCHEMA=1 pytest tests/audit/test_guards.py"


@pytest.mark.parametrize("name", list(GUARDS))
def test_a_guard_taken_away_is_told(filled: Ledger, owner: Owner, name: str) -> None:
    statement, expected = GUARDS[name]
    ledger = filled.settings.ledger
    owner.execute(statement.replace("{role}", service_role(ledger)).replace("{ledger}", ledger).encode())
    assert expected in told(verify(filled))


def test_a_session_that_fires_no_triggers_is_told(filled: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the server's own configuration says so."""
    with filled.connection() as connection:
        connection.execute("RESET ROLE")
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL session_replication_role = 'replica'")
            problems = list(guards.guard_problems(connection))
        connection.execute(f"SET ROLE {service_role(filled.settings.ledger)}".encode())
    assert any("for this session" in what for _, what in problems)


def test_an_object_that_is_only_in_the_index_of_search_is_told(filled: Ledger, owner: Owner) -> None:
    assert verify(filled).ok
    owner.execute(
        "INSERT INTO search (pid, from_position, type, tombstoned, name, text, facets)"
        " SELECT 'TEST/XXX-XXX-XXX', from_position, type, false, 'Forged', 'forged', facets FROM search LIMIT 1"
    )
    assert "search TEST/XXX-XXX-XXX: has no event in the log" in told(verify(filled))


def test_a_useless_dictionary_stops_nothing_and_is_told(ledger: Ledger) -> None:
    ledger.recorder.fetch("insert_dictionary", (1, bytes.fromhex("37a430ec01000000aabbccdd")))
    with Ledger.open(ledger.settings) as again:
        record(again, A, country="Kenya")
        assert again.get(A).version == 1
        assert "dictionaries 1: compression dictionary 1 in the database is damaged" in told(verify(again))
        again.learn_to_compress([f"a text to learn from {n} {n * n} {'and more' * 200}".encode() for n in range(2000)])
        assert again.compressor.dictionary_id == 2
