"""openDS documents from a JSON file: one object, an array, JSON Lines, or a page of a JSON:API."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from domain.canonical import parse
from domain.errors import InvalidArchive, InvalidDocument, UnrepresentableJson
from sources.records import Malformed, SourceMetadata

Json = dict[str, Any]

LONGEST_LINE = 32 << 20
"""Bytes of a line of JSON Lines; a longer one is not read."""

LARGEST_TEXT = 128 << 20
"""Bytes of a JSON text that has to be read whole; a larger one is refused."""

_BLOCK = 1 << 20
_BOM = b"\xef\xbb\xbf"
_LINE_SUFFIXES = frozenset({".jsonl", ".ndjson"})
_SPACE = re.compile(r"[ \t\r\n]*")

# Finds where a value ends, and builds as little as it can: what the value says is for domain.canonical to read.
_SKIMMER = json.JSONDecoder(
    object_pairs_hook=lambda _: None, parse_int=len, parse_float=len, parse_constant=len, strict=False
)


@dataclass(frozen=True)
class OpenDSRecord:
    """One document and where it stands: ``file:12`` (line) or ``file#/data/3/attributes`` (JSON Pointer)."""

    place: str
    document: Json


class OpenDSFile:
    """An openDS JSON file, opened for reading; iterating gives documents and malformed ones in file order.

    JSON Lines is streamed, in lines of at most :data:`LONGEST_LINE`; the other forms are read whole, up to
    :data:`LARGEST_TEXT`. Every document is parsed on its own by :func:`domain.canonical.parse`, so one that cannot be
    kept exactly does not take the rest with it.
    """

    def __init__(self, path: Path, stream: BinaryIO, metadata: SourceMetadata) -> None:
        self.metadata = metadata
        self._path = path
        self._stream = stream

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a UTF-8 file (RFC 8259; a byte order mark is allowed).

        Raises :class:`InvalidArchive` when it cannot be read or holds nothing.
        """
        path = Path(path)
        if path.exists() and not path.is_file():
            raise InvalidArchive(f"{path} is not a file of JSON; give a regular file")
        try:
            stream = path.open("rb")
        except OSError as error:
            raise InvalidArchive(f"{path} cannot be read: {error.strerror}") from None
        try:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            start = stream.read(1 << 16)
        except OSError as error:
            stream.close()
            raise InvalidArchive(f"{path} cannot be read: {error.strerror}") from None
        if not start.removeprefix(_BOM).strip():
            stream.close()
            raise InvalidArchive(f"{path} holds no JSON")
        return cls(path, stream, SourceMetadata(digest))

    def __iter__(self) -> Iterator[OpenDSRecord | Malformed]:
        """Documents in file order, from the start each time.

        Raises :class:`InvalidArchive` when the file is not UTF-8 text, or too large for a form that is read whole.
        """
        if self._is_lines():
            return self._lines()
        self._stream.seek(0)
        content = self._stream.read(LARGEST_TEXT + 1)
        if len(content) > LARGEST_TEXT:
            raise InvalidArchive(
                f"{self._path} is one JSON text of more than {LARGEST_TEXT} bytes, which would have to be read whole; "
                "write it as JSON Lines, one document a line, in a file named .jsonl"
            )
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidArchive(f"{self._path} is not UTF-8 text: byte {error.start} cannot be decoded") from None
        return self._whole(text)

    def _whole(self, text: str) -> Iterator[OpenDSRecord | Malformed]:
        """The documents of one JSON text, which must be JSON from its beginning."""
        found = _documents(text, self._path.name)
        first = next(found, None)
        if isinstance(first, Malformed) and first.place == self._path.name and first.reason.startswith(_NOT_JSON):
            raise InvalidArchive(f"{self._path}: {first.reason}")
        if first is not None:
            yield first
        yield from found

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _is_lines(self) -> bool:
        """JSON Lines by name, or because the first line is a whole value, or the second starts another object."""
        if self._path.suffix.lower() in _LINE_SUFFIXES:
            return True
        filled = (line for line in self._bounded_lines() if line.strip())
        first, second = next(filled, b"").removeprefix(_BOM).lstrip(), next(filled, b"")
        if not first.startswith(b"{") or not second:
            return False
        if second.startswith(b"{"):
            return True
        try:
            text = first.decode()
            return not text[_end(text, 0) :].strip()
        except ValueError:
            return False

    def _bounded_lines(self) -> Iterator[bytes]:
        """The lines from the start; of one that is too long only the beginning, which is longer than any other line."""
        self._stream.seek(0)
        while line := self._stream.readline(LONGEST_LINE + 1):
            yield line
            rest = line
            while len(line) > LONGEST_LINE and rest and not rest.endswith(b"\n"):
                rest = self._stream.readline(_BLOCK)

    def _lines(self) -> Iterator[OpenDSRecord | Malformed]:
        for number, line in enumerate(self._bounded_lines(), 1):
            place = f"{self._path.name}:{number}"
            if len(line) > LONGEST_LINE:
                yield Malformed(place, f"a line of more than {LONGEST_LINE} bytes, which is not read")
                continue
            try:
                text = (line.removeprefix(_BOM) if number == 1 else line).decode().strip()
            except UnicodeDecodeError as error:
                yield Malformed(place, f"not UTF-8 text: byte {error.start} of the line cannot be decoded")
                continue
            if text:
                yield from _documents(text, place)


def natural_key(document: Json) -> str:
    """What the document's object is called in its source.

    A specimen: ``ods:physicalSpecimenID``, else ``ods:normalisedPhysicalSpecimenID``; a media item:
    ``ac:accessURI``; anything else: ``dcterms:identifier``, ``schema:identifier`` or ``@id``.
    Raises :class:`InvalidDocument` when it has none of them as a text.
    """
    kind = document.get("@type")
    terms = _KEYS.get(kind, _OTHER_KEYS) if isinstance(kind, str) else _OTHER_KEYS
    for term in terms:
        value = document.get(term)
        if isinstance(value, str) and value.strip():
            return value
    raise InvalidDocument(f"{kind or 'the document'} has no {' or '.join(terms)}, so it cannot be told from others")


_KEYS = {
    "ods:DigitalSpecimen": ("ods:physicalSpecimenID", "ods:normalisedPhysicalSpecimenID"),
    "ods:DigitalMedia": ("ac:accessURI",),
}
_NOT_JSON = "not JSON"
_OTHER_KEYS = ("dcterms:identifier", "schema:identifier", "@id")


def _documents(text: str, place: str) -> Iterator[OpenDSRecord | Malformed]:
    """The documents of one JSON text."""
    start = _skip(text, 0)
    try:
        if text.startswith("[", start):
            end = yield from _elements(text, start, place + "#")
        else:
            end = _end(text, start)
            yield from _object(text, start, end, place + "#")
    except ValueError as error:
        yield Malformed(place, f"{_NOT_JSON}, and nothing after it can be read: {error}")
    else:
        if text[end:].strip():
            yield Malformed(place, f"more text after the end of the JSON value, from character {end}; it is not read")


def _elements(
    text: str, start: int, pointer: str, *, of_page: bool = False
) -> Generator[OpenDSRecord | Malformed, None, int]:
    """The documents of the array that starts here; returns where it ends."""
    number = 0
    at = _skip(text, start + 1)
    while not text.startswith("]", at):
        if number:
            at = _skip(text, _expect(text, at, ","))
        end = _end(text, at)
        yield from _object(text, at, end, f"{pointer}/{number}", of_page=of_page)
        number += 1
        at = _skip(text, end)
    return at + 1


def _object(
    text: str, start: int, end: int, pointer: str, *, of_page: bool = False
) -> Iterator[OpenDSRecord | Malformed]:
    """An openDS document, or the documents inside a JSON:API page or resource."""
    found = list(_members(text, start)) if text.startswith("{", start) else []
    members = {name: span for name, *span in found}
    if len(members) != len(found):
        yield Malformed(pointer.removesuffix("#"), "a member occurs twice in one object")
        return
    if "@type" not in members and "attributes" in members:
        start, end = members["attributes"]
        yield _record(text[start:end], f"{pointer}/attributes")
    elif "@type" not in members and "data" in members and not of_page:
        start, end = members["data"]
        if text.startswith("[", start):
            yield from _elements(text, start, f"{pointer}/data", of_page=True)
        else:
            yield from _object(text, start, end, f"{pointer}/data", of_page=True)
    else:
        yield _record(text[start:end], pointer.removesuffix("#"))


def _record(text: str, place: str) -> OpenDSRecord | Malformed:
    try:
        document = parse(text)
    except UnrepresentableJson as error:
        return Malformed(place, str(error))
    if not isinstance(document, dict):
        return Malformed(place, "not a JSON object")
    return OpenDSRecord(place, document)


def _members(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """Name, start and end of the value of every member of the object that starts here."""
    at = _skip(text, start + 1)
    while not text.startswith("}", at):
        name, end = _SKIMMER.raw_decode(text, at)
        at = _skip(text, _expect(text, _skip(text, end), ":"))
        end = _end(text, at)
        yield name, at, end
        at = _skip(text, end)
        if not text.startswith("}", at):
            at = _skip(text, _expect(text, at, ","))


def _end(text: str, start: int) -> int:
    """Where the value that starts here ends; raises :class:`ValueError` when it is no JSON."""
    try:
        return _SKIMMER.raw_decode(text, start)[1]
    except RecursionError:
        raise ValueError(f"nested too deep at character {start}") from None


def _skip(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return found.end() if found else start


def _expect(text: str, at: int, character: str) -> int:
    if not text.startswith(character, at):
        raise ValueError(f"expected {character} at character {at}")
    return at + 1
