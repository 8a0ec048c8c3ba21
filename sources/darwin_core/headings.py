"""An archive without ``meta.xml``: one text file whose column headings are Darwin Core terms (Simple Darwin Core)."""

from __future__ import annotations

from pathlib import PurePosixPath

from domain.errors import InvalidArchive
from sources.darwin_core.archive_files import ArchiveFiles
from sources.darwin_core.delimited_text import DelimitedText, Dialect
from sources.darwin_core.meta import Description, Table, check_unambiguous, id_column_of
from sources.darwin_core.terms import term_of_heading

_DATA = frozenset((".csv", ".tsv", ".tab", ".txt"))
_DELIMITERS = ("\t", ",", ";", "|")


def describe_by_headings(files: ArchiveFiles) -> Description:
    """Describe the only data file by its first line, read as UTF-8; the delimiter is the one that shows most terms.

    A column headed ``id`` identifies the record, else an identifier term does. A heading that is no term stays as it
    is, so that its column is not lost. Raises :class:`InvalidArchive` unless there is exactly one such file.
    """
    names = sorted(name for name in files.names if PurePosixPath(name).suffix.lower() in _DATA)
    if len(names) != 1:
        held = ", ".join(names[:10]) or "none"
        raise InvalidArchive(
            f"there is no meta.xml, and not exactly one text file to read without it ({held}); add meta.xml"
        )
    name = names[0]
    start = next(files.chunks(name), b"")
    dialects = [Dialect(delimiter=delimiter, header_lines=1) for delimiter in _DELIMITERS]
    headings = {dialect: DelimitedText((start,), dialect, len(start)).heading for dialect in dialects}
    dialect = max(dialects, key=lambda dialect: sum(term_of_heading(cell) is not None for cell in headings[dialect]))
    heading = [cell.strip() for cell in headings[dialect]]
    columns = tuple((index, term_of_heading(cell) or cell) for index, cell in enumerate(heading) if cell)
    check_unambiguous([term for _, term in columns], name)
    known = [column for column in columns if term_of_heading(heading[column[0]])]
    lowered = [cell.casefold() for cell in heading]
    id_column = lowered.index("id") if "id" in lowered else id_column_of(columns)
    if not known or id_column is None:
        raise InvalidArchive(
            f"there is no meta.xml, and the first line of {name} does not head its columns with Darwin Core terms "
            "such as occurrenceID; add meta.xml or headings"
        )
    return Description(core=Table("dwc:Occurrence", (name,), dialect, id_column, columns))
