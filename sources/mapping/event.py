"""The gathering of a specimen: one event with its place, its georeference and its geological context."""

from __future__ import annotations

from sources.mapping.agents import AgentFields
from sources.mapping.fields import Fields, Json, Report
from sources.mapping.table import CORE, MappingTable
from sources.records import Terms


class EventFields:
    """The event, location, georeference and geology rules of the table."""

    def __init__(self, table: MappingTable) -> None:
        self._event = _Part(table, "ods:Event")
        self._location = _Part(table, "ods:Location")
        self._georeference = _Part(table, "ods:Georeference")
        self._geology = _Part(table, "ods:GeologicalContext")

    def read(self, core: Terms, assertions: list[Json], report: Report) -> Json | None:
        """The one event of a record, or None when nothing is known of it; the same for every part inside it."""
        event = self._event.read(core, report)
        location = self._location.read(core, report)
        for name, part in (
            ("ods:hasGeoreference", self._georeference.read(core, report)),
            ("ods:hasGeologicalContext", self._geology.read(core, report)),
        ):
            if len(part) > 1:
                location[name] = part
        if assertions:
            event["ods:hasAssertions"] = assertions
        if len(location) > 1:
            event["ods:hasLocation"] = location
        return event if len(event) > 1 else None


class _Part:
    def __init__(self, table: MappingTable, owner: str) -> None:
        self._owner = owner
        self._fields = Fields(table, owner, CORE)
        self._agents = AgentFields(table, owner, CORE)

    def read(self, core: Terms, report: Report) -> Json:
        part: Json = {"@type": self._owner}
        self._fields.fill(core, part, report)
        self._agents.add(core, part, report)
        return part
