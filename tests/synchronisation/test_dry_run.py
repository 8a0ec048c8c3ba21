"""A dry run says what the run would do, and stores nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sources.synchronisation import synchronise
from sources.synchronisation.synchronise import Report
from store.ledger import Ledger
from tests.conftest import SAMPLES
from tests.synchronisation.sync_support import Specimen, curate, picture, sync, write_archive

TABLES = (
    "log_head",
    "events",
    "natural_keys",
    "source_records",
    "runs",
    "run_items",
    "agents",
    "snapshots",
    "dictionaries",
)


def stored(ledger: Ledger) -> dict[str, list[Any]]:
    """Every row of every table that a run may write."""
    with ledger.connection() as connection:
        return {
            table: sorted(map(repr, connection.execute(f"SELECT t::text FROM {table} AS t").fetchall()))
            for table in TABLES
        }


def predicted(report: Report) -> dict[str, Any]:
    value = report.to_json()
    del value["run"], value["dry_run"]
    return value


@pytest.mark.parametrize("chunk", [500, 2])
def test_a_dry_run_predicts_the_samples_and_stores_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(synchronise, "CHUNK", chunk)
    for year in ("2010", "2015", "2024"):
        before = stored(ledger)
        would = sync(ledger, SAMPLES / year, dry_run=True, tombstone_missing=True)
        assert stored(ledger) == before
        did = sync(ledger, SAMPLES / year, tombstone_missing=True)
        assert predicted(would) == predicted(did)
        assert would.dry_run
        assert not did.dry_run


@pytest.mark.parametrize("chunk", [500, 1])
def test_a_dry_run_predicts_conflicts_parked_rows_and_shared_media(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(synchronise, "CHUNK", chunk)
    shared = picture("shared")
    first = [Specimen("a", {"preparations": "skin"}, media=(shared,)), Specimen("b", media=(shared,)), Specimen("c")]
    second = [
        Specimen("a", {"preparations": "skull"}, media=(picture("new"),)),
        Specimen("d", media=(picture("new"), {**shared, "identifier": ""})),
        Specimen("d"),
    ]
    assert_predicted(ledger, write_archive(tmp_path / "1", first))
    curate(ledger, "a").set("/dwc:preparations", "bones")
    assert_predicted(ledger, write_archive(tmp_path / "2", second, core_lines=["x\ttoo few"]), tombstone_missing=True)
    assert_predicted(ledger, write_archive(tmp_path / "3", second), tombstone_missing=True)
    assert_predicted(ledger, write_archive(tmp_path / "4", first), tombstone_missing=True)


def assert_predicted(ledger: Ledger, archive: Path, **options: Any) -> None:
    would = sync(ledger, archive, dry_run=True, **options)
    assert predicted(would) == predicted(sync(ledger, archive, **options))


def test_a_dry_run_of_an_unknown_source_leaves_it_unknown(new_ledger: Callable[[], Ledger]) -> None:
    ledger = new_ledger()
    assert sync(ledger, SAMPLES / "2010", dry_run=True).created == 13
    assert ledger.position() == 0
