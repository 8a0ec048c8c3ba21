"""What a bundle turns out to hold, gathered while its events are written, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from domain.events import DigitalObjectEvent

MAX_LISTED = 2000
"""Objects that the report's table names; the others are in ``events.jsonl``."""
MAX_RUNS = 1000
"""Runs that the crate's metadata describe."""


@dataclass
class ObjectRow:
    """One object for the report: the last event says the rest."""

    last: DigitalObjectEvent

    @property
    def versions(self) -> int:
        return self.last.originator_version


@dataclass
class RunActivity:
    """A synchronisation run, as far as events of the bundle tell of it."""

    archive: str
    mapping: str
    system: str
    began: datetime
    ended: datetime
    events: int = 0


@dataclass
class Summary:
    """Counts, schemas, the first objects and runs."""

    objects: int = 0
    events: int = 0
    schemas: set[str] = field(default_factory=set)
    rows: list[ObjectRow] = field(default_factory=list)
    runs: dict[str, RunActivity] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None

    def take(self, event: DigitalObjectEvent) -> None:
        """Count an event; events come by object and version."""
        assert event.recorded is not None
        self.events += 1
        self.schemas.add(event.schema)
        self.first = min(self.first or event.recorded, event.recorded)
        self.last = max(self.last or event.recorded, event.recorded)
        if event.originator_version == 1:
            self.objects += 1
            if self.objects <= MAX_LISTED:
                self.rows.append(ObjectRow(event))
        elif self.objects <= MAX_LISTED:
            self.rows[-1].last = event
        self._take_run(event)

    def _take_run(self, event: DigitalObjectEvent) -> None:
        cause, source, activity = event.activity.cause, event.source, event.activity
        if cause is None or cause.kind != "run" or source is None:
            return
        known = self.runs.get(cause.id)
        if known is None:
            if len(self.runs) >= MAX_RUNS:
                return
            known = RunActivity(source.archive, source.mapping, source.system, activity.started, activity.ended)
            self.runs[cause.id] = known
        known.began, known.ended = min(known.began, activity.started), max(known.ended, activity.ended)
        known.events += 1
