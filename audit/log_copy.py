"""Holds the log against a static copy of it kept elsewhere, and finds the first entry that differs.

A checkpoint alone tells that something was altered, not what: a hash over everything has no places. A copy of the
tiles has them. The copy must lead to the root that was signed, so that a damaged or false one accuses nobody. It is
compared with the events themselves, from the first on, and with nothing that was made of them: who can alter events
can alter the ledger's own tiles too, so that they lead to a later event, or to none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
from psycopg import Connection

from audit.findings import Finding
from audit.static_log import StaticLog
from audit.tlog.checkpoint import Checkpoint, open_checkpoint
from audit.tlog.note import VerifierKey
from domain.errors import IntegrityFailure, InvalidTile, ProvenariumError, RefusedInput
from projections.ledger.entries import leaf_of
from projections.ledger.entry_bundles import MAX_ENTRY, Bundle, unpack
from projections.ledger.merkle import HASH_SIZE, leaf_hash
from projections.ledger.tiles import WIDTH, Edge, Tile, extend, tile_of
from store import statements
from store.ledger import Ledger
from store.mapper import RecordedEvent
from store.statements import select

SQL = statements.load("audit", "log_copy.sql")

MAX_CHECKPOINT = 1024 * 1024
MAX_BUNDLE = WIDTH * (2 + MAX_ENTRY)


class LogCopy:
    """A copy as ``ledger tiles`` writes it, up to its checkpoint, which one of the ``trusted`` keys has signed.

    Raises :class:`RefusedInput` or :class:`IntegrityFailure` for what is no such copy, is incomplete, or does not
    lead to the root that was signed.
    """

    def __init__(self, folder: Path, trusted: Sequence[VerifierKey]) -> None:
        self._files = StaticLog(folder)
        self.folder = folder
        self.checkpoint: Checkpoint = open_checkpoint(self._files.read("checkpoint", MAX_CHECKPOINT), trusted)
        edge = Edge()
        for leaves in self._tiles():
            edge = extend(edge, leaves).edge
        if edge.root() != self.checkpoint.root:
            raise IntegrityFailure(
                f"the tiles in {folder} do not lead to the root of its checkpoint: the copy is damaged; use another"
            )

    @property
    def where(self) -> str:
        """How a report calls its checkpoint."""
        return f"the checkpoint of {self.checkpoint.size} entries in {self.folder}"

    def leaves(self) -> Iterator[bytes]:
        """The hashes of all leaves in order."""
        for leaves in self._tiles():
            yield from leaves

    def entry(self, index: int) -> dict[str, Any] | None:
        """What the copy says of one entry (from 0); None when its bundle does not hold what the tree has there."""
        tile = tile_of(0, index // WIDTH, self.checkpoint.size)
        offset = index % WIDTH
        bundle = Bundle(tile.index, tile.width)
        try:
            entry = unpack(self._files.read(bundle.path, MAX_BUNDLE), bundle.width)[offset]
        except (RefusedInput, InvalidTile):
            return None
        if leaf_hash(entry) != self._leaves_of(tile)[offset]:
            return None
        found: dict[str, Any] = orjson.loads(entry)
        return found

    def _tiles(self) -> Iterator[list[bytes]]:
        size = self.checkpoint.size
        for number in range(-(-size // WIDTH)):
            yield self._leaves_of(tile_of(0, number, size))

    def _leaves_of(self, tile: Tile) -> list[bytes]:
        wanted = tile.width * HASH_SIZE
        hashes = self._files.read(tile.path, wanted)
        if len(hashes) != wanted:
            raise IntegrityFailure(f"{self.folder / tile.path} has {len(hashes)} bytes instead of {wanted}")
        return [hashes[at : at + HASH_SIZE] for at in range(0, wanted, HASH_SIZE)]


def copy_problems(ledger: Ledger, connection: Connection[Any], copy: LogCopy) -> Iterator[Finding]:
    """The first entry of the log that is not the one in the copy, if there is one; what it was and what it is."""
    position = first_difference(copy.leaves(), _leaves_of_events(ledger, connection))
    if position is None:
        return
    was = copy.entry(position - 1)
    where, recorded = f"entry {position} of the ledger", ""
    if was is not None:
        where = f"{was['object']}/{was['version']}"
        recorded = f" recorded at {was['recorded']} with the hash {was['event']}"
    names = [f"{pid}/{version}" for pid, version in select(connection, SQL["entry"], (position,))]
    is_now = " and ".join(f"another {name}" if name == where else name for name in names)
    yield (
        where,
        (
            f"is the first event affected: entry {position} of the ledger was{recorded}, "
            f"says the copy in {copy.folder}, and {f'now is {is_now}' if names else 'is missing'}"
        ),
    )


def first_difference(leaves: Iterable[bytes], log: Iterable[tuple[int, bytes | None]]) -> int | None:
    """The position, from 1, of the first of these leaves that the log does not have just there; None if it has all.

    The log is given in its order, by positions and leaves, with None for an event that cannot be read. What it has
    after the last of the leaves does not matter, unless it is there twice.
    """
    rest = iter(log)
    position = 0
    for position, leaf in enumerate(leaves, 1):
        at, there = next(rest, (position, None))
        if at < position:
            return at  # the second of two at one position
        if at > position or there != leaf:
            return position
    at, _ = next(rest, (position + 1, None))
    return at if at <= position else None


def _leaves_of_events(ledger: Ledger, connection: Connection[Any]) -> Iterator[tuple[int, bytes | None]]:
    after, limit = 0, 1000
    while True:
        try:
            events = ledger.recorder.select_range(after, limit=limit, connection=connection)
        except IntegrityFailure:
            if limit == 1:
                yield after + 1, None
                return
            limit = 1  # to come to the one that cannot be read
            continue
        if not events:
            return
        for event in events:
            yield event.position, _leaf(ledger, event)
        after = events[-1].position


def _leaf(ledger: Ledger, event: RecordedEvent) -> bytes | None:
    try:
        return leaf_of(ledger.mapper.to_domain_event(event))
    except ProvenariumError:  # what is wrong with it, the check of its object says
        return None
