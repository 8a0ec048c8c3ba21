"""A generated museum with a past: specimens that an archive brought and a curator then changed, three times each."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.museum import write_archive
from domain.agents import person
from domain.digital_object import DigitalObject, Provenance
from domain.events import DigitalObjectEvent
from projections.collection import collection
from projections.engine import catch_up
from sources.synchronisation.candidates import open_source
from sources.synchronisation.source_system import find_source
from sources.synchronisation.synchronise import Options, synchronise
from store.ledger import Ledger

VERSIONS = 4
"""Versions of each specimen, unless said otherwise."""

_CURATOR = person("https://orcid.org/0000-0002-1825-0097")
_OBJECTS_AT_ONCE = 500


def grow(ledger: Ledger, folder: Path, versions: int, each: int = VERSIONS) -> None:
    """Record until the museum's specimens have so many versions in all, with the projections that exports read."""
    archive = write_archive(folder / "museum.zip", versions // each)
    file = open_source(archive)
    synchronise(ledger, file, Options("museum"))
    file.close()
    catch_up(ledger, ["versions", "objects"])
    source = find_source(ledger, "museum")
    assert source is not None
    fresh = (state for state in collection(ledger, source.pid, to_follow=True) if state.version == 1)
    while each > 1 and (states := list(itertools.islice(fresh, _OBJECTS_AT_ONCE))):
        ledger.append([event for state in states for event in _edits(state, each)])
    catch_up(ledger, ["versions", "objects"])


def _edits(state: DigitalObject, versions: int) -> list[DigitalObjectEvent]:
    events: list[DigitalObjectEvent] = []
    for number in range(1, versions):
        document = {**state.document, "dwc:preparations": f"in a drawer, moved {number} times"}
        moment = datetime(2020 + number, 1, 1, tzinfo=UTC)  # the archive is of 2020
        events.append(state.update(document, Provenance((_CURATOR,), occurred=moment)))
        state = state.then(events[-1])
    return events
