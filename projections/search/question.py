"""What is asked of a search index, whichever holds it: words, facets and a position; and what comes back.

As of now or of any position of the log. Text is what people type: words that must all be there, ``"a phrase"``,
``or``, ``-not``; without accents, in any case. Filters of one term are alternatives, those of several terms must all
hold. Results are in the order of PIDs, so that a page is continued after the last PID of the one before, and nothing is
shown twice or left out between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from domain.canonical import normal_form
from domain.errors import RefusedInput
from projections.search.content import FACETS, MIDS, facet

MAX_PAGE = 1000
MAX_WORDS = 500
"""PostgreSQL gives up on some ten thousand; nobody types so many."""
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
    withdrawn objects as well. Raises :class:`RefusedInput` for a term that is no facet, a position below 0, more than
    :data:`MAX_WORDS` words, and what is no text.
    """

    text: str = ""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    type: str | None = None
    tombstoned: bool = False
    position: int | None = None

    def __post_init__(self) -> None:
        require_facets(self.filters)
        normal_form([self.text, self.type, *(list(values) for values in self.filters.values())])
        if len(self.text.split()) > MAX_WORDS:
            raise RefusedInput(f"a question has at most {MAX_WORDS} words, not {len(self.text.split())}")
        if self.position is not None and self.position < 0:
            raise RefusedInput(f"positions of the log begin with 0, which is before everything, not {self.position}")


def wanted(term: str, value: str) -> str:
    """A facet as it is looked for; a value that no index holds is found nowhere."""
    return facet(term, value) or f"{term}={value}"


def require_facets(terms: Iterable[str]) -> None:
    """Raises :class:`RefusedInput` for a term that is no facet."""
    for term in terms:
        if term not in TERMS:
            raise RefusedInput(f"{term!r} is no facet; there are {', '.join(sorted(TERMS))}")


def require_page(limit: int, after: str | None = None) -> None:
    """Raises :class:`RefusedInput` for a page of no object, of more than :data:`MAX_PAGE`, or after what is no text."""
    normal_form(after)
    if not 1 <= limit <= MAX_PAGE:
        raise RefusedInput(f"a page has 1 to {MAX_PAGE} objects, not {limit}")
