"""The eventsourcing library as it comes: its aggregates, its PostgreSQL recorder, and its projection runner."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg import sql
from psycopg.types.json import Jsonb

from benchmarks.appending import library_environment
from benchmarks.documents import Document
from benchmarks.peers.store import FollowedStore, changed_terms, own_schema

_SECONDS_TO_FOLLOW = 120
_AT_ONCE = 20
"""Aggregates in one call of save(), less than a local socket takes at once. With 200 of 6 KB its pipeline waits for
ever, the server for the rest of the statement and the client for an answer, as in psycopg's issue 685."""


class Specimen(Aggregate):
    """A specimen; its events say the terms that change."""

    class Registered(Aggregate.Created):
        """The first version."""

        pid: str
        document: Document

    class Changed(Aggregate.Event):
        """A later version."""

        terms: Document

    @event(Registered)
    def __init__(self, pid: str, document: Document) -> None:
        self.pid = pid
        self.document = document

    @staticmethod
    def create_id(pid: str) -> UUID:
        """The identifier that belongs to a PID."""
        return uuid5(NAMESPACE_URL, pid)

    @event(Changed)
    def change(self, terms: Document) -> None:
        """Replace the top-level terms that are said."""
        self.document = {**self.document, **terms}


class Specimens(Application[UUID]):
    """The library's application, with no setting changed."""


class EventsourcingLibrary(FollowedStore):
    """``held`` is the aggregate. Its projection's table is in another schema, so that it does not count as log."""

    name = "eventsourcing"
    package = "eventsourcing"

    def __init__(self, conninfo: str, schema: str, view_schema: str) -> None:
        super().__init__(conninfo, schema)
        self._environment = library_environment(conninfo, schema)
        self._view_environment = {f"{Documents.name.upper()}_POSTGRES_SCHEMA": view_schema}
        self._application = Specimens(self._environment)
        self._followed = 0

    def create(self, pid: str, document: Document) -> Specimen:
        specimen = Specimen(pid, document)
        self._application.save(specimen)
        return specimen

    def change(self, held: Specimen, document: Document) -> Specimen:
        held.change(changed_terms(held.document, document))
        self._application.save(held)
        return held

    def create_many(self, documents: Mapping[str, Document]) -> None:
        """Several transactions of :data:`_AT_ONCE` objects."""
        items = iter(documents.items())
        while few := list(itertools.islice(items, _AT_ONCE)):
            self._application.save(*(Specimen(pid, document) for pid, document in few))

    def current(self, pid: str) -> Document:
        return self._get(pid).document

    def version(self, pid: str, number: int) -> Document:
        return self._get(pid, number).document

    def as_of(self, pid: str, moment: datetime) -> Document:
        """All events come and the later ones are left out: the repository takes no time."""
        specimen: Specimen | None = None
        for each in self._events(pid):
            if each.timestamp <= moment:
                specimen = each.mutate(specimen)
        assert specimen is not None
        return specimen.document

    def recorded(self, pid: str, number: int) -> datetime:
        moment: datetime = self._events(pid)[number - 1].timestamp
        return moment

    def follow(self) -> int:
        upto = self._application.recorder.max_notification_id() or 0
        environment = {**self._environment, **self._view_environment}
        with ProjectionRunner(
            application_class=Specimens, projection_class=Documents, view_class=DocumentsView, env=environment
        ) as runner:
            deadline = time.monotonic() + _SECONDS_TO_FOLLOW
            # its own wait() looks only every 0.8 seconds
            while runner.view.position < upto and not runner.is_interrupted.is_set():
                if time.monotonic() > deadline:
                    raise TimeoutError(f"at {runner.view.position} of {upto} events")
                time.sleep(0.002)
        before, self._followed = self._followed, upto
        return upto - before

    def close(self) -> None:
        """Close the connections."""
        self._application.close()

    def _get(self, pid: str, version: int | None = None) -> Specimen:
        return cast("Specimen", self._application.repository.get(Specimen.create_id(pid), version=version))

    def _events(self, pid: str) -> list[Any]:
        return list(self._application.events.get(Specimen.create_id(pid)))


class DocumentsView(PostgresTrackingRecorder):
    """A table of current documents, each change in one transaction with the position that it follows."""

    def __init__(self, datastore: PostgresDatastore, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        self.position = 0
        table = sql.Identifier(datastore.schema, "documents")
        columns = "(id uuid PRIMARY KEY, version bigint NOT NULL, document jsonb NOT NULL)"
        self.sql_create_statements.append(sql.SQL("CREATE TABLE IF NOT EXISTS {} {}").format(table, sql.SQL(columns)))
        self._upsert = sql.SQL(
            "INSERT INTO {} AS known VALUES (%s, %s, %s) ON CONFLICT (id) DO UPDATE"
            " SET version = excluded.version, document = known.document || excluded.document"
        ).format(table)

    def upsert(self, originator: UUID, version: int, terms: Document, tracking: Tracking) -> None:
        """Take in the terms that one event says."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self._upsert, (originator, version, Jsonb(terms)))
        self.position = tracking.notification_id


class Documents(Projection[DocumentsView]):
    """Hands each event's terms to the view."""

    name = "documents"

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """No other events are recorded."""
        raise TypeError(f"{domain_event} at {tracking.notification_id} is no event of a specimen")

    @process_event.register
    def _registered(self, domain_event: Specimen.Registered, tracking: Tracking) -> None:
        self.view.upsert(domain_event.originator_id, 1, domain_event.document, tracking)

    @process_event.register
    def _changed(self, domain_event: Specimen.Changed, tracking: Tracking) -> None:
        version = domain_event.originator_version
        self.view.upsert(domain_event.originator_id, version, domain_event.terms, tracking)


@contextmanager
def open_store(conninfo: str) -> Iterator[EventsourcingLibrary]:
    """An application in a schema of its own."""
    with own_schema(conninfo) as schema, own_schema(conninfo) as view_schema:
        store = EventsourcingLibrary(conninfo, schema, view_schema)
        try:
            yield store
        finally:
            store.close()
