"""Checks what is kept beside the log: natural keys, what sources said last, and what runs say they did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from audit.findings import Finding
from audit.natural_keys import key_in
from domain.canonical import digest
from domain.errors import ProvenariumError
from domain.events import DigitalObjectEvent
from domain.opends import TOMBSTONE_TERM
from sources.synchronisation.source_records import SourceRecord
from store import statements
from store.ledger import Ledger
from store.statements import select

SQL = statements.load("audit", "bookkeeping.sql")
BATCH = 500


def bookkeeping_problems(ledger: Ledger, connection: Connection[Any]) -> Iterator[Finding]:
    """Everything beside the log that contradicts it; projections must be up to date."""
    for kind, key, pid, owner in select(connection, SQL["keys_that_disagree"]):
        yield f"source_records {kind} {key}", f"is {pid}, but natural_keys says {owner}"
    for kind, key, pid in select(connection, SQL["objects_without_statement"]):
        yield f"source_records {kind} {key}", f"what the source said last about {pid} is missing"
    for kind, key, version, later in select(connection, SQL["statements_outdated"]):
        yield f"source_records {kind} {key}", f"points to version {version}, but the source made version {later} since"
    for kind, key, version in select(connection, SQL["statements_of_others"]):
        yield (
            f"source_records {kind} {key}",
            f"points to version {version}, which the source neither made nor agreed to",
        )
    for kind, key, run in select(connection, SQL["statements_of_no_run"]):
        yield f"source_records {kind} {key}", f"is said to come from the run {run}, which is none of its source"
    for kind, key, pid in select(connection, SQL["statements_withdrawn"]):
        yield (
            f"source_records {kind} {key}",
            f"is said to be gone from its source, but nothing that concerns it tombstoned {pid}",
        )
    yield from _run_problems(connection)
    yield from _item_problems(connection)
    yield from _statement_problems(ledger, connection)
    yield from _previous_problems(ledger, connection)


def _run_problems(connection: Connection[Any]) -> Iterator[Finding]:
    for pid, version, run in select(connection, SQL["events_without_run"]):
        yield f"runs {run}", f"is missing, but {pid}/{version} names it as its cause"
    for run, kind, cause in select(connection, SQL["runs_of_another_kind"]):
        yield f"runs {run}", f"is of kind {kind}, but its events say that it is a {cause}"
    for run, comment, reverts in select(connection, SQL["reversals_of_another_run"]):
        yield f"runs {run}", f"reverts {reverts}, but its events say: {comment}"
    for (run,) in select(connection, SQL["reversals_of_nothing"]):
        yield f"runs {run}", "reverts no run of the same source and mapping, or says so although it is no reversal"
    for run, other in select(connection, SQL["runs_reverted_by_another"]):
        yield f"runs {run}", f"says it was reverted by {other or 'no run'}; the reversals say otherwise"


def _item_problems(connection: Connection[Any]) -> Iterator[Finding]:
    for pid, version, run in select(connection, SQL["events_without_item"]):
        yield f"run_items of {run}", f"do not list {pid}/{version}, which names the run as its cause"
    for run, ordinal, pid, version in select(connection, SQL["items_without_event"]):
        yield f"run_items {run} {ordinal}", f"lists {pid}/{version}, which is no event of this run"
    for run, ordinal, pid, before, after in select(connection, SQL["items_that_leap"]):
        yield f"run_items {run} {ordinal}", f"leads {pid} from version {before or 0} to {after}, not to the next one"
    for run, ordinal, outcome, activity in select(connection, SQL["items_of_another_outcome"]):
        yield f"run_items {run} {ordinal}", f"says {outcome}, but the event is {activity}"
    for run, ordinal, kind, key, pid in select(connection, SQL["items_of_another_record"]):
        yield f"run_items {run} {ordinal}", f"says {kind} {key}, which is not what {pid} is in the source"
    for run, ordinal, outcome in select(connection, SQL["items_without_previous"]):
        yield f"run_items {run} {ordinal}", f"says {outcome}, but not what the source had said before"
    for run, pid, version, amount in select(connection, SQL["items_doubled"]):
        yield f"run_items of {run}", f"list {pid}/{version} {amount} times"


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
        said = [
            Statement(f"source_records {kind} {key}", key, pid, version, packed, bytes(expected))
            for _, kind, key, pid, version, packed, expected in rows
        ]
        yield from _untrue(ledger, said)


def _previous_problems(ledger: Ledger, connection: Connection[Any]) -> Iterator[Finding]:
    """What a source had said before a run, which a reversal would put back, must be the document it points to."""
    after: tuple[Any, ...] = (UUID(int=0), 0)
    while rows := select(connection, SQL["previous_statements"], (*after, BATCH)):
        after = rows[-1][:2]
        said: list[Statement] = []
        for run, ordinal, kind, key, pid, previous in rows:
            where = f"run_items {run} {ordinal}, previous"
            try:
                before = SourceRecord.from_json(previous)
            except (ValueError, KeyError, TypeError) as error:
                yield where, f"is no statement of a source: {error!r}"
                continue
            if (before.type, before.key, before.pid) != (kind, key, pid):
                yield where, f"is of {before.type} {before.key} ({before.pid}), another record than the item"
            said.append(Statement(where, key, before.pid, before.version, before.document, before.document_digest))
        yield from _untrue(ledger, said)


@dataclass(frozen=True)
class Statement:
    """What a source said of a record: the version that equals it, or the packed document, and its SHA-256."""

    where: str
    key: str
    pid: str
    version: int | None
    packed: bytes | None
    digest: bytes


def _untrue(ledger: Ledger, said: list[Statement]) -> Iterator[Finding]:
    """Statements that are not what they point to, or are about another record."""
    for apart in _one_version_each(said):
        versions = {each.pid: each.version for each in apart if each.version is not None}
        try:
            states = {state.id: state.document for state in ledger.states(versions)}
        except ProvenariumError as error:
            if len(apart) > 1:
                for each in apart:
                    yield from _untrue(ledger, [each])
            else:
                yield apart[0].where, f"points to a version that cannot be rebuilt: {error}"
            continue
        for each in apart:
            try:
                document = ledger.mapper.unpack(bytes(each.packed or b"")) if each.version is None else states[each.pid]
            except ProvenariumError as error:
                yield each.where, str(error)
                continue
            content = {term: value for term, value in document.items() if term != TOMBSTONE_TERM}
            if digest(content) != each.digest.hex():
                what = "the document kept there" if each.version is None else f"version {each.version} of {each.pid}"
                yield each.where, f"has another digest than {what}"
            elif each.version is None and key_in(content) not in (None, each.key):
                yield each.where, f"is about {key_in(content)}, another record"


def _one_version_each(said: list[Statement]) -> Iterator[list[Statement]]:
    """The statements in groups that name no object at two versions."""
    groups: list[dict[str, int | None]] = []
    parted: list[list[Statement]] = []
    for each in said:
        for versions, group in zip(groups, parted, strict=True):
            if each.version is None or versions.setdefault(each.pid, each.version) == each.version:
                group.append(each)
                break
        else:
            groups.append({each.pid: each.version} if each.version is not None else {})
            parted.append([each])
    yield from parted
