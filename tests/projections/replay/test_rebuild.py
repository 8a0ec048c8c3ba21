"""A rebuild makes new tables beside the live ones, which are read and written until they change places."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from domain.errors import Conflict, IntegrityFailure, NotFound, ProjectionFailed
from domain.history import Step
from projections.engine import catch_up
from projections.following import OBJECT_PROJECTIONS, PROJECTIONS, positions
from projections.projection import SQL, Gathering, Row
from projections.replay import assembling, beside, comparison, filling, indexing, status, switching
from projections.replay import rebuild as replay
from projections.replay.rebuild import cancel, rebuild
from projections.replay.switching import switch_back
from projections.versions import Versions
from store.ledger import Ledger
from tests.projections.replay.rebuilding import fill, rows_of, schemas_of
from tests.store.test_migrate import EXPECTED, listing


@pytest.fixture(params=[1, 2], ids=["alone", "with workers"])
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Both ways to fill: by this process, and by others."""
    monkeypatch.setattr(replay, "ALONE", 0)
    return int(request.param)


# -- what comes out -------------------------------------------------------------------------------


def test_the_rows_are_those_of_following_the_log(ledger: Ledger, workers: int) -> None:
    fill(ledger, 60)
    catch_up(ledger)
    before = rows_of(ledger)
    result = rebuild(ledger, workers=workers)
    assert (result["projections"], result["events"]) == (list(PROJECTIONS), 180)
    assert rows_of(ledger) == before
    assert rows_of(ledger, beside.former_of(ledger)) == before
    assert positions(ledger) == {name: (kind.version, 180) for name, kind in PROJECTIONS.items()}
    fill(ledger, 5, group="BBB")
    catch_up(ledger)
    assert len(rows_of(ledger)["objects"]) == 65


def test_the_schema_is_as_the_migrations_make_it(ledger: Ledger) -> None:
    rebuild(ledger)
    with psycopg.connect(ledger.conninfo, autocommit=True) as connection:
        assert listing(connection, ledger.settings.ledger) == EXPECTED.read_text()


def test_an_empty_log_is_rebuilt(ledger: Ledger, workers: int) -> None:
    assert rebuild(ledger, workers=workers)["events"] == 0
    assert not any(rows_of(ledger).values())
    fill(ledger, 2)
    catch_up(ledger)
    assert len(rows_of(ledger)["versions"]) == 6


def test_one_projection_is_rebuilt_for_itself(ledger: Ledger) -> None:
    fill(ledger, 4)
    catch_up(ledger)
    before = rows_of(ledger)
    with ledger.connection() as connection:
        connection.execute("UPDATE objects SET tombstoned = true")
    for name in PROJECTIONS:
        if name != "objects":
            assert rebuild(ledger, [name])["projections"] == [name]
    found = rows_of(ledger)
    assert found["objects"] != before["objects"]
    assert {**found, "objects": None} == {**before, "objects": None}


def test_batches_of_any_size_come_to_the_same(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ledger, 40, 4)
    catch_up(ledger)
    before = rows_of(ledger)
    for batch, page, octets in ((1, 1, 1), (3, 2, 2**20), (10, 7, 400), (5000, 3, 2**20)):
        monkeypatch.setattr(filling, "BATCH_EVENTS", batch)
        monkeypatch.setattr(filling, "PAGE_EVENTS", page)
        monkeypatch.setattr(filling, "BATCH_OCTETS", octets)
        rebuild(ledger)
        assert rows_of(ledger) == before


# -- beside the live ones -------------------------------------------------------------------------


