#!/usr/bin/env python3
"""Checks an audit bundle of a Provenarium ledger, offline, with Python's standard library alone (3.9 or newer).

    python verify.py                     in the unpacked folder
    python verify.py BUNDLE.zip          without unpacking
    python verify.py BUNDLE.zip --key VKEY --checkpoint OLD --digest SHA256

It trusts nothing in the bundle: it writes the canonical bytes (RFC 8785) of every event itself, follows each
object's chain of hashes, applies every JSON Patch (RFC 6902) from version 1 on and compares the digest of every
version, builds the Merkle tree (RFC 6962) up to the root that the checkpoint (C2SP tlog-checkpoint) states, and
checks its Ed25519 signature (RFC 8032). Exit status: 0 everything holds, 1 something does not, 2 wrong usage.
It reads every file once, in constant memory but for about 70 bytes an event.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    del sys.path[0]  # the folder of this file: what lies beside it must not stand in for a module of the library

import argparse
import array
import base64
import binascii
import bisect
import hashlib
import json
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

FORMAT = "provenarium-audit-bundle/1"
SMALL_FILES = ("README.txt", "bundle.json", "checkpoint", "keys.json", "ro-crate-metadata.json", "verify.py")
LARGE_FILES = ("events.jsonl", "documents.jsonl", "prov.jsonl", "inclusion.proof", "report.html")
OPTIONAL_FILES = ("checkpoint.since", "consistency.proof", "schemas.json")
MANIFEST = "manifest-sha256.txt"

MAX_SMALL = 4 << 20
MAX_LINE = 80 << 20
"""Bytes of a line: an event holds at most 64 MiB."""
MAX_RATIO, RATIO_FROM = 400, 64 << 20
"""A file that unpacks to more than so many times its packed size is refused, once it is larger than RATIO_FROM."""
MAX_DEPTH = 256
MAX_INTEGER = 2**53 - 1
MAX_FAULTS = 20
CHUNK = 1 << 18

sha256 = hashlib.sha256


class Fault(Exception):
    """Something that does not hold; the text says where and what."""


def shown(text: object) -> str:
    """Text of the bundle, safe and short enough to show on a terminal."""
    plain = "".join(char if char.isprintable() else "\\u%04x" % ord(char) for char in str(text)[:200])
    return plain if len(str(text)) <= 200 else plain + "…"


# -- JSON and its canonical form (RFC 8785) -------------------------------------------------------


class Json:
    """Reads strict JSON, and writes it as RFC 8785 says.

    Python's own encoder writes the same bytes unless a number needs ECMAScript's notation or a member's name lies
    beyond U+FFFF; ``odd`` says that such a number was met since it was last set to False.
    """

    def __init__(self, refuse_doubles: bool = False) -> None:
        self.odd = False
        self._read = json.JSONDecoder(
            object_pairs_hook=once if refuse_doubles else None,
            parse_int=self._integer,
            parse_float=self._float,
            parse_constant=self._constant,
        ).raw_decode
        self._write = fast_writer()

    def read(self, text: str) -> Any:
        """The value of one JSON text that nothing stands around."""
        try:
            value, end = self._read(text)
        except RecursionError:
            raise Fault("is nested too deeply") from None
        except (ValueError, IndexError) as error:
            raise Fault("is not JSON (%s)" % shown(error)) from None
        if end != len(text):
            raise Fault("goes on after the JSON value")
        if "\\u" in text:
            self._require_characters(value)
        return value

    @staticmethod
    def _require_characters(value: Any) -> None:
        """Escapes can spell halves of characters, which are no text (RFC 8785 section 3.2.2.2)."""
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise Fault("holds a half of a character (a lone surrogate)") from None
        except RecursionError:
            raise Fault("is nested too deeply") from None

    def write(self, value: Any) -> str:
        """The canonical text of a value."""
        if self.odd:
            return written(value)
        try:
            text = quoted(value) if type(value) is str else self._write(value)
        except RecursionError:
            raise Fault("is nested too deeply") from None
        if not text.isascii() and has_astral(text):
            self.odd = True
            return written(value)
        return text

    def write_created(self, event: dict[str, Any], content: str) -> str:
        """The canonical text of an event whose patch adds a document, given the text of that."""
        before = self.write({name: value for name, value in event.items() if name < "patch"})
        after = self.write({name: value for name, value in event.items() if name > "patch"})
        if self.odd:
            return written(event)
        patch = '"patch":[{"op":"add","path":"","value":%s}]' % content
        return "{" + ",".join(filter(None, (before[1:-1], patch, after[1:-1]))) + "}"

    def _integer(self, literal: str) -> float:
        number = int(literal) if len(literal) < 24 else MAX_INTEGER + 1
        # RFC 8785 knows doubles alone, and writes those below 1e21 without an exponent.
        return number if -MAX_INTEGER <= number <= MAX_INTEGER else self._float(literal)

    def _float(self, literal: str) -> float:
        number = float(literal)
        if not 1e-4 <= abs(number) < 1e16 or number.is_integer():
            self.odd = True
        return number

    @staticmethod
    def _constant(name: str) -> NoReturn:
        raise Fault("holds %s, which is no JSON" % name)


def once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object none of whose members is there twice."""
    value = dict(members)
    if len(value) < len(members):
        met: set[str] = set()
        for name, _ in members:
            if name in met:
                raise Fault("has the member %s twice" % shown(name))
            met.add(name)
    return value


def fast_writer() -> Callable[[Any], str]:
    """Python's JSON encoder; directly what is behind it where that can be had, which spares a third of the time."""
    plain = json.JSONEncoder(
        sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False, allow_nan=False
    ).encode
    make = getattr(json.encoder, "c_make_encoder", None)
    try:
        parts: Any = make(None, None, quoted, None, ":", ",", True, False, False)  # type: ignore[misc]

        def direct(value: Any) -> str:
            return "".join(parts(value, 0))

        sample = {"b": [1, 0.5, None, True, "\u2028\n"], "a": {}}
        return direct if direct(sample) == plain(sample) else plain
    except TypeError:  # this Python has none, or another one
        return plain


def has_astral(text: str) -> bool:
    """Whether a character lies beyond U+FFFF."""
    return len(text.encode("utf-16-le", "surrogatepass")) != 2 * len(text)


def written(value: Any, depth: int = 0) -> str:
    """The canonical text of any value, by RFC 8785 step by step."""
    if depth > MAX_DEPTH:
        raise Fault("is nested deeper than %d levels" % MAX_DEPTH)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, list):
        return "[" + ",".join([written(item, depth + 1) for item in value]) + "]"
    members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join([quoted(name) + ":" + written(item, depth + 1) for name, item in members]) + "}"


quoted = json.encoder.encode_basestring
"""A JSON string with only the escapes that RFC 8785 section 3.2.2.2 wants."""


