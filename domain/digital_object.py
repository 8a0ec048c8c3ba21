"""The digital object: its state as the fold of its events, and the decisions that make new events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from domain.agents import Agent
from domain.canonical import canonical_bytes, digest, normal_form
from domain.diff import verified_diff
from domain.errors import Conflict, IntegrityFailure, InvalidDocument, InvalidPatch, NothingToChange
from domain.events import Activity, Cause, Change, Created, DigitalObjectEvent, Restored, Source, Tombstoned, Updated
from domain.identity import put_sets_in_order, with_sets_in_order
from domain.opends import OBJECT_TYPES, TOMBSTONE_TERM, computed_terms, object_iri
from domain.patch import apply_in_place, copy_of
from domain.times import now, to_text


@dataclass(frozen=True)
class Provenance:
    """Who decided, when it happened by their account, why, and from which record.

    ``activity`` makes the decision idempotent: the same id recorded twice is stored once.
    ``undoes`` is the first of the versions that the decision takes back.
    """

    agents: tuple[Agent, ...]
    occurred: datetime = field(default_factory=now)
    activity: UUID = field(default_factory=uuid4)
    started: datetime | None = None
    comment: str | None = None
    cause: Cause | None = None
    source: Source | None = None
    undoes: int | None = None

    def __post_init__(self) -> None:
        if not self.agents:
            raise InvalidDocument("a change needs at least one agent who answers for it")


MAX_CONTENT_BYTES = 16 * 1024 * 1024


class Content(dict[str, Any]):
    """A document that :func:`content_of` has accepted, so that it need not be checked again. Read-only by agreement.

    ``canonical`` are its RFC 8785 bytes.
    """

    def __init__(self, document: dict[str, Any], canonical: bytes) -> None:
        super().__init__(document)
        self.canonical = canonical

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes, in hexadecimal digits."""
        return sha256(self.canonical).hexdigest()


@dataclass(frozen=True)
class Snapshot:
    """The folded state of one object at one version, so that reading need not start at version 1.

    ``shared``: whether somebody else has the document, too, so that it is copied before anything follows.
    """

    originator_id: str
    originator_version: int
    object_type: str
    document: dict[str, Any]
    tombstoned: bool
    created: datetime
    recorded: datetime | None
    occurred: datetime
    event_hash: str
    shared: bool = field(default=True, compare=False, repr=False)


