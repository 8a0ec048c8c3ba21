"""Between domain events and stored bytes: orjson text, compressed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson
from eventsourcing.persistence import Mapper, StoredEvent, Transcoder

from domain.canonical import normal_form
from domain.digital_object import Snapshot
from domain.errors import IntegrityFailure, RefusedInput
from domain.events import EVENT_CLASSES, EVENT_VERSIONS, Change, DigitalObjectEvent, event_from_json
from domain.times import from_text, to_text

SNAPSHOT_TOPIC = "snapshot"

_Read = TypeVar("_Read", DigitalObjectEvent, Change)

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: dict[int, Upcaster] = {}
"""By event schema version: turns an event of that version into one of the next, in memory only."""

_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, RefusedInput)
_DIGEST = re.compile("[0-9a-f]{64}")
_NEEDS = {"test": "value", "add": "value", "replace": "value", "remove": "path", "move": "from", "copy": "from"}
"""By operation of a patch, the member that it needs beside its path."""


@dataclass(frozen=True)
class RecordedEvent(StoredEvent):
    """A stored event with the position and time that the log gave it."""

    position: int
    recorded: datetime


@dataclass(frozen=True)
class NewEvent(StoredEvent):
    """An event about to be stored, with what its row needs beside the library's columns."""

    event_id: UUID
    occurred: datetime
    undoes: int | None = None


class OrjsonTranscoder(Transcoder):
    """JSON text by orjson; events hold nothing that JSON lacks."""

    def encode(self, obj: Any) -> bytes:
        return orjson.dumps(obj)

    def decode(self, data: bytes) -> Any:
        return orjson.loads(data)