def number_text(number: float) -> str:
    """A double as ECMAScript's Number::toString prints it (ECMA-262 section 6.1.6.1.20)."""
    if number != number or number in (float("inf"), float("-inf")):
        raise Fault("holds a number that is too large for IEEE 754")
    if number == 0:
        return "0"
    mantissa, _, power = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    point = len(whole) + int(power or 0) - (len(digits) - len(digits.lstrip("0")))
    digits = digits.strip("0")
    if len(digits) <= point <= 21:
        text = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        text = digits[:point] + "." + digits[point:]
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + "e%+d" % (point - 1)
    return "-" + text if number < 0 else text


# -- Signatures: Ed25519 (RFC 8032), signed notes and checkpoints (C2SP) --------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
NEUTRAL: Any = (0, 1, 1, 0)
"""Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z."""


def _add(a: Any, b: Any) -> Any:
    left = (a[1] - a[0]) * (b[1] - b[0]) % P
    right = (a[1] + a[0]) * (b[1] + b[0]) % P
    both = 2 * a[3] * b[3] * D % P
    depth = 2 * a[2] * b[2] % P
    e, f, g, h = right - left, depth - both, depth + both, right + left
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar: int, point: Any) -> Any:
    result = NEUTRAL
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _same_point(a: Any, b: Any) -> bool:
    return bool((a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0)


def _point(data: bytes) -> Any:
    """Decode a point (RFC 8032 section 5.1.3); None when the bytes are none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


_BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether this is the signature of the message by the holder of the key (RFC 8032 section 5.1.7)."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, commitment = _point(public), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= ORDER or _same_point(_times(8, key), NEUTRAL):
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    return _same_point(_times(scalar, _BASE), _add(commitment, _times(challenge, key)))


class Key:
    """A public key with its name, from ``name+id+base64`` (a *vkey* of C2SP signed notes)."""

    def __init__(self, vkey: str) -> None:
        self.name, _, rest = vkey.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        material = from_base64(encoded, "the verifier key %s" % shown(vkey))
        if not self.name or len(material) != 33 or material[:1] != b"\x01":
            raise Fault("%s is no verifier key of Ed25519 (name+id+base64)" % shown(vkey))
        self.public = material[1:]
        try:
            name = self.name.encode()
        except UnicodeEncodeError:
            raise Fault("the name of the verifier key %s is no text" % shown(vkey)) from None
        self.id = sha256(name + b"\n" + material).digest()[:4]
        if self.id.hex() != key_id:
            raise Fault("the verifier key of %s has the id %s, not %s" % (shown(self.name), self.id.hex(), key_id))

    def __str__(self) -> str:
        return "%s+%s+%s" % (self.name, self.id.hex(), base64.b64encode(b"\x01" + self.public).decode())


class Checkpoint:
    """Origin, size and root of a log, as text that keys have signed."""

    def __init__(self, note: bytes, where: str) -> None:
        self.where = where
        try:
            text, separator, lines = note.decode().rpartition("\n\n")
        except UnicodeDecodeError:
            raise Fault("%s is not UTF-8" % where) from None
        parts = text.split("\n")
        if (
            not separator
            or not lines.endswith("\n")
            or len(parts) < 3
            or not re.fullmatch("0|[1-9][0-9]{0,18}", parts[1])
        ):
            raise Fault("%s is no signed checkpoint (origin, size, root, an empty line, signatures)" % where)
        self.text = (text + "\n").encode()
        self.origin, self.size, self.root = parts[0], int(parts[1]), from_base64(parts[2], where)
        if len(self.root) != 32:
            raise Fault("%s states a root that is no SHA-256 hash" % where)
        self.signatures = []
        for line in lines[:-1].split("\n"):
            dash, _, rest = line.partition(" ")
            name, _, encoded = rest.partition(" ")
            signature = from_base64(encoded, where)
            if dash != "\u2014" or len(signature) < 5:
                raise Fault("%s has a malformed signature line" % where)
            self.signatures.append((name, signature[:4], signature[4:]))

    def signed_by(self, keys: list[Key]) -> list[Key]:
        """The keys that signed it, which are those of the log it is of; raises when there is none."""
        found = []
        for name, key_id, signature in self.signatures:
            for key in keys:
                if (key.name, key.id) == (name, key_id):
                    if not ed25519_verifies(key.public, self.text, signature):
                        raise Fault("%s: the signature of %s (%s) is wrong" % (self.where, shown(name), key_id.hex()))
                    found.append(key)
        found = [key for key in found if key.name == self.origin]
        if not found:
            raise Fault(
                "%s of %s is signed by none of the keys %s"
                % (
                    self.where,
                    shown(self.origin),
                    ", ".join("%s (%s)" % (shown(key.name), key.id.hex()) for key in keys),
                )
            )
        return found


def from_base64(text: str, where: str) -> bytes:
    """Standard base64, and no other spelling of it."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or base64.b64encode(data).decode() != text:
        raise Fault("%s: %s is not base64 as RFC 4648 writes it" % (where, shown(text[:60]) or "an empty text"))
    return data


# -- The Merkle tree (RFC 6962) -------------------------------------------------------------------


def node(left: bytes, right: bytes) -> bytes:
    """The hash of an interior node."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows by complete subtrees, of which it keeps the right edge."""

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[bytes] = []

    def add(self, level: int, root: bytes) -> None:
        """Append a subtree of 2^level leaves; the size must be a multiple of that."""
        size = self.size >> level
        while size & 1:
            root = node(self._edge.pop(), root)
            size >>= 1
        self._edge.append(root)
        self.size += 1 << level

    def fill(self, end: int, hashes: Iterator[bytes]) -> None:
        """Append what nothing is known of up to ``end``, in the largest subtrees there are."""
        while self.size < end:
            level = (end - self.size).bit_length() - 1
            if self.size:
                level = min(level, (self.size & -self.size).bit_length() - 1)
            root = next(hashes, None)
            if root is None:
                raise Fault("inclusion.proof ends too early")
            self.add(level, root)

    def root(self) -> bytes:
        """The hash over everything appended."""
        if not self._edge:
            return sha256().digest()
        found = self._edge[-1]
        for left in self._edge[-2::-1]:
            found = node(left, found)
        return found


def check_consistency(old: Checkpoint, new: Checkpoint, proof: list[bytes]) -> None:
    """RFC 9162 section 2.1.4.2: the first tree is the beginning of the second."""
    if old.size > new.size:
        raise Fault("%s is of %d entries, %s only of %d" % (old.where, old.size, new.where, new.size))
    if old.size == new.size or old.size == 0:
        if proof or (old.size and old.root != new.root):
            raise Fault("two checkpoints of %d entries have different roots: the log was altered" % new.size)
        return
    step, last = old.size - 1, new.size - 1
    while step & 1:
        step, last = step >> 1, last >> 1
    hashes = iter(proof if step else [old.root, *proof])
    first = second = next(hashes, b"")
    for sibling in hashes:
        if not last:
            raise Fault("consistency.proof is too long")
        if step & 1 or step == last:
            first, second = node(sibling, first), node(sibling, second)
            while step and not step & 1:
                step, last = step >> 1, last >> 1
        else:
            second = node(second, sibling)
        step, last = step >> 1, last >> 1
    if last or first != old.root or second != new.root:
        raise Fault("the log of %d entries does not continue the one of %d: it was altered" % (new.size, old.size))


# -- Objects: patches applied from version 1 on ---------------------------------------------------


class Document:
    """The content of one object, folded from its patches, with the canonical text of each member kept.

    Most updates touch few members; only these are written anew.
    """

    def __init__(self, codec: Json) -> None:
        self._codec = codec
        self.value: Any = {}
        self._names: list[str] = []
        self._texts: dict[str, str] = {}
        self._whole = True
        self._begun = False
        self._found: Any = None

    def apply(self, patch: Any) -> None:
        """Apply an RFC 6902 patch that could be undone; raises :class:`Fault` naming the operation."""
        if not isinstance(patch, list):
            raise Fault("its patch is no array")
        touched: set[str] = set()
        before: dict[str, Any] = {}
        for number, operation in enumerate(patch):
            try:
                self._do(operation, before, touched)
            except Fault as fault:
                raise Fault("operation %d of its patch %s" % (number, fault)) from None
            except (KeyError, IndexError, TypeError, AttributeError):
                raise Fault("operation %d of its patch is malformed" % number) from None
            before = operation
        if not isinstance(self.value, dict):
            raise Fault("its patch leaves no object")
        if not self._whole:
            self._rewrite(touched)

    def text(self) -> str:
        """The canonical text of the document."""
        if self._whole and not self._codec.odd:
            self._texts = {name: self._member(name) for name in self.value}
            self._names = sorted(self.value)
            self._whole = False
        if self._codec.odd:
            self._whole = True
            return written(self.value)
        return "{" + ",".join(map(self._texts.__getitem__, self._names)) + "}"

    def _member(self, name: str) -> str:
        return self._codec.write(name) + ":" + self._codec.write(self.value[name])

    def _rewrite(self, touched: set[str]) -> None:
        for name in touched:
            if name in self.value:
                if name not in self._texts:
                    bisect.insort(self._names, name)
                self._texts[name] = self._member(name)
            elif name in self._texts:
                del self._texts[name]
                self._names.remove(name)

    def _do(self, operation: dict[str, Any], before: dict[str, Any], touched: set[str]) -> None:
        op, path = operation["op"], operation["path"]
        tokens = tokens_of(path)
        if op == "test":
            self._found = self._existing(tokens) if tokens else None
            present = self._found[0][self._found[1]] if self._found else self.value
            if not self._same(present, operation["value"]):
                raise Fault("expects another value at %s" % (shown(path) or "the root"))
            return
        if op in ("remove", "replace") and (before.get("op") != "test" or before.get("path") != path):
            raise Fault("is not preceded by a test of the old value, so it could not be undone")
        if not tokens:
            if op != "add" or self._begun:
                raise Fault("would %s the root" % shown(op))
            self.value, self._whole, self._begun = operation["value"], True, True
            return
        touched.add(tokens[0])
        if op == "add":
            self._add(tokens, operation["value"])
        elif op == "replace":
            parent, key = self._found  # by the test before
            parent[key] = operation["value"]
        elif op == "remove":
            parent, key = self._found
            del parent[key]
        elif op == "move":
            source = tokens_of(operation["from"])
            if not source or (tokens[: len(source)] == source and tokens != source):
                raise Fault("moves a value into itself")
            touched.add(source[0])
            parent, key = self._existing(source)
            self._add(tokens, parent.pop(key))
        else:
            raise Fault("is %s, which no event holds" % shown(op))

    def _add(self, tokens: list[str], value: Any) -> None:
        parent, token = self._at(tokens[:-1]), tokens[-1]
        if isinstance(parent, dict):
            if token in parent:
                raise Fault(
                    "would put something in the place of /%s, which could not be undone" % shown("/".join(tokens))
                )
            parent[token] = value
        elif isinstance(parent, list):
            parent.insert(len(parent) if token == "-" else index_of(token, len(parent)), value)
        else:
            raise Fault("leads through a value that has no members")

    def _existing(self, tokens: list[str]) -> tuple[Any, Any]:
        parent, token = self._at(tokens[:-1]), tokens[-1]
        if isinstance(parent, dict) and token in parent:
            return parent, token
        if isinstance(parent, list):
            index = index_of(token, len(parent) - 1)
            return parent, index
        raise Fault("finds nothing at /%s" % shown("/".join(tokens)))

    def _at(self, tokens: list[str]) -> Any:
        value = self.value
        for token in tokens:
            if isinstance(value, dict) and token in value:
                value = value[token]
            elif isinstance(value, list):
                value = value[index_of(token, len(value) - 1)]
            else:
                raise Fault("finds nothing at /%s" % shown("/".join(tokens)))
        return value

    def _same(self, a: Any, b: Any) -> bool:
        if type(a) is type(b) and not isinstance(a, (dict, list)):
            return bool(a == b)
        return self._codec.write(a) == self._codec.write(b)  # Python takes true for 1


def adds_document(patch: Any) -> bool:
    """Whether a patch is the one that every object begins with."""
    first = patch[0] if isinstance(patch, list) and len(patch) == 1 else None
    return isinstance(first, dict) and first.keys() == ADDING and (first["op"], first["path"]) == ("add", "")


def tokens_of(pointer: str) -> list[str]:
    """The reference tokens of a JSON Pointer (RFC 6901)."""
    if pointer == "":
        return []
    if pointer[0] != "/":
        raise Fault("has %s, which is no JSON Pointer" % shown(pointer))
    tokens = pointer[1:].split("/")
    if "~" in pointer:
        if re.search("~(?![01])", pointer):
            raise Fault("has %s, which is no JSON Pointer" % shown(pointer))
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in tokens]
    return tokens


