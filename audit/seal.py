"""Seals what a pass of the self-check noted, with a key outside the database: who can write there cannot make one up.

The key (32 random bytes) lies in ``self-check/seal.key`` below the home folder, for its owner alone; it is made when
there is none. Passes that were sealed with another key are begun anew, which costs time and nothing else.
"""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path
from typing import Any

import orjson

from audit.tlog.private_folder import locked

FOLDER, NAME = "self-check", "seal.key"
KEY_SIZE = 32


class Seal:
    """Makes and checks seals (HMAC-SHA-256, 32 bytes) of the rows of one ledger."""

    def __init__(self, home: Path, ledger: str) -> None:
        """Raises :class:`UnsafeKeys` when the folder of the key is open to other accounts or cannot be used."""
        self._ledger = ledger
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
