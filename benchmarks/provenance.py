"""PROV export: rate and peak memory of the direct writer beside the ``prov`` package, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.histories import VERSIONS, grow
from domain.events import event_from_json
from domain.times import to_text
from projections.prov.export.collection import Exporter
from projections.prov.export.export import Request, export_to_stream
from projections.prov.scopes import Scope
from projections.prov.stream import ObjectWriter
from projections.prov.stream_event import Told
from store.ledger import Ledger
from store.settings import Settings

SIZES = (10_000, 100_000, 1_000_000)
MOST_BY_PACKAGE = 10_000

Measured = tuple[int, float, float]
"""Versions, seconds, and the peak memory of the process in MB."""

_START = datetime(2026, 1, 1, tzinfo=UTC)
_SYSTEM = "https://hdl.handle.net/TEST/57Z-6PC-64W"
_SOFTWARE = "urn:x-provenarium:software:0"


def provenance(settings: Settings, console: Console) -> None:
    """Rates and peak memory of exports of a whole ledger as it grows, and of the writers on events in memory.

    The package is measured twice: building one document of everything, as its users do, and an
    object at a time, as it can be used for any number of versions; its rate is then that at any size.
    """
    table = Table("work", "versions", "seconds", "versions/s", "peak MB", title="PROV export", title_justify="left")

    def row(work: str, measure: Callable[..., Measured], *arguments: object) -> None:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            versions, seconds, peak = process.submit(measure, *arguments).result()
        table.add_row(work, f"{versions:,}", f"{seconds:.2f}", f"{versions / seconds:,.0f}", f"{peak:.0f}")

    row("direct writer, events in memory", _direct, 100_000)
    row("the same, no two histories alike", _unlike, MOST_BY_PACKAGE)
    row("prov package, events in memory", _by_package, MOST_BY_PACKAGE)
    settings = replace(settings, ledger="histories")
    for versions in sizes():
        console.print(f"recording a museum of {versions:,} versions")
        with Ledger.open(settings) as ledger, tempfile.TemporaryDirectory() as folder:
            grow(ledger, Path(folder), versions)
        row("ledger to PROV-JSON", _exported, settings, "json")
        if versions <= MOST_BY_PACKAGE:
            row("the same by the prov package", _exported_by_package, settings)
    row("ledger to PROV-JSON lines", _exported, settings, "jsonl")
    row("ledger to PROV-JSON, zstd", _exported, settings, "json", "zstd")
    console.print(table)


def sizes() -> list[int]:
    """Versions of the ledgers to export, growing; ``BENCH_VERSIONS`` is the most of them."""
    return [size for size in SIZES if size <= int(os.environ.get("BENCH_VERSIONS", SIZES[-1]))]


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


def _direct(versions: int) -> Measured:
    writer = ObjectWriter()
    return _timed(generated(versions), lambda events: writer.bytes(events))


def _unlike(versions: int) -> Measured:
    writer = ObjectWriter()
    return _timed(generated(versions), lambda events: orjson.dumps(writer.document(events)))


def _by_package(versions: int) -> Measured:
    from projections.prov.document import prov_document
    from projections.prov.formats import serialize

    def write(events: list[Told]) -> object:
        recorded = [event_from_json(value, position, moment) for value, position, moment in events]
        return serialize(prov_document(recorded), "json")

    return _timed(generated(versions), write)


def _timed(objects: Iterator[list[Told]], write: Callable[[list[Told]], object]) -> Measured:
    """With the seconds spent in ``write`` alone."""
    versions, seconds = 0, 0.0
    for events in objects:
        began = time.perf_counter()
        write(events)
        seconds += time.perf_counter() - began
        versions += len(events)
    return versions, seconds, _peak()


def _peak() -> float:
    """Of this process alone; getrusage would count what its parent held when it forked."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _exported(settings: Settings, format_name: str, compression: str | None = None) -> Measured:
    with Ledger.open(settings) as ledger:
        request = Request(Scope(), format_name, Exporter(_SOFTWARE), compression)
        began = time.perf_counter()
        found = export_to_stream(ledger, request, lambda _block: None)
        return found.versions, time.perf_counter() - began, _peak()


def _exported_by_package(settings: Settings) -> Measured:
    from prov.model import ProvDocument

    from projections.prov.document import prov_document
    from projections.prov.formats import serialize

    with Ledger.open(settings) as ledger:
        began = time.perf_counter()
        whole, versions = ProvDocument(), 0
        for pid in sorted({str(event.originator_id) for batch in ledger.scan() for event in batch}):
            events = ledger.history(pid)
            whole.update(prov_document(events))
            versions += len(events)
        serialize(whole, "json")
        return versions, time.perf_counter() - began, _peak()
