"""Who changed what: one indexed statement for each question that is asked of a term, an object, an agent, a collection.

From the projections ``versions`` and ``terms``, so as current as they are. ``activity`` is the id of the PROV activity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg.rows import tuple_row

from domain.errors import NotFound
from domain.terms import ABSENT, leaves, term_of
from domain.times import to_text
from projections.prov.names import activity as prov_activity
from store import statements
from store.ledger import Axis, Ledger

SQL = statements.load("projections", "accountability.sql")


@dataclass(frozen=True)
class Change:
    """One changed term of one version; a version that began or changed no term has ``term`` None.

    ``record`` is the natural key of the object in its source, '' for one without.
    """

    pid: str
    record: str
    version: int
    activity: UUID
    activity_type: str
    recorded: datetime
    occurred: datetime
    agents: list[dict[str, Any]]
    term: str | None
    pointer: str | None
    old: Any
    new: Any

    @property
    def agent(self) -> str:
        """The agent on whose request it happened, else the first one."""
        requestors = [agent["id"] for agent in self.agents if agent["role"] in ("Requestor", "Proposer")]
        return str((requestors or [agent["id"] for agent in self.agents])[0])

    def to_json(self) -> dict[str, Any]:
        """The change under the names the command prints; a side without the term is left out."""
        value = {
            "pid": self.pid,
            "record": self.record,
            "version": self.version,
            "activity": str(self.activity),
            "provActivity": prov_activity(str(self.activity))[0].uri,
            "activityType": self.activity_type,
            "recorded": to_text(self.recorded),
            "occurred": to_text(self.occurred),
            "agent": self.agent,
            "agents": self.agents,
            "term": self.term,
            "pointer": self.pointer,
        }
        for side in ("old", "new"):
            held = getattr(self, side)
            if held is not ABSENT:
                value[side] = held
        return value


def last_set(ledger: Ledger, pid: str, pointer: str) -> Change:
    """Who last set the term at a JSON Pointer of the present document; a term never changed belongs to version 1.

    Does not look at the document: for a pointer that leads nowhere, version 1 is named as well. Raises
    :class:`NotFound` for an object that is not there.
    """
    for change in _changes(ledger, "last_set", {"pid": pid, "pointer": pointer}):
        return change
    raise NotFound(f"there is no object {pid} in this ledger")


def values_of_term(ledger: Ledger, pid: str, term: str) -> list[Change]:
    """Every value a term of an object ever had, oldest first: what version 1 said, and each change since.

    ``term`` is a path without array positions, as in ``ods:hasIdentifications/dwc:typeStatus``. Raises
    :class:`NotFound` for an object that is not there, or that never had the term.
    """
    began = ledger.get(pid, 1)
    (beginning,) = _changes(ledger, "beginning", {"pid": pid})
    found = [
        replace(beginning, term=term, pointer=pointer, new=value)
        for pointer, value in leaves(began.document)
        if term_of(pointer) == term
    ]
    found.extend(_changes(ledger, "values_of_term", {"pid": pid, "term": term}))
    if not found:
        raise NotFound(f"{pid} never had a term {term!r}; terms look like ods:hasIdentifications/dwc:typeStatus")
    return found


def by_agent(
    ledger: Ledger, agent: str, since: datetime, until: datetime, axis: Axis = Axis.RECORDED
) -> Iterator[Change]:
    """Everything in which an agent (by IRI) had a part between two times, both included, in ledger order; streamed.

    On the occurred axis, what a run said and a reversal took back is left out, and so is taking it back.
    """
    named = orjson.dumps([{"id": agent}]).decode()
    return _changes(ledger, "by_agent", {"agent": named, "axis": axis.value, "since": since, "until": until})


def of_source(
    ledger: Ledger,
    source: str,
    since: datetime,
    until: datetime,
    axis: Axis = Axis.RECORDED,
    term: str | None = None,
) -> Iterator[Change]:
    """Every change in the collection of a source system (its PID) between two times, both included; streamed.

    In ledger order. On the occurred axis, what a run said and a reversal took back is left out, and so is taking it
    back. With ``term``, only changes of that term.
    """
    times = {"axis": axis.value, "since": since, "until": until}
    return _changes(ledger, "of_source", {"source": source, **times, "term": term})


def _changes(ledger: Ledger, statement: str, parameters: dict[str, Any]) -> Iterator[Change]:
    with (
        ledger.connection() as connection,
        connection.transaction(),
        connection.cursor("changes", row_factory=tuple_row) as cursor,
    ):
        cursor.execute(SQL[statement], parameters)
        for row in cursor:
            yield Change(*row[:-2], *(ABSENT if held is None else orjson.loads(held) for held in row[-2:]))
