"""One ledger: appends events safely, and gives any object at any version or time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from eventsourcing.application import Application
from eventsourcing.persistence import InfrastructureFactory, IntegrityError, Mapper, OperationalError, StoredEvent
from eventsourcing.postgres import PostgresFactory
from eventsourcing.utils import Environment, EnvType
from psycopg import Connection
from psycopg.errors import UniqueViolation

from domain import pid as pids
from domain.agents import Agent
from domain.digital_object import DigitalObject, Snapshot, project, snapshot_of
from domain.errors import IntegrityFailure, NotFound, StoreUnavailable, VersionConflict
from domain.events import DigitalObjectEvent
from domain.times import to_text
from store import compression
from store.compression import ZstdDictionaryCompressor
from store.datastore import LedgerDatastore
from store.embedded import EmbeddedServer
from store.group_commit import Append, GroupCommit
from store.mapper import EventMapper, NewEvent, OrjsonTranscoder, RecordedEvent
from store.migrate import migrate
from store.recorder import NO_LIMIT, SQL, LedgerRecorder, SnapshotRecorder
from store.settings import Settings

SNAPSHOT_INTERVAL = 50
"""A snapshot every so many versions; no read folds more events than this and one."""

BeforeCommit = Callable[[Connection[Any]], None]


class Axis(StrEnum):
    """The two times of an event: when the store recorded it, and when the asserter says it happened."""

    RECORDED = "recorded"
    OCCURRED = "occurred"


class LedgerFactory(PostgresFactory):
    """The library's factory, given a datastore instead of building one from environment variables."""

    def __init__(self, env: Environment, datastore: LedgerDatastore) -> None:
        super(PostgresFactory, self).__init__(
            {"POSTGRES_DBNAME": "-", "POSTGRES_HOST": "-", "POSTGRES_USER": "-", "POSTGRES_PASSWORD": "-"}
        )
        self.env = env
        self.datastore = datastore

    def application_recorder(self) -> LedgerRecorder:
        """The recorder of the log."""
        return LedgerRecorder(cast("LedgerDatastore", self.datastore))

    def aggregate_recorder(self, purpose: str = "events") -> SnapshotRecorder:
        """The recorder of snapshots."""
        return SnapshotRecorder(self.datastore, events_table_name=purpose)


