"""Rebuilds whose coordinator, workers or PostgreSQL are killed with SIGKILL: they go on, and nothing live is touched.

The seed is fixed; PROVENARIUM_KILL_SEED tries others.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from projections.engine import catch_up
from projections.replay import status
from store.embedded import EmbeddedServer
from store.ledger import Ledger
from store.settings import Settings
from tests.conftest import ROOT
from tests.processes import is_alive, wait_until
from tests.projections.replay.rebuilding import Rows, fill, rows_of, schemas_of

SEED = int(os.environ.get("PROVENARIUM_KILL_SEED", "20261127"))
KILLS = 8
PROGRAM = """
import projections.replay.rebuild, cli.main
projections.replay.rebuild.ALONE = 0
cli.main.main()
"""
"""The command as it is, but with workers also for so few events."""
PATIENCE = 30

pytestmark = pytest.mark.slow


def start(settings: Settings) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROVENARIUM_")}
    environment.update(PROVENARIUM_LEDGER=settings.ledger, PROVENARIUM_HOME=str(settings.home), PYTHONPATH=str(ROOT))
    environment.pop("DATABASE_URL", None)
    if settings.database_url is not None:
        environment["DATABASE_URL"] = settings.database_url
    command = [sys.executable, "-c", PROGRAM, "rebuild", "--workers", "2", "--json"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(settings: Settings) -> int:
    """Rebuild without a kill; returns the position of the log. The server may still hold the lock of a killed one."""
    deadline = time.monotonic() + PATIENCE
    while True:
        running = start(settings)
        out, err = running.communicate(timeout=120)
        if running.returncode and b"another process is rebuilding" in err and time.monotonic() < deadline:
            continue
        assert running.returncode == 0, err.decode()
        return int(orjson.loads(out)["position"])


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes that a coordinator has started to fill, which are those that have a pipe to it."""
    found = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    """1,500 events, and projections that are up to date."""
    fill(ledger, 500)
    catch_up(ledger)
    return ledger


@pytest.fixture
def before(filled: Ledger) -> Rows:
    return rows_of(filled)


def test_a_killed_coordinator_leaves_no_worker_and_the_next_goes_on(filled: Ledger, before: Rows) -> None:
    chance = random.Random(SEED)
    began = time.monotonic()
    assert finish(filled.settings) == 1500
    usual = time.monotonic() - began
    begun: set[object] = set()
    left: list[int] = []
    for _ in range(KILLS):
        running = start(filled.settings)
        time.sleep(chance.uniform(0.3, 1) * usual)
        left += workers_of(running)
        running.kill()
        running.communicate()
        assert rows_of(filled) == before
        found = status.newest(filled)
        assert found is not None
        begun.add(found.id)
    wait_until(lambda: not any(map(is_alive, left)), "workers end when they notice that they are alone", PATIENCE)
    assert finish(filled.settings) == 1500
    assert rows_of(filled) == before
    last = status.newest(filled)
    assert last is not None
    assert last.state == "switched"
    assert schemas_of(filled) == {"", "__former"}


def test_killed_workers_are_replaced(filled: Ledger, before: Rows) -> None:
    running = start(filled.settings)
    wait_until(lambda: len(workers_of(running)) == 2, "two workers start", PATIENCE)
    killed = workers_of(running)
    os.kill(killed[0], signal.SIGKILL)
    wait_until(
        lambda: set(workers_of(running)) - set(killed) or running.poll() is not None,
        "another takes its place",
        PATIENCE,
    )
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err.decode()
    assert orjson.loads(out)["position"] == 1500
    assert rows_of(filled) == before


def test_workers_that_die_again_and_again_end_it_for_now(filled: Ledger, before: Rows) -> None:
    running = start(filled.settings)
    killed = 0
    while running.poll() is None:
        for worker in workers_of(running):
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
                killed += 1
        time.sleep(0.005)
    _, err = running.communicate()
    assert killed > 5
    assert running.returncode == 1
    assert "workers of the rebuild died" in orjson.loads(err.splitlines()[-1])["error"]
    assert rows_of(filled) == before
    assert finish(filled.settings) == 1500
    assert rows_of(filled) == before


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[tuple[Ledger, EmbeddedServer]]:
    """A ledger on an embedded server of its own, which may be killed."""
    home = tmp_path / "home"
    server = EmbeddedServer(home)
    server.acquire()
    with Ledger.open(Settings(database_url=None, home=home)) as ledger:
        yield ledger, server
    server.release()


def test_a_killed_postgresql_leaves_what_was_done(own_server: tuple[Ledger, EmbeddedServer]) -> None:
    ledger, server = own_server
    fill(ledger, 500)
    catch_up(ledger)
    before = rows_of(ledger)
    chance = random.Random(SEED)
    for _ in range(3):
        running = start(ledger.settings)
        _wait_for_new_tables(ledger, running)
        time.sleep(chance.uniform(0, 0.5))
        _kill_postgresql(server)
        _, err = running.communicate(timeout=120)
        assert running.returncode in (0, 1), err.decode()
        assert b"Traceback" not in err
        with Ledger.open(ledger.settings) as again:
            assert rows_of(again) == before
    assert finish(ledger.settings) == 1500
    assert rows_of(ledger) == before


def _wait_for_new_tables(ledger: Ledger, running: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: "__next" in schemas_of(ledger) or running.poll() is not None, "new tables are made", PATIENCE)


def _kill_postgresql(server: EmbeddedServer) -> None:
    postmaster = server.layout.postmaster_pid()
    assert postmaster is not None
    os.kill(postmaster, signal.SIGKILL)
    wait_until(lambda: not is_alive(postmaster), "the server is gone", PATIENCE)
