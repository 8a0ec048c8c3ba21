"""The Merkle tree of RFC 6962 and RFC 9162: hashes, the growing right edge, and proofs of inclusion and consistency.

A hash is 32 bytes of SHA-256. The complete subtree at ``(level, index)`` covers the 2^level leaves from
``index * 2^level`` on; every hash a proof consists of is made of such subtrees, so that proofs can be
made from any source that knows them (``HashAt``), tiles for example.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from domain.errors import InvalidProof, RefusedInput

HASH_SIZE = 32
MAX_SIZE = 2**63 - 1
"""Leaves a tree may have: what a PostgreSQL bigint, and the log clients written in Go, can count."""

EMPTY_ROOT = sha256().digest()

HashAt = Callable[[int, int], bytes]
"""From level and index to the hash of the complete subtree there."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf, SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an interior node, SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: the roots of the complete subtrees that its size is the sum of.

    Enough to append and to tell the root, in O(log n) memory. ``hashes`` has one hash for every bit
    set in ``size``, the largest subtree first.
    """

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """An empty tree, or one to continue. Raises :class:`RefusedInput` if the hashes do not fit the size."""
        self._size = size
        self._hashes = list(hashes)
        if not 0 <= size <= MAX_SIZE or len(self._hashes) != size.bit_count():
            raise RefusedInput(f"{len(self._hashes)} hashes are not the right edge of a tree of {size} leaves")
        for subtree in self._hashes:
            _require_hash(subtree)

    @classmethod
    def read(cls, size: int, hash_at: HashAt) -> Frontier:
        """The right edge of the tree of the first ``size`` leaves."""
        return cls(size, _complete_subtrees(0, size, hash_at))

    @property
    def size(self) -> int:
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Add one leaf, given its hash."""
        if len(leaf) != HASH_SIZE:
            _require_hash(leaf)
        merged = self._size
        hashes = self._hashes
        while merged & 1:
            leaf = node_hash(hashes.pop(), leaf)
            merged >>= 1
        hashes.append(leaf)
        self._size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaves in order, given their hashes."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """The Merkle tree hash of everything appended; of nothing, the hash of the empty string."""
        return _fold(self._hashes) if self._hashes else EMPTY_ROOT


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The Merkle tree hash of leaves given by their hashes, in order."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


def root_at(size: int, hash_at: HashAt) -> bytes:
    """The Merkle tree hash of the first ``size`` leaves."""
    return Frontier.read(size, hash_at).root()


def inclusion_proof(index: int, size: int, hash_at: HashAt) -> list[bytes]:
    """The audit path of leaf ``index`` (from 0) in the tree of the first ``size`` leaves, lowest first.

    RFC 9162 section 2.1.3.1. Raises :class:`RefusedInput` when there is no such leaf.
    """
    _require_leaf(index, size)
    start, end = 0, size
    path: list[bytes] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_subtree_hash(middle, end, hash_at))
            end = middle
        else:
            path.append(_subtree_hash(start, middle, hash_at))
            start = middle
    return path[::-1]


def consistency_proof(size1: int, size2: int, hash_at: HashAt) -> list[bytes]:
    """What proves that the tree of ``size1`` leaves is the beginning of that of ``size2``; lowest first.

    RFC 9162 section 2.1.4.1. Empty when the sizes are equal. Raises :class:`RefusedInput` unless
    1 <= size1 <= size2: from the empty tree everything follows, so there is nothing to prove.
    """
    if not 1 <= size1 <= size2 <= MAX_SIZE:
        raise RefusedInput(f"there is no consistency proof from {size1} to {size2} leaves; give 1 <= from <= to")
    start, end = 0, size2
    known = True  # whether the subtree left over is the old tree itself, whose root the verifier has
    path: list[bytes] = []
    while size1 != end:
        middle = start + _split(end - start)
        if size1 <= middle:
            path.append(_subtree_hash(middle, end, hash_at))
            end = middle
        else:
            path.append(_subtree_hash(start, middle, hash_at))
            start = middle
            known = False
    if not known:
        path.append(_subtree_hash(start, end, hash_at))
    return path[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to; RFC 9162 section 2.1.3.2 without the last comparison.

    Raises :class:`InvalidProof` when index, size, a hash or the proof's length cannot be right.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise InvalidProof(f"a tree of {size} leaves has no leaf {index}")
    inner = (index ^ (size - 1)).bit_length()
    if len(proof) != inner + (index >> inner).bit_count():
        raise InvalidProof(f"{len(proof)} hashes are not the proof of leaf {index} among {size}")
    _require_hashes((leaf, *proof))
    digest = leaf
    for level in range(inner):
        sibling = proof[level]
        digest = node_hash(sibling, digest) if index >> level & 1 else node_hash(digest, sibling)
    for sibling in proof[inner:]:
        digest = node_hash(sibling, digest)
    return digest


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf with this hash stands at ``index`` in the tree of ``size`` leaves with this root.

    Raises :class:`InvalidProof` otherwise.
    """
    _require_hashes((root,))
    if root_from_inclusion(leaf, index, size, proof) != root:
        raise InvalidProof(f"the proof of leaf {index} among {size} leads to another root")


