"""The keys a log signs with: one folder, one private key at a time, and every public key there ever was.

===================  ==========================================================================
``keys.json``        all public keys with the time each was used; what counts
``private-ID.pem``   the present private key (PKCS#8), encrypted if a passphrase was given
``pending-ID.pem``   a private key on its way in; counts once ``keys.json`` names it
===================  ==========================================================================

Whatever step a process is killed at, ``keys.json`` names one present key and its private half is there.
The encryption is that of PKCS#8 by ``cryptography`` (PBKDF2 with few rounds), so a passphrase should be
long and random, as from a password manager.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from audit.tlog.note import Signer, VerifierKey
from audit.tlog.private_folder import PrivateFolder, locked, opened
from domain import times
from domain.errors import InvalidNote, InvalidTime, UnsafeKeys

MAX_NAME = 255
_HISTORY = "keys.json"
_KEY_FILE = re.compile(r"(private|pending)-([0-9a-f]{8})\.pem")
_ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


@dataclass(frozen=True)
class PublishedKey:
    """A public key and the time it was signed with; ``until`` is None for the present one."""

    key: VerifierKey
    since: datetime
    until: datetime | None = None


def generate(folder: Path, name: str, passphrase: str | None = None, now: datetime | None = None) -> VerifierKey:
    """Make the first key pair of a log called ``name`` (its origin, such as ``museum.example/ledger``).

    The folder is made if it is not there. Raises :class:`InvalidNote` for a name that signed notes do
    not allow, and :class:`UnsafeKeys` when the folder has a key already or is not private.
    """
    signer = Signer(name, Ed25519PrivateKey.generate())
    if len(name) > MAX_NAME:
        raise InvalidNote(f"a key name of {len(name)} characters is too long; at most {MAX_NAME}")
    key, pem = signer.verifier, _to_pem(signer, passphrase)
    with locked(folder, create=True) as private:
        if private.read(_HISTORY) is not None:
            raise UnsafeKeys(f"{private.path} has keys already; rotate them, or choose another folder")
        if any(found[1] == "private" for found in _key_files(private)):
            raise UnsafeKeys(f"{private.path} has a private key but no {_HISTORY}; restore that, or empty the folder")
        private.create(_file("pending", key), pem)
        history = [PublishedKey(key, now or times.now())]
        private.create(_HISTORY, _to_json(history))
        _settle(private, history)
    return key


def rotate(folder: Path, passphrase: str | None = None, now: datetime | None = None) -> VerifierKey:
    """Replace the present key pair by a new one and destroy its private half.

    Works without the former passphrase and even when the private key is lost. Raises
    :class:`UnsafeKeys` when the folder has no keys or is not private, or when the present private key
    is encrypted and no passphrase is given for the new one.
    """
    with locked(folder) as private:
        history = load_history(private)
        present = history[-1]
        former = private.read(_file("private", present.key))
        if passphrase is None and former is not None and former.startswith(_ENCRYPTED):
            raise UnsafeKeys(f"the key in {private.path} is encrypted; give a passphrase for the new one, too")
        taken = {published.key.key_id for published in history}
        signer = Signer(present.key.name, Ed25519PrivateKey.generate())
        while signer.verifier.key_id in taken:  # four bytes long; files and signatures go by it
            signer = Signer(present.key.name, Ed25519PrivateKey.generate())
        private.create(_file("pending", signer.verifier), _to_pem(signer, passphrase))
        moment = max(now or times.now(), present.since)
        history = [*history[:-1], replace(present, until=moment), PublishedKey(signer.verifier, moment)]
        private.replace(_HISTORY, _to_json(history))
        _settle(private, history)
    return signer.verifier


def current(folder: Path, passphrase: str | None = None) -> Signer:
    """The present key pair. Raises :class:`UnsafeKeys` when there is none that can be used."""
    with locked(folder) as private:
        return load_signer(private, passphrase)


def public(folder: Path) -> list[PublishedKey]:
    """All public keys of the log, oldest first, the present one last. Raises :class:`UnsafeKeys`."""
    with opened(folder) as private:
        return read_history(private)


def read_history(private: PrivateFolder) -> list[PublishedKey]:
    """Like :func:`public`, for a folder that is open."""
    data = private.read(_HISTORY)
    if data is None:
        raise UnsafeKeys(f"{private.path} has no keys; generate them")
    try:
        history = [_published(item) for item in json.loads(data)["keys"]]
    except (ValueError, KeyError, TypeError, AttributeError, InvalidNote, InvalidTime, RecursionError) as error:
        raise UnsafeKeys(f"{private.path / _HISTORY} is damaged ({error}); restore it") from None
    names = {published.key.name for published in history}
    times_fit = all(
        earlier.until == later.since and earlier.since <= later.since for earlier, later in pairwise(history)
    )
    if len(names) != 1 or not times_fit or history[-1].until is not None:
        raise UnsafeKeys(f"{private.path / _HISTORY} is damaged: its keys are not of one log, one after another")
    return history


def load_history(private: PrivateFolder) -> list[PublishedKey]:
    """Like :func:`read_history`, for a folder that is locked; finishes what a killed process began."""
    history = read_history(private)
    _settle(private, history)
    return history


def load_signer(private: PrivateFolder, passphrase: str | None) -> Signer:
    """Like :func:`current`, for a folder that is locked."""
    key = load_history(private)[-1].key
    where = private.path / _file("private", key)
    pem = private.read(where.name)
    if pem is None:
        raise UnsafeKeys(f"{where} is missing; restore it, or rotate the keys")
    if pem.startswith(_ENCRYPTED) and not passphrase:
        raise UnsafeKeys(f"{where} is encrypted; give its passphrase")
    if not pem.startswith(_ENCRYPTED) and passphrase is not None:
        raise UnsafeKeys(f"{where} is not encrypted, but a passphrase was given; rotate the keys to have it encrypted")
    try:
        loaded = load_pem_private_key(pem, passphrase.encode() if passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        why = "the passphrase is wrong, or it is damaged" if passphrase else "it is damaged"
        raise UnsafeKeys(f"{where} cannot be read: {why}") from None
    if not isinstance(loaded, Ed25519PrivateKey) or (signer := Signer(key.name, loaded)).verifier != key:
        raise UnsafeKeys(f"{where} is not the private half of {key}")
    return signer


def _settle(private: PrivateFolder, history: Sequence[PublishedKey]) -> None:
    """Bring the present private key to its place; remove others that came in vain, and destroy retired ones."""
    present = history[-1].key.key_id.hex()
    retired = {published.key.key_id.hex() for published in history[:-1]}
    for found in _key_files(private):
        if found[1] == "pending" and found[2] == present:
            private.rename(found[0], _file("private", history[-1].key))
        elif found[1] == "pending" or found[2] in retired:
            private.destroy(found[0])


def _key_files(private: PrivateFolder) -> list[re.Match[str]]:
    return [found for name in private.names() if (found := _KEY_FILE.fullmatch(name))]


def _file(kind: str, key: VerifierKey) -> str:
    return f"{kind}-{key.key_id.hex()}.pem"


def _to_pem(signer: Signer, passphrase: str | None) -> bytes:
    if passphrase == "":
        raise UnsafeKeys("an empty passphrase protects nothing; give another one, or none")
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase.encode())
    return signer.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _to_json(history: Sequence[PublishedKey]) -> bytes:
    keys = [
        {
            "vkey": str(published.key),
            "since": times.to_text(published.since),
            "until": times.to_text(published.until) if published.until else None,
        }
        for published in history
    ]
    return json.dumps({"keys": keys}, ensure_ascii=False, indent=2).encode() + b"\n"


def _published(item: dict[str, Any]) -> PublishedKey:
    until = item["until"]
    return PublishedKey(
        VerifierKey.parse(item["vkey"]),
        times.from_text(item["since"]),
        None if until is None else times.from_text(until),
    )
