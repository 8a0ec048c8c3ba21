"""Filling one openDS object from one row, and remembering what could not be carried."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from sources.mapping.table import CORE, DATASET, MappingTable
from sources.mapping.values import converter
from sources.records import Terms

Json = dict[str, Any]
"""An openDS object under construction."""


class Notice(str):
    """A sentence for a person; ``kind`` is the same for notices that differ only in the text of a record."""

    kind: str

    def __new__(cls, text: str, kind: str | None = None) -> Self:
        notice = super().__new__(cls, text)
        notice.kind = text if kind is None else kind
        return notice


class Report:
    """What happened while one record was mapped: notices for a person, and the terms not carried."""

    __slots__ = ("_carried", "_left", "notices")

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self._left: set[str] = set()
        self._carried: set[str] = set()

    def notice(self, text: str, kind: str | None = None) -> None:
        """Tell a person something about this record; ``kind`` is the same without anything of the record in it."""
        self.notices.append(Notice(text, kind))

    def left(self, term: str) -> None:
        """The text of this term is not in the document, unless another rule carries it."""
        self._left.add(term)

    def carried(self, term: str) -> None:
        """A term that several rules read is in the document."""
        self._carried.add(term)

    def unmapped(self) -> tuple[str, ...]:
        """The terms whose text is nowhere in the document, sorted."""
        return tuple(sorted(self._left - self._carried)) if self._left else ()


def prefix(row_type: str) -> str:
    """How terms of a row type are named in a report: core terms bare, others as ``dwc:Identification/dwc:sex``."""
    return "" if row_type == CORE else row_type + "/"


class Fields:
    """The plain rules of one class for one row type, compiled to a list that is walked once per row."""

    def __init__(self, table: MappingTable, owner: str, row_type: str, without: Iterable[str] = ()) -> None:
        self._where = prefix(row_type)
        self._is_default = row_type == DATASET
        shared = table.shared(row_type)
        skipped = frozenset(without)
        rules = [
            rule
            for rule in table.select(owner, row_type)
            if rule.property not in skipped and not rule.detail.keys() & {"of", "relation"}
        ]
        self._steps = [(rule.term, rule.property, converter(rule), rule.term in shared) for rule in rules]
        self._verbatim = {rule.term: rule.detail["verbatim"] for rule in rules if "verbatim" in rule.detail}

    def fill(self, row: Terms, into: Json, report: Report) -> None:
        """Set every property of ``into`` that is still unset and that the row has a usable text for."""
        unreadable: list[tuple[str, str, str]] = []
        for term, name, convert, shared in self._steps:
            text = row.get(term)
            if text is None:
                continue
            value: Any = text
            problem: str | None = None
            if convert is not None:
                value, problem = convert(text)
            if name in into:
                if into[name] != value and not self._is_default:
                    report.left(self._where + term)
            elif value is not None:
                into[name] = value
                if problem is not None:
                    report.notice(f"{self._where}{term}: {text!r} {problem}", f"{self._where}{term}: not exact")
                if shared:
                    report.carried(self._where + term)
            elif problem is not None:
                unreadable.append((term, text, problem))
            else:
                report.left(self._where + term)
        if unreadable:
            self._keep(unreadable, into, report)

    def _keep(self, unreadable: list[tuple[str, str, str]], into: Json, report: Report) -> None:
        """Keep what is no number in the verbatim property beside it, where that says nothing yet."""
        free = {name for name in self._verbatim.values() if name not in into}
        for term, text, problem in unreadable:
            target = self._verbatim.get(term, "")
            if target in free:
                said = into.get(target)
                into[target] = text if said in (None, text) else f"{said} - {text}"
                report.notice(
                    f"{self._where}{term}: {text!r} {problem}; kept in {target}",
                    f"{self._where}{term}: {problem}; kept",
                )
            else:
                report.notice(f"{self._where}{term}: {text!r} {problem}; left out", f"{self._where}{term}: {problem}")
