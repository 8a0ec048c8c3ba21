"""The small objects that hang on specimens, events and media: citations, assertions, ages, relationships."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sources.mapping.agents import AgentFields
from sources.mapping.fields import Fields, Json, Report, prefix
from sources.mapping.table import MappingTable
from sources.mapping.values import is_iri, pieces
from sources.records import Terms


class RowItems:
    """One openDS object for every row of an extension."""

    def __init__(self, table: MappingTable, owner: str, row_type: str, required: Sequence[str] = ()) -> None:
        self._owner = owner
        self._row_type = row_type
        self._required = required
        self._fields = Fields(table, owner, row_type)
        self._agents = AgentFields(table, owner, row_type)

    def read(self, rows: Iterable[Terms], report: Report) -> list[Json]:
        """The objects of these rows, in their order; a row without what openDS requires is told and left out."""
        items: list[Json] = []
        for number, row in enumerate(rows, 1):
            item: Json = {"@type": self._owner}
            self._fields.fill(row, item, report)
            self._agents.add(row, item, report)
            missing = [name for name in self._required if name not in item]
            if missing:
                report.notice(
                    f"{self._row_type} row {number}: nothing for {missing[0]}, so it cannot be kept: {row}",
                    f"{self._row_type}: {missing[0]}",
                )
            elif len(item) > 1:
                items.append(item)
        return items


class ListItems:
    """Citations or relationships that stand as a list in one term of a row."""

    def __init__(self, table: MappingTable, row_type: str, *, of: str | None = None) -> None:
        self._where = prefix(row_type)
        self._shared = table.shared(row_type)
        owner = "ods:EntityRelationship" if of is None else "ods:Citation"
        self._rules = [
            rule
            for rule in table.select(owner, row_type)
            if (rule.detail["of"] == of if "of" in rule.detail else of is None and "relation" in rule.detail)
        ]

    def read(self, row: Terms, report: Report, without: str | None = None) -> list[Json]:
        """The objects of this row; ``without`` is a text that needs none, because it stands elsewhere already."""
        items: list[Json] = []
        for rule in self._rules:
            if rule.term not in row:
                continue
            if rule.term in self._shared:
                report.carried(self._where + rule.term)
            for text in pieces(row[rule.term]):
                item: Json = {"@type": rule.owner, rule.property: text}
                if "relation" in rule.detail:
                    item["dwc:relationshipOfResource"] = rule.detail["relation"]
                    if is_iri(text):
                        item["ods:relatedResourceURI"] = text
                if text != without and item not in items:
                    items.append(item)
        return items


class Attachments:
    """Citations, ages and relationships of a specimen, and the assertions of its event."""

    def __init__(self, table: MappingTable, core: str) -> None:
        self._listed_citations = ListItems(table, core, of="ods:DigitalSpecimen")
        self._listed_relations = ListItems(table, core)
        self._citations = RowItems(table, "ods:Citation", "gbif:Reference", ("dcterms:bibliographicCitation",))
        self._ages = RowItems(table, "ods:ChronometricAge", "chrono:ChronometricAge")
        self._relations = RowItems(
            table,
            "ods:EntityRelationship",
            "dwc:ResourceRelationship",
            ("dwc:relationshipOfResource", "dwc:relatedResourceID"),
        )
        self._assertions = {
            row_type: RowItems(table, "ods:Assertion", row_type)
            for row_type in ("dwc:MeasurementOrFact", "obis:ExtendedMeasurementOrFact")
        }

    def add(self, core: Terms, extensions: dict[str, list[Terms]], into: Json, report: Report) -> None:
        """Set the arrays of ``into`` that the record has something for."""
        found = {
            "ods:hasCitations": self._listed_citations.read(core, report),
            "ods:hasEntityRelationships": self._listed_relations.read(core, report),
        }
        if extensions:
            found["ods:hasCitations"] += self._citations.read(extensions.get("gbif:Reference", ()), report)
            found["ods:hasChronometricAges"] = self._ages.read(extensions.get("chrono:ChronometricAge", ()), report)
            found["ods:hasEntityRelationships"] += self._relations.read(
                extensions.get("dwc:ResourceRelationship", ()), report
            )
        into.update((name, items) for name, items in found.items() if items)

    def assertions(self, extensions: dict[str, list[Terms]], report: Report) -> list[Json]:
        """The measurements and facts of a record."""
        return [
            item
            for row_type, items in self._assertions.items()
            if row_type in extensions
            for item in items.read(extensions[row_type], report)
        ]
