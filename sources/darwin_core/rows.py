"""The rows of a described table as terms: cells to terms, defaults, and the rules for a row that cannot be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from operator import itemgetter
from typing import NamedTuple

from sources.darwin_core.archive_files import ArchiveFiles
from sources.darwin_core.delimited_text import DelimitedText
from sources.darwin_core.meta import Table
from sources.darwin_core.text_lines import flaw_of
from sources.records import Malformed, Terms


class TableRow(NamedTuple):
    """A sound row: where it stands, the core id it carries, and its terms."""

    place: str
    id: str
    terms: Terms


def table_rows(files: ArchiveFiles, table: Table, most_chars: int) -> Iterator[TableRow | Malformed]:
    """Read a table through all its files. Raises :class:`~domain.errors.InvalidArchive` when a file is damaged.

    Cells lose surrounding white space; an empty cell takes the default or is absent. Malformed is a row

    - with fewer cells than ``meta.xml`` uses. A row cut short and a row whose last fields were emptied look alike,
      and reading the first as the second would erase data;
    - with another number of cells than the heading, if the heading covers all the columns in use: a delimiter
      too many or too few has shifted its cells;
    - with an empty core id, a NUL, bytes outside the encoding, broken quoting, or more than ``most_chars``.
    """
    for location in table.locations:
        yield from _file_rows(files, location, table, most_chars)


def _file_rows(files: ArchiveFiles, name: str, table: Table, most_chars: int) -> Iterator[TableRow | Malformed]:
    id_column = table.id_column
    terms_in_order = [term for _, term in table.columns]
    # Two indices more than needed, as itemgetter of one index gives no tuple; zip stops at the last term.
    pick = itemgetter(*(index for index, _ in table.columns), 0, 0)
    with closing(files.chunks(name)) as chunks:
        text = DelimitedText(chunks, table.dialect, most_chars)
        fewest, most = _cell_counts(text.heading, table.width)
        for line, cells, problem in text:
            if problem is None:
                if fewest <= len(cells) <= most:
                    if row_id := cells[id_column].strip():
                        terms = {
                            term: value
                            for term, cell in zip(terms_in_order, pick(cells), strict=False)
                            if (value := cell.strip())
                        }
                        for term, default in table.defaults:
                            terms.setdefault(term, default)
                        yield TableRow(f"{name} line {line}", row_id, terms)
                        continue
                    problem = f"the core id in column {id_column + 1} is empty"
                else:
                    problem = f"the row has {len(cells)} cells where {fewest if len(cells) < fewest else most} belong"
            yield Malformed(f"{name} line {line}", problem, _readable_id(cells, id_column))


def _cell_counts(heading: list[str], needed: int) -> tuple[int, float]:
    """The fewest and the most cells a row may have. A heading may end in delimiters without names."""
    named = len(heading)
    while named and not heading[named - 1].strip():
        named -= 1
    # A last header line that is shorter than the columns in use is a comment and says nothing of the width.
    return (max(needed, named), len(heading)) if len(heading) >= needed else (needed, float("inf"))


def _readable_id(cells: list[str], column: int) -> str | None:
    text = cells[column].strip() if column < len(cells) else ""
    return None if not text or flaw_of(text) else text
