"""JSON Patch (RFC 6902) as events use it: applied in place, checked, bounded and inverted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from domain import pointer
from domain.canonical import canonical_bytes, normal_form, same
from domain.errors import InvalidPatch, UnrepresentableJson

Operation = dict[str, Any]
Patch = Sequence[Operation]

_MEMBERS = {
    "test": {"op", "path", "value"},
    "add": {"op", "path", "value"},
    "replace": {"op", "path", "value"},
    "remove": {"op", "path"},
    "move": {"op", "path", "from"},
    "copy": {"op", "path", "from"},
}


@dataclass(frozen=True)
class Bounds:
    """How large a patch from outside may be: operations, ``copy`` operations, bytes of the result."""

    operations: int = 10_000
    copies: int = 100
    result_bytes: int = 16 * 1024 * 1024


def copy_of(document: Any) -> Any:
    """An independent copy of a value in normal form; written and read, which is faster than member by member."""
    return orjson.loads(orjson.dumps(document)) if isinstance(document, (dict, list)) else document


def apply_in_place(document: Any, patch: Patch) -> Any:
    """Apply a patch, changing ``document``; returns the new root.

    Fast path for folding events that were verified when they were stored. On
    :class:`InvalidPatch` the document is left half changed and must be thrown away. Values from the
    patch are copied when they are containers, so that events stay untouched.
    """
    for operation in patch:
        document = _apply(document, operation)
    return document


def apply(document: Any, patch: Any, bounds: Bounds = Bounds()) -> Any:
    """Apply a patch from anywhere to a copy; the input stays as it is.

    ``patch`` is untrusted JSON: it must be an array of RFC 6902 operations with exactly their
    members, within ``bounds``, and the result must be a value in normal form.
    Raises :class:`InvalidPatch` naming the operation, or :class:`UnrepresentableJson`.
    """
    operations = validated(patch, bounds)
    result = copy_of(document)
    for number, operation in enumerate(operations):
        try:
            result = _apply(result, operation)
            grown = len(orjson.dumps(result)) if operation["op"] == "copy" else 0
        except InvalidPatch as error:
            raise InvalidPatch(f"operation {number} ({operation['op']} {operation['path']}): {error}") from None
        except (RecursionError, orjson.JSONEncodeError):  # all that it can refuse in values like these is their depth
            raise InvalidPatch(f"operation {number} ({operation['op']}): the result is nested too deeply") from None
        if grown > bounds.result_bytes:
            raise InvalidPatch(f"operation {number}: the result grows beyond {bounds.result_bytes} bytes")
    if len(canonical_bytes(result)) > bounds.result_bytes:
        raise InvalidPatch(f"the result is larger than {bounds.result_bytes} bytes")
    return result


def validated(patch: Any, bounds: Bounds = Bounds()) -> list[Operation]:
    """The patch with its values in normal form; raises :class:`InvalidPatch` when it is not RFC 6902."""
    if not isinstance(patch, list):
        raise InvalidPatch("a JSON Patch is an array of operations")
    if len(patch) > bounds.operations:
        raise InvalidPatch(f"{len(patch)} operations are more than the {bounds.operations} allowed")
    copies = 0
    result = []
    for number, operation in enumerate(patch):
        op = operation.get("op") if isinstance(operation, dict) else None
        if not isinstance(op, str) or op not in _MEMBERS:
            raise InvalidPatch(f"operation {number} is not one of test, add, remove, replace, move, copy")
        if set(operation) != _MEMBERS[op]:
            expected = ", ".join(sorted(_MEMBERS[op]))
            raise InvalidPatch(f"operation {number} ({op}) must have exactly the members {expected}")
        copies += op == "copy"
        try:
            result.append({name: normal_form(member) for name, member in operation.items()})
            for name in ("path", "from"):
                if name in operation:
                    pointer.from_text(operation[name])
        except (InvalidPatch, UnrepresentableJson) as error:
            raise InvalidPatch(f"operation {number} ({op}): {error}") from None
    if copies > bounds.copies:
        raise InvalidPatch(f"{copies} copy operations are more than the {bounds.copies} allowed")
    return result


def invert(patch: Patch) -> list[Operation]:
    """The patch that undoes ``patch``: applied to the new document it gives the old one.

    ``patch`` must be of the reversible form :func:`domain.diff.diff` makes: every ``remove`` and
    ``replace`` directly after a ``test`` of the same path; ``add`` and ``move`` as they are, and no
    ``add`` over an existing member. Raises :class:`InvalidPatch` otherwise.
    """
    inverse: list[Operation] = []
    index = len(patch) - 1
    while index >= 0:
        operation = patch[index]
        op, path = operation["op"], operation["path"]
        if op == "add":
            inverse.append({"op": "test", "path": path, "value": operation["value"]})
            inverse.append({"op": "remove", "path": path})
        elif op == "move":
            inverse.append({"op": "move", "from": path, "path": operation["from"]})
        elif op in ("remove", "replace"):
            index -= 1
            before = patch[index] if index >= 0 else {}
            if before.get("op") != "test" or before.get("path") != path:
                raise InvalidPatch(f"{op} {path} is not preceded by a test of the old value, so it cannot be undone")
            if op == "replace":
                inverse.append({"op": "test", "path": path, "value": operation["value"]})
                inverse.append({"op": "replace", "path": path, "value": before["value"]})
            else:
                inverse.append({"op": "add", "path": path, "value": before["value"]})
        elif op != "test":
            raise InvalidPatch(f"{op} {path} cannot be undone")
        index -= 1
    return inverse


def _apply(document: Any, operation: Operation) -> Any:
    op = operation["op"]
    path = pointer.from_text(operation["path"])
    if op == "add":
        return _add(document, path, copy_of(operation["value"]))
    if op == "replace":
        if not path:
            return copy_of(operation["value"])
        parent, key = _existing(document, path)
        parent[key] = copy_of(operation["value"])
        return document
    if op == "remove":
        if not path:
            raise InvalidPatch("the root cannot be removed")
        parent, key = _existing(document, path)
        del parent[key]
        return document
    if op == "test":
        if not same(pointer.resolve(document, path), operation["value"]):
            raise InvalidPatch(f"{operation['path'] or 'the root'} does not have the value that the patch expects")
        return document
    source = pointer.from_text(operation["from"])
    if op == "copy":
        return _add(document, path, copy_of(pointer.resolve(document, source)))
    if not source or (path[: len(source)] == source and path != source):
        raise InvalidPatch("a value cannot be moved into itself")
    parent, key = _existing(document, source)
    value = parent.pop(key)
    return _add(document, path, value)


def _add(document: Any, path: pointer.Path, value: Any) -> Any:
    if not path:
        return value
    parent = pointer.resolve(document, path[:-1])
    token = path[-1]
    if isinstance(parent, dict):
        parent[token] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if token == "-" else pointer.array_index(token, len(parent)), value)
    else:
        raise InvalidPatch(f"{pointer.to_text(path[:-1])} is neither an object nor an array")
    return document


def _existing(document: Any, path: pointer.Path) -> tuple[Any, Any]:
    """The parent and key (str or int) of a value that must exist."""
    parent = pointer.resolve(document, path[:-1])
    token = path[-1]
    if isinstance(parent, dict) and token in parent:
        return parent, token
    if isinstance(parent, list):
        index = pointer.array_index(token, len(parent))
        if index < len(parent):
            return parent, index
    raise InvalidPatch(f"nothing at {pointer.to_text(path)}")
