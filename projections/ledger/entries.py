"""The entries of the ledger's tree: what each says of one event, and how it names it.

An entry is a small JSON object in canonical form (RFC 8785), not the event itself: tlog-tiles allows an
entry 65,535 bytes, which a specimen's document can exceed, and a log of hashes can be published where
the data may not. Its members:

============  =========================================================================
``event``     SHA-256 (hex) of the RFC 8785 bytes of the event, as the next one names it
``object``    PID of the digital object
``position``  place in the ledger, from 1; the number of the entry is one less
``recorded``  when the store recorded it (RFC 3339, UTC, microseconds)
``version``   version of the object that the event made
============  =========================================================================
"""

from __future__ import annotations

from domain.canonical import canonical_bytes
from domain.events import DigitalObjectEvent
from domain.times import to_text
from projections.ledger.merkle import leaf_hash


def entry_of(event: DigitalObjectEvent) -> bytes:
    """The entry of a recorded event."""
    assert event.recorded is not None
    return canonical_bytes(
        {
            "event": event.hash,
            "object": event.originator_id,
            "position": event.position,
            "recorded": to_text(event.recorded),
            "version": event.originator_version,
        }
    )


def leaf_of(event: DigitalObjectEvent) -> bytes:
    """The hash of the leaf that a recorded event is in the tree."""
    return leaf_hash(entry_of(event))
