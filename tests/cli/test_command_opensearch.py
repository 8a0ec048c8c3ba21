"""The commands that keep and ask an index in OpenSearch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.command_support import Command, fresh
from tests.conftest import SAMPLES
from tests.databases import Databases
from tests.projections.opensearch.fake_cluster import cluster


@pytest.fixture
def command(databases: Databases) -> Iterator[Command]:
    with fresh(databases) as made, cluster() as (_, url):
        made.environment["PROVENARIUM_OPENSEARCH"] = url
        made("sync", SAMPLES / "2010", "--source", "famous")
        yield made


def test_an_index_is_made_followed_asked_and_built_anew(command: Command) -> None:
    assert command("opensearch", "status").out == "live: -\nnext: -\nformer: -\nposition 0, 19 events behind the log\n"
    made = command("opensearch", "follow", "--replicas", "0", "--json").json
    assert made["position"] == 19
    for question in (
        ("brontosaurus",),
        ("yale -holotype", "--facet", "ods:midsLevel"),
        ("--type", "ods:DigitalSpecimen", "--facet", "dwc:country", "--limit", "3"),
        ("--filter", "dwc:country=United States", "--position", "12"),
    ):
        here, there = (command("search", *question, *where, "--json").json for where in ((), ("--opensearch",)))
        assert here == there
        assert command("search", *question, "--opensearch").out == command("search", *question).out
    command("sync", SAMPLES / "2015", "--source", "famous")
    assert command("search", "--opensearch", "--json").json["position"] == command("search", "--json").json["position"]

    first = command("opensearch", "status", "--json").json
    assert (first["live"], first["behind"], first["former"]) == (made["index"], 0, None)
    said = command("opensearch", "rebuild").out
    second = command("opensearch", "status", "--json").json
    assert said == f"{second['live']} is the live index, and has everything up to position {second['position']}\n"
    assert (second["former"], second["next"]) == (made["index"], None)
    assert command("opensearch", "rebuild", "--switch-back", "--json").json["index"] == made["index"]
    assert command("opensearch", "rebuild", "--drop-former").out == "deleted\n"
    assert command("opensearch", "rebuild", "--cancel", "--json").json == {"dropped": False}
    assert command("verify").status == 0


def test_what_is_wrong_is_told(command: Command) -> None:
    both = command("opensearch", "rebuild", "--cancel", "--drop-former", status=2)
    assert "give one of them" in both.err
    assert "no former index" in command.refused("opensearch", "rebuild", "--switch-back")
    command.environment["PROVENARIUM_OPENSEARCH"] = "http://admin:secret@127.0.0.1:1"
    said = command.refused("opensearch", "follow")
    assert "OpenSearch" in said
    assert "secret" not in said
    del command.environment["PROVENARIUM_OPENSEARCH"]
    assert "set PROVENARIUM_OPENSEARCH" in command.refused("search", "x", "--opensearch")