def test_readers_see_whole_tables_and_writers_go_on(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ledger, 50)
    catch_up(ledger)
    monkeypatch.setattr(filling, "BATCH_EVENTS", 5)
    stop = threading.Event()

    def read() -> list[tuple[int, int]]:
        seen = []
        with psycopg.connect(ledger.conninfo, autocommit=True) as connection:
            connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(ledger.settings.ledger)))
            while not stop.is_set():
                statement = "SELECT (SELECT count(*) FROM objects), (SELECT count(*) FROM versions)"
                seen.append(connection.execute(statement, prepare=True).fetchone())
        return seen

    def write() -> int:
        written = 0
        while not stop.is_set():
            fill(ledger, 1, group=f"W{written:02}"[-3:])
            catch_up(ledger)
            written += 1
        return written

    with ThreadPoolExecutor(3) as threads:
        readers, writer = [threads.submit(read) for _ in range(2)], threads.submit(write)
        for _ in range(3):
            rebuild(ledger)
        stop.set()
        written = writer.result()
        for each in readers:
            seen = each.result()
            assert seen == sorted(seen), "nothing that was there is ever missing"
            assert seen[0] >= (50, 150)
    assert written > 1
    catch_up(ledger)
    assert len(rows_of(ledger)["versions"]) == 150 + 3 * written


def test_a_reader_that_holds_the_live_tables_is_waited_for_and_holds_up_nobody(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ledger, 3)
    catch_up(ledger)
    monkeypatch.setattr(switching, "LOCK_MILLISECONDS", 50)
    monkeypatch.setattr(switching, "PAUSE_SECONDS", 0.05)
    waited = threading.Event()
    table = sql.Identifier(ledger.settings.ledger, "versions")
    with ThreadPoolExecutor(1) as threads, psycopg.connect(ledger.conninfo) as reader:
        assert reader.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone() == (9,)
        running = threads.submit(rebuild, ledger, waiting=waited.set)
        assert waited.wait(30)
        found = status.newest(ledger)
        assert found is not None
        assert (found.state, found.remaining) == ("waiting", None)
        began = time.monotonic()
        assert len(rows_of(ledger)["versions"]) == 9
        assert time.monotonic() - began < 5
        assert not running.done()
        assert reader.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone() == (9,)
        reader.rollback()
        assert running.result()["events"] == 9


def test_one_rebuild_at_a_time(ledger: Ledger) -> None:
    with replay.only_one(ledger):
        assert status.is_worked_on(ledger)
        for act in (rebuild, cancel):
            with pytest.raises(Conflict, match="another process is rebuilding"):
                act(ledger)
    assert not status.is_worked_on(ledger)
    rebuild(ledger)


# -- comparing and switching back -----------------------------------------------------------------


TAMPERING = {
    "objects": "UPDATE objects SET tombstoned = true WHERE pid = 'TEST/AAA-000-001'",
    "versions": "UPDATE versions SET comment = 'x' WHERE pid = 'TEST/AAA-000-001' AND version = 2",
    "terms": "DELETE FROM terms WHERE pid = 'TEST/AAA-000-001' AND version = 3",
    "ledger": "UPDATE ledger_tiles SET hashes = set_byte(hashes, 3, 255 - get_byte(hashes, 3))",
}


@pytest.mark.parametrize("name", list(TAMPERING))
def test_tables_that_differ_are_not_switched_unless_accepted(ledger: Ledger, name: str) -> None:
    fill(ledger, 3)
    catch_up(ledger)
    right = rows_of(ledger)
    with ledger.connection() as connection:
        connection.execute(TAMPERING[name])  # type: ignore[call-overload]
    wrong = rows_of(ledger)
    with pytest.raises(IntegrityFailure, match=f"{PROJECTIONS[name].table} have other rows .* Nothing was switched"):
        rebuild(ledger)
    assert rows_of(ledger) == wrong
    began = status.newest(ledger)
    assert began is not None
    assert (began.state, began.remaining) == ("failed", None)
    assert began.failure is not None
    assert "have other rows" in began.failure["cause"]
    rebuild(ledger, accept_differences=True)
    assert rows_of(ledger) == right
    ended = status.newest(ledger)
    assert ended is not None
    assert (ended.id, ended.state) == (began.id, "switched"), "it went on"


def test_the_comparison_is_of_one_position_while_others_write(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ledger, 20)
    catch_up(ledger)
    checksum, calls = comparison._checksum, iter(range(100))

    def written_between(*arguments: Any) -> Any:
        fill(ledger, 1, group=f"W{next(calls):02}")
        catch_up(ledger)
        return checksum(*arguments)

    monkeypatch.setattr(comparison, "_checksum", written_between)
    rebuild(ledger)
    assert next(calls) == 2 * len(PROJECTIONS)
    assert len(rows_of(ledger)["versions"]) == 60 + 3 * 2 * len(PROJECTIONS)


