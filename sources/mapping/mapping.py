"""From a Darwin Core record to openDS documents: the specimen and its media."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

from sources.mapping.event import EventFields
from sources.mapping.fields import Fields, Json, Notice, Report, prefix
from sources.mapping.identifications import EXTENSION, Identifications, is_type, kingdom, specimen_name
from sources.mapping.identifiers import Identifiers, reach
from sources.mapping.items import Attachments
from sources.mapping.media import MappedMedia, MediaFields
from sources.mapping.table import CORE, DATASET, MappingTable, load
from sources.mapping.topics import topics
from sources.records import ArchiveRecord, SourceMetadata, Terms

__all__ = ["Mapped", "MappedMedia", "Mapping", "SourceSettings"]

_TABLE = Path(__file__).parent / "dwca-openDS.tsv"
_CLASS = "ods:DigitalSpecimen"
_ROR = re.compile(r"https?://ror\.org/0\w{6}[0-9]{2}", re.ASCII)
_WIKIDATA = re.compile(r"(https?://www\.wikidata\.org/)(?:wiki|entity)/(Q\d+)", re.ASCII)


@dataclass(frozen=True)
class SourceSettings:
    """What is said once about a source.

    Its name, the PID of its source system (``TEST/57Z-6PC-64W``), and the organisation (ROR or
    Wikidata IRI, and name) of those records that do not state one themselves.
    """

    name: str
    system_pid: str
    organisation_id: str | None = None
    organisation_name: str | None = None


@dataclass(frozen=True)
class Mapped:
    """One mapped record.

    ``key`` is the physical specimen id. ``document`` is the asserted content of an
    ``ods:DigitalSpecimen``: without PID, version, dates of the store, and relations to media.
    ``notices`` are sentences for a person. ``parked_media`` are media rows that could not become
    documents, as ``(place, reason)``. ``unmapped`` are the terms whose text is nowhere in the
    documents: core terms bare, extension terms as ``row type/term``, unused extensions by row type.
    """

    key: str
    document: Json
    media: tuple[MappedMedia, ...]
    notices: tuple[Notice, ...]
    parked_media: tuple[tuple[str, str], ...]
    unmapped: tuple[str, ...] = ()


class Mapping:
    """A mapping table, compiled. Holds no state: one instance serves any number of sources."""

    def __init__(self, table: MappingTable) -> None:
        self.name = table.name
        self.version = table.version
        self._specimen = Fields(table, _CLASS, CORE, without=("ods:physicalSpecimenID", "ods:organisationID"))
        self._dataset = Fields(table, _CLASS, DATASET)
        self._organisation = table.terms(_CLASS, "ods:organisationID", CORE)
        self._identifiers = Identifiers(table)
        self._identifications = Identifications(table)
        self._event = EventFields(table)
        self._attachments = Attachments(table, CORE)
        self._media = MediaFields(table)
        self._known = {row_type: table.known(row_type) for row_type in table.row_types()}

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """The project's own mapping, or the table at ``path``; raises :class:`RefusedInput` when that is malformed."""
        return cls(load(path or _TABLE))

    @property
    def identifier(self) -> str:
        """Name and version, as events state it: ``dwca-openDS/1.0.0``."""
        return f"{self.name}/{self.version}"

    def map(self, record: ArchiveRecord, metadata: SourceMetadata, settings: SourceSettings) -> Mapped:
        """The documents of one record.

        Any basis of record is taken, observations too. Raises :class:`InvalidDocument` when the
        record has no identifier at all; everything else that cannot be carried is reported in the
        result. ``ods:organisationID`` is absent when neither record nor settings give one.
        """
        core = record.core
        report = Report()
        key = self._identifiers.physical_id(record, report)
        id_type = reach(key)
        origin = self._origin(core, settings, report)
        document: Json = {
            "@type": _CLASS,
            "ods:physicalSpecimenID": key,
            "ods:physicalSpecimenIDType": id_type,
            "ods:normalisedPhysicalSpecimenID": f"{key}:{settings.name}" if id_type == "Local" else key,
            **origin,
        }
        dataset = _dataset_terms(metadata)
        self._specimen.fill(core, document, report)
        self._dataset.fill(dataset, document, report)
        document["ods:hasIdentifiers"] = self._identifiers.all(record, report)
        self._add_identifications(record, document, report)
        assertions = self._attachments.assertions(record.extensions, report) if record.extensions else []
        event = self._event.read(core, assertions, report)
        if event is not None:
            document["ods:hasEvents"] = [event]
        self._attachments.add(core, record.extensions, document, report)
        found = self._media.read(record, dataset, origin, report)
        document["ods:isKnownToContainMedia"] = bool(found.media)
        self._report_unknown(record, report)
        return Mapped(key, document, found.media, tuple(report.notices), found.parked, report.unmapped())

    def _origin(self, core: Terms, settings: SourceSettings, report: Report) -> Json:
        """What every document of this record says about where it comes from."""
        origin: Json = {
            "ods:sourceSystemID": f"https://hdl.handle.net/{settings.system_pid}",
            "ods:sourceSystemName": settings.name,
        }
        organisation = None
        for term in self._organisation:
            if term in core:
                organisation = organisation_iri(core[term])
                if organisation is None:
                    report.left(term)
        if organisation is None or organisation == settings.organisation_id:
            organisation = settings.organisation_id
            if settings.organisation_name is not None:
                origin["ods:organisationName"] = settings.organisation_name
        if organisation is not None:
            origin["ods:organisationID"] = organisation
        return origin

    def _add_identifications(self, record: ArchiveRecord, document: Json, report: Report) -> None:
        rows = record.extensions.get(EXTENSION, ()) if record.extensions else ()
        found = self._identifications.read(record.core, rows, report)
        if found:
            document["ods:hasIdentifications"] = found
            name = specimen_name(found)
            if name is not None:
                document["ods:specimenName"] = name
        document["ods:isMarkedAsType"] = is_type(found)
        topic = topics(document.get("dwc:basisOfRecord"), kingdom(found))
        document["ods:topicOrigin"] = topic.origin
        document["ods:topicDomain"] = topic.domain
        document["ods:topicDiscipline"] = topic.discipline
        if topic.living_or_preserved is not None:
            document["ods:livingOrPreserved"] = topic.living_or_preserved

    def _report_unknown(self, record: ArchiveRecord, report: Report) -> None:
        for term in record.core.keys() - self._known[CORE]:
            report.left(term)
        for row_type, rows in record.extensions.items():
            known = self._known.get(row_type) if row_type != CORE else None  # the table's core rules are for the core
            if known is None:
                report.left(row_type)
                continue
            for row in rows:
                for term in row.keys() - known:
                    report.left(prefix(row_type) + term)


@lru_cache(maxsize=1024)
def organisation_iri(text: str) -> str | None:
    """The organisation IRI as openDS writes it (ROR, or Wikidata under ``/wiki/``), or None for any other text."""
    text = text.strip()
    if _ROR.fullmatch(text):
        return text
    wikidata = _WIKIDATA.fullmatch(text)
    return f"{wikidata[1]}wiki/{wikidata[2]}" if wikidata else None


def _dataset_terms(metadata: SourceMetadata) -> Terms:
    terms = {"eml:title": metadata.title, "eml:license": metadata.licence}
    return {term: text for term, text in terms.items() if text}
