"""Writing the provenance of a scope: to a file, where an interrupted export goes on, or to any stream."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from domain.errors import RefusedInput
from domain.times import from_text, now, to_text
from projections.prov.export import compression
from projections.prov.export.collection import Collection, Exporter
from projections.prov.export.compression import COMPRESSIONS
from projections.prov.export.pieces import Cursor, pieces, read_list, write_list
from projections.prov.export.shapes import SHAPES, check_size, converted
from projections.prov.export.unfinished import State, Unfinished
from projections.prov.scopes import Bounds, KnownRuns, RegisteredNames, Scope, bounds, listed, runs_in
from projections.prov.stream import ObjectWriter
from store.ledger import Ledger

Progress = Callable[[int, int], None]
Write = Callable[[bytes], object]


@dataclass(frozen=True)
class Request:
    """What to export: of which scope, in which format and compression, and who does."""

    scope: Scope
    format: str
    exporter: Exporter
    compression: str | None = None

    def __post_init__(self) -> None:
        if self.format not in SHAPES:
            raise RefusedInput(f"PROV cannot be exported as {self.format!r}; choose one of {', '.join(SHAPES)}")
        if self.compression not in COMPRESSIONS:
            raise RefusedInput(f"compression {self.compression!r} is not offered; choose gzip or zstd")

    def to_json(self) -> dict[str, Any]:
        """What makes two requests the same."""
        return {
            "scope": self.scope.to_json(),
            "format": self.format,
            "compression": self.compression,
            "software": self.exporter.software,
            "organisation": self.exporter.organisation,
        }


@dataclass(frozen=True)
class Plan:
    """What an export will tell, settled before anything is written: the bounds, and how much it is."""

    within: Bounds
    objects: int
    versions: int

    def to_json(self) -> dict[str, Any]:
        """As kept beside an unfinished export."""
        within = self.within
        return {
            "after": within.after,
            "position": within.upto,
            "anchor": within.anchor,
            "asOf": to_text(within.as_of),
            "objects": self.objects,
            "versions": self.versions,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Plan:
        """Read what :meth:`to_json` wrote."""
        within = Bounds(value["after"], value["position"], value["anchor"], from_text(value["asOf"]))
        return cls(within, value["objects"], value["versions"])


@dataclass(frozen=True)
class Exported:
    """What was written: ``size`` in bytes, ``position`` up to which the log is told."""

    objects: int
    versions: int
    position: int
    size: int
    resumed: bool = False


def export_to_file(
    ledger: Ledger,
    request: Request,
    target: Path,
    progress: Progress = lambda _done, _total: None,
    *,
    anew: bool = False,
) -> Exported:
    """Write an export to a file, complete or not at all.

    Until it is complete it stands beside the file, as ``NAME.part``, with its list of objects and a
    small state. If such an export of the same request was interrupted, in whatever way, it goes on
    from there, up to the position of the log it began with, unless ``anew``; the file is then the
    same, byte for byte, as without the interruption, provided that nobody registered or forgot the
    name of an agent meanwhile. An unfinished export of another request is begun anew.
    ``progress`` is told (versions done, versions in all).

    Raises :class:`RefusedInput` when another process is writing the same file, when the file cannot
    be written, or when the format cannot hold so much.
    """
    try:
        with Unfinished(target) as place:
            state = None if anew else place.state(request.to_json())
            if state is None:
                state = _begin(ledger, request, place)
            plan = Plan.from_json(state.plan)
            resumed = state.cursor != Cursor()
            with place.list() as listing:
                for block, cursor in _blocks(ledger, request, plan, listing, state.cursor):
                    place.append(block, cursor)
                    progress(cursor.versions, plan.versions)
            size = place.finish()
    except OSError as error:
        raise RefusedInput(f"cannot write {target}: {error.strerror}; choose another file") from None
    return Exported(plan.objects, plan.versions, plan.within.upto, size, resumed)


def export_to_stream(
    ledger: Ledger, request: Request, write: Write, progress: Progress = lambda _done, _total: None
) -> Exported:
    """Write an export to wherever ``write`` puts bytes, in blocks; see :func:`export_to_file`."""
    size = 0
    with tempfile.TemporaryFile() as listing:
        plan = _plan(ledger, request, listing)
        check_size(request.format, plan.versions)
        for block, cursor in _blocks(ledger, request, plan, listing, Cursor()):
            write(block)
            size += len(block)
            progress(cursor.versions, plan.versions)
    return Exported(plan.objects, plan.versions, plan.within.upto, size)


def _begin(ledger: Ledger, request: Request, place: Unfinished) -> State:
    with place.new_list() as stream:
        plan = _plan(ledger, request, stream)
    try:
        check_size(request.format, plan.versions)
    except RefusedInput:
        place.discard()
        raise
    return place.begin(request.to_json(), plan.to_json())


def _plan(ledger: Ledger, request: Request, stream: BinaryIO) -> Plan:
    within = bounds(ledger, request.scope, now())
    return Plan(within, *write_list(stream, listed(ledger, request.scope, within)))


def _blocks(
    ledger: Ledger, request: Request, plan: Plan, listing: BinaryIO, start: Cursor
) -> Iterator[tuple[bytes, Cursor]]:
    """What is left after ``start``, in compressed blocks with the place after each."""
    compress = COMPRESSIONS[request.compression]
    found = _pieces(ledger, request, plan, listing, start)
    if SHAPES[request.format].whole_document:
        document = b"".join(content for content, _ in found)
        yield compress(converted(document, request.format)), Cursor(versions=plan.versions)
        return
    block: list[bytes] = []
    length, wrote, cursor = 0, start != Cursor(), start
    for content, cursor in found:
        block.append(content)
        length += len(content)
        if length >= compression.BLOCK:
            yield compress(b"".join(block)), cursor
            block, length, wrote = [], 0, True
    if length or not wrote:
        yield compress(b"".join(block)), cursor


def _pieces(
    ledger: Ledger, request: Request, plan: Plan, listing: BinaryIO, start: Cursor
) -> Iterator[tuple[bytes, Cursor]]:
    runs = KnownRuns(ledger, plan.within.as_of)
    named = runs_in(ledger, request.scope, plan.within, read_list(listing))
    collection = Collection(request.scope, plan.within, request.exporter, plan.objects, plan.versions, named, runs)
    around = None if request.format == "jsonl" else collection.around
    writer = ObjectWriter(RegisteredNames(ledger), runs, around)
    shape = SHAPES[request.format](collection, writer)
    yield from pieces(ledger, plan.within, shape.parts(), listing, start)
