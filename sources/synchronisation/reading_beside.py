"""Reads a large source file in a process of its own, while what it has is compared with the ledger.

Most of a month's archive is as it was the month before: reading it and digesting its rows is half of the work. What
the other process sends of a row is its place, id and digest, and its text, of which only changed rows are read again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from domain.errors import InvalidArchive, ProvenariumError, StoreUnavailable
from sources.records import Malformed
from sources.synchronisation.candidates import SourceFile, Unread, open_source
from store.processes import start_helper

LARGE_BYTES = 4 * 2**20
"""Starting a process takes a second; a file smaller than this, or a folder, is read sooner without one."""
MESSAGE_ROWS, MESSAGE_OCTETS = 500, 2**20

Row = tuple[Any, ...]


def open_to_synchronise(path: Path) -> SourceFile:
    """As :func:`open_source`; a large file is read by a process of its own."""
    file = open_source(path)
    return _Beside(file, path) if path.is_file() and path.stat().st_size >= LARGE_BYTES else file


class _Beside:
    """A source file whose records another process reads."""

    def __init__(self, file: SourceFile, path: Path) -> None:
        self._file = file
        self._path = path
        self.metadata = file.metadata
        self.mapping = file.mapping
        self.translator = file.translator
        self.count = file.count
        self.media_are_records = file.media_are_records
        self.read = file.read
        self.close = file.close

    def records(self, *, as_text: bool = True) -> Iterator[Unread | Malformed]:  # noqa: ARG002 - it always is
        """Everything in the file, in its order; raises what the other process could not go on for."""
        process, ours = start_helper(_run, self._path)
        try:
            self._require_same(_received(ours, process))
            while rows := _received(ours, process):
                for is_sound, row in rows:
                    yield Unread(*row) if is_sound else Malformed(*row)
        finally:
            ours.close()
            process.terminate()
            process.join()

    def _require_same(self, sha256: str) -> None:
        if sha256 != self.metadata.sha256:
            raise InvalidArchive(f"{self._path}: was changed while it was read; give the same command again")


def _received(pipe: Connection, process: BaseProcess) -> Any:
    try:
        message = pipe.recv()
    except (EOFError, OSError):  # it ended, perhaps in the middle of a message
        process.join()
        raise StoreUnavailable(
            f"the process that read the file ended with status {process.exitcode}; see whether the machine has enough "
            "memory, then give the same command again, which goes on"
        ) from None
    if isinstance(message, ProvenariumError):
        raise message
    return message


def _run(path: Path, pipe: Connection) -> None:
    """Read the file and send it; ends early when nobody listens any more."""
    with suppress(BrokenPipeError):
        try:
            file = open_source(path)
            try:
                pipe.send(file.metadata.sha256)
                for rows in _messages(file):
                    pipe.send(rows)
                pipe.send([])
            finally:
                file.close()
        except ProvenariumError as error:
            pipe.send(error)


def _messages(file: SourceFile) -> Iterator[list[tuple[bool, Row]]]:
    rows: list[tuple[bool, Row]] = []
    octets = 0
    for item in file.records(as_text=True):
        if isinstance(item, Malformed):
            rows.append((False, (item.place, item.reason, item.id, item.of_record)))
        else:
            rows.append((True, (item.place, item.record_id, item.record_digest, item.content, item.weight)))
            octets += len(item.content)
        if len(rows) >= MESSAGE_ROWS or octets >= MESSAGE_OCTETS:
            yield rows
            rows, octets = [], 0
    if rows:
        yield rows
