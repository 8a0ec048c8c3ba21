"""Fixtures of the store's tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from store.ledger import Ledger


@pytest.fixture
def owner(ledger: Ledger) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the ledger's owner, who may do what the service role may not."""
    with psycopg.connect(ledger.conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(ledger.settings.ledger)))
        yield connection
