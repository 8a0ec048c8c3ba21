"""What this operator signed last, kept with the keys: a database rolled back to yesterday is noticed here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from audit.tlog.checkpoint import Checkpoint, open_checkpoint
from audit.tlog.keys import load_history, read_history
from audit.tlog.note import VerifierKey
from audit.tlog.private_folder import PrivateFolder, locked, opened
from domain.errors import IntegrityFailure, InvalidNote, InvalidSignature, RefusedInput
from projections.ledger.merkle import HashAt, consistency_proof, verify_consistency


@dataclass(frozen=True)
class Seen:
    """A checkpoint and the signed note that it was handed out as."""

    checkpoint: Checkpoint
    note: bytes


def last_seen(folder: Path, origin: str) -> Seen | None:
    """The newest checkpoint of a log that was signed with the keys in this folder, None before the first.

    Raises :class:`UnsafeKeys` for the folder and :class:`IntegrityFailure` when the record is damaged.
    """
    with opened(folder) as private:
        return read_seen(private, origin, [published.key for published in read_history(private)])


def remember(folder: Path, note: bytes, hash_at: HashAt | None = None) -> Checkpoint:
    """Record a signed checkpoint before it is handed out.

    With the hashes of the log (``hash_at``) it is also proved to continue the one before. Raises
    :class:`IntegrityFailure` when it goes backwards (fewer entries, or as many with another root) or
    does not continue the log, :class:`InvalidSignature` when no key of this folder signed it.
    """
    with locked(folder) as private:
        return record(private, note, [published.key for published in load_history(private)], hash_at)


def read_seen(private: PrivateFolder, origin: str, keys: Iterable[VerifierKey]) -> Seen | None:
    """Like :func:`last_seen`, for a folder that is open."""
    name = _file(origin)
    note = private.read(name)
    if note is None:
        return None
    try:
        return Seen(open_checkpoint(note, keys, origin), note)
    except (InvalidNote, InvalidSignature) as error:
        raise IntegrityFailure(f"{private.path / name}, the checkpoint signed last, is damaged: {error}") from None


def record(private: PrivateFolder, note: bytes, keys: Iterable[VerifierKey], hash_at: HashAt | None) -> Checkpoint:
    """Like :func:`remember`, for a folder that is locked."""
    keys = list(keys)
    checkpoint = open_checkpoint(note, keys)
    seen = read_seen(private, checkpoint.origin, keys)
    if seen is not None:
        require_forward(seen.checkpoint, checkpoint, hash_at)
    private.replace(_file(checkpoint.origin), note)
    return checkpoint


def require_forward(seen: Checkpoint, following: Checkpoint, hash_at: HashAt | None) -> None:
    """Check that a checkpoint may follow another of the same log.

    Raises :class:`IntegrityFailure` when it goes backwards, or when the hashes show no continuation.
    """
    if following.size < seen.size:
        raise IntegrityFailure(
            f"{following.origin} has {following.size} entries, but a checkpoint of {seen.size} was signed: "
            "the log has been rolled back; restore it, and sign nothing"
        )
    if following.size == seen.size and following.root != seen.root:
        raise IntegrityFailure(
            f"{following.origin} has {following.size} entries with another root than the checkpoint signed last: "
            "the log has been altered; find out where, and sign nothing"
        )
    if hash_at is None or seen.size in (0, following.size):
        return
    try:
        proof = consistency_proof(seen.size, following.size, hash_at)
        verify_consistency(seen.size, seen.root, following.size, following.root, proof)
    except (IntegrityFailure, RefusedInput) as error:
        raise IntegrityFailure(
            f"{following.origin} with {following.size} entries does not continue the checkpoint of {seen.size} "
            f"signed last ({error}): the log has been altered; find out where, and sign nothing"
        ) from None


def _file(origin: str) -> str:
    """A file name for any origin."""
    return f"last-seen-{sha256(origin.encode()).hexdigest()[:16]}.note"
