"""Checks what is kept beside the log: natural keys, what sources said last, and what runs say they did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from psycopg import Connection

from audit.findings import Finding
from domain.canonical import digest
from domain.errors import ProvenariumError
from domain.events import DigitalObjectEvent
from domain.opends import TOMBSTONE_TERM
from store import statements
from store.ledger import Ledger
from store.statements import select

SQL = statements.load("audit", "bookkeeping.sql")
BATCH = 500


def bookkeeping_problems(ledger: Ledger, connection: Connection[Any]) -> Iterator[Finding]:
    """Everything beside the log that contradicts it; projections must be up to date."""
    for kind, key, pid, owner in select(connection, SQL["keys_that_disagree"]):
        yield f"source_records {kind} {key}", f"is {pid}, but natural_keys says {owner}"
    for (pid,) in select(connection, SQL["objects_without_key"]):
        yield f"natural_keys {pid}", "the object came from a source, or is one, but no key leads to it"
    for kind, key, pid in select(connection, SQL["objects_without_statement"]):
        yield f"source_records {kind} {key}", f"what the source said last about {pid} is missing"
    for pid, version, run in select(connection, SQL["events_without_run"]):
        yield f"runs {run}", f"is missing, but {pid}/{version} names it as its cause"
    for pid, version, run in select(connection, SQL["events_without_item"]):
        yield f"run_items of {run}", f"do not list {pid}/{version}, which names the run as its cause"
    for run, ordinal, pid, version in select(connection, SQL["items_without_event"]):
        yield f"run_items {run} {ordinal}", f"lists {pid}/{version}, which is no event of this run"
    for run, ordinal, pid, before, after in select(connection, SQL["items_that_leap"]):
        yield f"run_items {run} {ordinal}", f"leads {pid} from version {before or 0} to {after}, not to the next one"
    yield from _statement_problems(ledger, connection)


Told = tuple[str, tuple[str, str, str]]
"""The id of a run, and what one of its events says of where it comes from: source system, archive, mapping."""


def told_of_runs(events: Iterable[DigitalObjectEvent]) -> set[Told]:
    """What events say of the runs that made them."""
    return {
        (event.activity.cause.id, (event.source.system, event.source.archive, event.source.mapping))
        for event in events
        if event.source is not None and event.activity.cause is not None and event.activity.cause.kind == "run"
    }


def run_problems(connection: Connection[Any], told: Iterable[Told]) -> Iterator[Finding]:
    """Runs that say something else than their events of where these come from."""
    told = sorted(told)
    runs = {run: tuple(said) for run, *said in select(connection, SQL["runs"], ([run for run, _ in told],))}
    for run, statement in told:
        if run in runs and runs[run] != statement:
            yield f"runs {run}", f"says {', '.join(runs[run])}; its events say {', '.join(statement)}"


def _statement_problems(ledger: Ledger, connection: Connection[Any]) -> Iterator[Finding]:
    """What a source said last must be the document it points to."""
    after: tuple[Any, ...] = ("", "", "")
    while rows := select(connection, SQL["statements"], (*after, BATCH)):
        after = rows[-1][:3]
        versions = {pid: version for _, _, _, pid, version, _, _ in rows if version is not None}
        try:
            states = {state.id: state.document for state in ledger.states(versions)}
        except ProvenariumError as error:
            yield "source_records", f"name a version that cannot be rebuilt: {error}"
            continue
        for _, kind, key, pid, version, packed, expected in rows:
            where = f"source_records {kind} {key}"
            try:
                document = states[pid] if version is not None else ledger.mapper.unpack(bytes(packed))
            except ProvenariumError as error:
                yield where, str(error)
                continue
            content = {term: value for term, value in document.items() if term != TOMBSTONE_TERM}
            if digest(content) != bytes(expected).hex():
                said = f"version {version} of {pid}" if version is not None else "the document kept there"
                yield where, f"has another digest than {said}"