def test_the_former_tables_come_back_up_to_date_and_may_leave_again(ledger: Ledger) -> None:
    fill(ledger, 3)
    catch_up(ledger)
    with pytest.raises(NotFound, match="no former tables"):
        switch_back(ledger, lambda: None)
    with ledger.connection() as connection:
        connection.execute("UPDATE versions SET comment = 'as it was'")
    rebuild(ledger, ["versions", "terms"], accept_differences=True)
    fill(ledger, 2, group="BBB")
    catch_up(ledger)
    new = rows_of(ledger)
    assert sorted(switch_back(ledger, lambda: None)) == ["terms", "versions"]
    comments = [row[8] for row in rows_of(ledger)["versions"]]
    assert comments == ["as it was"] * 9 + [None] * 6
    assert {**rows_of(ledger), "versions": None} == {**new, "versions": None}
    assert sorted(switch_back(ledger, lambda: None)) == ["terms", "versions"]
    assert rows_of(ledger) == new
    beside.drop(ledger, beside.former_of(ledger))
    assert schemas_of(ledger) == {""}


def test_only_what_was_rebuilt_last_goes_back_unless_others_are_named(ledger: Ledger) -> None:
    fill(ledger, 3)
    catch_up(ledger)
    with ledger.connection() as connection:
        connection.execute("UPDATE versions SET comment = 'damaged'")
    rebuild(ledger, ["versions"], accept_differences=True)
    rebuild(ledger, ["search"])
    right = rows_of(ledger)
    for state in ("switched back", "switched"):
        assert switch_back(ledger, lambda: None) == ["search"]
        assert rows_of(ledger) == right
        found = status.newest(ledger)
        assert found is not None
        assert found.state == state
    with pytest.raises(NotFound, match=r"no former tables of terms; there are those of .*versions"):
        switch_back(ledger, lambda: None, ["versions", "terms"])
    with pytest.raises(NotFound, match="no projection 'nonsense'"):
        switch_back(ledger, lambda: None, ["nonsense"])
    assert switch_back(ledger, lambda: None, ["versions"]) == ["versions"]
    assert {row[8] for row in rows_of(ledger)["versions"]} == {"damaged"}
    assert rows_of(ledger)["search"] == right["search"]


# -- a new version, a new projection --------------------------------------------------------------


class _WithYear(Gathering):
    def __init__(self, rows: Gathering) -> None:
        self._rows = rows

    def take(self, step: Step) -> None:
        self._rows.take(step)

    def rows(self) -> list[Row]:
        return [(*row, row[5].year) for row in self._rows.rows()]


class WithYear(Versions):
    """``versions`` with a column more, as a later program may have it."""

    version = Versions.version + 1
    columns = (*Versions.columns, "year")
    types = (*Versions.types, "int4")

    def gathering(self) -> Gathering:
        return _WithYear(super().gathering())

    def flush(self, connection: psycopg.Connection[Any]) -> None:
        self._rows = [(*row, row[5].year) for row in self._rows]
        super().flush(connection)


