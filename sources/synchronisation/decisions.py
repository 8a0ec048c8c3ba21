"""What synchronisation decides: the changes to store, and what runs and sources remember of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from domain.digital_object import DigitalObject
from domain.events import DigitalObjectEvent
from domain.merge import MergeConflict
from domain.opends import TOMBSTONE_TERM
from domain.terms import ABSENT
from sources.synchronisation.runs import RunItem
from sources.synchronisation.source_records import SourceRecord


@dataclass(frozen=True)
class Decision:
    """A change to store: the run's item, what the source said, the event, and the state it was decided on."""

    item: RunItem
    record: SourceRecord
    event: DigitalObjectEvent
    state: DigitalObject | None


@dataclass
class Decisions:
    """What one chunk comes to: changes, source records without a change, and items without an object."""

    made: list[Decision] = field(default_factory=list)
    records: list[SourceRecord] = field(default_factory=list)
    others: list[RunItem] = field(default_factory=list)

    def events(self) -> list[DigitalObjectEvent]:
        return [decision.event for decision in self.made]

    def states(self) -> list[DigitalObject]:
        """The states that the events follow."""
        return [decision.state for decision in self.made if decision.state is not None]

    def new_keys(self) -> list[tuple[str, str, str]]:
        """(type, key, PID) of objects that begin."""
        return [
            (decision.record.type, decision.record.key, decision.record.pid)
            for decision in self.made
            if decision.state is None
        ]

    def all_records(self) -> list[SourceRecord]:
        return [*self.records, *(decision.record for decision in self.made)]

    def items(self) -> list[RunItem]:
        return [*self.others, *(decision.item for decision in self.made)]


def activity_id(run_id: UUID, record: SourceRecord, version: int) -> UUID:
    """The activity of one run at one version of one record: the same when the run is repeated."""
    return uuid5(run_id, f"{record.type}\n{record.key}\n{version}")


def conflict_to_json(conflict: MergeConflict) -> dict[str, Any]:
    """A conflict as it stands in a run's items; a side without the term is left out."""
    value = {"pointer": conflict.pointer, "kept": conflict.kept.value}
    for name in ("base", "source", "curated"):
        side = getattr(conflict, name)
        if side is not ABSENT:
            value[name] = side
    return value


def asserted(state: DigitalObject) -> dict[str, Any]:
    """The content without what tombstoning added."""
    return {term: value for term, value in state.document.items() if term != TOMBSTONE_TERM}
