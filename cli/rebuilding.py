"""The command that makes projections anew from the log: rebuild."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from cli.application import JsonOption, app, opened, output
from cli.output import Output, Tick, show_time
from domain.errors import NotFound
from projections.following import Progress
from projections.replay import rebuild as replay
from projections.replay import status as rebuilds
from projections.replay.beside import drop, former_of, is_there
from projections.replay.switching import switch_back as put_back
from store.ledger import Ledger

NOTE_SECONDS = 1.0


@app.command()
def rebuild(
    projection: Annotated[list[str] | None, typer.Argument(metavar="[PROJECTION]...", help="Default: all.")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=64, help="Processes that fill; default: one a processor.")
    ] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Begin again, also if a rebuild was interrupted.")] = False,
    accept_differences: Annotated[
        bool, typer.Option("--accept-differences", help="Switch also if rows differ from the live ones.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Only say what the last rebuild is at.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Drop what an interrupted rebuild has made.")] = False,
    switch_back: Annotated[
        bool, typer.Option("--switch-back", help="Return to the former tables: those of the last rebuild, or these.")
    ] = False,
    drop_former: Annotated[bool, typer.Option("--drop-former", help="Drop the former tables for good.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Replay the log into new tables beside the live ones, compare, and switch; nobody has to wait."""
    out = output(as_json)
    back = partial(_switch_back, names=projection)
    instead: dict[Callable[[Ledger, Output], None], bool] = {
        _status: status,
        _cancel: cancel,
        back: switch_back,
        _drop_former: drop_former,
    }
    chosen = [act for act, wanted in instead.items() if wanted]
    if len(chosen) > 1 or (chosen and chosen != [back] and projection):
        raise typer.BadParameter("stands alone", param_hint="--status, --cancel, --switch-back or --drop-former")
    with opened() as ledger:
        if chosen:
            chosen[0](ledger, out)
            return
        with out.progress("rebuild", "events") as tick:
            result = replay.rebuild(
                ledger,
                projection,
                _noted(out, ledger, tick),
                workers=workers,
                anew=anew,
                accept_differences=accept_differences,
                waiting=lambda: out.note("readers of the live tables are waited for"),
            )
    if out.as_json:
        out.value(result)
    else:
        names = ", ".join(result["projections"])
        out.say(f"replayed {result['events']} events into {names} in {result['seconds']} s ({result['rate']} events/s)")


def _noted(out: Output, ledger: Ledger, tick: Tick) -> Progress:
    """Progress on a terminal and, with --json, as JSON Lines on standard error, one a second."""
    last = time.monotonic()

    def noted(done: int, total: int) -> None:
        nonlocal last
        tick(done, total)
        if out.as_json and time.monotonic() - last >= NOTE_SECONDS:
            last = time.monotonic()
            found = rebuilds.newest(ledger)
            if found is not None:
                out.note(found.to_json())

    return noted


def _status(ledger: Ledger, out: Output) -> None:
    found = rebuilds.newest(ledger)
    if found is None:
        raise NotFound("nothing was rebuilt yet in this ledger")
    is_worked_on = rebuilds.is_worked_on(ledger)
    if out.as_json:
        out.value({**found.to_json(), "workedOn": is_worked_on})
        return
    names = ", ".join(sorted(found.projections))
    out.say(f"{names}: {found.state}, {found.events} of {found.total} events, {found.rate:,.0f} events/s")
    out.say(f"  began {show_time(found.started)}, last heard of {show_time(found.updated)}")
    if found.failure is not None:
        at_event = "position" in found.failure
        where = " before position {position} ({pid}/{version})".format(**found.failure) if at_event else ""
        out.say(f"  stopped{where}: {found.failure['cause']}")
    elif found.finished is None and not is_worked_on:
        out.say("  interrupted: nobody works on it; 'provenarium rebuild' with the same projections goes on")
    elif found.remaining is not None and found.finished is None:
        out.say(f"  {found.remaining:,.0f} s of taking in events remain at this rate; then indexes, and a comparison")


def _cancel(ledger: Ledger, out: Output) -> None:
    cancelled = replay.cancel(ledger)
    if out.as_json:
        out.value({"cancelled": cancelled})
    else:
        out.say("dropped the new tables; the live ones are as they were" if cancelled else "no rebuild is unfinished")


def _switch_back(ledger: Ledger, out: Output, *, names: list[str] | None) -> None:
    with replay.only_one(ledger):
        names = put_back(ledger, lambda: out.note("readers of the live tables are waited for"), names)
    if out.as_json:
        out.value({"projections": names})
    else:
        out.say(f"{', '.join(names)}: the former tables are the live ones again, and have caught up with the log")


def _drop_former(ledger: Ledger, out: Output) -> None:
    with replay.only_one(ledger):
        there = is_there(ledger, former_of(ledger))
        drop(ledger, former_of(ledger))
    if out.as_json:
        out.value({"dropped": there})
    else:
        out.say("dropped the former tables" if there else "there are no former tables")
