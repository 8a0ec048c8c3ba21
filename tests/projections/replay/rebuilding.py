"""A small ledger to rebuild, and what its projections hold."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from projections.following import OBJECT_PROJECTIONS, PROJECTIONS
from store.ledger import Ledger
from tests.store.ledger_building import by, created, pid

Rows = dict[str, list[Any]]


def fill(ledger: Ledger, objects: int, versions: int = 3, group: str = "AAA") -> None:
    """So many objects with so many versions each, in few transactions."""
    pids = [pid(number, group) for number in range(objects)]
    ledger.append([created(which, individualCount=1, country="Kenya") for which in pids])
    for _ in range(versions - 1):
        states = ledger.states(ledger.versions_at(pids))
        ledger.append([change(state) for state in states])


def change(state: Any) -> Any:
    """One more version: a count, and an array that grows."""
    count = state.document["dwc:individualCount"] + 1
    return state.update({**state.document, "dwc:individualCount": count, "notes": ["x"] * count}, by())


def rows_of(ledger: Ledger, schema: str | None = None) -> Rows:
    """Every row of every projection, in order; documents as their values."""
    found: Rows = {}
    with psycopg.connect(ledger.conninfo) as connection:
        for name, kind in PROJECTIONS.items():
            columns = sql.SQL(", ").join(map(sql.Identifier, kind.columns))
            table = sql.Identifier(schema or ledger.settings.ledger, kind.table)
            rows = connection.execute(sql.SQL("SELECT {} FROM {} ORDER BY 1, 2, 3").format(columns, table)).fetchall()
            found[name] = rows
    if "objects" in found:
        at = OBJECT_PROJECTIONS["objects"].columns.index("document")
        found["objects"] = [(*row[:at], ledger.mapper.unpack(row[at]), *row[at + 1 :]) for row in found["objects"]]
    return found


def schemas_of(ledger: Ledger) -> set[str]:
    """The schemas of the ledger and beside it, without its name."""
    with psycopg.connect(ledger.conninfo) as connection:
        rows = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", (ledger.settings.ledger,)
        )
        return {name.removeprefix(ledger.settings.ledger) for (name,) in rows}
