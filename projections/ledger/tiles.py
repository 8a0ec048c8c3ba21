"""The tiles of C2SP tlog-tiles: which a tree consists of, what they are called, and how appending extends them.

A tile holds up to 256 consecutive hashes of one level; its eight levels of interior nodes are computed
when needed. The tile at level L and index N holds the roots of the complete subtrees of 256^L leaves
from number ``N * 256`` on. Only the last tile of a level is partial, and none is empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from domain.errors import InvalidTile
from projections.ledger.merkle import HASH_SIZE, MAX_SIZE, Frontier

HEIGHT = 8
WIDTH = 1 << HEIGHT
TILE_BYTES = WIDTH * HASH_SIZE

NUMBERED_PATH = r"((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
_TILE_PATH = re.compile("tile/([0-7])/" + NUMBERED_PATH)


@dataclass(frozen=True, order=True)
class Tile:
    """Where a tile stands: level and index from 0, and how many hashes it holds (1 to 256)."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Its path below the log's prefix, ``tile/<L>/<N>[.p/<W>]``."""
        return f"tile/{self.level}/{numbered_path(self.index, self.width)}"

    @classmethod
    def parse(cls, path: str) -> Tile:
        """Read a path that :attr:`path` may have written. Raises :class:`InvalidTile` for any other."""
        found = _TILE_PATH.fullmatch(path)
        if found is None:
            raise InvalidTile(f"{path[:80]!r} is not the path of a tile")
        tile = cls(int(found[1]), parse_number(found[2]), int(found[3] or WIDTH))
        if tile.path != path:  # elements of zeros in front
            raise InvalidTile(f"{path[:80]!r} is not the path of a tile")
        return tile


def numbered_path(index: int, width: int = WIDTH) -> str:
    """A tile's or bundle's index in path elements of three digits, and its width if it is partial.

    1234067 becomes ``x001/x234/067``.
    """
    elements = [f"{index % 1000:03}"]
    while index := index // 1000:
        elements.append(f"x{index % 1000:03}")
    return "/".join(reversed(elements)) + (f".p/{width}" if width != WIDTH else "")


def parse_number(elements: str) -> int:
    """The index that path elements of the form ``x001/x234/067`` stand for."""
    return int(elements.replace("x", "").replace("/", ""))


def partial_width(level: int, size: int) -> int:
    """How many hashes the partial tile of a level has in a tree of ``size`` leaves; 0: there is none."""
    return (size >> HEIGHT * level) % WIDTH


def tile_of(level: int, index: int, size: int) -> Tile:
    """The tile at this place in a tree of ``size`` leaves, full or partial.

    Raises :class:`InvalidTile` when the tree has none there.
    """
    width = min(WIDTH, (size >> HEIGHT * max(level, 0)) - index * WIDTH)
    if level < 0 or index < 0 or width < 1:
        raise InvalidTile(f"a tree of {size} leaves has no tile {index} at level {level}")
    return Tile(level, index, width)


def tiles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """The tiles of a tree of ``size`` leaves, or those of them that the tree of ``since`` leaves lacks.

    Level by level, in order. What was partial then and has grown is among them.
    """
    for level in range(_height(size)):
        hashes = size >> HEIGHT * level
        before = since >> HEIGHT * level
        if hashes <= before:
            continue
        for index in range(before // WIDTH, -(-hashes // WIDTH)):
            yield tile_of(level, index, size)


@dataclass(frozen=True)
class Edge:
    """The right edge of a tree in tiles: its size and the partial tile of each level, empty where there is none."""

    size: int = 0
    partial: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        levels = _height(self.size)
        if len(self.partial) != levels or any(
            len(tile) != partial_width(level, self.size) * HASH_SIZE for level, tile in enumerate(self.partial)
        ):
            raise InvalidTile(f"the partial tiles are not those of a tree of {self.size} leaves")

    def tiles(self) -> Iterator[tuple[Tile, bytes]]:
        """The partial tiles that there are, lowest level first."""
        for level, hashes in enumerate(self.partial):
            if hashes:
                yield tile_of(level, self.size >> HEIGHT * (level + 1), self.size), hashes

    def frontier(self) -> Frontier:
        """The same edge as the complete subtrees it consists of."""
        subtrees: list[bytes] = []
        for hashes in reversed(self.partial):
            at = 0
            width = len(hashes) // HASH_SIZE
            for height in reversed(range(HEIGHT)):
                if width >> height & 1:
                    end = at + (HASH_SIZE << height)
                    subtrees.append(complete_root(hashes[at:end]))
                    at = end
        return Frontier(self.size, subtrees)

    def root(self) -> bytes:
        """The Merkle tree hash of the whole tree."""
        return self.frontier().root()


@dataclass(frozen=True)
class Growth:
    """What appending made: the tiles that became full, lowest level first, and the new right edge."""

    full: tuple[tuple[Tile, bytes], ...]
    edge: Edge


def extend(edge: Edge, leaves: Sequence[bytes]) -> Growth:
    """Append leaves, given by their hashes, to a tree of which only the right edge is known.

    Does not change ``edge``. The tiles to write are ``growth.full`` and ``growth.edge.tiles()``; the
    partial tiles of the former edge remain true of the former size.
    """
    if any(len(leaf) != HASH_SIZE for leaf in leaves):
        raise InvalidTile(f"a leaf's hash has {HASH_SIZE} bytes")
    size = edge.size + len(leaves)
    full: list[tuple[Tile, bytes]] = []
    partial: list[bytes] = []
    added = b"".join(leaves)
    for level in range(_height(size)):
        before = edge.partial[level] if level < len(edge.partial) else b""
        hashes = before + added
        index = edge.size >> HEIGHT * (level + 1)
        end = len(hashes) - len(hashes) % TILE_BYTES
        made = [hashes[at : at + TILE_BYTES] for at in range(0, end, TILE_BYTES)]
        full.extend((Tile(level, index + number), tile) for number, tile in enumerate(made))
        partial.append(hashes[end:])
        added = b"".join(map(complete_root, made))
    return Growth(tuple(full), Edge(size, tuple(partial)))


def parents(hashes: bytes) -> bytes:
    """The hashes one level up; an odd one at the end has no parent yet."""
    return b"".join(
        [sha256(b"\x01" + hashes[at : at + 64]).digest() for at in range(0, len(hashes) - HASH_SIZE, 2 * HASH_SIZE)]
    )


def complete_root(hashes: bytes) -> bytes:
    """The root of a complete subtree, given a power of two of concatenated hashes."""
    while len(hashes) > HASH_SIZE:
        hashes = parents(hashes)
    return hashes


def _height(size: int) -> int:
    """How many levels of tiles a tree of ``size`` leaves has."""
    if not 0 <= size <= MAX_SIZE:
        raise InvalidTile(f"no tree has {size} leaves")
    return -(-size.bit_length() // HEIGHT)
