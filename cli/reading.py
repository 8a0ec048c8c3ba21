"""Commands that read one object: get, history, diff, blame."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.application import AxisOption, JsonOption, PidArgument, app, caught_up, moment, opened, output, pid_of
from cli.output import Output, show_time, show_value
from domain.events import DigitalObjectEvent
from domain.representation import represent
from domain.terms import ABSENT, TermChange, term_of
from domain.times import end_of
from projections.accountability import values_of_term
from projections.object_reading import blame_terms, current, difference
from projections.object_reading import history as read_history
from store.ledger import Axis, Ledger


@app.command()
def get(
    pid: PidArgument,
    version: Annotated[int | None, typer.Option(min=1, help="Version number, from 1.")] = None,
    at: Annotated[str | None, typer.Option(help="A time, or a date meaning the end of that day (UTC).")] = None,
    axis: AxisOption = Axis.RECORDED,
    as_json: JsonOption = False,
) -> None:
    """Print the document as it is, or as it was at a version or time."""
    name, in_pid = pid_of(pid)
    version = version or in_pid
    if in_pid is not None and version != in_pid:
        raise typer.BadParameter(f"{pid} names version {in_pid} already", param_hint="--version")
    if version is not None and at is not None:
        raise typer.BadParameter("give a version or a time, not both", param_hint="--at")
    when = moment(at, end_of, "--at")
    with opened() as ledger:
        if when is not None:
            state = ledger.get_at(name, when, axis, to_follow=False)
        else:
            state = current(ledger, name) if version is None else ledger.get(name, version, to_follow=False)
    output(as_json).value(represent(state))


@app.command()
def history(pid: PidArgument, as_json: JsonOption = False) -> None:
    """List the versions: number, times, activity, agents, changed terms."""
    out = output(as_json)
    name, _ = pid_of(pid)
    with opened() as ledger:
        versions = read_history(ledger, name)
        names = ledger.names_in([version.event for version in versions])
    if out.as_json:
        out.lines(version.to_json() for version in versions)
        return
    out.table(
        ("version", "occurred (recorded)", "activity and agents", "changed terms"),
        (
            [
                version.event.originator_version,
                f"{show_time(version.event.occurred)}\n({show_time(version.event.recorded)})",
                version.event.activity_type.removeprefix("ods:")
                + (f" ({version.event.activity.comment})" if version.event.activity.comment else "")
                + f"\n{_agents(version.event, names)}",
                "\n".join(_changed(version.event)),
            ]
            for version in versions
        ),
    )


@app.command()
def diff(
    pid: PidArgument,
    n: Annotated[int, typer.Argument(metavar="N", min=1, help="Version to compare from.")],
    m: Annotated[int, typer.Argument(metavar="M", min=1, help="Version to compare to.")],
    patch: Annotated[bool, typer.Option("--patch", help="Print the JSON Patch (RFC 6902) instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show how version M differs from version N: old and new value of every term."""
    out = output(as_json)
    name, _ = pid_of(pid)
    with opened() as ledger:
        terms, operations = difference(ledger, name, n, m)
    if patch:
        out.value(operations)
    elif out.as_json:
        out.lines(_change_to_json(change) for change in terms)
    elif not terms:
        out.say(f"versions {n} and {m} of {name} are the same")
    else:
        out.table(
            ("term", f"version {n}", f"version {m}"),
            (
                [change.pointer, show_value(change.old), show_value(change.new)]
                for change in terms
                if not change.pointer.endswith("/@type")  # says nothing to a person that its neighbours do not
            ),
        )


@app.command()
def blame(
    pid: PidArgument,
    term: Annotated[str | None, typer.Option("--term", help="JSON Pointer of a term, or of what holds terms.")] = None,
    values: Annotated[
        bool, typer.Option("--values", help="Every value that the one --term ever had, instead of the present ones.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say for every term which version, time, agent and activity last set it."""
    out = output(as_json)
    name, _ = pid_of(pid)
    within = term if term is None or term.startswith("/") or term == "" else "/" + term
    if values and not within:
        raise typer.BadParameter("needs --term", param_hint="--values")
    with opened() as ledger:
        if values and within:
            caught_up(ledger, out)
            _show_values(out, ledger, name, term_of(within))
            return
        found = blame_terms(ledger, name, within or None)
        names = ledger.names_in([blamed.event for blamed in found])
    if out.as_json:
        out.lines(blamed.to_json() for blamed in found)
        return
    out.table(
        ("term", "value", "version", "occurred", "agents"),
        (
            [
                blamed.pointer,
                show_value(blamed.value, 40),
                f"{blamed.event.originator_version} {blamed.event.activity_type.removeprefix('ods:')}",
                show_time(blamed.event.occurred),
                _agents(blamed.event, names),
            ]
            for blamed in found
        ),
    )


def _show_values(out: Output, ledger: Ledger, pid: str, term: str) -> None:
    found = values_of_term(ledger, pid, term)
    if out.as_json:
        out.lines(change.to_json() for change in found)
        return
    names = ledger.agent_names({change.agent for change in found})
    out.table(
        ("version", "term", "old", "new", "occurred", "agent"),
        (
            [
                change.version,
                change.pointer,
                show_value(change.old, 40),
                show_value(change.new, 40),
                show_time(change.occurred),
                names.get(change.agent, change.agent),
            ]
            for change in found
        ),
    )


def _agents(event: DigitalObjectEvent, names: dict[str, str]) -> str:
    return "\n".join(f"{names.get(agent.id, agent.id)} ({agent.role.value})" for agent in event.agents)


def _changed(event: DigitalObjectEvent) -> list[str]:
    """The terms an event touches, an added (+) or removed (-) object or array as one; for version 1 just "(all)"."""
    if event.originator_version == 1:
        return ["(all)"]
    shown: dict[str, None] = {}
    for operation in event.patch:
        if operation["op"] != "test":
            whole = isinstance(operation.get("value"), (dict, list)) or operation["op"] == "remove"
            sign = {"add": "+\u00a0", "remove": "-\u00a0"}.get(operation["op"], "") if whole else ""
            shown[sign + (term_of(operation["path"]) or "''")] = None
    return sorted(shown, key=lambda term: term.lstrip("+-\u00a0"))


def _change_to_json(change: TermChange) -> dict[str, Any]:
    value = {"pointer": change.pointer, "term": change.term}
    for side in ("old", "new"):
        held = getattr(change, side)
        if held is not ABSENT:
            value[side] = held
    return value
