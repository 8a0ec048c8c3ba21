"""What an archive says about itself: ``meta.xml`` (Darwin Core text guide) and the EML document beside it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from domain.errors import InvalidArchive
from sources.darwin_core.delimited_text import Dialect
from sources.darwin_core.terms import compact

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "0": "\0"}
_PUBLISHED = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_USES_OF_A_COLUMN = 10
_LONGEST_DEFAULT = 10_000
_SAID_OF_EVERY_RECORD = 100_000
_WEB = re.compile(r"(?:https?|ftp):", re.IGNORECASE)
# A record without <id> is known by the identifier of its own kind.
_IDENTIFIERS = (
    "dwc:occurrenceID",
    "dwc:materialEntityID",
    "dwc:materialSampleID",
    "dwc:eventID",
    "dwc:taxonID",
    "dcterms:identifier",
    "dwc:catalogNumber",
)


@dataclass(frozen=True)
class Table:
    """A core or extension: the files it is in, how they are written, and which column holds which term.

    ``columns`` are (index, compact term) from 0; ``defaults`` are (compact term, text) for empty or absent cells;
    ``id_column`` holds the core id.
    """

    row_type: str
    locations: tuple[str, ...]
    dialect: Dialect
    id_column: int
    columns: tuple[tuple[int, str], ...]
    defaults: tuple[tuple[str, str], ...] = ()

    @property
    def width(self) -> int:
        """The fewest cells a row must have."""
        return 1 + max(self.id_column, *(index for index, _ in self.columns), 0)


@dataclass(frozen=True)
class Description:
    """The tables of an archive and the location of its EML document, if ``meta.xml`` names one inside the archive."""

    core: Table
    extensions: tuple[Table, ...] = ()
    metadata: str | None = None


@dataclass(frozen=True)
class Publication:
    """What the EML document says of the dataset; each None when it does not say."""

    title: str | None = None
    licence: str | None = None
    published: datetime | None = None


def parse_meta(content: bytes) -> Description:
    """Read ``meta.xml``. Raises :class:`InvalidArchive` when it is no metafile of the text guide, or hostile XML.

    Terms and row types come out compact. A literal tab or line feed in an attribute reaches us as a space, which is
    how XML wants it, so a single space as delimiter or terminator is read as the tab or line feed it once was.
    """
    root = _parse(content, "meta.xml")
    if _local(root) != "archive":
        raise InvalidArchive(
            f"meta.xml describes <{_local(root)}>, not <archive>; write it by the Darwin Core text guide"
        )
    cores = root.findall("{*}core")
    if len(cores) != 1:
        raise InvalidArchive(f"meta.xml has {len(cores)} <core> elements; it must have exactly one")
    extensions = root.findall("{*}extension")
    metadata = (root.get("metadata") or "").strip()
    return Description(
        core=_table(cores[0], "id", id_needed=bool(extensions)),
        extensions=tuple(_table(extension, "coreid", id_needed=True) for extension in extensions),
        metadata=None if not metadata or _WEB.match(metadata) else metadata,
    )


def id_column_of(columns: tuple[tuple[int, str], ...]) -> int | None:
    """The column that can serve as core id where none is named: the record's own identifier, or catalogNumber."""
    by_term = {term: index for index, term in columns}
    return next((by_term[term] for term in _IDENTIFIERS if term in by_term), None)


def check_unambiguous(terms: list[str], where: str) -> None:
    """Refuse a term that stands in two columns: which of the two is meant is not ours to choose."""
    twice = sorted(term for term, count in Counter(terms).items() if count > 1)
    if twice:
        raise InvalidArchive(f"{where} gives two columns for {', '.join(twice)}; keep the one that is meant")


def _table(element: Element, id_tag: str, *, id_needed: bool) -> Table:
    row_type = compact(element.get("rowType") or "")
    where = f"meta.xml <{_local(element)} rowType={row_type!r}>"
    if not row_type:
        raise InvalidArchive(f"{where} has no row type; state it, such as http://rs.tdwg.org/dwc/terms/Occurrence")
    locations = tuple(location.text.strip() for location in element.findall("{*}files/{*}location") if location.text)
    if not any(locations):
        raise InvalidArchive(f"{where} names no file; add <files><location>")
    columns, defaults = _fields(element, where)
    id_element = element.find(f"{{*}}{id_tag}")
    id_column = None if id_element is None else _index(id_element, where)
    if id_column is None and not id_needed:
        id_column = id_column_of(columns)
    if id_column is None:
        raise InvalidArchive(f"{where} does not say which column identifies the record; add <{id_tag} index=...>")
    return Table(row_type, locations, _dialect(element, where), id_column, columns, defaults)


