"""The projection ``ledger``: the Merkle tree over the entries of all events, kept as tiles in the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from domain.events import DigitalObjectEvent
from projections.ledger.entries import leaf_of
from projections.ledger.tile_reader import TileReader
from projections.ledger.tiles import Tile, extend
from projections.projection import EventProjection
from store import statements

SQL = statements.load("projections.ledger", "tiles.sql")


class LedgerTree(EventProjection):
    """Appends the leaf of every event, in ledger order."""

    name = "ledger"
    table = "ledger_tiles"
    columns = ("level", "index", "hashes")
    migrated = 1

    def begin(self, connection: Connection[Any], pids: Sequence[str]) -> None:  # noqa: ARG002 - it is one for all
        self._edge = tree_of(connection).edge()
        self._leaves: list[bytes] = []

    def piece(self, event: DigitalObjectEvent) -> bytes:
        return leaf_of(event)

    def add_piece(self, piece: bytes) -> None:
        self._leaves.append(piece)

    def flush(self, connection: Connection[Any]) -> None:
        growth = extend(self._edge, self._leaves)
        put_tiles(connection, [*growth.full, *growth.edge.tiles()])


def tree_of(connection: Connection[Any], size: int | None = None) -> TileReader:
    """The tree as this connection sees it, or what it was when it had ``size`` leaves."""

    def read(tile: Tile) -> bytes:
        with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
            row = cursor.execute(SQL["tile"], (tile.level, tile.index), prepare=True).fetchone()
        return bytes(row[0]) if row else b""

    return TileReader(size_of(connection) if size is None else size, read)


def size_of(connection: Connection[Any]) -> int:
    """How many leaves the tree has: as many as the projection has seen events."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(SQL["size"]).fetchone()
    return int(row[0]) if row else 0


def put_tiles(connection: Connection[Any], tiles: Iterable[tuple[Tile, bytes]]) -> None:
    """Write tiles; one that was partial is replaced by its larger self."""
    rows = [(tile.level, tile.index, hashes) for tile, hashes in tiles]
    if rows:
        connection.execute(SQL["put_tiles"], [list(column) for column in zip(*rows, strict=True)])
