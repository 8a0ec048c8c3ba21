"""What the ledger's operator gives to others: signed checkpoints, proofs, and the log as static tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from audit.static_log import StaticLog
from audit.tlog.checkpoint import Checkpoint
from audit.tlog.note import Note, to_base64
from audit.tlog.signing import signing
from audit.tree import require_tree_of_log, size_problems
from domain.errors import IntegrityFailure, NotFound, RefusedInput, UnsafeKeys
from domain.events import DigitalObjectEvent
from projections.engine import catch_up
from projections.ledger.entries import entry_of, leaf_of
from projections.ledger.entry_bundles import Bundle, bundles_of, pack
from projections.ledger.merkle import (
    HASH_SIZE,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from projections.ledger.tile_reader import TileReader
from projections.ledger.tiles import tiles_of
from projections.ledger.tree import SQL, tree_of
from store.ledger import Ledger

Progress = Callable[[int, int | None], None]


def sign_checkpoint(
    ledger: Ledger,
    keys: Path,
    passphrase: str | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Note:
    """Sign the ledger as it is now, and keep the note in the database and beside the keys.

    What is signed are the events, not what was made of them: every leaf since the checkpoint signed last is
    computed anew. Raises :class:`UnsafeKeys` for the key folder, and :class:`IntegrityFailure` when the ledger does
    not continue what was signed before or its tree is not that of its events; then nothing is signed.
    """
    if not keys.exists():
        raise UnsafeKeys(f"there are no keys in {keys}; make them with 'provenarium ledger key generate NAME'")
    with signing(keys, passphrase) as signer:
        catch_up(ledger)
        seen = signer.last_seen()
        with _reading(ledger) as (connection, tree):
            require_tree_of_log(ledger, connection, tree, seen.checkpoint.size if seen else 0, progress)
            note = signer.sign(tree.size, tree.hash_at)
            checkpoint = Checkpoint.parse(note.text)
        with ledger.connection() as connection:
            row = (checkpoint.origin, checkpoint.size, checkpoint.root, bytes(note))
            connection.execute(SQL["insert_checkpoint"], row)
    return note


def newest_checkpoint(connection: Connection[Any]) -> bytes | None:
    """The note of the largest checkpoint in the database."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(SQL["newest_checkpoint"]).fetchone()
    return bytes(row[0]) if row else None


def prove_inclusion(ledger: Ledger, pid: str, version: int, note: bytes | None = None) -> str:
    """The proof that an event is in the checkpointed ledger, in the format of C2SP tlog-proof.

    ``extra`` is the entry, whose leaf hash the proof starts from. The checkpoint is ``note``, or the newest in the
    database. Raises :class:`NotFound` for the version, and :class:`RefusedInput` when no checkpoint covers it.
    """
    event = _event(ledger, pid, version)
    with _reading(ledger) as (connection, tree):
        note = note or newest_checkpoint(connection)
        if note is None:
            raise RefusedInput("there is no checkpoint yet; sign one with 'provenarium ledger checkpoint'")
        checkpoint = Checkpoint.parse(Note.parse(note).text)
        index = (event.position or 0) - 1
        if index >= checkpoint.size:
            raise RefusedInput(
                f"{pid}/{version} is entry {index + 1} of the ledger, after the {checkpoint.size} of the checkpoint; "
                "sign a new one with 'provenarium ledger checkpoint'"
            )
        _require_size(tree, checkpoint)
        proof = inclusion_proof(index, checkpoint.size, tree.hash_at)
    verify_inclusion(leaf_of(event), index, checkpoint.size, proof, checkpoint.root)
    lines = ["c2sp.org/tlog-proof@v1", f"extra {to_base64(entry_of(event))}", f"index {index}", *map(to_base64, proof)]
    return "".join(f"{line}\n" for line in [*lines, ""]) + note.decode()


