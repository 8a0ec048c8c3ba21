"""What ``export -o`` may do to the place it writes to."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from cli.collections import _writing
from cli.output import Output
from domain.errors import RefusedInput


def write(file: Path, data: bytes = b"{}\n") -> None:
    with _writing(file, Output(as_json=True)) as out:
        out(data)


def test_a_link_stays_a_link_and_permissions_stay(tmp_path: Path) -> None:
    target, link = tmp_path / "target.jsonl", tmp_path / "link.jsonl"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_text() == "{}\n"
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.jsonl", "target.jsonl"]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join()
    assert found == [b"{}\n"]
    assert pipe.is_fifo()


def test_a_file_is_complete_or_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    file.write_text("old")

    def fail() -> None:
        with _writing(file, Output(as_json=True)) as out:
            out(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["export.jsonl"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedInput, match="cannot write"):
        write(tmp_path / "missing" / "export.jsonl")
