"""Commands that export W3C PROV: ``prov PID``, and what else is done with PROV documents."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from cli.application import REFUSED, JsonOption, PidArgument, app, opened, output, pid_of
from projections.prov.formats import FORMATS

OF_OBJECT = "object"


class ProvCommands(TyperGroup):
    """``prov PID`` is short for ``prov object PID``."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override] # typer keeps its base private
        """A first word that is no command begins the arguments of the short form."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [OF_OBJECT, *args]
        return super().parse_args(ctx, args)


prov = typer.Typer(cls=ProvCommands, no_args_is_help=True, help="W3C PROV of one object: prov PID; prov check FILE.")
app.add_typer(prov, name="prov")

FormatOption = Annotated[
    str | None, typer.Option("--format", help="One of: " + ", ".join(FORMATS) + "; default provn, or json with --json.")
]


@prov.command(name=OF_OBJECT)
def of_object(pid: PidArgument, format_: FormatOption = None, as_json: JsonOption = False) -> None:
    """Print the W3C PROV of the object's whole history; the word 'object' may be left out."""
    out = output(as_json)
    format_ = format_ or ("json" if out.as_json else "provn")
    _known(format_)
    if out.as_json and not format_.startswith("json"):
        raise typer.BadParameter(f"{format_} is not JSON, which --json asks for", param_hint="--format")
    from projections.prov.document import prov_document
    from projections.prov.formats import serialize

    name, _ = pid_of(pid)
    with opened() as ledger:
        events = ledger.history(name)
        names = ledger.names_in(events)
    data = serialize(prov_document(events, names=names), format_)
    out.data(data if data.endswith(b"\n") else data + b"\n")


@prov.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A PROV document in any of the formats.")],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="One of: " + ", ".join(FORMATS) + "; trig also reads Turtle. If not by the suffix."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether anybody's PROV document is valid: W3C PROV-CONSTRAINTS, and for documents like ours our own rules."""
    if format_ is not None:
        _known(format_)
    import projections.prov.check as checker

    out = output(as_json)
    document = checker.read(file, format_)
    findings = checker.check(document)
    records = sum(len(bundle.records) for bundle in (document, *document.bundles))
    if out.as_json:
        found = [asdict(finding) for finding in findings]
        out.value({"valid": not findings, "file": str(file), "records": records, "findings": found})
    else:
        for finding in findings:
            place = "" if finding.where.bundle is None else f" [in bundle {finding.where.bundle}]"
            out.say(f"{finding.rule}: {finding.what}{place}")
        many = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
        verdict = f"not valid: {many} in" if findings else "valid:"
        out.say(f"{verdict} {records} records of {file}")
    if findings:
        raise typer.Exit(REFUSED)


def _known(format_: str) -> None:
    if format_ not in FORMATS:
        raise typer.BadParameter("must be one of " + ", ".join(FORMATS), param_hint="--format")