ADDING = {"op", "path", "value"}
INDEXES = {str(index): index for index in range(1000)}


def index_of(token: str, last: int) -> int:
    """An array index of at most ``last``."""
    index = INDEXES.get(token)
    if index is None and re.fullmatch("[1-9][0-9]{0,8}", token, re.ASCII):
        index = int(token)
    if index is None or index > last:
        raise Fault("names %s, which is no index of the array there" % shown(token))
    return index


# -- Files of the bundle --------------------------------------------------------------------------


UNREADABLE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError, OverflowError)
"""What Python's zipfile raises at damaged archives."""


class Member:
    """One file, read from its beginning to its end, hashed on the way."""

    def __init__(self, name: str, stream: BinaryIO, packed: int | None) -> None:
        self.name = name
        self._stream = stream
        self._packed = packed
        self._hash = sha256()
        self.size = 0
        self.line = 0

    def chunks(self) -> Iterator[bytes]:
        """The bytes, piece by piece."""
        while True:
            try:
                chunk = self._stream.read(CHUNK)
            except UNREADABLE as error:
                raise Fault("%s is damaged in the archive: %s" % (self.name, shown(error))) from None
            if not chunk:
                return
            self.size += len(chunk)
            if self._packed is not None and self.size > RATIO_FROM and self.size > MAX_RATIO * self._packed:
                raise Fault("%s unpacks to more than %d times its size: not read further" % (self.name, MAX_RATIO))
            self._hash.update(chunk)
            yield chunk

    def lines(self) -> Iterator[bytes]:
        """The lines, each without its newline; ``line`` is the number of the one given last."""
        rest: list[bytes] = []
        length = 0
        for chunk in self.chunks():
            parts = chunk.split(b"\n")
            rest.append(parts[0])
            length += len(parts[0])
            if length > MAX_LINE:
                raise Fault("%s line %d is longer than %d bytes" % (self.name, self.line + 1, MAX_LINE))
            if len(parts) == 1:
                continue
            parts[0] = b"".join(rest)
            last = parts.pop()
            rest, length = [last], len(last)
            for part in parts:
                self.line += 1
                yield part
        if length:
            raise Fault("%s line %d is not ended by a newline" % (self.name, self.line + 1))

    def small(self) -> bytes:
        """The whole content of a small file."""
        parts = []
        for chunk in self.chunks():
            parts.append(chunk)
            if self.size > MAX_SMALL:
                raise Fault("%s is larger than %d bytes" % (self.name, MAX_SMALL))
        return b"".join(parts)

    def digest(self) -> str:
        """SHA-256 of the file, whatever of it is not read yet included."""
        for _ in self.chunks():
            pass
        return self._hash.hexdigest()


