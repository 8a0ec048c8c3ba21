"""Asks the search index: a page of objects, how many there are, and how many have each value of a facet.

As of now or of any position of the log. Text is what people type: words that must all be there, ``"a phrase"``,
``or``, ``-not``; without accents, in any case. Filters of one term are alternatives, those of several terms must all
hold. Results are in the order of PIDs, so that a page is continued after the last PID of the one before, and nothing is
shown twice or left out between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.rows import tuple_row

from domain.errors import RefusedInput
from projections.search.content import FACETS, MIDS, facet, folded
from projections.search.index import SQL
from store.ledger import Ledger

MAX_PAGE = 1000
TERMS = FACETS | {MIDS}
"""What can be filtered by and counted."""


@dataclass(frozen=True)
class Hit:
    """One object that was found, as it was at the position asked for; ``since`` is the event that made it so."""

    pid: str
    type: str
    tombstoned: bool
    name: str | None
    identifier: str | None
    since: int


@dataclass(frozen=True)
class Search:
    """What is looked for; see the module's description.

    ``filters`` has the values of each term, ``position`` the position of the log (None: now). ``tombstoned`` takes
    withdrawn objects as well. Raises :class:`RefusedInput` for a term that is no facet.
    """

    text: str = ""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    type: str | None = None
    tombstoned: bool = False
    position: int | None = None

    def __post_init__(self) -> None:
        require_facets(self.filters)


def page(ledger: Ledger, search: Search, limit: int = 25, after: str | None = None) -> list[Hit]:
    """The next objects after a PID, at most :data:`MAX_PAGE` of them."""
    if not 1 <= limit <= MAX_PAGE:
        raise RefusedInput(f"a page has 1 to {MAX_PAGE} objects, not {limit}")
    return [Hit(*row) for row in _rows(ledger, "page", search, after=after, limit=limit)]


def total(ledger: Ledger, search: Search) -> int:
    """How many objects there are."""
    amount: int = _rows(ledger, "total", search)[0][0]
    return amount


def counts(ledger: Ledger, search: Search, terms: Sequence[str]) -> dict[str, dict[str, int]]:
    """For each of these facets how many of the objects have each value, most first.

    Raises :class:`RefusedInput` for a term that is no facet.
    """
    require_facets(terms)
    found: dict[str, dict[str, int]] = {term: {} for term in terms}
    for term, value, amount in _rows(ledger, "counts", search, counted=list(terms)):
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


def require_facets(terms: Any) -> None:
    """Raises :class:`RefusedInput` for a term that is no facet."""
    for term in terms:
        if term not in TERMS:
            raise RefusedInput(f"{term!r} is no facet; there are {', '.join(sorted(TERMS))}")


def _rows(
    ledger: Ledger, statement: str, search: Search, after: str | None = None, **parameters: Any
) -> list[tuple[Any, ...]]:
    named = ["is_current" if search.position is None else "as_of"]
    given: dict[str, Any] = {**parameters, "position": search.position}
    if not search.tombstoned:
        named.append("stands")
    if search.type is not None:
        named.append("of_type")
        given["type"] = search.type
    if after is not None:
        named.append("after")
        given["after"] = after
    if search.text.strip():
        named.append("with_words")
        given["words"] = folded(search.text)
    single = [_facet(term, values[0]) for term, values in search.filters.items() if len(values) == 1]
    if single:
        named.append("with_facets")
        given["facets"] = single
    conditions: list[sql.Composable] = [sql.SQL(SQL[name]) for name in named]
    for number, (term, values) in enumerate(search.filters.items()):
        if len(values) != 1:
            given[f"any_{number}"] = [_facet(term, value) for value in values]
            conditions.append(sql.SQL(SQL["with_one_of"]).format(values=sql.Placeholder(f"any_{number}")))
    composed = sql.SQL(SQL[statement]).format(conditions=sql.SQL(" AND ").join(conditions))
    with ledger.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        found: list[tuple[Any, ...]] = cursor.execute(composed, given, prepare=False).fetchall()
        return found


def _facet(term: str, value: str) -> str:
    return facet(term, value) or f"{term}={value}"
