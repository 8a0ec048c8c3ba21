"""Which item of an array is which: canonical order of sets, and pairing the items of two arrays by identity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from domain.canonical import canonical_bytes
from domain.opends import ITEM_IDENTITY, VALUE_SETS
from domain.patch import copy_of

Key = tuple[Any, ...]
Pairing = list[tuple[int, int]]
"""Pairs (index in the old array, index in the new array); every index occurs at most once."""


def with_sets_in_order(document: Any) -> Any:
    """The document with every array that is a set (``domain.opends``) sorted by item identity.

    Openly unordered arrays then have one order, so that a source listing the same items
    differently makes no change. Other arrays keep their order. Fresh containers are returned.
    """
    ordered = copy_of(document)
    put_sets_in_order(ordered)
    return ordered


def put_sets_in_order(document: Any, name: str | None = None) -> None:
    """Sort the sets in a document, or in what its property ``name`` holds, in place."""
    if isinstance(document, dict):
        for key, item in document.items():
            if type(item) is dict:
                put_sets_in_order(item)
            elif type(item) is list:
                put_sets_in_order(item, key)
    elif isinstance(document, list):
        for item in document:
            if type(item) is dict or type(item) is list:
                put_sets_in_order(item)
        if len(document) > 1:
            _sort(document, name)


def pair_items(name: str | None, old: Sequence[Any], new: Sequence[Any]) -> Pairing | None:
    """Pair the items of two states of the array held by property ``name``.

    Returns None for arrays of which nothing is known: those are compared by position. Items pair
    by equality first, then by the strongest key both have, and what is left in order of standing.
    """
    identity = ITEM_IDENTITY.get(name or "")
    if identity is None and name not in VALUE_SETS:
        return None
    free_old = dict.fromkeys(range(len(old)))
    free_new = dict.fromkeys(range(len(new)))
    pairs: Pairing = []

    def pair_by(old_keys: dict[int, Any], new_keys: dict[int, Any]) -> None:
        waiting: dict[Any, list[int]] = {}
        for index in reversed(old_keys):
            waiting.setdefault(old_keys[index], []).append(index)
        for index, key in new_keys.items():
            if waiting.get(key):
                match = waiting[key].pop()
                pairs.append((match, index))
                del free_old[match], free_new[index]

    pair_by(
        {index: canonical_bytes(old[index]) for index in free_old},
        {index: canonical_bytes(new[index]) for index in free_new},
    )
    if identity is not None:
        for paths in identity.keys:
            if not free_old or not free_new:
                break
            pair_by(_keys(old, free_old, paths), _keys(new, free_new, paths))
        pairs.extend(zip(list(free_old), list(free_new), strict=False))
    return pairs


def _keys(items: Sequence[Any], indexes: dict[int, None], paths: tuple[str, ...]) -> dict[int, Key]:
    """The key of each item that has at least the first of ``paths``."""
    keys = {}
    for index in indexes:
        key = tuple(_value(items[index], path) for path in paths)
        if key[0] is not None:
            keys[index] = key
    return keys


def _value(item: Any, path: str) -> Any:
    """A hashable value at ``path`` in ``item``, or None."""
    value = _at(item, path.split("/"))
    return None if value is None else (type(value).__name__, value)


def _at(item: Any, steps: Iterable[str]) -> Any:
    """The value without members that these steps lead to, or None."""
    for step in steps:
        if isinstance(item, dict):
            item = item.get(step)
        elif isinstance(item, list) and step.isdecimal() and int(step) < len(item):
            item = item[int(step)]
        else:
            return None
    return None if isinstance(item, (dict, list)) else item


def _sort(items: list[Any], name: str | None) -> None:
    if name in VALUE_SETS:
        items.sort(key=canonical_bytes)
        return
    identity = ITEM_IDENTITY.get(name or "")
    if identity is None or identity.ordered:
        return
    keys: list[tuple[Any, ...]] = [()] * len(items)
    for steps in _parts(identity.keys):
        keys = [(*key, _text(item, steps)) for key, item in zip(keys, items, strict=True)]
        if len(set(keys)) == len(keys):  # what follows would decide nothing
            break
    else:
        keys = [(*key, canonical_bytes(item)) for key, item in zip(keys, items, strict=True)]
    items[:] = [items[index] for index in sorted(range(len(items)), key=keys.__getitem__)]


@cache
def _parts(keys: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """The steps to every key part, strongest first; dates come first where a key has one."""
    parts = [path for paths in keys for path in paths]
    dates = [path for path in parts if path.endswith(("Date", "dateIdentified"))]
    return tuple(tuple(path.split("/")) for path in dict.fromkeys(dates + parts))


def _text(item: Any, steps: tuple[str, ...]) -> str:
    """The text of a key part; empty where there is none."""
    value = _at(item, steps)
    return value if type(value) is str else "" if value is None else str(value)
