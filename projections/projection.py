"""What a projection is: a pure function of events and its own rows, with a position in the log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from psycopg import Connection, sql
from psycopg.abc import Query

from domain.events import DigitalObjectEvent
from domain.history import Step
from store import statements
from store.mapper import EventMapper

SQL = statements.load("projections", "read_models.sql")

Row = tuple[Any, ...]


class Projection(ABC):
    """A read model. One instance serves one batch at a time.

    The engine calls :meth:`begin`, :meth:`add` for every step of a batch in ledger order, then
    :meth:`flush`, all in one transaction with the projection's position.
    """

    name: str
    """Unique among projections; of a kind that has one table, the class has it."""
    version: ClassVar[int] = 1
    """Raise it when rows are computed differently, or its table has another form: the projection is then rebuilt."""
    migrated: ClassVar[int | None] = None
    """The version whose table the migrations make."""
    table: ClassVar[str]
    """Its table: ``tables.sql`` says how to make it (``create_...``), and its keys and indexes (``index_...``)."""
    columns: ClassVar[tuple[str, ...]]
    varying: ClassVar[tuple[str, ...]] = ()
    """Columns in which the same content may be stored as different bytes."""

    def __init__(self, mapper: EventMapper) -> None:
        self.mapper = mapper

    @abstractmethod
    def begin(self, connection: Connection[Any], pids: Sequence[str]) -> None:
        """Start a batch that touches these objects."""

    @abstractmethod
    def add(self, step: Step) -> None:
        """Take one step in; nothing is written yet."""

    @abstractmethod
    def flush(self, connection: Connection[Any]) -> None:
        """Write what the batch came to."""


class EventProjection(Projection):
    """A read model of the events alone: what they led to need not be rebuilt for it."""

    @abstractmethod
    def piece(self, event: DigitalObjectEvent) -> bytes:
        """What one event comes to by itself: pieces may be made in any order, by several processes."""

    @abstractmethod
    def add_piece(self, piece: bytes) -> None:
        """Take in the piece of the next event in ledger order; nothing is written yet."""

    def add(self, step: Step) -> None:
        self.add_piece(self.piece(step.event))


class Gathering(ABC):
    """Takes the steps of one object, from version 1 on, and gives the rows that they come to."""

    @abstractmethod
    def take(self, step: Step) -> None:
        """Take the next step in."""

    @abstractmethod
    def rows(self) -> list[Row]:
        """The rows of the object, ordered."""


class ObjectProjection(Projection):
    """A read model whose rows each belong to one object, so that they can be compared with its events alone."""

    types: ClassVar[tuple[str, ...]]
    """The types of the columns, in the order in which :meth:`expected` and :meth:`stored` give them."""

    @abstractmethod
    def gathering(self) -> Gathering:
        """What takes the steps of one object."""

    def expected(self, steps: Iterable[Step]) -> list[Row]:
        """The rows of one object, computed afresh from all its steps, ordered."""
        gathered = self.gathering()
        for step in steps:
            gathered.take(step)
        return gathered.rows()

    def packed(self, row: Row) -> Row:
        """A row as it is written, given one as :meth:`expected` gives it."""
        return row

    def insert(self, connection: Connection[Any], rows: Sequence[Row]) -> None:
        """Write rows that are not there yet, as :meth:`packed` gives them."""
        columns = sql.SQL(", ").join(map(sql.Identifier, self.columns))
        copy_in = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(self.table), columns)
        copy_rows(connection, copy_in, self.types, rows)

    @abstractmethod
    def stored(self, connection: Connection[Any], pids: Sequence[str]) -> dict[str, list[Row]]:
        """The rows of these objects as they stand, ordered, by PID."""


def copy_rows(connection: Connection[Any], copy_in: Query, types: Sequence[str], rows: Sequence[Row]) -> None:
    """Write rows by binary COPY, the fastest that there is; ``types`` are PostgreSQL's, of the columns."""
    if not rows:
        return
    with connection.cursor() as cursor, cursor.copy(copy_in) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def rows_by_pid(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows grouped by their first column."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row[0], []).append(row)
    return grouped
