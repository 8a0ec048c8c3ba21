"""Runs of the real command killed with SIGKILL at random moments and started again until they finish.

Whatever the moments, the end is the same as without. The seed is fixed; PROVENARIUM_KILL_SEED tries others, and
PROVENARIUM_KILL_RECORDS larger archives.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest
from psycopg import sql
from psycopg.rows import tuple_row

from audit.verify import verify
from sources.synchronisation import revert as reverting
from sources.synchronisation import runs, synchronise
from sources.synchronisation.revert import revert
from store.ledger import Ledger
from store.settings import Settings
from tests.conftest import ROOT
from tests.synchronisation.sync_support import (
    Specimen,
    contents,
    determination,
    history_of,
    picture,
    run_items,
    sync,
    write_archive,
)

TRIALS = int(os.environ.get("PROVENARIUM_KILL_TRIALS", "10"))
RECORDS = int(os.environ.get("PROVENARIUM_KILL_RECORDS", "100"))
CHUNK = RECORDS // 10
SEED = int(os.environ.get("PROVENARIUM_KILL_SEED", "20240630"))
PROGRAM = f"""
import cli.main, sources.synchronisation.revert, sources.synchronisation.synchronise
sources.synchronisation.revert.CHUNK = sources.synchronisation.synchronise.CHUNK = {CHUNK}
cli.main.main()
"""
"""The command as it is, but with more transactions to be killed between than so few records would have."""
COMMAND = (sys.executable, "-c", PROGRAM)
BUSY_SECONDS = 20
WAITING = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s::bigint::oid AND NOT granted"

pytestmark = pytest.mark.slow


def collection(chance: random.Random) -> tuple[list[Specimen], list[Specimen]]:
    """Two states of one collection: most records change, some go, come, are double or cannot be used."""
    first, second = [], []
    for number in range(RECORDS):
        rows = tuple(determination(n, f"Ursus {n}", str(1900 + n)) for n in range(chance.randrange(3)))
        media = tuple(picture(f"p{chance.randrange(RECORDS // 4)}") for _ in range(chance.randrange(3)))
        media = tuple({row["identifier"]: row for row in media}.values())
        specimen = Specimen(f"made:{number}", {"preparations": "skin", "locality": f"Place {number % 7}"}, rows, media)
        fate = chance.random()
        if fate > 0.05:
            first.append(specimen)
        if fate < 0.90:
            if fate > 0.25:
                specimen = specimen.but(preparations="skull", occurrenceRemarks=f"seen again {number}")
            if fate > 0.6:
                specimen = Specimen(
                    specimen.id, specimen.terms, (*rows[::-1], determination(9, "Parus", "2000")), media[1:]
                )
            second.append(specimen)
        if fate > 0.98:
            second.append(first[-1])  # once more, in another place
    return first, second


@dataclass(frozen=True)
class Archives:
    first: Path
    second: Path


@dataclass(frozen=True)
class End:
    """All that must be the same, however often a run was killed."""

    contents: dict[tuple[str, str], Any]
    history: dict[tuple[str, str], tuple[int, bool, Any]]
    items: Counter[tuple[Any, ...]]
    counts: dict[str, Any]


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    folder = tmp_path_factory.mktemp("archives")
    first, second = collection(random.Random(1))
    return Archives(
        write_archive(folder / "1", first, "2020-01-01", core_lines=["made:5\ttoo few"]),
        write_archive(folder / "2", second, "2021-01-01", core_lines=["made:80\ttoo few"]),
    )


class Killed:
    """Runs the command against one ledger, and kills it when the log has grown to random lengths."""

    def __init__(self, settings: Settings, chance: random.Random) -> None:
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PROVENARIUM_")},
            "DATABASE_URL": str(settings.database_url),
            "PROVENARIUM_LEDGER": settings.ledger,
            "PYTHONPATH": str(ROOT),
        }
        self._settings = settings
        self._chance = chance
        self.kills = 0

    def until_done(self, *arguments: str, events: int, kills: int) -> None:
        """Start the command until it finishes, killed so often while it appends about so many events."""
        with Ledger.open(self._settings) as ledger:
            begin = ledger.position()
        for _ in range(kills):
            # From before the first event to after the last, when the run is closed and projections catch up.
            self.kill(*arguments, at=begin + self._chance.randint(0, events), later=self._chance.uniform(0, 0.1))
        self.finish(*arguments)

    def finish(self, *arguments: str) -> dict[str, Any]:
        """Start the command and let it end; returns its report, empty for a reversal that had ended before."""
        patience = time.monotonic() + BUSY_SECONDS
        while True:
            running = self._start(*arguments)
            out, err = running.communicate(timeout=120)
            # The server may not have noticed yet that the killed one is gone.
            if running.returncode and b"wait until it has finished" in err and time.monotonic() < patience:
                continue
            # Killed between its last word to the database and its last word to the person: all was done.
            if running.returncode and b"was reverted already" in err:
                return {}
            assert running.returncode == 0, err.decode()
            assert err == b""
            found = orjson.loads(out)
            assert isinstance(found, dict)
            return found

    def kill(self, *arguments: str, at: int, later: float) -> None:
        """Start the command, and kill it when the log has reached a length, or some seconds later."""
        with Ledger.open(self._settings) as ledger:
            running = self._start(*arguments)
            while running.poll() is None and ledger.position() < at:
                time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            running.wait(later)
        self.kills += running.poll() is None
        running.kill()
        running.communicate()

    def kill_inside(self, *arguments: str, at: int) -> None:
        """Start the command, and kill it while it is appending the event at a position, which is lost with it."""
        name = sql.Identifier(self._settings.ledger, "stall")
        events = sql.Identifier(self._settings.ledger, "events")
        with psycopg.connect(str(self._settings.database_url), autocommit=True) as owner:
            lock = self._chance.getrandbits(31)
            owner.execute("SELECT pg_advisory_lock(%s)", [lock])
            owner.execute(
                sql.SQL(
                    "CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS"
                    " 'BEGIN PERFORM pg_advisory_lock(TG_ARGV[0]::bigint); RETURN NULL; END'"
                ).format(name)
            )
            owner.execute(
                sql.SQL(
                    "CREATE TRIGGER stall AFTER INSERT ON {} FOR EACH ROW"
                    " WHEN (NEW.notification_id = {}) EXECUTE FUNCTION {}({})"
                ).format(events, at, name, lock)
            )
            running = self._start(*arguments)
            while not (stalled := owner.execute(WAITING, [lock]).fetchone()):
                assert running.poll() is None, f"the run ended before event {at}"
                time.sleep(0.01)
            running.kill()
            running.communicate()
            self.kills += 1
            owner.execute("SELECT pg_terminate_backend(%s, 10000)", [stalled[0]])
            owner.execute(sql.SQL("DROP FUNCTION {} CASCADE").format(name))

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*COMMAND, *arguments, "--json"],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )


def end_of(ledger: Ledger, run: UUID) -> End:
    found = runs.get(ledger, run)
    # Notices are about the records that were read, and a run that goes on does not read again what is done.
    passing = ("run", "source", "reverts", "notices")
    counted = {name: amount for name, amount in found.counts.items() if name not in passing}
    items = Counter(
        (item.type, item.outcome, item.key, item.place, item.version_before, item.version_after, item.reason)
        for item in run_items(ledger, run)
    )
    return End(contents(ledger), history_of(ledger), items, counted)


def assert_sound(ledger: Ledger) -> None:
    with ledger.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        gaps = cursor.execute(
            "SELECT originator_id FROM events GROUP BY 1 HAVING max(originator_version) <> count(*)"
        ).fetchall()
        keyless = cursor.execute(
            "SELECT originator_id FROM events WHERE originator_version = 1 EXCEPT SELECT pid FROM natural_keys"
        ).fetchall()
        twice = cursor.execute("SELECT pid FROM source_records GROUP BY pid HAVING count(*) > 1").fetchall()
    assert (gaps, keyless, twice) == ([], [], [])
    found = verify(ledger)
    assert found.ok, found.problems[:3]


def runs_that_changed(ledger: Ledger) -> list[UUID]:
    """A run killed after its last word is followed by one with nothing to do; those do not count."""
    return [run.id for run in runs.all_runs(ledger) if run_items(ledger, run.id, *CHANGING)]


CHANGING = ("created", "updated", "restored", "tombstoned", "reverted")


@dataclass(frozen=True)
class Expected:
    """The ends of both runs and of the reversal without any kill; the log's length at each."""

    first: End
    second: End
    reverted: End
    lengths: tuple[int, int, int]


