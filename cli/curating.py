"""Commands by which a person changes one object: edit, tombstone, restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.application import (
    AgentOption,
    JsonOption,
    PidArgument,
    agent_of,
    app,
    bytes_of,
    caught_up,
    moment,
    opened,
    output,
    pid_of,
)
from cli.output import Output
from domain import pointer
from domain.agents import Agent
from domain.canonical import parse
from domain.digital_object import DigitalObject, Provenance, content_of
from domain.errors import RefusedInput, UnrepresentableJson
from domain.events import Cause, DigitalObjectEvent
from domain.opends import computed_terms, object_iri
from domain.patch import apply, copy_of
from domain.times import now, start_of
from store.ledger import Ledger

OccurredOption = Annotated[str | None, typer.Option("--occurred", help="When it happened; default now.")]
CommentOption = Annotated[str | None, typer.Option("--comment", help="Why.")]


@app.command()
def edit(
    pid: PidArgument,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="POINTER=VALUE", help="Set one term; VALUE is JSON, or text if it is not JSON."),
    ] = None,
    patch: Annotated[Path | None, typer.Option(help="File with a JSON Patch (RFC 6902).")] = None,
    document: Annotated[Path | None, typer.Option(help="File with the whole new document (openDS JSON).")] = None,
    occurred: OccurredOption = None,
    comment: CommentOption = None,
    agent: AgentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change one object by hand; later synchronisations respect the change."""
    if sum(way is not None for way in (settings, patch, document)) != 1:
        raise typer.BadParameter("give exactly one of --set, --patch, --document")
    provenance = _provenance(agent, occurred, comment)
    out = output(as_json)
    name, _ = pid_of(pid)
    with opened() as ledger:
        state = ledger.get(name)
        if document is not None:
            new = _same_object(state, parse(bytes_of(document)))
        elif patch is not None:
            new = apply(state.document, parse(bytes_of(patch)))
        else:
            new = _with_settings(state.document, settings or [])
        _record(ledger, out, state, state.update(content_of(new), provenance))


@app.command()
def tombstone(
    pid: PidArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why the object is withdrawn.")],
    occurred: OccurredOption = None,
    agent: AgentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw an object; it stays readable at every version."""
    provenance = _provenance(agent, occurred, reason)
    name, _ = pid_of(pid)
    with opened() as ledger:
        state = ledger.get(name)
        _record(ledger, output(as_json), state, state.tombstone(reason, provenance))


@app.command()
def restore(
    pid: PidArgument,
    occurred: OccurredOption = None,
    comment: CommentOption = None,
    agent: AgentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a tombstoned object valid again, under its old PID."""
    provenance = _provenance(agent, occurred, comment)
    name, _ = pid_of(pid)
    with opened() as ledger:
        state = ledger.get(name)
        _record(ledger, output(as_json), state, state.restore(provenance))


def _provenance(agent: str | None, occurred: str | None, comment: str | None) -> Provenance:
    requestor = agent_of(agent, required=True)
    assert isinstance(requestor, Agent)
    return Provenance(
        agents=(requestor,),
        occurred=moment(occurred, start_of, "--occurred") or now(),
        comment=comment,
        cause=Cause("edit", "command"),
    )


def _record(ledger: Ledger, out: Output, state: DigitalObject, event: DigitalObjectEvent) -> None:
    ledger.record(state, event)
    caught_up(ledger, out)
    if out.as_json:
        out.value({"pid": event.originator_id, "version": event.originator_version, "activity": str(event.activity.id)})
    else:
        out.say(f"{event.originator_id} is now at version {event.originator_version}")


def _with_settings(document: dict[str, Any], settings: list[str]) -> Any:
    """The document with ``POINTER=VALUE`` settings applied."""
    new = copy_of(document)
    for setting in settings:
        where, separator, text = setting.partition("=")
        if not separator or not where:
            raise typer.BadParameter(f"{setting!r} is not POINTER=VALUE", param_hint="--set")
        path = pointer.from_text(where if where.startswith("/") else "/" + where)
        if path[0] in computed_terms(document["@type"]):
            raise RefusedInput(f"{path[0]} is computed by this store and cannot be set")
        parent = pointer.resolve(new, path[:-1])
        value = _value(text)
        if isinstance(parent, list):
            index = pointer.array_index(path[-1], len(parent)) if path[-1] != "-" else len(parent)
            parent[index : index + 1] = [value]
        elif isinstance(parent, dict):
            parent[path[-1]] = value
        else:
            raise RefusedInput(f"{pointer.to_text(path[:-1])} holds no members")
    return new


def _same_object(state: DigitalObject, document: Any) -> Any:
    """The document, unless it says that it is another object."""
    identifier = document.get("@id") if isinstance(document, dict) else None
    if identifier not in (None, object_iri(state.object_type, state.id)):
        raise RefusedInput(f"the document is of {identifier}, not of {state.id}; remove its @id if that is meant")
    return document


def _value(text: str) -> Any:
    """JSON, or the text itself when it is not JSON; what is JSON but cannot be kept exactly is refused."""
    try:
        return parse(text)
    except UnrepresentableJson as error:
        if str(error).startswith("not JSON"):
            return text
        raise