class EventMapper(Mapper[str]):
    """Maps events and snapshots; the topic of an event is its activity type."""

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """The stored form; raises :class:`UnrepresentableJson` for text in it that cannot be kept exactly."""
        if isinstance(domain_event, Snapshot):
            state = self._pack(_snapshot_to_json(domain_event))
            return StoredEvent(domain_event.originator_id, domain_event.originator_version, SNAPSHOT_TOPIC, state)
        value = domain_event.to_json()
        normal_form({**value, "patch": []})  # what PostgreSQL cannot hold would stop every projection for ever
        return NewEvent(
            domain_event.originator_id,
            domain_event.originator_version,
            domain_event.activity_type,
            self._pack(value),
            domain_event.activity.id,
            domain_event.occurred,
            domain_event.undoes,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        value = self.value_of(stored_event)
        if stored_event.topic == SNAPSHOT_TOPIC:
            try:
                return _snapshot_from_json(value, stored_event)
            except _MALFORMED as error:
                name = f"{stored_event.originator_id}/{stored_event.originator_version}"
                raise IntegrityFailure(f"{name}: the stored snapshot is not one: {error!r}") from None
        return self.event_of(stored_event, value)

    def to_fold(
        self, stored: Sequence[StoredEvent], *, to_follow: bool = True
    ) -> Iterator[DigitalObjectEvent | Change | Snapshot]:
        """What folding needs of the events of one object; the last is given whole if another is to follow it.

        Raises :class:`IntegrityFailure` for one that cannot be read.
        """
        whole = len(stored) - 1 if to_follow else len(stored)
        for index, each in enumerate(stored):
            is_change = index < whole and each.topic != SNAPSHOT_TOPIC
            yield self._to_change(each) if is_change else self.to_domain_event(each)

    def _to_change(self, stored: StoredEvent) -> Change:
        value = self.value_of(stored)
        recorded = stored.recorded if isinstance(stored, RecordedEvent) else None
        try:
            _check(value)
            change = Change(
                value["object"],
                value["version"],
                value["type"],
                EVENT_CLASSES[value["activity"]["type"]].activity_type,
                value["patch"],
                from_text(value["occurred"]),
                recorded,
            )
        except _MALFORMED as error:
            raise _no_event(stored, error) from None
        return _agreeing(stored, change)

    def text_of(self, state: bytes) -> bytes:
        """The JSON text of a stored state; raises :class:`IntegrityFailure` when its bytes are damaged."""
        return self.compressor.decompress(state) if self.compressor else state

    def text_for(self, value: dict[str, Any]) -> bytes:
        """The JSON text as this program writes it."""
        return self.transcoder.encode(value)

    def value_of(self, stored_event: StoredEvent) -> dict[str, Any]:
        """The stored JSON value, brought to the present event schema version.

        Raises :class:`IntegrityFailure` naming the event when its bytes cannot be read.
        """
        try:
            value: dict[str, Any] = self.transcoder.decode(self.text_of(stored_event.state))
            while (version := value.get("event")) in UPCASTERS:
                value = UPCASTERS[version](value)
        except (IntegrityFailure, ValueError, TypeError, AttributeError) as error:
            raise IntegrityFailure(f"{stored_event.originator_id}/{stored_event.originator_version}: {error}") from None
        return value

    def event_of(self, stored_event: StoredEvent, value: dict[str, Any]) -> DigitalObjectEvent:
        """The domain event; raises :class:`IntegrityFailure` when bytes and row disagree."""
        position = recorded = None
        if isinstance(stored_event, RecordedEvent):
            position, recorded = stored_event.position, stored_event.recorded
        try:
            _check(value)
            event = event_from_json(value, position, recorded)
        except _MALFORMED as error:
            raise _no_event(stored_event, error) from None
        return _agreeing(stored_event, event)

    def pack(self, value: Any) -> bytes:
        """Any JSON value as compressed text, for tables beside the log."""
        return self._pack(value)

    def pack_text(self, text: bytes) -> bytes:
        """JSON text that is at hand already, compressed."""
        return self.compressor.compress(text) if self.compressor else text

    def unpack(self, data: bytes) -> Any:
        """Read what :meth:`pack` wrote."""
        return self._unpack(data)

    def _pack(self, value: Any) -> bytes:
        data = self.transcoder.encode(value)
        return self.compressor.compress(data) if self.compressor else data

    def _unpack(self, data: bytes) -> Any:
        return self.transcoder.decode(self.compressor.decompress(data) if self.compressor else data)


def _no_event(stored: StoredEvent, error: Exception) -> IntegrityFailure:
    name = f"{stored.originator_id}/{stored.originator_version}"
    return IntegrityFailure(f"{name}: the stored event is not one: {error!r}")


def _agreeing(stored: StoredEvent, read: _Read) -> _Read:
    """What was read of a row, if it is what the row says it is."""
    row = (stored.originator_id, stored.originator_version, stored.topic)
    if (read.originator_id, read.originator_version, read.activity_type) != row:
        raise IntegrityFailure(f"{row[0]}/{row[1]}: the stored event says it is another one")
    return read


def _check(value: dict[str, Any]) -> None:
    """Refuse what the readers of events would stumble over; what a patch does is checked when it is applied."""
    if value["event"] not in EVENT_VERSIONS or isinstance(value["event"], bool):
        raise ValueError(f"event schema version {value['event']!r} is unknown to this program; upgrade it")
    if not (isinstance(value["type"], str) and _DIGEST.fullmatch(value["digest"])):
        raise ValueError("type or digest is malformed")
    chained = value["event"] > 1 and value["version"] > 1
    if chained != ("previous" in value) or (chained and not _DIGEST.fullmatch(value["previous"])):
        raise ValueError("the hash of the event before is missing or malformed")
    undoes = value.get("undoes", 1)
    if type(undoes) is not int or not 1 <= undoes < max(value["version"], 2):
        raise ValueError("it undoes no version before it")
    for operation in value["patch"]:
        needed = _NEEDS[operation["op"]]
        if (
            type(operation["path"]) is not str
            or needed not in operation
            or (needed == "from" and type(operation["from"]) is not str)
        ):
            raise ValueError("an operation of its patch is malformed")


def _snapshot_to_json(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "type": snapshot.object_type,
        "document": snapshot.document,
        "tombstoned": snapshot.tombstoned,
        "created": to_text(snapshot.created),
        "recorded": to_text(snapshot.recorded) if snapshot.recorded else None,
        "occurred": to_text(snapshot.occurred),
        "eventHash": snapshot.event_hash,
    }


def _snapshot_from_json(value: dict[str, Any], stored: StoredEvent) -> Snapshot:
    if not isinstance(value["document"], dict):
        raise TypeError("its document is no object")
    return Snapshot(
        str(stored.originator_id),
        stored.originator_version,
        value["type"],
        value["document"],
        value["tombstoned"],
        from_text(value["created"]),
        from_text(value["recorded"]) if value["recorded"] else None,
        from_text(value["occurred"]),
        value["eventHash"],
        shared=False,
    )