def _fields(element: Element, where: str) -> tuple[tuple[tuple[int, str], ...], tuple[tuple[str, str], ...]]:
    columns: dict[tuple[int, str], None] = {}
    defaults: dict[str, str] = {}
    constants: list[str] = []
    for field in element.findall("{*}field"):
        term, index, default = (
            compact(field.get("term") or ""),
            _index(field, where),
            (field.get("default") or "").strip(),
        )
        if not term:
            raise InvalidArchive(f"{where} has a <field> without term; name the term of every field")
        if len(default) > _LONGEST_DEFAULT:
            raise InvalidArchive(
                f"{where} has a default of {len(default)} characters for {term}; at most {_LONGEST_DEFAULT} are taken"
            )
        if default:
            defaults[term] = default
        if index is not None:
            columns[index, term] = None
        elif default:
            constants.append(term)
    check_unambiguous([term for _, term in columns] + constants, where)
    # Every record gets them all, and each use copies the cell: neither must be a way to make much out of little.
    if (total := sum(map(len, defaults.values()))) > _SAID_OF_EVERY_RECORD:
        raise InvalidArchive(
            f"{where} has defaults of {total} characters together; at most {_SAID_OF_EVERY_RECORD} are taken"
        )
    if any(uses > _USES_OF_A_COLUMN for uses in Counter(index for index, _ in columns).values()):
        raise InvalidArchive(f"{where} uses one column for more than {_USES_OF_A_COLUMN} terms; map it to fewer")
    return tuple(columns), tuple(defaults.items())


def _index(element: Element, where: str) -> int | None:
    text = (element.get("index") or "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise InvalidArchive(f"{where} has the column index {text!r}; use 0, 1, 2, ...")
    return int(text)


def _dialect(element: Element, where: str) -> Dialect:
    header = (element.get("ignoreHeaderLines") or "0").strip()
    if not (header.isascii() and header.isdigit() and len(header) < 6):
        raise InvalidArchive(f"{where} has ignoreHeaderLines={header!r}; use 0, 1, 2, ...")
    delimiter = _characters(element, "fieldsTerminatedBy", ",")
    quote = _characters(element, "fieldsEnclosedBy", '"')
    terminator = _characters(element, "linesTerminatedBy", "\n")
    try:
        return Dialect(
            delimiter="\t" if delimiter == " " else delimiter,
            quote=quote.strip("\0 "),
            terminator="\n" if terminator in (" ", "") else terminator,
            encoding=element.get("encoding") or "utf-8",
            header_lines=int(header),
        )
    except InvalidArchive as error:
        raise InvalidArchive(f"{where}: {error}") from None


def _characters(element: Element, attribute: str, otherwise: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), element.get(attribute, otherwise))


def parse_eml(content: bytes) -> Publication:
    """Read title, licence and publication date from EML of any version.

    The licence is the web address of the licence where one is given (``licensed/url``, or a link within
    ``intellectualRights``), else the text of ``intellectualRights``. The date is the first moment of the day, month
    or year in UTC, and None when it is no date. Raises :class:`InvalidArchive` for hostile or ill-formed XML, and for a
    title or licence of more than 100,000 characters.
    """
    dataset = _parse(content, "the EML document").find("{*}dataset")
    if dataset is None:
        return Publication()
    titles = (_text(title) for title in dataset.findall("{*}title"))
    publication = Publication(
        title=next(filter(None, titles), None),
        licence=_licence(dataset),
        published=_published(_text(dataset.find("{*}pubDate"))),
    )
    for what, text in (("title", publication.title), ("licence", publication.licence)):
        if text and len(text) > _SAID_OF_EVERY_RECORD:
            raise InvalidArchive(
                f"the EML document has a {what} of {len(text)} characters; at most {_SAID_OF_EVERY_RECORD} are taken"
            )
    return publication


def _licence(dataset: Element) -> str | None:
    addresses = [_text(url) for url in dataset.findall("{*}licensed/{*}url")]
    addresses += [(link.get("url") or "").strip() for link in dataset.findall("{*}intellectualRights//{*}ulink")]
    known = sorted(filter(None, addresses), key=lambda address: "creativecommons.org" not in address)
    return known[0] if known else _text(dataset.find("{*}intellectualRights")) or None


def _published(text: str) -> datetime | None:
    found = _PUBLISHED.fullmatch(text)
    if found is None:
        return None
    year, month, day = (int(part or 1) for part in found.groups())
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None


def _text(element: Element | None) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _parse(content: bytes, what: str) -> Element:
    try:
        return fromstring(content, forbid_dtd=True)
    except DefusedXmlException:
        raise InvalidArchive(f"{what} has a document type or entities; remove them") from None
    except (ParseError, ValueError, LookupError) as error:
        raise InvalidArchive(f"{what} is not well-formed XML ({error}); correct it") from None


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]
