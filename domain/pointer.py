"""JSON Pointers (RFC 6901): between text and a tuple of unescaped reference tokens."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from domain.errors import InvalidPatch

Path = tuple[str, ...]

_USUAL_LENGTH = 200


def to_text(path: Path) -> str:
    """``("a/b", "0")`` becomes ``/a~1b/0``; the root is the empty text."""
    return "".join("/" + escaped(token) for token in path)


def escaped(token: str) -> str:
    """One reference token as it stands in a pointer: ``a/b`` becomes ``a~1b``."""
    return token.replace("~", "~0").replace("/", "~1")


def from_text(pointer: str) -> Path:
    """Split a pointer; raises :class:`InvalidPatch` when it is not one."""
    if not isinstance(pointer, str):
        raise InvalidPatch(f"a JSON Pointer is a string, not a {type(pointer).__name__}")
    return _split(pointer) if len(pointer) <= _USUAL_LENGTH else _split.__wrapped__(pointer)


@lru_cache(maxsize=4096)  # the patches of many events touch the same few places
def _split(pointer: str) -> Path:
    if pointer == "":
        return ()
    if pointer[0] != "/":
        raise InvalidPatch(f"JSON Pointer {pointer!r} must be empty or start with '/'")
    if "~" not in pointer:
        return tuple(pointer[1:].split("/"))
    tokens = pointer[1:].split("/")
    for token in tokens:
        if "~" in token.replace("~0", "").replace("~1", ""):
            raise InvalidPatch(f"JSON Pointer {pointer!r} has '~' not followed by 0 or 1")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)


def array_index(token: str, length: int) -> int:
    """The position an array token names; ``length`` itself is allowed only to callers that add.

    Raises :class:`InvalidPatch` for anything but an unpadded decimal number up to ``length``.
    """
    if not (token.isascii() and token.isdecimal()) or (len(token) > 1 and token[0] == "0"):
        raise InvalidPatch(f"{token!r} is not an array index")
    if len(token) > 9 or int(token) > length:
        raise InvalidPatch(f"array index {token[:20]} is outside an array of {length}")
    return int(token)


def resolve(document: Any, path: Path) -> Any:
    """The value at ``path``; raises :class:`InvalidPatch` naming the first token that leads nowhere."""
    value = document
    for depth, token in enumerate(path):
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list):
            index = array_index(token, len(value))
            if index == len(value):
                raise InvalidPatch(f"nothing at {to_text(path[: depth + 1])}")
            value = value[index]
        else:
            raise InvalidPatch(f"nothing at {to_text(path[: depth + 1])}")
    return value
