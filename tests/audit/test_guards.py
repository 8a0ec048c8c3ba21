"""Verification tells when the database no longer guards the log, and what is in its way."""

from __future__ import annotations

import pytest

from audit.verify import verify
from store.ledger import Ledger
from store.migrate import service_role
from tests.audit.tampering import (
    A,
    Owner,
    record,
    told,
)

GUARDS = {
    "a trigger dropped": ("DROP TRIGGER append_only ON events", "events: has no working trigger"),
    "a trigger disabled": ("ALTER TABLE events_p03 DISABLE TRIGGER append_only", "events_p03: has no working trigger"),
    "a dictionary's trigger dropped": ("DROP TRIGGER append_only ON dictionaries", "dictionaries: has no working"),
    "a trigger that does less": (
        ("CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE ON events_p07 FOR EACH STATEMENT"
        " EXECUTE FUNCTION refuse_change()"),
        "events_p07: has no working trigger",
    ),
    "rights on the log": ("GRANT INSERT, DELETE ON events TO {role}", "service role, which has DELETE, INSERT on it"),
    "rights on its head": ("GRANT UPDATE ON log_head TO PUBLIC", "log_head: can be written by the service role"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(GUARDS))
def test_a_guard_taken_away_is_told(filled: Ledger, owner: Owner, name: str) -> None:
    statement, expected = GUARDS[name]
    owner.execute(statement.format(role=service_role(filled.settings.ledger)).encode())
    assert expected in told(verify(filled))


def test_a_useless_dictionary_stops_nothing_and_is_told(ledger: Ledger) -> None:
    ledger.recorder.fetch("insert_dictionary", (1, bytes.fromhex("37a430ec01000000aabbccdd")))
    with Ledger.open(ledger.settings) as again:
        record(again, A, country="Kenya")
        assert again.get(A).version == 1
        assert "dictionaries 1: compression dictionary 1 in the database is damaged" in told(verify(again))
        again.learn_to_compress([f"a text to learn from {n} {n * n} {'and more' * 200}".encode() for n in range(2000)])
        assert again.compressor.dictionary_id == 2
