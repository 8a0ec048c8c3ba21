"""Verification finds what was altered beside the log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from audit import self_check
from audit import verify as verifying
from audit.findings import Finding
from audit.verify import verify
from domain.canonical import digest
from sources.synchronisation import revert as reverting
from sources.synchronisation import runs
from sources.synchronisation.candidates import open_source
from sources.synchronisation.revert import revert
from sources.synchronisation.synchronise import Options, find, synchronise
from store.ledger import Ledger
from tests.audit.tampering import by, told
from tests.conftest import SAMPLES
from tests.synchronisation.sync_support import sync

ALTERATIONS = {
    "a key leads elsewhere": (
        "UPDATE natural_keys SET key = key || ' altered' WHERE key = 'YPM 1980'",
        "YPM 1980",
    ),
    "a key is gone": ("DELETE FROM natural_keys WHERE key = 'YPM 1980'", "no key leads to it"),
    "a source said something else": (
        "UPDATE source_records SET document_digest = '\\x00' WHERE key = 'YPM 1980'",
        "has another digest",
    ),
    "a source said it of another version": (
        "UPDATE source_records SET version = 1 WHERE key = 'YPM 1980'",
        "has another digest",
    ),
    "a source's statement is gone": ("DELETE FROM source_records WHERE key = 'YPM 1980'", "is missing"),
    "a source's own key is gone": (
        "DELETE FROM natural_keys WHERE source = '' AND key = 'famous'",
        "or is one, but no key",
    ),
    "a run began from another version": (
        "UPDATE run_items SET version_before = NULL WHERE key = 'YPM 1980' AND version_after = 2",
        "from version 0 to 2",
    ),
    "a run read another archive": (
        "UPDATE runs SET archive = repeat('f', 64) WHERE started_at = (SELECT max(started_at) FROM runs)",
        "its events say",
    ),
    "a run used another mapping": (
        "UPDATE runs SET mapping = 'none/1' WHERE started_at = (SELECT max(started_at) FROM runs)",
        "its events say",
    ),
    "the source has another name": (
        "UPDATE natural_keys SET key = 'infamous' WHERE source = '' AND key = 'famous'",
        "is ods:SourceSystem infamous of the store, but its first version says ods:SourceSystem famous",
    ),
    "a source said it of a version that is not there": (
        "UPDATE source_records SET version = 99 WHERE key = 'YPM 1980'",
        "source_records ods:DigitalSpecimen YPM 1980: points to a version that cannot be rebuilt",
    ),
    "an item has another outcome": (
        "UPDATE run_items SET outcome = 'restored' WHERE key = 'YPM 1980' AND version_after = 2",
        "says restored, but the event is ods:Update",
    ),
    "an item is of another record": (
        "UPDATE run_items SET key = 'YPM 1' WHERE key = 'YPM 1980' AND version_after = 2",
        "says ods:DigitalSpecimen YPM 1, which is not what",
    ),
    "an item stands there twice": (
        (
            "INSERT INTO run_items (run, type, key, place, outcome, pid, version_before, version_after)"
            " SELECT run, type, key, 'elsewhere', outcome, pid, version_before, version_after FROM run_items"
            " WHERE key = 'YPM 1980' AND version_after = 2"
        ),
        "2 times",
    ),
    "what a reversal would put back": (
        (
            "UPDATE run_items SET previous = jsonb_set(previous, '{document_digest}', to_jsonb(repeat('0', 64)))"
            " WHERE key = 'YPM 1980' AND version_after = 2"
        ),
        "previous: has another digest than version 1",
    ),
    "what a reversal would put back is of another": (
        (
            "UPDATE run_items SET previous = jsonb_set(previous, '{key}', '\"YPM 1\"')"
            " WHERE key = 'YPM 1980' AND version_after = 2"
        ),
        "previous: is of ods:DigitalSpecimen YPM 1",
    ),
    "what a reversal would put back is nothing": (
        "UPDATE run_items SET previous = '{}' WHERE key = 'YPM 1980' AND version_after = 2",
        "previous: is no statement of a source",
    ),
    "a run is a reversal": (
        "UPDATE runs SET kind = 'revert' WHERE started_at = (SELECT max(started_at) FROM runs)",
        "is of kind revert, but its events say that it is a run",
    ),
    "a run is said to be reverted": (
        "UPDATE runs SET reverted_by = id WHERE started_at = (SELECT max(started_at) FROM runs)",
        "the reversals say otherwise",
    ),
    "a run did not do it": ("DELETE FROM run_items WHERE key = 'YPM 1980' AND version_after = 2", "do not list"),
    "a record is said to be gone": (
        "UPDATE source_records SET present = false WHERE key = 'YPM 1980'",
        "is said to be gone from its source",
    ),
    "a statement of no run": (
        "UPDATE source_records SET run = gen_random_uuid() WHERE key = 'YPM 1980'",
        "which is none of its source",
    ),
    "a reversal would put nothing back": (
        "UPDATE run_items SET previous = NULL WHERE key = 'YPM 1980' AND version_after = 2",
        "says updated, but not what the source had said before",
    ),
    "a run did something else": (
        "UPDATE run_items SET version_after = 9 WHERE key = 'YPM 1980' AND version_after = 2",
        "is no event of this run",
    ),
}


@pytest.fixture
def owner(ledger: Ledger) -> Iterator[psycopg.Connection]:
    """The database as its owner sees it, after two synchronisations."""
    for state in ("2010", "2015"):
        file = open_source(SAMPLES / state)
        synchronise(ledger, file, Options("famous", tombstone_missing=True))
        file.close()
    options = f"-c search_path={ledger.settings.ledger}"
    with psycopg.connect(ledger.conninfo, autocommit=True, options=options) as connection:
        yield connection


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_it_is_found_and_named(ledger: Ledger, owner: psycopg.Connection, alteration: str) -> None:
    assert verify(ledger).ok
    statement, says = ALTERATIONS[alteration]
    assert owner.execute(statement.encode()).rowcount == 1
    problems = [f"{problem.where}: {problem.what}" for problem in verify(ledger).problems]
    assert any(says in problem for problem in problems), problems


def test_keys_swapped_with_all_that_hangs_on_them_are_found(ledger: Ledger, owner: psycopg.Connection) -> None:
    (one, _), (other, _) = owner.execute(
        "SELECT pid, key FROM natural_keys WHERE type = 'ods:DigitalSpecimen' ORDER BY pid LIMIT 2"
    ).fetchall()
    owner.execute("DROP INDEX natural_keys_pid")
    for table in ("natural_keys", "source_records", "run_items"):
        swapped = "SET pid = CASE pid WHEN %s THEN %s ELSE %s END WHERE pid IN (%s, %s)"
        owner.execute(f"UPDATE {table} {swapped}".encode(), (one, other, one, one, other))
    owner.execute("CREATE UNIQUE INDEX natural_keys_pid ON natural_keys (pid)")
    report = [f"{problem.where}: {problem.what}" for problem in verify(ledger).problems]
    for pid in (one, other):
        assert any(line.startswith(f"natural_keys {pid}: is ods:DigitalSpecimen") for line in report), report


def test_a_second_key_is_found(ledger: Ledger, owner: psycopg.Connection) -> None:
    owner.execute("DROP INDEX natural_keys_pid")
    owner.execute("INSERT INTO natural_keys SELECT source, type, 'YPM 1', pid FROM natural_keys WHERE key = 'YPM 1980'")
    assert "has 2 keys instead of one" in told(verify(ledger))


REVERSALS = {
    "it reverted another run": (
        ("UPDATE runs SET reverts = (SELECT id FROM runs WHERE kind = 'sync' ORDER BY started_at LIMIT 1)"
        " WHERE kind = 'revert'"),
        "but its events say: reverts run",
    ),
    "it reverted nothing": ("UPDATE runs SET reverts = NULL WHERE kind = 'revert'", "reverts no run of the same"),
    "it was of another source": ("UPDATE runs SET source = 'TEST/XXX' WHERE kind = 'revert'", "reverts no run of"),
    "the run was not reverted": (
        "UPDATE runs SET reverted_by = NULL WHERE reverted_by IS NOT NULL", "says it was reverted by no run",
    ),
    "it was a synchronisation": (
        "UPDATE runs SET kind = 'sync' WHERE kind = 'revert'", "is of kind sync, but its events say",
    ),
}  # fmt: skip


@pytest.mark.parametrize("alteration", REVERSALS)
def test_what_is_said_of_a_reversal_is_compared(ledger: Ledger, owner: psycopg.Connection, alteration: str) -> None:
    revert(ledger, runs.all_runs(ledger)[-1].id)
    assert verify(ledger).ok
    statement, says = REVERSALS[alteration]
    assert owner.execute(statement.encode()).rowcount == 1
    problems = [f"{problem.where}: {problem.what}" for problem in verify(ledger).problems]
    assert any(says in problem for problem in problems), problems


def test_what_a_source_said_last_is_neither_an_older_version_nor_one_of_curators(
    ledger: Ledger, owner: psycopg.Connection
) -> None:
    (pid,) = owner.execute("SELECT pid FROM natural_keys WHERE key = 'YPM 1980'").fetchone() or ()
    state = ledger.get(pid)
    curated = {**state.document, "dwc:country": "Atlantis"}
    ledger.record(state, state.update(curated, by()))
    assert verify(ledger).ok
    said = "UPDATE source_records SET version = %s, document_digest = %s WHERE key = 'YPM 1980'"
    for version, expected in ((1, "but the source made version"), (state.version + 1, "neither made nor agreed to")):
        owner.execute(said.encode(), (version, bytes.fromhex(digest(ledger.get(pid, version).document))))
        assert expected in told(verify(ledger))


@pytest.mark.parametrize("check", ["verify", "background"])
def test_a_run_that_goes_on_while_the_ledger_is_checked_is_not_accused(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    """What it commits between the catching up of the projections and the moment that is looked at."""
    sync(ledger, SAMPLES / "2010")
    module: Any = verifying if check == "verify" else self_check
    real, calls, states = module.behind, 0, iter([SAMPLES / "2015", SAMPLES / "2024"])

    def behind(of: Ledger) -> list[Finding]:
        nonlocal calls
        calls += 1
        found = real(of)
        if check == "background" and calls % 2:
            return found  # the objects are looked at; the bookkeeping comes in the step after
        if (state := next(states, None)) is not None:
            sync(ledger, state, tombstone_missing=True)
        return found

    monkeypatch.setattr(module, "behind", behind)
    for _ in range(3):
        if check == "verify":
            assert verify(ledger).problems == []
        else:
            *_, end = self_check.run(ledger)
            assert end.problems == ()


@pytest.mark.parametrize("kind", ["curated", "as it was"])
def test_a_reversal_that_has_not_ended_is_not_accused(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    sync(ledger, SAMPLES / "2010")
    run = sync(ledger, SAMPLES / "2015", tombstone_missing=True).run
    if kind == "curated":
        state = ledger.get(find(ledger, "museum", "YPM 1980"))
        ledger.record(state, state.update({**state.document, "dwc:disposition": "on loan"}, by()))
    monkeypatch.setattr(reverting, "CHUNK", 1)
    chunks, upto, real = 0, 0, Ledger.append

    def killed(self: Ledger, *arguments: Any, **options: Any) -> Any:
        nonlocal chunks
        chunks += 1
        if chunks > upto:
            raise KeyboardInterrupt
        return real(self, *arguments, **options)

    for many in (1, 2, 4):
        chunks, upto = 0, many
        with monkeypatch.context() as dying:
            dying.setattr(Ledger, "append", killed)
            with pytest.raises(KeyboardInterrupt):
                revert(ledger, run)
        assert verify(ledger).problems == []
    revert(ledger, run)
    assert verify(ledger).problems == []
