"""Runs: one synchronisation (or its reversal) with what it did to each record."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg import Connection

from domain.errors import NotFound
from sources.synchronisation.source_records import SourceRecord, fetch, run
from store.ledger import Ledger

CHANGES = frozenset({"created", "updated", "restored"})
"""Outcomes of which one record counts as the first: a medium is updated again for each specimen that lists it."""


@dataclass(frozen=True)
class Run:
    """A row of the table of runs; ``counts`` is empty until it finished."""

    id: UUID
    source: str
    kind: str
    archive: str
    mapping: str
    options: dict[str, Any]
    occurred: datetime
    started: datetime
    finished: datetime | None
    reverts: UUID | None
    reverted_by: UUID | None
    counts: dict[str, Any]


@dataclass(frozen=True)
class RunItem:
    """What a run did to one record.

    ``outcome``: created, updated, restored, tombstoned, missing, conflict, agreed (the source now says
    what curators had said), parked or reverted.
    ``version_before`` None with ``version_after`` set: the object began in this run.
    ``previous`` is what the source had said before, for reverting.
    """

    type: str
    outcome: str
    key: str | None = None
    place: str | None = None
    pid: str | None = None
    version_before: int | None = None
    version_after: int | None = None
    reason: str | None = None
    details: dict[str, Any] | None = None
    previous: SourceRecord | None = field(default=None, repr=False)


def get(ledger: Ledger, run_id: UUID) -> Run:
    """The run with this id; raises :class:`NotFound`."""
    rows = fetch(ledger, "select_run", (run_id,))
    if not rows:
        raise NotFound(f"there is no run {run_id}; 'provenarium runs' lists them")
    return Run(*rows[0])


def all_runs(ledger: Ledger) -> list[Run]:
    """Every run, oldest first."""
    return [Run(*row) for row in fetch(ledger, "select_runs")]


def items(ledger: Ledger, run_id: UUID) -> Iterator[RunItem]:
    """What a run did, record by record, in the order it was done."""
    after = 0
    while rows := fetch(ledger, "select_items", (run_id, after, 1000)):
        for ordinal, kind, key, place, outcome, pid, before, then, reason, details in rows:
            yield RunItem(kind, outcome, key, place, pid, before, then, reason, details)
            after = ordinal


def save_items(connection: Connection[Any], run_id: UUID, found: Sequence[RunItem]) -> None:
    """Record items inside the caller's transaction; those a killed run recorded before stay as they are."""
    if not found:
        return
    run(
        connection,
        "insert_items",
        (
            run_id,
            [item.type for item in found],
            [item.key for item in found],
            [item.place for item in found],
            [item.outcome for item in found],
            [item.pid for item in found],
            [item.version_before for item in found],
            [item.version_after for item in found],
            [item.reason for item in found],
            [_json(item.details) for item in found],
            [_json(item.previous.to_json() if item.previous else None) for item in found],
        ),
    )


def tallies(ledger: Ledger, run_id: UUID) -> dict[str, Counter[str]]:
    """How many records of each type came to which outcome; ``conflicts`` counts terms."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    outcomes = sorted(CHANGES)
    for kind, outcome, amount, conflicts in fetch(ledger, "count_items", (outcomes, outcomes, run_id)):
        found[kind][outcome] += amount
        found[kind]["conflicts"] += int(conflicts or 0)
    return found


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
