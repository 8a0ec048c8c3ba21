"""The reversible JSON Patch between two documents, with array items matched by identity.

``jsonpatch`` matches array items by equality only and is an order of magnitude slower; it stays the
oracle in the tests. The form made here: ``remove`` and ``replace`` follow a ``test`` of the old
value; within one array first removals (from the end), then additions and moves (from the start),
then changes inside the items that stayed.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import orjson

from domain.canonical import canonical_bytes, same
from domain.errors import IntegrityFailure
from domain.identity import Pairing, pair_items
from domain.patch import apply_in_place, copy_of
from domain.pointer import escaped

Operation = dict[str, Any]


def diff(old: Any, new: Any) -> list[Operation]:
    """The operations that turn ``old`` into ``new``; empty when they are the same JSON value.

    Both are values in normal form (``domain.canonical``); neither is changed, and containers in
    the patch are the caller's own: treat them as read-only.
    """
    operations: list[Operation] = []
    _difference("", None, old, new, operations)
    return operations


def verified_diff(old: Any, new: Any) -> list[Operation]:
    """Like :func:`diff`, proven: applied to ``old`` it gives the canonical bytes of ``new``.

    Raises :class:`IntegrityFailure` when it does not, which would be a defect of this module.
    """
    operations = diff(old, new)
    if canonical_bytes(apply_in_place(copy_of(old), operations)) != canonical_bytes(new):
        raise IntegrityFailure("a computed patch does not reproduce its document; nothing was stored")
    return operations


def _difference(path: str, name: str | None, old: Any, new: Any, out: list[Operation]) -> None:
    if old is new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        _objects(path, old, new, out)
    elif isinstance(old, list) and isinstance(new, list):
        _arrays(path, name, old, new, out)
    elif not same(old, new):
        out.append({"op": "test", "path": path, "value": old})
        out.append({"op": "replace", "path": path, "value": new})


def _objects(path: str, old: dict[str, Any], new: dict[str, Any], out: list[Operation]) -> None:
    for key, value in old.items():
        if key not in new:
            member = f"{path}/{escaped(key)}"
            out.append({"op": "test", "path": member, "value": value})
            out.append({"op": "remove", "path": member})
    for key, value in new.items():
        if key not in old:
            out.append({"op": "add", "path": f"{path}/{escaped(key)}", "value": value})
        elif isinstance(value, (dict, list)):
            if not _written_alike(old[key], value):
                _difference(f"{path}/{escaped(key)}", key, old[key], value, out)
        elif old[key] != value or type(old[key]) is not type(value):
            _difference(f"{path}/{escaped(key)}", key, old[key], value, out)


def _written_alike(old: Any, new: Any) -> bool:
    """Whether two containers are the same text, as most are: told at once, instead of by a look at each value."""
    try:
        return orjson.dumps(old, option=orjson.OPT_SORT_KEYS) == orjson.dumps(new, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):  # what orjson will not write is looked at value by value
        return False


def _arrays(path: str, name: str | None, old: list[Any], new: list[Any], out: list[Operation]) -> None:
    pairs = pair_items(name, old, new)
    if pairs is None:
        pairs = _by_position(old, new)
    _rearrange(path, old, new, pairs, out)
    for old_index, new_index in sorted(pairs, key=lambda pair: pair[1]):
        _difference(f"{path}/{new_index}", None, old[old_index], new[new_index], out)


def _rearrange(path: str, old: list[Any], new: list[Any], pairs: Pairing, out: list[Operation]) -> None:
    """Bring the kept items of ``old`` to their places in ``new``, removing and adding the rest."""
    kept = {old_index for old_index, _ in pairs}
    for index in range(len(old) - 1, -1, -1):
        if index not in kept:
            out.append({"op": "test", "path": f"{path}/{index}", "value": old[index]})
            out.append({"op": "remove", "path": f"{path}/{index}"})
    wanted = {new_index: old_index for old_index, new_index in pairs}
    # What is not in its new place yet stands, in its old order, behind what is. Negated, so that the next is the last.
    waiting = sorted(-old_index for old_index in kept)
    for index, value in enumerate(new):
        item = wanted.get(index)
        if item is None:
            out.append({"op": "add", "path": f"{path}/{index}", "value": value})
        elif waiting[-1] == -item:
            waiting.pop()
        else:
            at = bisect_left(waiting, -item)
            place = index + len(waiting) - 1 - at
            out.append({"op": "move", "from": f"{path}/{place}", "path": f"{path}/{index}"})
            del waiting[at]


def _by_position(old: list[Any], new: list[Any]) -> Pairing:
    """Pair equal items at both ends, and what lies between in order."""
    shorter = min(len(old), len(new))
    head = 0
    while head < shorter and same(old[head], new[head]):
        head += 1
    tail = 0
    while tail < shorter - head and same(old[-1 - tail], new[-1 - tail]):
        tail += 1
    between = shorter - head - tail
    pairs = [(index, index) for index in range(head + between)]
    pairs.extend((len(old) - back, len(new) - back) for back in range(tail, 0, -1))
    return pairs
