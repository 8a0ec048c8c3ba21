"""The library's own recorder tests, run against the recorders of the ledger."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any
from unittest.mock import Mock, patch

import pytest
from eventsourcing.persistence import AggregateRecorder, StoredEvent

from domain import pid
from store.ledger import Ledger, LedgerFactory
from store.recorder import LedgerRecorder

# The library's test module wants its cipher, which wants pycryptodome; the tests used here encrypt nothing.
with patch.dict(sys.modules, {"eventsourcing.cipher": Mock(spec=ModuleType, AESCipher=None)}):
    from eventsourcing.tests.persistence import (
        AggregateRecorderTestCase,
        ApplicationRecorderTestCase,
        NonInterleavingNotificationIDsBaseCase,
    )


class FromVersionOne(LedgerRecorder):
    """Some of the library's tests begin streams at version 0; ours begin at 1, so they are moved up."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        if stored_events and stored_events[0].originator_version == 0:
            stored_events = [replace(event, originator_version=event.originator_version + 1) for event in stored_events]
        return super().insert_events(stored_events, **kwargs)


class OnALedger:
    """Gives each test a recorder of a fresh ledger, and text ids."""

    ledger: Ledger

    @pytest.fixture(autouse=True)
    def _open(self, new_ledger: Callable[[], Ledger]) -> None:
        self.ledger = new_ledger()

    def create_recorder(self) -> Any:
        return FromVersionOne(self.ledger.recorder.datastore)

    def new_originator_id(self) -> str:
        return pid.mint("TEST")


class TestSnapshotRecorder(OnALedger, AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        factory = self.ledger.factory
        assert isinstance(factory, LedgerFactory)
        return factory.aggregate_recorder("snapshots")

    @pytest.mark.skip(reason="prints timings and checks nothing; benchmarks/ measures")
    def test_performance(self) -> None: ...


class TestLedgerRecorder(OnALedger, ApplicationRecorderTestCase[LedgerRecorder]):
    def test_a_subscription_follows_the_log(self) -> None:
        self.optional_test_insert_subscribe()

    @pytest.mark.skip(reason="prints timings and checks nothing; benchmarks/ measures")
    def test_performance(self) -> None: ...


class TestPositionsOfConcurrentCallsDoNotInterleave(OnALedger, NonInterleavingNotificationIDsBaseCase):
    pass
