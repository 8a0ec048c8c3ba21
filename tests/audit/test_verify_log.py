"""Verification finds what was changed in the log, and says where."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import pytest

from audit.verify import verify
from domain.errors import IntegrityFailure
from projections.engine import catch_up
from store.ledger import Ledger
from tests.audit.tampering import (
    A,
    B,
    Owner,
    Tampering,
    flip,
    put,
    rewrite,
    set_,
    store,
    tamper,
    told,
)

LOG: dict[str, tuple[Tampering, str]] = {
    "a byte at the start of a state": (flip(A, 2, 0), rf"{A}/2: .*damaged"),
    "a byte in the middle of a state": (flip(A, 2, 100), rf"{A}/2: "),
    "two states swapped": (
        ("UPDATE events AS e SET state = o.state FROM events AS o WHERE e.originator_id = o.originator_id"
        f" AND e.originator_id = '{A}' AND e.originator_version + o.originator_version = 5"),
        rf"{A}/2: the stored event says it is another one\n(.*\n)*{A}/3: the stored event says it is another one",
    ),
    "states of two objects swapped": (
        ("UPDATE events AS e SET state = o.state FROM events AS o WHERE e.originator_id <> o.originator_id"
        f" AND e.originator_id IN ('{A}', '{B}') AND o.originator_id IN ('{A}', '{B}')"
        " AND e.originator_version = 2 AND o.originator_version = 2"),
        rf"{A}/2: the stored event says it is another one",
    ),
    "the topic": (f"UPDATE events SET topic = 'ods:Tombstone' WHERE originator_id = '{A}'", rf"{A}/1: "),
    "the activity id in the row": (
        f"UPDATE events SET event_id = gen_random_uuid() WHERE originator_id = '{A}' AND originator_version = 2",
        rf"{A}/2: column event_id .* is not the activity",
    ),
    "the occurred time in the row": (
        f"UPDATE events SET occurred_at = '1900-01-01Z' WHERE originator_id = '{A}' AND originator_version = 2",
        rf"{A}/2: column occurred_at 1900",
    ),
    "an event in the middle deleted": (
        f"DELETE FROM events WHERE originator_id = '{A}' AND originator_version = 2",
        rf"position 5 \({B}/2\): follows position 3: .*missing(.*\n)*{A}/3: version 2 is missing",
    ),
    "the first event of an object deleted": (
        f"DELETE FROM events WHERE originator_id = '{A}' AND originator_version = 1",
        rf"{A}/2: the versions before this one are missing",
    ),
    "the last event of all deleted": (
        "DELETE FROM events WHERE notification_id = 60",
        r"log_head: says the log ends at 60, but its last event is at 59",
    ),
    "a whole object deleted": (
        f"DELETE FROM events WHERE originator_id = '{A}'",
        rf"position 2 \({B}/1\): follows position 0",
    ),
    "every event deleted": ("DELETE FROM events", "log_head: says the log ends at 60, but its last event is at 0"),
    "the head of the log": ("UPDATE log_head SET position = 61", "log_head: says the log ends at 61"),
    "two positions swapped": (
        "UPDATE events SET notification_id = 9 - notification_id WHERE notification_id IN (4, 5)",
        r"position 5 .*: recorded .* is earlier than the event before",
    ),
    "a position doubled": (
        "UPDATE events SET notification_id = 4 WHERE notification_id = 5",
        r"position 4 .*: follows position 4: events are missing or doubled",
    ),
    "the order of recorded times": (
        "UPDATE events SET recorded_at = '1999-01-01Z' WHERE notification_id = 5",
        rf"position 5 \({B}/2\): recorded 1999",
    ),
    "an event added": (
        ("INSERT INTO events SELECT originator_id, 4, topic, state, 61, recorded_at, occurred_at, gen_random_uuid()"
        f" FROM events WHERE originator_id = '{A}' AND originator_version = 3"),
        r"log_head: says the log ends at 60, but its last event is at 61",
    ),
    "a value in a patch": (
        rewrite(A, 2, set_(99, "patch", 1, "value")),
        rf"{A}/2: the document has digest|{A}/3: its patch does not apply",
    ),
    "an old value in a patch": (rewrite(A, 2, set_(99, "patch", 0, "value")), rf"{A}/2: its patch does not apply"),
    "a patch emptied": (rewrite(A, 2, set_([], "patch")), rf"{A}/2: the document has digest"),
    "a patch that cannot be undone": (
        rewrite(A, 2, lambda event: event["patch"].pop(0)),
        rf"{A}/2: its patch does not apply or cannot be undone",
    ),
    "the digest": (rewrite(A, 2, set_("0" * 64, "digest")), rf"{A}/2: the document has digest .*, the event says 0000"),
    "the digest's form": (rewrite(A, 3, set_("nothing", "digest")), rf"{A}/3: "),
    "the agent": (
        rewrite(A, 2, set_("https://example.org/somebody-else", "agents", 0, "id")),
        rf"{A}/3: names .* as the event before, which has the hash",
    ),
    "what an event undoes": (
        f"UPDATE events SET undoes = 1 WHERE originator_id = '{A}' AND originator_version = 2",
        rf"{A}/2: column undoes 1 is not the version None",
    ),
    "the type of an object": (
        rewrite(A, 3, set_("ods:DigitalMedia", "type")), rf"{A}/3: says it is of type ods:DigitalMedia",
    ),
    "bytes after an event": (
        f"UPDATE events SET state = state || 'more' WHERE originator_id = '{A}' AND originator_version = 3",
        rf"{A}/3: .*damaged",
    ),
    "another spelling of a number in a patch": (
        rewrite(A, 2, set_(2.0, "patch", 1, "value")), rf"{A}/2: the stored text",
    ),
    "another spelling of a version": (rewrite(A, 2, set_(2.0, "version")), rf"{A}/2: "),
    "another spelling of the schema's version": (
        rewrite(A, 3, lambda event: event.update(event=float(event["event"]))), rf"{A}/3: ",
    ),
    "spaces in the text of an event": (
        lambda ledger, owner: put(owner, A, 3, _spaced(ledger, owner, A, 3)), rf"{A}/3: the stored text .* not as",
    ),
    "metadata of an event": (
        f"UPDATE events SET metadata = '{{}}' WHERE originator_id = '{A}' AND originator_version = 3",
        rf"{A}/3: column metadata holds something",
    ),
    "the positions of an object's versions": (
        ("UPDATE events SET notification_id = CASE notification_id WHEN 4 THEN 7 ELSE 4 END"
        " WHERE notification_id IN (4, 7)"),
        rf"{A}/3: stands at position 4, before the version it follows",
    ),
    "the time at the head of the log": (
        "UPDATE log_head SET recorded_at = 'infinity'", "log_head: says the last event was recorded at infinity",
    ),
    "the version inside": (rewrite(A, 2, set_(3, "version")), rf"{A}/2: the stored event says it is another one"),
    "the object inside": (rewrite(A, 2, set_(B, "object")), rf"{A}/2: the stored event says it is another one"),
}  # fmt: skip


@pytest.mark.parametrize("projected", [True, False], ids=["projected", "not projected"])
@pytest.mark.parametrize("name", list(LOG))
def test_tampering_with_the_log_is_told(filled: Ledger, owner: Owner, name: str, projected: bool) -> None:
    tampering, expected = LOG[name]
    if projected:
        catch_up(filled)
    tamper(filled, owner, tampering)
    report = told(verify(filled))
    assert re.search(expected, report), report


def _spaced(ledger: Ledger, owner: Owner, which: str, version: int) -> bytes:
    row = owner.execute(
        "SELECT state FROM events WHERE originator_id = %s AND originator_version = %s", (which, version)
    ).fetchone()
    assert row is not None
    return ledger.compressor.compress(json.dumps(ledger.mapper.unpack(row[0])).encode())


PROVENANCE: dict[str, tuple[Any, ...]] = {
    "when it started": ("1999-01-01T00:00:00.000000Z", "activity", "started"),
    "when it ended": ("2999-01-01T00:00:00.000000Z", "activity", "ended"),
    "why": ("a forged reason", "activity", "comment"),
    "who": ("https://example.org/forger", "agents", 0, "id"),
    "in what role": ("Approver", "agents", 0, "role"),
    "the schema": ("https://example.org/schema", "schema"),
    "from where": ({"system": "TEST/X", "archive": "f" * 64, "record": "forged", "mapping": "m/1"}, "source"),
}


@pytest.mark.parametrize("version", [2, 3], ids=["in between", "the last"])
@pytest.mark.parametrize("name", list(PROVENANCE))
def test_tampering_with_the_provenance_of_an_event_is_told(
    filled: Ledger, owner: Owner, name: str, version: int
) -> None:
    (stored,) = (event for event in filled.recorder.select_events(A) if event.originator_version == version)
    value = filled.mapper.value_of(stored)
    set_(*PROVENANCE[name])(value)
    owner.execute(
        "UPDATE events SET state = %s WHERE originator_id = %s AND originator_version = %s",
        (filled.mapper.pack(value), A, version),
    )
    assert f"{A}/{version}: its stored bytes are not those that were recorded" in told(verify(filled))
    put(owner, A, version, filled.mapper.pack(value))
    assert (f"{A}/3: names " in told(verify(filled))) == (version == 2), "the last one takes a witness elsewhere"


def test_no_bit_of_an_event_can_be_flipped_unnoticed(filled: Ledger, owner: Owner) -> None:
    (stored,) = filled.recorder.select_range(3, 4)
    said = filled.mapper.text_of(stored.state)
    silent = []
    for place in range(8 * len(stored.state)):
        state = bytearray(stored.state)
        state[place // 8] ^= 1 << place % 8
        with suppress(IntegrityFailure):
            if filled.mapper.text_of(bytes(state)) == said:
                silent.append(bytes(state))
    assert silent, "what a frame holds does not depend on each of its bits, so the text alone would not do"
    for forged in silent:
        owner.execute("UPDATE events SET state = %s WHERE notification_id = 4", (forged,))
        assert f"{A}/2: its stored bytes are not those that were recorded" in told(verify(filled, A))


def test_an_event_without_the_digest_of_its_bytes_is_told(filled: Ledger, owner: Owner) -> None:
    owner.execute("UPDATE events SET state_digest = NULL WHERE notification_id = 4")
    assert f"{A}/2: its stored bytes are not those that were recorded" in told(verify(filled, A))


def test_events_that_belong_to_no_object_are_told(filled: Ledger, owner: Owner) -> None:
    owner.execute("ALTER TABLE events DROP CONSTRAINT events_originator_id_check")
    owner.execute("UPDATE events SET originator_id = '' WHERE notification_id = 60")
    report = told(verify(filled))
    assert "events: 1 of 60 belong to no object that begins at version 1" in report
    owner.execute("DELETE FROM events WHERE originator_id = ''")


MALFORMED = [
    None, [], "text", 7, {}, {"event": 1}, {"event": 99}, {"event": [1]},
    {"activity": None}, {"activity": {"type": "ods:Nonsense"}},
]  # fmt: skip
MALFORMED_PARTS: list[tuple[Any, ...]] = [
    ("x", "activity"), ("x", "activity", "id"), ("x", "activity", "started"), ("x", "occurred"), ("x", "agents"),
    ([{"id": "no iri", "kind": "prov:Person", "role": "Requestor"}], "agents"), ("x", "patch"), ([7], "patch"),
    ([{}], "patch"), ([{"op": "nonsense", "path": ""}], "patch"), ([{"op": "add", "path": "/a"}], "patch"),
    ([{"op": "remove", "path": 7}], "patch"), ([{"op": "move", "path": "/x"}], "patch"), (7, "digest"), ({}, "source"),
    (["a"], "source"), (None, "type"), (99, "event"), ("smuggled in", "note"),
    ("1999-01-01T00:00:00+00:00", "occurred"),
    (None, "previous"), ("0" * 63, "previous"), (7, "previous"), (True, "event"), (1, "event"),
    ([{"op": "test", "path": ""}], "patch"), (0, "undoes"), (2, "undoes"), (True, "undoes"), ("1", "undoes"),
    ([{"op": "copy", "path": "/x", "from": None}], "patch"), ({}, "patch"),
]  # fmt: skip


@pytest.mark.parametrize("projected", [True, False], ids=["projected", "not projected"])
def test_malformed_events_are_told(filled: Ledger, owner: Owner, subtests: pytest.Subtests, projected: bool) -> None:
    if projected:
        catch_up(filled)
    whole = owner.execute("SELECT state FROM events WHERE originator_id = %s AND originator_version = 2", (B,))
    state = whole.fetchone()
    assert state is not None
    for value in MALFORMED:
        with subtests.test(repr(value)):
            tamper(filled, owner, store(B, 2, value))
            assert f"{B}/2" in told(verify(filled))
    for value, *path in MALFORMED_PARTS:
        with subtests.test(f"{path} = {value!r}"):
            put(owner, B, 2, state[0])
            tamper(filled, owner, rewrite(B, 2, set_(value, *path)))
            report = told(verify(filled))
            assert f"{B}/2" in report
    put(owner, B, 2, state[0])
    assert verify(filled).ok