@contextmanager
def later() -> Iterator[None]:
    """The later program."""
    tables = beside.SQL
    create = tables["create_versions"].replace("undoes        bigint\n", "undoes        bigint,\n    year int\n")
    assert create != tables["create_versions"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(tables, "create_versions", create)
        patched.setitem(OBJECT_PROJECTIONS, "versions", WithYear)
        patched.setitem(PROJECTIONS, "versions", WithYear)
        yield


def test_a_new_version_with_a_new_column_takes_over_by_itself_and_the_former_stays_for_its_program(
    ledger: Ledger,
) -> None:
    fill(ledger, 5)
    catch_up(ledger)
    before = rows_of(ledger)
    with later():
        fill(ledger, 1, group="BBB")
        catch_up(ledger)
        fill(ledger, 1, group="CCC")
        catch_up(ledger)
        found = rows_of(ledger)["versions"]
        assert len(found) == 21
        assert all(row[-1] == row[5].year for row in found)
        with pytest.raises(
            Conflict, match="former tables of versions are of its version 2, this program has version 3"
        ):
            switch_back(ledger, lambda: None)
    assert switch_back(ledger, lambda: None) == ["versions"]
    assert rows_of(ledger)["versions"][:15] == before["versions"]
    assert len(rows_of(ledger)["versions"]) == 21


def test_a_new_projection_is_made_when_it_is_first_asked_for(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ledger, 5)
    catch_up(ledger)

    class Years(WithYear):
        name = "years"
        table = "years"
        migrated = None

        def flush(self, connection: psycopg.Connection[Any]) -> None:
            rows = [self.packed((*row, row[5].year)) for row in self._rows]
            columns = sql.SQL(", ").join(map(sql.Identifier, self.columns))
            places = sql.SQL(", ").join([sql.Placeholder()] * len(self.columns))
            with connection.cursor() as cursor:
                cursor.executemany(sql.SQL("INSERT INTO years ({}) VALUES ({})").format(columns, places), rows)

        def add(self, step: Step) -> None:
            gathering = super(WithYear, self).gathering()
            gathering.take(step)
            self._rows += gathering.rows()

    create = beside.SQL["create_versions"].replace("TABLE versions", "TABLE years")
    create = create.replace("undoes        bigint\n", "undoes        bigint,\n    year int\n")
    monkeypatch.setitem(beside.SQL, "create_years", create)
    monkeypatch.setitem(beside.SQL, "index_years", "ALTER TABLE years ADD PRIMARY KEY (pid, version)")
    monkeypatch.setitem(OBJECT_PROJECTIONS, "years", Years)
    monkeypatch.setitem(PROJECTIONS, "years", Years)
    catch_up(ledger)
    fill(ledger, 2, group="BBB")
    catch_up(ledger)
    assert len(rows_of(ledger)["years"]) == 21
    assert SQL["positions"]


# -- what stops it --------------------------------------------------------------------------------


class InjectedError(Exception):
    """Thrown on purpose."""


def test_an_event_that_cannot_be_taken_in_is_named_and_the_rebuild_goes_on_once_it_can(
    ledger: Ledger, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ledger, 40)
    catch_up(ledger)
    before = rows_of(ledger)
    bad = 95
    with psycopg.connect(ledger.conninfo, autocommit=True) as owner:
        owner.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(ledger.settings.ledger)))
        owner.execute("SET session_replication_role = replica")
        ((pid, version, state),) = owner.execute(
            "SELECT originator_id, originator_version, state FROM events WHERE notification_id = %s", (bad,)
        )
        owner.execute("UPDATE events SET state = 'x' WHERE notification_id = %s", (bad,))
        for _ in range(2):
            with pytest.raises(ProjectionFailed, match=rf"stops before position {bad} \({pid}/{version}\), which"):
                rebuild(ledger, workers=workers)
            found = status.newest(ledger)
            assert found is not None
            assert found.state == "failed"
            assert found.failure is not None
            assert (found.failure["pid"], found.failure["position"]) == (pid, bad)
            assert rows_of(ledger) == before
        owner.execute("UPDATE events SET state = %s WHERE notification_id = %s", (state, bad))
    assert rebuild(ledger, workers=workers)["position"] == 120
    ended = status.newest(ledger)
    assert ended is not None
    assert (ended.id, ended.state, ended.failure) == (found.id, "switched", None)
    assert rows_of(ledger) == before


