"""JSON of a PROV document that all readers understand alike; what is not is refused with its place, a JSON Pointer."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from domain.pointer import escaped

_TIMES = ("startTime", "endTime", "time")
_KNOWN_PREFIXES = frozenset(("prov", "xsd", "xsi", "_"))
_DATE_TIME = re.compile(
    r"-?[0-9]{4,}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII
)


def is_date_time(text: object) -> bool:
    """Whether ``text`` is written as an ``xsd:dateTime``, which is what PROV's times are."""
    return isinstance(text, str) and _DATE_TIME.fullmatch(text) is not None


class _Object(dict[str, Any]):
    """An object of JSON that remembers which member stood in it twice."""

    doubled: str | None = None


class _Constant:
    """What Python reads and JSON does not know: NaN, Infinity, -Infinity."""

    def __init__(self, name: str) -> None:
        self.name = name


def plain(data: bytes) -> Any:
    """The value of the JSON text ``data``.

    Raises ``ValueError`` for what can be understood in more than one way, and for times that are no ``xsd:dateTime``:
    readers leave such times out, and of a member that stands twice each takes the one it likes.
    """
    value = json.loads(data, object_pairs_hook=_object, parse_constant=_Constant)
    for place, found in _walk(value, ""):
        match found:
            case _Constant():
                raise ValueError(f"{found.name} at {place} is no JSON")
            case _Object():
                _require_plain(found, place)
    return value


def _require_plain(found: _Object, place: str) -> None:
    if found.doubled is not None:
        raise ValueError(f"the member {found.doubled!r} stands twice in one object, at {place or 'the top'}")
    for name, member in found.items():
        if name.removeprefix("prov:") in _TIMES:
            told = member.get("@value", member.get("$")) if isinstance(member, dict) else member
            if not isinstance(told, list) and not is_date_time(told):
                raise ValueError(f"{name} is {told!r}, which is not an xsd:dateTime, at {place}")


def require_prefixes(document: Any) -> None:
    """Raises for PROV-JSON that names a record or a bundle by a prefix it does not declare, or declares as no text.

    Of what a record says, ``prov`` refuses such names itself; that of a relation it would leave out.
    """
    if isinstance(document, dict):
        _prefixes(document, _KNOWN_PREFIXES, "")


def _prefixes(document: dict[str, Any], known: frozenset[str], place: str) -> None:
    prefixes = document.get("prefix", {})
    if not isinstance(prefixes, dict):
        raise TypeError(f"{place}/prefix is {_shown(prefixes)}, not an object of prefixes and their IRIs")
    for prefix, namespace in prefixes.items():
        if not isinstance(namespace, str):
            raise TypeError(f"the prefix {prefix!r} stands for {_shown(namespace)}, which is no IRI")
    known = known.union(prefixes)
    for section, records in document.items():
        if section != "prefix" and isinstance(records, dict):
            for name in records:
                prefix, colon, _ = name.partition(":")
                if colon and prefix not in known:
                    raise ValueError(f"{section} {name!r} has the prefix {prefix!r}, which is not declared")
                if not colon and "default" not in known:
                    raise ValueError(f"{section} {name!r} has no prefix, and no default namespace is declared")
    bundles = document.get("bundle")
    for name, bundle in bundles.items() if isinstance(bundles, dict) else ():
        if isinstance(bundle, dict):
            _prefixes(bundle, known, f"{place}/bundle/{escaped(name)}")


def _object(members: list[tuple[str, Any]]) -> _Object:
    value = _Object(members)
    if len(value) < len(members):
        value.doubled = Counter(name for name, _ in members).most_common(1)[0][0]
    return value


def _walk(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Every value with its JSON Pointer (RFC 6901), from the top and in the order written."""
    waiting = [(place, value)]
    while waiting:
        place, value = waiting.pop()
        yield place, value
        if isinstance(value, dict):
            waiting += [(f"{place}/{escaped(name)}", member) for name, member in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(f"{place}/{number}", value[number]) for number in range(len(value) - 1, -1, -1)]


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
