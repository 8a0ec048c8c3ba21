"""An export as a sequence of pieces, each with the place after it from which the rest follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, tee
from typing import BinaryIO, NamedTuple

import orjson

from projections.prov.export.shapes import Item, Part
from projections.prov.scopes import Bounds, Listed, events_in
from store.ledger import Ledger

_CHUNK = 500


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
            for items in _items(ledger, within, listing, cursor.done, with_events=part.with_events):
                told = sum(len(item.listed.versions) for item in items) if part.with_events else 0
                offset = cursor.offset + sum(item.length for item in items)
                cursor = Cursor(number, items[-1].number, offset, cursor.versions + told)
                yield Piece(part.piece(items), cursor)
        cursor = Cursor(number + 1, versions=cursor.versions)
        yield Piece(part.closing, cursor)


def _items(
    ledger: Ledger, within: Bounds, listing: BinaryIO, done: int, *, with_events: bool
) -> Iterator[Sequence[Item]]:
    """Objects one by one with their events, many at a time without."""
    numbered = enumerate(listing, done + 1)
    items: Iterator[Item] = (Item(number, Listed(*orjson.loads(line)), len(line)) for number, line in numbered)
    if not with_events:
        while chunk := list(islice(items, _CHUNK)):
            yield chunk
        return
    items, ahead = tee(items)
    for item, events in zip(items, events_in(ledger, (item.listed for item in ahead), within), strict=True):
        yield (item._replace(events=events),)
