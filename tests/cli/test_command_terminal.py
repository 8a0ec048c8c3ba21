"""What a terminal gets: progress and tables, and never a control character that came from a record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command_support import ORCID, Command, fresh
from tests.conftest import SAMPLES
from tests.databases import Databases

EVIL = "[red]bold[/red] {task} \x1b[31mred\x1b]0;title\x07 \x9b2J \u202egnp.exe\u2066 \r\n\tend\u2028"
RAW = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
SOURCE = "evil [bold]{task}[/bold]"


@pytest.fixture(scope="module")
def hostile(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Command, str]]:
    """A ledger with a record that attacks terminals, and the record's PID."""
    file = tmp_path_factory.mktemp("hostile") / "evil.json"
    document = {
        "@type": "ods:DigitalSpecimen",
        "ods:physicalSpecimenID": f"key {EVIL}",
        "ods:specimenName": EVIL,
        f"term {EVIL}": {EVIL: [EVIL]},
        "dwc:preparations": "skin",
    }
    file.write_text(json.dumps(document))
    with fresh(databases) as command:
        run = command("sync", file, "--source", SOURCE, "--json").json["run"]
        file.write_text(json.dumps({**document, "ods:specimenName": f"again {EVIL}", "dwc:preparations": EVIL}))
        command("sync", file, "--source", SOURCE)
        (item,) = command("runs", run, "--json").lines
        command("edit", item["pid"], "--set", "a=b", "--agent", ORCID, "--comment", EVIL)
        yield command, item["pid"]


def shown(command: Command, *arguments: object) -> str:
    """What the terminal got besides the colours and cursor moves of the program itself."""
    status, text = command.on_terminal(*arguments, size=(50, 400))
    assert status == (EVIL in arguments), text  # there is no such record
    return re.sub(r"\x1b\[(\?25[lh]|[0-9;]*m|[0-9]*[AK])", "", text.replace("\r\n", "\n").replace("\r", ""))


COMMANDS = (
    ("get", "PID"),
    ("get", "PID", "--json"),
    ("history", "PID"),
    ("history", "PID", "--json"),
    ("diff", "PID", 1, 2),
    ("diff", "PID", 1, 2, "--json"),
    ("diff", "PID", 1, 2, "--patch"),
    ("blame", "PID"),
    ("blame", "PID", "--json"),
    ("changes", "--source", SOURCE, "--since", "2000-01-01", "--details"),
    ("changes", "--source", SOURCE, "--since", "2000-01-01"),
    ("export", "--source", SOURCE, "-o", "-"),
    ("prov", "PID"),
    ("runs",),
    ("find", "--source", SOURCE, "--record", EVIL),
    ("find", "--source", EVIL, "--record", EVIL, "--json"),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: " ".join(map(str, arguments))[:24])
def test_a_hostile_record_cannot_reach_the_terminal(
    hostile: tuple[Command, str], arguments: tuple[object, ...]
) -> None:
    command, pid = hostile
    # NUL cannot be an argument, and a newline in one is no attack of a record.
    words = [pid if word == "PID" else word for word in arguments]
    text = shown(command, *words)
    assert RAW.findall(text) == []
    assert "\x1b" not in text


def test_markup_in_a_record_is_shown_as_it_is(hostile: tuple[Command, str]) -> None:
    command, pid = hostile
    assert "[red]bold[/red] {task}" in shown(command, "diff", pid, 1, 2)
    assert "[red]bold[/red] {task}" in command("get", pid).out
    assert SOURCE in shown(command, "runs")


def test_what_is_escaped_for_the_eye_is_the_same_to_a_program(hostile: tuple[Command, str]) -> None:
    command, pid = hostile
    assert command("get", pid, "--version", 1, "--json").json["ods:specimenName"] == EVIL
    assert command("get", pid, "--version", 1).json["ods:specimenName"] == EVIL
    assert EVIL in {change.get("new") for change in command("diff", pid, 1, 2, "--json").lines}
    (line,) = command("export", "--source", SOURCE, "-o", "-").lines
    assert line["dwc:preparations"] == EVIL


def test_an_error_stays_one_line_whatever_it_quotes(hostile: tuple[Command, str]) -> None:
    command, _ = hostile
    line = command.refused("find", "--source", SOURCE, "--record", EVIL)
    assert RAW.findall(line) == []


def test_progress_is_drawn_on_a_terminal_only(databases: Databases, tmp_path: Path) -> None:
    with fresh(databases) as command:
        assert command.started("sync", SAMPLES / "2010", "--source", "famous").err == ""
        status, text = command.on_terminal("sync", SAMPLES / "2015", "--source", "famous [x] {y}")
        assert status == 0
        assert "sync famous [x] {y}" in text
        assert "\x1b[?25l" in text  # the cursor is hidden while the bar moves
        assert "13/13" in text
        assert "created" in text
        status, text = command.on_terminal("rebuild")
        assert (status, "rebuild" in text, "replayed" in text) == (0, True, True)
        status, text = command.on_terminal("verify")
        assert (status, "everything adds up" in text) == (0, True)


def test_a_narrow_terminal_folds_tables(hostile: tuple[Command, str]) -> None:
    command, pid = hostile
    status, text = command.on_terminal("history", pid, size=(24, 60))
    assert status == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(len(line) for line in plain.splitlines()) <= 60
