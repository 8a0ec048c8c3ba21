"""Checkpoints from outside the database that it must agree with: what the key folder remembers, what a person gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audit.log_copy import LogCopy
from audit.tlog.checkpoint import Checkpoint, open_checkpoint
from audit.tlog.keys import public
from audit.tlog.last_seen import last_seen
from audit.tlog.note import VerifierKey
from domain.errors import InvalidNote, InvalidSignature, RefusedInput


def witnesses(
    keys: Path, file: Path | None = None, trusted: Sequence[str] | None = None
) -> list[tuple[str, Checkpoint]]:
    """The checkpoints to hold a ledger against, each with where it comes from.

    From the key folder, if there is one, the one signed last; from ``file`` one that a key of ``trusted`` (vkeys), or
    else of the key folder, signed. Raises :class:`RefusedInput` or :class:`IntegrityFailure` for one not to be trusted.
    """
    found: list[tuple[str, Checkpoint]] = []
    if keys.exists():
        seen = last_seen(keys, public(keys)[-1].key.name)
        if seen is not None:
            found.append((f"the checkpoint of {seen.checkpoint.size} entries signed last (in {keys})", seen.checkpoint))
    if file is not None:
        checkpoint = signed_checkpoint(keys, file, trusted)
        found.append((f"the checkpoint of {checkpoint.size} entries in {file}", checkpoint))
    return found


def signed_checkpoint(keys: Path, file: Path, trusted: Sequence[str] | None = None) -> Checkpoint:
    """The checkpoint in a file, signed by a key of ``trusted`` (vkeys) or else of the key folder.

    Raises :class:`RefusedInput` when it cannot be read, :class:`InvalidNote` or :class:`InvalidSignature`, naming the
    file, for one not to be trusted.
    """
    allowed = allowed_keys(keys, file, trusted)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise RefusedInput(f"cannot read {file}: {error.strerror}") from None
    try:
        return open_checkpoint(data, allowed)
    except (InvalidNote, InvalidSignature) as error:
        raise type(error)(f"{file}: {error}") from None


def log_copy(keys: Path, folder: Path, trusted: Sequence[str] | None = None) -> LogCopy:
    """A static copy of the log, signed by a key of ``trusted`` (vkeys) or else of the key folder.

    Raises :class:`RefusedInput` or :class:`IntegrityFailure` for one not to be trusted.
    """
    return LogCopy(folder, allowed_keys(keys, folder, trusted))


def known_keys(keys: Path, trusted: Sequence[str] | None = None) -> list[VerifierKey]:
    """The keys that may have signed what is in the database: those of the key folder, if there is one, and ``trusted``.

    Raises :class:`InvalidNote` for what is no vkey, :class:`UnsafeKeys` for the folder.
    """
    found = [VerifierKey.parse(text) for given in trusted or () for text in given.split()]
    return [*found, *(published.key for published in public(keys))] if keys.exists() else found


def allowed_keys(keys: Path, signed: Path, trusted: Sequence[str] | None) -> list[VerifierKey]:
    """The keys that may have signed something from outside; raises :class:`RefusedInput` when none is known."""
    if trusted:
        return [VerifierKey.parse(text) for given in trusted for text in given.split()]
    if not keys.exists():
        raise RefusedInput(f"give the public key that signed {signed} with --key, as 'ledger key export' prints it")
    return [published.key for published in public(keys)]
