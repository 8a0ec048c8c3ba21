"""A table of full snapshots as DiSSCo's design stores them: every version whole, as JSONB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from benchmarks.documents import Document
from benchmarks.peers.store import Connections, Store, own_schema

_TABLE = (
    "CREATE TABLE specimens (id text, version integer, document jsonb NOT NULL,"
    " created timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (id, version))"
)


class Snapshots(Store):
    """Bare statements; ``held`` is PID and version."""

    name = "JSONB snapshots"

    def __init__(self, conninfo: str, schema: str) -> None:
        super().__init__(conninfo, schema)
        self._connections = Connections(conninfo, schema)
        self._connections.get().execute(_TABLE)

    def create(self, pid: str, document: Document) -> tuple[str, int]:
        return self._insert(pid, 1, document)

    def change(self, held: tuple[str, int], document: Document) -> tuple[str, int]:
        pid, version = held
        return self._insert(pid, version + 1, document)

    def create_many(self, documents: Mapping[str, Document]) -> None:
        copy_in = "COPY specimens (id, version, document) FROM STDIN"
        with self._connections.get().cursor() as cursor, cursor.copy(copy_in) as copy:
            for pid, document in documents.items():
                copy.write_row((pid, 1, Jsonb(document)))

    def current(self, pid: str) -> Document:
        return self._document("SELECT document FROM specimens WHERE id = %s ORDER BY version DESC LIMIT 1", pid)

    def version(self, pid: str, number: int) -> Document:
        return self._document("SELECT document FROM specimens WHERE id = %s AND version = %s", pid, number)

    def as_of(self, pid: str, moment: datetime) -> Document:
        statement = "SELECT document FROM specimens WHERE id = %s AND created <= %s ORDER BY version DESC LIMIT 1"
        return self._document(statement, pid, moment)

    def recorded(self, pid: str, number: int) -> datetime:
        moment: datetime = self._one("SELECT created FROM specimens WHERE id = %s AND version = %s", pid, number)
        return moment

    def leave(self) -> None:
        self._connections.close()

    def _insert(self, pid: str, version: int, document: Document) -> tuple[str, int]:
        statement = "INSERT INTO specimens (id, version, document) VALUES (%s, %s, %s)"
        self._connections.get().execute(statement, (pid, version, Jsonb(document)))
        return pid, version

    def _document(self, statement: str, *parameters: object) -> Document:
        document: Document = self._one(statement, *parameters)
        return document

    def _one(self, statement: str, *parameters: object) -> Any:
        row = self._connections.get().execute(statement, parameters).fetchone()
        assert row is not None
        return row[0]


@contextmanager
def open_store(conninfo: str) -> Iterator[Snapshots]:
    """The table in a schema of its own."""
    with own_schema(conninfo) as schema:
        store = Snapshots(conninfo, schema)
        try:
            yield store
        finally:
            store.leave()
