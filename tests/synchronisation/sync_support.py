"""What the tests of synchronisation share: archives made on the spot, and whole collections without their PIDs."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from psycopg.rows import tuple_row

from domain import pointer
from domain.agents import person
from domain.digital_object import DigitalObject, Provenance
from domain.events import Cause
from domain.opends import TOMBSTONE_TERM
from domain.patch import copy_of
from domain.times import now
from projections.collection import collection
from sources.synchronisation import runs
from sources.synchronisation.candidates import open_source
from sources.synchronisation.runs import RunItem
from sources.synchronisation.source_system import find_source
from sources.synchronisation.synchronise import Options, Report, find, synchronise
from store.ledger import Axis, Ledger

CURATOR = person("https://orcid.org/0000-0002-1825-0097")
SPECIMEN = "ods:DigitalSpecimen"
MEDIA = "ods:DigitalMedia"

CORE = (
    *("occurrenceID", "catalogNumber", "basisOfRecord", "scientificName", "country", "locality", "recordedBy"),
    *("eventDate", "preparations", "disposition", "occurrenceRemarks", "verbatimLabel"),
)
DETERMINATION = ("identificationID", "scientificName", "dateIdentified", "identifiedBy", "identificationRemarks")
MEDIUM = ("identifier", "type", "format", "title", "creator")
_DWC = "http://rs.tdwg.org/dwc/terms/"
_DC = "http://purl.org/dc/terms/"


@dataclass(frozen=True)
class Specimen:
    """A record of a made archive; ``media`` and ``determinations`` are rows by column name."""

    id: str
    terms: dict[str, str] = field(default_factory=dict)
    determinations: tuple[dict[str, str], ...] = ()
    media: tuple[dict[str, str], ...] = ()

    def but(self, **terms: str) -> Specimen:
        """The record with other terms; an empty text leaves one out."""
        return replace(self, terms={**self.terms, **terms})

    def row(self) -> list[str]:
        stated = {
            "occurrenceID": self.id,
            "catalogNumber": self.id.rpartition(":")[2],
            "basisOfRecord": "PreservedSpecimen",
            "scientificName": "Parus major Linnaeus, 1758",
            "country": "Belgium",
            **self.terms,
        }
        return [self.id, *(stated.get(name, "") for name in CORE)]


def picture(name: str, title: str | None = None) -> dict[str, str]:
    """A row of the multimedia extension."""
    return {
        "identifier": f"https://example.org/{name}.jpg",
        "type": "StillImage",
        "format": "image/jpeg",
        "title": title or f"Picture {name}",
    }


def url(name: str) -> str:
    """The natural key of :func:`picture`."""
    return f"https://example.org/{name}.jpg"


def determination(number: int, name: str, date: str, remarks: str = "") -> dict[str, str]:
    """A row of the identification extension."""
    return {
        "identificationID": f"det-{number}",
        "scientificName": name,
        "dateIdentified": date,
        "identifiedBy": "A. Curator",
        "identificationRemarks": remarks,
    }


def write_archive(
    folder: Path,
    specimens: Iterable[Specimen],
    published: str | None = "2020-01-01",
    *,
    core_lines: Sequence[str] = (),
    media_lines: Sequence[str] = (),
) -> Path:
    """An unpacked Darwin Core Archive; ``core_lines`` and ``media_lines`` are added to the tables as they are."""
    folder.mkdir(parents=True)
    core, determinations, media = [], [], []
    for specimen in specimens:
        core.append("\t".join(specimen.row()))
        determinations += [
            "\t".join([specimen.id, *(row.get(c, "") for c in DETERMINATION)]) for row in specimen.determinations
        ]
        media += ["\t".join([specimen.id, *(row.get(c, "") for c in MEDIUM)]) for row in specimen.media]
    _write(folder / "occurrence.txt", ["id", *CORE], [*core, *core_lines])
    _write(folder / "identification.txt", ["coreid", *DETERMINATION], determinations)
    _write(folder / "multimedia.txt", ["coreid", *MEDIUM], [*media, *media_lines])
    (folder / "meta.xml").write_text(
        '<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="eml.xml">'
        + _table("core", "occurrence.txt", _DWC + "Occurrence", [_DWC + name for name in CORE])
        + _table("extension", "identification.txt", _DWC + "Identification", [_DWC + name for name in DETERMINATION])
        + _table("extension", "multimedia.txt", "http://rs.gbif.org/terms/1.0/Multimedia", [_DC + n for n in MEDIUM])
        + "</archive>"
    )
    if published is not None:
        (folder / "eml.xml").write_text(
            '<eml:eml xmlns:eml="eml://ecoinformatics.org/eml-2.1.1" packageId="made" system="http://gbif.org">'
            f"<dataset><title>A made collection</title><pubDate>{published}</pubDate></dataset></eml:eml>"
        )
    return folder


def _write(path: Path, heading: Sequence[str], lines: Sequence[str]) -> None:
    path.write_text("".join(line + "\n" for line in ["\t".join(heading), *lines]), encoding="utf-8")


def _table(tag: str, file: str, row_type: str, terms: Sequence[str]) -> str:
    fields = "".join(f'<field index="{index}" term={quoteattr(term)}/>' for index, term in enumerate(terms, 1))
    identifier = "id" if tag == "core" else "coreid"
    return (
        f'<{tag} rowType="{row_type}" encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" '
        f'fieldsEnclosedBy="" ignoreHeaderLines="1"><files><location>{file}</location></files>'
        f'<{identifier} index="0"/>{fields}</{tag}>'
    )


def sync(ledger: Ledger, path: Path, source: str = "museum", **options: Any) -> Report:
    """One run, in this process."""
    file = open_source(path)
    try:
        return synchronise(ledger, file, Options(source=source, **options))
    finally:
        file.close()


def counts(report: Report) -> dict[str, int]:
    """The counts that are not 0."""
    names = ("read", "created", "updated", "restored", "unchanged", "missing", "tombstoned", "conflicts", "parked")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def changes_nothing(report: Report) -> bool:
    """Whether a run found everything as it was."""
    changed = ("created", "updated", "restored", "tombstoned", "conflicts")
    media = {name: amount for name, amount in report.media.items() if name not in ("missing", "parked")}
    return not any(getattr(report, name) for name in changed) and not media and report.unchanged == report.read


def run_items(ledger: Ledger, run: uuid.UUID | str, *outcomes: str) -> list[RunItem]:
    """What a run did, record by record, of these outcomes (default: all)."""
    found = runs.items(ledger, uuid.UUID(str(run)))
    return [item for item in found if not outcomes or item.outcome in outcomes]


def natural_keys(ledger: Ledger) -> dict[str, tuple[str, str]]:
    """(type, natural key) by PID; a source system is called by its name."""
    with ledger.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        return {pid: (kind, key) for kind, key, pid in cursor.execute("SELECT type, key, pid FROM natural_keys")}


def find_source_pid(ledger: Ledger, source: str = "museum") -> str:
    """The PID of a source system."""
    system = find_source(ledger, source)
    assert system is not None
    return system.pid


def states(
    ledger: Ledger, source: str = "museum", at: datetime | None = None, axis: Axis = Axis.RECORDED, **include: bool
) -> Iterator[DigitalObject]:
    """The objects of a source."""
    include = {"include_media": True, **include}
    return collection(ledger, find_source_pid(ledger, source), at, axis, **include)


def contents(
    ledger: Ledger, source: str = "museum", at: datetime | None = None, axis: Axis = Axis.RECORDED, **include: bool
) -> dict[tuple[str, str], Any]:
    """What every record says, by type and natural key, with natural keys in the place of PIDs."""
    keys = natural_keys(ledger)
    return {keys[state.id]: without_pids(state.document, keys) for state in states(ledger, source, at, axis, **include)}


def history_of(ledger: Ledger, source: str = "museum") -> dict[tuple[str, str], tuple[int, bool, Any]]:
    """Version, whether tombstoned, and content of every record there ever was, without PIDs and tombstone texts."""
    keys = natural_keys(ledger)
    return {
        keys[state.id]: (
            state.version,
            state.tombstoned,
            without_pids({term: value for term, value in state.document.items() if term != TOMBSTONE_TERM}, keys),
        )
        for state in states(ledger, source, include_tombstoned=True)
    }


_PID = re.compile(r"TEST/[0-9A-Z]{3}-[0-9A-Z]{3}-[0-9A-Z]{3}")


def without_pids(value: Any, keys: dict[str, tuple[str, str]]) -> Any:
    """A document in which natural keys stand for the PIDs this store gave, so that two stores can be compared."""
    if isinstance(value, dict):
        return {name: without_pids(item, keys) for name, item in value.items()}
    if isinstance(value, list):
        items = [without_pids(item, keys) for item in value]
        return sorted(items, key=repr) if any("PID of" in repr(item) for item in items) else items
    if isinstance(value, str):
        return _PID.sub(lambda found: f"PID of {keys[found[0]]}" if found[0] in keys else found[0], value)
    return value


def curate(ledger: Ledger, record: str, source: str = "museum", **unused: Any) -> Curation:
    """A curator's hand on one record."""
    assert not unused
    return Curation(ledger, find(ledger, source, record))