class Files:
    """The files of a bundle, in a zip or in a folder; only those that a bundle has are ever opened."""

    def __init__(self, path: str) -> None:
        self._zip: zipfile.ZipFile | None = None
        self._path = Path(path)
        self._sizes: dict[str, int | None] = {}
        self._opened: list[BinaryIO] = []
        self.strangers: list[str] = []
        known = {*SMALL_FILES, *LARGE_FILES, *OPTIONAL_FILES, MANIFEST}
        if self._path.is_dir():
            for file in sorted(self._path.iterdir()):
                if file.name in known and not stat.S_ISREG(file.lstat().st_mode):
                    raise Fault("%s is no regular file" % file.name)
                self._note(file.name, None, known)
            return
        try:
            self._zip = zipfile.ZipFile(path)
            _require_one_archive(self._path, self._zip)
            for info in self._zip.infolist():
                self._note(info.filename, info.compress_size, known)
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise Fault("%s is packed in a way that no bundle is" % shown(info.filename))
        except UNREADABLE as error:
            raise Fault("%s cannot be read as a zip archive: %s" % (shown(path), shown(error))) from None
        if self.strangers:
            raise Fault(
                "the archive holds %s, which is no part of a bundle" % ", ".join(map(shown, self.strangers[:5]))
            )

    def _note(self, name: str, packed: int | None, known: set[str]) -> None:
        if name not in known:
            self.strangers.append(name)
        elif name in self._sizes:
            raise Fault("the archive holds %s twice" % name)
        else:
            self._sizes[name] = packed

    def __contains__(self, name: str) -> bool:
        return name in self._sizes

    def __iter__(self) -> Iterator[str]:
        return iter(self._sizes)

    def open(self, name: str) -> Member:
        """A file from its beginning. Raises :class:`Fault` when it is not there."""
        if name not in self._sizes:
            raise Fault("%s is missing" % name)
        try:
            packed = cast(BinaryIO, self._zip.open(name)) if self._zip is not None else None
            stream = packed or (self._path / name).open("rb")
            self._opened.append(stream)
            return Member(name, stream, self._sizes[name])
        except UNREADABLE as error:
            raise Fault("%s cannot be opened: %s" % (name, shown(error))) from None

    def close(self) -> None:
        """Close what was opened."""
        for stream in self._opened:
            stream.close()
        if self._zip is not None:
            self._zip.close()


def _require_one_archive(path: Path, archive: zipfile.ZipFile) -> None:
    """The file is one entry after another, their directory, and its end: nothing else, and nothing told twice.

    Otherwise other programs might find other files in it than those that are checked here. Names have no second
    spelling (extra fields), entries are plain files, and each says the same as the directory says of it.
    """
    odd = "%s is not packed as bundles are: %%s. If somebody packed it anew, ask for the original" % shown(path)
    with path.open("rb") as stream:
        begin, end, entries = _directory(stream, path.stat().st_size, odd)
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        if len(infos) != entries:
            raise Fault(odd % "its directory has another number of entries than it says")
        place = length = 0
        for info in infos:
            name = info.orig_filename.encode()
            length += 46 + len(name) + len(info.extra)
            mode = info.external_attr >> 16
            if info.comment or info.external_attr & 0x10 or stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise Fault(odd % ("%s has a comment, or is no plain file" % shown(info.filename)))
            if info.header_offset != place:
                raise Fault(odd % ("something stands before %s" % shown(info.filename)))
            stream.seek(place)
            header = stream.read(30 + len(name))
            extra = stream.read(struct.unpack_from("<H", header, 28)[0] if len(header) >= 30 else 0)
            if header[30:] != name or not _says_the_same(header, extra, info):
                raise Fault(odd % ("%s says something else than the directory says of it" % shown(info.filename)))
            place += len(header) + len(extra) + info.compress_size
    if (place, place + length) != (begin, end):
        raise Fault(odd % "something stands between its files, their directory and its end")


