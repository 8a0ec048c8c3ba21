"""A bundle's zip is read in one way only: what other programs would find in it otherwise is refused."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.audit.bundle.bundles import Members, Museum, check, members_of, pack

PLAIN = 0o100644 << 16


@dataclass(frozen=True)
class Entry:
    """One file of a zip, stored; ``where`` is its place, ``extra`` stands before the file and in the directory."""

    name: str
    data: bytes
    extra: bytes = b""
    attributes: int = PLAIN
    flags: int = 0
    comment: bytes = b""

    def sizes(self) -> bytes:
        return struct.pack("<III", zlib.crc32(self.data), len(self.data), len(self.data))

    def local(self) -> bytes:
        head = struct.pack("<4sHHHHH", b"PK\3\4", 20, self.flags, 0, 0, 33)
        return head + self.sizes() + struct.pack("<HH", len(self.name), len(self.extra)) + self.tail() + self.data

    def central(self, where: int) -> bytes:
        head = struct.pack("<4sHHHHHH", b"PK\1\2", 0x031E, 20, self.flags, 0, 0, 33)
        lengths = struct.pack(
            "<HHHHHII", len(self.name), len(self.extra), len(self.comment), 0, 0, self.attributes, where
        )
        return head + self.sizes() + lengths + self.tail() + self.comment

    def tail(self) -> bytes:
        return self.name.encode() + self.extra


def laid_out(entries: list[Entry]) -> tuple[bytes, bytes]:
    """The files, and the directory of them."""
    files = directory = b""
    for entry in entries:
        directory += entry.central(len(files))
        files += entry.local()
    return files, directory


def end(entries: int, length: int, begin: int) -> bytes:
    return struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, entries, entries, length, begin, 0)


def zipped(entries: list[Entry]) -> bytes:
    files, directory = laid_out(entries)
    return files + directory + end(len(entries), len(directory), len(files))


def with_hidden_file(entries: list[Entry]) -> bytes:
    """Some programs go from file to file, and find one more than the directory has."""
    files, directory = laid_out(entries)
    files += Entry("report.html", b"forged").local()
    return files + directory + end(len(entries), len(directory), len(files))


def with_two_directories(entries: list[Entry]) -> bytes:
    """The end for large archives leads to one directory, the end for small ones to another."""
    files, genuine = laid_out(entries)
    forged = Entry("report.html", b"forged")
    other = b"".join(
        forged.central(len(files)) if entry.name == forged.name else entry.central(files.index(entry.local()))
        for entry in entries
    )
    files += forged.local()
    begin = len(files) + len(other)
    large = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, len(entries), len(entries), len(genuine), begin)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, begin + len(genuine), 1)
    return files + other + genuine + large + locator + end(len(entries), len(other), len(files))


def with_another_name(entries: list[Entry]) -> bytes:
    real = b"../evil.html"
    said = b"\1" + struct.pack("<I", zlib.crc32(b"report.html")) + real
    extra = struct.pack("<HH", 0x7075, len(said)) + said
    return zipped([replace(each, extra=extra) if each.name == "report.html" else each for each in entries])


def with_a_link(entries: list[Entry]) -> bytes:
    return zipped([replace(each, attributes=0o120777 << 16) if each.name == "README.txt" else each for each in entries])


def with_a_comment(entries: list[Entry]) -> bytes:
    return zipped([replace(entries[0], comment=b"PK\1\2"), *entries[1:]])


def with_another_name_before_the_file(entries: list[Entry]) -> bytes:
    whole = zipped(entries)
    return whole[:30] + whole[30 : 30 + len(entries[0].name)].upper() + whole[30 + len(entries[0].name) :]


def with_sizes_after_the_file(entries: list[Entry]) -> bytes:
    return zipped([replace(entries[0], flags=8), *entries[1:]])


def without_the_last(entries: list[Entry]) -> bytes:
    """A directory that says it has more entries."""
    files, directory = laid_out(entries)
    return files + directory + end(len(entries) + 1, len(directory), len(files))


FORMS: dict[str, Callable[[list[Entry]], bytes]] = {
    "a file that is not in the directory": with_hidden_file,
    "two directories": with_two_directories,
    "another name in a field": with_another_name,
    "a link": with_a_link,
    "a comment": with_a_comment,
    "another name before the file": with_another_name_before_the_file,
    "sizes after the file": with_sizes_after_the_file,
    "another number of entries": without_the_last,
}


def test_the_plain_form_is_read(whole: Members, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(zipped([Entry(name, data) for name, data in whole.items()]))
    assert check(path).status == 0


@pytest.mark.parametrize("form", list(FORMS))
def test_what_could_be_read_in_two_ways_is_refused(whole: Members, tmp_path: Path, form: str) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(FORMS[form]([Entry(name, data) for name, data in whole.items()]))
    verdict = check(path)
    assert verdict.status == 1
    assert "is not packed as bundles are" in verdict.faults or "cannot be read as a zip" in verdict.faults


@pytest.mark.parametrize("limit", [0, 100, 5_000, 10**6])
def test_bundles_too_large_for_the_first_form_of_zip_are_read(
    museum: Museum, tmp_path: Path, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Python writes them beyond 4 GiB, or 65,535 files."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", limit)
    path = museum.bundle().path
    assert (b"PK\6\6" in path.read_bytes()[-98:]) == (limit < 10**6)
    assert check(path).status == 0
    data = bytearray(path.read_bytes())
    if limit < 10**6:
        data[-98 + 40] ^= 1
        path.write_bytes(data)
        assert check(path).status == 1


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
def test_what_is_read_is_what_unzip_finds(whole: Members, tmp_path: Path) -> None:
    path = pack(whole, tmp_path / "bundle.zip")
    assert check(path).status == 0
    subprocess.run(["unzip", "-q", path, "-d", tmp_path / "out"], check=True)
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == members_of(path)