class Ledger(Application[str]):
    """The store of one ledger. Open it with :meth:`open`, use it as a context manager, close it after.

    Safe to share between threads. Reading needs no projection: objects are folded from their
    events, from the nearest snapshot on.
    """

    name = "provenarium"
    is_snapshotting_enabled = True

    def __init__(
        self, conninfo: str, settings: Settings, server: EmbeddedServer | None = None, before: Sequence[str] = ()
    ) -> None:
        self.settings = settings
        self.conninfo = conninfo
        self._server = server
        self._group = GroupCommit(self._commit)
        self.turn = threading.Lock()
        """For work that takes a second connection while it holds one and others wait for it with one each."""
        self._datastore = LedgerDatastore(conninfo, settings.ledger, before)
        self.compressor = ZstdDictionaryCompressor(self._fetch_dictionary)
        super().__init__()
        with suppress(IntegrityFailure):  # what cannot be used is told by whoever needs it, and by verification
            for number, content in self.recorder.fetch("newest_dictionary"):
                self.compressor.use(number, bytes(content))

    recorder: LedgerRecorder
    mapper: EventMapper

    @classmethod
    def open(cls, settings: Settings) -> Ledger:
        """Start the embedded server if there is no ``DATABASE_URL``, bring the schema up to date, connect.

        Raises :class:`StoreUnavailable` when that cannot be done.
        """
        server = None
        if not settings.database_url:  # libpq would take an empty one for its defaults
            server = EmbeddedServer(settings.home)
        try:
            conninfo = settings.database_url if server is None else server.acquire()
            assert conninfo is not None
            migrate(conninfo, settings.ledger)
            return cls(conninfo, settings, server)
        except BaseException as error:
            if server is not None:
                server.release()
            if isinstance(error, OperationalError):
                raise StoreUnavailable(f"cannot reach the database: {error}") from None
            raise

    def beside(self, schema: str) -> Ledger:
        """The same ledger, with the tables of another schema in front of its own; to be closed before this one."""
        return Ledger(self.conninfo, self.settings, before=(schema,))

    def close(self) -> None:
        """Close the connections and give up the embedded server."""
        super().close()
        self._datastore.close()
        if self._server is not None:
            self._server.release()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Nothing of the library is configured by environment variables here."""
        return Environment(name, {"IS_SNAPSHOTTING_ENABLED": "y", "CREATE_TABLE": "n", **(env or {})})

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        """The factory over this ledger's datastore."""
        return cast("InfrastructureFactory[Any]", LedgerFactory(env, self._datastore))

    def construct_mapper(self) -> Mapper[str]:
        """Events as compressed orjson."""
        return EventMapper(OrjsonTranscoder(), self.compressor)

    # -- writing ----------------------------------------------------------------------------------

    def append(
        self,
        events: Sequence[DigitalObjectEvent],
        *,
        snapshots: Sequence[Snapshot] = (),
        beside: BeforeCommit | None = None,
    ) -> list[int]:
        """Record events in one transaction; returns their positions in the ledger.

        What several threads append at the same time goes into one transaction, unless there is a ``beside``.
        ``beside`` may write other tables in the same transaction; it runs before the events so that
        the log is held as briefly as possible. Recording the very same events again does nothing
        and returns their first positions. Raises :class:`VersionConflict` when a version or an
        activity id is taken by something else.
        """
        stored = [self.mapper.to_stored_event(event) for event in events]
        frozen = [self.mapper.to_stored_event(snapshot) for snapshot in snapshots]
        try:
            append = Append(stored, frozen)
            return self._group.append(append) if beside is None else self._commit([append], beside)
        except IntegrityError as error:
            if "would leave a gap" in str(error):
                raise VersionConflict(f"cannot record {_named(events)}: {str(error).splitlines()[0]}") from None
            if not isinstance(error.__cause__, UniqueViolation):
                raise
            already = self._positions_of_same(stored)
            if already:
                return already
            raise VersionConflict(
                f"another change to {_named(events)} was recorded first; read the object again and retry"
            ) from None

    def _commit(self, group: Sequence[Append], beside: BeforeCommit | None = None) -> list[int]:
        """Store appends in one transaction; returns the positions of all their events."""
        snapshots = [snapshot for append in group for snapshot in append.snapshots]
        with (
            self._datastore.get_connection() as connection,
            # One statement is a transaction by itself, without two more messages to and fro.
            connection.transaction() if snapshots or beside is not None else nullcontext(),
        ):
            if beside is not None:
                beside(connection)
            for snapshot in snapshots:
                row = (snapshot.originator_id, snapshot.originator_version, snapshot.topic, snapshot.state)
                connection.execute(SQL["insert_snapshot"], row)
            return self.recorder.append(connection, [event for append in group for event in append.events])

    def record(self, state: DigitalObject | None, event: DigitalObjectEvent) -> DigitalObject:
        """Append the next event of one object and return its new state.

        ``state`` is the object the event was decided on (None for a creation).
        """
        self.append([event], snapshots=due_snapshots([state] if state else []))
        return self.get(event.originator_id, event.originator_version)

    def learn_to_compress(self, samples: Sequence[bytes]) -> None:
        """Train the ledger's first compression dictionary from event texts, if there is none yet."""
        if self.compressor.dictionary_id:
            return
        number = max((row[0] for row in self.recorder.fetch("newest_dictionary")), default=0) + 1
        content = compression.train(samples, number)
        if content is not None:
            self.recorder.fetch("insert_dictionary", (number, content))
            stored = self._fetch_dictionary(number)
            if stored is not None:
                self.compressor.use(number, stored)

    def mint_pids(self, amount: int) -> list[str]:
        """New PIDs that no object has; the append that uses one checks once more by its keys."""
        found: dict[str, None] = {}
        while len(found) < amount:
            fresh = [pids.mint(self.settings.prefix) for _ in range(amount - len(found))]
            taken = self.taken_pids(fresh)
            found.update((pid, None) for pid in fresh if pid not in taken)
        return list(found)

    def taken_pids(self, wanted: Sequence[str]) -> set[str]:
        """Those of these PIDs that an object has."""
        parameters = (list(wanted), list(wanted))
        return {row[0] for row in self.recorder.fetch("taken_pids", parameters)} if wanted else set()

    def register_agent(self, agent: Agent, name: str | None, email: str | None = None) -> None:
        """Keep or forget (None) the name and address of an agent, outside the hashed events."""
        self.recorder.fetch("register_agent", (agent.id, agent.kind.value, name, email))

    def agent_names(self, ids: Iterable[str]) -> dict[str, str]:
        """The registered names of these agents."""
        return dict(self.recorder.fetch("agent_names", (list(ids),)))

    def names_in(self, events: Iterable[DigitalObjectEvent]) -> dict[str, str]:
        """The registered names of the agents of these events, and of those they acted for."""
        agents = [agent for event in events for agent in event.agents]
        return self.agent_names({name for agent in agents for name in (agent.id, agent.on_behalf_of) if name})

    # -- reading ----------------------------------------------------------------------------------

    def get(self, pid: str, version: int | None = None, *, to_follow: bool = True) -> DigitalObject:
        """The object at a version (from 1; default the last).

        What nothing is ``to_follow`` from is given without the event that made it, and sooner.
        Raises :class:`NotFound` when there is no such object or version.
        """
        if version is not None and version < 1:
            raise NotFound(f"{pid} has no version {version}; versions start at 1")
        found = project(None, self.mapper.to_fold(self.recorder.select_state(pid, version), to_follow=to_follow))
        if found is None:
            raise NotFound(f"there is no object {pid} in this ledger")
        if version is not None and found.version != version:
            raise NotFound(f"{pid} has no version {version}; its last is {found.version}")
        return found

    def get_at(
        self, pid: str, moment: datetime, axis: Axis = Axis.RECORDED, *, to_follow: bool = True
    ) -> DigitalObject:
        """The object as it was at a moment.

        On the recorded axis: the last version the store had by then. On the occurred axis: of the
        versions that had occurred by then and were not undone later, the one that occurred last.
        Raises :class:`NotFound` when there was none.
        """
        stored = self.recorder.select_state_at(pid, moment, axis.value)
        found = project(None, self.mapper.to_fold(stored, to_follow=to_follow))
        if found is None:
            times = [event.recorded if axis is Axis.RECORDED else event.occurred for event in self.history(pid)]
            began = min(time for time in times if time is not None)
            why = f"it begins at {to_text(began)}" if began > moment else "what said that it did was undone"
            raise NotFound(f"{pid} did not exist at {to_text(moment)} ({axis.value}); {why}")
        return found

    def versions_at(
        self, pids: Sequence[str], moment: datetime | None = None, axis: Axis = Axis.RECORDED
    ) -> dict[str, int]:
        """For each PID that existed at the moment (default now), its version then."""
        if moment is None:
            rows = self.recorder.fetch("current_versions", (list(pids),))
        else:
            rows = self.recorder.fetch(f"versions_{axis.value}_at", (list(pids), moment))
        return dict(rows)

    def states(self, versions: dict[str, int]) -> Iterator[DigitalObject]:
        """Many objects, each at its version, in the order of PIDs; two queries in all."""
        return self.fold(versions, self.recorder.select_states(versions))

    def fold(
        self, versions: dict[str, int], stored: dict[str, list[StoredEvent]], *, to_follow: bool = True
    ) -> Iterator[DigitalObject]:
        """The same from what :meth:`LedgerRecorder.select_states` has brought.

        What nothing is to follow from is given without the event that made it, of which less is read.
        """
        for pid in sorted(versions):
            state = project(None, self.mapper.to_fold(stored.get(pid, ()), to_follow=to_follow))
            if state is None or state.version != versions[pid]:
                raise IntegrityFailure(f"{pid}: version {versions[pid]} cannot be rebuilt from the log")
            yield state

    def history(self, pid: str) -> list[DigitalObjectEvent]:
        """Every event of one object in version order; raises :class:`NotFound` when there is none."""
        events = [self.mapper.to_domain_event(stored) for stored in self.recorder.select_events(pid)]
        if not events:
            raise NotFound(f"there is no object {pid} in this ledger")
        return events

    def scan(self, after: int = 0, upto: int = NO_LIMIT, batch: int = 1000) -> Iterator[list[RecordedEvent]]:
        """The log in order, in batches, after one position and up to another."""
        while batch_events := self.recorder.select_range(after, upto, batch):
            yield batch_events
            after = batch_events[-1].position

    def position(self) -> int:
        """The position of the last event; 0 when there is none."""
        return self.recorder.max_notification_id() or 0

    def connection(self) -> Any:
        """A context manager giving a pooled connection (autocommit, service role)."""
        return self._datastore.get_connection()

    # ---------------------------------------------------------------------------------------------

    def _positions_of_same(self, stored: Sequence[StoredEvent]) -> list[int] | None:
        """Positions of these events when every one is already recorded with the same assertion."""
        new = [event for event in stored if isinstance(event, NewEvent)]
        found = {
            (event.originator_id, event.originator_version): event
            for event in self.recorder.select_by_id([(str(event.originator_id), event.event_id) for event in new])
        }
        positions = []
        for event in new:
            twin = found.get((event.originator_id, event.originator_version))
            if twin is None or _assertion(self.mapper.value_of(twin)) != _assertion(self.mapper.value_of(event)):
                return None
            positions.append(twin.position)
        return positions

    def _fetch_dictionary(self, dictionary_id: int) -> bytes | None:
        rows = self.recorder.fetch("dictionary", (dictionary_id,))
        return bytes(rows[0][0]) if rows else None


def due_snapshots(states: Iterable[DigitalObject]) -> list[Snapshot]:
    """Snapshots to store with the events that follow ``states``.

    The state *before* an event is frozen, because only a recorded state knows when it was recorded.
    """
    return [snapshot_of(state) for state in states if state.version % SNAPSHOT_INTERVAL == 0]


def _assertion(value: dict[str, Any]) -> dict[str, Any]:
    """The event without the clock readings of the try that stored it, here and in the event before."""
    activity = {key: item for key, item in value["activity"].items() if key not in ("started", "ended")}
    return {**{key: item for key, item in value.items() if key != "previous"}, "activity": activity}


def _named(events: Sequence[DigitalObjectEvent]) -> str:
    if not events:
        return "the same records"
    first = events[0]
    others = f" and {len(events) - 1} more" if len(events) > 1 else ""
    return f"{first.originator_id} (version {first.originator_version}){others}"
