"""Tells which event a projection stopped before, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
from eventsourcing.persistence import PersistenceError

from domain.errors import ProjectionFailed, StoreUnavailable
from domain.events import DigitalObjectEvent
from store.mapper import EventMapper, RecordedEvent


class Place:
    """Where the taking in of events has got to: the event, and the projection that has its turn."""

    def __init__(self, mapper: EventMapper) -> None:
        self._mapper = mapper
        self.event: RecordedEvent | None = None
        self.projection: str | None = None

    def events(self, stored: Iterable[RecordedEvent]) -> Iterator[DigitalObjectEvent]:
        """The events of stored ones, each noted before anything is done with it."""
        for self.event in stored:
            yield self._mapper.to_domain_event(self.event)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turn whatever goes wrong inside, but for the database being away, into :class:`ProjectionFailed`."""
        try:
            yield
        except (psycopg.OperationalError, psycopg.InterfaceError, PersistenceError, StoreUnavailable, ProjectionFailed):
            raise
        except Exception as error:
            if self.event is None:
                raise
            event = self.event
            cause = " ".join(f"{type(error).__name__}: {error}".split())
            raise ProjectionFailed(
                self.projection, str(event.originator_id), event.originator_version, event.position, cause
            ) from error
