"""Verification of a store that is sound, and what it says of what is derived."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from audit.verify import verify
from domain.errors import NotFound
from projections.engine import catch_up, rebuild
from store.ledger import Ledger
from tests.audit.tampering import (
    SPECIMEN,
    A,
    B,
    C,
    Owner,
    record,
    rewrite,
    set_,
    tamper,
    told,
)

# -- sound ----------------------------------------------------------------------------------------


def test_an_untouched_store_adds_up(filled: Ledger) -> None:
    seen: list[int] = []
    found = verify(filled, progress=lambda done, _total: seen.append(done))
    assert found.to_json() == {"ok": True, "objects": 3, "events": 60, "position": 60, "problems": []}
    assert seen == [60]


def test_an_empty_store_adds_up(ledger: Ledger) -> None:
    assert verify(ledger).to_json() == {"ok": True, "objects": 0, "events": 0, "position": 0, "problems": []}


def test_one_object_can_be_verified_alone(filled: Ledger, owner: Owner) -> None:
    tamper(filled, owner, rewrite(B, 2, set_("0" * 64, "digest")))
    assert verify(filled, A).to_json()["ok"]
    assert verify(filled, A).events == 3
    assert f"{B}/2" in told(verify(filled, B))
    with pytest.raises(NotFound):
        verify(filled, "TEST/ZZZ-ZZZ-ZZZ")


def test_many_objects_are_verified_in_parts(filled: Ledger, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.streams.STREAMS", 2)
    assert verify(filled).events == 60
    tamper(filled, owner, rewrite(C, 54, set_("0" * 64, "digest")))
    assert f"{C}/54" in told(verify(filled))


def test_large_objects_are_verified_in_smaller_parts(
    filled: Ledger, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: list[int] = []
    monkeypatch.setattr("audit.streams.STREAM_BYTES", 3000)
    verify(filled, progress=lambda done, _total: parts.append(done))
    assert parts == [3, 6, 60], "one object at a time, and at least one"
    tamper(filled, owner, rewrite(C, 54, set_("0" * 64, "digest")))
    assert f"{C}/54" in told(verify(filled))


def test_verification_goes_on_after_a_problem(filled: Ledger, owner: Owner) -> None:
    for which in (A, B, C):
        tamper(filled, owner, rewrite(which, 2, set_("0" * 64, "digest")))
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
    "the version of an object": (f"UPDATE objects SET version = 9 WHERE pid = '{A}'", rf"objects {A}, row 1, version"),
    "whether it is tombstoned": (f"UPDATE objects SET tombstoned = true WHERE pid = '{A}'", rf"objects {A}, row 1"),
    "the digest of an object": (f"UPDATE objects SET digest = '' WHERE pid = '{A}'", rf"objects {A}, row 1, digest: "),
    "the document of an object": (
        f"UPDATE objects SET document = (SELECT document FROM objects WHERE pid = '{C}') WHERE pid = '{A}'",
        rf"objects {A}, row 1, document: ",
    ),
    "the document of an object destroyed": (
        f"UPDATE objects SET document = 'rubbish' WHERE pid = '{A}'", rf"objects {A}, row 1, document: ",
    ),
    "an object's row deleted": (f"DELETE FROM objects WHERE pid = '{A}'", rf"objects {A}: 0 rows, the log gives 1"),
    "an object nobody created": (
        ("INSERT INTO objects SELECT 'TEST/X', type, version, tombstoned, digest, document, created_at, recorded,"
        " occurred FROM objects LIMIT 1"),
        r"objects TEST/X: has no event in the log",
    ),
    "the agents of a version": (
        f"UPDATE versions SET agents = '[]' WHERE pid = '{A}' AND version = 2", rf"versions {A}, row 2, agents: ",
    ),
    "the terms of a version": (f"UPDATE versions SET terms = '{{}}' WHERE pid = '{A}'", rf"versions {A}, row 2"),
    "a version deleted": (
        f"DELETE FROM versions WHERE pid = '{A}' AND version = 2", rf"versions {A}: 2 rows, the log gives 3",
    ),
    "a version too many": (
        ("INSERT INTO versions SELECT pid, 4, position, activity, activity_type, recorded, occurred, agents, comment,"
        " cause_kind, cause_id, source, digest, terms, undoes"
        f" FROM versions WHERE pid = '{A}' AND version = 3"),
        rf"versions {A}: 4 rows, the log gives 3\n(.*\n)*versions {A}/4: has no event in the log",
    ),
    "the new value of a term": (f"UPDATE terms SET new = '7' WHERE pid = '{A}'", rf"terms {A}, row 1, new: "),
    "where a term stands": (
        f"UPDATE terms SET standing = '/dwc:x' WHERE pid = '{A}' AND version = 3", rf"terms {A}, row \d, standing: ",
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
    rebuild(filled, accept_differences=True)
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
