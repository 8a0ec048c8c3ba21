"""The Merkle tree as RFC 9162 section 2.1 defines it, word for word and as slow: the oracle of these tests."""

from __future__ import annotations

from hashlib import sha256

Leaves = list[bytes]
"""Entries, not hashes."""


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(entries: Leaves) -> bytes:
    """MTH(D_n), section 2.1.1."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    k = split(len(entries))
    return sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m: int, entries: Leaves) -> list[bytes]:
    """PATH(m, D_n), section 2.1.3.1."""
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def proof(m: int, entries: Leaves) -> list[bytes]:
    """PROOF(m, D_n), section 2.1.4.1."""
    return subproof(m, entries, whole=True)


def subproof(m: int, entries: Leaves, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D_n, b), section 2.1.4.1."""
    n = len(entries)
    if m == n:
        return [] if whole else [mth(entries)]
    k = split(n)
    if m <= k:
        return [*subproof(m, entries[:k], whole), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], whole=False), mth(entries[:k])]


def hash_at(entries: Leaves, level: int, index: int) -> bytes:
    """The hash of a complete subtree."""
    start, end = index << level, (index + 1) << level
    assert 0 <= start < end <= len(entries)
    return mth(entries[start:end])
