"""The commands that keep the index of search in OpenSearch: opensearch follow, rebuild and status."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.application import JsonOption, app, opened, output
from cli.output import Output
from projections.search.opensearch.connecting import connected
from projections.search.opensearch.replay import FORMER, NEXT, Indices
from store.ledger import Ledger

opensearch = typer.Typer(no_args_is_help=True, help="The index of search in OpenSearch, at PROVENARIUM_OPENSEARCH.")
app.add_typer(opensearch, name="opensearch")

ShardsOption = Annotated[int, typer.Option("--shards", min=1, max=1024, help="Shards of an index that is made.")]
ReplicasOption = Annotated[int, typer.Option("--replicas", min=0, max=16, help="Copies of each shard.")]


@opensearch.command()
def follow(shards: ShardsOption = 1, replicas: ReplicasOption = 1, as_json: JsonOption = False) -> None:
    """Bring the index up to the end of the log; the first time, make it."""
    out = output(as_json)
    with opened() as ledger, connected(ledger.settings.opensearch) as client:
        indices = Indices(ledger, client, shards, replicas)
        with out.progress("opensearch", "events") as tick:
            position = indices.follow(tick)
        index = indices.behind()
    _tell(out, index, position, "has everything")


@opensearch.command()
def rebuild(
    anew: Annotated[bool, typer.Option("--anew", help="Begin again, also if a rebuild was interrupted.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Only delete what an interrupted rebuild has made.")] = False,
    switch_back: Annotated[bool, typer.Option("--switch-back", help="Return to the former index.")] = False,
    drop_former: Annotated[bool, typer.Option("--drop-former", help="Only delete the former index.")] = False,
    shards: ShardsOption = 1,
    replicas: ReplicasOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Replay the log into a new index beside the live one, and switch; searches go on."""
    if sum((anew, cancel, switch_back, drop_former)) > 1:
        raise typer.BadParameter("give one of them", param_hint="--anew, --cancel, --switch-back or --drop-former")
    out = output(as_json)
    with opened() as ledger, connected(ledger.settings.opensearch) as client:
        indices = Indices(ledger, client, shards, replicas)
        if cancel or drop_former:
            dropped = indices.drop(NEXT if cancel else FORMER)
            out.value({"dropped": dropped}) if out.as_json else out.say("deleted" if dropped else "there was none")
            return
        if switch_back:
            position = indices.switch_back()
        else:
            with out.progress("opensearch", "events") as tick:
                position = indices.rebuild(tick, anew=anew)
        index = indices.behind()
    _tell(out, index, position, "is the live index, and has everything")


@opensearch.command()
def status(as_json: JsonOption = False) -> None:
    """Say which index is live, which is being built, which is kept to switch back to, and how far the live one is."""
    out = output(as_json)
    with opened() as ledger, connected(ledger.settings.opensearch) as client:
        found = _status(ledger, Indices(ledger, client))
    if out.as_json:
        out.value(found)
        return
    for role in ("live", "next", "former"):
        out.say(f"{role}: {found[role] or '-'}")
    out.say(f"position {found['position']}, {found['behind']} events behind the log")


def _tell(out: Output, index: str | None, position: int, what: str) -> None:
    if out.as_json:
        out.value({"index": index, "position": position})
    else:
        out.say(f"{index} {what} up to position {position}")


def _status(ledger: Ledger, indices: Indices) -> dict[str, str | int | None]:
    reached = indices.reached()
    return {
        "live": indices.behind(),
        "next": indices.behind(indices.alias + NEXT),
        "former": indices.behind(indices.alias + FORMER),
        "position": reached,
        "behind": ledger.position() - reached,
    }
