"""The command that finds objects by words and facets: search."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.application import JsonOption, app, caught_up, moment, opened, output
from domain.errors import RefusedInput
from domain.opends import OBJECT_TYPES
from domain.times import end_of
from projections.search.query import counts, page, position_at, reached, total
from projections.search.question import TERMS, Search


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
    as_json: JsonOption = False,
) -> None:
    """Find objects by words and facets, as they are now or as they were at any time."""
    if object_type is not None and object_type not in OBJECT_TYPES:
        raise typer.BadParameter("must be one of " + ", ".join(OBJECT_TYPES), param_hint="--type")
    if at is not None and position is not None:
        raise typer.BadParameter("give a time or a position, not both", param_hint="--position")
    out = output(as_json)
    when = moment(at, end_of, "--at")
    with opened() as ledger:
        caught_up(ledger, out)
        then = position_at(ledger, when) if when is not None else position
        try:
            wanted = Search(text, _filters(filters or []), object_type, tombstoned, then)
            found = page(ledger, wanted, limit, after)
            counted = counts(ledger, wanted, facets) if facets else {}
        except RefusedInput as error:
            raise typer.BadParameter(str(error)) from None
        amount = total(ledger, wanted)
        answered = reached(ledger) if then is None else then
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


def _filters(texts: list[str]) -> dict[str, list[str]]:
    chosen: dict[str, list[str]] = {}
    for text in texts:
        term, equals, value = text.partition("=")
        if not equals or not value:
            reason = f"{text!r} is not TERM=VALUE; terms are {', '.join(sorted(TERMS))}"
            raise typer.BadParameter(reason, param_hint="--filter")
        chosen.setdefault(term, []).append(value)
    return chosen
