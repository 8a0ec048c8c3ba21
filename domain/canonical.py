"""JSON in, exactly: one defined treatment for everything that JSON leaves open, canonical bytes and digests.

==========================  ===========================================================
in the input                here
==========================  ===========================================================
1 and 1.0, 1e0, -0.0        the same number (RFC 8785 writes 1, 1, 1 and 0); kept as integer
true and 1                  different values
absent and null             different values
integers beyond ±(2^53-1)   refused: RFC 8785 cannot write them exactly
0.1000000000000000055       refused: no IEEE 754 double reads back as this decimal
NaN, Infinity, 1e400        refused
a key twice in an object    refused
lone surrogates, U+0000     refused: not Unicode text; PostgreSQL cannot hold NUL
nested deeper than 200      refused
==========================  ===========================================================

Canonical bytes are RFC 8785 (JCS). ``orjson`` writes the same bytes wherever no number needs an
exponent and no key lies beyond U+FFFF; everything else goes to ``rfc8785``.
"""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
import rfc8785

from domain.errors import UnrepresentableJson
from domain.pointer import to_text

MAX_DEPTH = 200
MAX_INTEGER = 2**53 - 1

_SURROGATE_OR_NUL = re.compile("[\x00\ud800-\udfff]")
_PERHAPS_WHOLE = re.compile(rb"\.0[,\]}]")
_PERHAPS_AN_EXPONENT = re.compile(rb"e[-+0-9][0-9]*[,\]}]")
"""Both begin with a character that is searched for, not with a class, which takes four times as long."""
_NUMBER_BEFORE = re.compile(rb"[:,\[]-?[0-9.]+\Z")
_STRICTLY = (
    orjson.OPT_STRICT_INTEGER  # refuses integers beyond ±(2^53-1)
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
)
_FOUR_BYTES = (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4")
"""What a character beyond U+FFFF begins with in UTF-8."""


def parse(data: bytes | str) -> Any:
    """Parse one JSON text (RFC 8259) without losing anything.

    Returns the normal form described above. Raises :class:`UnrepresentableJson` when the text is
    not JSON or holds something that cannot be kept exactly; the message says what and where.
    """
    if isinstance(data, bytes):
        try:
            data = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UnrepresentableJson(f"not UTF-8 text: byte {error.start} cannot be decoded") from None
    try:
        value = _DECODER.decode(data.strip("\ufeff"))
    except json.JSONDecodeError as error:
        raise UnrepresentableJson(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise UnrepresentableJson(f"nested deeper than {MAX_DEPTH} levels") from None
    return normal_form(value)


def normal_form(value: Any, *, given_away: bool = False) -> Any:
    """Check a Python value built in memory and bring its numbers to the one form kept here.

    Takes None, bool, int, float, str, list, tuple and dict with str keys; returns fresh containers. A value that is
    ``given_away`` must be of these types but tuple, and may come back itself.
    Raises :class:`UnrepresentableJson` naming the JSON Pointer of the offender.
    """
    plain = _plain(value, given_away)
    if plain is not None:
        return plain
    try:
        return _normal(value, 0)
    except RecursionError:
        raise UnrepresentableJson(f"nested deeper than {MAX_DEPTH} levels") from None
    except UnrepresentableJson as error:
        raise UnrepresentableJson(f"{error} (at {to_text(_offender(value)) or 'the root'})") from None


def canonical_bytes(value: Any) -> bytes:
    """The RFC 8785 bytes of a value in normal form."""
    if type(value) is float:
        return _by_rfc8785(value)
    try:
        data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):  # what orjson will not write, rfc8785 either writes or explains
        return _by_rfc8785(value)
    for form in (_PERHAPS_WHOLE, _PERHAPS_AN_EXPONENT):
        for found in form.finditer(data):
            if _NUMBER_BEFORE.search(data, max(0, found.start() - 25), found.start()):
                return _by_rfc8785(value)
    if not data.isascii() and any(first in data for first in _FOUR_BYTES):
        return _by_rfc8785(value)
    return data


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def same(a: Any, b: Any) -> bool:
    """Whether two values in normal form are the same JSON value (``True`` is not ``1``)."""
    if isinstance(a, dict):
        return (
            isinstance(b, dict) and len(a) == len(b) and all(key in b and same(item, b[key]) for key, item in a.items())
        )
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if type(a) is type(b):
        return bool(a == b)
    numbers = {type(a), type(b)} <= {int, float}
    return numbers and bool(a == b)


def _by_rfc8785(value: Any) -> bytes:
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise UnrepresentableJson(f"cannot be written as RFC 8785: {error}") from None
    except RecursionError:
        raise UnrepresentableJson(f"nested deeper than {MAX_DEPTH} levels") from None


def _plain(value: Any, given_away: bool) -> Any:
    """A container in which nothing is out of normal form, or a copy made by ``orjson``; None where that is in doubt.

    What is written is looked at instead of each member, which is several times as fast: it is in doubt where that may
    be a number of another form, a NUL, nested too deeply, or does not read back as the same.
    """
    if type(value) is not dict and type(value) is not list:
        return None
    try:
        data = orjson.dumps(value, option=_STRICTLY)
        if data.count(b"{") + data.count(b"[") > MAX_DEPTH or (b"\\" in data and b"\\u0000" in data):
            return None
        if _PERHAPS_WHOLE.search(data):
            return None
        if given_away and b"null" not in data:  # which orjson writes for NaN, too
            return value
        copy = orjson.loads(data)
    except (TypeError, ValueError, RecursionError):
        return None
    return copy if copy == value else None


def _normal(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        return _text(value)
    if kind is dict or isinstance(value, dict):
        if depth >= MAX_DEPTH:
            raise UnrepresentableJson(f"nested deeper than {MAX_DEPTH} levels")
        return {_key(key): _normal(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        if depth >= MAX_DEPTH:
            raise UnrepresentableJson(f"nested deeper than {MAX_DEPTH} levels")
        return [_normal(item, depth + 1) for item in value]
    if value is None or kind is bool:
        return value
    if kind is int:
        if -MAX_INTEGER <= value <= MAX_INTEGER:
            return value
        raise UnrepresentableJson(f"integer {value} is beyond ±(2^53-1); write it as a string")
    if kind is float:
        return _float(value)
    raise UnrepresentableJson(f"{kind.__name__} is not a JSON value")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise UnrepresentableJson(f"member name {key!r} is not a string")
    return _text(key)


def _text(text: str) -> str:
    if ("\x00" in text) if text.isascii() else _SURROGATE_OR_NUL.search(text):
        raise UnrepresentableJson("text holds U+0000 or a lone surrogate")
    return text


def _float(value: float) -> float:
    if value != value or value in (float("inf"), float("-inf")):
        raise UnrepresentableJson(f"{value} is not a JSON number")
    return int(value) if value.is_integer() and abs(value) <= MAX_INTEGER else value


def _offender(value: Any, path: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The path of the first member that has no normal form; walked only to explain a refusal."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    for name, member in members:
        try:
            _normal(member, len(path) + 1)
        except (UnrepresentableJson, RecursionError):
            return _offender(member, (*path, str(name))) if len(path) < 12 else (*path, "…")
    return path


def _pointer(path: tuple[str, ...]) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path) or "the root"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise UnrepresentableJson(f"member {key!r} occurs twice in one object")
            seen.add(key)
    return value


def _integer_literal(literal: str) -> int:
    if len(literal) > 17:
        raise UnrepresentableJson(f"integer {literal[:40]} is beyond ±(2^53-1); write it as a string")
    return int(literal)


def _float_literal(literal: str) -> float:
    number = float(literal)
    if number in (float("inf"), float("-inf")):
        raise UnrepresentableJson(f"number {literal[:40]} is too large for IEEE 754; write it as a string")
    if (len(literal) > 15 or "e" in literal or "E" in literal) and not _is_exact(literal, number):
        raise UnrepresentableJson(
            f"number {literal[:40]} cannot be kept exactly (nearest is {number!r}); shorten it or write it as a string"
        )
    return number


def _is_exact(literal: str, number: float) -> bool:
    try:
        return Decimal(literal) == Decimal(repr(number))
    except InvalidOperation:  # an exponent beyond what even Decimal knows
        return False


def _constant(name: str) -> Any:
    raise UnrepresentableJson(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer_literal,
    parse_float=_float_literal,
    parse_constant=_constant,
    strict=True,
)
