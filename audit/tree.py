"""Checks the ledger's Merkle tree: leaves against events, tiles against each other, checkpoints against the tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from audit.findings import Finding
from audit.tlog.checkpoint import Checkpoint, open_checkpoint
from audit.tlog.note import Note, VerifierKey
from domain.errors import IntegrityFailure, InvalidNote, InvalidSignature, ProvenariumError
from domain.events import DigitalObjectEvent
from projections.ledger.entries import leaf_of
from projections.ledger.merkle import HASH_SIZE, root_at
from projections.ledger.tile_reader import TileReader
from projections.ledger.tiles import TILE_BYTES, complete_root
from projections.ledger.tree import SQL, LedgerTree, size_of, tree_of
from store import statements
from store.ledger import Ledger
from store.statements import select

VERIFY = statements.load("audit", "verify.sql")
LEAVES = 1000
"""Events that are read at once to be compared with their leaves."""


def leaves_at(connection: Connection[Any], positions: Sequence[int]) -> dict[int, bytes]:
    """The hashes of the leaves at these positions of the ledger; none where the tree has none."""
    return {at: bytes(leaf) for at, leaf in select(connection, SQL["leaves"], (list(positions),)) if leaf is not None}


def leaf_problems(events: Iterable[DigitalObjectEvent], leaves: Mapping[int, bytes]) -> Iterator[Finding]:
    """Events whose leaf in the tree (by position) is not the hash of what they and their rows say."""
    for event in events:
        if leaves.get(event.position or 0) != leaf_of(event):
            where = f"{event.originator_id}/{event.originator_version}"
            yield where, f"is not the entry {event.position} of the ledger's tree"


def require_tree_of_log(
    ledger: Ledger,
    connection: Connection[Any],
    tree: TileReader,
    after: int = 0,
    progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> None:
    """Make sure that the tree is that of the log: as many leaves as events, from position ``after`` on theirs.

    Raises :class:`IntegrityFailure` naming the first event or leaf that is not. Leaves up to ``after`` are not
    compared: they are to be those of a root that was signed.
    """
    for where, what in size_problems(connection):
        raise _altered(where, what)
    at = min(after, tree.size)
    while at < tree.size:
        events = ledger.recorder.select_range(at, tree.size, LEAVES, connection=connection)
        leaves = leaves_at(connection, [event.position for event in events])
        for expected, event in enumerate(events, at + 1):
            if event.position != expected:
                raise _altered(f"entry {expected} of the ledger's tree", "is no event of the log")
            for where, what in leaf_problems([ledger.mapper.to_domain_event(event)], leaves):
                raise _altered(where, what)
        if not events:
            raise _altered(f"entry {at + 1} of the ledger's tree", "is no event of the log")
        at += len(events)
        progress(at, tree.size)


def size_problems(connection: Connection[Any]) -> Iterator[Finding]:
    """A tree of another size than the events it was made of, or than the log."""
    size, followed, (told, last) = size_of(connection), reached(connection), select(connection, VERIFY["head"])[0]
    if size != followed:
        yield "ledger_tiles", f"hold {size} leaves, but the ledger's tree was made of {followed} events"
    if size > min(told, last):
        yield "ledger_tiles", f"hold {size} leaves, but the log ends at position {min(told, last)}: its end is missing"


def reached(connection: Connection[Any]) -> int:
    """How many events the tree was made of, as its projection says."""
    positions: dict[str, int] = dict(select(connection, VERIFY["projections"]))
    return positions.get(LedgerTree.name, 0)


def tile_problems(connection: Connection[Any]) -> Iterator[Finding]:
    """Tiles that do not hold the roots of the full tiles below them, one hash for each and no other."""
    yield from size_problems(connection)
    level, wanted = 0, size_of(connection)
    while wanted:
        roots = bytearray()
        for expected, (index, hashes) in enumerate(_streamed(connection, level)):
            width = min(TILE_BYTES, (wanted - 256 * expected) * HASH_SIZE)
            if index != expected or len(hashes) != width:
                yield f"ledger_tiles {level}/{index}", "is not where or as long as the size of the tree demands"
                return
            if width == TILE_BYTES:
                roots += complete_root(hashes)
        above = b"".join(hashes for _, hashes in _streamed(connection, level + 1))
        if bytes(roots) != above:
            places = range(0, max(len(roots), len(above)), HASH_SIZE)
            at = next(at for at in places if roots[at : at + HASH_SIZE] != above[at : at + HASH_SIZE])
            yield f"ledger_tiles {level}/{at // HASH_SIZE}", "has another root than the tile above it says"
        level, wanted = level + 1, len(roots) // HASH_SIZE
    for too_high, index in select(connection, SQL["levels_above"], (level,)):
        yield f"ledger_tiles {too_high}/{index}", "belongs to no tree of this size"


def checkpoint_problems(
    connection: Connection[Any],
    outside: Iterable[tuple[str, Checkpoint]] = (),
    keys: Sequence[VerifierKey] = (),
) -> Iterator[Finding]:
    """Checkpoints that the tree does not continue: it must have had their root when it had their size.

    Those in the database, and ``outside`` ones, each with where it comes from. With ``keys``, those in the database
    that are of the log of these keys must be signed by one of them.
    """
    names = {key.name for key in keys}
    signed = [(where, found.size, found.root) for where, found in outside]
    for origin, size, root, note, *_ in select(connection, SQL["checkpoints"]):
        where = f"checkpoints {origin} {size}"
        signed.append((where, int(size), bytes(root)))
        try:
            told = Checkpoint.parse(Note.parse(bytes(note)).text)
        except InvalidNote as error:
            yield where, f"holds a note that is none: {error}"
            continue
        if (told.origin, told.size, told.root) != (origin, size, bytes(root)):
            yield where, f"holds the note of another checkpoint, {told.origin} {told.size}"
        elif told.origin in names:
            try:
                open_checkpoint(bytes(note), keys)
            except InvalidSignature as error:
                yield where, f"was signed by none of the keys of this ledger: {error}"
    tree = tree_of(connection)
    for where, size, root in signed:
        if size > tree.size:
            yield where, f"is of {size} entries, but the ledger has {tree.size}: its end is missing"
            continue
        try:
            was = root_at(size, tree.hash_at)
        except ProvenariumError as error:
            yield where, f"cannot be compared with the tree: {error}"
            continue
        if was != root:
            yield where, f"has another root than the first {size} entries of the ledger: one of them was altered"


def _altered(where: str, what: str) -> IntegrityFailure:
    return IntegrityFailure(f"{where} {what}; 'provenarium verify' tells what was altered")


def _streamed(connection: Connection[Any], level: int) -> Iterator[tuple[int, bytes]]:
    with connection.cursor(f"tiles_{level}", row_factory=tuple_row) as cursor:
        cursor.execute(SQL["level"], (level,))
        for index, hashes in cursor:
            yield index, bytes(hashes)
