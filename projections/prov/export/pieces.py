"""An export as a sequence of pieces, each with the place after it from which the rest follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import tee
from typing import BinaryIO, NamedTuple

import orjson

from projections.prov.export.shapes import Chunk, Part
from projections.prov.scopes import Bounds, Listed
from projections.prov.stored_events import events_in
from store.ledger import Ledger

CHUNK = 1000
"""A piece tells of so many versions, or of one object that has more."""


class Cursor(NamedTuple):
    """A place in an export: in which part, how many objects of it are done (-1: nothing), and where the list goes on.

    ``versions`` counts the versions told before it.
    """

    part: int = 0
    done: int = -1
    offset: int = 0
    versions: int = 0


class Piece(NamedTuple):
    """Bytes, and the place after them."""

    content: bytes
    after: Cursor


def write_list(stream: BinaryIO, found: Iterable[Listed]) -> tuple[int, int]:
    """Write what an export will tell, a JSON line an object; returns how many objects and versions."""
    objects = versions = 0
    for each in found:
        stream.write(orjson.dumps(list(each), option=orjson.OPT_APPEND_NEWLINE))
        objects += 1
        versions += len(each.versions)
    stream.flush()
    return objects, versions


def read_list(stream: BinaryIO) -> Iterator[Listed]:
    """What :func:`write_list` wrote, from its beginning."""
    stream.seek(0)
    for line in stream:
        yield Listed(*orjson.loads(line))


def pieces(ledger: Ledger, within: Bounds, parts: list[Part], listing: BinaryIO, start: Cursor) -> Iterator[Piece]:
    """What is left of an export after ``start``; ``listing`` is what :func:`write_list` wrote.

    What follows a place depends on nothing but that place.
    """
    cursor = start
    for number, part in enumerate(parts[start.part :], start.part):
        if cursor.part != number:
            cursor = Cursor(number, versions=cursor.versions)
        if cursor.done < 0:
            cursor = cursor._replace(done=0)
            yield Piece(part.opening(), cursor)
        if part.piece is not None:
            listing.seek(cursor.offset)
            chunks = _chunks(listing, cursor.done + 1)
            for chunk in _with_events(ledger, chunks, within) if part.with_events else chunks:
                told = chunk.versions if part.with_events else 0
                done = cursor.done + len(chunk.listed)
                cursor = Cursor(number, done, cursor.offset + chunk.length, cursor.versions + told)
                yield Piece(part.piece(chunk), cursor)
        cursor = Cursor(number + 1, versions=cursor.versions)
        yield Piece(part.closing, cursor)


def _chunks(listing: Iterable[bytes], first: int) -> Iterator[Chunk]:
    found: list[Listed] = []
    length = versions = 0
    for line in listing:
        each = Listed(*orjson.loads(line))
        found.append(each)
        length += len(line)
        versions += len(each.versions)
        if versions >= CHUNK:
            yield Chunk(first, found, length, versions)
            first += len(found)
            found, length, versions = [], 0, 0
    if found:
        yield Chunk(first, found, length, versions)


def _with_events(ledger: Ledger, chunks: Iterator[Chunk], within: Bounds) -> Iterator[Chunk]:
    chunks, ahead = tee(chunks)
    for chunk, events in zip(chunks, events_in(ledger, (each.listed for each in ahead), within.upto), strict=True):
        yield chunk._replace(events=events)
