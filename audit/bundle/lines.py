"""The lines of ``events.jsonl``, ``documents.jsonl`` and ``prov.jsonl``: each in one canonical form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.canonical import canonical_bytes
from domain.digital_object import DigitalObject
from domain.events import DigitalObjectEvent
from domain.times import to_text
from projections.ledger.entries import leaf_of
from projections.prov.stream import ObjectWriter, told

Names = Mapping[str, str]
CHECK_DIGITS = 8


def event_line(event: DigitalObjectEvent) -> bytes:
    """A recorded event with its position and time of recording, RFC 8785.

    The member ``event`` is the asserted event, whose bytes its hash is taken of; the entry of the ledger's tree
    follows from the line. ``check`` are the first digits of the hash of its leaf: they prove nothing, but damage to
    a bundle is told with its line.
    """
    assert event.recorded is not None
    return canonical_bytes(
        {
            "check": leaf_of(event).hex()[:CHECK_DIGITS],
            "event": event.to_json(),
            "position": event.position,
            "recorded": to_text(event.recorded),
        }
    )


def document_line(state: DigitalObject) -> bytes:
    """The content of an object's last version, RFC 8785."""
    return canonical_bytes({"document": state.document, "object": state.id, "version": state.version})


def digest_line(event: DigitalObjectEvent) -> bytes:
    """The digest of the version that an event makes, RFC 8785."""
    return canonical_bytes({"digest": event.digest, "object": event.originator_id, "version": event.originator_version})


def prov_line(events: Sequence[DigitalObjectEvent], names: Names) -> bytes:
    """The whole history of one object as a PROV-JSON document, on one line."""
    return ObjectWriter(names).bytes([told(event) for event in events])
