"""The commands of the ledger's operator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command_support import Command, fresh
from tests.conftest import SAMPLES
from tests.databases import Databases

NAME = "museum.example/ledger"


@pytest.fixture
def command(databases: Databases, tmp_path: Path) -> Iterator[Command]:
    with fresh(databases) as command:
        command.environment["PROVENARIUM_KEYS"] = str(tmp_path / "keys")
        yield command


def test_a_ledger_is_signed_proved_and_copied(command: Command, tmp_path: Path) -> None:
    assert "ledger key generate" in command.refused("ledger", "checkpoint")
    vkey = command("ledger", "key", "generate", NAME, "--json").json["vkey"]
    assert command("ledger", "key", "export").out == f"{vkey}\n"
    command("sync", SAMPLES / "2010", "--source", "famous")
    first = command("ledger", "checkpoint", "-o", tmp_path / "first", "--json").json
    assert first["note"] == (tmp_path / "first").read_text()
    assert first["note"].startswith(f"{NAME}\n{first['size']}\n")
    pid = command("find", "--source", "famous", "--record", "YPM 1980").out.strip()
    assert command("ledger", "prove", pid).out.endswith("\n\n" + first["note"])
    assert command("ledger", "prove", f"{pid}/1", "--json").json["version"] == 1
    command("sync", SAMPLES / "2015", "--source", "famous")
    assert "sign a new one" in command.refused("ledger", "prove", pid)
    second = command("ledger", "checkpoint", "--json").json
    assert command("ledger", "consistency", tmp_path / "first").out.endswith("\n\n" + second["note"])
    copied = command("ledger", "tiles", "-o", tmp_path / "copy", "--json").json
    assert copied["size"] == second["size"]
    assert (tmp_path / "copy" / "checkpoint").read_text() == second["note"]

    assert "adds up" in command("verify", "--checkpoint", tmp_path / "first", "--against", tmp_path / "copy").out
    assert "adds up" in command("verify", "--background", "--against", tmp_path / "copy").out
    assert "leave PID out" in command.misused("verify", pid, "--against", tmp_path / "copy")
    assert "cannot read" in command.refused("verify", "--against", tmp_path / "nowhere")
    command.environment["PROVENARIUM_KEYS"] = str(tmp_path / "none")
    assert "--key" in command.refused("verify", "--checkpoint", tmp_path / "first")
    assert "--key" in command.refused("ledger", "consistency", tmp_path / "first")
    assert command("ledger", "consistency", tmp_path / "first", "--key", vkey).out.startswith("old ")
    assert "adds up" in command("verify", "--checkpoint", tmp_path / "first", "--key", vkey).out


def test_a_key_is_replaced(command: Command, tmp_path: Path) -> None:
    former = command("ledger", "key", "generate", NAME, "--json").json["vkey"]
    command("sync", SAMPLES / "2010", "--source", "famous")
    command("ledger", "checkpoint", "-o", tmp_path / "first")
    present = command("ledger", "key", "rotate", "--json").json["vkey"]
    exported = command("ledger", "key", "export").out
    assert exported == f"{former}\n{present}\n"
    assert command("ledger", "key", "export", "--present").out == f"{present}\n"
    assert "adds up" in command("verify", "--checkpoint", tmp_path / "first", "--key", exported).out
    assert "no trusted key" in command.refused("verify", "--checkpoint", tmp_path / "first", "--key", present)
    assert "no trusted key" in command.refused("ledger", "consistency", tmp_path / "first", "--key", present)
    command("ledger", "checkpoint")
    assert command("ledger", "consistency", tmp_path / "first").out.startswith("old ")


def test_a_forged_checkpoint_accuses_nobody(command: Command, tmp_path: Path) -> None:
    command("ledger", "key", "generate", NAME)
    command("sync", SAMPLES / "2010", "--source", "famous")
    note = command("ledger", "checkpoint").out
    origin, size, root, *rest = note.split("\n")
    (tmp_path / "forged").write_text("\n".join([origin, size, root[::-1].lstrip("=") + "=", *rest]))
    line = command.refused("ledger", "consistency", tmp_path / "forged")
    assert str(tmp_path / "forged") in line
    assert "altered" not in line


def test_another_ledger_is_not_signed_with_the_same_key(command: Command, databases: Databases, tmp_path: Path) -> None:
    command("ledger", "key", "generate", NAME)
    command("sync", SAMPLES / "2010", "--source", "famous")
    command("ledger", "checkpoint")
    with fresh(databases) as other:
        other.environment["PROVENARIUM_KEYS"] = str(tmp_path / "keys")
        other("sync", SAMPLES / "2010", "--source", "famous")
        line = other.refused("ledger", "checkpoint")
        assert "sign nothing" in line
        assert other("verify", status=1).out


def test_rotated_keys_stay_known(command: Command) -> None:
    first = command("ledger", "key", "generate", NAME, "--json").json["vkey"]
    assert "has keys already" in command.refused("ledger", "key", "generate", NAME)
    second = command("ledger", "key", "rotate", "--json").json["vkey"]
    lines = command("ledger", "key", "export", "--json").lines
    assert [line["vkey"] for line in lines] == [first, second]
    assert lines[0]["until"] == lines[1]["since"]
    assert lines[1]["until"] is None


def test_the_self_check_goes_on_and_says_how_far_it_is(command: Command) -> None:
    command("sync", SAMPLES / "2010", "--source", "famous")
    done = command("verify", "--background", "--json").json
    assert (done["ok"], done["events"]) == (True, done["position"])
    assert done["finished"] == done["last"]["finished"]
    part = command("verify", "--background", "--seconds", "0").out
    assert "events verified since" in part
    assert "the last whole pass: verified up to position" in part
    assert "leave PID out" in command.misused("verify", "TEST/ABC-DEF-GHJ", "--background")
