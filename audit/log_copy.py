"""Holds the ledger against a static copy of its log kept elsewhere, and finds the first entry that differs.

A checkpoint alone tells that something was altered, not what: a hash over everything has no places. A copy of the
tiles has them. The two trees are compared from their roots down, at each node only on the side where they differ, so
that a log of a hundred million entries takes some thirty steps. Every step in the copy is checked against the
signed root, so that a damaged or false copy accuses nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
from psycopg import Connection

from audit.findings import Finding
from audit.static_log import StaticLog
from audit.tlog.checkpoint import Checkpoint, open_checkpoint
from audit.tlog.note import VerifierKey
from domain.errors import IntegrityFailure, InvalidTile, ProvenariumError, RefusedInput
from projections.ledger.entry_bundles import MAX_ENTRY, Bundle, unpack
from projections.ledger.merkle import HashAt, leaf_hash, node_hash
from projections.ledger.tile_reader import TileReader
from projections.ledger.tiles import TILE_BYTES, WIDTH, Tile, tile_of
from projections.ledger.tree import tree_of
from store import statements
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
        self.tree = TileReader(self.checkpoint.size, self._tile)
        if self.tree.root() != self.checkpoint.root:
            raise IntegrityFailure(
                f"the tiles in {folder} do not lead to the root of its checkpoint: the copy is damaged; use another"
            )

    @property
    def where(self) -> str:
        """How a report calls its checkpoint."""
        return f"the checkpoint of {self.checkpoint.size} entries in {self.folder}"

    def entry(self, index: int) -> dict[str, Any] | None:
        """What the copy says of one entry (from 0); None when its bundle does not hold what the tree has there."""
        number, offset = divmod(index, WIDTH)
        bundle = Bundle(number, tile_of(0, number, self.checkpoint.size).width)
        try:
            entry = unpack(self._files.read(bundle.path, MAX_BUNDLE), bundle.width)[offset]
        except (RefusedInput, InvalidTile):
            return None
        if leaf_hash(entry) != self.tree.hash_at(0, index):
            return None
        found: dict[str, Any] = orjson.loads(entry)
        return found

    def _tile(self, tile: Tile) -> bytes:
        return self._files.read(tile.path, TILE_BYTES)


def copy_problems(connection: Connection[Any], copy: LogCopy) -> Iterator[Finding]:
    """The first entry of the ledger that is not the one in the copy, if there is one; what it was and what it is."""
    here = tree_of(connection)
    try:
        index = first_difference(here, copy.tree)
    except ProvenariumError as error:
        yield f"the copy in {copy.folder}", f"cannot be compared with the ledger: {error}"
        return
    if index is None:
        return
    was = copy.entry(index)
    where, recorded = f"entry {index + 1} of the ledger", ""
    if was is not None:
        where = f"{was['object']}/{was['version']}"
        recorded = f" recorded at {was['recorded']} with the hash {was['event']}"
    is_now = "is missing"
    for pid, version in select(connection, SQL["entry"], (index + 1,)):
        is_now = f"now is {'another ' if where == f'{pid}/{version}' else ''}{pid}/{version}"
    yield (
        where,
        (
            f"is the first event affected: entry {index + 1} of the ledger was{recorded}, "
            f"says the copy in {copy.folder}, and {is_now}"
        ),
    )


def first_difference(here: TileReader, there: TileReader) -> int | None:
    """The number, from 0, of the first leaf of ``there`` that ``here`` lacks or has otherwise; None if there is none.

    Raises :class:`IntegrityFailure` when a node of ``there`` is not the hash of those below it; where that is so
    ``here``, its leaves cannot be told either.
    """
    common = min(here.size, there.size)
    start = 0
    while start < common:
        level = (common - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        index = start >> level
        if here.hash_at(level, index) != there.hash_at(level, index):
            return _descended(here.hash_at, there.hash_at, level, index)
        start += 1 << level
    return common if there.size > common else None


def _descended(here: HashAt, there: HashAt, level: int, index: int) -> int:
    while level:
        left, right = there(level - 1, 2 * index), there(level - 1, 2 * index + 1)
        if node_hash(left, right) != there(level, index):
            raise IntegrityFailure(f"the copy's tiles below node {index} of level {level} do not lead to it")
        differs_left = here(level - 1, 2 * index) != left
        if not differs_left and here(level - 1, 2 * index + 1) == right:
            raise IntegrityFailure(f"the ledger's own tiles below node {index} of level {level} do not lead to it")
        level, index = level - 1, 2 * index + (not differs_left)
    return index