def _directory(stream: BinaryIO, size: int, odd: str) -> tuple[int, int, int]:
    """Where the directory begins and ends, and how many entries it has, by the records at the end of the file."""
    stream.seek(-min(98, size), 2)
    tail = stream.read()
    if tail[-22:-18] != b"PK\x05\x06" or tail[-2:] != b"\0\0":
        raise Fault(odd % "something stands after its end, or it has a comment")
    disk, first, here, entries, length, begin = struct.unpack("<HHHHII", tail[-18:-2])
    end = size - 22
    if tail[-42:-38] == b"PK\x06\x07":
        end = size - 98
        mark, left, _, _, disk64, first64, here64, entries64, length64, begin64 = struct.unpack(
            "<4sQHHIIQQQQ", tail[:-42].rjust(56, b"\0")
        )
        disk_of, where, disks = struct.unpack("<IQI", tail[-38:-22])
        large = (here64, entries64, length64, begin64)
        small = (here, entries, length, begin)
        if (
            (mark, left, disk64, first64, disk_of, where, disks) != (b"PK\x06\x06", 44, 0, 0, 0, end, 1)
            or any(small[at] not in (large[at], (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)[at]) for at in range(4))
            or here64 != entries64
        ):
            raise Fault(odd % "it has two ends that differ")
        _, entries, length, begin = large
    elif here != entries:
        raise Fault(odd % "it is a part of an archive")
    if disk or first or begin + length != end:
        raise Fault(odd % "something stands between its directory and its end")
    return begin, end, entries


def _says_the_same(header: bytes, extra: bytes, info: zipfile.ZipInfo) -> bool:
    """Whether the header before a file says what the directory says, and neither has more fields than large sizes."""
    mark, _, flags, method, _, _, crc, packed, whole, _, _ = struct.unpack_from("<4sHHHHHIIIHH", header)
    if extra:
        if len(extra) != 20 or extra[:4] != b"\x01\0\x10\0":
            return False
        large = struct.unpack_from("<QQ", extra, 4)
        whole = large[0] if whole == 0xFFFFFFFF else whole
        packed = large[1] if packed == 0xFFFFFFFF else packed
    own = info.extra
    return (
        (mark, flags, method) == (b"PK\x03\x04", info.flag_bits, info.compress_type)
        and flags in (0, 0x800)
        and (crc, packed, whole) == (info.CRC, info.compress_size, info.file_size)
        and (not own or (own[:2] == b"\x01\0" and len(own) == 4 + struct.unpack_from("<H", own, 2)[0]))
    )


# -- The checks -----------------------------------------------------------------------------------

LINE = '{"check":"%s","event":%s,"position":%d,"recorded":"%s"}'
ENTRY = '{"event":"%s","object":%s,"position":%d,"recorded":"%s","version":%d}'
ENVELOPE = ("check", "event", "position", "recorded")
EVENT_AT = len('{"check":"01234567","event":')
CHECK = 8
"""Digits of the hash of its leaf that each line repeats, so that damage is told with its line. It proves nothing."""
RECORDED = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z")
ACTIVITIES = ("ods:Create", "ods:Update", "ods:Tombstone", "ods:Restore")
HEX = re.compile("[0-9a-f]{64}")
PROV_DIGEST = re.compile(rb'"ods:contentDigest": ?"sha256:([0-9a-f]{64})"')
FACTS = 32 + 27
"""Bytes kept of an event: the hash of its leaf and the time it was recorded at."""


class History:
    """One object of events.jsonl: its versions in order, each checked against the one before."""

    def __init__(self, pid: str, codec: Json) -> None:
        self.pid = pid
        self.version = 0
        self.digests: list[str] = []
        self.content = ""
        self.broken = False
        self._codec = codec
        self._document = Document(codec)
        self._previous = ""
        self._place = (0, "")
        self._kind = 0
        self._ended = False
        self.unchained = 0

    def take(self, line: bytes, text: str, check: str, event: dict[str, Any], position: int, recorded: str) -> bytes:
        """Check the next event; returns the hash of its leaf. Raises :class:`Fault` saying what does not hold."""
        self.version += 1
        if event["version"] != self.version:
            raise Fault("version %d is missing: version %d stands here" % (self.version, event["version"]))
        if position <= self._place[0] or recorded < self._place[1]:
            raise Fault("it was recorded before the version that it follows")
        self._place = position, recorded
        if adds_document(event.get("patch")):  # its text serves twice
            self._fold(event)
            spelled = self._codec.write_created(event, self.content)
        else:
            spelled = self._codec.write(event)
            self._fold(event)
        if text != LINE % (check, spelled, position, recorded):
            raise Fault("the line is not the canonical form (RFC 8785) of what it says")
        hashed = sha256(line[EVENT_AT : EVENT_AT + len(line) - len(text) + len(spelled)]).hexdigest()
        entry = ENTRY % (hashed, quoted(self.pid), position, recorded, self.version)
        leaf = sha256(b"\0" + entry.encode()).digest()
        if leaf.hex()[:CHECK] != check:
            raise Fault("the line was changed: its entry in the ledger has another hash than it says")
        self._check(event)
        self._previous = hashed
        return leaf

    def _check(self, event: dict[str, Any]) -> None:
        kind, previous = event.get("event"), event.get("previous")
        if kind is True or kind not in (1, 2):
            raise Fault("event schema version %s is unknown to this program" % shown(kind))
        if (self.version == 1 or kind == 1) and "previous" in event:
            raise Fault("it names an event before, which it cannot have")
        if kind < self._kind:
            raise Fault("it is of event schema version %d, but the one before is of %d already" % (kind, self._kind))
        self._kind = kind
        self.unchained += self.version > 1 and kind == 1
        if self.version > 1 and kind > 1 and previous != self._previous:
            raise Fault("it names %s as the event before, which has the hash %s" % (shown(previous), self._previous))
        undoes = event.get("undoes", 1)
        if type(undoes) is not int or not 1 <= undoes < max(self.version, 2):
            raise Fault("it undoes version %s, which is none before it" % shown(undoes))
        activity = event.get("activity")
        what = activity.get("type") if isinstance(activity, dict) else None
        if what not in ACTIVITIES or (self.version == 1) != (what == "ods:Create"):
            raise Fault("its activity %s is none that makes version %d" % (shown(what), self.version))
        if self._ended != (what == "ods:Restore"):
            state = "is" if self._ended else "is not"
            raise Fault("its activity %s is none for an object that %s tombstoned" % (what, state))
        self._ended = what == "ods:Tombstone"

    def _fold(self, event: dict[str, Any]) -> None:
        before = self._document.value.get("@type")
        self._document.apply(event.get("patch"))
        if self._document.value.get("@type") != event.get("type"):
            raise Fault("it says it is of type %s, its document does not" % shown(event.get("type")))
        if self.version > 1 and event.get("type") != before:
            raise Fault("it makes a %s of a %s" % (shown(event.get("type")), shown(before)))
        self.content = self._document.text()
        digest = sha256(self.content.encode()).hexdigest()
        if digest != event.get("digest"):
            raise Fault("its patch leads to a document with digest %s, not %s" % (digest, shown(event.get("digest"))))
        self.digests.append(digest)

    def document_lines(self) -> tuple[bytes, bytes]:
        """What documents.jsonl may say of the object: its document, or only its digest."""
        name = '"object":%s,"version":%d}' % (quoted(self.pid), self.version)
        return ('{"document":%s,%s' % (self.content, name)).encode(), (
            '{"digest":"%s",%s' % (self.digests[-1], name)
        ).encode()


