"""Two keys that are always the same, for tests."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.tlog.note import Signer

OURS = Signer("museum.example/ledger", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))
WITNESS = Signer("witness.example/é", Ed25519PrivateKey.from_private_bytes(b"\x02" * 32))
