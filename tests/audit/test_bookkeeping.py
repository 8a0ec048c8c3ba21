"""Verification finds what was altered beside the log."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from audit.verify import verify
from sources.synchronisation.candidates import open_source
from sources.synchronisation.synchronise import Options, synchronise
from store.ledger import Ledger
from tests.conftest import SAMPLES

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
    "a run did not do it": ("DELETE FROM run_items WHERE key = 'YPM 1980' AND version_after = 2", "do not list"),
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