class Objects:
    """Reads events.jsonl, with the documents and the PROV beside it, object by object."""

    def __init__(self, files: Files, size: int, faults: list[str], tick: Callable[[int], None]) -> None:
        self.events = files.open("events.jsonl")
        self.documents = files.open("documents.jsonl")
        self.prov = files.open("prov.jsonl")
        self._document_lines = self.documents.lines()
        self._prov_lines = self.prov.lines()
        self._size = size
        self._faults = faults
        self._tick = tick
        self.count = self.objects = 0
        self.with_documents = 0
        self.unchained = 0
        self.schemas: set[str] = set()
        self.positions = array.array("Q")
        self.facts = bytearray()
        self.marked: bytes | None = None

    def check(self) -> None:
        """Check every event; what does not hold is added to the faults."""
        codec = Json()
        history = History("", codec)
        for line in self.events.lines():
            self.count += 1
            if not self.count & 0x3FFF:
                self._tick(self.count)
            odd, codec.odd = codec.odd, False
            try:
                text, check, event, position, recorded = self._read(codec, line)
            except Fault as fault:
                self._fault("events.jsonl line %d %s" % (self.events.line, fault))
                history.broken = True
                continue
            if event["object"] == history.pid:
                codec.odd = codec.odd or odd
            else:
                self._close(history)
                history = self._begin(history.pid, event["object"], codec)
            if history.broken:
                continue
            try:
                leaf = history.take(line, text, check, event, position, recorded)
            except Fault as fault:
                where = "events.jsonl line %d (%s version %d)" % (
                    self.events.line,
                    shown(history.pid),
                    event["version"],
                )
                self._fault("%s: %s" % (where, fault))
                history.broken = True
                continue
            self.schemas.add(str(event.get("schema")))
            self.positions.append(position)
            self.facts += leaf
            self.facts += recorded.encode()
        self._close(history)
        for lines, member in ((self._document_lines, self.documents), (self._prov_lines, self.prov)):
            if next(lines, None) is not None:
                self._fault("%s line %d belongs to no object of events.jsonl" % (member.name, member.line))

    def _read(self, codec: Json, line: bytes) -> tuple[str, str, dict[str, Any], int, str]:
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise Fault("is not UTF-8") from None
        value = codec.read(text)
        check, event, position, recorded = map(value.get, ENVELOPE) if isinstance(value, dict) else (None,) * 4
        if not isinstance(event, dict) or type(position) is not int or not isinstance(recorded, str):
            raise Fault("is no event with its position and time of recording")
        if type(event.get("version")) is not int or not isinstance(event.get("object"), str) or not event["object"]:
            raise Fault("names no object and version")
        if not isinstance(check, str) or len(check) != CHECK or not check.isalnum() or not check.isascii():
            raise Fault("has no digits of its leaf's hash")
        if not RECORDED.fullmatch(recorded):
            raise Fault("has %s for the time of recording" % shown(recorded))
        if not 1 <= position <= self._size:
            raise Fault("says position %d, but the checkpoint is of %d entries" % (position, self._size))
        return text, check, event, position, recorded

    def _begin(self, before: str, pid: str, codec: Json) -> History:
        self.objects += 1
        history = History(pid, codec)
        if pid <= before:
            self._fault("events.jsonl line %d: %s stands after %s" % (self.events.line, shown(pid), shown(before)))
            history.broken = True
        return history

    def _close(self, history: History) -> None:
        """At the end of an object: its document and its PROV."""
        if not history.pid:
            return
        self.unchained += history.unchained
        line, graph = next(self._document_lines, None), next(self._prov_lines, None)
        if history.broken:
            return
        whole, short = history.document_lines()
        self.with_documents += line == whole
        if line not in (whole, short):
            self._fault(
                "documents.jsonl line %d is not the document of %s that its events lead to (version %d)"
                % (self.documents.line, shown(history.pid), history.version)
            )
        stated = set(PROV_DIGEST.findall(graph or b""))
        if not stated.issuperset(digest.encode() for digest in history.digests):
            self._fault(
                "prov.jsonl line %d is not the provenance of %s: it does not name the digests of its %d versions"
                % (self.prov.line, shown(history.pid), history.version)
            )

    def _fault(self, text: str) -> None:
        self._faults.append(text)
        if len(self._faults) >= MAX_FAULTS:
            raise Fault("and there may be more: stopped after %d findings" % MAX_FAULTS)

    def tree(self, proof: Iterator[bytes], mark: int | None) -> tuple[bytes, list[str]]:
        """The root that the events and the hashes of the proof lead to, and what is wrong with their order.

        If it can be told on the way, ``marked`` becomes the root of the first ``mark`` entries.
        """
        faults: list[str] = []
        tree = Tree()
        recorded = b""
        for rank in sorted(range(len(self.positions)), key=self.positions.__getitem__):
            position = self.positions[rank]
            if position <= tree.size:
                raise Fault("two events claim position %d" % position)
            if position - 1 > tree.size:
                self._mark(tree, mark)
                tree.fill(position - 1, proof)
            self._mark(tree, mark)
            fact = bytes(self.facts[rank * FACTS : rank * FACTS + FACTS])
            tree.add(0, fact[:32])
            if fact[32:] < recorded and len(faults) < MAX_FAULTS:
                faults.append("the event at position %d was recorded before an earlier one" % position)
            recorded = fact[32:]
        self._mark(tree, mark)
        tree.fill(self._size, proof)
        if next(proof, None) is not None:
            raise Fault("inclusion.proof has hashes that nothing needs")
        return tree.root(), faults

    def _mark(self, tree: Tree, mark: int | None) -> None:
        if tree.size == mark:
            self.marked = tree.root()


CONTINUES = "The ledger continues %s of %d entries: nothing up to there was changed, removed or put in between."


