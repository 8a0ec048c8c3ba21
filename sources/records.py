"""What every source reader yields: records, malformed rows with their place, and the facts about the whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

Terms = dict[str, str]
"""One row: compact term (``dwc:occurrenceID``) to its non-empty text."""


@dataclass(frozen=True)
class SourceMetadata:
    """Facts about a whole source file: SHA-256 (hex) of its bytes, EML title, licence, publication date."""

    sha256: str
    title: str | None = None
    licence: str | None = None
    published: datetime | None = None


@dataclass(frozen=True)
class ArchiveRecord:
    """One core row with its extension rows.

    ``id`` is the archive's core id, ``place`` where the row stands (file and line) for messages;
    ``extensions`` maps a compact row type (``dwc:Identification``) to its rows in file order.
    """

    id: str
    place: str
    core: Terms
    extensions: dict[str, list[Terms]] = field(default_factory=dict)


@dataclass(frozen=True)
class Malformed:
    """A row that cannot be read: where it stands, its id if one could be read, and why.

    ``of_record`` is false for rows of extensions, whose record itself may be sound.
    """

    place: str
    reason: str
    id: str | None = None
    of_record: bool = True


class RecordReader(Protocol):
    """A source opened for reading; iterating gives records and malformed rows in file order."""

    metadata: SourceMetadata

    def __iter__(self) -> Iterator[ArchiveRecord | Malformed]: ...

    def close(self) -> None: ...
