"""Reading the files of an archive, zipped or in a folder, that a stranger may have made.

Nothing is ever extracted: members are streamed, and every name, size and link is checked before and while it is read.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import struct
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from domain.errors import InvalidArchive

BLOCK = 1 << 20
_T = TypeVar("_T")
_RATIO_MATTERS_FROM = 16 << 20
_LOCAL_HEADER = 30
_TEXT_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt"})
_LONGEST_NAME = 1000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_NOT_OURS = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\._)")
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)


@dataclass(frozen=True)
class Limits:
    """How much an archive may ask for. The defaults are meant never to stop an honest one.

    ``total_bytes``             all members together, unpacked
    ``compression_ratio``       unpacked to packed size, of a member and of a whole zip, from 16 MiB on (real tables:
                                about 10)
    ``members``                 files in the zip or folder
    ``meta_bytes``              size of ``meta.xml``
    ``eml_bytes``               size of the EML document
    ``record_chars``            one row, with all lines its quoted cells span
    ``record_extension_bytes``  all extension rows of one core row together
    """

    total_bytes: int = 64 << 30
    compression_ratio: int = 400
    members: int = 10_000
    meta_bytes: int = 4 << 20
    eml_bytes: int = 4 << 20
    record_chars: int = 16 << 20
    record_extension_bytes: int = 256 << 20


class ArchiveFiles(ABC):
    """The files of one archive by name; names are relative to the folder of ``meta.xml`` and use ``/``."""

    names: frozenset[str]

    @abstractmethod
    def size(self, name: str) -> int:
        """Unpacked size in bytes, as declared."""

    @abstractmethod
    def chunks(self, name: str) -> Generator[bytes, None, None]:
        """The content in blocks of at most 1 MiB. Raises :class:`InvalidArchive` when it is damaged or too large."""

    @abstractmethod
    def sha256(self, belonging: Iterable[str]) -> str:
        """SHA-256 (hex) of the whole: of the zip's bytes, or for a folder of the ``belonging`` files (see there)."""

    @abstractmethod
    def close(self) -> None:
        """Release what is open; may be called twice."""

    def read(self, name: str, at_most: int) -> bytes:
        """The whole content of a small file; refused when larger than ``at_most`` bytes."""
        content = bytearray()
        for chunk in self.chunks(name):
            content += chunk
            if len(content) > at_most:
                raise InvalidArchive(f"{name} is larger than {at_most} bytes; raise the limit if it is meant to be")
        return bytes(content)

    def resolve(self, location: str, where: str) -> str:
        """The name a relative ``location`` means, letter case forgiven; ``where`` says who asks, for the message."""
        name = relative_name(location, where)
        if name in self.names:
            return name
        alike = [held for held in self.names if held.casefold() == name.casefold()]
        if len(alike) == 1:
            return alike[0]
        held = ", ".join(sorted(self.names)[:10])
        raise InvalidArchive(f"{where} names the file {name!r}, which the archive does not hold; it holds {held}")


class ZipFiles(ArchiveFiles):
    """A zip file, held open so that what is hashed is what is read."""

    def __init__(self, path: Path, limits: Limits) -> None:
        # The list of members is read in one piece, and its entries cost far more memory than bytes.
        self._file = _CappedReads(io.FileIO(path), max(BLOCK, 1024 * limits.members))
        try:
            self._zip = zipfile.ZipFile(self._file)
            members = _checked_members(self._zip.infolist(), self._file.seek(0, os.SEEK_END), limits)
            self._members = _below_meta(members)
        except _DAMAGE as error:
            self._file.close()
            raise InvalidArchive(f"not a readable zip file ({error}); download or write it again") from error
        except BaseException:
            self._file.close()
            raise
        self.names = frozenset(self._members)

    def size(self, name: str) -> int:
        return self._members[name].file_size

    def chunks(self, name: str) -> Generator[bytes, None, None]:
        info = self._members[name]
        count = 0
        try:
            with self._zip.open(info) as stream:
                while block := stream.read(BLOCK):
                    count += len(block)
                    if count > info.file_size:
                        break
                    yield block
        except _DAMAGE as error:
            raise InvalidArchive(f"{name} is damaged ({error}); download or write the archive again") from error
        if count != info.file_size:
            raise InvalidArchive(
                f"{name} does not unpack to the {info.file_size} bytes the zip declares; do not trust it"
            )

    def sha256(self, belonging: Iterable[str]) -> str:  # noqa: ARG002 - a zip is one file and hashed as such
        digest = hashlib.sha256()
        self._file.seek(0)
        while block := self._file.read(BLOCK):
            digest.update(block)
        return digest.hexdigest()

    def close(self) -> None:
        self._zip.close()
        self._file.close()


