"""What a change means term by term: which leaf values changed, where they stand now, and who set them last.

A *leaf* is a value without members: text, number, true, false, null, or an empty array or object. A
*term* is the path of a leaf without array positions, as in ``ods:hasIdentifications/dwc:typeStatus``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from domain import pointer
from domain.canonical import same
from domain.errors import InvalidPatch
from domain.patch import Patch


class Absent(Enum):
    """Marks a term without value, which is not the same as JSON null."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent.ABSENT


@dataclass(frozen=True)
class TermChange:
    """One changed leaf: its JSON Pointer in the new document (in the old one if it is gone).

    ``was_at`` is its pointer in the old document, None when it was not there.
    """

    pointer: str
    old: Any
    new: Any
    was_at: str | None

    @property
    def term(self) -> str:
        return term_of(self.pointer)


@dataclass(frozen=True)
class Changes:
    """The changed leaves of one patch, and where unchanged leaves moved (old pointer to new)."""

    terms: tuple[TermChange, ...]
    moved: dict[str, str]


@dataclass(eq=False, slots=True)
class _Node:
    """A value in the shadow of a document: the same shape, knowing which version set it.

    ``members`` is None for a text, number, true, false or null; ``was`` is the original leaf that
    this one replaced.
    """

    value: Any
    members: dict[str, _Node] | list[_Node] | None
    version: int
    place: pointer.Path
    was: _Node | None = None


def term_of(json_pointer: str) -> str:
    """The pointer without array positions and leading slash."""
    return "/".join(token for token in pointer.from_text(json_pointer) if not token.isdecimal())


def leaves(document: Any) -> Iterator[tuple[str, Any]]:
    """Every leaf of a document as (JSON Pointer, value), in document order."""
    for path, value in _leaves(document, ()):
        yield pointer.to_text(path), value


def changes(old: Any, patch: Patch) -> Changes:
    """The leaves a patch changes in ``old``, which is only read.

    Give :data:`ABSENT` as ``old`` for the patch that creates a document.
    """
    if old is not ABSENT and not _rearranges(old, patch):
        return Changes(tuple(_direct(patch)), {})
    shadow = None if old is ABSENT else _shadow(old, 0, ())
    originals = [leaf for _, leaf in _shadow_leaves(shadow, ())]
    shadow = _follow(shadow, patch, 1)
    found: list[TermChange] = []
    moved: dict[str, str] = {}
    alive: set[int] = set()
    for path, leaf in _shadow_leaves(shadow, ()):
        before = leaf if leaf.version == 0 else leaf.was
        if before is None:
            found.append(TermChange(pointer.to_text(path), ABSENT, leaf.value, None))
            continue
        alive.add(id(before))
        if leaf is not before and not same(before.value, leaf.value):
            found.append(TermChange(pointer.to_text(path), before.value, leaf.value, pointer.to_text(before.place)))
        elif before.place != path:
            moved[pointer.to_text(before.place)] = pointer.to_text(path)
    for leaf in originals:
        if id(leaf) not in alive:
            place = pointer.to_text(leaf.place)
            found.append(TermChange(place, leaf.value, ABSENT, place))
    return Changes(tuple(found), moved)


def blame(patches: Iterable[tuple[int, Patch]]) -> list[tuple[str, Any, int]]:
    """Every leaf of the last version with the version that last set it: (pointer, value, version).

    ``patches`` are (version, patch) from version 1 on, in order.
    """
    shadow: _Node | None = None
    for version, patch in patches:
        shadow = _follow(shadow, patch, version)
    return [(pointer.to_text(path), leaf.value, leaf.version) for path, leaf in _shadow_leaves(shadow, ())]


def _rearranges(old: Any, patch: Patch) -> bool:
    """Whether a patch shifts array items, or fills or empties a container, so that other leaves are touched too."""
    removals = sum(operation["op"] == "remove" for operation in patch)
    for operation in patch:
        op = operation["op"]
        if op in ("move", "copy"):
            return True
        if op in ("add", "remove"):
            path = pointer.from_text(operation["path"])
            try:
                parent = pointer.resolve(old, path[:-1])
            except InvalidPatch:
                return True
            if not path or not isinstance(parent, dict) or len(parent) <= (removals if op == "remove" else 0):
                return True
    return False


