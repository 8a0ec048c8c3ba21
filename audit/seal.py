"""Seals what a pass of the self-check noted, with a key outside the database: who can write there cannot make one up.

The key (32 random bytes) lies in ``self-check/seal.key`` below the home folder, for its owner alone; it is made when
there is none. Beside it ``last.json`` says which seals were made last, so that an older row cannot be put back in the
place of a newer one. Passes that are not known here are begun anew, which costs time and nothing else.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from audit.tlog.private_folder import PrivateFolder, locked
from domain.errors import UnsafeKeys

FOLDER, NAME, LAST = "self-check", "seal.key", "last.json"
KEY_SIZE = 32


class Seal:
    """Makes and checks seals (HMAC-SHA-256, 32 bytes) of the rows of one ledger."""

    def __init__(self, home: Path, ledger: str) -> None:
        """Raises :class:`UnsafeKeys` when the folder of the key is open to other accounts or cannot be used."""
        self._ledger = ledger
        self._home = home
        with locked(home / FOLDER, create=True) as private:
            key = private.read(NAME)
            if key is None or len(key) != KEY_SIZE:
                key = secrets.token_bytes(KEY_SIZE)
                private.replace(NAME, key)
        self._key = key

    def of(self, *values: Any) -> bytes:
        """The seal of what a row says."""
        text = orjson.dumps([self._ledger, *values], option=orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_SORT_KEYS)
        return hmac.digest(self._key, text, "sha256")

    def holds(self, seal: bytes | None, *values: Any) -> bool:
        """Whether this is the seal of these values."""
        return seal is not None and hmac.compare_digest(self.of(*values), seal)

    def last(self, state: str) -> list[str]:
        """The seals (hex) made last for ``unfinished`` or ``finished`` rows: one, or two about a commit."""
        with locked(self._home / FOLDER, create=True) as private:
            return _told(private).get(self._ledger, {}).get(state, [])

    def announce(self, state: str, seal: bytes) -> None:
        """Say, before a row is stored, that it may be the last; until :meth:`settle` the one before may be, too."""
        self._keep(lambda told: {**told, state: [*told.get(state, []), seal.hex()]})

    def settle(self, state: str, seal: bytes) -> None:
        """Say, once a row is stored, that it is the last; what is finished is no longer unfinished."""
        self._keep(lambda told: {**told, "unfinished": [], state: [seal.hex()]})

    def _keep(self, change: Callable[[dict[str, list[str]]], dict[str, list[str]]]) -> None:
        with locked(self._home / FOLDER, create=True) as private:
            told = _told(private)
            told[self._ledger] = change(told.get(self._ledger, {}))
            private.replace(LAST, orjson.dumps(told))


def _told(private: PrivateFolder) -> dict[str, dict[str, list[str]]]:
    kept = private.read(LAST)
    try:
        told: dict[str, dict[str, list[str]]] = orjson.loads(kept) if kept else {}
    except orjson.JSONDecodeError:
        raise UnsafeKeys(f"{private.path / LAST} is damaged; delete it, and the self-check begins anew") from None
    return told
