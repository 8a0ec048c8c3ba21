"""Blocks of an export as they stand in its file: plain, or each a gzip member or a Zstandard frame of its own.

Readers of either take members or frames that follow each other for one (RFC 1952 section 2.2, RFC 8878 section 3.1), so
a file can be gone on with after any of them.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable

import zstandard

BLOCK = 4 * 1024 * 1024
"""A block is closed at the end of the object in which it becomes this long."""

_GZIP_LEVEL, _ZSTD_LEVEL = 4, 3


def _gzip(block: bytes) -> bytes:
    return gzip.compress(block, _GZIP_LEVEL, mtime=0)  # a time would make the same export other bytes


def _zstd(block: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_content_size=True, write_checksum=True).compress(block)


COMPRESSIONS: dict[str | None, Callable[[bytes], bytes]] = {None: bytes, "gzip": _gzip, "zstd": _zstd}
"""Compression name -> what a block becomes."""
