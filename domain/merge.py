"""Three-way merge: what a source changed since its last statement, brought into what curators made of it since."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain import pointer
from domain.canonical import same
from domain.identity import pair_items
from domain.terms import ABSENT


class Prefer(StrEnum):
    """Who wins where source and curation changed the same term."""

    CURATED = "curated"
    SOURCE = "source"


@dataclass(frozen=True)
class MergeConflict:
    """A term both sides changed: its pointer, the common past, and the two values (ABSENT if removed)."""

    pointer: str
    base: Any
    source: Any
    curated: Any
    kept: Prefer


def merge(base: Any, source: Any, curated: Any, prefer: Prefer = Prefer.CURATED) -> tuple[Any, list[MergeConflict]]:
    """``curated`` with the changes from ``base`` to ``source`` applied.

    Args:
        base: what the source said last time; source: what it says now; curated: the current
            document. All in normal form with sets in order (``domain.identity``).
        prefer: the rule for terms that both sides changed differently.

    Returns the merged document (containers may be shared with the inputs: read-only) and the
    conflicts in document order. Items of sets that are new keep the source's order after the rest,
    so bring sets in order again before storing.
    """
    conflicts: list[MergeConflict] = []
    merged = _Merger(prefer, conflicts).merge(base, source, curated, (), None)
    return merged, conflicts


class _Merger:
    def __init__(self, prefer: Prefer, conflicts: list[MergeConflict]) -> None:
        self._prefer = prefer
        self._conflicts = conflicts

    def merge(self, base: Any, source: Any, curated: Any, path: pointer.Path, name: str | None) -> Any:
        if _equal(source, curated) or _equal(base, source):
            return curated
        if _equal(base, curated):
            return source
        if isinstance(source, dict) and isinstance(curated, dict):
            return self._objects(base if isinstance(base, dict) else {}, source, curated, path)
        if isinstance(source, list) and isinstance(curated, list):
            merged = self._arrays(base if isinstance(base, list) else [], source, curated, path, name)
            if merged is not None:
                return merged
        self._conflicts.append(MergeConflict(pointer.to_text(path), base, source, curated, self._prefer))
        return curated if self._prefer is Prefer.CURATED else source

    def _objects(
        self, base: dict[str, Any], source: dict[str, Any], curated: dict[str, Any], path: pointer.Path
    ) -> dict[str, Any]:
        merged = {}
        for key in dict.fromkeys([*curated, *source]):
            value = self.merge(
                base.get(key, ABSENT), source.get(key, ABSENT), curated.get(key, ABSENT), (*path, key), key
            )
            if value is not ABSENT:
                merged[key] = value
        return merged

    def _arrays(
        self, base: list[Any], source: list[Any], curated: list[Any], path: pointer.Path, name: str | None
    ) -> list[Any] | None:
        """Merge item by item, or None when the items of this array cannot be told apart."""
        to_source = pair_items(name, base, source)
        to_curated = pair_items(name, base, curated)
        if to_source is None or to_curated is None:
            return None
        in_source = dict(to_source)
        base_of_curated = {now: then for then, now in to_curated}
        removed_by_curator = [index for index in range(len(base)) if index not in dict(to_curated)]
        added_by_source = [index for index in range(len(source)) if index not in set(in_source.values())]
        added_by_curator = [index for index in range(len(curated)) if index not in base_of_curated]
        both_added = pair_items(
            name, [curated[index] for index in added_by_curator], [source[index] for index in added_by_source]
        )
        twins = {added_by_curator[mine]: added_by_source[theirs] for mine, theirs in both_added or []}

        merged = []
        for index, item in enumerate(curated):
            there = (*path, str(index))
            if index in base_of_curated:
                then = base_of_curated[index]
                now = source[in_source[then]] if then in in_source else ABSENT
                item = self.merge(base[then], now, item, there, None)
            elif index in twins:
                item = self.merge(ABSENT, source[twins[index]], item, there, None)
            if item is not ABSENT:
                merged.append(item)
        for then in removed_by_curator:
            if then in in_source:
                item = self.merge(base[then], source[in_source[then]], ABSENT, (*path, "-"), None)
                if item is not ABSENT:
                    merged.append(item)
        merged.extend(source[index] for index in added_by_source if index not in set(twins.values()))
        return merged


def _equal(a: Any, b: Any) -> bool:
    if a is ABSENT or b is ABSENT:
        return a is b
    return same(a, b)