def prove_consistency(ledger: Ledger, before: Checkpoint, note: bytes | None = None) -> str:
    """The proof that the ledger of a newer checkpoint continues that of an older one, whose signature was checked.

    In the form in which C2SP tlog-witness takes it: ``old SIZE``, the proof, the newer checkpoint, which is ``note``
    or the newest in the database. Raises :class:`IntegrityFailure` when it does not continue it.
    """
    with _reading(ledger) as (connection, tree):
        note = note or newest_checkpoint(connection)
        if note is None:
            raise RefusedInput("there is no newer checkpoint; sign one with 'provenarium ledger checkpoint'")
        checkpoint = Checkpoint.parse(Note.parse(note).text)
        if checkpoint.size < before.size:
            raise RefusedInput(
                f"the newest checkpoint is of {checkpoint.size} entries, fewer than {before.size} of the older one; "
                "sign a new one, or find out what happened to the ledger"
            )
        _require_size(tree, checkpoint)
        if before.size and root_at(before.size, tree.hash_at) != before.root:
            raise IntegrityFailure(
                f"the ledger does not continue the checkpoint of {before.size} entries: one of them was altered since"
            )
        proof = consistency_proof(before.size, checkpoint.size, tree.hash_at) if before.size else []
        if before.size:
            verify_consistency(before.size, before.root, checkpoint.size, checkpoint.root, proof)
    lines = [f"old {before.size}", *map(to_base64, proof), ""]
    return "".join(f"{line}\n" for line in lines) + note.decode()


def write_tiles(
    ledger: Ledger, folder: Path, note: bytes, progress: Progress = lambda _done, _total: None
) -> dict[str, int]:
    """Bring a static copy of the log up to a checkpoint, laid out as C2SP tlog-tiles prescribes.

    Only what the folder lacks is written, the checkpoint last, so that it never promises what is not there. Returns
    ``size``, ``since`` (the size it had) and ``files``. Raises :class:`IntegrityFailure` when the copy is of another
    log or of one that this does not continue, or when an event to be written is not the one that was signed, and
    :class:`RefusedInput` when it cannot be written.
    """
    checkpoint = Checkpoint.parse(Note.parse(note).text)
    copy = StaticLog(folder)
    since = copy.checkpoint()
    with _reading(ledger) as (connection, tree):
        _require_size(tree, checkpoint)
        for where, what in size_problems(connection):
            raise IntegrityFailure(f"{where} {what}; no copy of it was made")
        if since is not None and (since.origin != checkpoint.origin or since.size > checkpoint.size):
            raise IntegrityFailure(
                f"{folder} is a copy of {since.origin} with {since.size} entries; choose another folder"
            )
        if since is not None and since.size and root_at(since.size, tree.hash_at) != since.root:
            raise IntegrityFailure(f"{folder} is a copy of a log that this one does not continue: entries were altered")
        before = since.size if since else 0
        files = 0
        for tile in tiles_of(checkpoint.size, before):
            copy.write(tile.path, tree.tile(tile.level, tile.index)[: HASH_SIZE * tile.width])
            files += 1
        for bundle in bundles_of(checkpoint.size, before):
            copy.write(bundle.path, pack(_entries(ledger, connection, tree, bundle)))
            files += 1
            progress(bundle.entries[-1] + 1, checkpoint.size)
    copy.write("checkpoint", note)
    return {"size": checkpoint.size, "since": before, "files": files + 1}


def _event(ledger: Ledger, pid: str, version: int) -> DigitalObjectEvent:
    events = ledger.history(pid)
    if not 1 <= version <= len(events):
        raise NotFound(f"{pid} has no version {version}; its last is {len(events)}")
    return events[version - 1]


def _entries(ledger: Ledger, connection: Connection[Any], tree: TileReader, bundle: Bundle) -> list[bytes]:
    """The entries of a bundle, made of the events and compared with the leaves that the tree has for them."""
    found: list[bytes] = []
    while len(found) < bundle.width:
        after = bundle.entries[len(found)]
        events = ledger.recorder.select_range(after, bundle.entries[-1] + 1, bundle.width, connection=connection)
        for index, event in enumerate(events, after):
            entry = entry_of(ledger.mapper.to_domain_event(event))
            if event.position != index + 1 or leaf_hash(entry) != tree.hash_at(0, index):
                raise IntegrityFailure(
                    f"{event.originator_id}/{event.originator_version} is not the entry {index + 1} that was signed; "
                    "'provenarium verify' tells what was altered"
                )
            found.append(entry)
        if not events:
            raise IntegrityFailure(f"entry {after + 1} of the ledger is missing from the log; see 'provenarium verify'")
    return found


def _require_size(tree: TileReader, checkpoint: Checkpoint) -> None:
    if checkpoint.size > tree.size or root_at(checkpoint.size, tree.hash_at) != checkpoint.root:
        raise IntegrityFailure(
            f"the ledger does not have the root of the checkpoint of {checkpoint.size} entries: it was altered or cut"
        )


@contextmanager
def _reading(ledger: Ledger) -> Iterator[tuple[Connection[Any], TileReader]]:
    """A connection that sees one moment, and the tree then."""
    with ledger.connection() as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection, tree_of(connection)
