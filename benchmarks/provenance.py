"""PROV export: rate and peak memory of the direct writer beside the ``prov`` package, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import random
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
from rich.table import Table

from domain.events import event_from_json
from domain.times import to_text
from projections.engine import catch_up
from projections.prov.export.collection import Exporter
from projections.prov.export.export import Request, export_to_stream
from projections.prov.scopes import Scope
from projections.prov.stream import ObjectWriter
from projections.prov.stream_event import Told
from store.ledger import Ledger

SIZES = (10_000, 100_000, 1_000_000)
MOST_BY_PACKAGE = 10_000
VERSIONS = 4
"""Versions of each generated object: one creation and three updates, each by a run of its own."""

_START = datetime(2026, 1, 1, tzinfo=UTC)
_SYSTEM = "https://hdl.handle.net/TEST/57Z-6PC-64W"
_SOFTWARE = "urn:x-provenarium:software:0"


def provenance(ledger: Ledger) -> Table:
    """Rates and peak memory.

    The package writes an object at a time too, so that its rate at one size is that at any. Generated
    events are in memory and not stored; ``ledger`` is what else the benchmark filled, read from the
    database, decompressed and decoded.
    """
    table = Table("work", "versions", "seconds", "versions/s", "peak MB", title="PROV export", title_justify="left")

    def row(work: str, measure: Callable[[int], tuple[int, float, float]], versions: int) -> None:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            _row(table, work, *process.submit(measure, versions).result())

    for versions in SIZES:
        row("direct writer, PROV-JSON", _direct, versions)
    row("direct writer, no two histories alike", _unlike, MOST_BY_PACKAGE)
    row("prov package, PROV-JSON", _by_package, MOST_BY_PACKAGE)
    catch_up(ledger)
    for format_name in ("json", "jsonl"):
        _row(table, f"ledger to {format_name}", *_exported(ledger, format_name))
    return table


def _row(table: Table, work: str, versions: int, seconds: float, peak: float | None = None) -> None:
    memory = "" if peak is None else f"{peak:.0f}"
    table.add_row(work, f"{versions:,}", f"{seconds:.2f}", f"{versions / seconds:,.0f}", memory)


def generated(versions: int) -> Iterator[list[Told]]:
    """The stored events of objects with so many versions in all, as the synchronisation of a museum makes them."""
    chance = random.Random(1)  # noqa: S311 - not for secrets
    for number in range(versions // VERSIONS):
        pid = f"TEST/{number // 1_000_000:03d}-{number // 1000 % 1000:03d}-{number % 1000:03d}"
        position = number * VERSIONS
        yield [_told(pid, number, version, position + version, chance) for version in range(1, VERSIONS + 1)]


def _told(pid: str, number: int, version: int, position: int, chance: random.Random) -> Told:
    began = _START + timedelta(days=version)
    recorded = began + timedelta(seconds=number // 300)
    value = {
        "event": 2,
        "object": pid,
        "version": version,
        "type": "ods:DigitalSpecimen",
        "activity": {
            "id": str(UUID(int=chance.getrandbits(128))),
            "type": "ods:Create" if version == 1 else "ods:Update",
            "started": to_text(began),
            "ended": to_text(recorded),
            "cause": {"kind": "run", "id": str(UUID(int=version))},
        },
        "agents": [
            {"id": _SYSTEM, "kind": "prov:SoftwareAgent", "role": "Requestor"},
            {"id": _SOFTWARE, "kind": "prov:SoftwareAgent", "role": "Generator", "onBehalfOf": _SYSTEM},
        ],
        "patch": [],
        "digest": f"{position:064x}",
        "schema": "https://schemas.dissco.tech/schemas/fdo-type/digital-specimen/0.4.0/digital-specimen.json",
        "occurred": to_text(began),
        "source": {
            "system": "TEST/57Z-6PC-64W",
            "archive": f"{version:064x}",
            "record": f"https://museum.example/specimen/{number:08d}",
            "mapping": "dwca-openDS 1.0.0",
        },
    }
    return Told(value, position, recorded)


def _direct(versions: int) -> tuple[int, float, float]:
    writer = ObjectWriter()
    return _timed(generated(versions), lambda events: writer.bytes(events))


def _unlike(versions: int) -> tuple[int, float, float]:
    writer = ObjectWriter()
    return _timed(generated(versions), lambda events: orjson.dumps(writer.document(events)))


def _by_package(versions: int) -> tuple[int, float, float]:
    from projections.prov.document import prov_document
    from projections.prov.formats import serialize

    def write(events: list[Told]) -> object:
        recorded = [event_from_json(value, position, moment) for value, position, moment in events]
        return serialize(prov_document(recorded), "json")

    return _timed(generated(versions), write)


def _timed(objects: Iterator[list[Told]], write: Callable[[list[Told]], object]) -> tuple[int, float, float]:
    """Versions, seconds spent in ``write`` alone, and the peak memory of this process in MB."""
    versions, seconds = 0, 0.0
    for events in objects:
        began = time.perf_counter()
        write(events)
        seconds += time.perf_counter() - began
        versions += len(events)
    return versions, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _exported(ledger: Ledger, format_name: str) -> tuple[int, float]:
    began = time.perf_counter()
    found = export_to_stream(ledger, Request(Scope(), format_name, Exporter(_SOFTWARE)), lambda _block: None)
    return found.versions, time.perf_counter() - began
