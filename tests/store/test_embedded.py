"""The private server: shared by processes, gone after the last of them, back after any crash. Always embedded here."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import PersistenceError

from domain.errors import StoreUnavailable
from domain.pid import mint
from store.embedded import Account, EmbeddedServer, Layout
from store.ledger import Ledger
from store.settings import Settings
from tests.processes import is_alive, wait_until
from tests.store.ledger_building import created, grow, pid

IDLE = 0.2
SPAWN = multiprocessing.get_context("spawn")


def settings_of(home: Path) -> Settings:
    return Settings(database_url=None, home=home)


def started_at(conninfo: str) -> Any:
    """Tells one run of a server from another."""
    with psycopg.connect(conninfo) as connection:
        return connection.execute("SELECT pg_postmaster_start_time()").fetchone()


def postmaster(home: Path) -> int:
    process = Layout(home).postmaster_pid()
    assert process is not None
    return process


def supervisor(home: Path) -> int:
    fields = Path(f"/proc/{postmaster(home)}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])


def kill(*processes: int) -> None:
    for process in processes:
        os.kill(process, signal.SIGKILL)
    for process in processes:
        wait_until(lambda: not is_alive(process), f"process {process} is dead")  # noqa: B023 - called at once


def wait_until_stopped(home: Path) -> None:
    """Until the server of ``home`` has shut down in an orderly way."""
    wait_until(lambda: not (Layout(home).data / "postmaster.pid").exists(), f"the server of {home} stops")
    _leave_nothing_outside(home)


def _leave_nothing_outside(home: Path) -> None:
    """Remove the folder of a socket whose home has too long a path; the store keeps it for the next start."""
    folder = Layout(home.resolve()).socket
    if not folder.is_relative_to(home.resolve()):
        shutil.rmtree(folder.parent, ignore_errors=True)


def acquire_and_tell(home: Path) -> Any:
    server = EmbeddedServer(home, IDLE)
    try:
        return started_at(server.acquire())
    finally:
        server.release()


def acquire_and_hold(home: Path, holding: Any) -> None:
    EmbeddedServer(home, IDLE).acquire()
    holding.set()
    time.sleep(600)


def append_for_ever(home: Path, acknowledged: Any) -> None:
    """Tells every PID whose event was acknowledged, before it goes on."""
    with Ledger.open(settings_of(home)) as ledger:
        while True:
            event = created(mint("TEST"))
            ledger.append([event])
            acknowledged.send(event.originator_id)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose server was initialised and stopped; copied for each test, which is quicker than initdb."""
    home = tmp_path_factory.mktemp("prepared")
    server = EmbeddedServer(home, IDLE)
    server.acquire()
    server.release()
    wait_until_stopped(home)
    return home


@pytest.fixture
def home(prepared: Path, tmp_path: Path) -> Iterator[Path]:
    copy = tmp_path / "home"
    # with its owner, which shutil.copytree would not keep
    subprocess.run(["cp", "-a", str(prepared), str(copy)], check=True)
    yield copy
    wait_until(lambda: Layout(copy).postmaster_pid() is None, f"{copy} is left running")
    _leave_nothing_outside(copy)


def test_processes_share_one_server(home: Path) -> None:
    server = EmbeddedServer(home, IDLE)
    mine = started_at(server.acquire())
    with ProcessPoolExecutor(2, mp_context=SPAWN) as processes:
        assert list(processes.map(acquire_and_tell, [home] * 4)) == [mine] * 4
    time.sleep(IDLE + 1)
    assert started_at(server.conninfo()) == mine, "it runs while one user is left"
    server.release()


def test_many_may_start_a_new_server_at_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=SPAWN) as processes:
        assert len(set(processes.map(acquire_and_tell, [tmp_path / "new"] * 4))) == 1
    wait_until_stopped(tmp_path / "new")


def test_the_server_stops_after_the_last_user_left(home: Path) -> None:
    first, second = EmbeddedServer(home, IDLE), EmbeddedServer(home, IDLE)
    first.acquire()
    second.acquire()
    process, parent = postmaster(home), supervisor(home)
    first.release()
    time.sleep(IDLE + 1)
    assert is_alive(process)
    second.release()
    wait_until_stopped(home)
    wait_until(lambda: not is_alive(parent), "the supervisor ends")


