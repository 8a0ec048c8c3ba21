"""What the ``value`` column of the mapping table means: from the text of a term to a JSON value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sources.mapping.numbers import Limits, read_number
from sources.mapping.table import Rule

Reading = tuple[Any, str | None]
"""``(value, None)``; ``(value, problem)``: kept, with a notice; ``(None, problem)``: unreadable; ``(None, None)``: not
for this property."""

Converter = Callable[[str], Reading]

_TRUE = frozenset({"true", "1", "yes", "verified"})
_FALSE = frozenset({"false", "0", "no", "unverified", "not verified"})
_BARE_SCHEMES = ("urn:", "doi:", "hdl:", "ark:", "data:")
_NOT_IN_IRI = frozenset(' \t\r\n<>"{}|\\^`')


def converter(rule: Rule) -> Converter | None:
    """The function that reads one rule's texts; None where the text itself is the value."""
    if rule.value in {"number", "integer"}:
        return _number(rule)
    if rule.value == "text":
        return _one_of(rule.detail["oneof"].split("|")) if "oneof" in rule.detail else None
    return _CONVERTERS[rule.value]


def pieces(text: str) -> list[str]:
    """The parts of a list separated by ``|``, without blanks and empty parts."""
    if "|" not in text:
        return [text]
    return [piece for part in text.split("|") if (piece := part.strip())]


def is_uri(text: str) -> bool:
    """Whether a text starts with a scheme: ``anything://…``, or ``urn:``, ``doi:``, ``hdl:``, ``ark:``, ``data:``.

    Colons alone do not count: ``ac:GoodQuality`` and ``RMNH:1234`` are names, not addresses.
    """
    scheme, found, rest = text.partition("://")
    if found:
        return bool(rest) and scheme.isascii() and scheme[:1].isalpha() and scheme.replace("+", "").isalnum()
    return text.lower().startswith(_BARE_SCHEMES) and not text.endswith(":")


def is_iri(text: str) -> bool:
    """Whether a text is an absolute IRI: :func:`is_uri`, and no character that RFC 3987 forbids."""
    return is_uri(text) and _NOT_IN_IRI.isdisjoint(text)


def _number(rule: Rule) -> Converter:
    low, _, high = rule.detail.get("range", "..").partition("..")
    limits = Limits(
        whole=rule.value == "integer",
        low=int(low) if low else None,
        high=int(high) if high else None,
        metres=rule.detail.get("unit") == "m",
    )
    return lambda text: read_number(text, limits)


def _one_of(values: list[str]) -> Converter:
    """Read a controlled term however it is spelt: as IRI, with a prefix, with spaces, in any case."""
    spellings = {value.casefold(): value for value in values}

    def read(text: str) -> Reading:
        name = text.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
        value = spellings.get("".join(name.split()).casefold())
        return value, None if value else "is none of the values openDS allows"

    return read


def _boolean(text: str) -> Reading:
    word = text.strip().casefold()
    return (True if word in _TRUE else False if word in _FALSE else None), None


def _list(text: str) -> Reading:
    return pieces(text) or None, None


def _iri(text: str) -> Reading:
    return (text if is_iri(text) else None), None


def _literal(text: str) -> Reading:
    return (None if is_iri(text) else text), None


def _uri(text: str) -> Reading:
    return (text if is_uri(text) else None), None


def _datetime(text: str) -> Reading:
    try:
        complete = datetime.fromisoformat(text).tzinfo is not None and "T" in text
    except ValueError:
        complete = False
    return (text, None) if complete else (None, "is not a date and time with zone (RFC 3339)")


_CONVERTERS: dict[str, Converter] = {
    "boolean": _boolean,
    "list": _list,
    "iri": _iri,
    "literal": _literal,
    "uri": _uri,
    "datetime": _datetime,
}
