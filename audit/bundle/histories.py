"""Reads the events of a scope, object by object, and makes sure on the way that each is the tree's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, islice

from audit.bundle.scope import Scope
from audit.tree import leaf_problems, leaves_at
from domain.errors import IntegrityFailure
from domain.events import DigitalObjectEvent
from store.ledger import Ledger
from store.mapper import RecordedEvent

BATCH = 500
"""Events that are decoded and compared with the tree at once."""


def events_of(ledger: Ledger, scope: Scope, size: int) -> Iterator[DigitalObjectEvent]:
    """Every event of the scope among the first ``size`` of the ledger, by PID (code points) and version.

    Constant memory, but for the compressed events of the object with the most versions. Raises
    :class:`IntegrityFailure` naming the first event that is not the one in the ledger's tree.
    """
    stored = _stored(ledger, scope, size)
    while batch := list(islice(stored, BATCH)):
        events = [ledger.mapper.to_domain_event(each) for each in batch]
        with ledger.connection() as connection:
            leaves = leaves_at(connection, [each.position for each in batch])
        for where, what in leaf_problems(events, leaves):
            raise IntegrityFailure(
                f"{where} {what}, so no bundle of it would hold; 'provenarium verify' tells what was altered"
            )
        yield from events


def histories_of(ledger: Ledger, scope: Scope, size: int) -> Iterator[list[DigitalObjectEvent]]:
    """The same as one list for every object."""
    for _, events in groupby(events_of(ledger, scope, size), key=lambda event: event.originator_id):
        yield list(events)


def objects_in_batches(ledger: Ledger, scope: Scope, size: int) -> Iterator[dict[str, int]]:
    """PIDs with their last versions, in the order of the bundle, about :data:`BATCH` events at a time."""
    batch: dict[str, int] = {}
    events = 0
    for pid, versions in scope.objects(ledger, size):
        if batch and events + versions > BATCH:
            yield batch
            batch, events = {}, 0
        batch[pid] = versions
        events += versions
    if batch:
        yield batch


def _stored(ledger: Ledger, scope: Scope, size: int) -> Iterator[RecordedEvent]:
    for batch in objects_in_batches(ledger, scope, size):
        bounds = {pid: (0, versions) for pid, versions in batch.items()}
        streams: dict[str, list[RecordedEvent]] = {pid: [] for pid in batch}
        for event in ledger.recorder.select_streams(bounds):
            streams[str(event.originator_id)].append(event)
        for stream in streams.values():
            yield from stream