class Audit:
    """The whole check of one bundle, and what it says."""

    def __init__(self, files: Files, keys: list[Key], old: bytes | None, digest: str | None) -> None:
        self._files = files
        self._given = keys
        self._old = old
        self._digest = digest
        self._kept: Checkpoint | None = None
        self.marked: bytes | None = None
        self.holds: list[str] = []
        self.faults: list[str] = []
        self.unknown: list[str] = []
        self._hashes: dict[str, str] = {}

    def run(self, tick: Callable[[int], None]) -> bool:
        """Check everything; returns whether all of it holds."""
        if self._holds(self._head):
            if self._holds(lambda: self._events(tick)):
                self._holds(self._schemas)
            self._holds(self._consistency)
        self._holds(self._manifest)
        if not self.faults:
            self._say_unknown()
        return not self.faults

    def _holds(self, step: Callable[[], None]) -> bool:
        try:
            step()
        except Fault as fault:
            self.faults.append(str(fault))
            return False
        return True

    def _small(self, name: str) -> bytes:
        member = self._files.open(name)
        data = member.small()
        self._hashes[name] = member.digest()
        return data

    def _json(self, name: str) -> dict[str, Any]:
        try:
            value = Json(refuse_doubles=True).read(self._small(name).decode().strip())
        except UnicodeDecodeError:
            raise Fault("%s is not UTF-8" % name) from None
        except Fault as fault:
            raise Fault(str(fault) if name in str(fault) else "%s %s" % (name, fault)) from None
        if not isinstance(value, dict):
            raise Fault("%s is no JSON object" % name)
        return value

    def _head(self) -> None:
        self.about = self._json("bundle.json")
        if self.about.get("format") != FORMAT:
            raise Fault(
                "bundle.json is of format %s; this program reads %s" % (shown(self.about.get("format")), FORMAT)
            )
        listed = self._json("keys.json").get("keys")
        if not isinstance(listed, list) or not 1 <= len(listed) <= 100:
            raise Fault("keys.json lists no keys")
        try:
            self.keys = [Key(item["vkey"]) for item in listed]
        except (KeyError, TypeError, AttributeError):
            raise Fault("keys.json lists no keys") from None
        except Fault as fault:
            raise Fault("keys.json: %s" % fault) from None
        self.checkpoint = Checkpoint(self._small("checkpoint"), "checkpoint")
        self.signers = self._present_signer()
        self.holds.append(
            "The checkpoint of %s (%d entries, root %s) is signed by the key %s."
            % (
                shown(self.checkpoint.origin),
                self.checkpoint.size,
                self.checkpoint.root.hex(),
                self.signers[0].id.hex(),
            )
        )
        if self._old is not None:
            self._kept = Checkpoint(self._old, "your checkpoint")
            if self._kept.origin != self.checkpoint.origin:
                raise Fault("your checkpoint is of another ledger, %s" % shown(self._kept.origin))
            self._kept.signed_by(self._given + self.keys)
        origin, size = self.about.get("origin"), self.about.get("size")
        if type(size) is not int or (origin, size) != (self.checkpoint.origin, self.checkpoint.size):
            raise Fault("bundle.json speaks of another ledger or size than the checkpoint")

    def _present_signer(self) -> list[Key]:
        """Who signed the checkpoint: the present key, the last one. A former one no longer speaks for the ledger."""
        *former, present = self._given or self.keys
        try:
            return self.checkpoint.signed_by([present])
        except Fault:
            for key in self.checkpoint.signed_by([*former, present]):
                raise Fault(
                    "the checkpoint is signed by %s, a key that %s (%s) has replaced. Whoever has a former key could "
                    "have made this bundle after that. If the bundle is older than the new key, give the former key "
                    "alone with --key" % (key.id.hex(), shown(present.name), present.id.hex())
                ) from None
            raise

    def _events(self, tick: Callable[[int], None]) -> None:
        objects = Objects(self._files, self.checkpoint.size, self.faults, tick)
        before = len(self.faults)
        objects.check()
        self.objects = objects
        for member in (objects.events, objects.documents, objects.prov):
            self._hashes[member.name] = member.digest()
        if len(self.faults) > before:
            self.faults.append("What the checkpoint covers cannot be compared, because events do not hold.")
            return
        for name, found in (("events", objects.count), ("objects", objects.objects)):
            if self.about.get(name) != found:
                self.faults.append(
                    "bundle.json says %s %s, but there are %d" % (shown(self.about.get(name)), name, found)
                )
        if self.about.get("schemas") != sorted(objects.schemas):
            self.faults.append("bundle.json lists other schemas than the events name")
        self.holds.append(
            "%d events of %d objects: every version follows the one before%s, every patch applies from "
            "version 1 on, and every version has the digest its event states."
            % (
                objects.count,
                objects.objects,
                " by its hash"
                if not objects.unchained
                else " (but for %d of an earlier form, by its hash)" % objects.unchained,
            )
        )
        self.holds.append(
            "The last version of each object is the document in documents.jsonl."
            if objects.with_documents == objects.objects
            else "The last version of each object has the digest in documents.jsonl; of %d of %d the document is there "
            "too, and is that one." % (objects.with_documents, objects.objects)
        )
        member = self._files.open("inclusion.proof")
        root, disorder = objects.tree(self._proof(member), self._kept.size if self._kept else None)
        self._hashes[member.name] = member.digest()
        self.marked = objects.marked
        if root != self.checkpoint.root:
            raise Fault(
                "the events are not those that the checkpoint was signed for: they lead to the root %s. One of them "
                "was changed together with everything that depends on it, or does not belong to this ledger"
                % root.hex()
            )
        self.holds.append(
            "All of them stand in the ledger at the positions they claim: with inclusion.proof they lead to the "
            "checkpoint's root."
        )
        scope = self.about.get("scope")
        if isinstance(scope, dict) and scope.get("kind") == "all" and objects.count != self.checkpoint.size:
            self.faults.append(
                "bundle.json says that this is the whole ledger, but of its %d events there are %d"
                % (self.checkpoint.size, objects.count)
            )
        if disorder:
            self.faults.extend(disorder)
        else:
            self.holds.append("The times of recording never run backwards.")

    def _schemas(self) -> None:
        if "schemas.json" in self._files:
            missing = self.objects.schemas.difference(self._json("schemas.json"))
            if missing:
                raise Fault("schemas.json lacks %s, which documents name" % ", ".join(map(shown, sorted(missing)[:5])))

    def _proof(self, member: Member) -> Iterator[bytes]:
        for line in member.lines():
            data = from_base64(line.decode("ascii", "replace"), "%s line %d" % (member.name, member.line))
            if len(data) != 32:
                raise Fault("%s line %d is no hash" % (member.name, member.line))
            yield data

    def _consistency(self) -> None:
        shipped, proof = None, []
        if ("checkpoint.since" in self._files) != ("consistency.proof" in self._files):
            raise Fault("of checkpoint.since and consistency.proof, one is missing")
        if "checkpoint.since" in self._files:
            shipped = Checkpoint(self._small("checkpoint.since"), "checkpoint.since")
            member = self._files.open("consistency.proof")
            proof = list(self._proof(member))
            self._hashes[member.name] = member.digest()
            self._continues(shipped, proof)
        old = self._kept
        if old is None:
            return
        if shipped is not None and (old.size, old.root) == (shipped.size, shipped.root):
            self.holds.append("That older checkpoint is the one you kept.")
        elif old.size == 0 or old.size >= self.checkpoint.size:
            self._continues(old, [])
        elif (shipped is not None and old.size == shipped.size) or self.marked not in (None, old.root):
            raise Fault(
                "the first %d entries of the ledger are not those of your checkpoint: the log was altered" % old.size
            )
        elif self.marked is not None:
            self.holds.append(CONTINUES % (old.where, old.size))
        else:
            raise Fault(
                "whether the ledger continues your checkpoint of %d entries cannot be told: the bundle was made %s. "
                "Ask for one made with --since-checkpoint and your checkpoint"
                % (old.size, "for one of %d" % shipped.size if shipped else "without one")
            )

    def _continues(self, old: Checkpoint, proof: list[bytes]) -> None:
        if old.origin != self.checkpoint.origin:
            raise Fault("%s is of another ledger, %s" % (old.where, shown(old.origin)))
        old.signed_by(self._given + self.keys)
        check_consistency(old, self.checkpoint, proof)
        self.holds.append(CONTINUES % (old.where, old.size))

    def _manifest(self) -> None:
        listed: dict[str, str] = {}
        before = len(self.faults)
        data = self._small(MANIFEST)
        own = self._hashes.pop(MANIFEST)
        *lines, end = data.decode("utf-8", "replace").split("\n")
        if end:
            raise Fault("%s does not end in a newline" % MANIFEST)
        for number, line in enumerate(lines, 1):
            digest, _, name = line.partition("  ")
            if not HEX.fullmatch(digest) or name in listed or name == MANIFEST:
                raise Fault("%s line %d is malformed" % (MANIFEST, number))
            listed[name] = digest
        for name in sorted({*listed, *self._files} - {MANIFEST}):
            if name not in self._files:
                self.faults.append("%s is missing, but %s lists it" % (shown(name), MANIFEST))
            elif name not in listed:
                self.faults.append("%s is not listed in %s" % (name, MANIFEST))
            else:
                try:
                    found = self._hashes.get(name) or self._files.open(name).digest()
                except Fault as fault:
                    self.faults.append(str(fault))
                    continue
                if found != listed[name]:
                    self.faults.append("%s is not the file that %s lists: its SHA-256 is %s" % (name, MANIFEST, found))
        missing = {*SMALL_FILES, *LARGE_FILES} - set(listed)
        if missing:
            self.faults.append("%s does not list %s" % (MANIFEST, ", ".join(sorted(missing))))
        if self._digest is not None and self._digest.lower() != own:
            self.faults.append("the bundle's digest is %s, not the one you gave" % own)
        if len(self.faults) == before:
            self.holds.append(
                "All %d files are those that the bundle was closed with; its digest is %s." % (len(listed), own)
            )

    def _say_unknown(self) -> None:
        say = self.unknown.append
        if not self._given:
            say(
                "Whose key it is. The key came with the bundle; ask the museum for it on another way, and compare:"
                "\n    %s" % "\n    ".join(shown(key) for key in self.signers)
            )
        if self._digest is None:
            say(
                "That PROV, report and crate metadata are as the museum wrote them. They describe the events, which "
                "are proven; they are not. Ask for the bundle's digest on another way, and give it with --digest."
            )
        if self._old is None:
            say(
                "Whether the ledger was rewritten before this checkpoint. Keep the file 'checkpoint'; at the next "
                "audit ask for a bundle made for it (--since-checkpoint), and give it here with --checkpoint."
            )
        size = self.checkpoint.size
        if len(self.objects.positions) == size:
            self.holds.append("This is the whole ledger up to the checkpoint: positions 1 to %d, none left out." % size)
        else:
            say(
                "That nothing of the scope (%s) was left out. Of each object here, the versions 1 to its last one are "
                "complete; that there is no later version and no further object, only a bundle of the whole ledger "
                "shows." % shown(self._scope())
            )
        say(
            "That the documents follow the schemas they name. This program reads no JSON Schema; %s."
            % (
                "schemas.json has them, as the museum wrote them"
                if "schemas.json" in self._files
                else "the bundle was made without them (--schemas)"
            )
        )
        if self._files.strangers:
            say(
                "What these files are, which are no part of the bundle: %s."
                % ", ".join(map(shown, self._files.strangers[:9]))
            )
        say("What was true before it was recorded: that the statements themselves are right.")

    def _scope(self) -> str:
        scope = self.about.get("scope")
        return str(scope.get("description")) if isinstance(scope, dict) else "unknown"


