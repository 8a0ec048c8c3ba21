"""A version as it is served: the asserted content plus the computed envelope, both reproducible from events."""

from __future__ import annotations

from typing import Any

from domain.digital_object import DigitalObject
from domain.mids import mids_level
from domain.opends import OBJECT_TYPES, object_iri
from domain.times import to_text

ENVELOPE_TERMS = (
    "@id",
    "dcterms:identifier",
    "schema:identifier",
    "ods:version",
    "schema:version",
    "ods:status",
    "ods:fdoType",
    "dcterms:created",
    "schema:dateCreated",
    "ods:midsLevel",
)
"""Every term :func:`represent` may compute besides a modification time that the content lacks."""


def represent(state: DigitalObject) -> dict[str, Any]:
    """The full openDS document of one version.

    ``created`` is when the store recorded version 1; ``modified`` is what the source asserts, else
    when this version occurred. Nothing that the content lacks is invented: see
    :func:`missing_terms`.
    """
    kind = OBJECT_TYPES[state.object_type]
    iri = object_iri(state.object_type, state.id)
    document: dict[str, Any] = {
        "@id": iri,
        "@type": kind.name,
        kind.id_term: iri,
        kind.version_term: state.version,
        "ods:status": "Tombstone" if state.tombstoned else "Active",
        "ods:fdoType": kind.fdo_type,
        kind.created_term: to_text(state.created),
        kind.modified_term: to_text(state.occurred),
    }
    document.update(state.document)
    if kind.name == "ods:DigitalSpecimen":
        document["ods:midsLevel"] = mids_level(document)
    return document


def missing_terms(document: dict[str, Any]) -> list[str]:
    """The terms that openDS requires of this type and that only a source can assert, but none did."""
    return [term for term in OBJECT_TYPES[document["@type"]].required if term not in document]