@pytest.fixture
def expected(new_ledger: Callable[[], Ledger], archives: Archives, monkeypatch: pytest.MonkeyPatch) -> Expected:
    monkeypatch.setattr(synchronise, "CHUNK", CHUNK)
    monkeypatch.setattr(reverting, "CHUNK", CHUNK)
    ledger = new_ledger()
    first = sync(ledger, archives.first, tombstone_missing=True)
    ends, lengths = [end_of(ledger, first.run)], [ledger.position()]
    second = sync(ledger, archives.second, tombstone_missing=True)
    ends.append(end_of(ledger, second.run))
    lengths.append(ledger.position())
    ends.append(end_of(ledger, UUID(revert(ledger, second.run)["run"])))
    lengths.append(ledger.position())
    return Expected(*ends, (lengths[0], lengths[1], lengths[2]))


SYNC = ("--source", "museum", "--missing", "tombstone")


def in_pairs(trial: Callable[[int], int], trials: int) -> int:
    """Trials, two at a time; returns how many kills hit."""
    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(trial, range(trials)))


def test_a_killed_synchronisation_ends_as_if_it_had_not_been(
    new_settings: Callable[[], Settings], archives: Archives, expected: Expected
) -> None:
    def trial(number: int) -> int:
        settings = new_settings()
        killed = Killed(settings, random.Random(f"{SEED} {number}"))
        began, ended, _ = expected.lengths
        killed.until_done("sync", str(archives.first), *SYNC, events=began, kills=1 if number % 2 else 0)
        killed.until_done("sync", str(archives.second), *SYNC, events=ended - began, kills=1 if number % 2 else 2)
        with Ledger.open(settings) as ledger:
            first, second = runs_that_changed(ledger)
            assert end_of(ledger, second) == expected.second
            assert end_of(ledger, first).items == expected.first.items
            assert end_of(ledger, first).counts == expected.first.counts
            assert ledger.position() == ended
            assert_sound(ledger)
        return killed.kills

    assert in_pairs(trial, TRIALS) >= TRIALS


