"""The command that checks whether the store is sound: verify."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from audit import self_check
from audit.verify import verify as verify_ledger
from audit.witnesses import known_keys, log_copy, witnesses
from cli.application import REFUSED, JsonOption, app, opened, output, pid_of
from cli.output import Output


@app.command()
def verify(
    pid: Annotated[str | None, typer.Argument(metavar="[PID]", help="One object; default: the whole ledger.")] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="A signed checkpoint kept elsewhere; the ledger must continue it."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="DIR",
            help="A copy of the log kept elsewhere, as 'ledger tiles' writes it: names the first event affected.",
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="Public key (vkey) that signed it; default: those in the key folder."),
    ] = None,
    background: Annotated[
        bool, typer.Option("--background", help="In small steps beside other work; what was killed goes on.")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", min=0, help="With --background: stop after so long, to go on next time."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Re-apply every patch, recompute every digest, compare projections with the log; exit 1 if a byte differs."""
    out = output(as_json)
    name = pid_of(pid)[0] if pid is not None else None
    if background and name is not None:
        raise typer.BadParameter("is for the whole ledger; leave PID out", param_hint="--background")
    if against is not None and name is not None:
        raise typer.BadParameter("is for the whole ledger; leave PID out", param_hint="--against")
    if background:
        _verify_in_steps(out, checkpoint, against, key, seconds)
        return
    with opened() as ledger, out.progress("verify", "events") as tick:
        keys = ledger.settings.keys
        copy = log_copy(keys, against, key) if against is not None else None
        found = verify_ledger(ledger, name, tick, witnesses(keys, checkpoint, key), copy, known_keys(keys, key))
    if out.as_json:
        out.value(found.to_json())
    else:
        for problem in found.problems:
            out.say(f"{problem.where}: {problem.what}")
        verdict = "everything adds up" if found.ok else f"{len(found.problems)} problems"
        out.say(f"verified {found.events} events of {found.objects} objects up to position {found.position}: {verdict}")
    if not found.ok:
        raise typer.Exit(REFUSED)


def _verify_in_steps(
    out: Output, checkpoint: Path | None, against: Path | None, key: list[str] | None, seconds: float | None
) -> None:
    end = None if seconds is None else time.monotonic() + seconds
    with opened() as ledger, out.progress("verify", "events") as tick:
        keys = ledger.settings.keys
        copy = log_copy(keys, against, key) if against is not None else None
        for reached in self_check.run(ledger, witnesses(keys, checkpoint, key), copy, known_keys(keys, key)):
            tick(reached.events, max(reached.position, reached.events))
            if end is not None and time.monotonic() >= end:
                break
        last = self_check.last_pass(ledger)
    if out.as_json:
        out.value({**reached.to_json(), "last": last.to_json() if last else None})
    else:
        for problem in reached.problems:
            out.say(f"{problem.where}: {problem.what}")
        out.say(reached.sentence)
        if last is not None and reached.finished is None:
            out.say(f"the last whole pass: {last.sentence}")
    if reached.problems:
        raise typer.Exit(REFUSED)