def _direct(patch: Patch) -> Iterator[TermChange]:
    """Changes of a reversible patch that moves nothing, read off its operations."""
    tested: tuple[str, Any] = ("", ABSENT)
    for operation in patch:
        path = operation["path"]
        if operation["op"] == "test":
            tested = (path, operation["value"])
            continue
        old = tested[1] if tested[0] == path else ABSENT
        new = operation.get("value", ABSENT)
        before = {} if old is ABSENT else dict(_leaves(old, pointer.from_text(path)))
        after = {} if new is ABSENT else dict(_leaves(new, pointer.from_text(path)))
        for place in dict.fromkeys([*before, *after]):
            then, now = before.get(place, ABSENT), after.get(place, ABSENT)
            if then is ABSENT or now is ABSENT or not same(then, now):
                where = pointer.to_text(place)
                yield TermChange(where, then, now, None if then is ABSENT else where)


def _leaves(value: Any, path: pointer.Path) -> Iterator[tuple[pointer.Path, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, str(index)))
    else:
        yield path, value


def _shadow(value: Any, version: int, path: pointer.Path) -> _Node:
    if isinstance(value, dict):
        return _Node({}, {key: _shadow(item, version, (*path, key)) for key, item in value.items()}, version, path)
    if isinstance(value, list):
        items = [_shadow(item, version, (*path, str(index))) for index, item in enumerate(value)]
        return _Node([], items, version, path)
    return _Node(value, None, version, path)


def _shadow_leaves(node: _Node | None, path: pointer.Path) -> Iterator[tuple[pointer.Path, _Node]]:
    if node is None:
        return
    if not node.members:
        yield path, node
    elif isinstance(node.members, dict):
        for key, item in node.members.items():
            yield from _shadow_leaves(item, (*path, key))
    else:
        for index, item in enumerate(node.members):
            yield from _shadow_leaves(item, (*path, str(index)))


def _follow(root: _Node | None, patch: Patch, version: int) -> _Node | None:
    """The shadow after a patch that is known to apply; nodes that the patch sets carry ``version``."""
    for operation in patch:
        op = operation["op"]
        if op == "test":
            continue
        path = pointer.from_text(operation["path"])
        if op == "remove":
            _take(root, path, version)
            continue
        if op == "move":
            node = _take(root, pointer.from_text(operation["from"]), version)
        elif op == "copy":
            node = _copied(_node_at(root, pointer.from_text(operation["from"])), version)
        else:
            node = _shadow(operation["value"], version, path)
        if not path:
            root = node
            continue
        parent = _node_at(root, path[:-1])
        if op == "replace" and not node.members:
            replaced = _node_at(root, path)
            if not replaced.members:
                node.was = replaced if replaced.version == 0 else replaced.was
        _put(parent, path[-1], node, replace=op == "replace")
    return root


def _node_at(root: _Node | None, path: pointer.Path) -> _Node:
    node = root
    for token in path:
        members = node.members if node is not None else None
        if isinstance(members, dict):
            node = members[token]
        elif isinstance(members, list):
            node = members[int(token)]
        else:
            raise InvalidPatch(f"nothing at {pointer.to_text(path)}")
    if node is None:
        raise InvalidPatch("there is no document yet")
    return node


def _put(parent: _Node, token: str, node: _Node, *, replace: bool) -> None:
    if isinstance(parent.members, dict):
        parent.members[token] = node
    elif isinstance(parent.members, list):
        index = len(parent.members) if token == "-" else int(token)
        if replace:
            parent.members[index] = node
        else:
            parent.members.insert(index, node)


def _take(root: _Node | None, path: pointer.Path, version: int) -> _Node:
    parent = _node_at(root, path[:-1])
    members = parent.members
    node = members.pop(path[-1]) if isinstance(members, dict) else members.pop(int(path[-1]))  # type: ignore[union-attr]
    if not members:  # an empty container is a leaf, set by whoever emptied it
        parent.members = {} if isinstance(members, dict) else []
        parent.version, parent.was = version, None
    return node


def _copied(node: _Node, version: int) -> _Node:
    members = node.members
    if isinstance(members, dict):
        return _Node({}, {key: _copied(item, version) for key, item in members.items()}, version, ())
    if isinstance(members, list):
        return _Node([], [_copied(item, version) for item in members], version, ())
    return _Node(node.value, None, version, ())
