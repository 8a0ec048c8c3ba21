"""What a source said last about each of its records, and which object each record is."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from psycopg import Connection
from psycopg.rows import tuple_row

from store import statements
from store.ledger import Ledger
from store.statements import index_order

SQL = statements.load("sources.synchronisation", "synchronise.sql")

Key = tuple[str, str]
"""(openDS type, natural key) of a record within its source."""


@dataclass(frozen=True)
class SourceRecord:
    """The last statement of a source about one record.

    Either ``version`` names the object's version that equals it, or ``document`` holds it packed.
    ``record_digest`` and ``document_digest`` are SHA-256 of what was read and of what it became;
    ``media`` are the natural keys of the media a specimen lists; ``present`` is false once the
    record was tombstoned for being absent; ``run`` is the run that wrote this.
    """

    type: str
    key: str
    record_id: str
    pid: str
    record_digest: bytes
    document_digest: bytes
    version: int | None
    document: bytes | None
    media: tuple[str, ...]
    present: bool
    run: UUID

    def to_json(self) -> dict[str, Any]:
        """For the run's items, so that a revert can put it back."""
        return {
            "type": self.type,
            "key": self.key,
            "record_id": self.record_id,
            "pid": self.pid,
            "record_digest": self.record_digest.hex(),
            "document_digest": self.document_digest.hex(),
            "version": self.version,
            "document": base64.b64encode(self.document).decode() if self.document is not None else None,
            "media": list(self.media),
            "present": self.present,
            "run": str(self.run),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> SourceRecord:
        """Read what :meth:`to_json` wrote."""
        return cls(
            value["type"],
            value["key"],
            value["record_id"],
            value["pid"],
            bytes.fromhex(value["record_digest"]),
            bytes.fromhex(value["document_digest"]),
            value["version"],
            base64.b64decode(value["document"]) if value["document"] is not None else None,
            tuple(value["media"]),
            value["present"],
            UUID(value["run"]),
        )


def fetch(ledger: Ledger, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Rows of one named statement of ``synchronise.sql`` on a pooled connection."""
    with ledger.connection() as connection:
        return run(connection, statement, parameters)


def run(connection: Connection[Any], statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Rows of one named statement of ``synchronise.sql`` on a given connection."""
    with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        cursor.execute(SQL[statement], parameters)
        return cursor.fetchall() if cursor.description else []


def by_record_id(ledger: Ledger, source: str, record_ids: Iterable[str]) -> dict[str, list[SourceRecord]]:
    """The records with these ids of the source's own; several once the natural key behind an id has changed."""
    found: dict[str, list[SourceRecord]] = defaultdict(list)
    for record in _records(fetch(ledger, "records_by_id", (source, list(record_ids)))):
        found[record.record_id].append(record)
    return found


def by_key(ledger: Ledger, source: str, keys: Iterable[Key]) -> dict[Key, SourceRecord]:
    """The records with these natural keys."""
    wanted = list(dict.fromkeys(keys))
    rows = fetch(ledger, "records_by_key", ([kind for kind, _ in wanted], [key for _, key in wanted], source))
    return {(found.type, found.key): found for found in _records(rows)}


def missing(ledger_connection: Connection[Any], source: str, after: Key, limit: int) -> list[SourceRecord]:
    """Present records that the connection's ``seen`` table lacks, after one key, in key order."""
    with index_order(ledger_connection):
        return _records(run(ledger_connection, "missing_records", (source, *after, limit)))


def specimens_listing(ledger: Ledger, source: str, media: Sequence[str]) -> list[tuple[str, str, tuple[str, ...]]]:
    """(key, PID, media keys) of the present specimens that list any of these media."""
    rows = fetch(ledger, "records_listing_media", (source, list(media)))
    return [(key, pid, tuple(listed)) for key, pid, listed in rows]


def save(connection: Connection[Any], source: str, records: Sequence[SourceRecord]) -> None:
    """Insert or replace records inside the caller's transaction."""
    if not records:
        return
    run(
        connection,
        "upsert_records",
        (
            source,
            [record.type for record in records],
            [record.key for record in records],
            [record.record_id for record in records],
            [record.pid for record in records],
            [record.record_digest for record in records],
            [record.document_digest for record in records],
            [record.version for record in records],
            [record.document for record in records],
            [orjson.dumps(record.media).decode() for record in records],
            [record.present for record in records],
            [record.run for record in records],
        ),
    )


def save_keys(connection: Connection[Any], source: str, keys: Sequence[tuple[str, str, str]]) -> None:
    """Claim (type, key, PID) for new objects; raises psycopg's ``UniqueViolation`` when one is taken."""
    if keys:
        types, names, pids = zip(*keys, strict=True)
        run(connection, "insert_keys", (source, list(types), list(names), list(pids)))


def _records(rows: Iterable[tuple[Any, ...]]) -> list[SourceRecord]:
    return [
        SourceRecord(
            kind,
            key,
            record_id,
            pid,
            record_digest,
            document_digest,
            version,
            document,
            tuple(media),
            present,
            run_id,
        )
        for (
            kind,
            key,
            record_id,
            pid,
            record_digest,
            document_digest,
            version,
            document,
            media,
            present,
            run_id,
        ) in rows
    ]
