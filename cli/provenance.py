"""Commands that export W3C PROV: ``prov PID``, and what else is done with PROV documents."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from typer.core import TyperGroup

from cli.application import (
    REFUSED,
    AxisOption,
    JsonOption,
    PidArgument,
    agent_of,
    app,
    caught_up,
    moment,
    opened,
    output,
    pid_of,
    run_of,
    source_of,
)
from cli.output import Output
from domain.errors import NotFound, RefusedInput
from domain.opends import OBJECT_TYPES
from domain.query import Query
from domain.times import end_of, now, start_of
from projections.prov.export.collection import Exporter
from projections.prov.export.compression import COMPRESSIONS
from projections.prov.export.export import Exported, Request, export_to_file, export_to_stream
from projections.prov.export.shapes import SHAPES
from projections.prov.formats import FORMATS
from projections.prov.scopes import KnownRuns, Scope
from sources.synchronisation import runs
from sources.synchronisation.source_system import SOFTWARE
from store.ledger import Axis, Ledger

OF_OBJECT = "object"


class ProvCommands(TyperGroup):
    """``prov PID`` is short for ``prov object PID``."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override] # typer keeps its base private
        """A first word that is no command begins the arguments of the short form."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [OF_OBJECT, *args]
        return super().parse_args(ctx, args)


prov = typer.Typer(
    cls=ProvCommands, no_args_is_help=True, help="W3C PROV of one object: prov PID; prov export; prov check FILE."
)
app.add_typer(prov, name="prov")

FormatOption = Annotated[
    str | None, typer.Option("--format", help="One of: " + ", ".join(FORMATS) + "; default provn, or json with --json.")
]


@prov.command(name=OF_OBJECT)
def of_object(pid: PidArgument, format_: FormatOption = None, as_json: JsonOption = False) -> None:
    """Print the W3C PROV of the object's history, with PID/n up to version n; the word 'object' may be left out."""
    out = output(as_json)
    format_ = format_ or ("json" if out.as_json else "provn")
    _known(format_)
    if out.as_json and not format_.startswith("json"):
        raise typer.BadParameter(f"{format_} is not JSON, which --json asks for", param_hint="--format")
    from projections.prov.document import prov_document
    from projections.prov.formats import serialize

    name, version = pid_of(pid)
    with opened() as ledger:
        events = ledger.history(name)
        if version is not None:
            if version > len(events):
                raise NotFound(f"{name} has no version {version}; its last is {len(events)}")
            events = events[:version]
        document = prov_document(events, names=ledger.names_in(events), runs=KnownRuns(ledger, now()))
    data = serialize(document, format_)
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


@prov.command()
def export(
    file: Annotated[
        Path, typer.Option("--output", "-o", dir_okay=False, help="File to write, or - for standard output.")
    ],
    source: Annotated[str | None, typer.Option("--source", help="Of the records of this source system.")] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", help="Of what this agent took part in, or others did on its behalf.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", help="Of what this run did.")] = None,
    object_type: Annotated[
        str | None, typer.Option("--type", help="Of objects of this type, such as ods:DigitalSpecimen.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Of records whose natural key at their source begins so.")
    ] = None,
    query: Annotated[
        list[str] | None,
        typer.Option(
            "--query",
            metavar="TERM=VALUE",
            help="Of objects whose document has this value, * for any text, by now or --until; may be given again.",
        ),
    ] = None,
    since: Annotated[str | None, typer.Option(help="From this time, or from the beginning of this day (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="Until this time, or the end of this day (UTC).")] = None,
    axis: AxisOption = Axis.RECORDED,
    format_: Annotated[str, typer.Option("--format", help="One of: " + ", ".join(SHAPES) + ".")] = "json",
    compress: Annotated[str | None, typer.Option("--compress", help="gzip or zstd.")] = None,
    organisation: Annotated[
        str | None, typer.Option("--organisation", help="ROR or other IRI of who answers for the export.")
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Do not go on with an interrupted export of the same file.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the W3C PROV of all versions that meet every condition given; interrupted, the same command goes on."""
    out = output(as_json)
    if format_ not in SHAPES:
        raise typer.BadParameter("must be one of " + ", ".join(SHAPES), param_hint="--format")
    if compress not in COMPRESSIONS:
        raise typer.BadParameter("must be gzip or zstd", param_hint="--compress")
    if object_type is not None and object_type not in OBJECT_TYPES:
        raise typer.BadParameter("must be one of " + ", ".join(OBJECT_TYPES), param_hint="--type")
    if compress and str(file) == "-" and sys.stdout.isatty():
        raise typer.BadParameter("compressed bytes are nothing for a terminal", param_hint="--compress")
    if all(given is None for given in (source, agent, run, object_type, key, query or None, since, until)):
        raise typer.BadParameter("say of what: --source, --agent, --run, --type, --key, --query, --since or --until")
    begin, end = moment(since, start_of, "--since"), moment(until, end_of, "--until")
    if begin and end and end < begin:
        raise typer.BadParameter("is before --since", param_hint="--until")
    named: dict[str, Any] = {
        "agent": _iri(agent, "--agent"),
        "run": str(run_of(run)) if run is not None else None,
        "object_type": object_type,
        "key_prefix": key,
        "query": _query(query),
        "since": begin,
        "until": end,
        "axis": axis,
    }
    exporter = Exporter(SOFTWARE, _iri(organisation, "--organisation"))
    with opened() as ledger:
        caught_up(ledger, out)
        if named["run"] is not None:
            runs.get(ledger, UUID(named["run"]))  # one that is unknown is a mistake, not an empty export
        of_source = source_of(ledger, source).pid if source is not None else None
        request = Request(Scope(source=of_source, **named), format_, exporter, compress)
        with out.progress("export", "versions") as tick:
            found = _exported(ledger, request, file, out, tick, anew=anew)
    if str(file) == "-":
        return
    if out.as_json:
        out.value({"file": str(file), **_summary(found), **request.to_json()})
    else:
        gone_on = ", going on where it was interrupted" if found.resumed else ""
        out.say(
            f"wrote {found.versions} versions of {found.objects} objects, up to position {found.position}, "
            f"to {file}{gone_on}"
        )


def _query(texts: list[str] | None) -> Query | None:
    try:
        return Query.parse(texts) if texts else None
    except RefusedInput as error:
        raise typer.BadParameter(str(error), param_hint="--query") from None


def _iri(text: str | None, option: str) -> str | None:
    """The IRI of an agent given as an ORCID or IRI; anything else is a usage error."""
    if text is None:
        return None
    try:
        found = agent_of(text)
    except typer.BadParameter as error:
        raise typer.BadParameter(error.message, param_hint=option) from None
    return found.id if found else None


def _exported(
    ledger: Ledger, request: Request, file: Path, out: Output, tick: Callable[[int, int], None], *, anew: bool
) -> Exported:
    if str(file) == "-":
        return export_to_stream(ledger, request, out.data, tick)
    if file.exists() and not file.is_file():
        with file.open("wb") as stream:  # a device or pipe is written to, never replaced
            return export_to_stream(ledger, request, stream.write, tick)
    return export_to_file(ledger, request, file, tick, anew=anew)


def _summary(found: Exported) -> dict[str, Any]:
    return {
        "objects": found.objects,
        "versions": found.versions,
        "position": found.position,
        "bytes": found.size,
        "resumed": found.resumed,
    }
