"""Commands that export W3C PROV: ``prov PID``, and what else is done with PROV documents."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup

from cli.application import JsonOption, PidArgument, app, opened, output, pid_of
from projections.prov.formats import FORMATS

OF_OBJECT = "object"


class ProvCommands(TyperGroup):
    """``prov PID`` is short for ``prov object PID``."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override] # typer keeps its base private
        """A first word that is no command begins the arguments of the short form."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [OF_OBJECT, *args]
        return super().parse_args(ctx, args)


prov = typer.Typer(cls=ProvCommands, no_args_is_help=True, help="W3C PROV of one object: prov PID.")
app.add_typer(prov, name="prov")

FormatOption = Annotated[
    str | None, typer.Option("--format", help="One of: " + ", ".join(FORMATS) + "; default provn, or json with --json.")
]


@prov.command(name=OF_OBJECT)
def of_object(pid: PidArgument, format_: FormatOption = None, as_json: JsonOption = False) -> None:
    """Print the W3C PROV of the object's whole history; the word 'object' may be left out."""
    out = output(as_json)
    format_ = format_ or ("json" if out.as_json else "provn")
    if format_ not in FORMATS:
        raise typer.BadParameter("must be one of " + ", ".join(FORMATS), param_hint="--format")
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
