"""``python -m benchmarks.million``: one museum of BENCH_MUSEUM specimens (default a million), from archive to search.

Import, second import with 1% changed, rebuild, the collection as of the past, search now and then; and what it takes
on disk and in memory. Some twenty minutes on two cores.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from psycopg.rows import tuple_row
from rich.console import Console
from rich.table import Table

from benchmarks.museum import GENERA, PLACES, write_archive
from projections.collection import collection
from projections.engine import catch_up, rebuild
from projections.search.query import counts, page, total
from projections.search.question import Search
from sources.synchronisation.candidates import open_source
from sources.synchronisation.source_system import find_source
from sources.synchronisation.synchronise import Options, synchronise
from store.garbage import collect_seldom
from store.ledger import Axis, Ledger
from store.settings import Settings

SPECIMENS = int(os.environ.get("BENCH_MUSEUM", "1000000"))
PAGES = 200
FILTERS = {"dwc:country": [place for place, _ in PLACES], "dwc:sex": ["male", "female"]}


def main() -> None:
    """Measure and print; every row as soon as it is known on standard error, the table at the end."""
    collect_seldom()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = Settings(os.environ.get("DATABASE_URL"), Path(folder) / "home")
        with Ledger.open(settings) as ledger:
            Console(width=120).print(museum(ledger, Path(folder), SPECIMENS))


def museum(ledger: Ledger, folder: Path, specimens: int) -> Table:
    """Everything that is done with one museum, one after another."""
    table = Table("work", "amount", "seconds", "rate", title=f"A museum of {specimens:,} specimens")

    def row(work: str, amount: int, unit: str, run: Callable[[], object]) -> None:
        began = time.perf_counter()
        run()
        seconds = time.perf_counter() - began
        told = (work, f"{amount:,} {unit}", f"{seconds:.1f}", f"{amount / seconds:,.0f} {unit}/s")
        table.add_row(*told)
        sys.stderr.write(" | ".join(told) + "\n")

    def sync(archive: Path) -> None:
        file = open_source(archive)
        synchronise(ledger, file, Options("museum"))
        file.close()

    first = write_archive(folder / "first.zip", specimens)
    second = write_archive(folder / "second.zip", specimens, state=1)
    row("synchronise, all new", specimens, "records", lambda: sync(first))
    row("projections caught up", specimens, "events", lambda: catch_up(ledger))
    past = ledger.position()
    row("synchronise, unchanged", specimens, "records", lambda: sync(first))
    row("synchronise, 1% changed", specimens, "records", lambda: sync(second))
    row("projections caught up", ledger.position() - past, "events", lambda: catch_up(ledger))
    row("rebuild all projections", ledger.position(), "events", lambda: rebuild(ledger))
    source = find_source(ledger, "museum")
    assert source is not None
    began = ledger.get(source.pid, 1).occurred
    then = lambda: sum(1 for _ in collection(ledger, source.pid, began, Axis.OCCURRED))  # noqa: E731
    row("collection as of a past time", specimens, "objects", then)
    for name, position in (("now", None), ("as of a past position", past)):
        for what, p50, p95 in searching(ledger, position):
            table.add_row(f"search {name}: {what}", f"{PAGES} questions", f"p50 {p50:.1f} ms", f"p95 {p95:.1f} ms")
            sys.stderr.write(f"search {name}: {what}: p50 {p50:.1f} ms, p95 {p95:.1f} ms\n")
    for name, size in sizes(ledger):
        table.add_row(f"stored: {name}", f"{size:,} bytes", "", f"{size / specimens:,.0f} bytes/specimen")
        sys.stderr.write(f"stored: {name}: {size:,} bytes, {size / specimens:,.0f} a specimen\n")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    table.add_row("peak memory of this process", f"{peak:,} MB", "", "")
    sys.stderr.write(f"peak memory {peak} MB\n")
    return table


def searching(ledger: Ledger, position: int | None) -> list[tuple[str, float, float]]:
    """Milliseconds (what, p50, p95) of pages of 25, of totals and of facets."""
    questions = [
        Search(f"{GENERA[number % len(GENERA)]} {('vulgaris', 'minor', 'rex')[number % 3]}", position=position)
        if number % 2
        else Search(
            f"collector {number}",
            {term: [values[number % len(values)]] for term, values in FILTERS.items()},
            position=position,
        )
        for number in range(PAGES)
    ]
    narrow = [question for question in questions if question.filters]
    return [
        ("a page of 25", *_milliseconds(lambda question: page(ledger, question), questions)),
        ("the page after a thousand", *_milliseconds(lambda each: page(ledger, each, after="TEST/M"), questions)),
        ("how many there are, narrow", *_milliseconds(lambda question: total(ledger, question), narrow)),
        ("counts of two facets, narrow", *_milliseconds(lambda each: counts(ledger, each, list(FILTERS)), narrow)),
        (
            "how many there are, wide",
            *_milliseconds(lambda each: total(ledger, replace(each, filters={})), questions[1:20:2]),
        ),
    ]


def _milliseconds(ask: Callable[[Search], object], questions: list[Search]) -> tuple[float, float]:
    times = []
    for question in questions:
        began = time.perf_counter()
        ask(question)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times), statistics.quantiles(times, n=20)[18]


def sizes(ledger: Ledger) -> list[tuple[str, int]]:
    """Bytes on disk of each table with its indexes, the log with all its partitions as one."""
    with ledger.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "SELECT CASE WHEN starts_with(relname, 'events') THEN 'events' ELSE relname::text END,"
            " sum(pg_total_relation_size(oid))::bigint FROM pg_class"
            " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' GROUP BY 1"
            " HAVING sum(pg_total_relation_size(oid)) > 1000000 ORDER BY 2 DESC"
        )
        found: list[tuple[str, int]] = cursor.fetchall()
        return found


if __name__ == "__main__":
    main()
