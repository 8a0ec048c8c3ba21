"""The command that makes bundles for auditors."""

from __future__ import annotations

import subprocess
import sys
import zipfile
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


def checked(path: Path, *arguments: object) -> str:
    """What the verifier says, taken from the bundle itself and run on it."""
    script = path.with_suffix(".py")
    with zipfile.ZipFile(path) as archive:
        script.write_bytes(archive.read("verify.py"))
    command = [sys.executable, "-I", "-S", str(script), str(path), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def test_an_auditor_gets_bundles_and_checks_them(command: Command, tmp_path: Path) -> None:
    command("sync", SAMPLES / "2010", "--source", "famous")
    bundle = tmp_path / "bundle.zip"
    assert "provenarium ledger key generate" in command.refused("audit", "bundle", "--all", "-o", bundle)
    vkey = command("ledger", "key", "generate", NAME, "--json").json["vkey"]
    pid = command("find", "--source", "famous", "--record", "YPM 1980").out.strip()
    told = command("audit", "bundle", "--all", "-o", bundle).out
    assert vkey in told
    digest = told.split()[-1]
    assert "This is the whole ledger" in checked(bundle, "--key", vkey, "--digest", digest)
    kept = tmp_path / "kept"
    with zipfile.ZipFile(bundle) as archive:
        kept.write_bytes(archive.read("checkpoint"))
    run = command("sync", SAMPLES / "2015", "--source", "famous", "--missing", "tombstone", "--json").json["run"]
    scopes: dict[str, list[object]] = {
        "pids": [pid, f"https://doi.org/{pid}"],
        "source": ["--source", "famous"],
        "run": ["--run", run],
        "since": ["--since", "2020-01-01"],
        "all": ["--all"],
    }
    for kind, arguments in scopes.items():
        made = command("audit", "bundle", *arguments, "-o", bundle, "--since-checkpoint", kept, "--json").json
        assert made["scope"]["kind"] == kind
        assert made["vkey"] == vkey
        assert (made["objects"] == 1) == (kind == "pids")
        said = checked(bundle, "--key", vkey, "--digest", made["digest"], "--checkpoint", kept)
        assert "That older checkpoint is the one you kept" in said
        assert f"{made['events']} events of {made['objects']} objects" in said
    command("audit", "bundle", pid, "--digests-only", "-o", bundle)
    assert "has the digest in" in checked(bundle)
    rotated = command("ledger", "key", "rotate", "--json").json["vkey"]
    command("audit", "bundle", pid, "-o", bundle, "--since-checkpoint", kept)
    assert rotated[:40] in checked(bundle, "--checkpoint", kept)


def test_a_bundle_of_nothing_or_of_two_things_is_refused(command: Command, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.zip"
    command("ledger", "key", "generate", NAME)
    assert "no event" in command.refused("audit", "bundle", "--all", "-o", bundle)
    command("sync", SAMPLES / "2010", "--source", "famous")
    for arguments in ((), ("--all", "--source", "famous"), ("TEST/ABC-DEF-GHJ", "--all")):
        assert "give objects, or one of" in command.misused("audit", "bundle", *arguments, "-o", bundle)
    assert "--output" in command.misused("audit", "bundle", "--all")
    assert "is not a time" in command.misused("audit", "bundle", "--since", "yesterday", "-o", bundle)
    assert "is not the id of a run" in command.misused("audit", "bundle", "--run", "7", "-o", bundle)
    assert "is not a PID" in command.misused("audit", "bundle", "7", "-o", bundle)
    assert "TEST/ABC-DEF-GHJ" in command.refused("audit", "bundle", "TEST/ABC-DEF-GHJ", "-o", bundle)
    assert "nobody" in command.refused("audit", "bundle", "--source", "nobody", "-o", bundle)
    unknown = "00000000-0000-0000-0000-000000000000"
    assert "there is no run" in command.refused("audit", "bundle", "--run", unknown, "-o", bundle)
    assert "no event in the scope" in command.refused("audit", "bundle", "--since", "2999-01-01", "-o", bundle)
    missing = tmp_path / "missing"
    assert "cannot read" in command.refused("audit", "bundle", "--all", "--since-checkpoint", missing, "-o", bundle)
    missing.write_text("no note")
    assert "note" in command.refused("audit", "bundle", "--all", "--since-checkpoint", missing, "-o", bundle)
    assert "cannot write" in command.refused("audit", "bundle", "--all", "-o", tmp_path / "nowhere" / "bundle.zip")
    assert not bundle.exists()


def test_a_person_sees_progress_and_what_to_tell_the_auditor(command: Command, tmp_path: Path) -> None:
    command("ledger", "key", "generate", NAME)
    command("sync", SAMPLES / "2010", "--source", "famous")
    status, seen = command.on_terminal("audit", "bundle", "--all", "-o", tmp_path / "bundle.zip")
    assert status == 0
    assert "audit bundle" in seen
    assert "tell the auditor" in seen
