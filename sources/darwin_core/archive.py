"""Darwin Core Archives as a stream of records: core rows in file order, each with its extension rows.

``python-dwca-reader`` does not serve here: it unpacks archives without bounds into a temporary folder, keeps an index
of all extension lines in memory, and has no way to report one bad row and go on. An archive here is a stranger's file
of any size, of which every sound record is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from domain.errors import InvalidArchive
from sources.darwin_core.archive_files import ArchiveFiles, Limits, open_files, relative_name
from sources.darwin_core.delimited_text import DelimitedText
from sources.darwin_core.extension_spool import ExtensionSpool
from sources.darwin_core.headings import describe_by_headings
from sources.darwin_core.meta import Description, Publication, Table, parse_eml, parse_meta
from sources.darwin_core.rows import TableRow, table_rows
from sources.records import ArchiveRecord, Malformed, RecordReader, SourceMetadata

__all__ = ["DarwinCoreArchive", "Limits"]

_CHEAPLY_COUNTED = 64 << 20


class DarwinCoreArchive(RecordReader):
    """A Darwin Core Archive, zipped or in a folder, or a lone file of Simple Darwin Core, open for reading.

    Iterating yields an :class:`ArchiveRecord` or a :class:`Malformed` for every row of the core in file order, then a
    :class:`Malformed` for every extension row that was not delivered with a record. It may be done again, and by
    several at once. A record is whole or malformed: one with an unreadable extension row is not given without it, as
    that would look like a deletion. Core ids are not checked to be unique. What makes a row malformed is said at
    :func:`sources.darwin_core.rows.table_rows`.

    Raises :class:`InvalidArchive`, also while iterating, when the archive is damaged, hostile or no Darwin Core
    Archive, and :class:`~domain.errors.StoreUnavailable` when extension rows find no temporary space.
    """

    def __init__(self, path: Path, files: ArchiveFiles, limits: Limits) -> None:
        self._path = path
        self._files = files
        self._limits = limits
        self._spool: ExtensionSpool | None = None
        belonging = []
        if "meta.xml" in files.names:
            belonging.append("meta.xml")
            self._description = _located(parse_meta(files.read("meta.xml", limits.meta_bytes)), files)
        else:
            self._description = describe_by_headings(files)
        publication = Publication()
        if (eml := _eml_of(self._description, files)) is not None:
            belonging.append(eml)
            publication = parse_eml(files.read(eml, limits.eml_bytes))
        for table in (self._description.core, *self._description.extensions):
            belonging += table.locations
        self.metadata = SourceMetadata(
            files.sha256(belonging), publication.title, publication.licence, publication.published
        )

    @classmethod
    def open(cls, path: Path, limits: Limits = Limits()) -> Self:  # noqa: B008 - frozen
        """Open a zip, folder or text file: check it, hash it, read ``meta.xml`` and EML. Rows are read by iterating."""
        path = Path(path)
        with _naming(path):
            files = open_files(path, limits)
            try:
                return cls(path, files, limits)
            except BaseException:
                files.close()
                raise

    @property
    def row_type(self) -> str:
        """What a core row is, compact, such as ``dwc:Occurrence``."""
        return self._description.core.row_type

    @cached_property
    def count(self) -> int | None:
        """Lines of the core with data, for progress: more than its rows if quoted cells span lines.

        None when the core is larger than 64 MiB unpacked and counting would take noticeable time.
        """
        core = self._description.core
        if sum(map(self._files.size, core.locations)) > _CHEAPLY_COUNTED:
            return None
        with _naming(self._path):
            return sum(
                DelimitedText(self._files.chunks(name), core.dialect, self._limits.record_chars).count_lines()
                for name in core.locations
            )

    def __iter__(self) -> Iterator[ArchiveRecord | Malformed]:
        with _naming(self._path):
            rows = table_rows(self._files, self._description.core, self._limits.record_chars)
            if self._description.extensions:
                yield from self._joined(rows)
            else:
                for row in rows:
                    yield row if isinstance(row, Malformed) else ArchiveRecord(row.id, row.place, row.terms)

    def _joined(self, rows: Iterator[TableRow | Malformed]) -> Iterator[ArchiveRecord | Malformed]:
        if self._spool is None:
            self._spool = ExtensionSpool(self._extension_rows(), 2 * self._limits.total_bytes)
        join = self._spool.join(self._limits.record_extension_bytes)
        for row in rows:
            if isinstance(row, Malformed):
                yield row
                continue
            extensions = join.rows_of(row.id)
            if isinstance(extensions, str):
                yield Malformed(row.place, extensions, row.id)
            else:
                yield ArchiveRecord(row.id, row.place, row.terms, extensions)
        yield from join.left_over()

    def _extension_rows(self) -> Iterator[tuple[str, TableRow | Malformed]]:
        for table in self._description.extensions:
            for row in table_rows(self._files, table, self._limits.record_chars):
                yield table.row_type, row

    def close(self) -> None:
        """Release the archive and the temporary file; may be called twice."""
        if self._spool is not None:
            self._spool.close()
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except InvalidArchive as error:
        raise InvalidArchive(f"{path}: {error}") from error
    except OSError as error:
        raise InvalidArchive(f"{path}: cannot be read ({error}); check the file and its permissions") from error


def _located(description: Description, files: ArchiveFiles) -> Description:
    def located(table: Table) -> Table:
        where = f"meta.xml for {table.row_type}"
        names = tuple(files.resolve(location, where) for location in table.locations)
        for name in names:
            if name in taken:
                raise InvalidArchive(f"meta.xml names {name} twice; a file belongs to one table and is read once")
            taken.add(name)
        return replace(table, locations=names)

    taken: set[str] = set()
    return replace(description, core=located(description.core), extensions=tuple(map(located, description.extensions)))


def _eml_of(description: Description, files: ArchiveFiles) -> str | None:
    name = relative_name(description.metadata or "eml.xml", "meta.xml, as metadata,")
    return name if name in files.names else None