@pytest.mark.parametrize(
    ("tampering", "position"),
    [
        ("DELETE FROM events WHERE notification_id = 10", 10),
        ("DELETE FROM events WHERE notification_id = 12", 12),
        ("UPDATE events SET notification_id = 99 WHERE notification_id = 12", 12),
    ],
)
def test_a_log_that_is_not_whole_is_told_and_once_it_is_the_rebuild_begins_again(
    ledger: Ledger, workers: int, tampering: str, position: int
) -> None:
    fill(ledger, 4)
    catch_up(ledger)
    before = rows_of(ledger)
    with psycopg.connect(ledger.conninfo, autocommit=True) as owner:
        owner.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(ledger.settings.ledger)))
        owner.execute("SET session_replication_role = replica")
        owner.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM events WHERE notification_id = %s", (position,))
        owner.execute(tampering)  # type: ignore[call-overload]
        for _ in range(2):
            with pytest.raises(
                IntegrityFailure, match=rf"once, but 11; position {position} is the first that is wrong"
            ):
                rebuild(ledger, workers=workers)
            found = status.newest(ledger)
            assert found is not None
            assert found.state == "failed"
            assert rows_of(ledger) == before
        owner.execute("DELETE FROM events WHERE notification_id IN (%s, 99)", (position,))
        owner.execute("INSERT INTO events SELECT * FROM kept")
    assert rebuild(ledger, workers=workers)["position"] == 12
    assert rows_of(ledger) == before


def test_a_worker_of_another_rebuild_writes_nothing(ledger: Ledger) -> None:
    fill(ledger, 4)
    catch_up(ledger)

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(ledger, progress=interrupt)
    with ledger.beside(beside.next_of(ledger)) as new:
        with new.connection() as connection:
            connection.execute("UPDATE parts SET done = false, after_pid = '', events = 0")
            connection.execute("TRUNCATE objects, versions, terms, search")
        late = filling.Task(uuid4(), tuple(OBJECT_PROJECTIONS), 12)
        with pytest.raises(filling.Superseded):
            filling.fill(new, late, lambda _events: None)
        assert not any(rows_of(ledger, beside.next_of(ledger)).values())


def test_a_part_that_somebody_else_has_advanced_is_not_written_twice(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ledger, 40)
    monkeypatch.setattr(filling, "BATCH_EVENTS", 3)
    write = filling._write

    def overtaken(*arguments: Any) -> None:
        write(*arguments)
        with ledger.beside(beside.next_of(ledger)) as other, other.connection() as connection:
            connection.execute("UPDATE parts SET after_pid = after_pid || ' '")

    with monkeypatch.context() as patched:
        patched.setattr(filling, "_write", overtaken)
        with pytest.raises(filling.Superseded):
            rebuild(ledger)
    assert not any(rows_of(ledger, beside.next_of(ledger)).values())


def test_rows_that_cannot_be_written_name_their_object(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ledger, 30, 2)

    def packed(self: Versions, row: Row) -> Row:
        return (*row[:8], "no\0text", *row[9:]) if row[2] == 37 else original(self, row)

    original = Versions.packed
    with monkeypatch.context() as patched:
        patched.setattr(Versions, "packed", packed)
        with pytest.raises(ProjectionFailed, match=r"\(TEST/AAA-000-006/2\), which it cannot take in: Char"):
            rebuild(ledger)
    assert rebuild(ledger)["position"] == 60
    catch_up(ledger)
    assert len(rows_of(ledger)["versions"]) == 60


def test_an_interrupted_rebuild_goes_on_and_another_one_begins_anew(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ledger, 40)
    catch_up(ledger)
    before = rows_of(ledger)
    monkeypatch.setattr(filling, "BATCH_EVENTS", 6)

    def interrupt(done: int, _total: int) -> None:
        if done >= 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(ledger, progress=interrupt)
    fill(ledger, 2, group="BBB")
    told: list[int] = []
    result = rebuild(ledger, progress=lambda done, _total: told.append(done))
    assert result["position"] == 126
    assert told[0] > 60
    assert 126 - told[0] < result["events"] <= 126 - 60
    catch_up(ledger)
    assert {name: len(rows) for name, rows in rows_of(ledger).items()} == {
        **{name: len(rows) + 6 for name, rows in before.items()},
        "objects": 42,
        "search": 42,
        "terms": len(before["terms"]) // 40 * 42,
        "ledger": 1,
    }
    for again in ({"anew": True}, {"names": ["versions"], "anew": True}, {"names": ["versions"], "instead": True}):
        with pytest.raises(KeyboardInterrupt):
            rebuild(ledger, progress=interrupt)
        with pytest.raises(Conflict, match="a rebuild of ledger objects search terms versions is unfinished"):
            rebuild(ledger, ["versions"])
        told.clear()
        rebuild(ledger, progress=lambda done, _total: told.append(done), **again)  # type: ignore[arg-type]
        assert told[0] < 60


