"""Compares what a source says now with what it said last and with what curators made of it, and decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from domain.canonical import same
from domain.digital_object import Content, DigitalObject, Provenance, content_of
from domain.errors import InvalidIdentifier, NothingToChange
from domain.events import DigitalObjectEvent
from domain.identity import with_sets_in_order
from domain.merge import MergeConflict, Prefer, merge
from domain.opends import object_iri
from domain.pid import mint
from domain.pid import parse as parse_pid
from sources.synchronisation import source_records
from sources.synchronisation.candidates import MEDIA, SPECIMEN, Candidate
from sources.synchronisation.decisions import Decision, Decisions, activity_id, asserted, conflict_to_json
from sources.synchronisation.runs import RunItem
from sources.synchronisation.source_records import SourceRecord
from sources.synchronisation.source_system import SourceSystem
from store.ledger import Ledger

ProvenanceOf = Callable[[SourceRecord, UUID], Provenance]


def decide(
    ledger: Ledger,
    candidates: Sequence[Candidate],
    source: SourceSystem,
    run_id: UUID,
    prefer: Prefer,
    provenance: ProvenanceOf,
    gone: Sequence[SourceRecord] = (),
) -> Decisions:
    """Compare every candidate with what the source said last, and decide what follows from it.

    ``gone`` are records being tombstoned: media that others still list no longer name them. Reads
    the present state of the objects concerned; stores nothing.
    """
    return _Comparison(ledger, candidates, source, run_id, prefer, provenance, gone).decisions()


@dataclass(frozen=True)
class _Statement:
    """What the source says now about one record: its content and everything for its next source record."""

    type: str
    key: str
    content: Content
    record_id: str
    record_digest: bytes
    media: tuple[str, ...]
    place: str | None

    @property
    def digest(self) -> bytes:
        """SHA-256 of the content."""
        return bytes.fromhex(self.content.digest)


class _Comparison:
    def __init__(
        self,
        ledger: Ledger,
        candidates: Sequence[Candidate],
        source: SourceSystem,
        run_id: UUID,
        prefer: Prefer,
        provenance: ProvenanceOf,
        gone: Sequence[SourceRecord],
    ) -> None:
        self._ledger = ledger
        self._candidates = list(candidates)
        self._source = source
        self._run_id = run_id
        self._prefer = prefer
        self._provenance = provenance
        self._gone = [record for record in gone if record.type == SPECIMEN]
        self._out = Decisions()

    def decisions(self) -> Decisions:
        if not (self._candidates or self._gone):
            return self._out
        keys = [(candidate.type, candidate.key) for candidate in self._candidates]
        self._records = source_records.by_key(self._ledger, self._source.pid, keys)
        affected = self._affected_media()
        self._records.update(source_records.by_key(self._ledger, self._source.pid, ((MEDIA, key) for key in affected)))
        self._assign_pids(affected)
        statements = [self._specimen(candidate) for candidate in self._candidates]
        statements.extend(self._media(affected))
        changed = [statement for statement in statements if self._differs(statement)]
        self._load_states(changed)
        for statement in changed:
            self._decide(statement)
        return self._out

    # -- statements -------------------------------------------------------------------------------

    def _affected_media(self) -> list[str]:
        """Media that candidates list now or listed before, and those of specimens that go."""
        affected: dict[str, None] = {key: None for record in self._gone for key in record.media}
        for candidate in self._candidates:
            affected.update((key, None) for key, _ in candidate.media)
            record = self._records.get((candidate.type, candidate.key))
            affected.update((key, None) for key in (record.media if record else ()))
        return list(affected)

    def _assign_pids(self, media: list[str]) -> None:
        """A PID for every object concerned: the known one, the document's own, or a new one."""
        self._pids = {key: record.pid for key, record in self._records.items()}
        brought = {
            (candidate.type, candidate.key): own
            for candidate in self._candidates
            if (candidate.type, candidate.key) not in self._pids and (own := _own_pid(candidate)) is not None
        }
        taken = self._ledger.taken_pids(list(brought.values()))
        kept = []
        for candidate in self._candidates:
            key = (candidate.type, candidate.key)
            own = brought.get(key)
            if own in taken:
                reason = f"its PID {own} is that of another record or source in this ledger"
                self._out.others.append(RunItem(key[0], "parked", key[1], candidate.unread.place, reason=reason))
                continue
            kept.append(candidate)
            if own is not None:
                self._pids[key] = own
                taken.add(own)
        self._candidates = kept
        wanted = [(candidate.type, candidate.key) for candidate in self._candidates]
        wanted.extend((MEDIA, key) for key in media)
        new = [key for key in dict.fromkeys(wanted) if key not in self._pids]
        # Whether another object has one of these is seen when they are appended; then all is decided afresh.
        self._pids.update((key, mint(self._ledger.settings.prefix)) for key in new)

    def _specimen(self, candidate: Candidate) -> _Statement:
        document = candidate.document
        media = tuple(key for key, _ in candidate.media)
        if media:
            related = [_relationship("hasDigitalMedia", object_iri(MEDIA, self._pids[MEDIA, key])) for key in media]
            relations = [*document.get("ods:hasEntityRelationships", []), *related]
            document = {**document, "ods:hasEntityRelationships": relations}
        unread = candidate.unread
        return _Statement(
            candidate.type,
            candidate.key,
            content_of(document),
            unread.record_id,
            unread.record_digest,
            media,
            unread.place,
        )

    def _media(self, affected: list[str]) -> list[_Statement]:
        """Media with the specimens that list them; media nobody lists any more are found missing later."""
        if not affected:
            return []
        here = {candidate.key for candidate in self._candidates if candidate.type == SPECIMEN}
        here.update(record.key for record in self._gone)
        listing: dict[str, dict[str, str]] = {key: {} for key in affected}
        for specimen, pid, listed in source_records.specimens_listing(self._ledger, self._source.pid, affected):
            if specimen not in here:
                for key in listed:
                    if key in listing:
                        listing[key][specimen] = pid
        described: dict[str, tuple[Candidate, dict[str, Any]]] = {}
        for candidate in self._candidates:
            for key, document in candidate.media:
                listing[key][candidate.key] = self._pids[SPECIMEN, candidate.key]
                described.setdefault(key, (candidate, document))
        return [
            statement
            for key in affected
            if listing[key] and (statement := self._medium(key, listing[key], described.get(key))) is not None
        ]

    def _medium(
        self, key: str, listing: dict[str, str], described: tuple[Candidate, dict[str, Any]] | None
    ) -> _Statement | None:
        record = self._records.get((MEDIA, key))
        describer = described[0].key if described else None
        if record is not None and record.record_id in listing and record.record_id != describer:
            # Several specimens list this medium; the first one describes it as long as it lists it.
            describer, document = record.record_id, self._last_statement(record)
        elif described is not None:
            document = described[1]
        elif record is not None:
            describer, document = min(listing), self._last_statement(record)
        else:
            return None
        relations = [
            relation
            for relation in document.get("ods:hasEntityRelationships", [])
            if relation.get("dwc:relationshipOfResource") != "hasDigitalSpecimen"
        ]
        relations.extend(_relationship("hasDigitalSpecimen", object_iri(SPECIMEN, pid)) for pid in listing.values())
        content = content_of({**document, "ods:hasEntityRelationships": relations})
        place = described[0].unread.place if described else None
        return _Statement(MEDIA, key, content, str(describer), bytes.fromhex(content.digest), (), place)

    def _last_statement(self, record: SourceRecord) -> dict[str, Any]:
        """The document the source's last statement was mapped to."""
        if record.document is not None:
            document: dict[str, Any] = self._ledger.mapper.unpack(record.document)
            return document
        assert record.version is not None
        return asserted(self._ledger.get(record.pid, record.version, to_follow=False))

    # -- comparison -------------------------------------------------------------------------------

    def _differs(self, statement: _Statement) -> bool:
        """Whether the statement says something new; one that does not at most updates the source record."""
        record = self._records.get((statement.type, statement.key))
        if record is None:
            return True
        if not record.present or statement.digest != record.document_digest:
            return True
        same_reading = (record.record_digest, record.record_id, record.media) == (
            statement.record_digest,
            statement.record_id,
            statement.media,
        )
        if not same_reading:
            self._out.records.append(self._next_record(statement, record.pid, record.version, record.document))
        return False

    def _load_states(self, changed: list[_Statement]) -> None:
        known = [record for statement in changed if (record := self._records.get((statement.type, statement.key)))]
        versions = self._ledger.versions_at([record.pid for record in known])
        self._states = {state.id: state for state in self._ledger.states(versions)}
        past = {
            record.pid: record.version
            for record in known
            if record.version is not None and record.version != versions[record.pid]
        }
        self._past = {state.id: asserted(state) for state in self._ledger.states(past)}

    def _decide(self, statement: _Statement) -> None:
        record = self._records.get((statement.type, statement.key))
        pid = self._pids[statement.type, statement.key]
        if record is None:
            fresh = self._next_record(statement, pid, 1, None)
            event = DigitalObject.create(pid, statement.content, self._provenance(fresh, self._activity(fresh, 0)))
            item = RunItem(statement.type, "created", statement.key, statement.place, pid, None, 1)
            self._out.made.append(Decision(item, fresh, event, None))
            return
        state = self._states[pid]
        item = RunItem(statement.type, "conflict", statement.key, statement.place, pid, state.version, previous=record)
        if state.tombstoned and record.present:
            # What the source said last is left as it was, so that this change counts once the object is restored.
            conflict = {"pointer": "", "kept": Prefer.CURATED.value}
            reason = "the object was tombstoned here, so the change of the source waits until it is restored"
            self._out.others.append(replace(item, reason=reason, details={"conflicts": [conflict]}))
            return
        self._decide_change(statement, record, state, item)

    def _decide_change(self, statement: _Statement, record: SourceRecord, state: DigitalObject, item: RunItem) -> None:
        base, curated = self._base(record, state), asserted(state)
        merged, conflicts = self._merged(statement, base, curated)
        details = {"conflicts": [conflict_to_json(conflict) for conflict in conflicts]} if conflicts else None
        said = replace(record, record_id=statement.record_id)
        provenance = self._provenance(said, self._activity(record, state.version))
        if not same(base, curated):
            # The version says what curators said, too: it occurred when the last of what it says was said.
            provenance = replace(provenance, occurred=max(provenance.occurred, state.occurred))
        event: DigitalObjectEvent | None
        try:
            event = state.restore(provenance, merged) if state.tombstoned else state.update(merged, provenance)
        except NothingToChange:
            event = None
        equal = same(merged, statement.content)
        version = (event.originator_version if event else state.version) if equal else None
        packed = None if equal else self._packed(statement)
        kept = self._next_record(statement, state.id, version, packed)
        if event is None:
            self._out.records.append(kept)
            self._out.others.append(replace(item, outcome="conflict" if conflicts else "agreed", details=details))
            return
        outcome = "restored" if state.tombstoned else "updated"
        item = replace(item, outcome=outcome, version_after=event.originator_version, details=details)
        self._out.made.append(Decision(item, kept, event, state))

    def _base(self, record: SourceRecord, state: DigitalObject) -> dict[str, Any]:
        """What the source said last about a record."""
        if record.document is not None:
            document: dict[str, Any] = self._ledger.mapper.unpack(record.document)
            return document
        return asserted(state) if record.version == state.version else self._past[state.id]

    def _merged(
        self, statement: _Statement, base: dict[str, Any], curated: dict[str, Any]
    ) -> tuple[dict[str, Any], list[MergeConflict]]:
        if same(base, curated):
            return statement.content, []
        merged, conflicts = merge(base, statement.content, curated, self._prefer)
        return with_sets_in_order(merged), conflicts

    def _next_record(
        self, statement: _Statement, pid: str, version: int | None, document: bytes | None
    ) -> SourceRecord:
        return SourceRecord(
            statement.type,
            statement.key,
            statement.record_id,
            pid,
            statement.record_digest,
            statement.digest,
            version,
            document,
            statement.media,
            present=True,
            run=self._run_id,
        )

    def _packed(self, statement: _Statement) -> bytes:
        return self._ledger.mapper.pack(statement.content)

    def _activity(self, record: SourceRecord, version: int) -> UUID:
        return activity_id(self._run_id, record, version)


def _relationship(name: str, iri: str) -> dict[str, str]:
    return {
        "@type": "ods:EntityRelationship",
        "dwc:relationshipOfResource": name,
        "dwc:relatedResourceID": iri,
        "ods:relatedResourceURI": iri,
    }


def _own_pid(candidate: Candidate) -> str | None:
    """The PID a document brings in ``@id``, if it is one."""
    if not isinstance(candidate.iri, str):
        return None
    try:
        return parse_pid(candidate.iri)[0]
    except InvalidIdentifier:
        return None
