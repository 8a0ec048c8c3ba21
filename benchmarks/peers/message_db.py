"""message-db: an event store of PostgreSQL functions, which a program calls and whose messages it folds itself.

Its SQL is fetched from npm when it is first measured, into the user's cache folder, and never kept here.
``BENCH_MESSAGE_DB`` names a package file to take instead.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import platformdirs
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from benchmarks.documents import Document
from benchmarks.peers.store import Connections, NotMeasured, Store, changed_terms, within

PACKAGE, VERSION = "@eventide/message-db", "1.3.1"
_SHA512 = "n3hdE5YAZNXTr2HK9gG0GJ6dusgdE544LTvS+21/yOEHBvNuUzNmXXw5vS05vpe6RSuhzTRy5Wg0q7c1VfJg+A=="
_SECONDS = 60
_SCHEMA = "message_store"
_INSTALLED = ("schema", "types", "tables", "functions", "indexes")
"""Folders of its SQL in their order. No roles and views; the extension that it names, its functions do not use."""

_WRITE = "SELECT write_message(%s, %s, %s, %s, NULL, %s)"
_READ = "SELECT data, time FROM get_stream_messages(%s, 0, %s)"
_ALL = -1


class MessageDb(Store):
    """A stream an object, in one category; ``held`` is PID, the position of the last message, and the document."""

    name = "message-db"

    def __init__(self, conninfo: str) -> None:
        super().__init__(conninfo, _SCHEMA)
        self._connections = Connections(conninfo, _SCHEMA)

    def release(self) -> str:
        return f"{self.name} {VERSION}"

    def create(self, pid: str, document: Document) -> tuple[str, int, Document]:
        self._connections.get().execute(_WRITE, _message(pid, "Registered", document, -1))
        return pid, 0, document

    def change(self, held: tuple[str, int, Document], document: Document) -> tuple[str, int, Document]:
        pid, last, before = held
        self._connections.get().execute(_WRITE, _message(pid, "Changed", changed_terms(before, document), last))
        return pid, last + 1, document

    def create_many(self, documents: Mapping[str, Document]) -> None:
        connection = self._connections.get()
        with connection.transaction(), connection.cursor() as cursor:
            messages = [_message(pid, "Registered", document, -1) for pid, document in documents.items()]
            cursor.executemany(_WRITE, messages)

    def current(self, pid: str) -> Document:
        return _fold(self._messages(pid, _ALL))

    def version(self, pid: str, number: int) -> Document:
        return _fold(self._messages(pid, number))

    def as_of(self, pid: str, moment: datetime) -> Document:
        """All messages come and the later ones are left out: no function takes a time."""
        by_then = moment.astimezone(UTC).replace(tzinfo=None)
        return _fold([(data, time) for data, time in self._messages(pid, _ALL) if time <= by_then])

    def recorded(self, pid: str, number: int) -> datetime:
        time: datetime = self._messages(pid, number)[-1][1]
        return time.replace(tzinfo=UTC)

    def leave(self) -> None:
        self._connections.close()

    def _messages(self, pid: str, amount: int) -> list[Any]:
        return self._connections.get().execute(_READ, (f"specimen-{pid}", amount)).fetchall()


def _message(pid: str, kind: str, data: Document, expected: int) -> tuple[Any, ...]:
    return str(uuid4()), f"specimen-{pid}", kind, Jsonb(data), expected


def _fold(messages: list[Any]) -> Document:
    document: Document = {}
    for data, _ in messages:
        document |= orjson.loads(data)
    return document


@contextmanager
def open_store(conninfo: str) -> Iterator[MessageDb]:
    """Its schema in a database of its own, since its name cannot be chosen.

    Raises :class:`NotMeasured` when its package or a database cannot be had.
    """
    scripts = _scripts(package_file())
    database = f"bench_{uuid4().hex[:12]}"
    name = sql.Identifier(database)
    with psycopg.connect(conninfo, autocommit=True) as owner:
        try:
            owner.execute(sql.SQL("CREATE DATABASE {}").format(name))
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
            raise NotMeasured("it needs a database of its own, which cannot be created here") from None
        place = make_conninfo(conninfo, dbname=database)
        try:
            with psycopg.connect(within(place, _SCHEMA), autocommit=True) as connection:
                for script in scripts:
                    connection.execute(script)
            store = MessageDb(place)
            try:
                yield store
            finally:
                store.leave()
        finally:
            owner.execute(sql.SQL("DROP DATABASE {}").format(name))


def package_file() -> Path:
    """The package of this version: the one of ``BENCH_MESSAGE_DB``, the one fetched before, or one fetched now."""
    named = os.environ.get("BENCH_MESSAGE_DB")
    if named:
        return _checked(Path(named))
    cache = platformdirs.user_cache_path("provenarium", appauthor=False) / "benchmarks"
    file = cache / f"eventide-message-db-{VERSION}.tgz"
    if not file.exists():
        _fetch(cache)
    return _checked(file)


def _fetch(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NotMeasured("npm, which fetches it, is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
    except (subprocess.SubprocessError, OSError):
        raise NotMeasured("npm could not fetch it") from None


def _checked(file: Path) -> Path:
    try:
        content = file.read_bytes()
    except OSError:
        raise NotMeasured(f"its package file cannot be read: {file.name}") from None
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != _SHA512:
        raise NotMeasured(f"{file.name} is not {PACKAGE} {VERSION}: its SHA-512 is another")
    return file


def _scripts(file: Path) -> list[bytes]:
    """The SQL of the package in the order in which it is to be run."""
    with tarfile.open(file) as package:
        names = sorted(name for name in package.getnames() if name.endswith(".sql"))
        scripts = []
        for folder in _INSTALLED:
            for name in names:
                if name.startswith(f"package/database/{folder}/"):
                    member = package.extractfile(name)
                    assert member is not None
                    scripts.append(member.read())
    return scripts