@pytest.mark.parametrize("names", [["ledger"], None], ids=["the tree alone", "all"])
def test_the_tree_goes_on_where_its_assembly_was_interrupted(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, names: list[str] | None
) -> None:
    fill(ledger, 20)
    catch_up(ledger)
    before = rows_of(ledger)
    monkeypatch.setattr(assembling, "PAGE", 7)

    def reached() -> int:
        with ledger.beside(beside.next_of(ledger)) as new:
            return positions(new)["ledger"][1]

    def interrupt(_done: int, _total: int) -> None:
        if reached() > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(ledger, names, progress=interrupt)
    assert reached() == 21
    assert rows_of(ledger) == before
    assert rebuild(ledger, names)["position"] == 60
    assert rows_of(ledger) == before


def test_a_tree_without_a_piece_is_not_switched_to(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ledger, 5)
    catch_up(ledger)
    before = rows_of(ledger)
    assemble = assembling.assemble

    def without_one(new: Ledger, *arguments: Any) -> None:
        with new.connection() as connection:
            connection.execute("DELETE FROM pieces WHERE position = 9")
        assemble(new, *arguments)

    monkeypatch.setattr(replay, "assemble", without_one)
    with pytest.raises(IntegrityFailure, match="every event from position 1 to 15 exactly once"):
        rebuild(ledger)
    assert rows_of(ledger) == before


def test_an_interruption_stops_the_building_of_indexes(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ledger, 5)
    catch_up(ledger)
    before = rows_of(ledger)

    def for_ever(of: Ledger, table: str, begun: Callable[[beside.Connection], None]) -> None:
        with beside.as_owner(of) as connection:
            begun(connection)
            connection.execute("SELECT pg_sleep(3600)")
            pytest.fail(table)

    def interrupted(*_arguments: Any) -> None:
        time.sleep(0.5)
        raise KeyboardInterrupt

    monkeypatch.setattr(indexing, "index", for_ever)
    monkeypatch.setattr(replay, "assemble", interrupted)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        rebuild(ledger)
    assert time.monotonic() - began < 60
    monkeypatch.undo()
    rebuild(ledger)
    assert rows_of(ledger) == before


def test_a_cancelled_rebuild_leaves_nothing_but_its_row(ledger: Ledger) -> None:
    fill(ledger, 10)
    catch_up(ledger)
    before = rows_of(ledger)
    assert not cancel(ledger)

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(ledger, progress=interrupt)
    assert schemas_of(ledger) == {"", "__next"}
    assert cancel(ledger)
    assert schemas_of(ledger) == {""}
    assert rows_of(ledger) == before
    found = status.newest(ledger)
    assert found is not None
    assert (found.state, found.finished is None) == ("cancelled", False)


def test_the_row_says_how_far_it_is(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ledger, 30)
    monkeypatch.setattr(replay, "NOTE_SECONDS", 0)
    monkeypatch.setattr(filling, "BATCH_EVENTS", 6)
    seen: list[status.Status] = []

    def look(_done: int, _total: int) -> None:
        found = status.newest(ledger)
        assert found is not None
        seen.append(found)

    assert status.newest(ledger) is None
    rebuild(ledger, progress=look)
    assert [each.state for each in seen if each.state == "filling"]
    assert {each.total for each in seen} == {90}
    assert [each.events for each in seen] == sorted(each.events for each in seen)
    assert any(each.rate > 0 and each.remaining for each in seen)
    assert {each.state for each in seen if each.remaining is not None} <= {"filling", "following"}
    last = status.newest(ledger)
    assert last is not None
    assert (last.state, last.events, last.remaining) == ("switched", 90, None)
    assert last.to_json()["projections"] == {name: kind.version for name, kind in PROJECTIONS.items()}
