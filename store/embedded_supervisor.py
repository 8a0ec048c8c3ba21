"""Runs one embedded PostgreSQL and stops it when nobody has used it for a while.

Started by ``store.embedded``; ``python -m store.embedded_supervisor HOME IDLE_SECONDS``.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from store.embedded import Account, Layout, binary, private_file

POLL_SECONDS = 0.5
STOP_SECONDS = 60.0


def supervise(home: Path, idle_seconds: float) -> int:
    """Run the server of ``home`` until it has been unused for so long; returns its exit status.

    When a server already runs there (its former supervisor was killed), that one is looked after.
    When it has a supervisor, there is nothing to do.
    """
    layout = Layout(home)
    with private_file(layout.supervisor_lock) as alone, private_file(layout.users_lock) as users:
        if not _claim(alone):
            return 0
        server = None if _listens(layout) else _start(layout)
        idle_since: float | None = None
        while True:
            if server is not None and server.poll() is not None:
                return server.returncode
            if server is None and layout.postmaster_pid() is None:
                return 0
            if not _nobody_holds(users):
                idle_since = None
            elif idle_since is None:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > idle_seconds and _claim(users):
                _stop(layout)  # new users wait for the lock until the server is down, then start it again
                return 0
            time.sleep(min(POLL_SECONDS, idle_seconds))


def _start(layout: Layout) -> subprocess.Popen[bytes]:
    account = Account.for_server(layout)
    account.make_folder(layout.socket)
    _disown_stale_pid(layout)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(layout.socket),
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "shared_buffers": "128MB",
        "max_wal_size": "2GB",
        "log_min_messages": "warning",
        "timezone": "UTC",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return subprocess.Popen(
        **account.command([str(binary("postgres")), "-D", str(layout.data), *options]),
        stdin=subprocess.DEVNULL,
        cwd="/",
    )


def _listens(layout: Layout) -> bool:
    """Whether a server is there; its pid file would not tell, because pids are used again after a crash."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(layout.socket / ".s.PGSQL.5432")) == 0


def _disown_stale_pid(layout: Layout) -> None:
    """Keep PostgreSQL from taking a stranger that has the pid of a crashed server for that server.

    PostgreSQL knows that its parent, this process, is no server. The rest of the file stays: by it
    PostgreSQL recognises processes that the crash has left behind.
    """
    pid = layout.postmaster_pid()
    with contextlib.suppress(OSError):  # without /proc PostgreSQL has to judge alone
        if pid is not None and Path(f"/proc/{pid}/cwd").readlink() != layout.data:
            file = layout.data / "postmaster.pid"
            _, _, rest = file.read_text().partition("\n")
            file.write_text(f"{os.getpid()}\n{rest}")


def _nobody_holds(users: object) -> bool:
    if _claim(users):
        fcntl.flock(users, fcntl.LOCK_UN)  # type: ignore[arg-type]
        return True
    return False


def _claim(users: object) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[arg-type]
    except BlockingIOError:
        return False
    return True


def _stop(layout: Layout) -> None:
    pid = layout.postmaster_pid()
    if pid is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    while (layout.data / "postmaster.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1]), float(sys.argv[2])))
