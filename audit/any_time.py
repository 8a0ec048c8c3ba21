"""Reads times that PostgreSQL stores and Python cannot hold, so that one such value does not end a verification."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection, DataError, postgres
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format

BEYOND = datetime.max.replace(tzinfo=UTC)


@contextmanager
def any_time(connection: Connection[Any]) -> Iterator[None]:
    """Within, a time that is infinite, or outside the years 1 to 9999, is read as :data:`BEYOND`.

    It then differs from whatever an event says, and is reported where it stands.
    """
    oid = postgres.types["timestamptz"].oid
    usual = {form: connection.adapters.get_loader(oid, form) for form in (Format.TEXT, Format.BINARY)}
    for form, loader in usual.items():
        assert loader is not None
        connection.adapters.register_loader(oid, _lenient(loader, form))
    try:
        yield
    finally:
        for loader in usual.values():
            assert loader is not None
            connection.adapters.register_loader(oid, loader)


def _lenient(loader: type[Any], form: Format) -> type[Loader]:
    class AnyTime(Loader):
        format = form

        def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
            super().__init__(oid, context)
            self._usual = loader(oid, context)

        def load(self, data: Buffer) -> datetime:
            try:
                moment: datetime = self._usual.load(data)
            except DataError:
                return BEYOND
            return moment

    return AnyTime