@dataclass
class DigitalObject:
    """One object at one version.

    ``document`` is the asserted content (the computed envelope is added by
    ``domain.representation``). ``head`` is the event that made this version, or only its hash where
    a snapshot stands for it. Decision methods return the event for the next version and change
    nothing here: the state moves only by :func:`project`.
    """

    id: str
    version: int
    object_type: str
    document: dict[str, Any]
    tombstoned: bool
    created: datetime
    recorded: datetime | None
    occurred: datetime
    head: DigitalObjectEvent | str | None = field(compare=False)
    borrowed: bool = field(default=False, compare=False, repr=False)
    """Whether the document is that of an event or a snapshot still, and is copied before a patch is applied."""

    @property
    def canonical(self) -> bytes:
        """The RFC 8785 bytes of the document."""
        if self.borrowed and isinstance(self.head, Created):
            return self.head.canonical
        return canonical_bytes(self.document)

    @property
    def event_hash(self) -> str:
        """The hash of the event that made this version; the next event names it."""
        assert self.head is not None, "the last event was folded without what it says"
        return self.head if isinstance(self.head, str) else self.head.hash

    def then(self, event: DigitalObjectEvent) -> DigitalObject:
        """The state after the next event, before it is recorded; this one stays as it is."""
        state = project(replace(self, borrowed=True), [event])
        assert state is not None
        return state

    @staticmethod
    def create(pid: str, document: Any, provenance: Provenance) -> Created:
        """The event that begins object ``pid`` with this document (openDS, any known ``@type``).

        Raises :class:`InvalidDocument` or :class:`UnrepresentableJson`.
        """
        content = content_of(document)
        patch = [{"op": "add", "path": "", "value": content}]
        return Created(**_event(pid, 1, content, patch, provenance))

    def update(self, document: Any, provenance: Provenance) -> Updated:
        """The event that replaces the content by ``document``.

        Raises :class:`NothingToChange` when it is the same, :class:`Conflict` on a tombstoned object.
        """
        self._must_be_active("changed")
        content = content_of(document)
        return Updated(**self._next(content, provenance))

    def tombstone(self, reason: str, provenance: Provenance, related: Iterable[tuple[str, str]] = ()) -> Tombstoned:
        """The event that withdraws the object, keeping its content readable.

        ``related`` are (PID IRI, openDS relationship type such as IsReplacedWith).
        """
        self._must_be_active("tombstoned")
        if not reason.strip():
            raise InvalidDocument("a tombstone needs a reason")
        metadata: dict[str, Any] = {
            "@type": "ods:Tombstone",
            "ods:tombstoneDate": to_text(provenance.occurred),
            "ods:tombstoneText": reason,
            "ods:hasAgents": [
                {"@id": agent.id, "@type": _OPENDS_AGENT[agent.kind.value]} for agent in provenance.agents
            ],
        }
        pids = [
            {"@type": "ods:RelatedPID", "dcterms:identifier": iri, "ods:relationshipType": relation}
            for iri, relation in related
        ]
        if pids:
            metadata["ods:hasRelatedPIDs"] = pids
        return self.tombstone_as(self.document, metadata, provenance)

    def tombstone_as(self, document: dict[str, Any], metadata: Any, provenance: Provenance) -> Tombstoned:
        """The event that withdraws the object with this content and these tombstone metadata, as when it was before."""
        self._must_be_active("tombstoned")
        content = with_sets_in_order(normal_form({**document, TOMBSTONE_TERM: metadata}))
        return Tombstoned(**self._next(content, provenance))

    def restore(self, provenance: Provenance, document: Any = None) -> Restored:
        """The event that makes a tombstoned object valid again, with its old or a new content."""
        if not self.tombstoned:
            raise Conflict(f"{self.id} is not tombstoned, so it cannot be restored")
        content = content_of(self.document if document is None else document)
        return Restored(**self._next(content, provenance))

    def _must_be_active(self, verb: str) -> None:
        if self.tombstoned:
            raise Conflict(f"{self.id} is tombstoned since version {self.version}; restore it before it is {verb}")

    def _next(self, content: dict[str, Any], provenance: Provenance) -> dict[str, Any]:
        if content["@type"] != self.object_type:
            raise InvalidDocument(f"{self.id} is a {self.object_type}; it cannot become a {content['@type']}")
        patch = verified_diff(self.document, content)
        if not patch:
            raise NothingToChange(f"{self.id} already is as requested at version {self.version}")
        return _event(self.id, self.version + 1, content, patch, provenance, self.event_hash)


def content_of(document: Any, *, given_away: bool = False) -> Content:
    """The asserted part of an openDS document: normal form, sets in order, computed terms left out.

    A document that is ``given_away`` is not used again, so that it need not be copied (see
    :func:`domain.canonical.normal_form`).

    Raises :class:`InvalidDocument` when it is no object of a known ``@type``, and
    :class:`UnrepresentableJson` when something in it cannot be kept exactly.
    """
    if isinstance(document, Content):
        return document
    content = normal_form(document, given_away=given_away)
    if not isinstance(content, dict):
        raise InvalidDocument("a document is a JSON object")
    kind = OBJECT_TYPES.get(content.get("@type", "")) if isinstance(content.get("@type", ""), str) else None
    if kind is None:
        known = ", ".join(OBJECT_TYPES)
        raise InvalidDocument(f"@type {content.get('@type')!r} is not one of {known}")
    for term in computed_terms(kind.name):
        content.pop(term, None)
    put_sets_in_order(content)
    canonical = canonical_bytes(content)
    if len(canonical) > MAX_CONTENT_BYTES:
        raise InvalidDocument(
            f"a document of {len(canonical)} bytes is larger than the {MAX_CONTENT_BYTES} that are kept"
        )
    return Content(content, canonical)


