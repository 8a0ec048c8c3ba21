"""The mapping table: which Darwin Core term fills which openDS property, as data with a version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from domain.errors import RefusedInput

CORE = "dwc:Occurrence"
"""The row type under which the table keeps the core row, whatever the archive calls its core."""

DATASET = "eml:dataset"
"""The row type under which the table keeps facts about the whole archive (EML)."""

CORE_ID = "dwca:ID"
"""The term under which the table keeps the archive's core id."""

COLUMNS = ("class", "property", "row_type", "term", "value", "detail")
VALUES = frozenset({"text", "number", "integer", "boolean", "list", "iri", "literal", "uri", "datetime"})
_DETAILS = frozenset({"range", "unit", "verbatim", "oneof", "of", "role", "type", "relation"})
_HEADERS = ("mapping", "version", "openDS")


@dataclass(frozen=True)
class Rule:
    """One line: ``term`` of a ``row_type`` row may fill ``property`` of an openDS object of class ``owner``.

    ``value`` is one of :data:`VALUES`; ``detail`` holds what only some rules need (the file's header explains it).
    """

    owner: str
    property: str
    row_type: str
    term: str
    value: str
    detail: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MappingTable:
    """A whole table in evaluation order, with its name, its version and the openDS version it writes."""

    name: str
    version: str
    opends: str
    rules: tuple[Rule, ...]

    def select(self, owner: str, row_type: str) -> tuple[Rule, ...]:
        """The rules of one class for one row type, in evaluation order."""
        return tuple(rule for rule in self.rules if rule.owner == owner and rule.row_type == row_type)

    def terms(self, owner: str, name: str, row_type: str) -> tuple[str, ...]:
        """The terms that may fill one property, in evaluation order."""
        return tuple(rule.term for rule in self.select(owner, row_type) if rule.property == name)

    def known(self, row_type: str) -> frozenset[str]:
        """Every term of a row type that some rule reads."""
        return frozenset(rule.term for rule in self.rules if rule.row_type == row_type)

    def shared(self, row_type: str) -> frozenset[str]:
        """The terms of a row type that more than one rule reads."""
        uses = Counter(rule.term for rule in self.rules if rule.row_type == row_type)
        return frozenset(term for term, count in uses.items() if count > 1)

    def row_types(self) -> frozenset[str]:
        """Every row type that some rule reads."""
        return frozenset(rule.row_type for rule in self.rules)


def load(path: Path) -> MappingTable:
    """Read a table from a tab-separated UTF-8 file.

    Raises :class:`RefusedInput` with file and line when a header, a column or a value is not as
    the format (explained in the header of ``dwca-openDS.tsv``) demands.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedInput(f"mapping table {path} cannot be read: {error}") from None
    header = dict(_headers(lines))
    missing = [name for name in _HEADERS if not header.get(name)]
    if missing:
        raise RefusedInput(f"{path}: no '# {missing[0]}: …' line at the top")
    body = [(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
    if not body or tuple(body[0][1].split("\t")) != COLUMNS:
        raise RefusedInput(f"{path}: the first line after the comments must name the columns {', '.join(COLUMNS)}")
    rules = tuple(_rule(line, f"{path}:{number}") for number, line in body[1:])
    return MappingTable(header["mapping"], header["version"], header["openDS"], rules)


def _headers(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        if line.startswith("#"):
            name, _, value = line[1:].partition(":")
            yield name.strip(), value.strip()


def _rule(line: str, place: str) -> Rule:
    cells = line.split("\t")
    if len(cells) not in (len(COLUMNS) - 1, len(COLUMNS)) or not all(cells[: len(COLUMNS) - 1]):
        raise RefusedInput(
            f"{place}: expected {len(COLUMNS) - 1} or {len(COLUMNS)} columns, none of the first five empty"
        )
    owner, name, row_type, term, value = cells[:5]
    if value not in VALUES:
        raise RefusedInput(f"{place}: value {value!r} is none of {', '.join(sorted(VALUES))}")
    detail: dict[str, str] = {}
    for part in cells[5].split(";") if len(cells) > len(COLUMNS) - 1 else ():
        key, _, text = part.strip().partition("=")
        if key not in _DETAILS or not text:
            raise RefusedInput(
                f"{place}: detail {part.strip()!r} is not one of {', '.join(sorted(_DETAILS))} with a value"
            )
        detail[key] = text
    return Rule(owner, name, row_type, term, value, detail)
