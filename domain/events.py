"""The four events of a digital object, and what each must say: who, when, why, from where, what changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from domain.agents import Agent
from domain.canonical import canonical_bytes, digest
from domain.times import from_text, to_text

Json = Any
"""A JSON value: None, bool, int, float, str, list or dict with str keys."""

Operation = dict[str, Any]
"""One RFC 6902 operation."""


@dataclass(frozen=True)
class Cause:
    """Why an activity happened: ``kind`` is run, revert, annotation, edit, undo or version; ``id`` names it."""

    kind: str
    id: str

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind, "id": self.id}


@dataclass(frozen=True)
class Source:
    """The record an assertion came from.

    ``archive`` is the SHA-256 of the archive (hex), ``record`` the record's id in it, ``mapping``
    the name and version of the mapping that read it, ``system`` the PID of the source system.
    """

    system: str
    archive: str
    record: str
    mapping: str

    def to_json(self) -> dict[str, str]:
        return {"system": self.system, "archive": self.archive, "record": self.record, "mapping": self.mapping}


@dataclass(frozen=True)
class Activity:
    """One PROV activity; its id is the event's id and makes an append idempotent."""

    id: UUID
    started: datetime
    ended: datetime
    comment: str | None = None
    cause: Cause | None = None


@dataclass(frozen=True)
class DigitalObjectEvent:
    """What somebody asserted about one object: the step from version n-1 to version n.

    ``patch`` is RFC 6902 and reversible; ``digest`` is the SHA-256 (hex) of the RFC 8785 bytes of
    the document after it; ``previous`` is the :attr:`hash` of the object's event before, None for
    the first; ``occurred`` is when the asserter says it happened. ``undoes`` is set by a reversal: the
    versions from that one up to this event were asserted wrongly, so none of them ever held.
    ``position`` (in the ledger, from 1) and ``recorded`` are given by the store and are None until
    then. ``event_version`` is the version of this schema; 1 had neither ``previous`` nor ``undoes``.
    """

    originator_id: str
    originator_version: int
    object_type: str
    activity: Activity
    agents: tuple[Agent, ...]
    patch: list[Operation]
    digest: str
    schema: str
    occurred: datetime
    source: Source | None = None
    previous: str | None = None
    undoes: int | None = None
    event_version: int = 2
    position: int | None = field(default=None, compare=False)
    recorded: datetime | None = field(default=None, compare=False)

    activity_type: ClassVar[str]

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of the RFC 8785 bytes of the asserted part: what the next event and the ledger name it by."""
        return digest(self.to_json())

    def to_json(self) -> dict[str, Json]:
        """The asserted part as plain JSON, as it is stored, hashed and exported."""
        activity: dict[str, Json] = {
            "id": str(self.activity.id),
            "type": self.activity_type,
            "started": to_text(self.activity.started),
            "ended": to_text(self.activity.ended),
        }
        if self.activity.comment is not None:
            activity["comment"] = self.activity.comment
        if self.activity.cause is not None:
            activity["cause"] = self.activity.cause.to_json()
        value: dict[str, Json] = {
            "event": self.event_version,
            "object": self.originator_id,
            "version": self.originator_version,
            "type": self.object_type,
            "activity": activity,
            "agents": [agent.to_json() for agent in self.agents],
            "patch": self.patch,
            "digest": self.digest,
            "schema": self.schema,
            "occurred": to_text(self.occurred),
        }
        if self.source is not None:
            value["source"] = self.source.to_json()
        if self.previous is not None:
            value["previous"] = self.previous
        if self.undoes is not None:
            value["undoes"] = self.undoes
        return value


class Change(NamedTuple):
    """What folding needs of an event: read of many of them much faster than all that they say."""

    originator_id: str
    originator_version: int
    object_type: str
    activity_type: str
    patch: list[Operation]
    occurred: datetime
    recorded: datetime | None

    @property
    def document(self) -> Json:
        """What an object begins with that begins with this, not copied; None when it does anything else."""
        return _added_at_root(self.patch)


def _added_at_root(patch: list[Operation]) -> Json:
    first = patch[0] if len(patch) == 1 else {}
    return first.get("value") if (first.get("op"), first.get("path")) == ("add", "") else None


class Created(DigitalObjectEvent):
    """The object begins: its patch is one ``add`` at the root."""

    activity_type = "ods:Create"

    @property
    def document(self) -> Json:
        """What the object begins with, not copied; None when the patch does anything else."""
        return _added_at_root(self.patch)

    @cached_property
    def canonical(self) -> bytes:
        """The RFC 8785 bytes of :attr:`document`."""
        return canonical_bytes(self.document)

    @cached_property
    def hash(self) -> str:
        if self.document is None or self.patch[0].keys() != {"op", "path", "value"}:
            return super().hash
        # Most of the event is the document, whose bytes others need, too.
        before, after = canonical_bytes({**self.to_json(), "patch": []}).split(b'"patch":[]')
        patch = b'"patch":[{"op":"add","path":"","value":%b}]' % self.canonical
        return sha256(before + patch + after).hexdigest()


class Updated(DigitalObjectEvent):
    """The content changed."""

    activity_type = "ods:Update"


class Tombstoned(DigitalObjectEvent):
    """The object was withdrawn; its content stays readable and gains tombstone metadata."""

    activity_type = "ods:Tombstone"


class Restored(DigitalObjectEvent):
    """A withdrawn object is valid again under its old PID."""

    activity_type = "ods:Restore"


EVENT_VERSIONS = (1, 2)
"""Every event schema version that can be read; the last is the one written."""

EVENT_CLASSES: dict[str, type[DigitalObjectEvent]] = {
    cls.activity_type: cls for cls in (Created, Updated, Tombstoned, Restored)
}


def event_from_json(
    value: dict[str, Json], position: int | None = None, recorded: datetime | None = None
) -> DigitalObjectEvent:
    """Read what :meth:`DigitalObjectEvent.to_json` wrote, of any earlier event version."""
    activity = value["activity"]
    cause = activity.get("cause")
    source = value.get("source")
    return EVENT_CLASSES[activity["type"]](
        originator_id=value["object"],
        originator_version=value["version"],
        object_type=value["type"],
        activity=Activity(
            id=UUID(activity["id"]),
            started=from_text(activity["started"]),
            ended=from_text(activity["ended"]),
            comment=activity.get("comment"),
            cause=Cause(cause["kind"], cause["id"]) if cause else None,
        ),
        agents=tuple(Agent.from_json(agent) for agent in value["agents"]),
        patch=value["patch"],
        digest=value["digest"],
        schema=value["schema"],
        occurred=from_text(value["occurred"]),
        source=Source(source["system"], source["archive"], source["record"], source["mapping"]) if source else None,
        previous=value.get("previous"),
        undoes=value.get("undoes"),
        event_version=value["event"],
        position=position,
        recorded=recorded,
    )