@dataclass(frozen=True)
class Curation:
    """Changes by a curator, each one event."""

    ledger: Ledger
    pid: str

    def set(self, where: str, value: Any, occurred: datetime | None = None) -> DigitalObject:
        """Set the term at a JSON Pointer."""
        state = self.ledger.get(self.pid)
        document = copy_of(state.document)
        path = pointer.from_text(where)
        parent = pointer.resolve(document, path[:-1])
        parent[int(path[-1]) if isinstance(parent, list) else path[-1]] = value
        return self.ledger.record(state, state.update(document, _provenance(occurred)))

    def remove(self, term: str) -> DigitalObject:
        """Remove a top-level term."""
        state = self.ledger.get(self.pid)
        document = {name: value for name, value in state.document.items() if name != term}
        return self.ledger.record(state, state.update(document, _provenance()))

    def tombstone(self) -> DigitalObject:
        """Withdraw the object."""
        state = self.ledger.get(self.pid)
        return self.ledger.record(state, state.tombstone("lost in the fire", _provenance()))

    def restore(self) -> DigitalObject:
        """Make it valid again."""
        state = self.ledger.get(self.pid)
        return self.ledger.record(state, state.restore(_provenance()))


def _provenance(occurred: datetime | None = None) -> Provenance:
    return Provenance(agents=(CURATOR,), occurred=occurred or now(), cause=Cause("edit", "test"))


def document_of(ledger: Ledger, record: str, source: str = "museum") -> dict[str, Any]:
    """What the store says about a record now."""
    return ledger.get(find(ledger, source, record)).document


def versions_of(ledger: Ledger, record: str, source: str = "museum") -> list[str]:
    """The activity types of all versions of a record, oldest first."""
    return [event.activity_type.removeprefix("ods:") for event in ledger.history(find(ledger, source, record))]
