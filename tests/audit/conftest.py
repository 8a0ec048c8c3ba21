"""A small store, and somebody with every right in its database."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from domain.digital_object import DigitalObject, project
from store.ledger import Ledger, due_snapshots
from tests.audit.tampering import (
    SPECIMEN,
    A,
    B,
    C,
    Owner,
    by,
    record,
)


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
