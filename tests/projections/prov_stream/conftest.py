"""A small collection with everything in its history: two runs, one of them reverted, curation, tombstones, media."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from domain.agents import Agent, AgentKind, Role, person
from domain.events import DigitalObjectEvent
from projections.engine import catch_up
from sources.synchronisation.revert import revert
from sources.synchronisation.source_system import find_source
from store.ledger import Ledger
from store.settings import Settings
from tests.conftest import SAMPLES
from tests.databases import Databases
from tests.synchronisation.sync_support import curate, sync

ORGANISATION = "https://ror.org/0566bfb96"


class Museum(NamedTuple):
    """The ledger, its source's PID, the runs in order, and every event in ledger order."""

    ledger: Ledger
    source: str
    runs: list[str]
    events: list[DigitalObjectEvent]

    def histories(self) -> dict[str, list[DigitalObjectEvent]]:
        """Events by PID."""
        found: dict[str, list[DigitalObjectEvent]] = {}
        for event in self.events:
            found.setdefault(event.originator_id, []).append(event)
        return found


@pytest.fixture(scope="session")
def museum(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Museum]:
    """One for all tests that change nothing in it."""
    conninfo = databases.make()
    settings = Settings(conninfo, tmp_path_factory.mktemp("home"), databases.ledger)
    with Ledger.open(settings) as ledger:
        yield make(ledger)
    databases.drop(conninfo)


@pytest.fixture
def own_museum(ledger: Ledger) -> Museum:
    """One to change."""
    return make(ledger)


def make(ledger: Ledger) -> Museum:
    """Fill a ledger."""
    requestor = Agent(ORGANISATION, AgentKind.ORGANISATION, Role.REQUESTOR)
    first = sync(ledger, SAMPLES / "2010", requestor=requestor)
    curate(ledger, "YPM 1980").set("/dwc:preparations", "in alcohol, since the flood")
    ledger.register_agent(person("0000-0002-1825-0097"), "Josiah Carberry")
    second = sync(ledger, SAMPLES / "2015", tombstone_missing=True)
    reversal = revert(ledger, second.run)
    curate(ledger, "YPM 1980").tombstone()
    curate(ledger, "YPM 1980").restore()
    third = sync(ledger, SAMPLES / "2024")
    catch_up(ledger)
    source = find_source(ledger, "museum")
    assert source is not None
    runs = [str(first.run), str(second.run), reversal["run"], str(third.run)]
    return Museum(ledger, source.pid, runs, all_events(ledger))


def all_events(ledger: Ledger) -> list[DigitalObjectEvent]:
    """The log."""
    return [ledger.mapper.to_domain_event(stored) for batch in ledger.scan() for stored in batch]
