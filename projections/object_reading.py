"""One object read in ways people ask for: its history, the difference of two versions, and blame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.rows import tuple_row

from domain import pointer as json_pointer
from domain.diff import diff
from domain.digital_object import DigitalObject
from domain.errors import NotFound
from domain.events import DigitalObjectEvent
from domain.history import steps
from domain.opends import OBJECT_TYPES
from domain.terms import TermChange, blame, changes, term_of
from domain.times import to_text
from projections.projection import SQL
from store.ledger import Ledger


@dataclass(frozen=True)
class VersionInfo:
    """One version: its event and the names of the terms it changed (none for version 1, which sets all)."""

    event: DigitalObjectEvent
    terms: list[str]

    def to_json(self) -> dict[str, Any]:
        """Version, times, activity, agents, source, changed terms and digest."""
        event = self.event
        activity = event.to_json()["activity"]
        value = {
            "version": event.originator_version,
            "recorded": to_text(event.recorded) if event.recorded else None,
            "occurred": to_text(event.occurred),
            "activity": activity,
            "agents": [agent.to_json() for agent in event.agents],
            "terms": self.terms,
            "digest": event.digest,
            "position": event.position,
        }
        if event.source is not None:
            value["source"] = event.source.to_json()
        return value


def current(ledger: Ledger, pid: str) -> DigitalObject:
    """The object at its last version, to be read: it does not know the event that made it, so nothing follows from it.

    Taken from the projection ``objects`` when that has seen the object's last event, else folded from the log.
    Raises :class:`NotFound`.
    """
    with ledger.connection() as connection, connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        row = cursor.execute(SQL["current_object"], (pid, pid), prepare=True).fetchone()
    if row is None:
        return ledger.get(pid, to_follow=False)
    kind, version, tombstoned, document, created, recorded, occurred = row
    content = ledger.mapper.unpack(document)
    return DigitalObject(pid, version, kind, content, tombstoned, created, recorded, occurred, head=None)


def history(ledger: Ledger, pid: str) -> list[VersionInfo]:
    """Every version of an object in order; raises :class:`NotFound`."""
    return [VersionInfo(step.event, step.terms) for step in steps(ledger.history(pid))]


def difference(ledger: Ledger, pid: str, before: int, after: int) -> tuple[list[TermChange], list[dict[str, Any]]]:
    """How version ``after`` differs from ``before``: the changed terms, and the JSON Patch.

    The versions may be in either order. Raises :class:`NotFound`.
    """
    old, new = (ledger.get(pid, version, to_follow=False).document for version in (before, after))
    patch = diff(old, new)
    return list(changes(old, patch).terms), patch


@dataclass(frozen=True)
class Blamed:
    """One term as it stands, and the event that last set it."""

    pointer: str
    value: Any
    event: DigitalObjectEvent

    def to_json(self) -> dict[str, Any]:
        """Pointer, term, value, version, times, activity and agents."""
        event = self.event
        return {
            "pointer": self.pointer,
            "term": term_of(self.pointer),
            "value": self.value,
            "version": event.originator_version,
            "recorded": to_text(event.recorded) if event.recorded else None,
            "occurred": to_text(event.occurred),
            "activity": str(event.activity.id),
            "activityType": event.activity_type,
            "agents": [agent.to_json() for agent in event.agents],
        }


def blame_terms(ledger: Ledger, pid: str, within: str | None = None) -> list[Blamed]:
    """Who last set every term of an object, or those at and below the JSON Pointer ``within``.

    Raises :class:`NotFound` when there is no such object, or nothing at the pointer.
    """
    events = ledger.history(pid)
    found = [
        Blamed(where, value, events[version - 1])
        for where, value, version in blame((event.originator_version, event.patch) for event in events)
        if within is None or where == within or where.startswith(within + "/")
    ]
    if within is not None and not found:
        raise NotFound(f"{pid} has no term at {within!r}; {_hint(ledger.get(pid), within)}")
    return found


def _hint(state: DigitalObject, within: str) -> str:
    head = json_pointer.from_text(within if within.startswith("/") else "/" + within)[0]
    kind = OBJECT_TYPES[state.object_type]
    if head in (kind.version_term, kind.created_term, kind.modified_term, "ods:midsLevel", "ods:status", "@id"):
        return f"{head} is computed, not asserted by anybody"
    return "pointers look like /dwc:preparations or /ods:hasIdentifications/0/dwc:typeStatus"
