"""PROV documents as bytes in the formats that keep everything in them.

PROV-O as Turtle is left out on purpose: it has no bundles and drops them without a word; TriG is the same with bundles.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

from domain.errors import RefusedInput

if TYPE_CHECKING:  # importing prov takes time, and the table of formats does not need it
    from prov.model import ProvDocument


@dataclass(frozen=True)
class Format:
    """One serialisation: media type, file suffix, and how the ``prov`` package calls it."""

    media_type: str
    suffix: str
    writer: str
    options: dict[str, str] = field(default_factory=dict)


FORMATS: dict[str, Format] = {
    # No media type is registered for PROV-JSON; ProvToolbox serves it as plain JSON too.
    "json": Format("application/json", ".json", "json"),
    "jsonld": Format("application/ld+json", ".jsonld", "jsonld"),
    "provn": Format("text/provenance-notation; charset=UTF-8", ".provn", "provn"),
    "trig": Format("application/trig", ".trig", "rdf", {"rdf_format": "trig"}),
    "xml": Format("application/provenance+xml", ".xml", "xml"),
}
"""Format name -> how it is served and written: PROV-JSON and PROV-JSONLD (W3C Member Submissions),
PROV-N and PROV-O as TriG (Recommendations), PROV-XML (Note)."""


def serialize(document: ProvDocument, format: str) -> bytes:  # noqa: A002 - what PROV calls it
    """``document`` in one of :data:`FORMATS`, UTF-8.

    Raises :class:`RefusedInput` for a format that is not offered.
    """
    chosen = FORMATS.get(format)
    if chosen is None:
        raise RefusedInput(f"PROV format {format!r} is not offered; choose one of {', '.join(FORMATS)}")
    stream = BytesIO()
    document.serialize(stream, format=chosen.writer, **chosen.options)
    return stream.getvalue()
