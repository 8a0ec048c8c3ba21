"""How an export is laid out in each format: parts, each with a piece of bytes for every object.

``json``
    One PROV-JSON document, ``{"prefix": …, "bundle": {id: document, …}, "entity": …, …}``: the top level's records
    follow the bundles.
``jsonl``
    No top level: each line is a whole PROV-JSON document of one object, and can be used alone.
``provn``, ``trig``
    One document with the same bundles and the same top level, through the ``prov`` package object by object: PROV-N
    wants the top level first; in TriG the parts simply follow each other. Slower than ``json``, TriG by far.
``xml``, ``jsonld``
    The ``json`` document converted as a whole, up to :data:`MOST_VERSIONS_CONVERTED` versions.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import orjson

from domain.errors import RefusedInput
from projections.prov.export.collection import BUNDLE_SECTIONS, Collection
from projections.prov.prov_json import Json
from projections.prov.scopes import Listed, ObjectEvents
from projections.prov.stream import ObjectWriter

if TYPE_CHECKING:  # importing prov takes time, and the fast formats do not need it
    from prov.model import ProvDocument

MOST_VERSIONS_CONVERTED = 2_000
"""The formats that can only be written from a document in memory, some 140 KB a version, are refused above this."""


class Item(NamedTuple):
    """One object of an export: its place in the list, from 1; the length of its line there; its events, if told."""

    number: int
    listed: Listed
    length: int
    events: ObjectEvents | None = None


@dataclass(frozen=True)
class Part:
    """One pass over the list of objects; without ``piece``, none: ``opening`` is all there is.

    ``piece`` is given objects one by one ``with_events``, and some hundred at a time without.
    """

    opening: Callable[[], bytes]
    piece: Callable[[Sequence[Item]], bytes] | None = None
    closing: bytes = b""
    with_events: bool = False


class Shape(ABC):
    """One format; ``parts`` in their order make the export."""

    whole_document: ClassVar[bool] = False
    """Whether the parts are only what the document is converted from."""

    def __init__(self, collection: Collection, writer: ObjectWriter) -> None:
        self.collection = collection
        self.writer = writer

    @abstractmethod
    def parts(self) -> list[Part]:
        """The parts."""

    def _document(self, item: Item) -> Json:
        assert item.events is not None
        return self.writer.document(item.events.events, item.events.validity)


class JsonLines(Shape):
    """A document a line."""

    def parts(self) -> list[Part]:
        return [Part(bytes, self._line, with_events=True)]

    def _line(self, items: Sequence[Item]) -> bytes:
        return b"".join(orjson.dumps(self._document(item), option=orjson.OPT_APPEND_NEWLINE) for item in items)


class JsonDocument(Shape):
    """One PROV-JSON document."""

    def parts(self) -> list[Part]:
        fixed = dict(self.collection.fixed)
        sections = [
            Part(self._section(section, fixed.pop(section, {})), self._record(section), b"}")
            for section in BUNDLE_SECTIONS
        ]
        rest = b"".join(b",\n" + _member(section, records) for section, records in fixed.items())
        return [
            Part(self._head, self._bundle, b"\n}", with_events=True),
            *sections,
            Part(lambda: rest + b"}\n"),
        ]

    def _head(self) -> bytes:
        return b"{" + _member("prefix", self.collection.around) + b',\n"bundle":{'

    def _bundle(self, items: Sequence[Item]) -> bytes:
        found = {self.collection.bundle(item.listed.pid): self._document(item) for item in items}
        return (b",\n" if items[0].number > 1 else b"\n") + _members(found)

    @staticmethod
    def _section(section: str, fixed: Json) -> Callable[[], bytes]:
        # A section's fixed records, of which there is one at least but for the members, come before the bundles'.
        return lambda: b",\n" + orjson.dumps(section) + b":{" + _members(fixed)

    def _record(self, section: str) -> Callable[[Sequence[Item]], bytes]:
        alone = section not in self.collection.fixed

        def piece(items: Sequence[Item]) -> bytes:
            found = dict([self.collection.record(section, item.listed, item.number) for item in items])
            return (b"" if alone and items[0].number == 1 else b",") + _members(found)

        return piece


class _Converted(Shape):
    """Pieces by way of the ``prov`` package."""

    def _read(self, container: Json) -> ProvDocument:
        text = orjson.dumps(container).decode()  # there may be many prefixes of runs, and few of them are used here
        used = {prefix: iri for prefix, iri in self.collection.around.items() if f'"{prefix}:' in text}
        return read_json({"prefix": used, **container})

    def _bundled(self, items: Sequence[Item]) -> Json:
        return {"bundle": {self.collection.bundle(item.listed.pid): self._document(item) for item in items}}

    def _records(self, items: Sequence[Item]) -> Json:
        found = [(item.listed, item.number) for item in items]
        return {section: dict(self.collection.record(section, *each) for each in found) for section in BUNDLE_SECTIONS}


class ProvN(_Converted):
    """One PROV-N document."""

    def parts(self) -> list[Part]:
        return [
            Part(self._head, lambda items: self._lines(self._records(items))),
            Part(bytes, self._bundle, b"endDocument\n", with_events=True),
        ]

    def _head(self) -> bytes:
        prefixes = "".join(f"  prefix {prefix} <{iri}>\n" for prefix, iri in self.collection.around.items())
        return f"document\n{prefixes}\n".encode() + self._lines(self.collection.fixed)

    def _lines(self, container: Json) -> bytes:
        return "".join(f"  {record.get_provn()}\n" for record in self._read(container).get_records()).encode()

    def _bundle(self, items: Sequence[Item]) -> bytes:
        return "".join(f"  {bundle.get_provn(1)}\n" for bundle in self._read(self._bundled(items)).bundles).encode()


class TriG(_Converted):
    """One TriG document."""

    def parts(self) -> list[Part]:
        return [Part(lambda: self._trig(self.collection.fixed), self._piece, with_events=True)]

    def _piece(self, items: Sequence[Item]) -> bytes:
        # One graph each: rdflib writes several in no fixed order.
        return self._trig(self._records(items)) + b"".join(self._trig(self._bundled([item])) for item in items)

    def _trig(self, container: Json) -> bytes:
        from projections.prov.formats import serialize

        with warnings.catch_warnings():
            # rdflib's own writer calls what rdflib has deprecated; nothing of ours does.
            warnings.filterwarnings("ignore", category=DeprecationWarning, module="rdflib")
            return serialize(self._read(container), "trig")


class Whole(JsonDocument):
    """The JSON document, to be converted when it is complete."""

    whole_document = True


SHAPES: dict[str, type[Shape]] = {
    "json": JsonDocument,
    "jsonl": JsonLines,
    "provn": ProvN,
    "trig": TriG,
    "xml": Whole,
    "jsonld": Whole,
}
"""Format name -> shape."""


def check_size(format_name: str, versions: int) -> None:
    """Raises :class:`RefusedInput` when an export is too large to be converted as a whole."""
    if SHAPES[format_name].whole_document and versions > MOST_VERSIONS_CONVERTED:
        raise RefusedInput(
            f"{format_name} is written from a document in memory, and {versions} versions are more than the "
            f"{MOST_VERSIONS_CONVERTED} that are; narrow the scope, or choose json, jsonl, provn or trig"
        )


def converted(json_document: bytes, format_name: str) -> bytes:
    """A whole PROV-JSON document in another format."""
    from projections.prov.formats import serialize

    return serialize(read_json(orjson.loads(json_document)), format_name)


def read_json(container: Json) -> ProvDocument:
    """A PROV-JSON value as the ``prov`` package reads it."""
    from prov.model import ProvDocument

    document = ProvDocument.deserialize(content=orjson.dumps(container), format="json")
    assert isinstance(document, ProvDocument)
    return document


def _members(records: Json) -> bytes:
    return orjson.dumps(records)[1:-1]


def _member(name: str, value: object) -> bytes:
    return orjson.dumps(name) + b":" + orjson.dumps(value)
