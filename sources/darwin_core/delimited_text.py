"""Rows of a delimited text file of any dialect, with true line numbers; a broken row costs that row and no other.

The standard ``csv`` module does not serve here: it knows only one-character delimiters, fails on a lone carriage
return, joins broken quoting silently, and its only bound on memory is one setting for the whole process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from domain.errors import InvalidArchive
from sources.darwin_core.text_lines import TOO_LONG, codec_name, decoded, flaw_of, lines, terminator_in

_MOST_LINES_IN_A_ROW = 100_000
_REREAD_ROWS = 64
_COST_OF_A_LINE = 64
_LONG = 1 << 16


@dataclass(frozen=True)
class Dialect:
    """How a text file is written; the defaults are those of the Darwin Core text guide.

    ``delimiter`` and ``terminator`` may be any text, ``quote`` is one character or empty for none. Raises
    :class:`InvalidArchive` when the parts contradict each other or the encoding is unknown.
    """

    delimiter: str = ","
    quote: str = '"'
    terminator: str = "\n"
    encoding: str = "utf-8"
    header_lines: int = 0

    def __post_init__(self) -> None:
        if not self.delimiter or not self.terminator:
            raise InvalidArchive("fieldsTerminatedBy or linesTerminatedBy is empty; state the character used")
        if len(self.quote) > 1:
            raise InvalidArchive(f"fieldsEnclosedBy is {self.quote!r}; use one character, or none")
        if self.quote and (self.quote in self.delimiter or self.quote in self.terminator or self.quote in "\r\n"):
            raise InvalidArchive("fieldsEnclosedBy also ends fields or lines; use a character of its own")
        if self.terminator in self.delimiter or "\n" in self.delimiter or "\r" in self.delimiter:
            raise InvalidArchive("fieldsTerminatedBy also ends lines; use another character")
        codec_name(self.encoding)


class Row(NamedTuple):
    """One row: the line it starts on, its cells, and why it must not be used (None when it is sound).

    With a problem, ``cells`` holds what was read before it and may be empty.
    """

    line: int
    cells: list[str]
    problem: str | None


class DelimitedText:
    """One file, given as blocks of bytes and read once.

    ``heading`` holds the cells of the last header line (the others are comments), empty without one or if its
    quoting is broken.

    - A byte order mark outranks the declared encoding; UTF-16 without one is told apart by its first bytes.
    - ``\\n`` and ``\\r\\n`` are read alike, since declarations of them are rarely right. A file without the declared
      one of these but with ``\\r`` ends its lines so. Other terminators are taken literally.
    - A quote opens a cell only as its first character, is doubled inside, and is followed by white space at most.
      A row that breaks this has a problem, and reading goes on with its second line: a stray quote cannot swallow
      the rows after it.
    - A row longer than ``most_chars``, with NUL or with bytes outside the encoding has a problem. Empty lines are
      no rows.

    Raises :class:`InvalidArchive` when so much quoting is broken that reading lines twice would take for ever.
    """

    def __init__(self, chunks: Iterable[bytes], dialect: Dialect, most_chars: int) -> None:
        self._dialect = dialect
        self._most = most_chars
        self._reread_left = _REREAD_ROWS * most_chars
        blocks = decoded(iter(chunks), dialect.encoding)
        first = next(blocks, "")
        self._terminator = terminator_in(dialect.terminator, first)
        self._crlf = self._terminator == "\n"
        self._source = lines(chain((first,), blocks), self._terminator, most_chars)
        self._again: list[str] = []
        self._room = 0
        self._line = 0
        self._next_line = 1
        header = None
        for _ in range(dialect.header_lines):
            header = self._take()
        self.heading = self._heading(header)

    def __iter__(self) -> Iterator[Row]:
        delimiter, quote, most = self._dialect.delimiter, self._dialect.quote, self._most
        while (line := self._take()) is not None:
            start = self._line
            if line is TOO_LONG or len(line) > most:
                yield Row(start, [], f"the line is longer than {most} characters")
                continue
            plain = line[:-1] if self._crlf and line.endswith("\r") else line
            if not plain:
                continue
            if quote and quote in plain:
                cells = _balanced(plain, delimiter, quote)
                if cells is None:
                    yield self._quoted_row(line)
                    continue
            else:
                cells = plain.split(delimiter)
            yield Row(start, cells, flaw_of(plain))

    def count_lines(self) -> int:
        """Read on to the end and count the lines that are not empty: rows, if no quoted cell spans lines."""
        return sum(1 for line in chain(self._again, self._source) if line and line != "\r")

    def _heading(self, line: str | None) -> list[str]:
        if line is None or line is TOO_LONG:
            return []
        plain, delimiter, quote = line.removesuffix("\r"), self._dialect.delimiter, self._dialect.quote
        if not (quote and quote in plain):
            return plain.split(delimiter)
        row = self._quoted_row(line)
        return [] if row.problem else row.cells

    def _take(self) -> str | None:
        line = self._again.pop() if self._again else next(self._source, None)
        if line is not None:
            self._line = self._next_line
            self._next_line += 1 if self._crlf else max(1, self._terminator.count("\n")) + line.count("\n")
        return line

    def _quoted_row(self, line: str) -> Row:
        """Read a row the careful way, over as many lines as its quoted cells span."""
        start, second = self._line, self._next_line
        self._room = self._most - len(line)
        cells: list[str] = []
        more: list[str] = []
        try:
            self._read_cells(line, cells, more)
        except _BrokenQuotingError as broken:
            self._reread_left -= sum(len(text) + _COST_OF_A_LINE for text in more)
            if self._reread_left < 0:
                raise InvalidArchive(
                    f"quoting is broken in too many rows up to line {start}; correct the file or its fieldsEnclosedBy"
                ) from None
            self._again.extend(reversed(more))
            self._next_line = second
            return Row(start, cells, str(broken))
        return Row(start, cells, next(filter(None, map(flaw_of, (line, *more))), None))

    def _read_cells(self, line: str, cells: list[str], more: list[str]) -> None:
        delimiter, quote = self._dialect.delimiter, self._dialect.quote
        at = 0
        while True:
            if line.startswith(quote, at):
                cell, line, at = self._read_quoted(line, at + 1, more)
                stop = line.find(delimiter, at)
                rest = line[at:] if stop < 0 else line[at:stop]
                if rest and not rest.isspace():
                    raise _BrokenQuotingError(f"text follows the closing quote of cell {len(cells) + 1}")
            else:
                stop = line.find(delimiter, at)
                cell = line[at:].removesuffix("\r") if stop < 0 else line[at:stop]
            cells.append(cell)
            if stop < 0:
                return
            at = stop + len(delimiter)

    def _read_quoted(self, line: str, at: int, more: list[str]) -> tuple[str, str, int]:
        """The cell whose text starts at ``at``, the line its closing quote stands on, and the place behind it."""
        quote = self._dialect.quote
        parts: list[str] = []
        while True:
            end = line.find(quote, at)
            if end < 0:
                parts += (line[at:], self._terminator)
                following = self._take()
                if following is not None:
                    more.append(following)
                    self._room -= len(following)
                if following is None or following is TOO_LONG or self._room < 0 or len(more) > _MOST_LINES_IN_A_ROW:
                    raise _BrokenQuotingError("a cell is opened with a quote that is never closed")
                line, at = following, 0
            elif line.startswith(quote, end + 1):
                parts.append(line[at : end + 1])
                at = end + 2
            else:
                parts.append(line[at:end])
                return "".join(parts), line, end + 1


class _BrokenQuotingError(Exception):
    """Carries the reason from where quoting breaks to the row it breaks."""


def _balanced(line: str, delimiter: str, quote: str) -> list[str] | None:
    """The cells of a line in which quotes only enclose whole cells; None when it takes the careful way."""
    if len(delimiter) > 1 or len(line) > _LONG:
        return None
    pieces = line.split(quote)
    first, last = pieces[0], pieces[-1]
    if len(pieces) % 2 == 0:
        return None
    if (first and first[-1] != delimiter) or (last and last[0] != delimiter):
        return None
    cells = first[:-1].split(delimiter) if first else []
    cells.append(pieces[1])
    doubled: dict[int, list[str]] = {}
    for between, quoted in zip(pieces[2:-1:2], pieces[3::2], strict=True):
        if not between:
            doubled.setdefault(len(cells) - 1, [cells[-1]]).append(quoted)
            continue
        if between != delimiter:
            if len(between) < 2 or between[0] != delimiter or between[-1] != delimiter:
                return None
            cells += between[1:-1].split(delimiter)
        cells.append(quoted)
    if last:
        cells += last[1:].split(delimiter)
    for index, parts in doubled.items():
        cells[index] = quote.join(parts)
    return cells
