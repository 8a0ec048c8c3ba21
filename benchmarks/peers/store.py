"""What every measured store can do: write the versions of an object one by one, and read any of them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from typing import Any, ClassVar
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from benchmarks.documents import Document

Connection = psycopg.Connection[Any]


class NotMeasured(Exception):
    """Why a peer cannot be measured here."""


class Store(ABC):
    """A store of histories in a schema of its own. Threads may share it; each calls :meth:`leave` when it ends.

    ``held`` is whatever a writer keeps at hand between two versions: writing never reads the object first.
    """

    name: ClassVar[str]
    package: ClassVar[str | None] = None
    """The Python distribution whose version is told."""

    def __init__(self, conninfo: str, schema: str) -> None:
        self.conninfo = conninfo
        self.schema = schema

    def release(self) -> str | None:
        """What is measured, with its version; None for what is part of this project."""
        return f"{self.package} {version(self.package)}" if self.package else None

    @abstractmethod
    def create(self, pid: str, document: Document) -> Any:
        """Record version 1 in a transaction; returns ``held``."""

    @abstractmethod
    def change(self, held: Any, document: Document) -> Any:
        """Record the next version in a transaction; returns the new ``held``."""

    @abstractmethod
    def create_many(self, documents: Mapping[str, Document]) -> None:
        """Record version 1 of many objects in one transaction, as fast as the store offers; by PID."""

    @abstractmethod
    def current(self, pid: str) -> Document:
        """The last version."""

    @abstractmethod
    def version(self, pid: str, number: int) -> Document:
        """The version of this number, from 1."""

    @abstractmethod
    def as_of(self, pid: str, moment: datetime) -> Document:
        """The last version recorded at or before a moment."""

    @abstractmethod
    def recorded(self, pid: str, number: int) -> datetime:
        """When the store recorded a version."""

    def leave(self) -> None:  # noqa: B027 - where a pool hands out connections, a thread holds none
        """Give up what the calling thread holds, such as a connection."""

    def tidy(self) -> None:
        """Write the tables anew without dead rows, and gather statistics."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            for name in self._tables(connection):
                connection.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(sql.Identifier(self.schema, name)))

    def analyze(self) -> None:
        """Gather statistics, which autovacuum may not have done yet, or never does."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            for name in self._tables(connection):
                connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(self.schema, name)))

    def size(self, without: tuple[str, ...] = ()) -> int:
        """Bytes of the tables with their indexes and TOAST, but for those named."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            names = [name for name in self._tables(connection) if name not in without]
            ((size,),) = connection.execute(
                "SELECT coalesce(sum(pg_total_relation_size(format('%%I.%%I', %s::text, name)::regclass)), 0)::bigint"
                " FROM unnest(%s::text[]) AS name",
                (self.schema, names),
            ).fetchall()
        return int(size)

    def _tables(self, connection: Connection) -> list[str]:
        rows = connection.execute(
            "SELECT relname::text FROM pg_class WHERE relnamespace = %s::text::regnamespace AND relkind = 'r'",
            (self.schema,),
        )
        return [name for (name,) in rows]


class FollowedStore(Store):
    """A store with a log that projections follow."""

    @abstractmethod
    def follow(self) -> int:
        """Bring a table of current documents up to the end of the log; returns how many events that were."""


class Connections:
    """One autocommit connection a thread, looking into one schema."""

    def __init__(self, conninfo: str, schema: str) -> None:
        self._conninfo = within(conninfo, schema)
        self._local = threading.local()

    def get(self) -> Connection:
        """The connection of the calling thread."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = psycopg.connect(self._conninfo, autocommit=True)
        return connection

    def close(self) -> None:
        """Close that of the calling thread."""
        connection: Connection | None = self._local.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()


def within(conninfo: str, schema: str) -> str:
    """A connection string whose connections look for tables in this schema."""
    return make_conninfo(conninfo, options=f"-c search_path={schema}")


@contextmanager
def own_schema(conninfo: str) -> Iterator[str]:
    """A new schema on the server, for as long as it is needed."""
    schema = f"bench_{uuid4().hex[:12]}"
    name = sql.Identifier(schema)
    with psycopg.connect(conninfo, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE SCHEMA {}").format(name))
        try:
            yield schema
        finally:
            owner.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(name))


def changed_terms(before: Document, after: Document) -> Document:
    """The top-level terms that an event needs to say; the edits measured here remove none."""
    return {term: value for term, value in after.items() if before.get(term) != value}
