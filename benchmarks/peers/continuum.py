"""SQLAlchemy-Continuum: a version table beside the table, written by listeners of the session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import sqlalchemy as sa
import sqlalchemy_continuum
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Session, configure_mappers, mapped_column, scoped_session, sessionmaker

from benchmarks.documents import Document
from benchmarks.peers.store import Store, own_schema, within

sqlalchemy_continuum.make_versioned(user_cls=None)
_CONNECTIONS = 20


class Base(DeclarativeBase):
    """Of the models."""


class Specimen(Base):
    """A specimen with its document, versioned."""

    __tablename__ = "specimen"
    __versioned__: dict[str, Any] = {}  # noqa: RUF012 - the library wants just this
    id = mapped_column(sa.Text, primary_key=True)
    document = mapped_column(JSONB)


configure_mappers()
_Version = sqlalchemy_continuum.version_class(Specimen)
_Transaction = sqlalchemy_continuum.transaction_class(Specimen)


class Continuum(Store):
    """A session for each writing thread, and one for each reading; ``held`` is the mapped instance."""

    name = "SQLAlchemy-Continuum"
    package = "sqlalchemy-continuum"

    def __init__(self, conninfo: str, schema: str, engine: Any) -> None:
        super().__init__(conninfo, schema)
        self._engine = engine
        self._sessions = scoped_session(sessionmaker(engine))
        Base.metadata.create_all(engine)

    def create(self, pid: str, document: Document) -> Any:
        specimen = Specimen(id=pid, document=document)
        session = self._sessions()
        session.add(specimen)
        session.commit()
        return specimen

    def change(self, held: Any, document: Document) -> Any:
        held.document = document
        self._sessions().commit()
        return held

    def create_many(self, documents: Mapping[str, Document]) -> None:
        with Session(self._engine) as session:
            session.add_all(Specimen(id=pid, document=document) for pid, document in documents.items())
            session.commit()

    def current(self, pid: str) -> Document:
        with Session(self._engine) as session:
            found: Document = session.get_one(Specimen, pid).document
            return found

    def version(self, pid: str, number: int) -> Document:
        with Session(self._engine) as session:
            found: Document = session.scalars(_versions(pid).offset(number - 1).limit(1)).one().document
            return found

    def as_of(self, pid: str, moment: datetime) -> Document:
        by_then = _Transaction.issued_at <= moment.astimezone(UTC).replace(tzinfo=None)
        statement = (
            sa.select(_Version)
            .join(_Transaction, _Transaction.id == _Version.transaction_id)
            .where(_Version.id == pid, by_then)
            .order_by(_Version.transaction_id.desc())
            .limit(1)
        )
        with Session(self._engine) as session:
            found: Document = session.scalars(statement).one().document
            return found

    def recorded(self, pid: str, number: int) -> datetime:
        with Session(self._engine) as session:
            version = session.scalars(_versions(pid).offset(number - 1).limit(1)).one()
            moment: datetime = session.get_one(_Transaction, version.transaction_id).issued_at
            return moment.replace(tzinfo=UTC)

    def leave(self) -> None:
        self._sessions.remove()


def _versions(pid: str) -> Any:
    return sa.select(_Version).where(_Version.id == pid).order_by(_Version.transaction_id)


@contextmanager
def open_store(conninfo: str) -> Iterator[Continuum]:
    """The tables of the models in a schema of their own, with connections for every writer."""
    with own_schema(conninfo) as schema:
        place = within(conninfo, schema)
        engine = sa.create_engine(
            "postgresql+psycopg://", creator=lambda: psycopg.connect(place), pool_size=_CONNECTIONS
        )
        store = Continuum(conninfo, schema, engine)
        try:
            yield store
        finally:
            store.leave()
            engine.dispose()