def verify_consistency(size1: int, root1: bytes, size2: int, root2: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of ``size1`` leaves is the beginning of the tree of ``size2`` leaves.

    RFC 9162 section 2.1.4.2. Raises :class:`InvalidProof` otherwise, also for ``size1`` 0, which proves nothing.
    """
    if not 1 <= size1 <= size2 <= MAX_SIZE:
        raise InvalidProof(f"nothing proves {size2} leaves to continue {size1}")
    _require_hashes((root1, root2, *proof))
    if size1 == size2:
        if proof or root1 != root2:
            raise InvalidProof(f"two trees of {size1} leaves differ" if not proof else "a proof between equal sizes")
        return
    step, last = size1 - 1, size2 - 1
    while step & 1:  # the old tree's last complete subtree, from which both roots are built
        step >>= 1
        last >>= 1
    hashes = iter(proof if step else (root1, *proof))
    old = new = next(hashes, b"")
    for sibling in hashes:
        if last == 0:
            raise InvalidProof(f"the proof from {size1} to {size2} leaves is too long")
        if step & 1 or step == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while step and not step & 1:
                step >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        step >>= 1
        last >>= 1
    if last != 0 or not new:
        raise InvalidProof(f"the proof from {size1} to {size2} leaves is too short")
    if old != root1:
        raise InvalidProof(f"the proof from {size1} to {size2} leaves leads to another root of the smaller tree")
    if new != root2:
        raise InvalidProof(f"the proof from {size1} to {size2} leaves leads to another root of the larger tree")


def _split(width: int) -> int:
    """The largest power of two below ``width``."""
    return 1 << (width - 1).bit_length() - 1


def _complete_subtrees(start: int, end: int, hash_at: HashAt) -> list[bytes]:
    """The complete subtrees that leaves ``start`` to ``end`` consist of, largest first.

    ``start`` must be a multiple of the smallest power of two not below ``end - start``.
    """
    found: list[bytes] = []
    for level in reversed(range((end - start).bit_length())):
        if end - start >> level & 1:
            found.append(hash_at(level, start >> level))
            start += 1 << level
    return found


def _subtree_hash(start: int, end: int, hash_at: HashAt) -> bytes:
    return _fold(_complete_subtrees(start, end, hash_at))


def _fold(subtrees: Sequence[bytes]) -> bytes:
    digest = subtrees[-1]
    for left in subtrees[-2::-1]:
        digest = node_hash(left, digest)
    return digest


def _require_leaf(index: int, size: int) -> None:
    if not 0 <= index < size <= MAX_SIZE:
        raise RefusedInput(f"a tree of {size} leaves has no leaf {index}")


def _require_hash(value: bytes) -> None:
    if len(value) != HASH_SIZE:
        raise RefusedInput(f"a hash has {HASH_SIZE} bytes, not {len(value)}")


def _require_hashes(values: Iterable[bytes]) -> None:
    for value in values:
        if len(value) != HASH_SIZE:
            raise InvalidProof(f"a hash of the proof has {len(value)} bytes instead of {HASH_SIZE}")
