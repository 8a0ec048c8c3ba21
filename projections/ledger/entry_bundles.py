"""The entry bundles of C2SP tlog-tiles: up to 256 log entries, each after its length as a big-endian uint16."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from domain.errors import InvalidTile
from projections.ledger.tiles import NUMBERED_PATH, WIDTH, numbered_path, parse_number, tile_of

MAX_ENTRY = 2**16 - 1
_BUNDLE_PATH = re.compile("tile/entries/" + NUMBERED_PATH)


@dataclass(frozen=True, order=True)
class Bundle:
    """Where an entry bundle stands: its index from 0, and how many entries it holds (1 to 256)."""

    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Its path below the log's prefix, ``tile/entries/<N>[.p/<W>]``."""
        return f"tile/entries/{numbered_path(self.index, self.width)}"

    @property
    def entries(self) -> range:
        """The numbers of its entries in the log."""
        return range(self.index * WIDTH, self.index * WIDTH + self.width)

    @classmethod
    def parse(cls, path: str) -> Bundle:
        """Read a path that :attr:`path` may have written. Raises :class:`InvalidTile` for any other."""
        found = _BUNDLE_PATH.fullmatch(path)
        bundle = cls(parse_number(found[1]), int(found[2] or WIDTH)) if found else None
        if bundle is None or bundle.path != path:
            raise InvalidTile(f"{path[:80]!r} is not the path of an entry bundle")
        return bundle


def bundles_of(size: int, since: int = 0) -> Iterator[Bundle]:
    """The bundles of a log of ``size`` entries, in order; with ``since``, those the log lacked at that size."""
    if since >= size:
        return
    for index in range(since // WIDTH, -(-size // WIDTH)):
        yield Bundle(index, tile_of(0, index, size).width)


def pack(entries: Iterable[bytes]) -> bytes:
    """One bundle of 1 to 256 entries, or the beginning of one.

    Raises :class:`InvalidTile` for an entry beyond 65535 bytes, or for a number of entries no bundle has.
    """
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise InvalidTile(
                f"entry {len(parts) // 2} of the bundle has {len(entry)} bytes; tlog-tiles allows {MAX_ENTRY}"
            )
        parts += (len(entry).to_bytes(2), entry)
    if not 1 <= len(parts) // 2 <= WIDTH:
        raise InvalidTile(f"a bundle has 1 to {WIDTH} entries, not {len(parts) // 2}")
    return b"".join(parts)


def unpack(data: bytes, width: int) -> list[bytes]:
    """The ``width`` entries of a bundle. Raises :class:`InvalidTile` when it does not hold exactly these."""
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) < width:
        start = at + 2
        at = start + int.from_bytes(data[at:start])
        entries.append(data[start:at])
    if at != len(data) or len(entries) != width:
        raise InvalidTile(f"a bundle of {len(data)} bytes does not hold exactly {width} entries")
    return entries
