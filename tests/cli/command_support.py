"""Runs the real ``provenarium`` command in processes of its own.

Most are forked from one that has imported the program already, as starting Python afresh for each of some hundred
commands would take minutes; :meth:`Command.started` starts the installed command itself.
"""

from __future__ import annotations

import multiprocessing
import os
import pty
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import orjson

from tests.databases import Databases

COMMAND = str(Path(sys.executable).with_name("provenarium"))
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["cli.main"])
ORCID = "https://orcid.org/0000-0002-1825-0097"


@dataclass(frozen=True)
class Ran:
    """What a command printed, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON value."""
        return orjson.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Standard output as JSON Lines."""
        return [orjson.loads(line) for line in self.out.split("\n") if line]


class Command:
    """The command with the environment of one ledger."""

    def __init__(self, **environment: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PROVENARIUM_")}
        for name in ("DATABASE_URL", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            inherited.pop(name, None)
        no_keys = {"PROVENARIUM_KEYS": "/nonexistent"}  # not those of whoever runs the tests
        self.environment = {**inherited, "TERM": "xterm-256color", **no_keys, **environment}

    def __call__(self, *arguments: object, status: int = 0) -> Ran:
        """Run it to its end; it must end with ``status``, without a traceback, and silent on stderr if done."""
        with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
            process = self._forked(arguments, self.environment, out.name, err.name)
            process.join(120)
            assert process.exitcode is not None, f"{arguments} did not end"
            ran = Ran(process.exitcode, out.read().decode(), err.read().decode())
        return _checked(ran, arguments, status)

    def started(self, *arguments: object, status: int = 0) -> Ran:
        """The same by starting the installed command."""
        done = subprocess.run(
            [COMMAND, *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        return _checked(Ran(done.returncode, done.stdout.decode(), done.stderr.decode()), arguments, status)

    def refused(self, *arguments: object) -> str:
        """Run it where it must refuse; returns its one line on standard error."""
        ran = self(*arguments, status=1)
        assert ran.out == ""
        (line,) = ran.err.splitlines()
        return line

    def misused(self, *arguments: object) -> str:
        """Run it with a usage error; returns its one line on standard error."""
        ran = self(*arguments, status=2)
        assert ran.out == ""
        (line,) = ran.err.splitlines()
        return line

    def on_terminal(self, *arguments: object, size: tuple[int, int] = (50, 200)) -> tuple[int, str]:
        """Run it with a terminal for input, output and errors; returns its status and what the terminal got."""
        ours, theirs = pty.openpty()
        os.set_blocking(ours, False)
        environment = {**self.environment, "LINES": str(size[0]), "COLUMNS": str(size[1])}
        process = self._forked(arguments, environment, os.ttyname(theirs), os.ttyname(theirs))
        got = b""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            ended = process.exitcode is not None
            with suppress(BlockingIOError):
                got += os.read(ours, 1 << 16)
                continue
            if ended:
                break
            process.join(0.01)
        os.close(theirs)
        os.close(ours)
        assert process.exitcode is not None, f"{arguments} did not end"
        return process.exitcode, got.decode()

    @staticmethod
    def _forked(arguments: tuple[object, ...], environment: dict[str, str], out: str, err: str) -> ForkServerProcess:
        process = FORKS.Process(target=_main, args=(list(map(str, arguments)), environment, out, err))
        process.start()
        return process


def _main(arguments: list[str], environment: dict[str, str], out: str, err: str) -> None:
    """In the forked process: become the command."""
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, file in ((0, os.devnull), (1, out), (2, err)):
        opened = os.open(file, os.O_RDWR)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin = sys.__stdin__ = open(0)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w")  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1)  # noqa: SIM115
    sys.argv = [COMMAND, *arguments]
    from cli.main import main

    main()


def _checked(ran: Ran, arguments: tuple[object, ...], status: int) -> Ran:
    assert ran.status == status, f"{arguments} ended with {ran.status}: {ran.err or ran.out}"
    assert "Traceback" not in ran.err
    assert "Warning" not in ran.err
    if status == 0:
        assert ran.err == ""
    return ran


@contextmanager
def fresh(databases: Databases) -> Iterator[Command]:
    """The command with a ledger of its own, dropped in the end."""
    conninfo = databases.make()
    try:
        yield Command(DATABASE_URL=conninfo, PROVENARIUM_LEDGER=databases.ledger)
    finally:
        databases.drop(conninfo)
