"""What somebody put where a program can read nothing: it is reported in its place, and ends no verification."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from audit.any_time import BEYOND, any_time
from audit.publishing import sign_checkpoint, write_tiles
from audit.tlog import keys
from audit.verify import verify
from audit.witnesses import log_copy
from domain.errors import IntegrityFailure
from projections.engine import catch_up
from store.ledger import Ledger
from tests.audit.tampering import C, Owner, told

EVENT = "UPDATE events SET {} WHERE notification_id = 10"
NULL = "ALTER TABLE events ALTER {0} DROP NOT NULL; UPDATE events SET {0} = NULL WHERE notification_id = 10"
NO_LEAF = rf"{C}/4: is not the entry 10 of the ledger's tree"
NOTHING = rf"{C}/4: a column of the stored event holds nothing"

EVENTS = {
    EVENT.format("recorded_at = 'infinity'"): NO_LEAF,
    EVENT.format("recorded_at = '-infinity'"): NO_LEAF,
    EVENT.format("recorded_at = '20000-01-01'"): NO_LEAF,
    EVENT.format("recorded_at = '0044-03-15 BC'"): NO_LEAF,
    EVENT.format("state = ''"): rf"{C}/4: a stored value is damaged",
    EVENT.format("topic = 'x'"): rf"{C}/4: the stored event says it is another one",
    EVENT.format("notification_id = -5"): rf"position -5 \({C}/4\): follows position 0",
    NULL.format("state"): NOTHING,
    NULL.format("topic"): NOTHING,
    NULL.format("recorded_at"): NOTHING,
    NULL.format("notification_id"): NOTHING,
}
OTHERS = {
    "ALTER TABLE events DROP CONSTRAINT events_occurred_at_check;" + EVENT.format("occurred_at = 'infinity'"): (
        rf"{C}/4: column occurred_at 9999-12-31 .* is not the time"
    ),
    "UPDATE snapshots SET topic = 'x'": rf"snapshot {C}/50: the stored event is not one",
    "UPDATE snapshots SET originator_version = -1": rf"snapshot {C}/-1: is not the state",
    "ALTER TABLE snapshots ALTER state DROP NOT NULL; UPDATE snapshots SET state = NULL": rf"snapshot {C}/50: a stored",
    "UPDATE log_head SET recorded_at = 'infinity'": "log_head: says the last event was recorded at infinity",
    "DELETE FROM log_head": "log_head: says the log ends at 0, but its last event is at 60",
    "UPDATE versions SET recorded = 'infinity' WHERE version = 4": rf"versions {C}, row 4, recorded: differs",
    "UPDATE ledger_tiles SET index = 9223372036854775800": "ledger_tiles 0/9223372036854775800: is not where",
    "UPDATE ledger_tiles SET index = -1": "ledger_tiles 0/-1: is not where",
    "UPDATE ledger_tiles SET hashes = ''": "TEST/AAA-AAA-AAA/1: is not the entry 1",
    "ALTER TABLE ledger_tiles ALTER hashes DROP NOT NULL; UPDATE ledger_tiles SET hashes = NULL": "hold 0 leaves",
    "ALTER TABLE log_head ALTER recorded_at DROP NOT NULL; UPDATE log_head SET recorded_at = NULL": (
        "log_head: says the last event was recorded at None"
    ),
    "ALTER TABLE log_head DROP CONSTRAINT log_head_pkey; INSERT INTO log_head SELECT * FROM log_head": (
        "log_head: has 2 rows instead of one"
    ),
    "DELETE FROM projections": "projections: cannot be brought up to date",
    "UPDATE projections SET position = -7": "projections: cannot be brought up to date",
}


@pytest.mark.parametrize("statement", [*EVENTS, *OTHERS])
def test_it_is_reported_in_its_place(filled: Ledger, owner: Owner, statement: str) -> None:
    catch_up(filled)
    owner.execute(statement)
    report = told(verify(filled))
    assert re.search({**EVENTS, **OTHERS}[statement], report), report
    assert "belong to no object" not in report


@pytest.mark.parametrize("statement", list(EVENTS))
def test_it_is_where_the_copy_of_the_log_differs(filled: Ledger, owner: Owner, tmp_path: Path, statement: str) -> None:
    keys.generate(tmp_path / "keys", "museum.example/ledger")
    write_tiles(filled, tmp_path / "copy", bytes(sign_checkpoint(filled, tmp_path / "keys")))
    owner.execute(statement)
    report = told(verify(filled, copy=log_copy(tmp_path / "keys", tmp_path / "copy")))
    assert f"{C}/4: is the first event affected: entry 10 of the ledger was recorded at" in report


def test_times_are_read_as_usual_afterwards(filled: Ledger, owner: Owner) -> None:
    owner.execute("UPDATE events SET recorded_at = 'infinity' WHERE notification_id = 10")
    with filled.connection() as connection:
        for binary in (False, True):
            statement = "SELECT recorded_at FROM events WHERE notification_id IN (9, 10) ORDER BY notification_id"
            with any_time(connection), connection.cursor(binary=binary) as cursor:
                before, beyond = (row["recorded_at"] for row in cursor.execute(statement).fetchall())
            assert beyond == BEYOND
            assert before.utcoffset().total_seconds() == 0
    with pytest.raises(Exception, match="timestamp too large"):
        filled.history(C)
    owner.execute("DELETE FROM log_head")
    with pytest.raises(IntegrityFailure, match="does not say where the log ends"):
        filled.position()
