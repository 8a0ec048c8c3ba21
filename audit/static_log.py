"""A folder that holds a log as static files, as C2SP tlog-tiles lays them out; any web server can serve it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from audit.tlog.checkpoint import Checkpoint
from audit.tlog.note import Note
from domain.errors import InvalidNote, RefusedInput


class StaticLog:
    """The files of one log below a folder, each written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def checkpoint(self) -> Checkpoint | None:
        """What the copy was brought up to last; None for a new one. Its signature is not checked.

        Raises :class:`RefusedInput` when the folder is something else.
        """
        file = self.folder / "checkpoint"
        try:
            return Checkpoint.parse(Note.parse(file.read_bytes()).text)
        except FileNotFoundError:
            if self.folder.is_dir() and any(self.folder.iterdir()) and not (self.folder / "tile").is_dir():
                raise RefusedInput(f"{self.folder} holds other things; choose an empty folder") from None
            return None
        except InvalidNote as error:
            raise RefusedInput(f"{file} is no checkpoint ({error}); choose another folder") from None
        except OSError as error:
            raise RefusedInput(f"cannot read {file}: {error.strerror}; choose another folder") from None

    def read(self, path: str, most: int) -> bytes:
        """One file of the log, of at most so many bytes.

        Raises :class:`RefusedInput` when it is not there, is no regular file of the folder's own, or is larger.
        """
        target = self.folder / path
        try:
            number = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(number, "rb") as stream:
                if not stat.S_ISREG(os.fstat(number).st_mode):
                    raise RefusedInput(f"{target} is no regular file, so it is no part of a copy of a log")
                data = stream.read(most + 1)
        except OSError as error:
            raise RefusedInput(f"cannot read {target}: {error.strerror}; the copy of the log is incomplete") from None
        if len(data) > most:
            raise RefusedInput(f"{target} is larger than the {most} bytes it can have in a copy of a log")
        return data

    def write(self, path: str, data: bytes) -> None:
        """Write one file of the log; raises :class:`RefusedInput` when the system refuses."""
        target = self.folder / path
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(data)
            beside.replace(target)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise RefusedInput(f"cannot write {target}: {error.strerror}; choose another folder") from None
