"""Synchronisation: finds what really changed between what a source said last and what it says now."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any, cast
from uuid import UUID, uuid4

import orjson
from psycopg import Connection

from domain.agents import Agent, AgentKind, Role
from domain.canonical import same
from domain.digital_object import DigitalObject, Provenance
from domain.errors import InvalidArchive, NotFound
from domain.events import Cause
from domain.merge import Prefer
from domain.times import now, to_text
from sources.mapping.fields import Notice
from sources.mapping.mapping import SourceSettings
from sources.records import Malformed
from sources.synchronisation import runs, source_records
from sources.synchronisation.candidates import MEDIA, Candidate, SourceFile
from sources.synchronisation.chunk import EXTENSION_ROW, Chunk, in_chunks
from sources.synchronisation.comparison import decide
from sources.synchronisation.contention import held, settle
from sources.synchronisation.decisions import Decision, Decisions, activity_id, asserted
from sources.synchronisation.runs import RunItem
from sources.synchronisation.source_records import Key, SourceRecord
from sources.synchronisation.source_system import SOFTWARE, SourceSystem, check_name, ensure_source, find_source
from store.behind import Behind
from store.ledger import Ledger, due_snapshots

CHUNK = 1000

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Options:
    """How to synchronise.

    ``source`` names the source system. ``occurred``: when the archive's statements were made
    (default: its publication date, else now). ``tombstone_missing``: withdraw records that the
    archive no longer has, instead of only reporting them. ``prefer``: who wins where source and
    curation changed the same term. ``organisation``: ROR or Wikidata IRI for records without one.
    ``requestor``: the person on whose request this happens. ``thorough``: map every record and compare it with the
    log, also one that is noted to be read byte for byte as before.
    """

    source: str
    occurred: datetime | None = None
    tombstone_missing: bool = False
    prefer: Prefer = Prefer.CURATED
    dry_run: bool = False
    organisation: str | None = None
    requestor: Agent | None = None
    thorough: bool = False


@dataclass
class Report:
    """What a run did; counts are of records, ``media`` holds the same for media objects."""

    run: UUID
    source: str
    dry_run: bool = False
    read: int = 0
    created: int = 0
    updated: int = 0
    restored: int = 0
    unchanged: int = 0
    missing: int = 0
    tombstoned: int = 0
    conflicts: int = 0
    parked: int = 0
    media: dict[str, int] = field(default_factory=dict)
    notices: dict[str, int] = field(default_factory=dict)
    warning: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The report under the names the command prints."""
        value = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "warning"}
        value["run"] = str(self.run)
        if self.warning:
            value["warning"] = self.warning
        return value


def synchronise(
    ledger: Ledger, file: SourceFile, options: Options, progress: Progress = lambda _done, _total: None
) -> Report:
    """Bring one source up to date with one file of its records.

    Works in transactions of a thousand records. It can be killed at any moment: started again
    with the same file and options it goes on under the same run and ends in the same state.
    ``progress`` is told (records done, records in all or None).

    Raises :class:`SourceBusy` when another run is at the same source, :class:`InvalidArchive` when
    the file cannot be read; records that cannot be used are parked in the run, and the rest go on.
    """
    return _Synchronisation(ledger, file, options, progress).run()


