"""Checkpoints from outside the database that it must agree with: what the key folder remembers, what a person gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audit.tlog.checkpoint import Checkpoint, open_checkpoint
from audit.tlog.keys import public
from audit.tlog.last_seen import last_seen
from audit.tlog.note import VerifierKey
from domain.errors import RefusedInput


def witnesses(
    keys: Path, file: Path | None = None, trusted: Sequence[str] | None = None
) -> list[tuple[str, Checkpoint]]:
    """The checkpoints to hold a ledger against, each with where it comes from.

    From the key folder, if there is one, the one signed last; from ``file`` one that a key of ``trusted`` (vkeys), or
    else of the key folder, signed. Raises :class:`RefusedInput` or :class:`IntegrityFailure` for one not to be trusted.
    """
    found: list[tuple[str, Checkpoint]] = []
    known: list[VerifierKey] = []
    if keys.exists():
        known = [published.key for published in public(keys)]
        seen = last_seen(keys, known[-1].name)
        if seen is not None:
            found.append((f"the checkpoint of {seen.checkpoint.size} entries signed last (in {keys})", seen.checkpoint))
    if file is not None:
        allowed = [VerifierKey.parse(text) for text in trusted] if trusted else known
        if not allowed:
            raise RefusedInput(f"give the public key that signed {file} with --key, as 'ledger key export' prints it")
        try:
            data = file.read_bytes()
        except OSError as error:
            raise RefusedInput(f"cannot read {file}: {error.strerror}") from None
        checkpoint = open_checkpoint(data, allowed)
        found.append((f"the checkpoint of {checkpoint.size} entries in {file}", checkpoint))
    return found
