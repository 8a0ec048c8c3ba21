"""Asks the search index in PostgreSQL: a page of objects, how many there are, how many have each value of a facet.

No plan depends on statistics of the table, which may be missing or old. A page looks at the next rows by PID, where
frequent words are found at once; then lets the index list what there is, if that is not too much; and else goes on by
PID, because then it does not have to go far.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import tuple_row

from projections.search.content import TYPE, folded
from projections.search.index import SQL
from projections.search.question import Hit, Search, require_facets, require_page, wanted
from store.ledger import Ledger

FIRST_WINDOW, LARGEST_WINDOW = 300, 20_000
"""Rows to look at before the index is asked, and at once at most."""
LISTED = 5_000
"""Rows that the index may list: about as many as are looked at before 25 of so many are found among a million."""

_END_OF_OBJECT = 2**63 - 1


def page(ledger: Ledger, search: Search, limit: int = 25, after: str | None = None) -> list[Hit]:
    """The next objects after a PID, at most :data:`projections.search.question.MAX_PAGE` of them."""
    require_page(limit, after)
    conditions, given = _conditions(search)
    from_here = sql.SQL(SQL["current_from_here" if search.position is None else "any_from_here"])
    given |= {"pid": after or "", "from_position": _END_OF_OBJECT if after else 0, "most": LISTED + 1}
    walk = sql.SQL(SQL["walk"]).format(conditions=conditions, from_here=from_here)
    fetch = sql.SQL(SQL["fetch"]).format(conditions=conditions)
    hits: list[Hit] = []
    window, asked_index = FIRST_WINDOW, not _has_index(search)
    with _snapshot(ledger) as connection:
        while True:
            rows = _rows(connection, walk, given | {"window": window, "limit": limit - len(hits)})
            hits += [Hit(*row[3:]) for row in rows if row[3] is not None]
            if len(hits) == limit or not rows or rows[0][2] < window:
                return hits
            given["pid"], given["from_position"] = rows[0][:2]
            if not asked_index:
                asked_index = True
                with connection.transaction(force_rollback=True):
                    connection.execute(SQL["by_index_only"])
                    listed = _rows(connection, fetch, given)
                if len(listed) <= LISTED:
                    return hits + [Hit(*row) for row in listed[: limit - len(hits)]]
            window = min(4 * window, LARGEST_WINDOW)


def total(ledger: Ledger, search: Search) -> int:
    """How many objects there are."""
    amount: int = _all(ledger, "total", search)[0][0]
    return amount


def counts(ledger: Ledger, search: Search, terms: Sequence[str]) -> dict[str, dict[str, int]]:
    """For each of these facets how many of the objects have each value, most first.

    Raises :class:`RefusedInput` for a term that is no facet.
    """
    require_facets(terms)
    found: dict[str, dict[str, int]] = {term: {} for term in terms}
    for term, value, amount in _all(ledger, "counts", search, counted=list(terms)):
        found[term][value] = amount
    return found


def reached(ledger: Ledger) -> int:
    """The position of the log that the index has taken in."""
    with ledger.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(SQL["position"]).fetchone()
    return row[0] if row else 0


def position_at(ledger: Ledger, moment: datetime) -> int:
    """The last position recorded by a time; 0 before the first."""
    with ledger.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(SQL["last_recorded_by"], (moment,)).fetchone()
    assert row is not None
    return int(row[0])


def _all(ledger: Ledger, statement: str, search: Search, **parameters: Any) -> list[tuple[Any, ...]]:
    conditions, given = _conditions(search)
    with _snapshot(ledger) as connection:
        if _has_index(search):
            connection.execute(SQL["by_index_only"])
        return _rows(connection, sql.SQL(SQL[statement]).format(conditions=conditions), given | parameters)


@contextmanager
def _snapshot(ledger: Ledger) -> Iterator[Connection[Any]]:
    """A connection all of whose statements see the index as it was at the first of them."""
    with ledger.connection() as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield connection


def _rows(connection: Connection[Any], statement: sql.Composed, given: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(statement, given, prepare=False).fetchall()


def _has_index(search: Search) -> bool:
    return bool(search.text.strip() or search.filters or search.type)


def _conditions(search: Search) -> tuple[sql.Composed, dict[str, Any]]:
    named = ["is_current" if search.position is None else "as_of"]
    given: dict[str, Any] = {"position": search.position}
    if not search.tombstoned:
        named.append("stands")
    if search.text.strip():
        named.append("with_words")
        given["words"] = folded(search.text)
    single = [wanted(term, values[0]) for term, values in search.filters.items() if len(values) == 1]
    if search.type is not None:
        single.append(wanted(TYPE, search.type))
    if single:
        named.append("with_facets")
        given["facets"] = single
    conditions: list[sql.Composable] = [sql.SQL(SQL[name]) for name in named]
    for number, (term, values) in enumerate(search.filters.items()):
        if len(values) != 1:
            given[f"any_{number}"] = [wanted(term, value) for value in values]
            conditions.append(sql.SQL(SQL["with_one_of"]).format(values=sql.Placeholder(f"any_{number}")))
    return sql.SQL(" AND ").join(conditions), given
