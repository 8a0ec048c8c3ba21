"""``python -m benchmarks.time_travel``: a whole collection as of a time, each object in the third of five versions."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.histories import grow
from projections.collection import collection
from sources.synchronisation.source_system import find_source
from store.ledger import Axis, Ledger
from store.processes import collect_seldom
from store.settings import Settings

OBJECTS = 10 * int(os.environ.get("BENCH_RECORDS", "10000"))
VERSIONS = 5
THEN = datetime(2022, 7, 1, tzinfo=UTC)
RUNS = 3


def main() -> None:
    """Measure and print."""
    collect_seldom()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Ledger.open(Settings(os.environ.get("DATABASE_URL"), Path(folder) / "home")) as ledger,
    ):
        Console(width=140).print(whole_collection(ledger, OBJECTS))


def whole_collection(ledger: Ledger, objects: int) -> Table:
    """Objects a second, on the axis of what was said when; the median of several runs."""
    with tempfile.TemporaryDirectory() as folder:
        grow(ledger, Path(folder), VERSIONS * objects, VERSIONS)
    source = find_source(ledger, "museum")
    assert source is not None
    rates = []
    for _ in range(RUNS):
        began = time.perf_counter()
        found = [state.version for state in collection(ledger, source.pid, THEN, Axis.OCCURRED)]
        rates.append(len(found) / (time.perf_counter() - began))
        assert found == [3] * objects, "every object in the version of that time"
    table = Table("objects", "versions of each", "as of the third, objects/s", title_justify="left")
    table.title = "A whole collection as it was at a time"
    table.add_row(f"{objects:,}", str(VERSIONS), f"{statistics.median(rates):,.0f}")
    return table


if __name__ == "__main__":
    main()
