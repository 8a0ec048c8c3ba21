"""The projection: takes steps in as the one in PostgreSQL does, and writes documents instead of rows.

What it writes is in OpenSearch before its position is in the database. If it is killed between, the batch is done again
from what held before it, and comes to the same documents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from domain.errors import IntegrityFailure
from domain.history import Step
from projections.projection import SQL, Projection
from projections.search.index import Ranges
from projections.search.opensearch.connecting import told, write
from projections.search.opensearch.documents import (
    POSITION_ID,
    VERSION,
    Document,
    closed_id,
    document_of,
    id_of,
    open_row,
)
from store.mapper import EventMapper
from store.statements import select

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

GOT_AT_ONCE = 1000


class SearchIndex(Projection):
    """One index, by its own name and not by an alias."""

    version = VERSION

    def __init__(self, mapper: EventMapper, client: OpenSearch, index: str) -> None:
        super().__init__(mapper)
        self.name = position_name(index)
        self._client, self._index = client, index

    def begin(self, connection: Connection[Any], pids: Sequence[str]) -> None:
        ((position,),) = select(connection, SQL["position_of"], (self.name,))
        self._before = self._standing(pids, position)
        rows = {pid: open_row(document) for pid, document in self._before.items()}
        self._objects = {pid: Ranges(rows.get(pid)) for pid in pids}
        self._reached = position

    def add(self, step: Step) -> None:
        self._objects[step.state.id].take(step)
        assert step.event.position is not None
        self._reached = step.event.position

    def flush(self, connection: Connection[Any]) -> None:  # noqa: ARG002 - other projections write there
        """Documents that are not the last of their object first: the last one leads to them."""
        closed: list[tuple[str, int, Document]] = []
        opened: list[tuple[str, int, Document]] = []
        for pid, ranges in self._objects.items():
            if not ranges.new:
                continue
            previous = self._before.get(pid, {}).get("previous")
            for row in ranges.rows():
                first, last = row[1:3]
                if last is None:
                    opened.append((id_of(row), first, document_of(row, previous)))
                else:
                    closed.append((id_of(row), last, document_of(row, previous)))
                previous = first
        write(self._client, self._index, closed)
        write(self._client, self._index, opened)
        with told():
            self._client.index(index=self._index, body={"position": self._reached}, id=POSITION_ID)

    def _standing(self, pids: Sequence[str], position: int) -> dict[str, Document]:
        """The document of each object that held at ``position``, if there was one."""
        found: dict[str, Document] = {}
        wanted = {pid: pid for pid in pids}
        while wanted:
            further: dict[str, str] = {}
            for pid, document in self._got(wanted):
                if document is None:
                    if wanted[pid] != pid:
                        raise IntegrityFailure(f"the index {self._index} has lost {wanted[pid]}; build it anew")
                elif document["from_position"] <= position:
                    found[pid] = document
                elif "previous" in document:
                    further[pid] = closed_id(pid, document["previous"])
            wanted = further
        return found

    def _got(self, wanted: dict[str, str]) -> Iterator[tuple[str, Document | None]]:
        items = list(wanted.items())
        for start in range(0, len(items), GOT_AT_ONCE):
            some = items[start : start + GOT_AT_ONCE]
            with told():
                asked = {"docs": [{"_id": name, "routing": pid} for pid, name in some]}
                answer = self._client.mget(body=asked, index=self._index)
            for (pid, _), told_of in zip(some, answer["docs"], strict=True):
                yield pid, told_of["_source"] if told_of["found"] else None


def position_name(index: str) -> str:
    """The name under which the database keeps the position of an index, among those of projections."""
    return f"opensearch:{index}"
