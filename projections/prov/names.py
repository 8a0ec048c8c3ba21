"""The names and values of :mod:`projections.prov.naming` as the ``prov`` package wants them."""

from __future__ import annotations

from prov.identifier import Identifier, Namespace, QualifiedName

from projections.prov import naming
from projections.prov.naming import VOCABULARIES as _VOCABULARIES
from projections.prov.naming import is_term, is_uri, legible

ODS = Namespace("ods", _VOCABULARIES["ods"])
"""openDS, by the ``namespace_iri`` of the term lists behind https://terms.dissco.tech/.

Those lists have no terms yet for what DiSSCo does not record (``ods:Restore``, ``ods:contentDigest``,
``ods:streamPosition``, ``ods:occurred``, ``ods:PeriodOfValidity`` and the like).
"""

DCTERMS = Namespace("dcterms", _VOCABULARIES["dcterms"])
SCHEMA = Namespace("schema", _VOCABULARIES["schema"])
RDFS = Namespace("rdfs", _VOCABULARIES["rdfs"])
VOCABULARIES = (ODS, DCTERMS, SCHEMA, RDFS)

__all__ = ["DCTERMS", "ODS", "RDFS", "SCHEMA", "VOCABULARIES", "legible"]


def identifier(text: str) -> Identifier | str:
    """``text`` as attribute value: an ``xsd:anyURI`` if it is a URI as it stands, otherwise a string."""
    return Identifier(text) if is_uri(text) else legible(text)


def term(text: str) -> QualifiedName | str:
    """``ods:Create`` as a qualified name; text in no known vocabulary stays text."""
    return ODS[text.removeprefix("ods:")] if is_term(text) else legible(text)


def fragment(iri: str) -> Namespace:
    """The namespace of what belongs to the thing ``iri``; see :func:`naming.fragment`."""
    return Namespace(*naming.fragment(iri))


def thing(iri: str) -> QualifiedName:
    """The name of ``iri``; see :func:`naming.thing`."""
    return qualified(naming.thing(iri))


def version(object_type: str, pid: str, number: int) -> tuple[QualifiedName, str]:
    """``(name, resolvable IRI)`` of one version of an object."""
    name, iri = naming.version(object_type, pid, number)
    return qualified(name), iri


def agent(iri: str) -> QualifiedName:
    """The name of an agent; see :func:`naming.agent`."""
    return qualified(naming.agent(iri))


def activity(id: str) -> tuple[QualifiedName, str]:  # noqa: A002 - the field's own name
    """``(name, real identifier)`` of an activity; see :func:`naming.activity`."""
    name, real = naming.activity(id)
    return qualified(name), real


def archive(digest: str) -> tuple[QualifiedName, str]:
    """``(name, RFC 6920 IRI)`` of a source archive by its SHA-256 in hex."""
    name, iri = naming.archive(digest)
    return qualified(name), iri


def record(digest: str, id: str) -> QualifiedName:  # noqa: A002 - the field's own name
    """The name of one record in an archive; see :func:`naming.record`."""
    return qualified(naming.record(digest, id))


def plan(mapping: str) -> QualifiedName:
    """The name of a mapping; see :func:`naming.plan`."""
    return qualified(naming.plan(mapping))


def qualified(name: naming.Name) -> QualifiedName:
    """A name as the ``prov`` package has it."""
    return Namespace(name.prefix, name.namespace)[name.local]
