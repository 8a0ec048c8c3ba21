"""Provenarium: events with their differences, folded when an object is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import orjson
import psycopg
from psycopg import sql

from benchmarks.documents import Document, document
from benchmarks.peers.store import FollowedStore
from domain.agents import person
from domain.digital_object import DigitalObject, Provenance, project
from domain.events import Created
from domain.pid import mint
from projections.engine import catch_up
from store.ledger import Axis, Ledger
from store.migrate import service_role
from store.settings import Settings

_CURATOR = person("https://orcid.org/0000-0002-1825-0097")
_SAMPLES = 2_000
FOLLOWER = "objects"


class Provenarium(FollowedStore):
    """A ledger; ``held`` is the object's state."""

    name = "Provenarium"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger.conninfo, ledger.settings.ledger)
        self._ledger = ledger
        self._followed = 0

    def create(self, pid: str, document: Document) -> DigitalObject:
        event = _creation(pid, document)
        self._ledger.append([event])
        state = project(None, [event])
        assert state is not None
        return state

    def change(self, held: DigitalObject, document: Document) -> DigitalObject:
        event = held.update(document, Provenance((_CURATOR,)))
        self._ledger.append([event])
        return held.then(event)

    def create_many(self, documents: Mapping[str, Document]) -> None:
        self._ledger.append([_creation(pid, document) for pid, document in documents.items()])

    def current(self, pid: str) -> Document:
        return self._ledger.get(pid, to_follow=False).document

    def version(self, pid: str, number: int) -> Document:
        return self._ledger.get(pid, number, to_follow=False).document

    def as_of(self, pid: str, moment: datetime) -> Document:
        return self._ledger.get_at(pid, moment, Axis.RECORDED, to_follow=False).document

    def recorded(self, pid: str, number: int) -> datetime:
        moment = self._ledger.get(pid, number).recorded
        assert moment is not None
        return moment

    def follow(self) -> int:
        before, self._followed = self._followed, catch_up(self._ledger, [FOLLOWER])
        return self._followed - before


@contextmanager
def open_store(settings: Settings) -> Iterator[Provenarium]:
    """A ledger of its own beside that of the settings, with a dictionary learned from other specimens."""
    own = replace(settings, ledger=f"bench_{uuid4().hex[:12]}")
    with Ledger.open(own) as ledger:
        samples = [_creation(mint("TEST"), document(number, seed=2)) for number in range(_SAMPLES)]
        ledger.learn_to_compress([orjson.dumps(sample.to_json()) for sample in samples])
        try:
            yield Provenarium(ledger)
        finally:
            with psycopg.connect(ledger.conninfo, autocommit=True) as owner:
                owner.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(own.ledger)))
                owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(service_role(own.ledger))))


def _creation(pid: str, content: Document) -> Created:
    return DigitalObject.create(pid, content, Provenance((_CURATOR,)))
