"""A folder that holds a log as static files, as C2SP tlog-tiles lays them out; any web server can serve it."""

from __future__ import annotations

import os
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
