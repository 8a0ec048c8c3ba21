"""Questions to a document: which values its terms must have.

A condition is written ``TERM=VALUE``. A *term* is the path of a value without array positions, as
:mod:`domain.terms` has it, and is looked for at every depth: ``dwc:country`` is found wherever a path ends so,
``ods:hasLocation/dwc:country`` only inside that object, ``/dwc:country`` only at the top. In the value ``*``
stands for any text, also none, and ``\\*`` and ``\\\\`` for the characters themselves; ``TERM=*`` asks whether there
is such a term at all. Text is compared exactly; numbers, ``true``, ``false``, ``null`` and empty arrays and objects as
their JSON text. Values of the same term are alternatives; all terms asked for must match.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from domain import pointer
from domain.errors import InvalidPatch, RefusedInput
from domain.pointer import Path

MOST_CONDITIONS = 100

_PIECE = re.compile(r"\\([*\\])|(\*)|([^*\\]+|\\)")
_ANYTHING = ("", "")


@dataclass(frozen=True)
class Condition:
    """One term and its alternatives, each the texts between its wildcards; ``at_top``: no path may lead to it."""

    path: Path
    at_top: bool
    alternatives: tuple[tuple[str, ...], ...]

    def accepts(self, path: Path, value: Any) -> bool:
        """Whether a value at a path without array positions is one asked for; what holds others only has to be."""
        if path[-len(self.path) :] != self.path or (self.at_top and len(path) != len(self.path)):
            return False
        text = None if isinstance(value, dict | list) and value else _text(value)
        return any(parts == _ANYTHING or (text is not None and _matches(parts, text)) for parts in self.alternatives)


@dataclass(frozen=True)
class Query:
    """Conditions that must all be met, and the texts they were read from, sorted."""

    texts: tuple[str, ...]
    conditions: tuple[Condition, ...]

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Query:
        """Read conditions ``TERM=VALUE``; raises :class:`RefusedInput` saying which one is none, and why."""
        given = tuple(sorted(set(texts)))
        if not 0 < len(given) <= MOST_CONDITIONS:
            raise RefusedInput(f"a query has 1 to {MOST_CONDITIONS} conditions TERM=VALUE, not {len(given)}")
        found: dict[tuple[bool, Path], list[tuple[str, ...]]] = defaultdict(list)
        for text in given:
            term, equals, value = text.partition("=")
            if not equals or not term.strip("/"):
                raise RefusedInput(f"{text!r} is no condition; write TERM=VALUE, such as dwc:country=Peru")
            try:
                path = pointer.from_text(f"/{term.removeprefix('/')}")
            except InvalidPatch as error:
                raise RefusedInput(f"{text!r} names no term: {error}") from None
            found[term.startswith("/"), path].append(_parts(value))
        conditions = (Condition(path, at_top, tuple(values)) for (at_top, path), values in found.items())
        return cls(given, tuple(conditions))

    def matches(self, document: dict[str, Any]) -> bool:
        """Whether a document meets every condition."""
        left = list(self.conditions)
        for path, value in _values(document):
            left = [condition for condition in left if not condition.accepts(path, value)]
            if not left:
                return True
        return False


def _values(document: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Every value in a document, at whatever depth, by its path without array positions."""
    ahead: list[tuple[Path, Any]] = [((), document)]
    while ahead:
        path, value = ahead.pop()
        if path:
            yield path, value
        if isinstance(value, dict):
            ahead += [((*path, name), member) for name, member in value.items()]
        elif isinstance(value, list):
            ahead += [(path, item) for item in value]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _parts(value: str) -> tuple[str, ...]:
    """The texts between the wildcards of a value; runs of wildcards are one."""
    parts = [""]
    wild = False
    for escaped, star, plain in _PIECE.findall(value):
        if not star:
            parts[-1] += escaped or plain
        elif not wild:
            parts.append("")
        wild = bool(star)
    return tuple(parts)


def _matches(parts: tuple[str, ...], text: str) -> bool:
    if len(parts) == 1:
        return text == parts[0]
    first, *middle, last = parts
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    begin, end = len(first), len(text) - len(last)
    for part in middle:
        begin = text.find(part, begin, end)
        if begin < 0:
            return False
        begin += len(part)
    return True