def test_a_user_that_comes_back_in_time_finds_the_same_server(home: Path) -> None:
    server = EmbeddedServer(home, 5)
    mine = started_at(server.acquire())
    server.release()
    assert acquire_and_tell(home) == mine
    kill(supervisor(home))  # do not wait five seconds
    assert acquire_and_tell(home) == mine


def test_data_survive_a_restart(home: Path) -> None:
    server = EmbeddedServer(home, IDLE)
    first = started_at(server.acquire())
    with Ledger.open(settings_of(home)) as ledger:
        grow(ledger, pid(1), 3)
    server.release()
    wait_until_stopped(home)
    server = EmbeddedServer(home, IDLE)
    assert started_at(server.acquire()) != first
    with Ledger.open(settings_of(home)) as ledger:
        assert ledger.get(pid(1)).version == 3
        assert ledger.append([created(pid(2))]) == [4]
    server.release()


def test_a_user_killed_leaves_nothing_running(home: Path) -> None:
    holding = SPAWN.Event()
    user = SPAWN.Process(target=acquire_and_hold, args=(home, holding))
    user.start()
    assert holding.wait(30)
    process, parent = postmaster(home), supervisor(home)
    time.sleep(IDLE + 1)
    assert is_alive(process)
    assert user.pid is not None
    kill(user.pid)
    wait_until_stopped(home)
    wait_until(lambda: not is_alive(parent), "the supervisor ends")
    user.join()


def test_a_server_whose_supervisor_was_killed_gets_another(home: Path) -> None:
    server = EmbeddedServer(home, IDLE)
    mine = started_at(server.acquire())
    kill(supervisor(home))
    assert started_at(server.conninfo()) == mine, "users do not notice"
    assert acquire_and_tell(home) == mine, "the next one sees to it that somebody looks after it"
    server.release()
    wait_until_stopped(home)


def test_a_killed_server_comes_back_with_all_that_was_acknowledged(home: Path) -> None:
    server = EmbeddedServer(home, IDLE)
    server.acquire()
    listening, telling = SPAWN.Pipe(duplex=False)
    writers = [SPAWN.Process(target=append_for_ever, args=(home, telling)) for _ in range(2)]
    for writer in writers:
        writer.start()
    acknowledged = {listening.recv() for _ in range(200)}
    os.kill(postmaster(home), signal.SIGKILL)
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 1, "its connections are gone"
    while listening.poll():
        acknowledged.add(listening.recv())
    with Ledger.open(settings_of(home)) as ledger:
        stored = {event.originator_id for event in ledger.recorder.select_range(0, limit=100_000)}
        assert acknowledged <= stored
        assert len(stored) - len(acknowledged) <= len(writers), "at most the one that each was waiting for"
        assert [event.position for event in ledger.recorder.select_range(0, limit=100_000)] == list(
            range(1, len(stored) + 1)
        )
        assert ledger.append([created(pid(1))]) == [len(stored) + 1]
    server.release()
    kill(supervisor(home))  # it came with the ledger and has the usual patience
    acquire_and_tell(home)


def test_reopening_need_not_wait_after_a_server_was_killed(home: Path) -> None:
    server = EmbeddedServer(home, IDLE)
    conninfo = server.acquire()
    for _ in range(3):
        with closing(psycopg.connect(conninfo)) as busy:
            busy.execute("CREATE TABLE IF NOT EXISTS t (a int)")
            os.kill(postmaster(home), signal.SIGKILL)
            assert acquire_and_tell(home)
    server.release()


def test_after_everything_was_killed_the_next_user_starts_again(home: Path) -> None:
    holding = SPAWN.Event()
    user = SPAWN.Process(target=acquire_and_hold, args=(home, holding))
    user.start()
    assert holding.wait(30)
    assert user.pid is not None
    kill(supervisor(home), postmaster(home), user.pid)
    user.join()
    assert acquire_and_tell(home)


