"""Fixtures: one PostgreSQL for the session (embedded, or that of DATABASE_URL), a fresh ledger for each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from store.embedded import EmbeddedServer
from store.ledger import Ledger
from store.migrate import service_role
from store.settings import Settings
from tests.databases import Databases

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("PROVENARIUM_SHARED_DATA", ROOT.parent / "shared" / "data"))
SAMPLES = ROOT / "samples" / "famous-specimens"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database-only", action="store_true", help="Only tests that use the database.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs no database comes out the same with another one, and is left out of a second pass."""
    if config.getoption("--database-only"):
        using = [item for item in items if isinstance(item, pytest.Function) and "conninfo" in item.fixturenames]
        config.hook.pytest_deselected(items=[item for item in items if item not in using])
        items[:] = using


@pytest.fixture(scope="session")
def conninfo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database to test with."""
    url = os.environ.get("DATABASE_URL")
    if url:
        yield url
        return
    server = EmbeddedServer(tmp_path_factory.mktemp("home"))
    yield server.acquire()
    server.release()


def drop_ledger(connection: psycopg.Connection[Any], ledger: str) -> None:
    """Remove a ledger with what a rebuild has left beside it, and its role."""
    for schema in (ledger, f"{ledger}__next", f"{ledger}__former"):
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
    connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(service_role(ledger))))


@pytest.fixture(scope="session")
def databases(conninfo: str) -> Iterator[Databases]:
    """Databases with an empty ledger."""
    made = Databases(conninfo)
    yield made
    made.close()


@pytest.fixture
def new_settings(databases: Databases, tmp_path: Path) -> Iterator[Callable[[], Settings]]:
    """Makes settings of fresh ledgers, each in a database of its own, which is dropped after the test."""
    made: list[str] = []

    def make() -> Settings:
        made.append(databases.make())
        return Settings(database_url=made[-1], home=tmp_path / "home", ledger=databases.ledger)

    yield make
    for each in made:
        databases.drop(each)


@pytest.fixture
def unmigrated(conninfo: str, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a ledger that is not there yet."""
    settings = Settings(database_url=conninfo, home=tmp_path / "home", ledger=f"test_{uuid4().hex[:16]}")
    yield settings
    with psycopg.connect(conninfo, autocommit=True) as connection:
        drop_ledger(connection, settings.ledger)


@pytest.fixture
def new_ledger(new_settings: Callable[[], Settings]) -> Iterator[Callable[[], Ledger]]:
    """Opens fresh ledgers, closed after the test."""
    opened: list[Ledger] = []

    def make() -> Ledger:
        opened.append(Ledger.open(new_settings()))
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(new_ledger: Callable[[], Ledger]) -> Ledger:
    """One fresh ledger."""
    return new_ledger()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of outside data that is not part of the project."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared data is not at {SHARED}; set PROVENARIUM_SHARED_DATA to its folder")
    return SHARED