class FolderFiles(ArchiveFiles):
    """An unpacked archive. Symbolic links in it are never followed."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._limits = limits
        found: dict[str, Path] = {}
        for folder, _, files in os.walk(path):
            for file in files:
                full = Path(folder, file)
                found[full.relative_to(path).as_posix()] = full
            if len(found) > limits.members:
                raise InvalidArchive(
                    f"the folder holds more than {limits.members} files; name the archive's own folder"
                )
        self._paths = _below_meta(found)
        self.names = frozenset(self._paths)

    def size(self, name: str) -> int:
        return self._paths[name].lstat().st_size

    def chunks(self, name: str) -> Generator[bytes, None, None]:
        path = self._paths[name]
        if not stat.S_ISREG(path.lstat().st_mode):
            raise InvalidArchive(f"{name} is a link or no regular file; put the file itself in the folder")
        count = 0
        with path.open("rb") as stream:
            while block := stream.read(BLOCK):
                count += len(block)
                if count > self._limits.total_bytes:
                    raise InvalidArchive(
                        f"{name} exceeds {self._limits.total_bytes} bytes; raise the limit or split it"
                    )
                yield block

    def sha256(self, belonging: Iterable[str]) -> str:
        """The digest of the text that ``sha256sum`` prints for the ``belonging`` files in order of their names."""
        listing = hashlib.sha256()
        total = 0
        for name in sorted(set(belonging)):
            digest = hashlib.sha256()
            for block in self.chunks(name):
                total += len(block)
                digest.update(block)
            if total > self._limits.total_bytes:
                raise InvalidArchive(
                    f"the files exceed {self._limits.total_bytes} bytes; raise the limit or split them"
                )
            listing.update(f"{digest.hexdigest()}  {name}\n".encode())
        return listing.hexdigest()

    def close(self) -> None:
        """Nothing stays open between reads."""


class LoneFile(ArchiveFiles):
    """A text file that stands alone, held open so that what is hashed is what is read."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._limits = limits
        self._stream = path.open("rb")
        self.names = frozenset([path.name])

    def size(self, name: str) -> int:  # noqa: ARG002 - there is but one
        return os.fstat(self._stream.fileno()).st_size

    def chunks(self, name: str) -> Generator[bytes, None, None]:
        at = 0
        while block := os.pread(self._stream.fileno(), BLOCK, at):
            at += len(block)
            if at > self._limits.total_bytes:
                raise InvalidArchive(f"{name} exceeds {self._limits.total_bytes} bytes; raise the limit or split it")
            yield block

    def sha256(self, belonging: Iterable[str]) -> str:
        digest = hashlib.sha256()
        for name in belonging:
            for block in self.chunks(name):
                digest.update(block)
        return digest.hexdigest()

    def close(self) -> None:
        self._stream.close()


def open_files(path: Path, limits: Limits) -> ArchiveFiles:
    """Open a zip file, a folder, or a lone text file of Simple Darwin Core.

    Raises :class:`InvalidArchive` for anything else and for anything hostile.
    """
    if path.is_dir():
        return FolderFiles(path, limits)
    if not path.is_file():
        raise InvalidArchive("there is no such file or folder; check the path")
    if path.suffix.lower() in _TEXT_SUFFIXES:
        return LoneFile(path, limits)
    return ZipFiles(path, limits)


