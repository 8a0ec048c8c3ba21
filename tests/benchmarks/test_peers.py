"""The comparison with peers runs, with three objects; what it measures is of no interest here."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.peers import Amounts, message_db, peers, stores
from benchmarks.peers.measuring import FOLLOW, UNITS, measure
from benchmarks.peers.store import NotMeasured
from store.settings import Settings

FEW = Amounts(histories=3, bulk=3, reads=3, runs=1)


def test_peers_that_cannot_be_had_are_told(
    new_settings: Callable[[], Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.tgz"
    other.write_bytes(b"another package")
    monkeypatch.setenv("BENCH_MESSAGE_DB", str(other))
    absent = {"absent": "benchmarks.peers.absent", "message-db": "benchmarks.peers.message_db"}
    monkeypatch.setattr(stores, "OPTIONAL", absent)
    printed = io.StringIO()
    Console(file=printed, width=200).print(peers(new_settings(), FEW))
    text = printed.getvalue()
    assert "not measured: benchmarks.peers.absent is not installed" in text
    assert "not measured: other.tgz is not @eventide/message-db" in text
    assert all(work in text for work in UNITS)


def test_every_peer_gives_back_what_it_was_told(
    new_settings: Callable[[], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("simple_history", "sqlalchemy_continuum"):
        pytest.importorskip(package, reason=f"{package} is not installed; make bench installs it")

    def refuse(_folder: Path) -> None:
        raise NotMeasured("tests fetch nothing")

    monkeypatch.setattr(message_db, "_fetch", refuse)
    with ExitStack() as stack:
        opened, left_out = stores.open_stores(new_settings(), stack)
        figures = measure(opened, FEW)
    names = {store.name for store in opened}
    assert {"django-simple-history", "SQLAlchemy-Continuum"} <= names
    assert set(left_out) <= {"message-db"}
    assert all(names <= set(figures[work]) for work in UNITS if work != FOLLOW)
    assert all(figure.value > 0 for each in figures.values() for figure in each.values())
