"""What a command prints: tables for people, JSON for programs, progress on a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from domain.terms import ABSENT
from domain.times import to_text

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Control and direction characters, which could rewrite what a terminal shows."""

Tick = Callable[[int, int | None], None]


def plain(text: object) -> str:
    """Text from a record, safe to show: unseen characters as their code points."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", str(text))


def safe_json(value: Any, option: int = 0) -> str:
    """JSON that is the same to a program, and in which nothing is unseen."""
    return plain(orjson.dumps(value, option=option).decode())


def show_value(value: Any, width: int = 60) -> str:
    """A JSON value for a table cell; a dash for one that is absent."""
    if value is ABSENT:
        return "–"
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    text = plain(text).replace("\n", " ")
    return text if len(text) <= width else text[: width - 1] + "…"


def show_time(moment: datetime | None) -> str:
    """A time in UTC for a table cell, to the second; the first moment of a day is that day."""
    text = to_text(moment)[:19] + "Z" if moment else ""
    return text.removesuffix("T00:00:00Z")


WHOLE = frozenset({"run", "pid", "version", "versions", "occurred", "occurred (recorded)", "started", "outcome"})
"""Columns whose cells are never broken: a person copies them, or reads them at a glance."""


class Output:
    """Where one command prints."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())

    def value(self, value: Any) -> None:
        """One JSON object: on one line for programs, indented for people."""
        self.raw(safe_json(value, 0 if self.as_json else orjson.OPT_INDENT_2) + "\n")

    def lines(self, values: Iterable[Any]) -> None:
        """JSON Lines."""
        for value in values:
            self.raw(safe_json(value) + "\n")

    def raw(self, text: str) -> None:
        """Text exactly as it is."""
        sys.stdout.write(text)

    def data(self, data: bytes) -> None:
        """UTF-8 bytes exactly as they are, but nothing unseen to a terminal."""
        if sys.stdout.isatty():
            self.raw(plain(data.decode()))
        else:
            sys.stdout.buffer.write(data)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
        """A table for people; cells are shown as plain text, whatever they hold."""
        table = Table(title=Text(plain(title)) if title else None, title_justify="left", box=None, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column in WHOLE)
        for row in rows:
            table.add_row(*(Text(plain(cell)) for cell in row))
        if not sys.stdout.isatty():
            self._console = Console(highlight=False, width=250)
        self._console.print(table)

    def say(self, text: str) -> None:
        """One line for people."""
        self._console.print(Text(plain(text)))

    def note(self, what: Any) -> None:
        """Something about work that goes on, on standard error: a line of text, or with --json a JSON object."""
        if self.as_json:
            sys.stderr.write(safe_json(what if isinstance(what, dict) else {"note": what}) + "\n")
        else:
            sys.stderr.write(f"{plain(what)}\n")

    @contextmanager
    def progress(self, what: str, unit: str) -> Iterator[Tick]:
        """A progress bar with rate and remaining time on standard error, if that is a terminal."""
        if not sys.stderr.isatty():
            yield lambda _done, _total: None
            return
        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            _Rate(unit),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        with bar:
            task = bar.add_task(plain(what), total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} {self._unit}/s" if task.speed else "")


def complain(message: str, kind: str, *, as_json: bool) -> None:
    """One clear line on standard error."""
    if as_json:
        sys.stderr.write(safe_json({"error": message, "kind": kind}) + "\n")
    else:
        sys.stderr.write(f"provenarium: {' '.join(plain(message).split())}\n")
