"""Joining extension rows to core rows in bounded memory: the rows wait in a temporary SQLite file, by core id."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

import orjson

from domain.errors import StoreUnavailable
from sources.darwin_core.rows import TableRow
from sources.records import Malformed, Terms

ROW_OVERHEAD = 1024
"""Bytes that a row costs in memory beside its text, so that very many very small rows are bounded too."""

_PREPARE = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;
CREATE TABLE waiting (
    seq INTEGER PRIMARY KEY,
    core_id TEXT,
    row_type TEXT NOT NULL,
    place TEXT NOT NULL,
    terms BLOB,
    reason TEXT
);
"""
_ADD = "INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?)"
_INDEX = "CREATE INDEX waiting_core_id ON waiting (core_id)"
_OF_CORE_ID = "SELECT seq, row_type, place, terms, reason FROM waiting WHERE core_id = ? ORDER BY seq"
_ALL = "SELECT seq, core_id, row_type, place, reason FROM waiting ORDER BY seq"


class ExtensionSpool:
    """All extension rows of an archive, written once and joined as often as wanted."""

    def __init__(self, rows: Iterable[tuple[str, TableRow | Malformed]], most_bytes: int) -> None:
        """Take (row type, row) in file order, and at most ``most_bytes`` of disk.

        Raises :class:`StoreUnavailable` when the temporary file cannot be written; SQLite puts it into
        ``SQLITE_TMPDIR``, ``TMPDIR``, ``/var/tmp`` or ``/tmp`` and removes it even if we are killed.
        """
        # An empty name means such a file: private, on disk, gone when closed. A reader may be closed by another thread.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        try:
            self._database.executescript(_PREPARE)
            page_size = self._database.execute("PRAGMA page_size").fetchone()[0]
            self._database.execute(f"PRAGMA max_page_count = {most_bytes // page_size + 16}")
            self._database.execute("BEGIN")
            self._database.executemany(_ADD, map(_as_stored, _numbered(rows)))
            self._database.execute("COMMIT")
            self._database.execute(_INDEX)
            self.count: int = self._database.execute("SELECT count(*) FROM waiting").fetchone()[0]
        except sqlite3.Error as error:
            self._database.close()
            raise StoreUnavailable(
                f"extension rows cannot be kept in a temporary file ({error}); free space in the temporary folder, "
                "set SQLITE_TMPDIR to a larger one, or raise the limit of total bytes"
            ) from error
        except BaseException:
            self._database.close()
            raise

    def join(self, most_bytes: int) -> ExtensionJoin:
        """A new pass over the core; ``most_bytes`` bounds the extension rows of one core row."""
        return ExtensionJoin(self._database, self.count, most_bytes)

    def close(self) -> None:
        """Remove the temporary file; may be called twice."""
        self._database.close()


class ExtensionJoin:
    """One pass over the core: asks for the rows of each core id, and at the end for those nobody asked for."""

    def __init__(self, database: sqlite3.Connection, count: int, most_bytes: int) -> None:
        self._database = database
        self._most_bytes = most_bytes
        self._asked = bytearray(count // 8 + 1)  # one bit a row

    def rows_of(self, core_id: str) -> dict[str, list[Terms]] | str:
        """Row type to rows in file order, or the reason why the record cannot be completed."""
        found: dict[str, list[Terms]] = {}
        room = self._most_bytes
        problem = None
        for seq, row_type, place, terms, reason in self._database.execute(_OF_CORE_ID, (core_id,)):
            if reason is not None:
                problem = problem or f"its {row_type} row at {place} cannot be read: {reason}"
                continue
            if self._asked[seq >> 3] >> (seq & 7) & 1:
                return "an earlier core row has the same id"
            self._asked[seq >> 3] |= 1 << (seq & 7)
            room -= len(terms) + ROW_OVERHEAD
            if room < 0:
                problem = problem or f"its extension rows exceed {self._most_bytes} bytes"
            elif problem is None:
                found.setdefault(row_type, []).append(orjson.loads(terms))
        return problem or found

    def left_over(self) -> Iterator[Malformed]:
        """In file order, the rows that could not be read and those whose core id no sound core row has."""
        for seq, core_id, row_type, place, reason in self._database.execute(_ALL):
            if reason is not None:
                yield Malformed(place, reason, core_id, of_record=False)
            elif not self._asked[seq >> 3] >> (seq & 7) & 1:
                said = f"this {row_type} row belongs to no core row that could be read"
                yield Malformed(place, said, core_id, of_record=False)


def _numbered(rows: Iterable[tuple[str, TableRow | Malformed]]) -> Iterator[tuple[int, str, TableRow | Malformed]]:
    return ((seq, row_type, row) for seq, (row_type, row) in enumerate(rows))


def _as_stored(
    numbered: tuple[int, str, TableRow | Malformed],
) -> tuple[int, str | None, str, str, bytes | None, str | None]:
    seq, row_type, row = numbered
    if isinstance(row, Malformed):
        return seq, row.id, row_type, row.place, None, row.reason
    return seq, row.id, row_type, row.place, orjson.dumps(row.terms), None
