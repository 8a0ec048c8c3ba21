"""``prov check``: findings as lines and as JSON, exit statuses, and that it needs no ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command_support import Command

INVALID = """\
document
  prefix ex <https://example.org/>
  entity(ex:e)
  bundle ex:b
    entity(ex:x)
    activity(ex:x, -, -)
  endBundle
endDocument
"""


@pytest.fixture
def command() -> Command:
    # A database that is not there: nothing here may ask for one.
    return Command(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", PROVENARIUM_LEDGER="none")


@pytest.fixture
def invalid(tmp_path: Path) -> Path:
    file = tmp_path / "invalid.provn"
    file.write_text(INVALID)
    return file


RULE = "PROV-CONSTRAINTS 55 entity-activity-disjoint"
WHAT = "https://example.org/x is an entity and an activity; nothing can be both."


def test_each_finding_is_a_line_and_the_verdict_the_last(command: Command, invalid: Path) -> None:
    ran = command("prov", "check", invalid, status=1)
    assert ran.out.splitlines() == [
        f"{RULE}: {WHAT} [in bundle https://example.org/b]",
        f"not valid: 1 finding in 3 records of {invalid}",
    ]
    assert ran.err == ""


def test_json_is_one_object(command: Command, invalid: Path) -> None:
    assert command("prov", "check", invalid, "--json", status=1).json == {
        "valid": False,
        "file": str(invalid),
        "records": 3,
        "findings": [
            {
                "rule": RULE,
                "where": {"bundle": "https://example.org/b", "records": ["https://example.org/x"]},
                "what": WHAT,
            }
        ],
    }


def test_a_valid_document_ends_well(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "valid"
    file.write_text("document prefix ex <https://example.org/> entity(ex:e) endDocument")
    assert command("prov", "check", file).out == f"valid: 1 records of {file}\n"
    assert command("--json", "prov", "check", file, "--format", "provn").json["valid"] is True


def test_what_cannot_be_read_is_one_line_on_standard_error(command: Command, tmp_path: Path) -> None:
    assert "No such file" in command.refused("prov", "check", tmp_path / "absent")
    file = tmp_path / "page.html"
    file.write_text("<html>\x1b[2J</html>")
    said = command.refused("prov", "check", file)
    assert str(file) in said
    assert "\x1b" not in said


def test_an_unknown_format_and_no_file_are_wrong_usage(command: Command, invalid: Path) -> None:
    assert "must be one of" in command.misused("prov", "check", invalid, "--format", "turtle")
    assert "FILE" in command.misused("prov", "check")


def test_what_a_document_says_cannot_rewrite_the_terminal(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "hostile.json"
    file.write_text(
        '{"prefix": {"ex": "https://example.org/\\u001b[2J\\u202e"}, "entity": {"ex:x": {}}, "activity": {"ex:x": {}}}'
    )
    status, shown = command.on_terminal("prov", "check", file)
    assert status == 1
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    assert "\\u001b[2J" in shown
