"""C2SP signed notes: text with signatures of any number of keys, of which one must be trusted before the text is.

Ed25519 signatures (type 0x01) are made and verified. Lines of other keys and types are kept and ignored,
so that witnesses may add theirs.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256

from cryptography.exceptions import InvalidSignature as _Mismatch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.errors import InvalidNote, InvalidSignature

MAX_NOTE = 2**20
"""Bytes of a note, with its signatures."""
MAX_SIGNATURES = 100

_ED25519 = b"\x01"
_KEY_ID = 4
_LINE_START = "\u2014 "
_FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")
_HEX_KEY_ID = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True)
class Signature:
    """One signature line: the key's name and four-byte id, and the bytes it signed the text with."""

    name: str
    key_id: bytes
    value: bytes

    def __str__(self) -> str:
        return f"{_LINE_START}{self.name} {to_base64(self.key_id + self.value)}\n"

    @classmethod
    def parse(cls, line: str) -> Signature:
        """Read a line without its newline. Raises :class:`InvalidNote`."""
        name, _, encoded = line.removeprefix(_LINE_START).partition(" ")
        if not line.startswith(_LINE_START) or not is_key_name(name):
            raise InvalidNote(f"{line[:80]!r} is not a signature line")
        data = from_base64(encoded)
        if len(data) <= _KEY_ID:
            raise InvalidNote(f"the signature of {name[:80]!r} is too short")
        return cls(name, data[:_KEY_ID], data[_KEY_ID:])


@dataclass(frozen=True)
class Note:
    """A text that ends in a newline, and its signatures; none of them verified."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def __post_init__(self) -> None:
        if not self.text.endswith("\n"):
            raise InvalidNote("the text of a note ends in a newline")
        _require_text(self.text)

    def __str__(self) -> str:
        return "".join([self.text, "\n", *map(str, self.signatures)])

    def __bytes__(self) -> bytes:
        return str(self).encode()

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note with at least one signature. Raises :class:`InvalidNote` saying what is wrong with it."""
        if len(data) > MAX_NOTE:
            raise InvalidNote(f"a note of {len(data)} bytes is too large; at most {MAX_NOTE} are read")
        try:
            whole = data.decode()
        except UnicodeDecodeError as error:
            raise InvalidNote(f"the note is not UTF-8: byte {error.start} cannot be decoded") from None
        _require_text(whole)
        text, separator, lines = whole.rpartition("\n\n")
        if not separator or not lines.endswith("\n"):
            raise InvalidNote("the note has no signature lines after an empty line, each ended by a newline")
        signatures = lines.removesuffix("\n").split("\n")
        if len(signatures) > MAX_SIGNATURES:
            raise InvalidNote(f"a note with {len(signatures)} signatures is refused; at most {MAX_SIGNATURES} are read")
        return cls(text + "\n", tuple(map(Signature.parse, signatures)))

    def signed(self, *signers: Signer) -> Note:
        """The note with signatures of these keys added, replacing earlier ones of the same keys."""
        added = [signer.sign(self.text) for signer in signers]
        keys = {(signature.name, signature.key_id) for signature in added}
        kept = [signature for signature in self.signatures if (signature.name, signature.key_id) not in keys]
        return replace(self, signatures=(*kept, *added))


@dataclass(frozen=True)
class VerifierKey:
    """A public Ed25519 key with its name; ``str`` of it is the *vkey* that others are given."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name):
            raise InvalidNote(f"{self.name[:80]!r} is no key name: it must not be empty, nor hold spaces or '+'")
        if len(self.public) != 32:
            raise InvalidNote(f"an Ed25519 public key has 32 bytes, not {len(self.public)}")

    @cached_property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name || 0x0A || 0x01 || public key)."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_KEY_ID]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{to_base64(_ED25519 + self.public)}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read ``name+id+base64``. Raises :class:`InvalidNote`, also when the id is not that of the key."""
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        if not _HEX_KEY_ID.fullmatch(key_id):
            raise InvalidNote(f"{text[:80]!r} is not a verifier key; it should be name+id+base64")
        material = from_base64(encoded)
        if material[:1] != _ED25519:
            raise InvalidNote(f"the verifier key of {name[:80]!r} is not of type 0x01 (Ed25519)")
        key = cls(name, material[1:])
        if key.key_id.hex() != key_id:
            raise InvalidNote(f"the verifier key of {name[:80]!r} has id {key.key_id.hex()}, not {key_id}")
        return key

    @cached_property
    def _key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.public)

    def verify(self, text: str, signature: Signature) -> None:
        """Check that this key signed the text, whatever name the line bears. Raises :class:`InvalidSignature`."""
        try:
            self._key.verify(signature.value, text.encode())
        except _Mismatch:
            raise InvalidSignature(f"the signature of {self.name} ({self.key_id.hex()}) is wrong") from None


@dataclass(frozen=True)
class Signer:
    """A private Ed25519 key with its name."""

    name: str
    private: Ed25519PrivateKey

    @cached_property
    def verifier(self) -> VerifierKey:
        """The public half. Raises :class:`InvalidNote` for a name that no key may have."""
        return VerifierKey(self.name, self.private.public_key().public_bytes_raw())

    def sign(self, text: str) -> Signature:
        """The signature of a note's text."""
        return Signature(self.name, self.verifier.key_id, self.private.sign(text.encode()))


def open_note(data: bytes, trusted: Iterable[VerifierKey]) -> Note:
    """Read a note and check the signatures of trusted keys, which are all that the returned note has.

    Each key's first signature is kept; every line of a trusted key must verify. Raises
    :class:`InvalidNote` for what is no note, and :class:`InvalidSignature` when a trusted key's
    signature is wrong or when there is none.
    """
    note = Note.parse(data)
    keys = {(key.name, key.key_id): key for key in trusted}
    verified: dict[tuple[str, bytes], Signature] = {}
    for signature in note.signatures:
        if key := keys.get((signature.name, signature.key_id)):
            key.verify(note.text, signature)
            verified.setdefault((key.name, key.key_id), signature)
    if not verified:
        names = ", ".join(f"{key.name} ({key.key_id.hex()})" for key in keys.values()) or "given"
        raise InvalidSignature(f"no trusted key has signed the note; trusted: {names}")
    return replace(note, signatures=tuple(verified.values()))


def is_key_name(name: str) -> bool:
    """Whether signed notes allow this as the name of a key: not empty, no Unicode space, no plus."""
    return bool(name) and "+" not in name and not any(map(str.isspace, name)) and not _FORBIDDEN.search(name)


def to_base64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(data).decode()


def from_base64(text: str) -> bytes:
    """Read what :func:`to_base64` wrote, and no other spelling of it. Raises :class:`InvalidNote`."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or to_base64(data) != text:
        raise InvalidNote(f"{text[:80]!r} is not base64 as RFC 4648 section 4 writes it")
    return data


def _require_text(text: str) -> None:
    if found := _FORBIDDEN.search(text):
        raise InvalidNote(
            f"a note holds no control character or lone surrogate, but U+{ord(found[0]):04X} at {found.start()}"
        )
