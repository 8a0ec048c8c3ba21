"""The media of a record: Audiovisual Core rows, else GBIF multimedia rows, else a list of addresses; never mixed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sources.mapping.agents import AgentFields
from sources.mapping.fields import Fields, Json, Report
from sources.mapping.identifiers import identifier
from sources.mapping.items import ListItems
from sources.mapping.table import CORE, DATASET, MappingTable
from sources.mapping.values import is_uri
from sources.records import ArchiveRecord, Terms

ROW_TYPES = ("ac:Multimedia", "gbif:Multimedia")
"""The extensions that describe media, the better one first."""

_CLASS = "ods:DigitalMedia"
_ADDRESS = "ac:accessURI"


@dataclass(frozen=True)
class MappedMedia:
    """One media item of a record: ``key`` is its access URI, ``document`` its ``ods:DigitalMedia`` content."""

    key: str
    document: Json


@dataclass(frozen=True)
class FoundMedia:
    """All media of one record, and the rows that cannot become media: ``(place, reason)``."""

    media: tuple[MappedMedia, ...]
    parked: tuple[tuple[str, str], ...]


_NONE = FoundMedia((), ())


class MediaFields:
    """The media rules of the table."""

    def __init__(self, table: MappingTable) -> None:
        self._rows = {row_type: _Rows(table, row_type) for row_type in ROW_TYPES}
        self._listed = table.terms(_CLASS, _ADDRESS, CORE)
        self._dataset = Fields(table, _CLASS, DATASET)

    def read(self, record: ArchiveRecord, dataset: Terms, origin: Json, report: Report) -> FoundMedia:
        """The media of the best source that has any; ``origin`` is what every document of this source says.

        A row without a usable address is parked. An address given twice makes one media item, from
        its first row. Terms of a source that is not used are reported as not carried.
        """
        given = [row_type for row_type in ROW_TYPES if record.extensions.get(row_type)] if record.extensions else []
        listed = next((term for term in self._listed if term in record.core), None)
        if not given and listed is None:
            return _NONE
        media: dict[str, Json] = {}
        parked: list[tuple[str, str]] = []
        for row_type in given:
            if media:
                report.left(row_type)
                continue
            documents = self._rows[row_type].read(record, report)
            self._collect(documents, dataset, origin, media, parked, report)
        if listed is not None:
            addresses = [address for part in record.core[listed].split("|") if (address := part.strip())]
            if not media:
                self._collect(_from_list(addresses, record.place, listed), dataset, origin, media, parked, report)
            elif not all(address in media for address in addresses):
                report.left(listed)
        return FoundMedia(tuple(MappedMedia(key, document) for key, document in media.items()), tuple(parked))

    def _collect(
        self,
        documents: Iterator[tuple[str, Json | str]],
        dataset: Terms,
        origin: Json,
        media: dict[str, Json],
        parked: list[tuple[str, str]],
        report: Report,
    ) -> None:
        for place, document in documents:
            if isinstance(document, str):
                parked.append((place, document))
                continue
            self._dataset.fill(dataset, document, report)
            document.update(origin)
            if media.setdefault(document[_ADDRESS], document) != document:
                report.notice(
                    f"{place}: a second, different row for {document[_ADDRESS]}; the first is kept", "second medium"
                )


class _Rows:
    def __init__(self, table: MappingTable, row_type: str) -> None:
        self._row_type = row_type
        self._fields = Fields(table, _CLASS, row_type)
        self._agents = AgentFields(table, _CLASS, row_type)
        self._relations = ListItems(table, row_type)
        self._identifiers = table.terms("ods:Identifier", "dcterms:identifier", row_type)
        self._addresses = table.terms(_CLASS, _ADDRESS, row_type)

    def read(self, record: ArchiveRecord, report: Report) -> Iterator[tuple[str, Json | str]]:
        """Place, and the document or the reason why there is none."""
        for number, row in enumerate(record.extensions[self._row_type], 1):
            place = f"{record.place}, {self._row_type} row {number}"
            document: Json = {"@type": _CLASS}
            self._fields.fill(row, document, report)
            if _ADDRESS not in document:
                stated = next((row[term] for term in self._addresses if term in row), None)
                found = "no address at all" if stated is None else f"{stated!r}, which is no URI"
                yield place, f"media without access URI: {found}; give it {self._addresses[0]}"
                continue
            self._agents.add(row, document, report)
            named = [(term, row[term]) for term in self._identifiers if term in row]
            if named:
                document["ods:hasIdentifiers"] = [identifier(term, value) for term, value in named]
                for term, _ in named:
                    report.carried(f"{self._row_type}/{term}")
            relations = self._relations.read(row, report, without=document[_ADDRESS])
            if relations:
                document["ods:hasEntityRelationships"] = relations
            yield place, document


def _from_list(addresses: list[str], place: str, term: str) -> Iterator[tuple[str, Json | str]]:
    for address in addresses:
        if is_uri(address):
            yield place, {"@type": _CLASS, _ADDRESS: address}
        else:
            yield f"{place}, {term}", f"media without access URI: {address!r}, which is no URI; separate addresses by |"
