"""Reads anybody's PROV document: any of its formats, bounded, without touching anything but the one file.

RDF is parsed by rdflib from memory and looked at before ``prov`` turns it into records: for a qualified influence that
names several entities, several activities and so on, its reader makes a record of every combination, so a document of a
few kilobytes could ask for more records than any memory holds (prov 3.2.3; GHSA-pp6h-3q6w-xr98 is about that reader).
"""

from __future__ import annotations

import codecs
import gzip
import io
import logging
import re
import warnings
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard
from prov.model import PROV, PROV_REC_CLS, ProvDocument, ProvFutureRejectionWarning

from domain.errors import RefusedInput
from projections.prov.check.plain_json import is_date_time, plain, require_prefixes
from projections.prov.check.plain_xml import read_xml
from projections.prov.check.unreadable import UNREADABLE

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
_JSONLD = re.compile(rb'"@(?:context|graph)"\s*:')
_XML = re.compile(rb"\s*<(?:\?|!|(?:[\w.-]+:)?(?:document|bundleContent)\b)")
_PROVN = re.compile(rb"(?:\s|//[^\n]*|(?>/\*.*?\*/))*+document\b", re.DOTALL)


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
    except UNREADABLE as error:
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
        return _one_json(data)
    whole = ProvDocument()
    for number, line in enumerate(data.splitlines(), 1):
        try:
            whole.update(_one_json(line))
        except UNREADABLE as error:
            raise ValueError(f"line {number}: {error}") from error
    return whole


def _one_json(data: bytes) -> ProvDocument:
    require_prefixes(plain(data))
    return ProvDocument.deserialize(io.BytesIO(data), format="json")


def _jsonld(data: bytes) -> ProvDocument:
    plain(data)
    return ProvDocument.deserialize(io.BytesIO(data), format="jsonld")


def _rdf(data: bytes) -> ProvDocument:
    from prov.serializers.provrdf import ProvRDFSerializer
    from rdflib import Dataset

    dataset = Dataset(default_union=True)
    dataset.parse(data=data, format="trig", publicID="urn:x-provenarium:document")
    _bound_combinations(dataset)
    _require_times(dataset)
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


def _require_times(dataset: Dataset) -> None:
    """Raise ``ValueError`` for a time that is no ``xsd:dateTime``, with what it is said of."""
    from rdflib import URIRef

    for name in ("startedAtTime", "endedAtTime", "atTime"):
        for subject, _, told, _ in dataset.quads((None, URIRef(PROV[name].uri), None, None)):
            if not is_date_time(str(told)):
                raise ValueError(f"prov:{name} of {_named(dataset, subject)} is {told!s}, which is not an xsd:dateTime")


def _named(dataset: Dataset, subject: object) -> str:
    """The IRI of ``subject``, or for one without a name of what it is said of."""
    from rdflib import BNode

    if isinstance(subject, BNode):
        for owner, predicate, _, _ in dataset.quads((None, None, subject, None)):
            return f"a {str(predicate).rpartition('#')[2]} of {owner}"
    return str(subject)


_READERS: dict[str, Callable[[bytes], ProvDocument]] = {
    "json": _json,
    "jsonld": _jsonld,
    "provn": _provn,
    "trig": _rdf,
    "xml": read_xml,
}