def test_a_killed_reversal_ends_as_if_it_had_not_been(
    new_settings: Callable[[], Settings], archives: Archives, expected: Expected
) -> None:
    def trial(number: int) -> int:
        settings = new_settings()
        with Ledger.open(settings) as ledger:
            sync(ledger, archives.first, tombstone_missing=True)
            run = sync(ledger, archives.second, tombstone_missing=True).run
        killed = Killed(settings, random.Random(f"{SEED} revert {number}"))
        _, began, ended = expected.lengths
        killed.until_done("revert", "--run", str(run), events=ended - began, kills=2)
        with Ledger.open(settings) as ledger:
            *_, reversal = runs_that_changed(ledger)
            assert runs.get(ledger, run).reverted_by == reversal
            assert end_of(ledger, reversal) == expected.reverted
            assert contents(ledger) == expected.first.contents
            assert ledger.position() == ended
            assert_sound(ledger)
        return killed.kills

    assert in_pairs(trial, 5) >= 5


def test_what_a_run_did_before_and_after_it_was_killed_is_reverted_together(
    new_settings: Callable[[], Settings], archives: Archives, expected: Expected
) -> None:
    settings = new_settings()
    began, ended, _ = expected.lengths
    with Ledger.open(settings) as ledger:
        sync(ledger, archives.first, tombstone_missing=True)
        killed = Killed(settings, random.Random(SEED))
        for part in (0.2, 0.4, 0.6):
            killed.kill_inside("sync", str(archives.second), *SYNC, at=began + int((ended - began) * part))
        report = killed.finish("sync", str(archives.second), *SYNC)
        assert [str(run) for run in runs_that_changed(ledger)][1:] == [report["run"]]
        revert(ledger, UUID(report["run"]))
        assert contents(ledger) == expected.first.contents


def test_a_run_killed_for_good_can_be_reverted_and_is_not_taken_up_again(
    new_settings: Callable[[], Settings], archives: Archives, expected: Expected
) -> None:
    settings = new_settings()
    began, ended, _ = expected.lengths
    with Ledger.open(settings) as ledger:
        sync(ledger, archives.first, tombstone_missing=True)
        killed = Killed(settings, random.Random(SEED))
        killed.kill_inside("sync", str(archives.second), *SYNC, at=began + (ended - began) // 2)
        run = runs.all_runs(ledger)[-1]
        assert run.finished is None
        revert(ledger, run.id)
        assert contents(ledger) == expected.first.contents
        again = sync(ledger, archives.second, tombstone_missing=True)
        assert again.run != run.id
        assert contents(ledger) == expected.second.contents
