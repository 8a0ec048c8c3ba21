"""How large stored values are once they are unpacked, known before anything is unpacked.

A value of a few kilobytes may unpack to many megabytes, so whoever reads many at once bounds them by these sizes.
"""

from __future__ import annotations

from collections.abc import Iterable

import zstandard

from store.compression import MAX_DOCUMENT_BYTES

FRAME_START = 18
"""Bytes of a stored value that hold its frame header (RFC 8878, 3.1.1.1); the SQL that reads headers takes as many."""


def unpacked_size(state: bytes) -> int:
    """The bytes that a stored value, or its first :data:`FRAME_START` bytes, says it unpacks to.

    Of a value whose header is damaged it is the size it has, and never more than anything is unpacked to.
    """
    try:
        stated = zstandard.get_frame_parameters(state).content_size
    except zstandard.ZstdError:
        return len(state)
    return min(stated, MAX_DOCUMENT_BYTES)


def fitting(sizes: Iterable[int], most: int) -> int:
    """How many of the things with these sizes, from the first on, are together no larger than ``most``; at least one.

    Sizes are taken no further than needed. Of nothing, none fit.
    """
    total = count = 0
    for size in sizes:
        total += size
        if count and total > most:
            break
        count += 1
    return count
