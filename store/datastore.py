"""The connection pool of one ledger: every connection acts as the service role, inside the ledger's schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import eventsourcing.persistence as library
import psycopg
from eventsourcing.postgres import PostgresDatastore
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from domain.errors import StoreUnavailable
from store.migrate import service_role

POOL_SIZE = 2
MAX_OVERFLOW = 18
CONNECT_SECONDS = 30.0
IDLE_IN_TRANSACTION_SECONDS = 300.0

_SPECIFIC = (
    library.InterfaceError,
    library.OperationalError,
    library.DataError,
    library.IntegrityError,
    library.InternalError,
    library.ProgrammingError,
    library.NotSupportedError,
    library.DatabaseError,
)


class Lent:
    """The context of one connection: commits or rolls back, and psycopg's errors leave it as those of the library.

    Every read passes here; three nested generators, which the library has for it, take a tenth of a read's time.
    """

    __slots__ = ("_connection", "_pool")
    _connection: Connection[Any]

    def __init__(self, pool: ConnectionPool[Any]) -> None:
        self._pool = pool

    def __enter__(self) -> Connection[Any]:
        try:
            self._pool.open()
            self._connection = self._pool.getconn()
        except PoolTimeout as error:
            raise StoreUnavailable(f"the database cannot be reached or is busy: {error}") from None
        except psycopg.Error as error:
            raise _of_library(error) from error
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._connection.__exit__(kind, error, trace)
        except psycopg.Error as failed:
            raise _of_library(failed) from failed
        finally:
            self._pool.putconn(self._connection)
        if isinstance(error, psycopg.Error):
            raise _of_library(error) from error


def _of_library(error: psycopg.Error) -> library.PersistenceError:
    """The library's error for one of psycopg, which both name as DB-API 2.0 does."""
    names = {kind.__name__ for kind in type(error).__mro__}
    kind = next((kind for kind in _SPECIFIC if kind.__name__ in names), library.PersistenceError)
    return kind(str(error))


class LedgerDatastore(PostgresDatastore):
    """The library's datastore, told where the ledger is by a libpq connection string.

    Tables are looked for in the schemas ``before`` first, where a rebuild makes new ones.
    """

    def __init__(self, conninfo: str, ledger: str, before: Sequence[str] = ()) -> None:
        self._path = (*before, ledger)
        known: dict[str, Any] = dict(conninfo_to_dict(conninfo))
        super().__init__(
            dbname=known.pop("dbname", ""),
            host=known.pop("host", ""),
            port=known.pop("port", ""),
            user=known.pop("user", ""),
            password=known.pop("password", ""),
            connect_timeout=CONNECT_SECONDS,
            idle_in_transaction_session_timeout=IDLE_IN_TRANSACTION_SECONDS,
            pool_size=POOL_SIZE,
            max_overflow=MAX_OVERFLOW,
            schema=ledger,
            originator_id_type="text",
        )
        assert isinstance(self.pool.kwargs, dict)
        self.pool.kwargs.update({"application_name": "provenarium", **known})

    def get_connection(self) -> Lent:  # type: ignore[override] # the library makes a generator of each call
        """A connection of the pool, for as long as a context.

        Raises :class:`StoreUnavailable` when there is none in time, which the library's recorders
        would otherwise wait for ten times over.
        """
        return Lent(self.pool)

    def after_connect_func(self) -> Callable[[Connection[Any]], None]:
        """Settings of every new connection."""
        library_settings = super().after_connect_func()
        # Every statement here is short; where statistics are missing, PostgreSQL would compile each for a second.
        settings = sql.SQL("SET search_path = {}; SET ROLE {}; SET timezone = 'UTC'; SET jit = off").format(
            sql.SQL(", ").join(map(sql.Identifier, self._path)), sql.Identifier(service_role(self.schema))
        )

        def after_connect(connection: Connection[Any]) -> None:
            library_settings(connection)
            connection.execute(settings, prepare=False)

        return after_connect
