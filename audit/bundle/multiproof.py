"""One proof that many leaves are in a tree: the roots of the largest complete subtrees between them.

With the leaves themselves they are the whole tree, left to right, so a verifier appends both in turn and compares
the root: it needs O(log n) memory, one hash for every leaf, and no index. Next to a leaf for each of n positions
the proof is empty; for one leaf it is its audit path and, at the right edge, a few hashes more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from projections.ledger.merkle import HashAt


def multiproof(positions: Iterable[int], size: int, hash_at: HashAt) -> Iterator[bytes]:
    """The hashes that lead from the leaves at ``positions`` (from 1, ascending) to the root of ``size`` leaves."""
    reached = 0
    for position in positions:
        yield from _between(reached, position - 1, hash_at)
        reached = position
    yield from _between(reached, size, hash_at)


def _between(start: int, end: int, hash_at: HashAt) -> Iterator[bytes]:
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        yield hash_at(level, start >> level)
        start += 1 << level
