"""Commands that keep the store sound: rebuild, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.verify import verify as verify_ledger
from audit.witnesses import witnesses
from cli.application import REFUSED, JsonOption, app, opened, output, pid_of
from projections.engine import rebuild as rebuild_projections


@app.command()
def rebuild(
    projection: Annotated[list[str] | None, typer.Argument(metavar="[PROJECTION]...", help="Default: all.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay the log into projections, from the beginning."""
    out = output(as_json)
    with opened() as ledger, out.progress("rebuild", "events") as tick:
        result = rebuild_projections(ledger, projection, tick)
    if out.as_json:
        out.value(result)
    else:
        names = ", ".join(result["projections"])
        out.say(f"replayed {result['events']} events into {names} in {result['seconds']} s ({result['rate']} events/s)")


@app.command()
def verify(
    pid: Annotated[str | None, typer.Argument(metavar="[PID]", help="One object; default: the whole ledger.")] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="A signed checkpoint kept elsewhere; the ledger must continue it."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="Public key (vkey) that signed it; default: those in the key folder."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Re-apply every patch, recompute every digest, compare projections with the log; exit 1 if a byte differs."""
    out = output(as_json)
    name = pid_of(pid)[0] if pid is not None else None
    with opened() as ledger, out.progress("verify", "events") as tick:
        found = verify_ledger(ledger, name, tick, witnesses(ledger.settings.keys, checkpoint, key))
    if out.as_json:
        out.value(found.to_json())
    else:
        for problem in found.problems:
            out.say(f"{problem.where}: {problem.what}")
        verdict = "everything adds up" if found.ok else f"{len(found.problems)} problems"
        out.say(f"verified {found.events} events of {found.objects} objects up to position {found.position}: {verdict}")
    if not found.ok:
        raise typer.Exit(REFUSED)
