"""The commands that change the ledger, or read it whole: sync, runs, revert, edit, rebuild, verify."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from domain.representation import ENVELOPE_TERMS
from tests.cli.command_support import COMMAND, ORCID, Command, fresh
from tests.conftest import SAMPLES
from tests.databases import Databases

KEYS = {"run", "read", "created", "updated", "unchanged", "missing", "tombstoned", "conflicts", "parked"}
FAMOUS = ("--source", "famous")
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def command(databases: Databases) -> Iterator[Command]:
    with fresh(databases) as made:
        yield made


def pid_of(command: Command, record: str, source: str = "famous") -> str:
    return command("find", "--source", source, "--record", record).out.strip()


# -- sync -----------------------------------------------------------------------------------------


def test_sync_reports_in_json(command: Command) -> None:
    expected = [
        {"read": 13, "created": 13},
        {"read": 13, "created": 1, "updated": 7, "unchanged": 5, "missing": 1, "tombstoned": 1},
        {"read": 15, "created": 2, "updated": 6, "restored": 1, "unchanged": 6, "missing": 1, "tombstoned": 1},
    ]
    for year, counted in zip(("2010", "2015", "2024"), expected, strict=True):
        ran = command.started("sync", SAMPLES / year, *FAMOUS, "--missing", "tombstone", "--json")
        assert ran.json.keys() >= KEYS
        assert UUID(ran.json["run"])
        zero = dict.fromkeys(KEYS - {"run"} | {"restored"}, 0)
        assert {name: ran.json[name] for name in zero} == {**zero, **counted}
    again = command("sync", SAMPLES / "2024", *FAMOUS, "--missing", "tombstone", "--json").json
    assert again["unchanged"] == again["read"] == 15
    assert sum(again[name] for name in KEYS - {"run", "read", "unchanged"}) == 0


def test_sync_reports_to_people(command: Command) -> None:
    lines = command("sync", SAMPLES / "2010", *FAMOUS).out.splitlines()
    assert lines[0].startswith("run ")
    assert lines[0].endswith(" on famous did:")
    assert [line.split() for line in lines[1:10]] == [
        ["read", "13"],
        ["created", "13"],
        ["updated", "0"],
        ["restored", "0"],
        ["unchanged", "0"],
        ["missing", "0"],
        ["tombstoned", "0"],
        ["conflicts", "0"],
        ["parked", "0"],
    ]
    report = command("sync", SAMPLES / "2015", *FAMOUS).out
    run = report.split()[1]
    assert f"see: provenarium runs {run}" in report
    assert "missing" in command("runs", run).out


def test_a_dry_run_says_the_same_and_stores_nothing(command: Command) -> None:
    would = command("sync", SAMPLES / "2010", *FAMOUS, "--dry-run", "--json").json
    assert would["dry_run"] is True
    assert command("runs", "--json").out == ""
    did = command("sync", SAMPLES / "2010", *FAMOUS, "--json").json
    assert {**would, "run": None, "dry_run": None} == {**did, "run": None, "dry_run": None}
    assert "would do:" in command("sync", SAMPLES / "2015", *FAMOUS, "--dry-run").out


def test_occurred_can_be_given(command: Command) -> None:
    command("sync", SAMPLES / "2010", *FAMOUS, "--occurred", "2011-02-03")
    (version,) = command("history", pid_of(command, "YPM 1980"), "--json").lines
    assert version["occurred"] == "2011-02-03T00:00:00.000000Z"


def test_the_person_who_asks_is_on_record(command: Command) -> None:
    command("sync", SAMPLES / "2010", *FAMOUS, "--agent", "0000-0002-1825-0097")
    (version,) = command("history", pid_of(command, "YPM 1980"), "--json").lines
    assert version["agents"][0]["id"] == ORCID
    assert version["agents"][1]["onBehalfOf"] == ORCID


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere.zip",), ("nowhere.zip", "no such file")),
        ((str(SAMPLES / "README.md"),), ("README.md", "zip")),
        ((str(SAMPLES / "2010" / "eml.xml"),), ("eml.xml", "zip")),
        ((str(SAMPLES),), ("famous-specimens", "meta.xml")),
        ((str(SAMPLES / "2010"), "--source", " "), ("name of a source",)),
    ],
)
def test_what_cannot_be_synchronised_is_refused_in_one_line(
    command: Command, arguments: tuple[str, ...], says: tuple[str, ...]
) -> None:
    line = command.refused("sync", *FAMOUS, *arguments)
    assert line.startswith("provenarium: ")
    assert all(part in line for part in says), line
    error = json.loads(command.refused("--json", "sync", *FAMOUS, *arguments))
    assert f"provenarium: {error['error']}" == line
    assert command("runs", "--json").out == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--missing", "delete"), "--missing"),
        (("--prefer", "me"), "--prefer"),
        (("--occurred", "2010-13-01"), "2010-13-01"),
        (("--organisation", "Yale"), "ROR"),
        (("--agent", "me"), "--agent"),
    ],
)
def test_a_bad_option_of_sync_is_bad_usage(command: Command, arguments: tuple[str, ...], says: str) -> None:
    assert says in command.misused("sync", SAMPLES / "2010", *FAMOUS, *arguments)


def test_a_source_that_is_being_synchronised_is_refused(command: Command) -> None:
    command("sync", SAMPLES / "2010", *FAMOUS)
    ledger = command.environment["PROVENARIUM_LEDGER"]
    with psycopg.connect(command.environment["DATABASE_URL"], autocommit=True) as connection:
        schema = sql.Identifier(ledger)
        connection.execute(sql.SQL("SET search_path TO {}").format(schema))
        (source,) = connection.execute("SELECT pid FROM natural_keys WHERE key = 'famous'").fetchall()
        connection.execute("SELECT pg_advisory_lock(hashtextextended(current_schema() || ' source ' || %s, 0))", source)
        line = command.refused("sync", SAMPLES / "2015", *FAMOUS)
    assert line == "provenarium: another run is synchronising 'famous' right now; wait until it has finished"
    assert command("sync", SAMPLES / "2015", *FAMOUS, "--json").json["updated"] == 7


def test_an_interrupted_sync_says_that_it_goes_on(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    with file.open("w") as lines:
        for number in range(1000):
            document = {"@type": "ods:DigitalSpecimen", "ods:physicalSpecimenID": f"s{number}"}
            lines.write(json.dumps(document) + "\n")
    assert command("runs").out.split() == ["run", "source", "started", "what"]
    with psycopg.connect(
        command.environment["DATABASE_URL"], options=f"-c search_path={command.environment['PROVENARIUM_LEDGER']}"
    ) as keeper:
        keeper.execute("LOCK source_records IN SHARE MODE")  # so that the run begins, and gets no further
        running = subprocess.Popen(
            [COMMAND, "sync", str(file), "--source", "many"],
            env=command.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and command("runs", "--json").out == "":
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, b"")
    assert err.decode() == "provenarium: interrupted; the same command goes on from here\n"
    (begun,) = command("runs", "--json").lines
    assert begun["state"] == "not finished"
    report = command("sync", file, "--source", "many", "--json").json
    assert report["run"] == begun["run"]
    assert report["created"] == report["read"] == 1000


def test_an_export_of_the_past_is_that_of_a_store_that_knew_nothing_later(
    command: Command, databases: Databases
) -> None:
    for year in ("2010", "2015", "2024"):
        command("sync", SAMPLES / year, *FAMOUS, "--missing", "tombstone")
    for year, day in (("2010", "2010-06-30"), ("2015", "2015-12-31"), ("2024", "2024-06-30")):
        then = command("export", *FAMOUS, "--at", day, "--axis", "occurred", "-o", "-").out
        with fresh(databases) as alone:
            alone("sync", SAMPLES / year, *FAMOUS)
            assert asserted(then) == asserted(alone("export", *FAMOUS, "-o", "-").out)


def asserted(lines: str) -> list[Any]:
    """The documents without what the store gives or computes: PIDs and the envelope."""
    blank = re.compile(r"TEST/\w{3}-\w{3}-\w{3}")
    return [
        {term: value for term, value in json.loads(blank.sub("PID", line)).items() if term not in ENVELOPE_TERMS}
        for line in lines.splitlines()
    ]


# -- revert ---------------------------------------------------------------------------------------


def test_revert_undoes_a_run_and_says_so(command: Command) -> None:
    first = command("sync", SAMPLES / "2010", *FAMOUS, "--json").json["run"]
    before = command("export", *FAMOUS, "-o", "-").out
    second = command("sync", SAMPLES / "2015", *FAMOUS, "--json").json["run"]
    assert f"revert run {second} first" in command.refused("revert", "--run", first)

    result = command("revert", "--run", second, "--json").json
    assert result.keys() == {"run", "reverts", "reverted", "conflicts"}
    assert (result["reverts"], result["conflicts"]) == (second, 0)
    assert contents(command("export", *FAMOUS, "-o", "-").out) == contents(before)
    runs = {run["run"]: run for run in command("runs", "--json").lines}
    assert (runs[second]["state"], runs[second]["revertedBy"]) == ("reverted", result["run"])
    assert (runs[result["run"]]["kind"], runs[result["run"]]["reverts"]) == ("revert", second)
    assert f"revert of {second[:8]}" in command("runs").out
    assert {item["outcome"] for item in command("runs", result["run"], "--json").lines} == {"reverted"}

    assert "reverted already" in command.refused("revert", "--run", second)
    assert "itself a reversal" in command.refused("revert", "--run", result["run"])
    assert f"no run {NOBODY}" in command.refused("revert", "--run", NOBODY)
    assert "reverted" in command("revert", "--run", first).out
    assert command("export", *FAMOUS, "-o", "-").out == ""
    assert "everything adds up" in command("verify").out


def contents(lines: str) -> list[dict[str, Any]]:
    documents = [json.loads(line) for line in lines.splitlines()]
    return [{term: value for term, value in document.items() if term != "ods:version"} for document in documents]


# -- curation meets synchronisation ---------------------------------------------------------------


def test_what_a_curator_changed_survives_and_the_conflict_is_listed(command: Command) -> None:
    command("sync", SAMPLES / "2010", *FAMOUS)
    pid = pid_of(command, "YPM 1980")
    edit = command(
        *("edit", pid, "--set", "ods:specimenName=Thunder lizard", "--set", "/dwc:disposition=moved"),
        *("--agent", ORCID, "--comment", "for the exhibition", "--json"),
    ).json
    assert (edit["pid"], edit["version"]) == (pid, 2)
    report = command("sync", SAMPLES / "2015", *FAMOUS, "--json").json
    assert (report["updated"], report["conflicts"]) == (7, 1)
    (item,) = [item for item in command("runs", report["run"], "--json").lines if item.get("conflicts")]
    (conflict,) = item["conflicts"]
    assert (conflict["pointer"], conflict["kept"], conflict["curated"]) == (
        "/ods:specimenName",
        "curated",
        "Thunder lizard",
    )
    assert "conflict at /ods:specimenName" in command("runs", report["run"]).out
    document = command("get", pid, "--json").json
    assert (document["ods:specimenName"], document["dwc:disposition"]) == ("Thunder lizard", "moved")
    (blamed,) = command("blame", pid, "--term", "/ods:specimenName", "--json").lines
    assert blamed["agents"][0]["id"] == ORCID
    assert "for the exhibition" in command("history", pid).out


def test_history_shows_a_member_with_the_empty_name(command: Command) -> None:
    command("sync", SAMPLES / "2010", *FAMOUS)
    pid = pid_of(command, "YPM 1980")
    command("edit", pid, "--set", "/=1", "--agent", ORCID)
    table = command("history", pid).out
    assert table.count("(all)") == 1
    assert "''" in table


def test_a_person_can_tombstone_and_restore(command: Command) -> None:
    command("sync", SAMPLES / "2010", *FAMOUS)
    pid = pid_of(command, "YPM 1980")
    assert "say who asks" in command.refused("tombstone", pid, "--reason", "lost")
    assert command("tombstone", pid, "--reason", "lost", "--agent", ORCID).out == f"{pid} is now at version 2\n"
    assert "is tombstoned since version 2" in command.refused("edit", pid, "--set", "a=1", "--agent", ORCID)
    assert len(command("export", *FAMOUS, "-o", "-").lines) == 12
    assert command("restore", pid, "--agent", ORCID, "--json").json["version"] == 3
    assert "is not tombstoned" in command.refused("restore", pid, "--agent", ORCID)


def test_an_edit_that_cannot_be_is_refused(command: Command, tmp_path: Path) -> None:
    command("sync", SAMPLES / "2010", *FAMOUS)
    pid = pid_of(command, "YPM 1980")
    patch = tmp_path / "patch.json"
    patch.write_text('[{"op": "test", "path": "/dwc:collectionCode", "value": "nonsense"}]')
    agent = ("--agent", ORCID)
    assert "already is as requested" in command.refused("edit", pid, "--set", "dwc:collectionCode=VP", *agent)
    assert "nothing at /no" in command.refused("edit", pid, "--set", "/no/where=1", *agent)
    command.refused("edit", pid, "--patch", patch, *agent)
    assert str(tmp_path / "none") in command.refused("edit", pid, "--patch", tmp_path / "none", *agent)
    assert "exactly one of" in command.misused("edit", pid, *agent)
    assert "POINTER=VALUE" in command.misused("edit", pid, "--set", "x", *agent)
    assert "not a time" in command.misused("edit", pid, "--set", "x=1", *agent, "--occurred", "soon")
    assert command("get", pid, "--json").json["ods:version"] == 1


# -- rebuild and verify ---------------------------------------------------------------------------


def test_rebuild_replays_one_projection_or_all(command: Command) -> None:
    command("sync", SAMPLES / "2010", *FAMOUS)
    before = command("changes", *FAMOUS, "--since", "2000-01-01", "--json").out
    result = command("rebuild", "terms", "--json").json
    assert result["projections"] == ["terms"]
    assert result["events"] > 13
    everything = command("rebuild", "--json").json
    assert set(everything["projections"]) >= {"objects", "versions", "terms"}
    assert command("rebuild", "objects", "versions").out.startswith("replayed ")
    assert command("changes", *FAMOUS, "--since", "2000-01-01", "--json").out == before
    line = command.refused("rebuild", "nonsense")
    assert "no projection 'nonsense'" in line
    assert "objects" in line


def test_a_rebuild_is_told_about_cancelled_and_taken_back(command: Command) -> None:
    assert "nothing was rebuilt yet" in command.refused("rebuild", "--status")
    assert "no former tables" in command.refused("rebuild", "--switch-back")
    command("sync", SAMPLES / "2010", *FAMOUS)
    assert command("rebuild", "--workers", "2", "--json").json["events"] == 19
    said = command("rebuild", "--status").out
    assert said.startswith("ledger, objects, search, terms, versions: switched, 19 of 19 events")
    found = command("rebuild", "--status", "--json").json
    assert (found["state"], found["workedOn"], found["remaining"]) == ("switched", False, None)
    assert "live ones again" in command("rebuild", "--switch-back").out
    assert "versions: switched back, " in command("rebuild", "--status").out
    assert command("rebuild", "--switch-back", "search", "--json").json == {"projections": ["search"]}
    assert command("rebuild", "--cancel", "--json").json == {"cancelled": False}
    ledger = command.environment["PROVENARIUM_LEDGER"]
    with psycopg.connect(command.environment["DATABASE_URL"], autocommit=True) as connection:
        objects = sql.Identifier(ledger, "objects")
        connection.execute(sql.SQL("UPDATE {} SET tombstoned = true").format(objects))
        line = command.refused("rebuild")
        assert "objects have other rows" in line
        assert "--accept-differences" in line
        said = command("rebuild", "--status").out
        assert "failed, 19 of 19 events" in said
        assert "  stopped: the new tables objects have other rows" in said
        assert "is unfinished: 'provenarium rebuild ledger objects" in command.refused("rebuild", "terms")
        assert "dropped the new tables" in command("rebuild", "--cancel").out
        assert connection.execute(sql.SQL("SELECT bool_and(tombstoned) FROM {}").format(objects)).fetchone() == (True,)
    command("rebuild", "--accept-differences", "--anew")
    assert command("rebuild", "--drop-former").out.startswith("dropped the former")
    assert command("rebuild", "--drop-former", "--json").json == {"dropped": False}
    assert "stands alone" in command.misused("rebuild", "--cancel", "--status")
    assert "stands alone" in command.misused("rebuild", "terms", "--cancel")
    command("verify")


def test_verify_ends_with_1_when_a_projection_differs_from_the_log(command: Command) -> None:
    command("sync", SAMPLES / "2010", *FAMOUS)
    assert command("verify", "--json").json["problems"] == []
    with psycopg.connect(command.environment["DATABASE_URL"], autocommit=True) as connection:
        objects = sql.Identifier(command.environment["PROVENARIUM_LEDGER"], "objects")
        connection.execute(sql.SQL("DELETE FROM {} WHERE pid = %s").format(objects), [pid_of(command, "YPM 1980")])
    ran = command("verify", status=1)
    assert "1 problems" in ran.out
    assert ran.err == ""
    assert len(command("verify", "--json", status=1).json["problems"]) == 1
    command("rebuild", "--accept-differences")
    command("verify")


# -- where the data is ----------------------------------------------------------------------------


def test_without_a_server_the_command_brings_its_own(tmp_path: Path) -> None:
    command = Command(PROVENARIUM_HOME=str(tmp_path / "home"))
    assert command.started("sync", SAMPLES / "2010", *FAMOUS, "--json").json["created"] == 13
    assert command.started("verify").out.startswith("verified ")


def test_a_server_that_cannot_be_reached_is_said_in_one_line() -> None:
    command = Command(DATABASE_URL="postgresql://127.0.0.1:9/none?connect_timeout=2")
    assert "provenarium: " in command.refused("runs")
    assert json.loads(command.refused("runs", "--json"))["kind"] == "StoreUnavailable"


def test_settings_that_cannot_be_are_refused(conninfo: str) -> None:
    line = Command(DATABASE_URL=conninfo, PROVENARIUM_LEDGER="No Schema").refused("runs")
    assert "PROVENARIUM_LEDGER 'No Schema'" in line
