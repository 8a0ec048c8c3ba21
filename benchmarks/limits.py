"""Hot paths beside the bare PostgreSQL operation that moves the same bytes, and beside a table of full snapshots.

Each row says what the target is and whether it was met. A table of snapshots as DiSSCo's design stores it keeps every
version whole, as JSONB, with an index of its own.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import count
from uuid import uuid4

import orjson
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from rich.table import Table

from benchmarks.documents import LARGE, SMALL, document, edited
from benchmarks.reading import percentiles
from domain.agents import person
from domain.digital_object import DigitalObject, Provenance, project
from domain.errors import NothingToChange
from domain.events import DigitalObjectEvent
from domain.pid import mint
from projections.engine import catch_up, rebuild
from projections.object_reading import current
from store.ledger import Axis, Ledger, due_snapshots
from store.mapper import NewEvent

RUNS = 3
"""Of each measurement the median counts."""
BULK, CHUNK = 6_000, 1_000
HISTORIES, VERSIONS = 1_000, 10
LONG = 100
READS = 600

_CURATOR = person("https://orcid.org/0000-0002-1825-0097")
Connection = psycopg.Connection[tuple[object, ...]]


def limits(ledger: Ledger) -> Table:
    """Every row of the table; the ledger is empty before, and stays."""
    table = Table("work", "ours", "the limit", "ratio", "target", "met", title="Beside the limit", title_justify="left")

    def row(work: str, ours: str, limit: str, ratio: float, target: float, *, least: bool) -> None:
        met = ratio >= target if least else ratio <= target
        bound = f"{'>=' if least else '<='} {target:g}"
        table.add_row(work, ours, limit, f"{ratio:.2f}", bound, "yes" if met else "no")

    for kilobytes in (SMALL, LARGE):
        ours, bare = _bulk(ledger, kilobytes)
        row(f"append {kilobytes} KB objects, {CHUNK} at once", _rate(ours), _rate(bare), ours / bare, 0.7, least=True)
    histories = [_history(number, VERSIONS) for number in range(HISTORIES)]
    stored, snapshots = _stored(ledger, histories)
    each = HISTORIES
    work = f"stored bytes, {VERSIONS} versions of 6 KB"
    row(work, f"{stored / each:,.0f}", f"{snapshots / each:,.0f}", stored / snapshots, 0.1, least=False)
    for name, (p50, p99), limit, target in _reads(ledger, [history[0].originator_id for history in histories]):
        row(f"read {name}", f"{p50:.0f} µs (p99 {p99:.0f})", f"{limit:.0f} µs", p50 / limit, target, least=False)
    events, seconds = _rebuilt(ledger)
    moved = _moved(ledger)
    row(
        "rebuild objects, versions, terms, search",
        _rate(events / seconds),
        _rate(moved),
        events / seconds / moved,
        0.5,
        least=True,
    )
    return table


# -- appending ------------------------------------------------------------------------------------


def _bulk(ledger: Ledger, kilobytes: int) -> tuple[float, float]:
    """Objects a second: decided, verified, stored; and binary COPY of the very same rows into a table with a key."""
    ours, bare = [], []
    ledger.learn_to_compress(
        [orjson.dumps(_creation(document(number, kilobytes)).to_json()) for number in range(2_000)]
    )
    for run in range(RUNS):
        ours.append(append_bulk(ledger, kilobytes, BULK, CHUNK, run * BULK))
        events = [_creation(document(number, kilobytes)) for number in range(CHUNK)]
        stored = [ledger.mapper.to_stored_event(event) for event in events]
        with _table(
            ledger, "id text, version bigint, topic text, state bytea, event_id uuid, PRIMARY KEY (id, version)"
        ) as (
            connection,
            name,
        ):
            copy_in = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(name)
            began = time.perf_counter()
            for again in range(BULK // CHUNK):
                _copy(connection, copy_in, stored, again)
            bare.append(BULK / (time.perf_counter() - began))
    return statistics.median(ours), statistics.median(bare)


def append_bulk(ledger: Ledger, kilobytes: int, objects: int, at_once: int, first: int = 0) -> float:
    """New objects a second: decided, verified, digested, compressed and stored."""
    documents = [document(first + number, kilobytes) for number in range(objects)]
    began = time.perf_counter()
    for at in range(0, objects, at_once):
        ledger.append([_creation(each) for each in documents[at : at + at_once]])
    return objects / (time.perf_counter() - began)


def _copy(connection: Connection, copy_in: sql.Composed, stored: Sequence[object], again: int) -> None:
    with connection.cursor() as cursor, cursor.copy(copy_in) as copy:
        copy.set_types(("text", "int8", "text", "bytea", "uuid"))
        for each in stored:
            assert isinstance(each, NewEvent)
            copy.write_row((f"{each.originator_id}/{again}", 1, each.topic, each.state, each.event_id))


def _creation(content: dict[str, object]) -> DigitalObjectEvent:
    return DigitalObject.create(mint("TEST"), content, Provenance((_CURATOR,)))


# -- histories ------------------------------------------------------------------------------------


def _history(number: int, versions: int) -> list[DigitalObjectEvent]:
    events = [_creation(document(number))]
    current = _begun(events[0])
    for attempt in count(1):
        if len(events) == versions:
            break
        with suppress(NothingToChange):  # an edit may say what is said already
            content = edited(current.document, number, attempt)
            events.append(current.update(content, Provenance((_CURATOR,))))
            current = current.then(events[-1])
    return events


def _begun(event: DigitalObjectEvent) -> DigitalObject:
    state = project(None, [event])
    assert state is not None
    return state


def _stored(ledger: Ledger, histories: list[list[DigitalObjectEvent]]) -> tuple[int, int]:
    """Bytes on disk, indexes counted: what the log grew by, and every version whole as JSONB."""
    before = _log_size(ledger)
    for history in histories:
        ledger.append(history)
    grown = _log_size(ledger) - before
    with _table(ledger, "id text, version int, document jsonb, PRIMARY KEY (id, version)") as (connection, name):
        insert = sql.SQL("INSERT INTO {} VALUES (%s, %s, %s)").format(name)
        for history in histories:
            state = _begun(history[0])
            for event in history:
                state = state if event.originator_version == 1 else state.then(event)
                connection.execute(insert, (state.id, state.version, Jsonb(state.document)), prepare=True)
        ((size,),) = connection.execute(
            "SELECT pg_total_relation_size(%s::text::regclass)", (name.as_string(connection),)
        ).fetchall()
    assert isinstance(size, int)
    return grown, size


def _log_size(ledger: Ledger) -> int:
    """Bytes of the log on disk with its indexes, all partitions."""
    with psycopg.connect(ledger.conninfo, autocommit=True) as connection:
        ((size,),) = connection.execute(
            "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class"
            " WHERE relnamespace = %s::text::regnamespace AND relname LIKE 'events_p__'",
            (ledger.settings.ledger,),
        ).fetchall()
    return int(size)


# -- reading --------------------------------------------------------------------------------------


def _reads(ledger: Ledger, pids: list[str]) -> Iterator[tuple[str, tuple[float, float], float, float]]:
    """(what, (p50, p99) µs, p50 of one SELECT of a stored document, target)."""
    long = [_history(10**6 + number, LONG) for number in range(20)]
    for history in long:
        ledger.append(history[:50])
        ledger.append(history[50:], snapshots=due_snapshots([ledger.get(history[0].originator_id)]))
    catch_up(ledger)
    longs = [history[0].originator_id for history in long]
    moment = datetime.now(UTC)
    with psycopg.connect(ledger.conninfo, autocommit=True) as connection:
        statement = sql.SQL("SELECT document FROM {} WHERE pid = %s").format(
            sql.Identifier(ledger.settings.ledger, "objects")
        )
        limit, _ = percentiles(lambda pid: connection.execute(statement, (pid,), prepare=True).fetchone(), pids, READS)
    now = partial(current, ledger)
    yield "the current version of 10", percentiles(now, pids, READS), limit, 1.5
    yield f"the current version of {LONG}", percentiles(now, longs, READS), limit, 1.5
    yield (
        "the current version of 10, from the log alone",
        percentiles(partial(ledger.get, to_follow=False), pids, READS),
        limit,
        1.5,
    )
    yield f"version 60 of {LONG}", percentiles(lambda pid: ledger.get(pid, 60, to_follow=False), longs, READS), limit, 2
    yield (
        "of 10, as recorded at a time",
        percentiles(lambda pid: ledger.get_at(pid, moment, Axis.RECORDED, to_follow=False), pids, READS),
        limit,
        2,
    )


# -- rebuilding -----------------------------------------------------------------------------------


def _rebuilt(ledger: Ledger) -> tuple[int, float]:
    names = ["objects", "versions", "terms", "search"]
    catch_up(ledger)
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        rebuild(ledger, names)
        times.append(time.perf_counter() - began)
    return ledger.position(), statistics.median(times)


def _moved(ledger: Ledger) -> float:
    """Events a second: COPY out of the log, decode, COPY the decoded text into another table; no logic at all."""
    out = sql.SQL("COPY (SELECT originator_id, originator_version, state FROM {}) TO STDOUT (FORMAT BINARY)").format(
        sql.Identifier(ledger.settings.ledger, "events")
    )
    columns = "id text, version bigint, document bytea"
    with psycopg.connect(ledger.conninfo) as source, _table(ledger, columns) as (target, name):
        began, events = time.perf_counter(), 0
        copy_in = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(name)
        with source.cursor().copy(out) as rows, target.cursor() as cursor, cursor.copy(copy_in) as copy:
            rows.set_types(("text", "int8", "bytea"))
            copy.set_types(("text", "int8", "bytea"))
            for pid, version, state in rows.rows():
                text = ledger.mapper.text_of(bytes(state))
                orjson.loads(text)
                copy.write_row((pid, version, text))
                events += 1
        return events / (time.perf_counter() - began)


@contextmanager
def _table(ledger: Ledger, columns: str) -> Iterator[tuple[Connection, sql.Identifier]]:
    """A table of its own on the same server, for as long as it is needed."""
    name = sql.Identifier(f"bench_{uuid4().hex[:12]}")
    with psycopg.connect(ledger.conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(name, sql.SQL(columns)))
        try:
            yield connection, name
        finally:
            connection.execute(sql.SQL("DROP TABLE {}").format(name))


def _rate(rate: float) -> str:
    return f"{rate:,.0f}/s"
