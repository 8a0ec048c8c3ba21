"""The engine: batches with their position in one transaction, and rows that are a pure function of the log."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from domain.agents import person
from domain.canonical import canonical_bytes
from domain.digital_object import DigitalObject, Provenance
from domain.errors import IntegrityFailure, NotFound, NothingToChange, ProjectionFailed
from domain.history import Step, steps
from domain.terms import blame
from projections import following
from projections.engine import OBJECT_PROJECTIONS, PROJECTIONS, catch_up, lag, rebuild
from projections.ledger.tree import LedgerTree
from projections.objects import Objects
from projections.projection import Row
from projections.terms import Terms
from projections.versions import Versions
from store.ledger import Ledger
from store.settings import Settings

SPECIMEN = "ods:DigitalSpecimen"
FUNCTION_SCOPED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def by() -> Provenance:
    return Provenance((person("https://orcid.org/0000-0002-1825-0097"),), comment="é")


def pid(number: int, group: str = "AAA") -> str:
    return f"TEST/{group}-{number // 1000:03d}-{number % 1000:03d}"


def record(ledger: Ledger, which: str, document: dict[str, Any]) -> None:
    """The next version of an object, or its first."""
    known = ledger.versions_at([which])
    state = ledger.get(which) if known else None
    document = {"@type": SPECIMEN, **document}
    event = DigitalObject.create(which, document, by()) if state is None else state.update(document, by())
    ledger.record(state, event)


def fill(ledger: Ledger, objects: int = 4, versions: int = 5, group: str = "AAA") -> list[str]:
    """Some objects that change in turn, with arrays whose items shift."""
    pids = [pid(number, group) for number in range(objects)]
    for version in range(versions):
        for number, which in enumerate(pids):
            notes = [f"{number}.{item}" for item in range(version % 3, version + 2)]
            record(ledger, which, {"dwc:individualCount": version, "notes": notes, "dwc:country": f"{version // 2}"})
    return pids


def stored(ledger: Ledger, pids: list[str]) -> dict[str, dict[str, list[Row]]]:
    with ledger.connection() as connection:
        return {name: kind(ledger.mapper).stored(connection, pids) for name, kind in OBJECT_PROJECTIONS.items()}


def expected(ledger: Ledger, pids: list[str], upto: int | None = None) -> dict[str, dict[str, list[Row]]]:
    """The rows computed afresh, from the events up to a position."""
    rows: dict[str, dict[str, list[Row]]] = {name: {} for name in OBJECT_PROJECTIONS}
    for which in pids:
        events = [event for event in ledger.history(which) if upto is None or (event.position or 0) <= upto]
        for name, kind in OBJECT_PROJECTIONS.items():
            if events and (found := kind(ledger.mapper).expected(steps(events))):
                rows[name][which] = found
    return rows


def positions(ledger: Ledger) -> dict[str, int]:
    with ledger.connection() as connection:
        return {row["name"]: row["position"] for row in connection.execute("SELECT * FROM projections").fetchall()}


def dump(ledger: Ledger) -> dict[str, list[Any]]:
    with ledger.connection() as connection:
        return {
            name: connection.execute(
                sql.SQL("SELECT * FROM {} ORDER BY 1, 2, 3").format(sql.Identifier(name))
            ).fetchall()
            for name in (*OBJECT_PROJECTIONS, "ledger_tiles", "projections")
        }


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "BATCH", 3)


# -- catching up ----------------------------------------------------------------------------------


def test_rows_are_what_the_log_gives(ledger: Ledger) -> None:
    pids = fill(ledger)
    assert catch_up(ledger) == 20
    assert stored(ledger, pids) == expected(ledger, pids)
    assert positions(ledger) == dict.fromkeys(PROJECTIONS, 20)


@pytest.mark.usefixtures("small_batches")
def test_catching_up_in_batches_equals_a_rebuild(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for objects in range(1, 6):
        fill(ledger, objects, 3, group="ABCDEF"[objects] * 3)
        catch_up(ledger)
    in_batches = dump(ledger)
    monkeypatch.setattr(following, "BATCH", 1000)
    assert rebuild(ledger)["events"] == ledger.position() == 45
    assert dump(ledger) == in_batches


def test_an_empty_log_needs_nothing(ledger: Ledger) -> None:
    assert catch_up(ledger) == 0
    assert lag(ledger) == dict.fromkeys(PROJECTIONS, 0)
    assert rebuild(ledger)["events"] == 0


def test_the_lag_is_told_by_projection(ledger: Ledger) -> None:
    fill(ledger, 2, 2)
    assert lag(ledger) == dict.fromkeys(PROJECTIONS, 4)
    catch_up(ledger, ["versions"])
    assert lag(ledger) == {**dict.fromkeys(PROJECTIONS, 4), "versions": 0}


@pytest.mark.usefixtures("small_batches")
def test_projections_at_different_positions_meet_at_the_end(ledger: Ledger) -> None:
    pids = fill(ledger, 2, 2)
    catch_up(ledger, ["objects"])
    fill(ledger, 3, 1, "BBB")
    catch_up(ledger, ["terms"])
    pids += fill(ledger, 3, 3, "CCC")
    catch_up(ledger)
    assert stored(ledger, pids) == expected(ledger, pids)
    assert set(positions(ledger).values()) == {ledger.position()}


@pytest.mark.usefixtures("small_batches")
def test_progress_goes_up_to_the_end(ledger: Ledger) -> None:
    fill(ledger, 4, 2)
    told: list[tuple[int, int]] = []
    catch_up(ledger, progress=lambda done, end: told.append((done, end)))
    assert told == [(3, 8), (6, 8), (8, 8)]


def test_events_that_come_meanwhile_are_left_for_the_next_time(ledger: Ledger) -> None:
    fill(ledger, 2, 1)
    assert catch_up(ledger, progress=lambda _done, _end: record(ledger, pid(9), {})) == 2
    assert lag(ledger)["objects"] == 1


def test_an_unknown_projection_is_not_found(ledger: Ledger) -> None:
    for act in (catch_up, rebuild):
        with pytest.raises(NotFound, match="no projection 'nonsense'; there are objects, versions, terms"):
            act(ledger, ["nonsense"])


def test_a_rebuild_of_one_leaves_the_others(ledger: Ledger) -> None:
    pids = fill(ledger)
    catch_up(ledger)
    with ledger.connection() as connection:
        connection.execute("UPDATE terms SET term = 'wrong'")
        connection.execute("UPDATE objects SET tombstoned = true")
    assert rebuild(ledger, ["terms"], accept_differences=True)["projections"] == ["terms"]
    found, right = stored(ledger, pids), expected(ledger, pids)
    assert found["terms"] == right["terms"]
    assert found["objects"] != right["objects"]


# -- large events and objects --------------------------------------------------------------------


def test_a_batch_takes_what_may_be_unpacked_together_and_one_event_always(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = "x" * 1_000_000
    for number in range(4):
        record(ledger, pid(number), {"dwc:occurrenceRemarks": large})
    record(ledger, pid(4), {"dwc:occurrenceRemarks": large * 4})
    record(ledger, pid(5), {})
    monkeypatch.setattr(following, "BATCH_BYTES", 2_500_000)
    told: list[int] = []
    catch_up(ledger, progress=lambda done, _end: told.append(done))
    assert told == [2, 4, 5, 6]
    pids = [pid(number) for number in range(6)]
    assert stored(ledger, pids) == expected(ledger, pids)


def test_a_batch_counts_the_states_that_its_events_follow(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    pids = [pid(number) for number in range(4)]
    for which in pids:
        record(ledger, which, {"dwc:occurrenceRemarks": "x" * 1_000_000})
    catch_up(ledger)
    for country in "KU":
        for which in pids:
            record(ledger, which, {"dwc:occurrenceRemarks": "x" * 1_000_000, "dwc:country": country})
    monkeypatch.setattr(following, "BATCH_BYTES", 2_500_000)
    told: list[int] = []
    catch_up(ledger, progress=lambda done, _end: told.append(done))
    assert told == [6, 8, 10, 12]
    assert stored(ledger, pids) == expected(ledger, pids)


# -- being interrupted ----------------------------------------------------------------------------


class InjectedError(Exception):
    """Thrown in the middle of a batch, on purpose."""


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("kind", [Objects, Versions, Terms, LedgerTree])
@pytest.mark.parametrize("method", ["add", "flush"])
def test_a_projection_that_fails_stops_before_the_event_names_it_and_goes_on_once_mended(
    ledger: Ledger, kind: Any, method: str
) -> None:
    pids = fill(ledger)
    begin, add, flush = kind.begin, kind.add, kind.flush

    def forgetful_begin(self: Any, connection: psycopg.Connection[Any], pids: list[str]) -> None:
        self.met = False
        begin(self, connection, pids)

    def failing_add(self: Any, step: Step) -> None:
        self.met = self.met or step.event.position == 8
        if self.met and method == "add":
            raise InjectedError("on purpose")
        add(self, step)

    def failing_flush(self: Any, connection: psycopg.Connection[Any]) -> None:
        flush(self, connection)
        if self.met:
            raise psycopg.DataError("on\npurpose")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kind, "begin", forgetful_begin)
        patched.setattr(kind, "add", failing_add)
        patched.setattr(kind, "flush", failing_flush)
        for _ in range(2):
            with pytest.raises(ProjectionFailed, match=r"cannot take in: (Injected|Data)Error: on purpose$") as caught:
                catch_up(ledger)
            failure = caught.value
            assert (failure.projection, failure.position) == (kind.name, 8)
            assert (failure.pid, failure.version) == (pids[3], 2)
            assert positions(ledger) == dict.fromkeys(PROJECTIONS, 7)
            assert stored(ledger, pids) == expected(ledger, pids, 7)
    assert catch_up(ledger) == 20
    assert stored(ledger, pids) == expected(ledger, pids)


@pytest.mark.usefixtures("small_batches")
def test_what_fails_once_is_tried_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    pids = fill(ledger)
    calls, flush = count(), Terms.flush

    def fail_once(self: Terms, connection: psycopg.Connection[Any]) -> None:
        flush(self, connection)
        if next(calls) == 2:
            raise InjectedError

    monkeypatch.setattr(Terms, "flush", fail_once)
    assert catch_up(ledger) == 20
    assert stored(ledger, pids) == expected(ledger, pids)


def test_an_event_that_cannot_be_read_is_named(ledger: Ledger) -> None:
    fill(ledger, 3, 2)
    with psycopg.connect(ledger.conninfo, autocommit=True) as owner:
        owner.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(ledger.settings.ledger)))
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE events SET state = 'x' WHERE notification_id = 3")
    with pytest.raises(ProjectionFailed, match=r"^every projection stops before position 3 \(TEST/AAA-000-002/1\)"):
        catch_up(ledger)
    assert positions(ledger) == dict.fromkeys(PROJECTIONS, 2)


def hang_in_the_second_batch(settings: Settings, hanging: Any) -> None:
    following.BATCH = 3
    flush, calls = Terms.flush, count()

    def hang(self: Terms, connection: psycopg.Connection[Any]) -> None:
        flush(self, connection)
        if next(calls) == 1:
            hanging.set()
            time.sleep(600)

    Terms.flush = hang  # type: ignore[method-assign]
    with Ledger.open(settings) as ledger:
        catch_up(ledger)


def test_a_process_killed_in_mid_batch_loses_nothing(ledger: Ledger) -> None:
    pids = fill(ledger)
    spawn = multiprocessing.get_context("spawn")
    hanging = spawn.Event()
    process = spawn.Process(target=hang_in_the_second_batch, args=(ledger.settings, hanging))
    process.start()
    assert hanging.wait(30)
    assert positions(ledger)["terms"] == 3
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    assert catch_up(ledger) == 20
    assert stored(ledger, pids) == expected(ledger, pids)
    process.join()


# -- several at once ------------------------------------------------------------------------------


def catch_up_in_process(settings: Settings) -> int:
    following.BATCH = 3
    with Ledger.open(settings) as ledger:
        return catch_up(ledger)


@pytest.mark.usefixtures("small_batches")
def test_processes_and_threads_that_catch_up_at_once_do_not_double(ledger: Ledger) -> None:
    pids = fill(ledger, 5, 8)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as processes, ThreadPoolExecutor(3) as threads:
        running = [processes.submit(catch_up_in_process, ledger.settings) for _ in range(2)]
        running += [threads.submit(catch_up, ledger) for _ in range(3)]
        assert [each.result() for each in running] == [40] * 5
    assert stored(ledger, pids) == expected(ledger, pids)


@pytest.mark.usefixtures("small_batches")
def test_more_threads_than_connections_may_catch_up_at_once(ledger: Ledger) -> None:
    pids = fill(ledger, 5, 6)
    start = threading.Barrier(40)

    def together(_: int) -> int:
        start.wait()
        return catch_up(ledger)

    with ThreadPoolExecutor(40) as threads:
        assert list(threads.map(together, range(40))) == [30] * 40
    assert stored(ledger, pids) == expected(ledger, pids)


def test_writers_and_projections_do_not_disturb_each_other(ledger: Ledger) -> None:
    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(fill, ledger, 3, 6, group) for group in ("AAA", "BBB", "CCC")]
        while not all(each.done() for each in writing):
            catch_up(ledger)
        pids = [which for each in writing for which in each.result()]
    catch_up(ledger)
    assert stored(ledger, pids) == expected(ledger, pids)


# -- new versions of the code ---------------------------------------------------------------------


def test_a_projection_whose_code_changed_starts_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    pids = fill(ledger)
    catch_up(ledger)
    with ledger.connection() as connection:
        connection.execute("UPDATE versions SET comment = 'as the old code wrote it'")
        connection.execute("UPDATE objects SET tombstoned = true")
    monkeypatch.setattr(Versions, "version", Versions.version + 1)
    catch_up(ledger)
    found, right = stored(ledger, pids), expected(ledger, pids)
    assert found["versions"] == right["versions"]
    assert found["objects"] != right["objects"], "the others are left alone"
    with ledger.connection() as connection:
        rows = connection.execute("SELECT name, version FROM projections ORDER BY name").fetchall()
    assert {row["name"]: row["version"] for row in rows} == {name: kind.version for name, kind in PROJECTIONS.items()}


def test_an_older_program_does_not_build_back_what_a_newer_one_made(ledger: Ledger) -> None:
    fill(ledger)
    catch_up(ledger)
    with ledger.connection() as connection:
        connection.execute("UPDATE projections SET version = version + 1 WHERE name = 'terms'")
    with pytest.raises(IntegrityFailure, match="'terms' is of version 2, newer than this program"):
        catch_up(ledger)
    catch_up(ledger, ["objects"])


# -- a log that is not whole ----------------------------------------------------------------------


@pytest.mark.parametrize(("tampering", "place"), [
    ("UPDATE log_head SET position = 7", "position 7 to 7"),
    ("DELETE FROM events WHERE notification_id = 4", "position 1 to 6"),
    ("UPDATE events SET notification_id = 4 WHERE notification_id = 5", "position 1 to 6"),
])  # fmt: skip
def test_a_log_that_is_not_whole_is_told(ledger: Ledger, tampering: str, place: str) -> None:
    fill(ledger, 3, 2)
    with psycopg.connect(ledger.conninfo, autocommit=True) as owner:
        owner.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(ledger.settings.ledger)))
        owner.execute("SET session_replication_role = replica")
        owner.execute(tampering)  # type: ignore[call-overload]
    with pytest.raises(IntegrityFailure, match=place):
        catch_up(ledger)


# -- any history ----------------------------------------------------------------------------------

_values = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "a", "0", {}, [], {"b": 1}, [1, [2]]])
_taxa = st.fixed_dictionaries(
    {"dwc:scientificName": st.sampled_from(["Aus bus", "Cus dus", "Eus fus"])}, optional={"dwc:rank": _values}
)
_identifications = st.fixed_dictionaries(
    {"ods:hasTaxonIdentifications": st.lists(_taxa, max_size=2)}, optional={"dwc:remarks": _values}
)
_documents = st.fixed_dictionaries(
    {},
    optional={
        "dwc:country": _values,
        "ods:hasIdentifications": st.lists(_identifications, max_size=4),
        "ods:hasEvents": st.lists(st.fixed_dictionaries({"dwc:eventType": st.sampled_from("abc")}), max_size=3),
        "notes": st.lists(_values, max_size=4),
        "a/b~": _values,
        "0": st.dictionaries(st.sampled_from(["", "0", "1"]), _values, max_size=2),
    },
)
_groups = count()


@settings(max_examples=100, suppress_health_check=FUNCTION_SCOPED)
@given(
    changes=st.lists(st.tuples(st.integers(0, 2), _documents, st.booleans()), min_size=1, max_size=14),
    batch=st.integers(1, 6),
)
def test_any_history_gives_the_rows_that_a_fold_gives(
    ledger: Ledger, changes: list[tuple[int, dict[str, Any], bool]], batch: int
) -> None:
    group = f"{next(_groups):03d}"
    pids = sorted({pid(number, group) for number, _, _ in changes})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(following, "BATCH", batch)
        for number, document, now in changes:
            try:
                record(ledger, pid(number, group), document)
            except NothingToChange:
                continue
            if now:
                catch_up(ledger)
        catch_up(ledger)
    found = stored(ledger, pids)
    assert found == expected(ledger, pids)
    for which in pids:
        _agrees_with_blame(ledger, which, found["terms"].get(which, []))


def _agrees_with_blame(ledger: Ledger, which: str, rows: list[Row]) -> None:
    """The standing rows name the version that last set each term; terms without a row belong to version 1."""
    events = ledger.history(which)
    standing = {row[5]: row for row in rows if row[5] is not None}
    blamed = list(blame((event.originator_version, event.patch) for event in events))
    assert set(standing) <= {pointer for pointer, _, _ in blamed}
    assert len(standing) == sum(row[5] is not None for row in rows), "one row a term stands"
    for pointer, value, version in blamed:
        row = standing.get(pointer)
        assert (row[1] if row else 1) == version, pointer
        if row:
            assert row[7] == canonical_bytes(value)


def test_a_value_that_moves_keeps_its_blame(ledger: Ledger) -> None:
    record(ledger, pid(1), {"notes": ["a", "b"]})
    record(ledger, pid(1), {"notes": ["a", "b", "c"]})
    catch_up(ledger)
    record(ledger, pid(1), {"notes": ["new", "a", "b", "c"]})
    record(ledger, pid(1), {"notes": ["b", "c"]})
    catch_up(ledger)
    rows = stored(ledger, [pid(1)])["terms"][pid(1)]
    assert [(row[1], row[4], row[5]) for row in rows if row[5] is not None] == [(2, "/notes/2", "/notes/1")]


def test_several_versions_in_one_call_are_projected_alike(new_ledger: Callable[[], Ledger]) -> None:
    one_by_one, at_once = new_ledger(), new_ledger()
    pids = fill(one_by_one)
    catch_up(one_by_one)
    events = [event for batch in one_by_one.scan() for event in map(one_by_one.mapper.to_domain_event, batch)]
    at_once.append(events)
    catch_up(at_once)
    assert stored(at_once, pids) == expected(at_once, pids)
    assert [len(rows) for rows in dump(at_once).values()] == [len(rows) for rows in dump(one_by_one).values()]
