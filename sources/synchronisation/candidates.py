"""From what a reader yields to what synchronisation compares: keyed documents with digests of what was read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson

from domain.canonical import parse
from domain.errors import InvalidArchive, ProvenariumError
from domain.opends import OBJECT_TYPES, computed_terms
from sources.darwin_core.archive import DarwinCoreArchive
from sources.darwin_core.terms import SPECIMEN_ROWS
from sources.mapping.fields import Notice
from sources.mapping.mapping import Mapping, SourceSettings
from sources.opends_json import OpenDSFile, natural_key
from sources.records import ArchiveRecord, Malformed, SourceMetadata

Json = dict[str, Any]

SPECIMEN = "ods:DigitalSpecimen"
MEDIA = "ods:DigitalMedia"

USUAL_ROWS = 10_000
"""Bytes of the rows of a record that is no larger than usual; mapped, it is several times as large."""

USUAL_DOCUMENT = 50_000
"""Bytes of an openDS document that is no larger than usual."""


@dataclass(frozen=True)
class Unread:
    """A record before mapping: its place, the source's own id, and the SHA-256 of all its mapping uses.

    ``weight`` is its size in records of usual size.
    """

    place: str
    record_id: str
    record_digest: bytes
    content: Any = field(repr=False)
    weight: int = 1


@dataclass(frozen=True)
class Candidate:
    """A record after mapping.

    ``media`` are (natural key, document); ``notices`` and ``parked_media`` (place, reason) are for people. ``iri`` is
    the ``@id`` that the document came with.
    """

    unread: Unread
    type: str
    key: str
    document: Json
    media: tuple[tuple[str, Json], ...] = ()
    notices: tuple[Notice, ...] = ()
    parked_media: tuple[tuple[str, str], ...] = ()
    iri: Any = None


class SourceFile(Protocol):
    """A source file of any kind, opened for one synchronisation."""

    metadata: SourceMetadata
    mapping: str
    translator: str | None
    count: int | None
    media_are_records: bool
    """Whether media are records of their own, instead of coming with specimens."""

    def records(self, *, as_text: bool = False) -> Iterator[Unread | Malformed]:
        """Everything in the file, in its order. ``as_text``: the content as bytes, to be handed to another process."""
        ...

    def read(self, unread: Unread, settings: SourceSettings) -> Candidate:
        """Map one record; raises a :class:`RefusedInput` when it cannot become a document."""
        ...

    def close(self) -> None: ...


def open_source(path: Path) -> SourceFile:
    """A Darwin Core Archive (zip or folder) or an openDS JSON file, told apart by the file's suffix.

    Raises :class:`InvalidArchive` when it cannot be read.
    """
    if path.suffix.lower() in {".json", ".jsonl", ".ndjson"}:
        return OpenDSSource(path)
    return ArchiveSource(path)


class ArchiveSource:
    """A Darwin Core Archive read through the project's mapping."""

    translator: str | None = "dwca"
    media_are_records = False

    def __init__(self, path: Path) -> None:
        self._archive = DarwinCoreArchive.open(path)
        if self._archive.row_type not in SPECIMEN_ROWS:
            self._archive.close()
            raise InvalidArchive(
                f"{path}: the core of this archive is {self._archive.row_type}, whose rows are no specimens; "
                "publish the specimens as core, of the row type dwc:Occurrence or dwc:MaterialEntity"
            )
        self._mapping = Mapping.load()
        self.metadata = self._archive.metadata
        self.mapping = self._mapping.identifier
        self.count = self._archive.count
        self._context = [self.mapping, self.metadata.title, self.metadata.licence]

    def records(self, *, as_text: bool = False) -> Iterator[Unread | Malformed]:
        for found in self._archive:
            if isinstance(found, Malformed):
                yield found
            else:
                content = [*self._context, found.id, found.core, found.extensions]
                text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
                rows = sum(map(len, found.extensions.values()))  # each may become a document of its own
                weight = 1 + rows // 10 + len(text) // USUAL_ROWS
                digest = hashlib.sha256(text).digest()
                yield Unread(found.place, found.id, digest, text if as_text else found, weight=weight)

    def read(self, unread: Unread, settings: SourceSettings) -> Candidate:
        record = unread.content
        if not isinstance(record, ArchiveRecord):  # its text
            *_context, row_id, core, extensions = orjson.loads(record)
            record = ArchiveRecord(row_id, unread.place, core, extensions)
        mapped = self._mapping.map(record, self.metadata, settings)
        unmapped = (Notice(f"{term} is not carried into the openDS document") for term in mapped.unmapped)
        return Candidate(
            unread,
            SPECIMEN,
            mapped.key,
            mapped.document,
            tuple((media.key, media.document) for media in mapped.media),
            (*mapped.notices, *unmapped),
            mapped.parked_media,
        )

    def close(self) -> None:
        self._archive.close()


class OpenDSSource:
    """A file of openDS documents, taken as they are."""

    translator: str | None = None
    mapping = "openDS/0.4.0"
    media_are_records = True
    count: int | None = None

    def __init__(self, path: Path) -> None:
        self._file = OpenDSFile.open(path)
        self.metadata = self._file.metadata

    def records(self, *, as_text: bool = False) -> Iterator[Unread | Malformed]:  # noqa: ARG002 - it always is
        for found in self._file:
            if isinstance(found, Malformed):
                yield found
                continue
            text = orjson.dumps(found.document, option=orjson.OPT_SORT_KEYS)
            try:
                key = natural_key(found.document)
            except ProvenariumError as error:
                yield Malformed(found.place, str(error))
                continue
            if found.document.get("ods:status") == "Tombstone":
                yield Malformed(found.place, "a tombstone says nothing new; tombstone the object by hand", key)
                continue
            weight = 1 + len(text) // USUAL_DOCUMENT
            yield Unread(found.place, key, hashlib.sha256(text).digest(), text, weight=weight)

    def read(self, unread: Unread, settings: SourceSettings) -> Candidate:  # noqa: ARG002 - documents name their source
        document = parse(unread.content)
        kind = str(document.get("@type"))
        given = sorted(computed_terms(kind) & document.keys() - {"@id"}) if kind in OBJECT_TYPES else []
        notices = tuple(Notice(f"{term} is given by this store, not taken from the document") for term in given)
        return Candidate(unread, kind, unread.record_id, document, notices=notices)

    def close(self) -> None:
        self._file.close()