def relative_name(location: str, where: str) -> str:
    """Check that a location stays inside the archive and write it plainly: ``./data//a.txt`` -> ``data/a.txt``."""
    text = location.strip()
    shown = repr(text[:200])
    if _SCHEME.match(text):
        raise InvalidArchive(
            f"{where} points to {shown}, and nothing outside the archive is read; put the file into it"
        )
    parts = text.split("/")
    unsafe = text.startswith("/") or ".." in parts or "\\" in text or _CONTROL.search(text)
    if unsafe or len(text) > _LONGEST_NAME:
        raise InvalidArchive(f"{where} has the unsafe path {shown}; use a short path below meta.xml, written with /")
    return "/".join(part for part in parts if part not in ("", "."))


class _CappedReads(io.BufferedReader):
    def __init__(self, raw: io.FileIO, at_most: int) -> None:
        super().__init__(raw)
        self._at_most = at_most

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._at_most:
            raise InvalidArchive("the zip lists too many members; raise the limit if it is meant to be so large")
        return super().read(size)


def _checked_members(infos: list[zipfile.ZipInfo], zip_bytes: int, limits: Limits) -> dict[str, zipfile.ZipInfo]:
    if len(infos) > limits.members:
        raise InvalidArchive(f"the zip has {len(infos)} members, more than {limits.members}; raise the limit if meant")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        _check_member(info, limits)
        name = relative_name(info.orig_filename, "a member of the zip")
        if name in members:
            raise InvalidArchive(f"the zip holds {name!r} twice; remove the one that is not meant")
        members[name] = info
    if (total := sum(info.file_size for info in infos)) > limits.total_bytes:
        raise InvalidArchive(
            f"the zip unpacks to {total} bytes, more than {limits.total_bytes}; raise the limit if meant"
        )
    # Any number of members may each be too small for a ratio of its own.
    if total >= _RATIO_MATTERS_FROM and total > limits.compression_ratio * zip_bytes:
        raise InvalidArchive(f"the zip unpacks to over {limits.compression_ratio} times its size; do not trust it")
    # Members that share bytes are how the densest zip bombs are made.
    ordered = sorted(infos, key=lambda info: info.header_offset)
    ends = [info.header_offset + _LOCAL_HEADER + info.compress_size for info in ordered]
    starts = [info.header_offset for info in ordered] + [zip_bytes]
    if any(end > start for end, start in zip(ends, starts[1:], strict=True)) or starts[0] < 0:
        raise InvalidArchive("members of the zip overlap; do not trust it")
    return {name: info for name, info in members.items() if name and not info.orig_filename.endswith("/")}


def _check_member(info: zipfile.ZipInfo, limits: Limits) -> None:
    name = info.orig_filename
    if info.flag_bits & 0x1:
        raise InvalidArchive(f"{name!r} is encrypted; write the zip without a password")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise InvalidArchive(f"{name!r} is a symbolic link; put the file itself into the zip")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # The other methods unpack a block of any size at once, which no limit could stop in time.
        raise InvalidArchive(f"{name!r} is packed by method {info.compress_type}; write the zip with deflate")
    if info.file_size >= _RATIO_MATTERS_FROM and info.file_size > limits.compression_ratio * info.compress_size:
        raise InvalidArchive(f"{name!r} unpacks to over {limits.compression_ratio} times its size; do not trust it")


def _below_meta(files: dict[str, _T]) -> dict[str, _T]:
    """The files by name relative to ``meta.xml``, which stands at the top or in one folder; all if there is none."""
    ours = {name: held for name, held in files.items() if not _NOT_OURS.search(name)}
    metas = [name for name in ours if name.rpartition("/")[2] == "meta.xml" and name.count("/") <= 1]
    if "meta.xml" in metas or not metas:
        return ours
    if len(metas) > 1:
        raise InvalidArchive(f"there are several archives in one: {', '.join(sorted(metas)[:5])}; give them one by one")
    root = metas[0].removesuffix("meta.xml")
    return {name.removeprefix(root): held for name, held in ours.items() if name.startswith(root)}
