"""What a specimen is called: its physical id, how far that id reaches, and all its other identifiers."""

from __future__ import annotations

from uuid import UUID

from domain.errors import InvalidDocument
from sources.mapping.fields import Fields, Json, Report
from sources.mapping.table import CORE, CORE_ID, MappingTable
from sources.mapping.values import pieces
from sources.records import ArchiveRecord

_ROW_TYPE = "gbif:Identifier"
_KINDS = (
    (("https://doi.org/", "http://doi.org/", "http://dx.doi.org/", "https://dx.doi.org/", "doi:"), "DOI"),
    (("https://hdl.handle.net/", "http://hdl.handle.net/", "hdl:"), "Handle"),
    (("https://purl.org/", "http://purl.org/"), "PURL"),
    (("https://", "http://"), "URL"),
    (("urn:lsid:",), "LSID"),
    (("urn:uuid:",), "UUID"),
    (("urn:",), "URN"),
    (("ark:",), "ARK"),
)


class Identifiers:
    """The identifier rules of the table."""

    def __init__(self, table: MappingTable) -> None:
        self._physical = table.terms("ods:DigitalSpecimen", "ods:physicalSpecimenID", CORE)
        self._listed = [(rule.term, rule.value == "list") for rule in table.select("ods:Identifier", CORE)]
        self._rows = Fields(table, "ods:Identifier", _ROW_TYPE)

    def physical_id(self, record: ArchiveRecord, report: Report) -> str:
        """The physical specimen id; raises :class:`InvalidDocument` when the record has no identifier at all."""
        for term in self._physical:
            text = (record.id if term == CORE_ID else record.core.get(term, "")).strip()
            if text:
                if term == CORE_ID:
                    report.notice(
                        f"no {', '.join(other for other in self._physical if other != term)}: "
                        f"the archive's row id {text!r} identifies the specimen",
                        "row id",
                    )
                return text
        raise InvalidDocument(
            f"{record.place}: the record has no identifier; give it one of {', '.join(self._physical)}"
        )

    def all(self, record: ArchiveRecord, report: Report) -> list[Json]:
        """Every identifier once under each name it is given."""
        found: dict[tuple[str, str], Json] = {}
        for term, is_list in self._listed:
            text = record.id if term == CORE_ID else record.core.get(term)
            if text:
                for value in pieces(text) if is_list else (text,):
                    if (term, value) not in found:
                        found[term, value] = identifier(term, value)
        for row in record.extensions.get(_ROW_TYPE, ()) if record.extensions else ():
            item: Json = {"@type": "ods:Identifier"}
            self._rows.fill(row, item, report)
            if "dcterms:identifier" not in item:
                report.notice(f"{_ROW_TYPE}: no dcterms:identifier, so the row cannot be kept: {row}", _ROW_TYPE)
                continue
            value = item["dcterms:identifier"]
            title = item.setdefault("dcterms:title", "dcterms:identifier")
            item["dcterms:type"] = kind(value)
            found.setdefault((title, value), item)
        return list(found.values())


def identifier(title: str, value: str) -> Json:
    """One ``ods:Identifier``."""
    return {"@type": "ods:Identifier", "dcterms:title": title, "dcterms:type": kind(value), "dcterms:identifier": value}


def kind(value: str) -> str:
    """The openDS identifier type of a text, by its form."""
    start = value[:32].lower()
    for starts, name in _KINDS:
        if start.startswith(starts):
            return name
    return "UUID" if _is_uuid(value) else "Locally unique identifier"


def reach(value: str) -> str:
    """``ods:physicalSpecimenIDType``: an http(s) address is Resolvable, a URN or UUID Global, all else Local."""
    start = value[:8].lower()
    if start.startswith(("http://", "https://")):
        return "Resolvable"
    return "Global" if start.startswith("urn:") or _is_uuid(value) else "Local"


def _is_uuid(value: str) -> bool:
    if len(value) != 36 or value.count("-") != 4:
        return False
    try:
        return str(UUID(value)) == value.lower()
    except ValueError:
        return False
