"""What things are called in PROV documents: from each real identifier to a qualified name legal in every format.

PROV-XML wants ``xsd:QName`` (the local part starts with a letter and has no slash), JSON-LD expands
a prefix only when its IRI ends in ``/``, ``#`` or ``:``, and PROV-N must parse back. Hence:

- an IRI whose last segment is such a local part is named exactly, ``https://doi.org/TEST/`` + ``ABC-DEF-GHJ``;
- any other thing gets a fragment of its own IRI, ``https://orcid.org/0000-0002-1825-0097#`` + ``this``;
- what is no IRI that every format takes, ``http://ex.org:port/`` say, is stood for by a UUID made from it;
- what the store names itself is a fragment too: version 4 of an object is ``https://doi.org/TEST/ABC-DEF-GHJ#v4``,
  since ``.../4`` can be no local part. ``dcterms:identifier`` always carries the real identifier.

A name depends on nothing but the identifier, so documents of several objects can be merged. Names are plain text here;
:mod:`projections.prov.names` gives them as the ``prov`` package wants them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote
from uuid import UUID, uuid5

from domain.errors import InvalidIdentifier
from domain.opends import object_iri
from domain.pid import VersionId, parse

VOCABULARIES = {
    "ods": "http://rs.dissco.eu/opends/terms/",
    "dcterms": "http://purl.org/dc/terms/",
    "schema": "http://schema.org/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
}
"""Prefix -> IRI of the vocabularies that every document uses."""

_RESOLVERS = ("https://doi.org/", "https://hdl.handle.net/")
_UUID = "urn:uuid:"
_ARCHIVE = "nih:sha-256;"  # RFC 6920: a name that is the hash, in hex
_STEMS = {
    "https://doi.org/": "doi",
    "https://hdl.handle.net/": "hdl",
    "https://orcid.org/": "orcid",
    "https://ror.org/": "ror",
    _UUID: "uuid",
    _ARCHIVE: "sha256",
}
_NAMESPACE_OF_TEXTS = UUID("5d0c9d0e-5b0f-5c39-9e0a-1f3b7c1f9f11")

_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
# Under any other scheme, prov: or geo: say, readers of RDF take an IRI for a name with a prefix they know.
_NAMEABLE = re.compile(r"(?:https?|urn|mailto|nih?|doi|hdl|ark|did|info|tag):\S+", re.IGNORECASE)
# RFC 3986 section 3.2, but for the IP literals, whose brackets are percent-encoded here. libxml2, which checks every
# namespace of PROV-XML, wants digits after the colon of a port.
_AUTHORITY = re.compile(r"[^:]+://(?:[^/?#@]*@)?[^/?#@:]*(?::[0-9]{1,5})?(?:[/?#]|$)")
_SPLIT = re.compile(r"(.+[/#:])([A-Za-z_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?)")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PLAIN = re.compile(r"[A-Za-z0-9!$&'()*+,./:;=?@_~-]*")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NO_WORD = re.compile(r"[^A-Za-z0-9]+")
_TO_ESCAPE = re.compile(r"[^A-Za-z0-9-]")
_ASCII_ESCAPES = {chr(code): f"_{code:02X}" for code in range(128)}
_PLAIN_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LONGEST_PREFIX = 40
_LONGEST_LOCAL = 120
_REMEMBERED = 4096
"""Names kept of agents, archives, mappings and the like, of which many documents tell the same few."""


class Name(NamedTuple):
    """A qualified name: the prefix wished for, the IRI it stands for, and the local part."""

    prefix: str
    namespace: str
    local: str

    @property
    def uri(self) -> str:
        """The IRI that the name is short for."""
        return self.namespace + self.local


class Space(NamedTuple):
    """The namespace of what belongs to one thing."""

    prefix: str
    namespace: str

    def name(self, local: str) -> Name:
        """The name with this local part."""
        return Name(*self, local)


def legible(text: str) -> str:
    """``text`` with every character that XML 1.0 cannot carry replaced by U+FFFD, whatever the format.

    The same replacement everywhere keeps the documents of all formats equal.
    """
    if text.isascii() and text.isprintable():  # nearly always
        return text
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


@lru_cache(_REMEMBERED)
def is_uri(text: str) -> bool:
    """Whether ``text`` is a URI as it stands, to be told as an ``xsd:anyURI``; otherwise it is told as a string."""
    # prov writes no xsi:type for a value that begins so, and PROV-XML would give back a string.
    return bool(_IRI.fullmatch(text)) and not text.startswith("prov:") and _uri(text) == text and _parses(text)


@lru_cache(_REMEMBERED)
def is_term(text: str) -> bool:
    """Whether ``text`` is a term of openDS that can be told as a qualified name, such as ``ods:Create``."""
    prefix, _, local = text.partition(":")
    known = _SPLIT.fullmatch(VOCABULARIES["ods"] + local)
    return prefix == "ods" and known is not None and known[2] == local


@lru_cache(_REMEMBERED)
def fragment(iri: str) -> Space:
    """The namespace of what belongs to the thing ``iri``; a thing with a fragment is extended with a slash.

    Text that is no IRI, or one of an unusual scheme or a malformed authority, is stood for by the UUID made from it.
    """
    uri = _nameable(iri)
    return _space(uri + ("/" if "#" in uri else "#"))


@lru_cache(_REMEMBERED)
def thing(iri: str) -> Name:
    """The name of ``iri``: exactly it where that can be a qualified name, otherwise ``iri`` + ``#this``."""
    uri = _nameable(iri)
    split = _SPLIT.fullmatch(uri)
    # There a fragment is a name this module gives; one that came from outside must not be taken for it.
    ours = "#" in uri and uri.startswith(tuple(_STEMS))
    if split is None or ours or ("#" in split[1] and split[2] == "this"):
        return fragment(iri).name("this")
    return _space(split[1]).name(split[2])


