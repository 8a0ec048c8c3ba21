"""Commands over whole collections: export, changes."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
import typer

from cli.application import (
    AxisOption,
    JsonOption,
    SourceOption,
    agent_of,
    app,
    caught_up,
    moment,
    opened,
    output,
    source_of,
)
from cli.output import Output, show_time, show_value
from domain.errors import RefusedInput
from domain.opends import TOMBSTONE_TERM
from domain.representation import represent
from domain.times import end_of, now, start_of
from projections import accountability
from projections.accountability import Change
from projections.collection import collection
from store.ledger import Axis, Ledger


@app.command()
def export(
    source: SourceOption,
    file: Annotated[
        Path, typer.Option("--output", "-o", dir_okay=False, help="JSON Lines file to write, or - for standard output.")
    ],
    at: Annotated[str | None, typer.Option(help="A time, or a date meaning the end of that day (UTC).")] = None,
    axis: AxisOption = Axis.RECORDED,
    include_tombstoned: Annotated[
        bool, typer.Option("--include-tombstoned", help="Also what was tombstoned then.")
    ] = False,
    include_media: Annotated[bool, typer.Option("--include-media", help="Also the digital media objects.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the whole collection as it was, one document a line, ordered by record."""
    out = output(as_json)
    when = moment(at, end_of, "--at")
    written = 0
    with opened() as ledger, out.progress(f"export {source}", "documents") as tick:
        system = source_of(ledger, source)
        with _writing(file, out) as write:
            for state in collection(
                ledger,
                system.pid,
                when,
                axis,
                include_tombstoned=include_tombstoned,
                include_media=include_media,
            ):
                write(orjson.dumps(represent(state)) + b"\n")
                written += 1
                if written % 500 == 0:
                    tick(written, None)
    if str(file) == "-":
        return
    if out.as_json:
        out.value({"documents": written, "file": str(file), "source": source, "at": at, "axis": axis.value})
    else:
        out.say(f"wrote {written} documents to {file}")


@app.command()
def changes(
    source: Annotated[str | None, typer.Option("--source", help="Name of the source system.")] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", help="ORCID or IRI: what this agent had a part in, in all collections.")
    ] = None,
    term: Annotated[
        str | None, typer.Option("--term", help="Only this term, such as ods:hasIdentifications/dwc:typeStatus.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="From this time, or the beginning of this day (UTC); default: all."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Until this time, or the end of this day (UTC); default now.")
    ] = None,
    axis: AxisOption = Axis.RECORDED,
    details: Annotated[bool, typer.Option("--details", help="Every change, instead of counts.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what changed in a collection, or by an agent, between two times, by term and agent."""
    out = output(as_json)
    if (source is None) == (agent is None):
        raise typer.BadParameter("give either --source or --agent")
    begin = moment(since, start_of, "--since") or datetime.min.replace(tzinfo=UTC)
    end = moment(until, end_of, "--until") or now()
    if end < begin:
        raise typer.BadParameter("is before --since", param_hint="--until")
    with opened() as ledger:
        caught_up(ledger, out)
        if source is not None:
            found = accountability.of_source(ledger, source_of(ledger, source).pid, begin, end, axis, term)
        else:
            who = agent_of(agent, required=True)
            assert who is not None
            by_agent = accountability.by_agent(ledger, who.id, begin, end, axis)
            found = (change for change in by_agent if term in (None, change.term))
        if out.as_json:
            out.lines(change.to_json() for change in found)
        elif details:
            _show_details(out, list(found), ledger)
        else:
            _show_counts(out, found, ledger)


def _show_details(out: Output, found: list[Change], ledger: Ledger) -> None:
    names = ledger.agent_names({change.agent for change in found})
    out.table(
        ("occurred", "record", "version", "term", "old", "new", "agent"),
        (
            [
                show_time(change.occurred),
                change.record,
                f"{change.pid}/{change.version}",
                change.term or _activity(change),
                show_value(change.old, 40),
                show_value(change.new, 40),
                names.get(change.agent, change.agent),
            ]
            for change in found
            if not change.term or not (change.term.endswith("/@type") or change.term.startswith(TOMBSTONE_TERM + "/"))
        ),
    )


def _show_counts(out: Output, found: Iterator[Change], ledger: Ledger) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    objects: dict[tuple[str, str], set[str]] = {}
    withdrawn: set[tuple[str, int]] = set()
    for change in found:
        term = change.term or _activity(change)
        if term.endswith("/@type"):  # says nothing to a person that its neighbours do not
            continue
        if term.startswith(TOMBSTONE_TERM):
            if (change.pid, change.version) in withdrawn:
                continue
            withdrawn.add((change.pid, change.version))
            term = _activity(change)
        group = (term, change.agent)
        counts[group] += 1
        objects.setdefault(group, set()).add(change.pid)
    names = ledger.agent_names({agent for _, agent in counts})
    out.table(
        ("term", "agent", "changes", "objects"),
        (
            [term, names.get(agent, agent), amount, len(objects[term, agent])]
            for (term, agent), amount in counts.most_common()
        ),
    )


def _activity(change: Change) -> str:
    return f"({change.activity_type.removeprefix('ods:')})"


@contextmanager
def _writing(file: Path, out: Output) -> Iterator[Callable[[bytes], object]]:
    """The file, complete or not at all: written beside its place and renamed when done."""
    if str(file) == "-":
        yield out.data
        return
    target = file.resolve()  # a link stays a link
    try:
        if target.exists() and not target.is_file():
            with target.open("wb") as stream:  # a device or pipe is written to, never replaced
                yield stream.write
            return
        with _beside(target) as stream:
            yield stream.write
    except OSError as error:
        raise RefusedInput(f"cannot write {file}: {error.strerror}; choose another file with -o") from None


@contextmanager
def _beside(target: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place, and the permissions, of the target when it is complete."""
    number, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    beside = Path(name)
    try:
        with os.fdopen(number, "wb") as stream:
            yield stream
        beside.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        beside.replace(target)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
