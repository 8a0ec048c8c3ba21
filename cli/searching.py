"""The command that finds objects by words and facets: search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated

import typer

from cli.application import JsonOption, app, caught_up, moment, opened, output
from cli.output import Output
from domain.errors import InvalidIdentifier, RefusedInput
from domain.opends import OBJECT_TYPES
from domain.pid import parse as parse_pid
from domain.times import end_of
from projections.search import query
from projections.search.question import TERMS, Hit, Search
from store.ledger import Ledger


@app.command()
def search(
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help='Words that must be there; also "a phrase", or, and -not.')
    ] = "",
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter", metavar="TERM=VALUE", help="Only objects with this value; again for another term or value."
        ),
    ] = None,
    facets: Annotated[
        list[str] | None, typer.Option("--facet", metavar="TERM", help="Count the values of this term; again for more.")
    ] = None,
    object_type: Annotated[str | None, typer.Option("--type", help="Only objects of this type.")] = None,
    tombstoned: Annotated[bool, typer.Option("--tombstoned", help="Withdrawn objects as well.")] = False,
    at: Annotated[
        str | None, typer.Option("--at", help="As recorded by a time, or by the end of a day (UTC); default: now.")
    ] = None,
    position: Annotated[
        int | None, typer.Option("--position", min=0, help="As of a position of the log, instead of a time.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Objects to show.")] = 25,
    after: Annotated[str | None, typer.Option("--after", metavar="PID", help="Go on after the last one shown.")] = None,
    in_opensearch: Annotated[
        bool, typer.Option("--opensearch", help="Ask the index in OpenSearch instead of the one in PostgreSQL.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find objects by words and facets, as they are now or as they were at any time."""
    if object_type is not None and object_type not in OBJECT_TYPES:
        raise typer.BadParameter("must be one of " + ", ".join(OBJECT_TYPES), param_hint="--type")
    if at is not None and position is not None:
        raise typer.BadParameter("give a time or a position, not both", param_hint="--position")
    if after is not None:
        after = _pid(after)
    out = output(as_json)
    when = moment(at, end_of, "--at")
    with opened() as ledger, _index(ledger, out, in_opensearch) as index:
        then = query.position_at(ledger, when) if when is not None else position
        if position is not None and position > (end := index.reached()):
            raise typer.BadParameter(f"the log ends at position {end}", param_hint="--position")
        try:
            wanted = Search(text, _filters(filters or []), object_type, tombstoned, then)
            found = index.page(wanted, limit, after)
            counted = index.counts(wanted, facets) if facets else {}
        except RefusedInput as error:
            raise typer.BadParameter(str(error)) from None
        amount = index.total(wanted)
        answered = index.reached() if then is None else then
    if out.as_json:
        hits = [asdict(hit) for hit in found]
        out.value({"position": answered, "total": amount, "hits": hits, "facets": counted})
        return
    rows = [
        [hit.pid, hit.type, hit.name or "", hit.identifier or "", "tombstoned" if hit.tombstoned else ""]
        for hit in found
    ]
    if rows:
        out.table(("pid", "type", "name", "identifier", ""), rows)
    for term, values in counted.items():
        out.table((term, "objects"), [[value, number] for value, number in values.items()])
    many = "1 object" if amount == 1 else f"{amount} objects"
    more = f"; more with --after {found[-1].pid}" if len(found) == limit < amount else ""
    out.say(f"{many} as of position {answered}{more}")


@dataclass(frozen=True)
class _Index:
    """What can be asked, wherever the index is."""

    page: Callable[[Search, int, str | None], list[Hit]]
    total: Callable[[Search], int]
    counts: Callable[[Search, Sequence[str]], dict[str, dict[str, int]]]
    reached: Callable[[], int]


@contextmanager
def _index(ledger: Ledger, out: Output, in_opensearch: bool) -> Iterator[_Index]:
    """The index, brought up to date."""
    if not in_opensearch:
        caught_up(ledger, out)
        yield _Index(
            partial(query.page, ledger),
            partial(query.total, ledger),
            partial(query.counts, ledger),
            partial(query.reached, ledger),
        )
        return
    from projections.search.opensearch import query as elsewhere
    from projections.search.opensearch.connecting import connected
    from projections.search.opensearch.replay import Indices

    with connected(ledger.settings.opensearch) as client:
        indices = Indices(ledger, client)
        indices.follow()
        yield _Index(
            partial(elsewhere.page, client, indices.alias),
            partial(elsewhere.total, client, indices.alias),
            partial(elsewhere.counts, client, indices.alias),
            indices.reached,
        )


def _pid(text: str) -> str:
    try:
        return parse_pid(text)[0]
    except InvalidIdentifier as error:
        raise typer.BadParameter(str(error), param_hint="--after") from None


def _filters(texts: list[str]) -> dict[str, list[str]]:
    chosen: dict[str, list[str]] = {}
    for text in texts:
        term, equals, value = text.partition("=")
        if not equals or not value:
            reason = f"{text!r} is not TERM=VALUE; terms are {', '.join(sorted(TERMS))}"
            raise typer.BadParameter(reason, param_hint="--filter")
        chosen.setdefault(term, []).append(value)
    return chosen
