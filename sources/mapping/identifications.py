"""Determinations: extension rows and the core's own, which of them holds, and the name that follows from it."""

from __future__ import annotations

from collections.abc import Iterable

from sources.mapping.agents import AgentFields
from sources.mapping.fields import Fields, Json, Report, prefix
from sources.mapping.items import ListItems
from sources.mapping.table import CORE, MappingTable
from sources.records import Terms

EXTENSION = "dwc:Identification"

_CLASS = "ods:Identification"
_VERIFIED = "ods:isVerifiedIdentification"
_TAXA = "ods:hasTaxonIdentifications"
_NAME = "dwc:scientificName"
_VERNACULAR = "dwc:vernacularName"
_RANKS = ("subtribe", "tribe", "subfamily", "family", "superfamily", "order", "class", "phylum", "kingdom")
_NOT_A_TYPE = frozenset({"", "false", "specimen", "no", "none"})
_NOT_A_TYPE_STARTS = ("not", "non", "figured", "cited", "referred", "voucher")


class Identifications:
    """The identification rules of the table."""

    def __init__(self, table: MappingTable) -> None:
        self._own = _Rows(table, CORE)
        self._extension = _Rows(table, EXTENSION)

    def read(self, core: Terms, rows: Iterable[Terms], report: Report) -> list[Json]:
        """Extension rows first, then the core's own unless one of them says exactly the same.

        What the source calls verified is. Where it calls none so: the only identification or, among
        several, the core's own, unless the source says of that very one that it is not.
        """
        found = [item for row in rows if (item := self._extension.read(row, report)) is not None]
        own = self._own.read(core, report)
        if own is not None:
            said = own.pop(_VERIFIED, None)
            twin = next((item for item in found if {**item, _VERIFIED: None} == {**own, _VERIFIED: None}), None)
            if twin is None:
                found.append(own)
            else:
                own = twin
            if said is not None:
                own.setdefault(_VERIFIED, said)
        if len(found) == 1:
            found[0].setdefault(_VERIFIED, True)
        elif own is not None and not any(item.get(_VERIFIED) for item in found):
            own.setdefault(_VERIFIED, True)
        for item in found:
            item.setdefault(_VERIFIED, False)
        return found


def specimen_name(identifications: list[Json]) -> str | None:
    """The name of the verified identification, or of the first if none is: scientific, else vernacular."""
    candidates = [item for item in identifications if item[_VERIFIED]] or identifications
    taxa = [taxon for item in candidates for taxon in item.get(_TAXA, ())]
    for term in (_NAME, _VERNACULAR):
        for taxon in taxa:
            if term in taxon:
                return str(taxon[term])
    return next(
        (item["dwc:verbatimIdentification"] for item in candidates if "dwc:verbatimIdentification" in item), None
    )


def kingdom(identifications: list[Json]) -> str | None:
    """The kingdom of the verified identification, or of any if that names none."""
    for item in sorted(identifications, key=lambda item: not item[_VERIFIED]):
        for taxon in item.get(_TAXA, ()):
            if "dwc:kingdom" in taxon:
                return str(taxon["dwc:kingdom"])
    return None


def is_type(identifications: list[Json]) -> bool:
    """Whether any identification carries a type status that says *type* (and not: figured, voucher, not a type)."""
    for item in identifications:
        status = item.get("dwc:typeStatus")
        if status is not None:
            word = "".join(filter(str.isalpha, status)).casefold()
            if word not in _NOT_A_TYPE and not word.startswith(_NOT_A_TYPE_STARTS):
                return True
    return False


class _Rows:
    def __init__(self, table: MappingTable, row_type: str) -> None:
        self._where = prefix(row_type)
        self._fields = Fields(table, _CLASS, row_type)
        self._taxon = Fields(table, "ods:TaxonIdentification", row_type)
        self._agents = AgentFields(table, _CLASS, row_type)
        self._citations = ListItems(table, row_type, of=_CLASS)

    def read(self, row: Terms, report: Report) -> Json | None:
        item: Json = {"@type": _CLASS}
        self._fields.fill(row, item, report)
        self._agents.add(row, item, report)
        citations = self._citations.read(row, report)
        if citations:
            item["ods:hasCitations"] = citations
        taxon: Json = {"@type": "ods:TaxonIdentification"}
        self._taxon.fill(row, taxon, report)
        if len(taxon) > 1 and (_NAME in taxon or self._name(taxon, item, report)):
            item[_TAXA] = [taxon]
        return item if len(item) > (2 if _VERIFIED in item else 1) else None

    def _name(self, taxon: Json, item: Json, report: Report) -> bool:
        """Give a taxon without scientific name the one its parts spell; False when they spell none."""
        genus = taxon.get("dwc:genericName") or taxon.get("dwc:genus")
        name: str | None
        if genus is not None:
            epithets = (taxon[term] for term in ("dwc:specificEpithet", "dwc:infraspecificEpithet") if term in taxon)
            name = " ".join((genus, *epithets))
        else:
            name = next((taxon["dwc:" + rank] for rank in _RANKS if "dwc:" + rank in taxon), None)
        if name is not None:
            taxon[_NAME] = name
            report.notice(
                f"{self._where}{_NAME}: absent; {name!r} is taken from the other taxon terms",
                f"{self._where}{_NAME}: absent",
            )
            return True
        vernacular = taxon.pop(_VERNACULAR, None)
        if vernacular is not None and item.setdefault("dwc:verbatimIdentification", vernacular) == vernacular:
            report.notice(
                f"{self._where}{_VERNACULAR}: {vernacular!r} without a scientific name; "
                "kept in dwc:verbatimIdentification",
                f"{self._where}{_VERNACULAR}: alone",
            )
            vernacular = None
        lost = [term for term in taxon if not term.startswith("@")] + ([] if vernacular is None else [_VERNACULAR])
        for term in lost:
            report.left(self._where + term)
        return False
