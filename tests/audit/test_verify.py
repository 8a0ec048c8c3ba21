"""Verification finds what was changed behind the store's back, and says where; and what it cannot find."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import sql

from audit.verify import Verification, verify
from domain.agents import person
from domain.canonical import digest
from domain.digital_object import DigitalObject, Provenance, project
from domain.errors import NotFound
from projections.engine import catch_up, rebuild
from store.ledger import Ledger, due_snapshots

Owner = psycopg.Connection[Any]
Tampering = str | Callable[[Ledger, Owner], None]

SPECIMEN = "ods:DigitalSpecimen"
A, B, C = "TEST/AAA-AAA-AAA", "TEST/BBB-BBB-BBB", "TEST/CCC-CCC-CCC"


def by(identifier: str = "https://orcid.org/0000-0002-1825-0097") -> Provenance:
    return Provenance((person(identifier),), comment="as the label says")


def record(ledger: Ledger, which: str, **terms: Any) -> None:
    document = {"@type": SPECIMEN, **{f"dwc:{name}": value for name, value in terms.items()}}
    known = ledger.versions_at([which])
    state = ledger.get(which) if known else None
    ledger.record(state, state.update(document, by()) if state else DigitalObject.create(which, document, by()))


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    """A (positions 1, 4, 7), B (2, 5, 8) and C (3, 6, 9 ... 60, with a snapshot of version 50)."""
    for version in range(1, 4):
        for which in (A, B, C):
            record(ledger, which, individualCount=version, country="Kenya", disposition=version > 1, preparations=["a"])
    for first, last in ((4, 50), (51, 54)):
        state: DigitalObject | None = ledger.get(C)
        assert state is not None
        snapshots, events = due_snapshots([ledger.get(C)]), []
        for version in range(first, last + 1):
            document = {"@type": SPECIMEN, "dwc:individualCount": version, "dwc:disposition": True}
            events.append(state.update(document, by()))
            state = project(state, events[-1:])
            assert state is not None
        ledger.append(events, snapshots=snapshots)
    return ledger


@pytest.fixture
def owner(filled: Ledger) -> Iterator[Owner]:
    """Somebody with every right, whom no trigger stops."""
    with psycopg.connect(filled.conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(filled.settings.ledger)))
        connection.execute("SET session_replication_role = replica")
        yield connection


def rewrite(which: str, version: int, change: Callable[[dict[str, Any]], Any]) -> Tampering:
    """Change what one event says, and compress it again as the store would."""

    def tamper(ledger: Ledger, owner: Owner) -> None:
        row = owner.execute(
            "SELECT state FROM events WHERE originator_id = %s AND originator_version = %s", (which, version)
        ).fetchone()
        assert row is not None
        value = ledger.mapper.unpack(row[0])
        change(value)
        _put(owner, which, version, ledger.mapper.pack(value))

    return tamper


def store(which: str, version: int, value: Any) -> Tampering:
    """Put another JSON value in the place of one event."""
    return lambda ledger, owner: _put(owner, which, version, ledger.mapper.pack(value))


def flip(which: str, version: int, place: int) -> Tampering:
    """Change one byte of the stored bytes."""

    def tamper(ledger: Ledger, owner: Owner) -> None:
        owner.execute(
            "UPDATE events SET state = set_byte(state, %(at)s, get_byte(state, %(at)s) # 85) "
            "WHERE originator_id = %(pid)s AND originator_version = %(version)s",
            {"at": place, "pid": which, "version": version},
        )

    return tamper


def _put(owner: Owner, which: str, version: int, state: bytes) -> None:
    owner.execute(
        "UPDATE events SET state = %s WHERE originator_id = %s AND originator_version = %s", (state, which, version)
    )


def tamper(ledger: Ledger, owner: Owner, tampering: Tampering) -> None:
    if isinstance(tampering, str):
        assert owner.execute(tampering).rowcount > 0, "this changes nothing"  # type: ignore[call-overload]
    else:
        tampering(ledger, owner)


def told(found: Verification) -> str:
    return "\n".join(f"{problem.where}: {problem.what}" for problem in found.problems)


def _set(value: Any, *path: Any) -> Callable[[dict[str, Any]], Any]:
    def change(event: dict[str, Any]) -> None:
        target: Any = event
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return change


# -- sound ----------------------------------------------------------------------------------------


def test_an_untouched_store_adds_up(filled: Ledger) -> None:
    seen: list[int] = []
    found = verify(filled, progress=lambda done, _total: seen.append(done))
    assert found.to_json() == {"ok": True, "objects": 3, "events": 60, "position": 60, "problems": []}
    assert seen == [60]


def test_an_empty_store_adds_up(ledger: Ledger) -> None:
    assert verify(ledger).to_json() == {"ok": True, "objects": 0, "events": 0, "position": 0, "problems": []}


def test_one_object_can_be_verified_alone(filled: Ledger, owner: Owner) -> None:
    tamper(filled, owner, rewrite(B, 2, _set("0" * 64, "digest")))
    assert verify(filled, A).to_json()["ok"]
    assert verify(filled, A).events == 3
    assert f"{B}/2" in told(verify(filled, B))
    with pytest.raises(NotFound):
        verify(filled, "TEST/ZZZ-ZZZ-ZZZ")


def test_many_objects_are_verified_in_parts(filled: Ledger, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.verify.STREAMS", 2)
    assert verify(filled).events == 60
    tamper(filled, owner, rewrite(C, 54, _set("0" * 64, "digest")))
    assert f"{C}/54" in told(verify(filled))


def test_verification_goes_on_after_a_problem(filled: Ledger, owner: Owner) -> None:
    for which in (A, B, C):
        tamper(filled, owner, rewrite(which, 2, _set("0" * 64, "digest")))
    report = told(verify(filled))
    assert all(f"{which}/2: the document has digest" in report for which in (A, B, C))


def test_others_may_write_meanwhile(filled: Ledger) -> None:
    stop = threading.Event()

    def write(which: str) -> None:
        number = 100
        while not stop.is_set():
            number += 1
            record(filled, which, individualCount=number)
            if number % 3 == 0:
                catch_up(filled)

    with ThreadPoolExecutor(2) as threads:
        writing = [threads.submit(write, which) for which in (A, B)]
        try:
            for _ in range(10):
                assert told(verify(filled)) == ""
        finally:
            stop.set()
        for each in writing:
            each.result()


# -- the log --------------------------------------------------------------------------------------

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
        rewrite(A, 2, _set(99, "patch", 1, "value")),
        rf"{A}/2: the document has digest|{A}/3: its patch does not apply",
    ),
    "an old value in a patch": (rewrite(A, 2, _set(99, "patch", 0, "value")), rf"{A}/2: its patch does not apply"),
    "a patch emptied": (rewrite(A, 2, _set([], "patch")), rf"{A}/2: the document has digest"),
    "a patch that cannot be undone": (
        rewrite(A, 2, lambda event: event["patch"].pop(0)),
        rf"{A}/2: its patch does not apply or cannot be undone",
    ),
    "the digest": (rewrite(A, 2, _set("0" * 64, "digest")), rf"{A}/2: the document has digest .*, the event says 0000"),
    "the digest's form": (rewrite(A, 3, _set("nothing", "digest")), rf"{A}/3: "),
    "the agent": (
        rewrite(A, 2, _set("https://example.org/somebody-else", "agents", 0, "id")),
        rf"{A}/3: names .* as the event before, which has the hash",
    ),
    "what an event undoes": (
        f"UPDATE events SET undoes = 1 WHERE originator_id = '{A}' AND originator_version = 2",
        rf"{A}/2: column undoes 1 is not the version None",
    ),
    "the version inside": (rewrite(A, 2, _set(3, "version")), rf"{A}/2: the stored event says it is another one"),
    "the object inside": (rewrite(A, 2, _set(B, "object")), rf"{A}/2: the stored event says it is another one"),
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
            _put(owner, B, 2, state[0])
            tamper(filled, owner, rewrite(B, 2, _set(value, *path)))
            report = told(verify(filled))
            assert f"{B}/2" in report
    _put(owner, B, 2, state[0])
    assert verify(filled).ok


# -- what is derived ------------------------------------------------------------------------------

DERIVED = {
    "a snapshot of another version": (
        "UPDATE snapshots SET originator_version = 49", rf"snapshot {C}/49: is not the state",
    ),
    "a snapshot of a version that is not there": (
        "UPDATE snapshots SET originator_version = 99", rf"snapshot {C}/99: is not the state",
    ),
    "a snapshot of another object": (
        f"UPDATE snapshots SET originator_id = '{A}'", rf"snapshot {A}/50: is not the state",
    ),
    "a snapshot of no object": ("UPDATE snapshots SET originator_id = 'TEST/X'", r"snapshots TEST/X/50: has no event"),
    "a snapshot destroyed": ("UPDATE snapshots SET state = ''", rf"snapshot {C}/50: .*damaged"),
    "the version of an object": (f"UPDATE objects SET version = 9 WHERE pid = '{A}'", rf"objects {A}, row 1, column 3"),
    "whether it is tombstoned": (f"UPDATE objects SET tombstoned = true WHERE pid = '{A}'", rf"objects {A}, row 1"),
    "the digest of an object": (f"UPDATE objects SET digest = '' WHERE pid = '{A}'", rf"objects {A}, row 1, column 5"),
    "the document of an object": (
        f"UPDATE objects SET document = (SELECT document FROM objects WHERE pid = '{C}') WHERE pid = '{A}'",
        rf"objects {A}, row 1, column 6",
    ),
    "the document of an object destroyed": (
        f"UPDATE objects SET document = 'rubbish' WHERE pid = '{A}'", rf"objects {A}, row 1, column 6",
    ),
    "an object's row deleted": (f"DELETE FROM objects WHERE pid = '{A}'", rf"objects {A}: 0 rows, the log gives 1"),
    "an object nobody created": (
        ("INSERT INTO objects SELECT 'TEST/X', type, version, tombstoned, digest, document, created_at, recorded,"
        " occurred FROM objects LIMIT 1"),
        r"objects TEST/X: has no event in the log",
    ),
    "the agents of a version": (
        f"UPDATE versions SET agents = '[]' WHERE pid = '{A}' AND version = 2", rf"versions {A}, row 2, column 8",
    ),
    "the terms of a version": (f"UPDATE versions SET terms = '{{}}' WHERE pid = '{A}'", rf"versions {A}, row 2"),
    "a version deleted": (
        f"DELETE FROM versions WHERE pid = '{A}' AND version = 2", rf"versions {A}: 2 rows, the log gives 3",
    ),
    "a version too many": (
        ("INSERT INTO versions SELECT pid, 4, position, activity, activity_type, recorded, occurred, agents, comment,"
        f" cause_kind, cause_id, source, digest, terms FROM versions WHERE pid = '{A}' AND version = 3"),
        rf"versions {A}: 4 rows, the log gives 3\n(.*\n)*versions {A}/4: has no event in the log",
    ),
    "the new value of a term": (f"UPDATE terms SET new = '7' WHERE pid = '{A}'", rf"terms {A}, row 1, column 8"),
    "where a term stands": (
        f"UPDATE terms SET standing = '/dwc:x' WHERE pid = '{A}' AND version = 3", rf"terms {A}, row \d, column 6",
    ),
    "a term deleted": (f"DELETE FROM terms WHERE pid = '{A}' AND version = 3", rf"terms {A}: \d rows"),
    "a key of no object": (
        "INSERT INTO natural_keys VALUES ('s', 't', 'k', 'TEST/X')", r"natural_keys TEST/X: has no event in the log",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(DERIVED))
def test_tampering_with_what_is_derived_is_told(filled: Ledger, owner: Owner, name: str) -> None:
    catch_up(filled)
    statement, expected = DERIVED[name]
    tamper(filled, owner, statement)
    report = told(verify(filled))
    assert re.search(expected, report), report
    owner.execute("TRUNCATE snapshots, natural_keys")
    rebuild(filled)
    assert verify(filled).ok, "the log is sound, so everything can be made again"


@pytest.mark.parametrize("value", [
    {"document": {"@type": SPECIMEN, "dwc:individualCount": 7}}, {"tombstoned": True},
    {"recorded": "1999-01-01T00:00:00.000000Z"}, {"recorded": None}, {"created": "x"}, {"document": None},
    {"type": "ods:DigitalMedia"},
])  # fmt: skip
def test_a_snapshot_that_says_something_else_is_told(filled: Ledger, owner: Owner, value: dict[str, Any]) -> None:
    _rewrite_snapshot(filled, owner, lambda snapshot: snapshot.update(value))
    assert f"snapshot {C}/50: " in told(verify(filled))


def test_a_snapshot_with_one_for_true_is_told(filled: Ledger, owner: Owner) -> None:
    _rewrite_snapshot(filled, owner, lambda snapshot: snapshot["document"].update({"dwc:disposition": 1}))
    assert f"snapshot {C}/50: is not the state" in told(verify(filled))


@pytest.mark.parametrize("value", [None, [], {}, "x"])
def test_a_snapshot_that_is_none_is_told(filled: Ledger, owner: Owner, value: Any) -> None:
    owner.execute("UPDATE snapshots SET state = %s", (filled.mapper.pack(value),))
    assert f"snapshot {C}/50: " in told(verify(filled))


def _rewrite_snapshot(ledger: Ledger, owner: Owner, change: Callable[[dict[str, Any]], Any]) -> None:
    row = owner.execute("SELECT state FROM snapshots").fetchone()
    assert row is not None
    value = ledger.mapper.unpack(row[0])
    change(value)
    owner.execute("UPDATE snapshots SET state = %s", (ledger.mapper.pack(value),))


def test_rows_in_the_way_of_a_projection_are_told(filled: Ledger, owner: Owner) -> None:
    catch_up(filled)
    tamper(filled, owner, DERIVED["a version too many"][0])
    record(filled, A, individualCount=4)
    report = told(verify(filled))
    assert "projections: cannot be brought up to date" in report
    assert f"versions {A}" in report


# -- what no look at the store itself can tell ----------------------------------------------------
# Whoever can change everything can write another, consistent history. Only a checkpoint that is kept
# elsewhere gives that away (DESIGN section 7); these tests say so until there is one.


def _forget_the_last_event(ledger: Ledger, owner: Owner) -> None:
    owner.execute("DELETE FROM events WHERE notification_id = 60")
    owner.execute("UPDATE log_head SET position = 59")


def _say_that_somebody_else_did_it_last(ledger: Ledger, owner: Owner) -> None:
    tamper(ledger, owner, rewrite(A, 3, _set("https://example.org/somebody-else", "agents", 0, "id")))


def _rewrite_the_last_version(ledger: Ledger, owner: Owner) -> None:
    def change(event: dict[str, Any]) -> None:
        document = {**ledger.get(C).document, "dwc:individualCount": 99}
        event["patch"][-1]["value"] = 99
        event["digest"] = digest(document)

    tamper(ledger, owner, rewrite(C, 54, change))


def _shift_recorded_times(ledger: Ledger, owner: Owner) -> None:
    owner.execute("DELETE FROM snapshots")
    owner.execute("UPDATE events SET recorded_at = recorded_at - interval '1 year'")


@pytest.mark.parametrize(
    "tampering",
    [_forget_the_last_event, _say_that_somebody_else_did_it_last, _rewrite_the_last_version, _shift_recorded_times],
)
def test_a_consistent_forgery_needs_a_checkpoint_to_be_found(
    filled: Ledger, owner: Owner, tampering: Callable[[Ledger, Owner], None]
) -> None:
    catch_up(filled)
    tampering(filled, owner)
    assert not verify(filled).ok, "the projections still remember"
    rebuild(filled)
    assert verify(filled).ok