def version(object_type: str, pid: str, number: int) -> tuple[Name, str]:
    """``(name, resolvable IRI)`` of one version of an object."""
    iri = object_iri(object_type, pid)
    return fragment(iri).name(f"v{number}"), object_iri(object_type, str(VersionId(pid, number)))


def agent(iri: str) -> Name:
    """The name of an agent.

    A digital object that acts (a source system, a machine annotation service) is named apart from
    the entity it is: PROV-O as ``prov`` writes it loses an entity that is an agent as well.
    """
    return fragment(iri).name("agent") if iri.startswith(_RESOLVERS) else thing(iri)


def activity(id: str) -> tuple[Name, str]:  # noqa: A002 - the field's own name
    """``(name, real identifier)`` of an activity by its UUID, or of a run and the like by any other id."""
    if _PLAIN_UUID.fullmatch(id):  # nearly always, and once a version: what fragment() comes to, without its work
        real = _UUID + id
        return Name("uuid_" + id.replace("-", "_"), real + "#", "activity"), real
    try:
        real = _UUID + str(UUID(id))
    except ValueError:
        real = id
    return fragment(real).name("activity"), real


def archive(digest: str) -> tuple[Name, str]:
    """``(name, RFC 6920 IRI)`` of a source archive by its SHA-256 in hex."""
    iri = _ARCHIVE + digest
    return fragment(iri).name("archive"), iri


def record(digest: str, id: str) -> Name:  # noqa: A002 - the field's own name
    """The name of one record in an archive; reversible unless the record's id is very long."""
    return fragment(_ARCHIVE + digest).name(record_in_archive(id))


def record_in_archive(id: str) -> str:  # noqa: A002 - the field's own name
    """The local part of that name."""
    local = "record-" + escaped(id)
    if len(local) > _LONGEST_LOCAL:
        local = "recorddigest-" + sha256(id.encode("utf-8", "surrogatepass")).hexdigest()
    return local


@lru_cache(_REMEMBERED)
def plan(mapping: str) -> Name:
    """The name of a mapping: a version of a data mapping object if its PID says so, otherwise a plan of its own."""
    try:
        pid, number = parse(mapping)
    except InvalidIdentifier:
        return fragment(mapping).name("plan")
    if number is None:
        return fragment(object_iri("ods:DataMapping", pid)).name("plan")
    return version("ods:DataMapping", pid, number)[0]


def escaped(text: str) -> str:
    """``text`` as part of a local name: ASCII letters, digits and ``-``, every other byte of its UTF-8 as ``_XX``."""
    return _TO_ESCAPE.sub(_bytes_in_hex, text)


def _bytes_in_hex(found: re.Match[str]) -> str:
    return _ASCII_ESCAPES.get(found[0]) or "".join(f"_{b:02X}" for b in found[0].encode("utf-8", "surrogatepass"))


def _uri(iri: str) -> str:
    """RFC 3987 section 3.1: what a URI cannot contain as percent-encoded UTF-8."""
    if _PLAIN.fullmatch(iri):
        return iri
    encoded = quote(iri.encode("utf-8", "surrogatepass"), safe="!#$%&'()*+,-./:;=?@_~")
    before, mark, after = _STRAY_PERCENT.sub("%25", encoded).partition("#")
    return before + mark + after.replace("#", "%23")


def _nameable(text: str) -> str:
    if _NAMEABLE.fullmatch(text) and _parses(uri := _uri(text)):
        return uri
    return _UUID + str(uuid5(_NAMESPACE_OF_TEXTS, legible(text)))


def _parses(uri: str) -> bool:
    """Whether what stands where an authority belongs is one; anything else in the outcome of :func:`_uri` is sound."""
    return not uri.partition(":")[2].startswith("//") or _AUTHORITY.match(uri) is not None


def _space(uri: str) -> Space:
    """A namespace whose prefix follows from its IRI, with the letters every schema of PROV's formats allows.

    There is an underscore in each, so that none can be the scheme of an IRI.
    """
    label, rest = "ns", uri.partition(":")[2]
    for stem, known in _STEMS.items():
        if uri.startswith(stem):
            label, rest = known, uri[len(stem) :]
    rest = _NO_WORD.sub("_", rest).strip("_")
    if len(rest) > _LONGEST_PREFIX:
        rest = f"{rest[:16]}_{sha256(uri.encode()).hexdigest()[:12]}"
    return Space(f"{label}_{rest}", uri)
