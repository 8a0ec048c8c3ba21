"""Signs checkpoints: nothing is signed that does not continue what was signed before, nor handed out unrecorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit.tlog.checkpoint import Checkpoint
from audit.tlog.keys import load_history, load_signer
from audit.tlog.last_seen import Seen, read_seen, record, require_forward
from audit.tlog.note import Note, Signer, VerifierKey
from audit.tlog.private_folder import PrivateFolder, locked
from projections.ledger.merkle import HashAt, root_at


class CheckpointSigner:
    """The right to sign checkpoints of one log, held by one process at a time."""

    def __init__(self, private: PrivateFolder, signer: Signer, keys: list[VerifierKey]) -> None:
        self._private = private
        self._signer = signer
        self._keys = keys

    @property
    def origin(self) -> str:
        """The log's name, which is that of its key."""
        return self._signer.name

    @property
    def verifier(self) -> VerifierKey:
        """The public key to check what is signed with."""
        return self._signer.verifier

    def last_seen(self) -> Seen | None:
        """The checkpoint signed last. Raises :class:`IntegrityFailure` when its record is damaged."""
        return read_seen(self._private, self.origin, self._keys)

    def sign(self, size: int, hash_at: HashAt) -> Note:
        """Sign the log of the first ``size`` entries, whose hashes are given, and record that.

        Raises :class:`IntegrityFailure`, and signs nothing, when it does not continue the checkpoint signed last.
        """
        checkpoint = Checkpoint(self.origin, size, root_at(size, hash_at))
        if (seen := self.last_seen()) is not None:
            require_forward(seen.checkpoint, checkpoint, hash_at)
        note = checkpoint.signed(self._signer)
        record(self._private, bytes(note), self._keys, hash_at=None)
        return note


@contextmanager
def signing(folder: Path, passphrase: str | None = None) -> Iterator[CheckpointSigner]:
    """Hold the keys in a folder to sign with.

    Read the log's size inside: then no other process can sign a larger one in between, and a smaller
    size than the last always means a rolled-back log. Raises :class:`UnsafeKeys`.
    """
    with locked(folder) as private:
        signer = load_signer(private, passphrase)
        keys = [published.key for published in load_history(private)]
        yield CheckpointSigner(private, signer, keys)