def main(arguments: list[str] | None = None) -> int:
    """Check a bundle, say what holds and what does not, and return the exit status."""
    options = _options(arguments)
    tty = sys.stderr.isatty()

    def tick(done: int) -> None:
        if tty:
            sys.stderr.write("\r%d events " % done)
            sys.stderr.flush()

    try:
        keys = [Key(text) for given in options.key for text in given.split()]
        old = _old_checkpoint(options.checkpoint)
        files = Files(options.bundle)
        try:
            audit = Audit(files, keys, old, options.digest)
            audit.run(tick)
        finally:
            files.close()
        holds, faults, unknown = audit.holds, audit.faults, audit.unknown
    except Fault as fault:
        holds, faults, unknown = [], [str(fault)], []
    except Exception as error:  # noqa: BLE001 - whatever was not thought of must not end without a result
        told = "%s: %s" % (type(error).__name__, shown(error))
        holds, faults, unknown = [], ["the bundle made this program fail, as no bundle should (%s)" % told], []
    if tty:
        sys.stderr.write("\r\x1b[K")
    for title, texts in (("HOLDS", holds), ("DOES NOT HOLD", faults), ("CANNOT BE KNOWN FROM THIS BUNDLE", unknown)):
        if texts:
            _say(title)
            for text in texts:
                _say("  - " + text)
            _say("")
    _say(
        "RESULT: "
        + (
            "something does not hold; do not rely on this bundle."
            if faults
            else "everything that can be checked holds."
        )
    )
    return 1 if faults else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Checks an audit bundle of a Provenarium ledger, offline.")
    here = str(Path(__file__).resolve().parent)
    parser.add_argument("bundle", nargs="?", default=here, help="the zip, or the unpacked folder; default: this folder")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="VKEY",
        help="the museum's key, from another source; if there are several, the present one last",
    )
    parser.add_argument("--checkpoint", metavar="OLD", help="a checkpoint that you kept from an earlier audit")
    parser.add_argument("--digest", metavar="SHA256", help="the bundle's digest, from another source")
    options = parser.parse_args(arguments)
    if not Path(options.bundle).exists():
        parser.error("there is no %s" % shown(options.bundle))
    return options


def _old_checkpoint(path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        with Path(path).open("rb") as stream:
            return stream.read(MAX_SMALL)
    except OSError as error:
        raise Fault("%s cannot be read: %s" % (shown(path), error.strerror)) from None


def _say(text: str) -> None:
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


if __name__ == "__main__":
    sys.exit(main())
