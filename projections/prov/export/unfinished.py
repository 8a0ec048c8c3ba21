"""An export that is being written: its bytes so far, the list of what it tells, and how far it has come."""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import orjson

from domain.errors import RefusedInput
from projections.prov.export.pieces import Cursor

SAVED_EVERY = 1.0
"""Seconds between two records of how far it has come; what was written since is written again after a crash."""

_FORM = 1


@dataclass(frozen=True)
class State:
    """What is known of an unfinished export: the request, the plan, and the place its first ``size`` bytes reach."""

    request: dict[str, Any]
    plan: dict[str, Any]
    cursor: Cursor = field(default_factory=Cursor)
    size: int = 0

    def to_json(self) -> dict[str, Any]:
        """As kept in the state file."""
        return {
            "form": _FORM,
            "request": self.request,
            "plan": self.plan,
            "cursor": list(self.cursor),
            "size": self.size,
        }


class Unfinished:
    """The files beside ``target``: ``NAME.part``, ``NAME.part.list`` and ``NAME.part.state``.

    A context manager; inside it, this process alone writes them. Raises :class:`RefusedInput` when
    another one does, ``OSError`` when they cannot be written.
    """

    def __init__(self, target: Path) -> None:
        self._target = target.resolve()  # a link stays a link
        self._part = self._beside(".part")
        self._list = self._beside(".part.list")
        self._state = self._beside(".part.state")

    def __enter__(self) -> Self:
        self._file = self._locked()
        self._saved = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)  # gives up the lock

    def state(self, request: dict[str, Any]) -> State | None:
        """How far an export of this request has come; None when there is nothing to go on with."""
        try:
            found = orjson.loads(self._state.read_bytes())
            state = State(found["request"], found["plan"], Cursor(*found["cursor"]), found["size"])
            usable = found["form"] == _FORM and state.request == request and self._list.exists()
        except (OSError, ValueError, LookupError, TypeError):
            return None
        if not usable or os.fstat(self._file).st_size < state.size:
            return None
        os.ftruncate(self._file, state.size)
        self._now = state
        return state

    def new_list(self) -> BinaryIO:
        """A new list, to be filled in before :meth:`begin`."""
        self._state.unlink(missing_ok=True)
        return self._list.open("wb")

    def begin(self, request: dict[str, Any], plan: dict[str, Any]) -> State:
        """Begin with nothing written; the list must be complete."""
        os.ftruncate(self._file, 0)
        self._now = State(request, plan)
        self._save()
        return self._now

    def list(self) -> BinaryIO:
        """The list, to be read."""
        return self._list.open("rb")

    def append(self, block: bytes, cursor: Cursor) -> None:
        """Add bytes that reach the place ``cursor``."""
        os.lseek(self._file, self._now.size, os.SEEK_SET)
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        self._now = State(self._now.request, self._now.plan, cursor, self._now.size + len(block))
        if time.monotonic() - self._saved >= SAVED_EVERY:
            self._save()

    def finish(self) -> int:
        """Put the file in its place, with the permissions of the one that was there; returns its size."""
        if self._target.exists():
            os.fchmod(self._file, self._target.stat().st_mode & 0o777)
        os.fsync(self._file)
        self._part.replace(self._target)
        self._state.unlink(missing_ok=True)
        self._list.unlink(missing_ok=True)
        return self._now.size

    def discard(self) -> None:
        """Remove the files."""
        for path in (self._state, self._list, self._part):
            path.unlink(missing_ok=True)

    def _save(self) -> None:
        """Record the state, after the bytes it speaks of."""
        os.fsync(self._file)
        beside = self._beside(".part.state.new")
        beside.write_bytes(orjson.dumps(self._now.to_json(), option=orjson.OPT_INDENT_2))
        beside.replace(self._state)
        self._saved = time.monotonic()

    def _locked(self) -> int:
        while True:
            number = os.open(self._part, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(number), self._part.stat()):
                    return number
            except BlockingIOError:
                os.close(number)
                raise RefusedInput(f"another export is writing {self._target} at this moment") from None
            except FileNotFoundError:
                pass  # the export that had it finished in between
            os.close(number)

    def _beside(self, suffix: str) -> Path:
        return self._target.with_name(self._target.name + suffix)
