"""The stored events of many objects as an export reads them: in batches, each read while the one before is written.

Memory is that of two batches, or of the largest object.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import orjson
from psycopg.rows import tuple_row

from domain.errors import IntegrityFailure
from domain.events import EVENT_VERSIONS
from projections.prov.scopes import Listed
from projections.prov.stream_event import Told
from projections.prov.validity import ALWAYS, Validity
from store import statements
from store.ledger import Ledger
from store.mapper import RecordedEvent

SQL = statements.load("projections.prov", "stored_events.sql")

_MEMBERS = {"event", "object", "version", "type", "activity", "agents", "digest", "schema", "occurred"}

_Row = tuple[str, int, str, bytes, int, datetime]


class ObjectEvents(NamedTuple):
    """One object's events as they are stored, and when it was valid."""

    pid: str
    events: list[Told]
    validity: Validity


def events_in(ledger: Ledger, batches: Iterable[Sequence[Listed]], upto: int) -> Iterator[list[ObjectEvents]]:
    """For each batch of objects their events, in the order of the batch.

    ``upto`` is the position in the log after which tombstones and restores are not known of.
    Raises :class:`IntegrityFailure` when an event is damaged, or not in the log.
    """
    with ThreadPoolExecutor(1, "provenance") as reader:
        ahead: Future[list[ObjectEvents]] | None = None
        for batch in batches:
            behind, ahead = ahead, reader.submit(_read, ledger, batch, upto)
            if behind is not None:
                yield behind.result()
        if ahead is not None:
            yield ahead.result()


def _read(ledger: Ledger, batch: Sequence[Listed], upto: int) -> list[ObjectEvents]:
    wanted = [(each.pid, *bounds) for each in batch for bounds in _ranges(each.versions)]
    with ledger.connection() as connection, connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        stored: dict[str, list[_Row]] = defaultdict(list)
        for row in cursor.execute(SQL["events_of"], [list(column) for column in zip(*wanted, strict=True)]):
            stored[row[0]].append(row)
        turns: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for pid, version, topic in cursor.execute(SQL["turns"], ([each.pid for each in batch], upto)):
            turns[pid].append((version, topic))
    found = []
    for pid, _, versions in batch:
        events = [_told(ledger, row) for row in stored.pop(pid, ())]
        if len(events) != len(versions):
            raise IntegrityFailure(f"{pid} has {len(events)} of {len(versions)} versions in the log")
        found.append(ObjectEvents(pid, events, Validity.of(turns[pid]) if pid in turns else ALWAYS))
    return found


def _ranges(versions: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Versions, in order, as ranges without gaps, each by its first and last."""
    if versions[-1] - versions[0] == len(versions) - 1:  # nearly always
        yield versions[0], versions[-1]
        return
    for _, members in groupby(enumerate(versions), key=lambda pair: pair[1] - pair[0]):
        run = [version for _, version in members]
        yield run[0], run[-1]


def _told(ledger: Ledger, row: _Row) -> Told:
    pid, version, topic, state, position, recorded = row
    try:
        text = ledger.mapper.text_of(state)
    except IntegrityFailure as error:
        raise IntegrityFailure(f"{pid}/{version}: {error}") from None
    value = _without_patch(text) or ledger.mapper.value_of(RecordedEvent(*row))
    try:
        said = (value["object"], value["version"], value["activity"]["type"])
    except (LookupError, TypeError):
        said = None
    if said != (pid, version, topic):
        raise IntegrityFailure(f"{pid}/{version}: the stored event says it is another one")
    return Told(value, position, recorded)


def _without_patch(text: bytes) -> dict[str, Any] | None:
    """An event as this program writes it but for its patch, which is most of it and says nothing here.

    None for any other text. Inside a JSON string every quote is escaped, so what is looked for can be no part of one.
    """
    begin, end = text.find(b',"patch":['), text.rfind(b'],"digest":"')
    if not 0 < begin < end:
        return None
    try:
        value = orjson.loads(text[:begin] + text[end + 1 :])
    except orjson.JSONDecodeError:
        return None
    return value if value.keys() >= _MEMBERS and value["event"] == EVENT_VERSIONS[-1] else None
