"""Commands for audits by outsiders: audit bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.application import JsonOption, app, bytes_of, caught_up, moment, opened, output, pid_of, run_of, source_of
from domain.errors import RefusedInput
from domain.times import start_of

if TYPE_CHECKING:  # importing what signs takes time, and other commands do not need it
    from audit.bundle.scope import Scope
    from store.ledger import Ledger

auditing = typer.Typer(no_args_is_help=True, help="What an outside auditor needs: bundles that can be checked offline.")
app.add_typer(auditing, name="audit")


@auditing.callback()
def group() -> None:
    """A group even with one command in it."""


@auditing.command()
def bundle(
    file: Annotated[Path, typer.Option("--output", "-o", dir_okay=False, help="Zip file to write.")],
    pids: Annotated[
        list[str] | None, typer.Argument(metavar="[PID]...", help="Objects, with their whole history.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="Everything from this source system.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="The objects that this run changed.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="The objects changed since a time, or since the beginning of a day (UTC)."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="The whole ledger.")] = False,
    since_checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--since-checkpoint", help="The auditor's last checkpoint; the bundle proves that nothing changed."
        ),
    ] = None,
    digests_only: Annotated[
        bool, typer.Option("--digests-only", help="Give the last versions by digest; the events hold all of them.")
    ] = False,
    schemas: Annotated[
        Path | None,
        typer.Option(
            "--schemas",
            exists=True,
            file_okay=False,
            help="Folder of the JSON Schemas; those that documents name are put in.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a zip with which an outsider can check a part of the ledger, offline and without this program."""
    from audit.bundle.schemas import Schemas
    from audit.bundle.write import write_bundle
    from audit.publishing import sign_checkpoint
    from audit.tlog import keys

    if [bool(pids), source is not None, run is not None, since is not None, everything].count(True) != 1:
        raise typer.BadParameter("give objects, or one of --source, --run, --since and --all", param_hint="PID")
    out = output(as_json)
    old = bytes_of(since_checkpoint) if since_checkpoint else None
    own = Schemas(schemas) if schemas else None
    with opened() as ledger:
        settings = ledger.settings
        caught_up(ledger, out)
        with out.progress("checkpoint", "entries") as tick:
            note = bytes(sign_checkpoint(ledger, settings.keys, settings.key_passphrase, tick))
        known = [published.key for published in keys.public(settings.keys)]
        scope = _scope(ledger, pids or [], source, run, since)
        try:
            with out.progress("audit bundle", "events") as tick:
                made = write_bundle(
                    ledger,
                    file,
                    scope,
                    note,
                    known,
                    since_checkpoint=old,
                    digests_only=digests_only,
                    schemas=own,
                    progress=tick,
                )
        except OSError as error:
            raise RefusedInput(f"cannot write {file}: {error.strerror}; choose another file with -o") from None
    if out.as_json:
        out.value(
            {
                "file": str(file),
                "scope": scope.to_json(),
                "objects": made.objects,
                "events": made.events,
                "digest": made.digest,
                "origin": made.checkpoint.origin,
                "size": made.checkpoint.size,
                "root": made.checkpoint.root.hex(),
                "vkey": str(known[-1]),
            }
        )
    else:
        out.say(f"wrote {made.events} events of {made.objects} objects to {file}")
        out.say("tell the auditor on another way than the bundle goes:")
        out.say(f"  key     {known[-1]}")
        out.say(f"  digest  {made.digest}")


def _scope(ledger: Ledger, pids: list[str], source: str | None, run: str | None, since: str | None) -> Scope:
    from audit.bundle import scope

    if pids:
        return scope.of_objects(ledger, [pid_of(each)[0] for each in pids])
    if source is not None:
        return scope.of_source(source_of(ledger, source))
    if run is not None:
        return scope.of_run(ledger, run_of(run))
    if since is not None:
        return scope.since(moment(since, start_of, "--since"))
    return scope.everything()
