"""Undoing a whole run by compensating events: nothing is erased, the objects return to what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import orjson
from psycopg import Connection
from psycopg.rows import tuple_row

from domain.agents import Agent, AgentKind, Role
from domain.canonical import same
from domain.digital_object import DigitalObject, Provenance
from domain.errors import Conflict, NothingToChange
from domain.events import Cause, DigitalObjectEvent
from domain.identity import with_sets_in_order
from domain.merge import Prefer, merge
from domain.opends import TOMBSTONE_TERM
from domain.times import now
from sources.synchronisation import runs, source_records
from sources.synchronisation.contention import held, settle
from sources.synchronisation.decisions import asserted, conflict_to_json
from sources.synchronisation.runs import Run, RunItem
from sources.synchronisation.source_records import SourceRecord
from sources.synchronisation.source_system import SOFTWARE, source_names
from sources.synchronisation.synchronise import CHUNK, Progress
from store.ledger import Ledger, due_snapshots


def revert(
    ledger: Ledger, run_id: UUID, requestor: Agent | None = None, progress: Progress = lambda _done, _total: None
) -> dict[str, Any]:
    """Undo a synchronisation run: created objects are tombstoned, changed ones changed back, and so on.

    What curators changed since stays; where that touches what the run changed, it wins and is
    listed as a conflict. The source's last statements go back too, so that the same archive can be
    synchronised again. Can be killed and started again.

    Returns ``run`` (of the reversal), ``reverts``, ``reverted`` (objects) and ``conflicts`` (terms).
    Raises :class:`NotFound`, or :class:`Conflict` when the run was reverted already, is a reversal
    itself, or a later run of the same source has not been reverted; :class:`SourceBusy` when
    another run is at the source.
    """
    source = runs.get(ledger, run_id).source
    with held(ledger, source, source_names(ledger).get(source, source)) as connection:
        target = runs.get(ledger, run_id)
        _check(ledger, target)
        return _Reversal(ledger, target, requestor, progress).run(connection)


def _check(ledger: Ledger, target: Run) -> None:
    if target.kind != "sync":
        raise Conflict(f"run {target.id} is itself a reversal; synchronise the archive again instead")
    if target.reverted_by is not None:
        raise Conflict(f"run {target.id} was reverted already, by run {target.reverted_by}")
    later = source_records.fetch(ledger, "later_run", (target.source, target.started))
    if later:
        raise Conflict(f"a later run of the same source changed records too; revert run {later[0][0]} first")


_WITHDRAWN = {"conflicts": [{"pointer": "", "kept": Prefer.SOURCE.value}]}
"""The object was curated since, but began with the run, so it goes; its tombstone keeps what curators made of it."""

_LEFT_WITHDRAWN = {"conflicts": [{"pointer": "", "kept": Prefer.CURATED.value}]}


class _Reversal:
    def __init__(self, ledger: Ledger, target: Run, requestor: Agent | None, progress: Progress) -> None:
        self._ledger = ledger
        self._target = target
        self._progress = progress
        self._started = now()
        agent = requestor or Agent(SOFTWARE, AgentKind.SOFTWARE, Role.REQUESTOR)
        self._agents = (agent, Agent(SOFTWARE, AgentKind.SOFTWARE, Role.GENERATOR, on_behalf_of=agent.id))

    def run(self, connection: Connection[Any]) -> dict[str, Any]:
        target = self._target
        self._run_id = self._begin()
        done = 0
        # What is to be reverted is gathered once, and kept by the server while others are transactions of their own.
        with connection.cursor("to_revert", row_factory=tuple_row, withhold=True) as cursor:
            cursor.execute(source_records.SQL["items_to_revert"], (target.id, self._run_id), binary=True)
            while rows := cursor.fetchmany(CHUNK):
                settle(rows, self._revert_chunk)
                done += len(rows)
                self._progress(done, None)
        self._restore_silent_records()
        tally = runs.tallies(self._ledger, self._run_id)
        result: dict[str, Any] = {
            "run": str(self._run_id),
            "reverts": str(target.id),
            "reverted": sum(counted["reverted"] for counted in tally.values()),
            "conflicts": sum(counted["conflicts"] for counted in tally.values()),
        }
        with self._ledger.connection() as connection, connection.transaction():
            source_records.run(connection, "mark_reverted", (self._run_id, target.id))
            source_records.run(connection, "finish_run", (orjson.dumps(result).decode(), self._run_id))
        return result

    def _begin(self) -> UUID:
        unfinished = source_records.fetch(self._ledger, "unfinished_revert", (self._target.id,))
        if unfinished:
            found: UUID = unfinished[0][0]
            return found
        run_id = uuid4()
        row = (run_id, self._target.source, "revert", "", self._target.mapping, "{}", self._started, self._started)
        source_records.fetch(self._ledger, "insert_run", (*row, self._target.id))
        return run_id

    def _revert_chunk(self, rows: Sequence[tuple[Any, ...]]) -> None:
        before = {pid: version for pid, _, _, version, _, began, _ in rows if not began}
        after = {pid: version for pid, _, _, _, version, _, _ in rows}
        current = {state.id: state for state in self._ledger.states(self._ledger.versions_at(list(after)))}
        then = {state.id: state for state in self._ledger.states(before)}
        done = {state.id: state for state in self._ledger.states(after)}
        events: list[DigitalObjectEvent] = []
        items: list[RunItem] = []
        began_here = [(kind, key) for _, kind, key, _, _, _, previous in rows if previous is None]
        records = [
            # What the run created is no longer present; everything else is as the source had said before.
            replace(record, present=False, run=self._run_id)
            for record in source_records.by_key(self._ledger, self._target.source, began_here).values()
        ]
        for pid, kind, key, _, _, _, previous in rows:
            state = current[pid]
            undone, details = self._undo(state, done[pid], then.get(pid))
            events.extend([undone] if undone else [])
            version = undone.originator_version if undone else None
            items.append(RunItem(kind, "reverted", key, None, pid, state.version, version, details=details))
            if previous is not None:
                records.append(SourceRecord.from_json(previous))

        def beside(connection: Connection[Any]) -> None:
            source_records.save(connection, self._target.source, records)
            runs.save_items(connection, self._run_id, items)

        self._ledger.append(events, snapshots=due_snapshots(current.values()), beside=beside)

    def _undo(
        self, state: DigitalObject, done: DigitalObject, before: DigitalObject | None
    ) -> tuple[DigitalObjectEvent | None, dict[str, Any] | None]:
        """The event that takes one object back, and the conflicts with what happened since."""
        if before is None:
            curated = not same(asserted(state), asserted(done))
            details = _WITHDRAWN if curated and not state.tombstoned else None
            return None if state.tombstoned else self._withdraw(state, done), details
        merged, conflicts = merge(asserted(done), asserted(before), asserted(state), Prefer.CURATED)
        content = with_sets_in_order(merged)
        details = {"conflicts": [conflict_to_json(conflict) for conflict in conflicts]} if conflicts else None
        provenance = self._provenance(state, before.version + 1, self._remaining(state, done, before))
        if before.tombstoned:
            if state.tombstoned:
                return None, None
            return state.tombstone_as(content, before.document[TOMBSTONE_TERM], provenance), details
        if state.tombstoned:
            if not done.tombstoned or self._tombstoned_by_curator(state, done):
                return None, _LEFT_WITHDRAWN
            return state.restore(provenance, content), details
        try:
            return state.update(content, provenance), details
        except NothingToChange:
            return None, details

    def _withdraw(self, state: DigitalObject, done: DigitalObject) -> DigitalObjectEvent:
        reason = f"created by run {self._target.id}, which was reverted"
        return state.tombstone(reason, self._provenance(state, 1, done.occurred))

    def _remaining(self, state: DigitalObject, done: DigitalObject, before: DigitalObject) -> datetime:
        """When the last of what remains was said: the state before the run, or curation since."""
        if state.version == done.version:
            return before.occurred
        since = [event for event in self._ledger.history(state.id) if event.originator_version > done.version]
        return max([before.occurred, *(event.occurred for event in since if not _of_a_run(event))])

    def _tombstoned_by_curator(self, state: DigitalObject, done: DigitalObject) -> bool:
        """Whether an object the run tombstoned was restored and tombstoned again since, and not by another run."""
        return state.version != done.version and not _of_a_run(self._ledger.history(state.id)[-1])

    def _provenance(self, state: DigitalObject, undoes: int, occurred: datetime) -> Provenance:
        return Provenance(
            agents=self._agents,
            occurred=occurred,
            activity=uuid5(self._run_id, f"{state.id}/{state.version}"),
            started=self._started,
            comment=f"reverts run {self._target.id}",
            cause=Cause("revert", str(self._run_id)),
            undoes=undoes,
        )

    def _restore_silent_records(self) -> None:
        """Statements of the run that changed no object (conflicts) go back too."""
        rows = source_records.fetch(self._ledger, "records_to_revert", (self._target.id,))
        with self._ledger.connection() as connection, connection.transaction():
            records = [SourceRecord.from_json(previous) for (previous,) in rows]
            source_records.save(connection, self._target.source, records)


def _of_a_run(event: DigitalObjectEvent) -> bool:
    cause = event.activity.cause
    return cause is not None and cause.kind in ("run", "revert")