def project(
    state: DigitalObject | None, events: Iterable[DigitalObjectEvent | Change | Snapshot]
) -> DigitalObject | None:
    """Fold events (in version order, optionally after a snapshot) into the state they lead to.

    The returned object is new; a given ``state`` is changed in place and must not be used again. All but the last may
    be given as a :class:`Change`: the next event names the whole of the last one.
    Raises :class:`IntegrityFailure` when a version is missing or a patch does not apply.
    """
    for event in events:
        if isinstance(event, Snapshot):
            state = DigitalObject(
                event.originator_id,
                event.originator_version,
                event.object_type,
                event.document,
                event.tombstoned,
                event.created,
                event.recorded,
                event.occurred,
                event.event_hash,
                borrowed=event.shared,
            )
            continue
        expected = 1 if state is None else state.version + 1
        if event.originator_version != expected:
            raise IntegrityFailure(
                f"{event.originator_id}: version {expected} is missing from the log (found {event.originator_version})"
            )
        begins = event.document if state is None and isinstance(event, (Created, Change)) else None
        try:
            if begins is not None:
                document = begins
            else:
                document = {} if state is None else copy_of(state.document) if state.borrowed else state.document
                document = apply_in_place(document, event.patch)
        except InvalidPatch as error:
            raise IntegrityFailure(
                f"{event.originator_id}/{event.originator_version}: its patch does not apply: {error}"
            ) from None
        if state is None:
            state = DigitalObject(
                event.originator_id,
                1,
                event.object_type,
                document,
                tombstoned=False,
                created=event.recorded or event.occurred,
                recorded=event.recorded,
                occurred=event.occurred,
                head=_head(event),
                # A Change is made to be folded; nobody else has its values.
                borrowed=begins is not None and isinstance(event, Created),
            )
            continue
        state.version = event.originator_version
        state.document, state.borrowed = document, False
        state.tombstoned = event.activity_type == Tombstoned.activity_type or (
            state.tombstoned and event.activity_type != Restored.activity_type
        )
        state.recorded = event.recorded
        state.occurred = event.occurred
        state.head = _head(event)
    return state


def _head(event: DigitalObjectEvent | Change) -> DigitalObjectEvent | None:
    return None if isinstance(event, Change) else event


def snapshot_of(state: DigitalObject) -> Snapshot:
    """The state as a snapshot; the document is shared, so do not fold further into ``state``."""
    return Snapshot(
        state.id,
        state.version,
        state.object_type,
        state.document,
        state.tombstoned,
        state.created,
        state.recorded,
        state.occurred,
        state.event_hash,
    )


_OPENDS_AGENT = {
    "prov:Person": "prov:Person",
    "prov:Organization": "schema:Organization",
    "prov:SoftwareAgent": "prov:SoftwareAgent",
}


def _event(
    pid: str,
    version: int,
    content: dict[str, Any],
    patch: list[dict[str, Any]],
    provenance: Provenance,
    previous: str | None = None,
) -> dict[str, Any]:
    moment = now()
    kind = OBJECT_TYPES[content["@type"]]
    return {
        "originator_id": pid,
        "originator_version": version,
        "object_type": kind.name,
        "activity": Activity(
            provenance.activity,
            min(provenance.started or moment, moment),
            moment,
            provenance.comment,
            provenance.cause,
        ),
        "agents": provenance.agents,
        "patch": patch,
        "digest": content.digest if isinstance(content, Content) else digest(content),
        "schema": kind.schema,
        "occurred": provenance.occurred,
        "source": provenance.source,
        "previous": previous,
        "undoes": provenance.undoes,
    }


def iri_of(state: DigitalObject) -> str:
    """The resolvable IRI of the object."""
    return object_iri(state.object_type, state.id)