class _Synchronisation:
    def __init__(self, ledger: Ledger, file: SourceFile, options: Options, progress: Progress) -> None:
        self._ledger = ledger
        self._file = file
        self._options = options
        self._progress = progress
        self._occurred = options.occurred or file.metadata.published or now()
        self._started = now()
        self._dry_items: list[RunItem] = []
        self._notices: Counter[str] = Counter()
        self._examples: dict[str, Notice] = {}
        self._unidentified: Counter[bool] = Counter()
        self._parked_known: list[Key] = []

    def run(self) -> Report:
        options = self._options
        check_name(options.source)
        if options.dry_run:
            source = find_source(self._ledger, options.source) or SourceSystem.imagined(self._ledger, options.source)
        else:
            source = ensure_source(self._ledger, options.source, self._file, self._occurred, options.requestor)
        self._source = source
        with held(self._ledger, source.pid, options.source) as connection:
            source_records.run(connection, "create_seen")
            try:
                return self._run(connection)
            finally:
                connection.execute("DROP TABLE IF EXISTS pg_temp.seen")

    def _run(self, connection: Connection[Any]) -> Report:
        self._run_id = self._begin()
        warnings = list(self._doubts_about_time())
        read = 0
        try:
            with Behind() as behind:
                for found in in_chunks(self._file.records(), CHUNK):
                    behind.do(partial(self._settle, self._prepared(connection, found)))
                    if read:
                        self._progress(read, self._file.count)
                    read += sum(not isinstance(item, Malformed) or item.of_record for item in found)
            self._progress(read, self._file.count)
        except InvalidArchive as error:  # no further try with this file can go on
            if not self._options.dry_run:
                text = orjson.dumps({"failed": str(error)}).decode()
                source_records.fetch(self._ledger, "finish_run", (text, self._run_id))
            raise
        warnings.extend(self._find_missing(connection, read))
        return self._finish(read, "; ".join(warnings) or None)

    def _doubts_about_time(self) -> Iterator[str]:
        """What a person may not have meant about the time of this file."""
        if self._occurred > now() + timedelta(days=1):
            yield f"{to_text(self._occurred)[:10]}, when the source is taken to have said this, lies in the future"
        later = source_records.fetch(self._ledger, "run_of_later_statement", (self._source.pid, self._occurred))
        for run_id, occurred in later:
            yield (
                f"this is older than what run {run_id} took from {to_text(occurred)[:10]}: "
                "what differs is current now, and what is the same is not recorded again with the earlier date"
            )

    def _begin(self) -> UUID:
        """The id of the run: that of a killed one with the same file and options, or a new one.

        A killed run goes on only when nothing else happened to the source since, and without a date
        of its own it keeps the time it began at.
        """
        dated = "given" if self._options.occurred else "published" if self._file.metadata.published else "started"
        options = {
            "missing": "tombstone" if self._options.tombstone_missing else "report",
            "prefer": self._options.prefer.value,
            "organisation": self._options.organisation,
            "occurred": dated,
        }
        same = (
            self._source.pid,
            "sync",
            self._file.metadata.sha256,
            self._file.mapping,
            orjson.dumps(options).decode(),
        )
        if self._options.dry_run:
            return uuid4()
        for found, occurred in source_records.fetch(self._ledger, "unfinished_run", same):
            if dated == "started" or occurred == self._occurred:
                self._occurred = occurred
                return cast("UUID", found)
        run_id = uuid4()
        source_records.fetch(self._ledger, "insert_run", (run_id, *same, self._occurred, self._started, None))
        return run_id

    def _provenance(self, record: SourceRecord, activity: UUID) -> Provenance:
        return Provenance(
            agents=self._agents,
            occurred=self._occurred,
            activity=activity,
            started=self._started,
            cause=self._cause,
            source=self._source.statement(self._file.metadata.sha256, record.record_id, self._file.mapping),
        )

    @cached_property
    def _cause(self) -> Cause:
        return Cause("run", str(self._run_id))

    @cached_property
    def _agents(self) -> tuple[Agent, ...]:
        requestor = self._options.requestor or Agent(self._source.iri, AgentKind.SOFTWARE, Role.REQUESTOR)
        return (requestor, Agent(SOFTWARE, AgentKind.SOFTWARE, Role.GENERATOR, on_behalf_of=requestor.id))

    def _prepared(self, connection: Connection[Any], found: list[Any]) -> Chunk:
        """Read and mapped; a record of the chunk before, which may not be stored yet, is a duplicate if it is here."""
        thorough = self._options.thorough
        chunk = Chunk.read(self._ledger, self._file, self._source, self._settings(), found, self._run_id, thorough)
        chunk.park_duplicates(self._newly_seen(connection, chunk))
        for notice in chunk.notices:
            self._notices[notice.kind] += 1
            self._examples.setdefault(notice.kind, notice)
        self._unidentified.update(chunk.unidentified)
        self._parked_known.extend(chunk.parked_known)
        return chunk

    def _settle(self, chunk: Chunk) -> None:
        self._store(Decisions(others=chunk.parked))
        settle(chunk.candidates, lambda candidates: self._store(self._decide(candidates)))

    def _decide(self, candidates: Sequence[Candidate], gone: Sequence[SourceRecord] = ()) -> Decisions:
        return decide(
            self._ledger, candidates, self._source, self._run_id, self._options.prefer, self._provenance, gone
        )

    def _settings(self) -> SourceSettings:
        return SourceSettings(self._options.source, self._source.pid, self._options.organisation)

    def _newly_seen(self, connection: Connection[Any], chunk: Chunk) -> set[Key]:
        keys = chunk.keys()
        return {
            (kind, key)
            for kind, key in source_records.run(
                connection, "mark_seen", ([kind for kind, _ in keys], [key for _, key in keys])
            )
        }

    def _store(self, decisions: Decisions) -> None:
        if self._options.dry_run:
            self._dry_items.extend(replace(item, previous=None) for item in decisions.items())
            return
        if not (decisions.made or decisions.records or decisions.others):
            return
        events = decisions.events()
        if events and not self._ledger.compressor.dictionary_id:
            self._ledger.learn_to_compress([orjson.dumps(event.to_json()) for event in events])

        def beside(connection: Connection[Any]) -> None:
            source_records.save_keys(connection, self._source.pid, decisions.new_keys())
            source_records.save(connection, self._source.pid, decisions.all_records())
            runs.save_items(connection, self._run_id, decisions.items())

        self._ledger.append(events, snapshots=due_snapshots(decisions.states()), beside=beside)

    def _find_missing(self, connection: Connection[Any], read: int) -> Iterator[str]:
        """Report or tombstone the records that this file does not have; yields a warning."""
        doubt = self._doubt(read)
        parked = self._parked_known
        source_records.run(connection, "mark_seen", ([kind for kind, _ in parked], [key for _, key in parked]))
        after: Key = ("", "")
        while absent := source_records.missing(connection, self._source.pid, after, CHUNK):
            after = (absent[-1].type, absent[-1].key)
            self._store(Decisions(others=[_missing(record) for record in absent]))
            if self._options.tombstone_missing:
                leaving = [record for record in absent if doubt is None or doubt.clears(record)]
                settle(leaving, lambda records: self._store(self._tombstones(connection, records)))
        if doubt is not None and self._options.tombstone_missing:
            yield f"missing {doubt.what} were reported but not tombstoned, because {doubt.why}"

    def _doubt(self, read: int) -> _Doubt | None:
        """Why records that seem to be missing may be in the file after all."""
        if read == 0:
            return _Doubt("records", "the file has no records")
        if self._unidentified[True]:
            return _Doubt("records", f"{self._unidentified[True]} rows could not be identified")
        if self._unidentified[False]:
            return _Doubt("media", f"{self._unidentified[False]} rows of extensions could not be identified")
        return None

    def _tombstones(self, connection: Connection[Any], absent: Sequence[SourceRecord]) -> Decisions:
        """Tombstones for records; what curators tombstoned before stays as the source said it last."""
        states = {state.id: state for state in self._ledger.states(self._ledger.versions_at([r.pid for r in absent]))}
        gone = [record for record in absent if not states[record.pid].tombstoned]
        listed = [key for record in gone for key in record.media]
        missing = {key for (key,) in source_records.run(connection, "unseen", (listed, MEDIA))}
        # A medium that is missing itself is not told anew who lists it.
        staying = [replace(each, media=tuple(key for key in each.media if key not in missing)) for each in gone]
        decisions = self._decide((), staying)
        for record in gone:
            state = states[record.pid]
            provenance = self._provenance(record, activity_id(self._run_id, record, state.version))
            if self._is_curated(record, state):
                provenance = replace(provenance, occurred=max(provenance.occurred, state.occurred))
            event = state.tombstone(
                f"absent from the archive {self._file.metadata.sha256} of the source {self._options.source}",
                provenance,
            )
            item = RunItem(
                record.type,
                "tombstoned",
                record.key,
                pid=record.pid,
                version_before=state.version,
                version_after=event.originator_version,
                previous=record,
            )
            decisions.made.append(Decision(item, replace(record, present=False, run=self._run_id), event, state))
        return decisions

    def _is_curated(self, record: SourceRecord, state: DigitalObject) -> bool:
        """Whether the object says something else than its source said last."""
        if record.version is None or record.version == state.version:
            return record.version is None
        return not same(asserted(self._ledger.get(record.pid, record.version, to_follow=False)), asserted(state))

    def _finish(self, read: int, warning: str | None) -> Report:
        report = Report(self._run_id, self._options.source, self._options.dry_run, read, warning=warning)
        tallies = self._tallies()
        media = Counter() if self._file.media_are_records else tallies.pop(MEDIA, Counter())
        rows = tallies.pop(EXTENSION_ROW, Counter())
        records = sum(tallies.values(), Counter())
        report.unchanged = read - sum(records[name] for name in ("created", "updated", "restored", "parked"))
        for outcome in ("created", "updated", "restored", "missing", "tombstoned", "conflicts"):
            setattr(report, outcome, records[outcome])
        report.parked = records["parked"] + media["parked"] + rows["parked"]
        report.media = {name: amount for name, amount in media.items() if amount and name != "conflict"}
        report.notices = {
            self._examples[kind] + (", and the like" if amount > 1 and self._examples[kind] != kind else ""): amount
            for kind, amount in self._notices.most_common()
        }
        if not self._options.dry_run:
            text = orjson.dumps(report.to_json()).decode()
            source_records.fetch(self._ledger, "finish_run", (text, self._run_id))
        return report

    def _tallies(self) -> dict[str, Counter[str]]:
        if not self._options.dry_run:
            return runs.tallies(self._ledger, self._run_id)
        tallies: dict[str, Counter[str]] = defaultdict(Counter)
        changed: set[tuple[str, str | None]] = set()
        for item in self._dry_items:
            if item.outcome not in runs.CHANGES or (item.type, item.key) not in changed:
                tallies[item.type][item.outcome] += 1
            if item.outcome in runs.CHANGES:
                changed.add((item.type, item.key))
            tallies[item.type]["conflicts"] += len((item.details or {}).get("conflicts", ()))
        return tallies


def find(ledger: Ledger, source: str, record: str) -> str:
    """The PID of a source's record, by its natural key or the source's own id.

    Raises :class:`NotFound` when the source or the record is unknown.
    """
    system = find_source(ledger, source)
    if system is None:
        known = ", ".join(key for key, _ in source_records.fetch(ledger, "sources")) or "none yet"
        raise NotFound(f"there is no source {source!r}; known sources: {known}")
    rows = source_records.fetch(ledger, "find_record", (system.pid, record, record, record))
    if not rows:
        raise NotFound(f"the source {source!r} has no record {record!r}; name it by its physical specimen id or row id")
    pid: str = rows[0][0]
    return pid


@dataclass(frozen=True)
class _Doubt:
    """Why what is missing ("records", all of them, or "media") must not be tombstoned."""

    what: str
    why: str

    def clears(self, record: SourceRecord) -> bool:
        return self.what == "media" and record.type != MEDIA


def _missing(record: SourceRecord) -> RunItem:
    return RunItem(record.type, "missing", record.key, pid=record.pid)
