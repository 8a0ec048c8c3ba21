"""The connection pool of one ledger: every connection acts as the service role, inside the ledger's schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from eventsourcing.persistence import OperationalError
from eventsourcing.postgres import PostgresDatastore
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout

from domain.errors import StoreUnavailable
from store.migrate import service_role

POOL_SIZE = 2
MAX_OVERFLOW = 18
CONNECT_SECONDS = 30.0
IDLE_IN_TRANSACTION_SECONDS = 300.0


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

    @contextmanager
    def get_connection(self) -> Iterator[Connection[Any]]:
        """A connection of the pool.

        Raises :class:`StoreUnavailable` when there is none in time, which the library's recorders
        would otherwise wait for ten times over.
        """
        try:
            with super().get_connection() as connection:
                yield connection
        except OperationalError as error:
            if isinstance(error.__cause__, PoolTimeout):
                raise StoreUnavailable(f"the database cannot be reached or is busy: {error}") from None
            raise

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
