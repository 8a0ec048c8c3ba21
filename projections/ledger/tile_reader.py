"""Reads the hashes of a tree from its tiles, computing the interior nodes that tiles leave out."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from domain.errors import IntegrityFailure, RefusedInput
from projections.ledger.merkle import HASH_SIZE, Frontier, root_at
from projections.ledger.tiles import HEIGHT, WIDTH, Edge, Tile, parents, partial_width, tile_of

CACHED_TILES = 64
"""Each takes about 16 KB with its interior nodes."""

ReadTile = Callable[[Tile], bytes]
"""From a tile's place and width to its concatenated hashes. A wider tile of the same place will do as well."""


class TileReader:
    """The hashes of a tree of a certain size, from tiles.

    ``hash_at`` is a source of hashes for ``projections.ledger.merkle``. A tile is believed when the tile above it has
    its root; those at the right edge, which have none above, make the root of the tree: whoever compares that with a
    signed one knows that every hash read was signed.
    """

    def __init__(self, size: int, read_tile: ReadTile, cached_tiles: int = CACHED_TILES) -> None:
        self.size = size
        self._read_tile = read_tile
        self._interior = lru_cache(maxsize=cached_tiles)(self._levels_of)

    def hash_at(self, level: int, index: int) -> bytes:
        """The root of the complete subtree ``index`` of 2^level leaves.

        Raises :class:`RefusedInput` when it does not lie inside the tree, and :class:`IntegrityFailure` when its
        tile is too short or has another root than the tile above it says.
        """
        if level < 0 or index < 0 or (index + 1) << level > self.size:
            raise RefusedInput(f"a tree of {self.size} leaves has no complete subtree {index} at level {level}")
        tile_level, height = divmod(level, HEIGHT)
        number, offset = divmod(index << height, WIDTH)
        hashes = self._interior(tile_level, number)[height]
        start = (offset >> height) * HASH_SIZE
        return hashes[start : start + HASH_SIZE]

    def root(self) -> bytes:
        """The Merkle tree hash of the whole tree."""
        return root_at(self.size, self.hash_at)

    def frontier(self) -> Frontier:
        """The right edge of the tree, as complete subtrees."""
        return Frontier.read(self.size, self.hash_at)

    def edge(self) -> Edge:
        """The right edge of the tree, as partial tiles; to append to it."""
        levels = -(-self.size.bit_length() // HEIGHT)
        partial = [
            self._read(tile_of(level, self.size >> HEIGHT * (level + 1), self.size))
            if partial_width(level, self.size)
            else b""
            for level in range(levels)
        ]
        return Edge(self.size, tuple(partial))

    def tile(self, level: int, index: int) -> bytes:
        """A tile's hashes, cut to the width it has in a tree of this size; raises as :meth:`hash_at` does."""
        return self._interior(level, index)[0]

    def _levels_of(self, level: int, index: int) -> list[bytes]:
        tile = tile_of(level, index, self.size)
        levels = [self._read(tile)]
        for _ in range(1, HEIGHT):
            levels.append(parents(levels[-1]))
        if tile.width == WIDTH:
            number, offset = divmod(index, WIDTH)
            above = self.tile(level + 1, number)
            if parents(levels[-1]) != above[offset * HASH_SIZE : (offset + 1) * HASH_SIZE]:
                raise IntegrityFailure(f"{tile.path} has another root than the tile above it says")
        return levels

    def _read(self, tile: Tile) -> bytes:
        hashes = self._read_tile(tile)
        if len(hashes) < tile.width * HASH_SIZE or len(hashes) % HASH_SIZE or len(hashes) > WIDTH * HASH_SIZE:
            raise IntegrityFailure(f"{tile.path} has {len(hashes)} bytes instead of {tile.width * HASH_SIZE}")
        return hashes[: tile.width * HASH_SIZE]
