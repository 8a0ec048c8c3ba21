"""An export as a sequence of pieces, each with the place after it from which the rest follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

import orjson

from projections.prov.export.shapes import Item, Part
from projections.prov.scopes import Bounds, Listed, batches, events_of
from store.ledger import Ledger


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
        stream.write(_line(each))
        objects += 1
        versions += len(each.versions)
    stream.flush()
    return objects, versions


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
            for item in _items(ledger, within, listing, cursor.done, with_events=part.with_events):
                listed = item.listed
                told = len(listed.versions) if part.with_events else 0
                cursor = Cursor(number, item.number, cursor.offset + len(_line(listed)), cursor.versions + told)
                yield Piece(part.piece(item), cursor)
        cursor = Cursor(number + 1, versions=cursor.versions)
        yield Piece(part.closing, cursor)


def _line(listed: Listed) -> bytes:
    return orjson.dumps(list(listed), option=orjson.OPT_APPEND_NEWLINE)


def _items(ledger: Ledger, within: Bounds, listing: BinaryIO, done: int, *, with_events: bool) -> Iterator[Item]:
    found = (Listed(*orjson.loads(line)) for line in listing)
    if not with_events:
        for number, listed in enumerate(found, done + 1):
            yield Item(number, listed)
        return
    for batch in batches(found):
        for listed, events in zip(batch, events_of(ledger, batch, within), strict=True):
            done += 1
            yield Item(done, listed, events)
