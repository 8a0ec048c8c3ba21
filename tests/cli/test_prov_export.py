"""``prov export``: conditions, summary, streams, and a file that is gone on with after SIGKILL."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prov.model import ProvDocument

from tests.cli.command_support import ORCID, Command, fresh
from tests.conftest import SAMPLES
from tests.databases import Databases

SOURCE = ("--source", "famous")
PROGRAM = """
import cli.main, projections.prov.export.compression, projections.prov.export.export, projections.prov.export.unfinished
import time
projections.prov.export.compression.BLOCK = 4000
projections.prov.export.unfinished.SAVED_EVERY = 0
append = projections.prov.export.unfinished.Unfinished.append
def slowly(*arguments):
    time.sleep(0.05)
    append(*arguments)
projections.prov.export.unfinished.Unfinished.append = slowly
cli.main.main()
"""
"""The command as it is, but with many blocks in a small export, and time between them to be killed in."""


@pytest.fixture(scope="module")
def command(databases: Databases) -> Iterator[Command]:
    with fresh(databases) as made:
        for year in ("2010", "2015", "2024"):
            made("sync", SAMPLES / year, *SOURCE, "--missing", "tombstone")
        pid = made("find", *SOURCE, "--record", "YPM 1980").out.strip()
        made("tombstone", pid, "--reason", "lost", "--agent", ORCID)
        yield made


def versions(document: str | bytes) -> int:
    found = ProvDocument.deserialize(content=document, format="json")
    assert isinstance(found, ProvDocument)
    lines = [line for bundle in found.bundles for line in bundle.get_provn().splitlines()]
    return sum("ods:contentDigest" in line and "ods:version=" in line for line in lines)


def test_a_file_is_written_and_summed_up(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "famous.json"
    told = command("prov", "export", *SOURCE, "-o", file).out
    summary = command("prov", "export", *SOURCE, "-o", file, "--json").json
    assert told == (
        f"wrote {summary['versions']} versions of {summary['objects']} objects, up to position {summary['position']}, "
        f"to {file}\n"
    )
    assert versions(file.read_bytes()) == summary["versions"] > summary["objects"] > 3
    assert summary["bytes"] == file.stat().st_size
    assert summary["scope"]["source"].startswith("TEST/")
    assert (summary["file"], summary["format"], summary["compression"], summary["resumed"]) == (
        str(file),
        "json",
        None,
        False,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["famous.json"]


def test_conditions_narrow_it(command: Command) -> None:
    whole = versions(command("prov", "export", *SOURCE, "-o", "-").out)
    run = command("runs", "--json").lines[1]["run"]
    by_agent = versions(command("prov", "export", "--agent", ORCID, "-o", "-").out)
    by_run = versions(command("prov", "export", "--run", run, "-o", "-").out)
    by_key = versions(command("prov", "export", *SOURCE, "--key", "YPM 1980", "-o", "-").out)
    by_query = command(
        "prov", "export", "--query", "dwc:organismName=S*", "--query", "dwc:organismName=Dolly", "-o", "-"
    )
    assert 0 < versions(by_query.out) < whole
    assert r"[\"dwc:organismName=Dolly\",\"dwc:organismName=S*\"]" in by_query.out
    by_type = versions(command("prov", "export", *SOURCE, "--type", "ods:DigitalSpecimen", "-o", "-").out)
    assert by_agent == 1
    assert 1 < by_run < by_type <= whole
    assert 1 < by_key < by_type
    assert versions(command("prov", "export", "--until", "2011-01-01", "--axis", "occurred", "-o", "-").out) < whole
    assert versions(command("prov", "export", "--since", "2200-01-01", "-o", "-").out) == 0


@pytest.mark.parametrize("compress", [(), ("--compress", "gzip")])
def test_json_lines_and_compression(command: Command, tmp_path: Path, compress: tuple[str, ...]) -> None:
    file = tmp_path / "out"
    command("prov", "export", *SOURCE, "--format", "jsonl", *compress, "-o", file)
    content = gzip.decompress(file.read_bytes()) if compress else file.read_bytes()
    assert content.decode() == command("prov", "export", *SOURCE, "--format", "jsonl", "-o", "-").out
    assert all("entity" in json.loads(line) for line in content.splitlines())


def test_what_is_exported_passes_the_check(command: Command, tmp_path: Path) -> None:
    everything = tmp_path / "everything.jsonl"
    command("prov", "export", "--since", "2000-01-01", "--format", "jsonl", "-o", everything)
    assert command("prov", "check", everything, "--json").json["findings"] == []
    for suffix in ("json", "provn"):
        file = tmp_path / f"out.{suffix}"
        command("prov", "export", "--agent", ORCID, "--format", suffix, "-o", file)
        assert command("prov", "check", file, "--json").json["valid"]


def test_a_pipe_is_written_to(command: Command, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    command("prov", "export", *SOURCE, "-o", pipe)
    reader.join(60)
    assert found[0].decode() == command("prov", "export", *SOURCE, "-o", "-").out
    assert pipe.is_fifo()


def test_a_terminal_gets_the_document_but_nothing_compressed(command: Command) -> None:
    status, shown = command.on_terminal("prov", "export", "--agent", ORCID, "-o", "-")
    assert status == 0
    assert '"prov:Bundle"' in shown
    status, shown = command.on_terminal("prov", "export", "--agent", ORCID, "--compress", "gzip", "-o", "-")
    assert status == 2
    assert "terminal" in shown


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "say of what"),
        ((*SOURCE, "--format", "turtle"), "json, jsonl, provn, trig"),
        ((*SOURCE, "--compress", "lzma"), "gzip or zstd"),
        (("--type", "ods:Nothing"), "ods:DigitalSpecimen"),
        (("--run", "7"), "provenarium runs"),
        (("--agent", "nobody at all"), "--agent"),
        ((*SOURCE, "--organisation", "x"), "--organisation"),
        ((*SOURCE, "--since", "2020-01-02", "--until", "2020-01-01"), "before --since"),
    ],
)
def test_wrong_usage_is_one_line(command: Command, arguments: tuple[str, ...], complaint: str) -> None:
    assert complaint in command.misused("prov", "export", *arguments, "-o", "-")


def test_an_unknown_source_or_run_and_an_impossible_place_are_refused(command: Command, tmp_path: Path) -> None:
    assert "there is no source" in command.refused("prov", "export", "--source", "none", "-o", "-")
    assert "there is no run" in command.refused("prov", "export", "--run", str(UUID(int=7)), "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "cannot write" in command.refused("prov", "export", *SOURCE, "-o", tmp_path / "missing" / "out")


def test_killed_and_started_again_the_file_is_as_without(command: Command, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    command("prov", "export", *SOURCE, "-o", whole)
    arguments = [sys.executable, "-c", PROGRAM, "prov", "export", *SOURCE, "-o", str(broken), "--json"]
    state, kills, seen = tmp_path / "broken.part.state", 0, -1
    while True:
        process = subprocess.Popen(arguments, env=command.environment, stdout=subprocess.PIPE)
        while process.poll() is None and kills < 3:
            size = json.loads(state.read_bytes())["size"] if state.exists() else -1
            if size > seen + 8000:
                process.send_signal(signal.SIGKILL)
                seen, kills = size, kills + 1
            time.sleep(0.01)
        out, _ = process.communicate(timeout=120)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
    assert kills == 3
    assert json.loads(out)["resumed"]
    assert broken.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "whole"]
