"""Reads anybody's PROV document: any of its formats, bounded, without touching anything but the one file.

RDF is parsed by rdflib from memory and looked at before ``prov`` turns it into records: for a qualified influence that
names several entities, several activities and so on, its reader makes a record of every combination, so a document of a
few kilobytes could ask for more records than any memory holds (prov 3.2.3; GHSA-pp6h-3q6w-xr98 is about that reader).
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import logging
import re
import warnings
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import prov
import zstandard
from lxml import etree
from prov.model import PROV, PROV_REC_CLS, ProvDocument, ProvFutureRejectionWarning

from domain.errors import RefusedInput

if TYPE_CHECKING:
    from rdflib import Dataset

MAX_BYTES = 256 * 2**20
MAX_COMBINATIONS = 10_000
"""How many records the RDF reader may make of statements that it has to combine."""

_LONGEST_REASON = 200

_SUFFIXES = {
    ".jsonld": "jsonld",
    ".provn": "provn",
    ".xml": "xml",
    ".provx": "xml",
    ".trig": "trig",
    ".ttl": "trig",
}
_COMPRESSED = (".gz", ".zst")
_DECOMPRESSOR = zstandard.ZstdDecompressor(max_window_size=2**27)
_ATTRIBUTES = ("label", "location", "type", "role", "value", "other")
"""Elements of PROV-XML inside a record; all others are records."""

_XSD = "http://www.w3.org/2001/XMLSchema"
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"

_TIMES = ("startTime", "endTime", "time")
_DATE_TIME = re.compile(
    r"-?[0-9]{4,}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII
)

_JSONLD = re.compile(rb'"@(?:context|graph)"\s*:')
_XML = re.compile(rb"\s*<(?:\?|!|(?:[\w.-]+:)?(?:document|bundleContent)\b)")
_XML_ROOT = re.compile(rb"\s*(?:<[?!][^>]*>\s*)*<[^>]*")
_PROVN = re.compile(rb"(?:\s|//[^\n]*|(?>/\*.*?\*/))*+document\b", re.DOTALL)

# What the readers of prov, rdflib and lxml raise at malformed input is not one tree of errors.
_UNREADABLE = (
    prov.Error,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    SyntaxError,
    ProvFutureRejectionWarning,
)


def read(path: Path | str, format: str | None = None) -> ProvDocument:  # noqa: A002 - what PROV calls it
    """The document in the file ``path``, of at most :data:`MAX_BYTES`; with gzip or Zstandard it may be compressed.

    ``format`` is one of :data:`projections.prov.formats.FORMATS` (``trig`` also reads Turtle); None goes by the file's
    suffix, and where that says nothing or only "JSON", by its content. ``json`` may be JSON Lines, a document each.

    Raises :class:`RefusedInput` when the file cannot be read, is too large, hostile, or no PROV document.
    """
    data = _content(Path(path))
    chosen = format or _format(Path(path), data)
    try:
        with _quiet():
            return _READERS[chosen](data)
    except _UNREADABLE as error:
        told = str(error).partition(". prov 3.3.0 will")[0]
        reason = " ".join(told.split())[:_LONGEST_REASON] or type(error).__name__
        hint = "" if format else "; if it is in another format, name that"
        raise RefusedInput(f"{path} is no PROV document in the format {chosen!r}: {reason}{hint}") from error
    except RecursionError:
        raise RefusedInput(f"{path} is nested too deeply to be a PROV document") from None


def _content(path: Path) -> bytes:
    parts, size = [], 0
    try:
        with path.open("rb") as stream:
            for part in _unpacked(stream):
                parts.append(part)
                size += len(part)
                if size > MAX_BYTES:
                    raise RefusedInput(f"{path} is larger than {MAX_BYTES // 2**20} MB; export it in parts")
    except (gzip.BadGzipFile, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise RefusedInput(f"{path} cannot be decompressed: {error}") from error
    except OSError as error:
        raise RefusedInput(f"{path} cannot be read: {error.strerror}") from error
    return b"".join(parts).removeprefix(codecs.BOM_UTF8)


def _unpacked(stream: io.BufferedReader) -> Iterator[bytes]:
    magic = stream.peek(4)[:4]
    if magic == b"\x28\xb5\x2f\xfd":
        yield from _unzstd(stream)
        return
    source = gzip.GzipFile(fileobj=stream) if magic.startswith(b"\x1f\x8b") else stream
    while part := source.read(2**20):
        yield part


def _unzstd(stream: io.BufferedReader) -> Iterator[bytes]:
    """The content of Zstandard frames, read in pieces so small that none can unpack to much."""
    frame = None
    while piece := stream.read(1024):
        while piece:
            frame = frame or _DECOMPRESSOR.decompressobj()
            yield frame.decompress(piece)
            piece, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame is not None:
        raise EOFError("the file ends within a frame")


def _format(path: Path, data: bytes) -> str:
    name = path.with_suffix("") if path.suffix.lower() in _COMPRESSED else path
    suffix = name.suffix.lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if suffix == ".json" or data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "jsonld" if _JSONLD.search(data) else "json"
    if _XML.match(data):
        return "xml"
    return "provn" if _PROVN.match(data) else "trig"


@contextmanager
def _quiet() -> Iterator[None]:
    """What the libraries remark about a stranger's document is not for the person who has it checked.

    Only what ``prov`` leaves out or reads as something else than is written, such as a time that is none, is refused.
    """
    rdflib = logging.getLogger("rdflib")
    level = rdflib.level
    rdflib.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", ProvFutureRejectionWarning)
            yield
    finally:
        rdflib.setLevel(level)


def _provn(data: bytes) -> ProvDocument:
    return ProvDocument.deserialize(io.BytesIO(data), format="provn")


def _json(data: bytes) -> ProvDocument:
    """One document, or one on each line, which then are taken together."""
    if b"}\n{" not in data:
        _require_plain(data)
        return ProvDocument.deserialize(io.BytesIO(data), format="json")
    whole = ProvDocument()
    for line in data.splitlines():
        _require_plain(line)
        whole.update(ProvDocument.deserialize(io.BytesIO(line), format="json"))
    return whole


def _jsonld(data: bytes) -> ProvDocument:
    _require_plain(data)
    return ProvDocument.deserialize(io.BytesIO(data), format="jsonld")


def _require_plain(data: bytes) -> None:
    """Raises ``ValueError`` for JSON that readers understand in more than one way."""
    value = json.loads(data, object_pairs_hook=_once, parse_constant=_no_constant)
    _require_times(value)
    if isinstance(value, dict):
        _require_prefixes(value, frozenset(("prov", "xsd", "xsi", "_")))


def _require_times(value: Any) -> None:
    """Raises ``ValueError`` for a time of an activity or event that is no ``xsd:dateTime``; readers leave some out."""
    if isinstance(value, list):
        for item in value:
            _require_times(item)
    elif isinstance(value, dict):
        for name, member in value.items():
            if name.removeprefix("prov:") in _TIMES:
                told = member.get("@value", member.get("$")) if isinstance(member, dict) else member
                if not isinstance(told, list) and not (isinstance(told, str) and _DATE_TIME.fullmatch(told)):
                    raise ValueError(f"{name} is {told!r}, which is not an xsd:dateTime")
            _require_times(member)


def _require_prefixes(document: dict[str, Any], known: frozenset[str]) -> None:
    """Raises for a PROV-JSON document or bundle that names things by a prefix it does not declare as text."""
    prefixes = document.get("prefix", {})
    for prefix, namespace in prefixes.items() if isinstance(prefixes, dict) else ():
        if not isinstance(namespace, str):
            raise TypeError(f"the prefix {prefix!r} stands for {namespace!r}, which is no IRI")
    known = known.union(prefixes)
    for section in ("entity", "activity", "agent"):
        for name in document.get(section) or ():
            prefix, colon, _ = str(name).partition(":")
            if colon and prefix not in known:
                raise ValueError(f"{section} {name!r} has the prefix {prefix!r}, which is not declared")
    bundles = document.get("bundle")
    for bundle in bundles.values() if isinstance(bundles, dict) else ():
        if isinstance(bundle, dict):
            _require_prefixes(bundle, known)


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) < len(members):
        names = Counter(name for name, _ in members)
        raise ValueError(f"the member {names.most_common(1)[0][0]!r} stands twice in one object")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _xml(data: bytes) -> ProvDocument:
    from prov.serializers.provxml import ProvXMLSerializer

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    root_tag = _XML_ROOT.match(data)
    if root_tag is not None and 0 <= data.rfind(b"xmlns") < root_tag.end():
        parser.set_element_class_lookup(etree.ElementDefaultClassLookup(element=_with_one_scope()))
    root = etree.fromstring(data, parser)
    information: Any = root.getroottree().docinfo
    if information.doctype:
        raise ValueError("it has a document type declaration, which PROV-XML does not need and entities can hide in")
    if root.tag != f"{{{PROV.uri}}}document":
        raise ValueError(f"its root element is {root.tag}, not prov:document")
    for bundle in root.findall(f"{{{PROV.uri}}}bundle"):
        if any(_is_record(child) for child in bundle):  # what ProvToolbox calls a bundleContent; else an entity
            bundle.tag = f"{{{PROV.uri}}}bundleContent"
    for element in root.iter():
        if element.get(_XSI_TYPE) is not None and _is_name_of_nothing(element):
            del element.attrib[_XSI_TYPE]
    document = ProvDocument()
    ProvXMLSerializer().deserialize_subtree(root, document)
    return document


def _is_name_of_nothing(element: etree._Element) -> bool:
    """Whether the text is a QName in no namespace: PROV has no name for it, so it is taken as text.

    The examples of W3C's PROV-XML have such values.
    """
    prefix, _, name = (element.get(_XSI_TYPE) or "").rpartition(":")
    is_name = (name, element.nsmap.get(prefix or None)) == ("QName", _XSD)
    return is_name and ":" not in (element.text or "") and None not in element.nsmap


def _is_record(element: etree._Element) -> bool:
    name = etree.QName(element)
    return name.namespace == PROV.uri and name.localname not in _ATTRIBUTES


def _with_one_scope() -> type[etree.ElementBase]:
    """Elements of a document in which only the root declares namespaces.

    ``prov`` asks for all namespaces in scope at each name, and lxml gathers them each time: quadratic for documents
    like ours, in which each activity has a namespace of its own.
    """
    scope: dict[str | None, str] = {}

    class Element(etree.ElementBase):
        @property
        def nsmap(self) -> dict[str | None, str]:
            if not scope:
                found: Any = super().nsmap
                scope.update(found)
            return scope

    return Element


def _rdf(data: bytes) -> ProvDocument:
    from prov.serializers.provrdf import ProvRDFSerializer
    from rdflib import Dataset

    dataset = Dataset(default_union=True)
    dataset.parse(data=data, format="trig", publicID="urn:x-provenarium:document")
    _bound_combinations(dataset)
    serializer = ProvRDFSerializer()
    serializer.document = document = ProvDocument()
    serializer.decode_document(dataset, document)
    if len(dataset) and not document.records and not any(bundle.records for bundle in document.bundles):
        raise ValueError("it is RDF, but says nothing in PROV-O")
    return document


def _bound_combinations(dataset: Dataset) -> None:
    """Raise ``ValueError`` if ``prov`` would make too many records by combining values of several properties."""
    formal = {attribute.uri for record in PROV_REC_CLS.values() for attribute in record.FORMAL_ATTRIBUTES}
    values: dict[object, Counter[object]] = defaultdict(Counter)
    for subject, predicate, _, graph in dataset.quads((None, None, None, None)):
        if str(predicate) in formal:
            values[graph, subject][predicate] += 1
    combinations = sum(prod(counts.values()) for counts in values.values() if max(counts.values()) > 1)
    if combinations > MAX_COMBINATIONS:
        raise ValueError("its qualified influences name so many things each that their combinations cannot be listed")


_READERS: dict[str, Callable[[bytes], ProvDocument]] = {
    "json": _json,
    "jsonld": _jsonld,
    "provn": _provn,
    "trig": _rdf,
    "xml": _xml,
}