def test_a_stranger_with_the_pid_of_a_crashed_server_is_no_server(home: Path) -> None:
    account = Account.for_server(Layout(home))
    stranger = subprocess.Popen(**account.command([shutil.which("sleep") or "sleep", "600"]), cwd="/")
    try:
        pid_file = Layout(home).data / "postmaster.pid"
        server = EmbeddedServer(home, IDLE)
        server.acquire()
        lines = pid_file.read_text().split("\n")
        kill(supervisor(home), postmaster(home))
        server.release()
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]))
        assert acquire_and_tell(home)
        assert stranger.poll() is None, "it was left alone"
        wait_until_stopped(home)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_very_long_home_works(prepared: Path, tmp_path: Path) -> None:
    home = tmp_path / ("long " * 20) / ("ünicode" * 10) / "home"
    home.parent.mkdir(parents=True)
    subprocess.run(["cp", "-a", str(prepared), str(home)], check=True)
    server = EmbeddedServer(home, IDLE)
    server.acquire()
    folder = Layout(home).socket
    assert len(str(folder)) < 60
    assert folder.stat().st_mode & 0o777 == 0o700
    server.release()
    wait_until_stopped(home)


@pytest.mark.parametrize("long", [False, True])
def test_a_home_has_one_server_whatever_the_way_to_it(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long: bool
) -> None:
    home = tmp_path / ("long" * 25 if long else "short") / "home"
    home.parent.mkdir()
    subprocess.run(["cp", "-a", str(prepared), str(home)], check=True)
    link = tmp_path / "link"
    link.symlink_to(home)
    monkeypatch.chdir(home.parent)
    server = EmbeddedServer(home, IDLE)
    mine = started_at(server.acquire())
    assert acquire_and_tell(link) == mine
    assert acquire_and_tell(Path("home")) == mine
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert acquire_and_tell(home) == mine
    server.release()
    wait_until_stopped(home)


@pytest.mark.parametrize("place", ["/proc/provenarium", "{tmp}/file/home", "/dev/null/home"])
def test_a_home_that_cannot_be_written_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=r"cannot use .* for the database: .*set PROVENARIUM_HOME"):
        Ledger.open(settings_of(Path(place.format(tmp=tmp_path))))


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    (Layout(home).data / "PG_VERSION").write_text("9.1\n")
    with pytest.raises(StoreUnavailable, match=r"did not start; its log .*server.log ends with: .*version 9\.1"):
        EmbeddedServer(home, IDLE).acquire()
    (Layout(home).data / "PG_VERSION").write_text("18\n")
    assert acquire_and_tell(home)


def test_an_initialisation_that_was_interrupted_is_begun_again(tmp_path: Path) -> None:
    half = tmp_path / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert acquire_and_tell(tmp_path)
    assert not half.exists()
    wait_until_stopped(tmp_path)


def test_a_folder_that_others_can_enter_is_not_trusted(home: Path) -> None:
    folder = Layout(home).socket
    folder.parent.mkdir(mode=0o711, exist_ok=True)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    with pytest.raises(StoreUnavailable, match="is not a private folder"):
        EmbeddedServer(home, IDLE).acquire()
    folder.rmdir()


def test_the_server_listens_to_nobody_else(home: Path) -> None:
    server = EmbeddedServer(home, IDLE)
    with psycopg.connect(server.acquire()) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
    server.release()
    assert Layout(home).data.stat().st_mode & 0o077 == 0


def test_an_open_ledger_meets_a_killed_server_with_an_error(home: Path) -> None:
    server = EmbeddedServer(home, IDLE)
    server.acquire()
    with Ledger.open(settings_of(home)) as ledger:
        ledger.append([created(pid(1))])
        ledger._datastore.pool.timeout = 1.0
        os.kill(postmaster(home), signal.SIGKILL)
        wait_until(lambda: not _can_read(ledger), "the connections are gone")
        with pytest.raises(StoreUnavailable, match=r"cannot be reached or is busy"):
            ledger.get(pid(1))
        acquire_and_tell(home)
        wait_until(lambda: _can_read(ledger), "the pool connects again", 60)
        assert ledger.append([created(pid(2))]) == [2]
    server.release()


def _can_read(ledger: Ledger) -> bool:
    with suppress(PersistenceError, StoreUnavailable):
        return ledger.get(pid(1)).version == 1
    return False
