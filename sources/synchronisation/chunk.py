"""One chunk of records: read, mapped, and freed of what cannot be kept or stands twice."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import orjson

from domain.digital_object import Content, content_of
from domain.errors import InvalidDocument, RefusedInput
from domain.representation import missing_terms
from sources.mapping.fields import Notice
from sources.mapping.mapping import SourceSettings
from sources.records import Malformed
from sources.synchronisation import source_records
from sources.synchronisation.candidates import MEDIA, SPECIMEN, Candidate, SourceFile, Unread
from sources.synchronisation.runs import RunItem
from sources.synchronisation.source_records import Key, SourceRecord
from sources.synchronisation.source_system import SourceSystem
from store.ledger import Ledger

EXTENSION_ROW = "extension row"

LONGEST_KEY = 1500
"""Bytes of an identifier; PostgreSQL cannot index much more."""

SHOWN = 200
"""Characters of an identifier that is only shown."""


@dataclass
class Chunk:
    """Records of one chunk after reading: unchanged ones by what was read alone, and mapped candidates.

    ``parked_known`` are keys of what is known but cannot be read now, so that it does not count as
    missing; ``unidentified`` counts rows that could be any record (True) or medium (False).
    ``places`` are in the order of the file.
    """

    places: list[str]
    candidates: list[Candidate] = field(default_factory=list)
    unchanged: list[tuple[Unread, SourceRecord]] = field(default_factory=list)
    parked: list[RunItem] = field(default_factory=list)
    parked_known: list[Key] = field(default_factory=list)
    unidentified: Counter[bool] = field(default_factory=Counter)
    notices: list[Notice] = field(default_factory=list)

    @classmethod
    def read(
        cls,
        ledger: Ledger,
        file: SourceFile,
        source: SourceSystem,
        settings: SourceSettings,
        found: Iterable[Unread | Malformed],
        run_id: UUID,
        thorough: bool = False,
    ) -> Chunk:
        """Map what is not byte for byte what the source said last under the same mapping, or with ``thorough`` all.

        What a killed try of the same run stored is mapped again, for the sake of its notices.
        """
        items = list(found)
        chunk = cls([item.place for item in items])
        salt = orjson.dumps([settings.organisation_id, settings.organisation_name])
        ids = [item.id or "" if isinstance(item, Malformed) else item.record_id for item in items]
        known = source_records.by_record_id(ledger, source.pid, ids)
        for item, record_id in zip(items, ids, strict=True):
            records = known.get(record_id, [])
            if isinstance(item, Malformed):
                kind = SPECIMEN if item.of_record else EXTENSION_ROW
                parked = RunItem(kind, "parked", item.id and item.id[:SHOWN], item.place, reason=item.reason)
                chunk._park(parked, records if item.of_record else ())
                chunk.unidentified[item.of_record] += item.id is None
                continue
            salted = hashlib.sha256(item.record_digest + salt).digest()
            unread = Unread(item.place, item.record_id, salted, item.content, item.weight)
            as_before = [
                record
                for record in records
                if record.present and record.record_digest == unread.record_digest and record.run != run_id
            ]
            if as_before and not thorough:
                chunk.unchanged.append((unread, as_before[0]))
            else:
                chunk._map(file, settings, unread, records)
        return chunk

    def _park(self, item: RunItem, known: Iterable[SourceRecord]) -> None:
        self.parked.append(item)
        for record in known:
            self.parked_known.extend([(record.type, record.key), *((MEDIA, key) for key in record.media)])

    def _map(self, file: SourceFile, settings: SourceSettings, unread: Unread, known: list[SourceRecord]) -> None:
        try:
            _must_fit(unread.record_id)
            candidate = file.read(unread, settings)
            iri = candidate.document.get("@id")
            candidate = replace(candidate, document=_kept(candidate.key, candidate.document), iri=iri)
        except RefusedInput as error:
            item = RunItem(SPECIMEN, "parked", unread.record_id[:SHOWN], unread.place, reason=str(error))
            self._park(item, known)
            return
        candidate = self._with_sound_media(candidate)
        self.candidates.append(candidate)
        self.notices.extend({notice.kind: notice for notice in reversed(candidate.notices)}.values())
        self.notices.extend(
            Notice(f"{term} is required by openDS but neither the record nor the settings of the source say it")
            for term in missing_terms(candidate.document)
        )

    def _with_sound_media(self, candidate: Candidate) -> Candidate:
        """The candidate without media that cannot be kept; parks those."""
        if not (candidate.media or candidate.parked_media):
            return candidate
        media: list[tuple[str, dict[str, Any]]] = []
        parked = list(candidate.parked_media)
        for key, document in candidate.media:
            try:
                media.append((key, _kept(key, document)))
            except RefusedInput as error:
                parked.append((candidate.unread.place, str(error)))
        if not parked:
            return replace(candidate, media=tuple(media))
        at: Counter[str] = Counter()
        for place, reason in parked:
            at[place] += 1
            where = place if at[place] == 1 else f"{place}, no. {at[place]}"
            self.parked.append(RunItem(MEDIA, "parked", None, where, reason=reason))
        self.unidentified[False] += len(parked)
        # So that the next run, too, reads this record and says what is wrong with it.
        unlike = hashlib.sha256(candidate.unread.record_digest + b"parked").digest()
        return replace(candidate, media=tuple(media), unread=replace(candidate.unread, record_digest=unlike))

    def keys(self) -> list[Key]:
        """Every natural key of this chunk, for the record of what was seen."""
        keys = [(record.type, record.key) for _, record in self.unchanged]
        keys.extend((MEDIA, key) for _, record in self.unchanged for key in record.media)
        keys.extend((candidate.type, candidate.key) for candidate in self.candidates)
        keys.extend((MEDIA, key) for candidate in self.candidates for key, _ in candidate.media)
        return keys

    def park_duplicates(self, new: set[Key]) -> None:
        """Park every record whose natural key an earlier record of the same file has; ``new`` are the others."""
        fresh = set(new)

        def first(key: Key, unread: Unread) -> bool:
            if key in fresh:
                fresh.discard(key)
                return True
            reason = f"an earlier record of this file has the same identifier {key[1]!r}"
            self.parked.append(RunItem(key[0], "parked", key[1], unread.place, reason=reason))
            return False

        order = {place: number for number, place in enumerate(self.places)}
        in_order = sorted(
            [((record.type, record.key), unread) for unread, record in self.unchanged]
            + [((candidate.type, candidate.key), candidate.unread) for candidate in self.candidates],
            key=lambda pair: order[pair[1].place],
        )
        kept = {id(unread) for key, unread in in_order if first(key, unread)}
        self.unchanged = [pair for pair in self.unchanged if id(pair[0]) in kept]
        self.candidates = [candidate for candidate in self.candidates if id(candidate.unread) in kept]


def in_chunks(items: Iterable[Unread | Malformed], weight: int) -> Iterator[list[Unread | Malformed]]:
    """Lists of at most ``weight`` records of usual size, or of one that is larger alone."""
    chunk: list[Unread | Malformed] = []
    total = 0
    for item in items:
        adding = item.weight if isinstance(item, Unread) else 1
        if chunk and total + adding > weight:
            yield chunk
            chunk, total = [], 0
        chunk.append(item)
        total += adding
    if chunk:
        yield chunk


def _kept(key: str, document: dict[str, Any]) -> Content:
    """The content of a record as it will be kept; raises a :class:`RefusedInput` when it cannot be."""
    _must_fit(key)
    return content_of(document, given_away=True)


def _must_fit(key: str) -> None:
    if len(key.encode()) > LONGEST_KEY:
        raise InvalidDocument(f"an identifier of more than {LONGEST_KEY} bytes, which begins {key[:SHOWN]!r}")
