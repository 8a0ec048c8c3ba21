"""The commands that read, on the three states of the sample collection; nothing here changes the ledger."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
from prov.model import ProvDocument
from rdflib import Dataset

from tests.cli.command_support import COMMAND, Command, fresh
from tests.conftest import SAMPLES
from tests.databases import Databases

SOURCE = ("--source", "famous")
BRONTOSAURUS = "YPM 1980"
RUN = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def command(databases: Databases) -> Iterator[Command]:
    with fresh(databases) as made:
        for year in ("2010", "2015", "2024"):
            made("sync", SAMPLES / year, *SOURCE, "--missing", "tombstone")
        yield made


@pytest.fixture(scope="module")
def pid(command: Command) -> str:
    """The PID of the Brontosaurus, which has three versions."""
    return command("find", *SOURCE, "--record", BRONTOSAURUS).out.strip()


@pytest.fixture(scope="module")
def allosaurus(command: Command) -> str:
    """The PID of the one that was missing in 2015, and is back."""
    return command("find", *SOURCE, "--record", "USNM 4734").out.strip()


def name_of(document: dict[str, Any]) -> str:
    return str(document["ods:specimenName"]).split()[0]


# -- find -----------------------------------------------------------------------------------------


def test_find_prints_the_pid(command: Command, pid: str) -> None:
    assert pid.startswith("TEST/")
    assert command("find", *SOURCE, "--record", BRONTOSAURUS, "--json").json == {
        "pid": pid,
        "source": "famous",
        "record": BRONTOSAURUS,
    }


def test_find_says_which_sources_there_are(command: Command) -> None:
    assert command.refused("find", *SOURCE, "--record", "YPM 1") == (
        "provenarium: the source 'famous' has no record 'YPM 1'; name it by its physical specimen id or row id"
    )
    line = command.refused("find", "--source", "famos", "--record", BRONTOSAURUS)
    assert "no source 'famos'" in line
    assert "known sources: famous" in line


# -- get ------------------------------------------------------------------------------------------


def test_get_prints_the_document_for_people_and_for_programs(command: Command, pid: str) -> None:
    indented, line = command("get", pid), command("get", pid, "--json")
    assert indented.json == line.json
    assert len(indented.out.splitlines()) > 100
    assert len(line.out.splitlines()) == 1
    document = line.json
    assert document["@id"] == f"https://doi.org/{pid}"
    assert document["ods:version"] == 3
    assert name_of(document) == "Brontosaurus"
    assert command("--json", "get", pid).out == line.out


def test_get_takes_any_way_to_write_the_pid(command: Command, pid: str) -> None:
    document = command("get", pid, "--version", 2, "--json").out
    for written in (f"{pid}/2", f"https://doi.org/{pid}/2", f"doi:{pid}/2"):
        assert command("get", written, "--json").out == document


def test_get_reads_every_version(command: Command, pid: str) -> None:
    names = [name_of(command("get", pid, "--version", n, "--json").json) for n in (1, 2, 3)]
    assert names == ["Apatosaurus", "Brontosaurus", "Brontosaurus"]
    line = command.refused("get", pid, "--version", 4)
    assert f"{pid} has no version 4; its last is 3" in line
    assert "no version 4" in command.refused("get", f"{pid}/4")


@pytest.mark.parametrize(
    ("at", "version"),
    [
        ("2010-06-30", 1),
        ("2010-06-30T00:00:00Z", 1),
        ("2015-12-30", 1),
        ("2015-12-30T23:59:59Z", 1),
        ("2015-12-31T01:00:00+01:00", 2),
        ("2015-12-31T00:59:59+01:00", 1),
        ("2015-12-31", 2),
        ("2024-06-30", 3),
        ("2999-01-01", 3),
    ],
)
def test_get_travels_on_the_axis_of_what_happened(command: Command, pid: str, at: str, version: int) -> None:
    assert command("get", pid, "--at", at, "--axis", "occurred", "--json").json["ods:version"] == version


def test_get_travels_on_the_axis_of_what_was_recorded(command: Command, pid: str) -> None:
    versions = command("history", pid, "--json").lines
    for version in versions:
        found = command("get", pid, "--at", version["recorded"], "--json").json
        assert found["ods:version"] == version["version"]
    assert command("get", pid, "--at", versions[0]["recorded"][:10]).json["ods:version"] >= 1


@pytest.mark.parametrize("axis", ["recorded", "occurred"])
def test_get_before_the_first_version_is_refused(command: Command, pid: str, axis: str) -> None:
    line = command.refused("get", pid, "--at", "1999-12-31", "--axis", axis)
    assert f"{pid} did not exist at" in line
    assert axis in line


def test_get_of_what_is_not_there_is_refused(command: Command) -> None:
    assert command.refused("get", "TEST/AAA-AAA-AAA") == (
        "provenarium: there is no object TEST/AAA-AAA-AAA in this ledger"
    )
    error = json.loads(command.refused("get", "TEST/AAA-AAA-AAA", "--json"))
    assert error.keys() == {"error", "kind"}
    assert error["kind"] == "NotFound"


def test_get_shows_a_tombstone_as_one(command: Command, allosaurus: str) -> None:
    document = command("get", allosaurus, "--version", 2, "--json").json
    assert document["ods:status"] == "Tombstone"
    assert "famous" in document["ods:hasTombstoneMetadata"]["ods:tombstoneText"]
    assert command("get", allosaurus, "--json").json["ods:status"] == "Active"


@pytest.mark.parametrize(
    "arguments",
    [
        ("get",),
        ("get", "no-pid"),
        ("get", "TEST/ABC-DEF-GHO"),
        ("get", "PID", "--version", "0"),
        ("get", "PID", "--version", "two"),
        ("get", "PID", "--at", "yesterday"),
        ("get", "PID", "--at", "2015-02-30"),
        ("get", "PID", "--at", "2015-02-03T10:00:00"),
        ("get", "PID", "--version", "1", "--at", "2015-01-01"),
        ("get", "PID", "--at", "2015-01-01", "--axis", "sideways"),
        ("get", "PID", "--loud"),
        ("history",),
        ("diff", "PID", "1"),
        ("diff", "PID", "0", "1"),
        ("prov", "PID", "--format", "turtle"),
        ("export", "--source", "famous"),
        ("export", "-o", "-"),
        ("export", "--source", "famous", "-o", "."),
        ("changes",),
        ("changes", "--source", "famous", "--agent", "0000-0002-1825-0097"),
        ("changes", "--source", "famous", "--since", "soon"),
        ("changes", "--source", "famous", "--since", "2020-01-01", "--until", "2019-01-01"),
        ("runs", "no-run"),
        ("revert",),
        ("find", "--source", "famous"),
        ("verify", "no-pid"),
        ("sync",),
        ("unheard-of",),
    ],
)
def test_bad_usage_ends_with_2_and_says_what_is_wrong(command: Command, pid: str, arguments: tuple[str, ...]) -> None:
    given = [pid if argument == "PID" else argument for argument in arguments]
    said = command.misused(*given)
    assert said.startswith("provenarium: ")
    assert re.search(r"Invalid value for [-A-Z']|Missing|No such|requires|give ", said), said
    told = json.loads(command.misused(*given, "--json"))
    assert (told["kind"], f"provenarium: {told['error']}") == ("Usage", said)


def test_without_arguments_the_help_is_shown(command: Command) -> None:
    assert command("prov", status=2).out.split()[:3] == ["Usage:", "provenarium", "prov"]


def test_it_says_its_version(command: Command) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert command("--version").out == f"provenarium {project['version']}\n"


def test_help_is_no_error(command: Command) -> None:
    assert "synchronise archives" in command("--help").out
    for name in ("sync", "changes", "prov"):
        assert f"provenarium {name}" in command(name, "--help").out


# -- history, diff, blame -------------------------------------------------------------------------


def test_history_lists_the_versions(command: Command, pid: str) -> None:
    versions = command("history", pid, "--json").lines
    assert [version["version"] for version in versions] == [1, 2, 3]
    assert [version["activity"]["type"] for version in versions] == ["ods:Create", "ods:Update", "ods:Update"]
    assert [version["occurred"][:10] for version in versions] == ["2010-06-30", "2015-12-31", "2024-06-30"]
    assert {"recorded", "agents", "terms", "digest", "source", "position"} <= versions[1].keys()
    assert "ods:specimenName" in versions[1]["terms"]
    assert [agent["role"] for agent in versions[0]["agents"]] == ["Requestor", "Generator"]

    table = command("history", pid).out
    assert table.splitlines()[0].split() == [
        "version",
        "occurred",
        "(recorded)",
        "activity",
        "and",
        "agents",
        "changed",
        "terms",
    ]
    for shown in ("2015-12-31 ", "source famous (Requestor)", "ods:specimenName", "Create", "Update"):
        assert shown in table


def test_history_says_when_a_record_went_and_came_back(command: Command, allosaurus: str) -> None:
    versions = command("history", allosaurus, "--json").lines
    assert [version["activity"]["type"] for version in versions] == ["ods:Create", "ods:Tombstone", "ods:Restore"]


def test_diff_shows_old_and_new_of_every_term(command: Command, pid: str) -> None:
    changes = {change["pointer"]: change for change in command("diff", pid, 1, 2, "--json").lines}
    name = changes["/ods:specimenName"]
    assert name["term"] == "ods:specimenName"
    assert (name["old"].split()[0], name["new"].split()[0]) == ("Apatosaurus", "Brontosaurus")
    added = [change for change in changes.values() if "old" not in change]
    assert added
    table = command("diff", pid, 1, 2).out
    assert "version 1" in table
    assert "Apatosaurus excelsus" in table
    assert "@type" not in table


def test_diff_goes_both_ways_and_to_itself(command: Command, pid: str) -> None:
    forth = {change["pointer"]: change for change in command("diff", pid, 1, 2, "--json").lines}
    back = {change["pointer"]: change for change in command("diff", pid, 2, 1, "--json").lines}
    assert forth["/ods:specimenName"]["old"] == back["/ods:specimenName"]["new"]
    assert command("diff", pid, 2, 2, "--json").out == ""
    assert "are the same" in command("diff", pid, 2, 2).out
    assert command("diff", pid, 2, 2, "--patch", "--json").json == []
    assert "has no version 9" in command.refused("diff", pid, 1, 9)


@pytest.mark.parametrize(("n", "m"), [(1, 2), (1, 3), (3, 1)])
def test_diff_patch_is_a_json_patch_that_the_library_applies(command: Command, pid: str, n: int, m: int) -> None:
    computed = ("ods:version", "dcterms:created", "ods:midsLevel")

    def content(version: int) -> dict[str, Any]:
        document = command("get", pid, "--version", version, "--json").json
        return {term: value for term, value in document.items() if term not in computed}

    patch = command("diff", pid, n, m, "--patch", "--json")
    assert patch.json == command("diff", pid, n, m, "--patch").json
    assert jsonpatch.JsonPatch(patch.json).apply(content(n)) == content(m)


def test_blame_names_the_version_that_last_set_each_term(command: Command, pid: str) -> None:
    blamed = {item["pointer"]: item for item in command("blame", pid, "--json").lines}
    document = command("get", pid, "--json").json
    assert blamed["/dwc:collectionCode"]["version"] == 1
    assert blamed["/ods:specimenName"]["version"] == 2
    assert blamed["/ods:specimenName"]["value"] == document["ods:specimenName"]
    assert blamed["/dcterms:modified"]["version"] == 3
    assert {"recorded", "occurred", "activity", "activityType", "agents", "term"} <= blamed["/@type"].keys()


@pytest.mark.parametrize("written", ["/ods:specimenName", "ods:specimenName"])
def test_blame_of_one_term(command: Command, pid: str, written: str) -> None:
    (item,) = command("blame", pid, "--term", written, "--json").lines
    assert (item["pointer"], item["version"]) == ("/ods:specimenName", 2)
    table = command("blame", pid, "--term", written).out
    assert "Brontosaurus" in table
    assert "source famous (Requestor)" in table


def test_blame_of_what_holds_terms_gives_all_of_them(command: Command, pid: str) -> None:
    items = command("blame", pid, "--term", "/ods:hasIdentifications/2", "--json").lines
    assert len(items) > 5
    assert all(item["pointer"].startswith("/ods:hasIdentifications/2/") for item in items)
    assert {item["version"] for item in items} == {2}


def test_blame_of_a_term_that_is_not_there_says_how_pointers_look(command: Command, pid: str) -> None:
    assert "pointers look like /dwc:preparations" in command.refused("blame", pid, "--term", "/nothing")
    assert "ods:version is computed" in command.refused("blame", pid, "--term", "/ods:version")


# -- export and changes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "documents"),
    [
        ((), 15),
        (("--include-tombstoned",), 16),
        (("--at", "2010-06-30", "--axis", "occurred"), 13),
        (("--at", "2015-12-31", "--axis", "occurred"), 13),
        (("--at", "2015-12-31", "--axis", "occurred", "--include-tombstoned"), 14),
        (("--at", "2009-01-01", "--axis", "occurred"), 0),
        (("--at", "2009-01-01"), 0),
    ],
)
def test_export_writes_the_collection_as_it_was(
    command: Command, tmp_path: Path, options: tuple[str, ...], documents: int
) -> None:
    file = tmp_path / "famous.jsonl"
    said = command("export", *SOURCE, *options, "-o", file).out
    assert said == f"wrote {documents} documents to {file}\n"
    exported = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(exported) == documents
    keys = [document["ods:physicalSpecimenID"] for document in exported]
    assert keys == sorted(keys)
    assert list(tmp_path.iterdir()) == [file]
    assert command("export", *SOURCE, *options, "-o", "-").out == file.read_text()


def test_export_reports_as_json_and_includes_media_when_asked(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "famous.jsonl"
    report = command("export", *SOURCE, "-o", file, "--include-media", "--json").json
    assert report == {
        "documents": len(file.read_text().splitlines()),
        "file": str(file),
        "source": "famous",
        "at": None,
        "axis": "recorded",
    }
    kinds = {json.loads(line)["@type"] for line in file.read_text().splitlines()}
    assert kinds == {"ods:DigitalSpecimen", "ods:DigitalMedia"}


def test_export_that_cannot_write_leaves_nothing(command: Command, tmp_path: Path) -> None:
    line = command.refused("export", *SOURCE, "-o", tmp_path / "missing" / "x.jsonl")
    assert "cannot write" in line
    assert str(tmp_path / "missing" / "x.jsonl") in line
    old = tmp_path / "old.jsonl"
    old.write_text("old")
    command.refused("export", "--source", "nobody", "-o", old)
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


def test_changes_between_two_times_by_term_and_agent(command: Command, pid: str) -> None:
    window = ("--since", "2015-01-01", "--until", "2015-12-31", "--axis", "occurred")
    changes = command("changes", *SOURCE, *window, "--json").lines
    assert {change["occurred"][:4] for change in changes} == {"2015"}
    assert len({change["pid"] for change in changes if change["record"].count("://") == 0}) == 7 + 1 + 1
    (renamed,) = [change for change in changes if change["pid"] == pid and change["term"] == "ods:specimenName"]
    assert (renamed["old"].split()[0], renamed["new"].split()[0]) == ("Apatosaurus", "Brontosaurus")
    assert renamed["record"] == BRONTOSAURUS
    assert renamed["agent"].startswith("https://hdl.handle.net/TEST/")
    began = [change for change in changes if change["activityType"] == "ods:Create"]
    assert {change["term"] for change in began} == {None}

    table = command("changes", *SOURCE, *window).out
    assert table.splitlines()[0].split() == ["term", "agent", "changes", "objects"]
    assert any(line.split() == ["(Tombstone)", "source", "famous", "1", "1"] for line in table.splitlines())
    assert "ods:specimenName" in table
    assert "@type" not in table
    details = command("changes", *SOURCE, *window, "--details").out
    assert "Apatosaurus excelsus" in details


def test_changes_outside_the_window_are_left_out(command: Command) -> None:
    assert (
        command(
            "changes", *SOURCE, "--since", "2016-01-01", "--until", "2023-12-31", "--axis", "occurred", "--json"
        ).out
        == ""
    )
    everything = command("changes", *SOURCE, "--since", "2000-01-01", "--json").lines
    recorded = sorted({change["recorded"] for change in everything})
    middle = [
        change["recorded"]
        for change in command("changes", *SOURCE, "--since", recorded[1], "--until", recorded[1], "--json").lines
    ]
    assert set(middle) == {recorded[1]}
    assert [change["recorded"] for change in everything] == sorted(change["recorded"] for change in everything)


# -- search ---------------------------------------------------------------------------------------


def test_search_finds_by_words_and_facets_now_and_then(command: Command, pid: str) -> None:
    found = command("search", "brontosaurus", "--json").json
    assert pid in [hit["pid"] for hit in found["hits"]]
    assert found["total"] == len(found["hits"]) < 5
    told = command("search", "BRONTOSAURUS").out
    assert pid in told
    assert told.splitlines()[-1] == f"{found['total']} objects as of position {found['position']}"
    assert command("search", "brontosaurus", "--position", "0", "--json").json["total"] == 0
    assert command("search", "--at", "2000-01-01", "--json").json["total"] == 0
    specimens = ("search", "--type", "ods:DigitalSpecimen", "--json")
    everything = command(*specimens, "--facet", "dwc:basisOfRecord").json
    bases = everything["facets"]["dwc:basisOfRecord"]
    assert sum(bases.values()) == everything["total"] > 10
    for basis, amount in bases.items():
        narrowed = command(*specimens, "--filter", f"dwc:basisOfRecord={basis}").json
        assert narrowed["total"] == amount
    assert command(*specimens, "--tombstoned").json["total"] > everything["total"]


def test_search_goes_on_page_by_page(command: Command) -> None:
    first = command("search", "--limit", "2").out
    last = first.splitlines()[2].split()[0]
    assert first.endswith(f"; more with --after {last}\n")
    whole = [hit["pid"] for hit in command("search", "--limit", "100", "--json").json["hits"]]
    assert [hit["pid"] for hit in command("search", "--limit", "100", "--after", last, "--json").json["hits"]] == whole[
        2:
    ]


def test_search_says_what_it_does_not_understand(command: Command) -> None:
    assert "is no facet; there are" in command.misused("search", "--filter", "dwc:locality=Dresden")
    assert "is no facet" in command.misused("search", "--facet", "dwc:locality")
    assert "is not TERM=VALUE" in command.misused("search", "--filter", "Dresden")
    assert "not both" in command.misused("search", "--at", "2020-01-01", "--position", "3")
    assert "must be one of" in command.misused("search", "--type", "ods:Specimen")
    assert "the log ends at position" in command.misused("search", "--position", "1000")
    assert "is not a PID" in command.misused("search", "--after", "garbage")
    assert "at most 500 words" in command.misused("search", "word " * 501)


# -- prov -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")  # of its own making
@pytest.mark.parametrize("format_", ["provn", "json", "xml", "trig", "jsonld"])
def test_prov_in_every_format(command: Command, pid: str, format_: str) -> None:
    text = command("prov", pid, "--format", format_).out
    if format_ in ("json", "xml"):
        document = ProvDocument.deserialize(StringIO(text), format=format_)
        assert len(document.get_records()) > 20
    elif format_ == "provn":
        assert text.startswith("document\n")
        assert text.rstrip().endswith("endDocument")
        assert text.count("wasGeneratedBy(") == 3
    elif format_ == "trig":
        graph = Dataset()
        graph.parse(data=text, format="trig")
        assert len(graph) > 50
    else:  # its context is on the web
        assert {"@context", "@graph"} <= json.loads(text).keys()


def test_prov_is_provn_for_people_and_json_for_programs(command: Command, pid: str) -> None:
    assert command("prov", pid).out == command("prov", pid, "--format", "provn").out
    assert command("prov", pid, "--json").out == command("prov", pid, "--format", "json").out
    assert "no object" in command.refused("prov", "TEST/AAA-AAA-AAA")


def test_prov_of_a_version_is_the_history_up_to_it(command: Command, pid: str) -> None:
    whole, second = command("prov", pid).out, command("prov", f"{pid}/2").out
    assert (whole.count("wasGeneratedBy("), second.count("wasGeneratedBy(")) == (3, 2)
    assert command("prov", f"{pid}/3").out == whole
    assert "has no version 9; its last is 3" in command.refused("prov", f"{pid}/9")


# -- runs and verify ------------------------------------------------------------------------------


def test_runs_lists_what_happened(command: Command) -> None:
    runs = command("runs", "--json").lines
    assert [(run["kind"], run["source"], run["state"]) for run in runs] == [("sync", "famous", "finished")] * 3
    assert [run["occurred"][:10] for run in runs] == ["2010-06-30", "2015-12-31", "2024-06-30"]
    assert [run["counts"]["read"] for run in runs] == [13, 13, 15]
    table = command("runs").out.splitlines()
    assert len(table) == 4
    assert all(run["run"] in line and "famous" in line for run, line in zip(runs, table[1:], strict=True))


def test_runs_shows_one_run_record_by_record(command: Command, pid: str) -> None:
    run = command("runs", "--json").lines[1]["run"]
    items = {item["record"]: item for item in command("runs", run, "--json").lines if item["outcome"] != "missing"}
    assert items[BRONTOSAURUS]["outcome"] == "updated"
    assert items[BRONTOSAURUS]["pid"] == pid
    assert (items[BRONTOSAURUS]["versionBefore"], items[BRONTOSAURUS]["versionAfter"]) == (1, 2)
    assert items[BRONTOSAURUS]["place"].startswith("occurrence.txt line ")
    assert items["USNM 4734"]["outcome"] == "tombstoned"
    table = command("runs", run).out
    assert f"updated     {BRONTOSAURUS}" in table
    assert "1 → 2" in table
    assert f"no run {RUN}" in command.refused("runs", RUN)


def test_verify_finds_everything_sound(command: Command, pid: str) -> None:
    assert "everything adds up" in command("verify").out
    report = command("verify", "--json").json
    assert report["problems"] == []
    assert "everything adds up" in command("verify", pid).out
    assert "no object" in command.refused("verify", "TEST/AAA-AAA-AAA")


def test_a_reader_that_leaves_early_is_no_trouble(command: Command, pid: str) -> None:
    for arguments in (
        f"get {pid}",
        f"blame {pid} --json",
        f"history {pid}",
        f"prov {pid} --format xml",
        "export --source famous -o -",
    ):
        line = f"'{COMMAND}' {arguments} | head -c 1"
        done = subprocess.run(line, shell=True, env=command.environment, capture_output=True, timeout=60, check=False)
        assert len(done.stdout) == 1
        assert done.stderr == b"", arguments
    done = subprocess.run(
        f"'{COMMAND}' get {pid} > /dev/full", shell=True, env=command.environment, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.decode() == "provenarium: No space left on device\n"
