"""The zip of a bundle: members written as they are made, hashed on the way, complete or not there at all."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

BUFFER = 1 << 18
EARLIEST = 1980
"""The first year a zip can tell."""


@dataclass(frozen=True)
class Written:
    """A member that was written: its name, its size in bytes and its SHA-256 (hex)."""

    name: str
    size: int
    digest: str


class Archive:
    """A zip being written; see :func:`creating`."""

    def __init__(self, zip_file: zipfile.ZipFile, made: datetime) -> None:
        self._zip = zip_file
        self._made = made
        self.written: list[Written] = []

    def add(self, name: str, parts: Iterable[bytes]) -> Written:
        """Write a member of any size from its parts."""
        info = zipfile.ZipInfo(name, (max(self._made.year, EARLIEST), *self._made.timetuple()[1:6]))
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o100644 << 16
        hashed, size = sha256(), 0
        with self._zip.open(info, "w", force_zip64=True) as member:
            for chunk in _gathered(parts):
                hashed.update(chunk)
                size += len(chunk)
                member.write(chunk)
        self.written.append(Written(name, size, hashed.hexdigest()))
        return self.written[-1]


@contextmanager
def creating(path: Path, made: datetime) -> Iterator[Archive]:
    """An archive that takes its place when the block ends well; after an error nothing is left."""
    number, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(number, "wb") as stream:
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as zip_file:
                yield Archive(zip_file, made)
            stream.flush()
            os.fsync(stream.fileno())
        beside.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        beside.replace(path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _gathered(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces worth compressing at once."""
    gathered: list[bytes] = []
    length = 0
    for part in parts:
        gathered.append(part)
        length += len(part)
        if length >= BUFFER:
            yield b"".join(gathered)
            gathered, length = [], 0
    if gathered:
        yield b"".join(gathered)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
