"""A folder that only its owner can reach, whose files are written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from domain.errors import UnsafeKeys

MAX_FILE = 2**21
_LOCK = "lock"
_UNFINISHED = ".new-"
_OWN = os.O_CLOEXEC | os.O_NOFOLLOW


class PrivateFolder:
    """The files of one open folder. Names are of files in it, never paths.

    The folder has been checked when it was opened, and is held by its descriptor: what is put at its
    path afterwards makes no difference. Every method raises :class:`UnsafeKeys` when the system refuses.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._folder = descriptor

    def names(self) -> list[str]:
        """The files in the folder."""
        with explained(self.path):
            return sorted(os.listdir(self._folder))  # noqa: PTH208 - by descriptor, which pathlib cannot

    def read(self, name: str) -> bytes | None:
        """A file's bytes, None if there is none.

        Raises :class:`UnsafeKeys` for a link, for what is no file, and for a file that others can reach.
        """
        with explained(self.path / name):
            try:
                descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _OWN, dir_fd=self._folder)
            except FileNotFoundError:
                return None
            with os.fdopen(descriptor, "rb") as file:
                _require_private(os.fstat(descriptor), self.path / name, stat.S_ISREG, "a file")
                data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise UnsafeKeys(f"{self.path / name} is larger than {MAX_FILE} bytes; it is not one of ours")
        return data

    def create(self, name: str, data: bytes) -> None:
        """Write a file that must not exist yet. Raises :class:`UnsafeKeys` when it does."""
        with explained(self.path / name):
            unfinished = self._written(data)
            try:
                os.link(unfinished, name, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=False)
            except FileExistsError:
                raise UnsafeKeys(f"{self.path / name} exists already and is not overwritten") from None
            finally:
                os.unlink(unfinished, dir_fd=self._folder)
            os.fsync(self._folder)

    def replace(self, name: str, data: bytes) -> None:
        """Write a file, in place of the one that may be there."""
        with explained(self.path / name):
            self.rename(self._written(data), name)

    def rename(self, name: str, to: str) -> None:
        """Give a file another name, in place of the file that may have it."""
        with explained(self.path / to):
            os.rename(name, to, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            os.fsync(self._folder)

    def remove(self, name: str) -> None:
        """Remove a file."""
        with explained(self.path / name):
            os.unlink(name, dir_fd=self._folder)
            os.fsync(self._folder)

    def destroy(self, name: str) -> None:
        """Overwrite a file with zeros and remove it.

        Storage that keeps former blocks (flash, snapshots, backups) may still hold what was in it.
        """
        with explained(self.path / name):
            descriptor = os.open(name, os.O_WRONLY | _OWN, dir_fd=self._folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(bytes(os.fstat(descriptor).st_size))
                file.flush()
                os.fsync(descriptor)
            self.remove(name)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be alone in the folder: others who want to wait. Clears away what a killed process was writing."""
        with explained(self.path / _LOCK):
            lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | _OWN, 0o600, dir_fd=self._folder)
        try:
            with explained(self.path / _LOCK):
                fcntl.flock(lock, fcntl.LOCK_EX)
            for name in self.names():
                if name.startswith(_UNFINISHED):  # not overwritten: it may be a second link to a finished file
                    self.remove(name)
            yield
        finally:
            os.close(lock)

    def _written(self, data: bytes) -> str:
        name = _UNFINISHED + secrets.token_hex(8)
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OWN, 0o600, dir_fd=self._folder)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        return name


@contextmanager
def opened(path: Path) -> Iterator[PrivateFolder]:
    """Open a folder for reading.

    Raises :class:`UnsafeKeys` when there is none, when other accounts can reach it or own it, or when
    the path to it leads through a symbolic link of another account.
    """
    path = path.absolute()
    with explained(path):
        for step in reversed((path, *path.parents)):
            found = step.lstat()
            if stat.S_ISLNK(found.st_mode) and found.st_uid not in (0, os.geteuid()):
                raise UnsafeKeys(f"{step} is a symbolic link of another account; give the folder itself")
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _require_private(os.fstat(descriptor), path, stat.S_ISDIR, "a folder")
        yield PrivateFolder(path, descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, create: bool = False) -> Iterator[PrivateFolder]:
    """Open a folder to be alone in it. With ``create`` it is made when there is none.

    Raises what :func:`opened` raises.
    """
    if create:
        with explained(path), suppress(FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir(mode=0o700)
    with opened(path) as folder, folder.lock():
        yield folder


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the system's refusals into :class:`UnsafeKeys` that name the file."""
    try:
        yield
    except OSError as error:
        raise UnsafeKeys(f"{path} cannot be used: {error.strerror or error}") from error


def _require_private(found: os.stat_result, path: Path, is_kind: Callable[[int], bool], kind: str) -> None:
    if not is_kind(found.st_mode):
        raise UnsafeKeys(f"{path} is not {kind}")
    if found.st_uid != os.geteuid():
        raise UnsafeKeys(f"{path} belongs to another account")
    if found.st_mode & 0o077:
        mode = "700" if stat.S_ISDIR(found.st_mode) else "600"
        raise UnsafeKeys(f"{path} is open to other accounts; consider its keys known, or run chmod {mode} on it")
