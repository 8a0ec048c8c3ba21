"""C2SP tlog-checkpoint: the origin, size and root of a log as the text of a signed note."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from audit.tlog.note import Note, Signer, VerifierKey, from_base64, open_note, to_base64
from domain.errors import InvalidNote, InvalidSignature
from projections.ledger.merkle import EMPTY_ROOT, HASH_SIZE, MAX_SIZE

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_LINE = re.compile("[^\x00-\x1f\ud800-\udfff]+")


@dataclass(frozen=True)
class Checkpoint:
    """What a log says about itself: who it is, how many entries it has, and the root over them.

    ``extensions`` are opaque lines that the specification discourages; ours have none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(map(_LINE.fullmatch, (self.origin, *self.extensions))):
            raise InvalidNote("origin and extension lines of a checkpoint are not empty and hold no control character")
        if not 0 <= self.size <= MAX_SIZE:
            raise InvalidNote(f"no log has {self.size} entries")
        if len(self.root) != HASH_SIZE:
            raise InvalidNote(f"the root of a checkpoint has {HASH_SIZE} bytes, not {len(self.root)}")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise InvalidNote("the root of an empty log is the hash of the empty string")

    @property
    def text(self) -> str:
        """The text of the note: each line with its newline."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, to_base64(self.root), *self.extensions))

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the text of a note. Raises :class:`InvalidNote` saying what is not as it should be."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() != "":
            raise InvalidNote("a checkpoint has at least three lines, each ended by a newline")
        origin, size, root, *extensions = lines
        if not _SIZE.fullmatch(size):
            raise InvalidNote(f"{size[:40]!r} is not the size of a log: decimal digits without leading zeros")
        return cls(origin, int(size), from_base64(root), tuple(extensions))

    def signed(self, *signers: Signer) -> Note:
        """The checkpoint as a note with the signatures of these keys."""
        return Note(self.text).signed(*signers)


def open_checkpoint(data: bytes, trusted: Iterable[VerifierKey], origin: str | None = None) -> Checkpoint:
    """Read a signed checkpoint and check that a trusted key signed it, and that it is of the log that is meant.

    Without ``origin`` that is the log the signing key is named after, as tlog-checkpoint recommends
    keys to be named. Raises :class:`InvalidNote` for what is no checkpoint, and
    :class:`InvalidSignature` for one that no trusted key signed or that is of another log.
    """
    note = open_note(data, trusted)
    checkpoint = Checkpoint.parse(note.text)
    expected = {origin} if origin is not None else {signature.name for signature in note.signatures}
    if checkpoint.origin not in expected:
        raise InvalidSignature(
            f"the checkpoint is of {checkpoint.origin[:80]!r}, not of {' or '.join(sorted(expected))}"
        )
    return checkpoint
