"""Appending one event at a time, by one writer and by sixteen, beside the library's default and a bare INSERT."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID, uuid4

import psycopg
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from rich.table import Table

from domain.agents import person
from domain.digital_object import DigitalObject, Provenance
from domain.events import Created
from domain.pid import mint
from store.ledger import Ledger

WRITERS = (1, 16)
EVENTS = 4_000
FEWER = 800
"""For what is slow."""

_CURATOR = person("https://orcid.org/0000-0002-1825-0097")


class Specimen(Aggregate):
    """A specimen as the library's documentation would have it."""

    def __init__(self, country: str) -> None:
        self.country = country


def appending(ledger: Ledger) -> Table:
    """Threads of one process, each with a transaction an event of its own accord; fsync as the server has it."""
    table = Table("writers", "ours/s", "library/s", "bare INSERT/s", "of library", "of INSERT", title_justify="left")
    table.title = "Appending single events"
    for writers in WRITERS:
        ours = append_single(ledger, writers)
        with _library(ledger) as application:
            theirs = _rate(writers, FEWER, lambda: application.save(Specimen(country="Kenya")))
        bare = _bare(ledger, writers)
        row = (f"{ours:,.0f}", f"{theirs:,.0f}", f"{bare:,.0f}", f"{ours / theirs:.1f}", f"{ours / bare:.2f}")
        table.add_row(str(writers), *row)
    return table


def append_single(ledger: Ledger, writers: int) -> float:
    """Events a second of so many threads, each of which appends one at a time."""
    events = iter([_event() for _ in range(EVENTS + writers)])
    return _rate(writers, EVENTS, lambda: ledger.append([next(events)]))


def _event() -> Created:
    document = {"@type": "ods:DigitalSpecimen", "dwc:country": "Kenya"}
    return DigitalObject.create(mint("TEST"), document, Provenance((_CURATOR,)))


def _rate(writers: int, events: int, write: Callable[[], object]) -> float:
    def work(_writer: int) -> None:
        for _ in range(events // writers):
            write()

    with ThreadPoolExecutor(writers) as threads:
        began = time.perf_counter()
        list(threads.map(work, range(writers)))
        return events / (time.perf_counter() - began)


@contextmanager
def _library(ledger: Ledger) -> Iterator[Application[UUID]]:
    """The library's Application with its default recorder, in a schema of its own on the same server."""
    schema = f"bench_{uuid4().hex[:12]}"
    with psycopg.connect(ledger.conninfo, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        application: Application[UUID] = Application(library_environment(ledger.conninfo, schema))
        try:
            yield application
        finally:
            application.close()
            owner.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))


def library_environment(conninfo: str, schema: str) -> dict[str, str]:
    """What tells the library to use its default recorder in this schema, with a connection for each writer."""
    known = conninfo_to_dict(conninfo)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(known.get("dbname") or ""),
        "POSTGRES_HOST": str(known.get("host") or ""),
        "POSTGRES_PORT": str(known.get("port") or "5432"),
        "POSTGRES_USER": str(known.get("user") or ""),
        "POSTGRES_PASSWORD": str(known.get("password") or "-"),
        "POSTGRES_SCHEMA": schema,
        "POSTGRES_POOL_SIZE": str(max(WRITERS)),
    }


def _bare(ledger: Ledger, writers: int) -> float:
    """Each writer has a connection and inserts a row of the same size as an event of ours."""
    name = sql.Identifier(f"bench_{uuid4().hex[:12]}")
    state = ledger.mapper.to_stored_event(_event()).state
    statement = sql.SQL("INSERT INTO {} VALUES (%s, 1, 'ods:Create', %s)").format(name)
    create = sql.SQL("CREATE TABLE {} (id text, version bigint, topic text, state bytea, PRIMARY KEY (id, version))")
    with psycopg.connect(ledger.conninfo, autocommit=True) as owner:
        owner.execute(create.format(name))
        connections = [psycopg.connect(ledger.conninfo, autocommit=True) for _ in range(writers)]
        free = iter(connections)

        def work(_writer: int, connection: psycopg.Connection[object]) -> None:
            for _ in range(EVENTS // writers):
                connection.execute(statement, (mint("TEST"), state), prepare=True)

        with ThreadPoolExecutor(writers) as threads:
            began = time.perf_counter()
            list(threads.map(work, range(writers), free))
            seconds = time.perf_counter() - began
        for connection in connections:
            connection.close()
        owner.execute(sql.SQL("DROP TABLE {}").format(name))
    return EVENTS / seconds
