"""How an export is laid out in each format: parts, each of pieces of bytes for chunks of objects.

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
from projections.prov.scopes import Listed
from projections.prov.stored_events import ObjectEvents
from projections.prov.stream import ObjectWriter

if TYPE_CHECKING:  # importing prov takes time, and the fast formats do not need it
    from prov.model import ProvDocument

MOST_VERSIONS_CONVERTED = 2_000
"""The formats that can only be written from a document in memory, some 140 KB a version, are refused above this."""


class Chunk(NamedTuple):
    """Objects of an export that follow each other in its list, and their events, if told.

    ``first`` is the number of the first of them in the list, from 1; ``length`` that of their lines there, in bytes;
    ``versions`` how many they have together.
    """

    first: int
    listed: Sequence[Listed]
    length: int
    versions: int
    events: Sequence[ObjectEvents] = ()


@dataclass(frozen=True)
class Part:
    """One pass over the list of objects; without ``piece``, none: ``opening`` is all there is."""

    opening: Callable[[], bytes]
    piece: Callable[[Chunk], bytes] | None = None
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


class JsonLines(Shape):
    """A document a line."""

    def parts(self) -> list[Part]:
        return [Part(bytes, self._lines, with_events=True)]

    def _lines(self, chunk: Chunk) -> bytes:
        text = self.writer.text
        return "".join([f"{text(each.events, each.validity)}\n" for each in chunk.events]).encode()


class JsonDocument(Shape):
    """One PROV-JSON document."""

    def parts(self) -> list[Part]:
        fixed = dict(self.collection.fixed)
        sections = [
            Part(self._section(section, fixed.pop(section, {})), self._records(section), b"}")
            for section in BUNDLE_SECTIONS
        ]
        rest = b"".join(b",\n" + _member(section, records) for section, records in fixed.items())
        return [
            Part(self._head, self._bundles, b"\n}", with_events=True),
            *sections,
            Part(lambda: rest + b"}\n"),
        ]

    def _head(self) -> bytes:
        return b"{" + _member("prefix", self.collection.around) + b',\n"bundle":{'

    def _bundles(self, chunk: Chunk) -> bytes:
        bundle, text = self.collection.bundle, self.writer.text
        found = [f'"{bundle(each.pid)}":{text(each.events, each.validity)}' for each in chunk.events]
        return f"{',' if chunk.first > 1 else ''}\n{f',{chr(10)}'.join(found)}".encode()

    @staticmethod
    def _section(section: str, fixed: Json) -> Callable[[], bytes]:
        # A section's fixed records, of which there is one at least but for the members, come before the bundles'.
        return lambda: b",\n" + orjson.dumps(section) + b":{" + orjson.dumps(fixed)[1:-1]

    def _records(self, section: str) -> Callable[[Chunk], bytes]:
        alone = section not in self.collection.fixed

        def piece(chunk: Chunk) -> bytes:
            told = self.collection.records(section, chunk.listed, chunk.first)
            return f"{'' if alone and chunk.first == 1 else ','}{told}".encode()

        return piece


class _Converted(Shape):
    """Object by object by way of the ``prov`` package."""

    def _read(self, container: Json) -> ProvDocument:
        text = orjson.dumps(container).decode()  # there may be many prefixes of runs, and few of them are used here
        used = {prefix: iri for prefix, iri in self.collection.around.items() if f'"{prefix}:' in text}
        return read_json(orjson.dumps({"prefix": used, **container}))

    def _bundle(self, told: ObjectEvents) -> ProvDocument:
        document = self.writer.document(told.events, told.validity)
        return self._read({"bundle": {self.collection.bundle(told.pid): document}})

    def _records(self, listed: Sequence[Listed], first: int) -> ProvDocument:
        records = self.collection.records
        return self._read({name: orjson.loads(f"{{{records(name, listed, first)}}}") for name in BUNDLE_SECTIONS})


class ProvN(_Converted):
    """One PROV-N document."""

    def parts(self) -> list[Part]:
        return [
            Part(self._head, self._members),
            Part(bytes, self._bundles, b"endDocument\n", with_events=True),
        ]

    def _head(self) -> bytes:
        prefixes = "".join(f"  prefix {prefix} <{iri}>\n" for prefix, iri in self.collection.around.items())
        return f"document\n{prefixes}\n{_statements(self._read(self.collection.fixed))}".encode()

    def _members(self, chunk: Chunk) -> bytes:
        return _statements(self._records(chunk.listed, chunk.first)).encode()

    def _bundles(self, chunk: Chunk) -> bytes:
        bundles = (bundle for each in chunk.events for bundle in self._bundle(each).bundles)
        return "".join(f"  {bundle.get_provn(1)}\n" for bundle in bundles).encode()


def _statements(document: ProvDocument) -> str:
    return "".join(f"  {record.get_provn()}\n" for record in document.get_records())


class TriG(_Converted):
    """One TriG document."""

    def parts(self) -> list[Part]:
        return [Part(lambda: _trig(self._read(self.collection.fixed)), self._objects, with_events=True)]

    def _objects(self, chunk: Chunk) -> bytes:
        found = []
        for number, (listed, told) in enumerate(zip(chunk.listed, chunk.events, strict=True), chunk.first):
            found += [_trig(self._records([listed], number)), _trig(self._bundle(told))]
        return b"".join(found)


def _trig(document: ProvDocument) -> bytes:
    from projections.prov.formats import serialize

    with warnings.catch_warnings():
        # rdflib's own writer calls what rdflib has deprecated; nothing of ours does.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="rdflib")
        return serialize(document, "trig")


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

    return serialize(read_json(json_document), format_name)


def read_json(text: bytes) -> ProvDocument:
    """A PROV-JSON document as the ``prov`` package reads it."""
    from prov.model import ProvDocument

    document = ProvDocument.deserialize(content=text, format="json")
    assert isinstance(document, ProvDocument)
    return document


def _member(name: str, value: object) -> bytes:
    return orjson.dumps(name) + b":" + orjson.dumps(value)
