"""Commands that synchronise with sources: sync, runs, revert, find."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.application import (
    AgentOption,
    JsonOption,
    SourceOption,
    agent_of,
    app,
    caught_up,
    moment,
    opened,
    output,
    run_of,
)
from cli.output import Output, show_time
from domain.merge import Prefer
from domain.times import start_of, to_text
from projections.following_beside import followed_meanwhile
from sources.mapping.mapping import organisation_iri
from sources.synchronisation import runs
from sources.synchronisation.reading_beside import open_to_synchronise
from sources.synchronisation.revert import revert as revert_run
from sources.synchronisation.runs import Run, RunItem
from sources.synchronisation.source_system import source_names
from sources.synchronisation.synchronise import Options, Report, synchronise
from sources.synchronisation.synchronise import find as find_record

REPORTED = (
    "read",
    "created",
    "updated",
    "restored",
    "unchanged",
    "missing",
    "tombstoned",
    "conflicts",
    "parked",
)


@app.command()
def sync(
    archive: Annotated[
        Path,
        typer.Argument(metavar="ARCHIVE", help="Darwin Core Archive (zip, folder, .csv), or openDS .json / .jsonl."),
    ],
    source: SourceOption,
    occurred: Annotated[
        str | None, typer.Option(help="When the source said this; default: the archive's publication date, else now.")
    ] = None,
    missing: Annotated[
        str, typer.Option(help="Records the archive no longer has: 'report' them, or 'tombstone' them.")
    ] = "report",
    prefer: Annotated[
        Prefer, typer.Option(help="Who wins where the source and curation changed the same term.")
    ] = Prefer.CURATED,
    organisation: Annotated[
        str | None, typer.Option(help="ROR or Wikidata IRI of the holder, for records that do not name one.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change; store nothing.")] = False,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Map every record, also one that is noted to be read as before.")
    ] = False,
    agent: AgentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a source up to date with one of its archives: what really changed becomes events."""
    if missing not in ("report", "tombstone"):
        raise typer.BadParameter("must be 'report' or 'tombstone'", param_hint="--missing")
    if organisation is not None and organisation_iri(organisation) is None:
        raise typer.BadParameter("must be a ROR or Wikidata IRI", param_hint="--organisation")
    out = output(as_json)
    options = Options(
        source=source,
        occurred=moment(occurred, start_of, "--occurred"),
        tombstone_missing=missing == "tombstone",
        prefer=prefer,
        dry_run=dry_run,
        organisation=organisation_iri(organisation) if organisation else None,
        requestor=agent_of(agent),
        thorough=thorough,
    )
    file = open_to_synchronise(archive)
    try:
        with opened() as ledger:
            with (
                nullcontext() if dry_run else followed_meanwhile(ledger),
                out.progress(f"sync {source}", "records") as tick,
            ):
                report = synchronise(ledger, file, options, tick)
            if not dry_run:
                caught_up(ledger, out)
    finally:
        file.close()
    if out.as_json:
        out.value(report.to_json())
    else:
        _show_report(out, report)


@app.command(name="runs")
def list_runs(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Show what this run did, record by record.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the runs, or show what one run did, record by record."""
    out = output(as_json)
    with opened() as ledger:
        if run is None:
            found = runs.all_runs(ledger)
            names = source_names(ledger)
            if out.as_json:
                out.lines(_run_to_json(each, names) for each in found)
            else:
                out.table(("run", "source", "started", "what"), (_run_row(each, names) for each in found))
            return
        which = runs.get(ledger, run_of(run)).id
        if out.as_json:
            out.lines(_item_to_json(item) for item in runs.items(ledger, which))
        else:
            out.table(
                ("outcome", "record", "pid", "versions", "place", "what"),
                (_item_row(item) for item in runs.items(ledger, which)),
            )


@app.command()
def revert(
    run: Annotated[str, typer.Option("--run", help="The run to undo.")],
    agent: AgentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Undo a run by compensating events; curation since then stays."""
    out = output(as_json)
    which, requestor = run_of(run), agent_of(agent)
    with opened() as ledger:
        with followed_meanwhile(ledger), out.progress("revert", "objects") as tick:
            result = revert_run(ledger, which, requestor, tick)
        caught_up(ledger, out)
    if out.as_json:
        out.value(result)
    else:
        out.say(f"reverted {result['reverted']} objects by run {result['run']}, {result['conflicts']} conflicts")


@app.command()
def find(
    source: SourceOption,
    record: Annotated[str, typer.Option("--record", help="Natural key, or the source's own id, of the record.")],
    as_json: JsonOption = False,
) -> None:
    """Print the PID of a source's record."""
    out = output(as_json)
    with opened() as ledger:
        pid = find_record(ledger, source, record)
    if out.as_json:
        out.value({"pid": pid, "source": source, "record": record})
    else:
        out.say(pid)


def _show_report(out: Output, report: Report) -> None:
    title = "would do" if report.dry_run else "did"
    out.say(f"run {report.run} on {report.source} {title}:")
    for name in REPORTED:
        out.say(f"  {name:<10} {getattr(report, name):>9,}")
    if report.media:
        out.say("media: " + ", ".join(f"{amount} {name}" for name, amount in report.media.items()))
    for notice, amount in list(report.notices.items())[:10]:
        out.say(f"  {amount} × {notice}")
    if len(report.notices) > 10:
        out.say(f"  … and {len(report.notices) - 10} more kinds of notice (--json lists them)")
    if report.warning:
        out.say(f"  ! {report.warning}")
    if not report.dry_run and (report.parked or report.conflicts or report.missing):
        out.say(f"  see: provenarium runs {report.run}")


def _state(run: Run) -> str:
    if run.reverted_by is not None:
        return "reverted"
    if "failed" in run.counts:
        return "failed"
    return "finished" if run.finished is not None else "not finished"


def _run_row(run: Run, names: dict[str, str]) -> list[object]:
    what = [f"revert of {run.reverts}" if run.reverts else "", "" if _state(run) == "finished" else _state(run)]
    what += [f"{run.counts[name]} {name}" for name in (*REPORTED[1:], "reverted") if run.counts.get(name)]
    return [run.id, names.get(run.source, run.source), show_time(run.started), ", ".join(filter(None, what))]


def _run_to_json(run: Run, names: dict[str, str]) -> dict[str, Any]:
    return {
        "run": str(run.id),
        "kind": run.kind,
        "source": names.get(run.source, run.source),
        "sourceSystem": run.source,
        "archive": run.archive,
        "mapping": run.mapping,
        "options": run.options,
        "occurred": to_text(run.occurred),
        "started": to_text(run.started),
        "finished": to_text(run.finished) if run.finished else None,
        "state": _state(run),
        "reverts": str(run.reverts) if run.reverts else None,
        "revertedBy": str(run.reverted_by) if run.reverted_by else None,
        "counts": run.counts,
    }


def _item_row(item: RunItem) -> list[object]:
    changed = item.version_before or item.version_after
    versions = f"{item.version_before or '–'} → {item.version_after or '–'}" if changed else ""
    conflicts = [conflict["pointer"] for conflict in (item.details or {}).get("conflicts", [])]
    what = item.reason or ("conflict at " + ", ".join(conflicts) if conflicts else "")
    return [item.outcome, item.key or "", item.pid or "", versions, item.place or "", what]


def _item_to_json(item: RunItem) -> dict[str, Any]:
    return {
        "outcome": item.outcome,
        "type": item.type,
        "record": item.key,
        "pid": item.pid,
        "place": item.place,
        "versionBefore": item.version_before,
        "versionAfter": item.version_after,
        "reason": item.reason,
        **(item.details or {}),
    }
