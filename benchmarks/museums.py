"""``python -m benchmarks.museums``: whole museums of several sizes, from archive to search, and how costs grow.

Import with projections following, second import unchanged and with 1% changed, rebuild, the collection as of the past,
search now and then; and what it takes on disk and in memory. BENCH_MUSEUMS are the sizes, ten thousand, a hundred
thousand and a million specimens unless said otherwise: an hour on two slow cores.
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
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

from psycopg.rows import tuple_row
from rich.console import Console
from rich.table import Table

from benchmarks.appending import append_single
from benchmarks.documents import SMALL
from benchmarks.limits import append_bulk
from benchmarks.machine import machine
from benchmarks.museum import GENERA, PLACES, write_archive
from benchmarks.reading import percentiles
from projections.collection import collection
from projections.engine import catch_up, rebuild
from projections.following_beside import followed_meanwhile
from projections.object_reading import current
from projections.search.query import counts, page, total
from projections.search.question import Search
from sources.synchronisation.reading_beside import open_to_synchronise
from sources.synchronisation.source_system import find_source
from sources.synchronisation.synchronise import Options, synchronise
from store.ledger import Axis, Ledger
from store.processes import collect_seldom
from store.settings import Settings

SIZES = [int(size) for size in os.environ.get("BENCH_MUSEUMS", "10000,100000,1000000").split(",")]
PAGES = 200
READS = 400
BULK, CHUNK = 2_000, 1_000
FILTERS = {"dwc:country": [place for place, _ in PLACES], "dwc:sex": ["male", "female"]}

Figures = dict[str, tuple[float, str]]
"""By work: microseconds a unit and the unit, or another figure and its unit, which grows as it grows."""


def main() -> None:
    """Measure and print; every figure as soon as it is known on standard error, the table at the end."""
    collect_seldom()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = Settings(os.environ.get("DATABASE_URL"), Path(folder) / "home")
        Console(width=140).print(museums(settings, Path(folder), SIZES))


def museums(settings: Settings, folder: Path, sizes: list[int]) -> Table:
    """The figures of every size side by side, and those of the largest divided by those of the smallest."""
    with Ledger.open(replace(settings, ledger=f"museum_of_{sizes[0]}")) as ledger:
        title = f"Museums on {machine(ledger)}"
    table = Table("work", *(f"{size:,}" for size in sizes), "growth", title=title, title_justify="left")
    found = []
    for size in sizes:
        sys.stderr.write(f"-- {size:,} specimens\n")
        with Ledger.open(replace(settings, ledger=f"museum_of_{size}")) as ledger:
            found.append(museum(ledger, folder, size))
    for work, (first, _) in found[0].items():
        shown = [_shown(*figures[work]) for figures in found]
        table.add_row(work, *shown, f"{found[-1][work][0] / first:.2f}")
    return table


def museum(ledger: Ledger, folder: Path, specimens: int) -> Figures:
    """Everything that is done with one museum, one after another."""
    figures: Figures = {}

    def note(work: str, figure: float, unit: str) -> None:
        figures[work] = figure, unit
        sys.stderr.write(f"{work}: {_shown(figure, unit)}\n")

    def timed(work: str, amount: int, unit: str, run: Callable[[], object]) -> None:
        began = time.perf_counter()
        run()
        note(work, (time.perf_counter() - began) / amount * 1e6, unit)

    def sync(archive: Path) -> None:
        file = open_to_synchronise(archive)
        with followed_meanwhile(ledger):
            synchronise(ledger, file, Options("museum"))
        file.close()
        catch_up(ledger)

    first = write_archive(folder / "first.zip", specimens)
    second = write_archive(folder / "second.zip", specimens, state=1)
    timed("synchronise, all new, projections caught up", specimens, "records", lambda: sync(first))
    past = ledger.position()
    timed("synchronise, unchanged", specimens, "records", lambda: sync(first))
    timed("synchronise, 1% changed, projections caught up", specimens, "records", lambda: sync(second))
    timed("rebuild all projections and the tree", ledger.position(), "events", lambda: rebuild(ledger))
    source = find_source(ledger, "museum")
    assert source is not None
    began = ledger.get(source.pid, 1).occurred
    then = lambda: sum(1 for _ in collection(ledger, source.pid, began, Axis.OCCURRED))  # noqa: E731
    timed("collection as of a past time", specimens, "objects", then)
    _single(ledger, source.pid, note)
    for name, position in (("now", None), ("as of a past position", past)):
        for what, p50, p95 in searching(ledger, position):
            note(f"search {name}, {what}, p50", p50, "ms")
            note(f"search {name}, {what}, p95", p95, "ms")
    for name, size in sizes_on_disk(ledger):
        note(f"stored: {name}", size / specimens, "bytes a specimen")
    note("peak memory of this process", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB")
    return figures


def _single(ledger: Ledger, source: str, note: Callable[[str, float, str], None]) -> None:
    """One object at a time: read, and appended by sixteen writers and in bulk."""
    pids = [state.id for state in islice(collection(ledger, source), 0, 20 * READS, 20)]
    moment = datetime.now(UTC)
    reads: dict[str, Callable[[str], object]] = {
        "the current version": partial(current, ledger),
        "version 1": lambda pid: ledger.get(pid, 1, to_follow=False),
        "as recorded at a time": lambda pid: ledger.get_at(pid, moment, Axis.RECORDED, to_follow=False),
    }
    for what, read in reads.items():
        note(f"read {what}, p50", percentiles(read, pids, READS)[0], "µs")
    note("append, 16 writers, one event each", 1e6 / append_single(ledger, 16), "events")
    note(f"append {BULK:,} objects of 6 KB, {CHUNK} at once", 1e6 / append_bulk(ledger, SMALL, BULK, CHUNK), "objects")


def _shown(figure: float, unit: str) -> str:
    if unit in ("records", "events", "objects"):
        return f"{1e6 / figure:,.0f} {unit}/s"
    return f"{figure:,.1f} {unit}" if unit == "ms" else f"{figure:,.0f} {unit}"


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


def sizes_on_disk(ledger: Ledger) -> list[tuple[str, int]]:
    """Bytes on disk of each table with its indexes, the log with all its partitions as one."""
    with ledger.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "SELECT CASE WHEN starts_with(relname, 'events') THEN 'events' ELSE relname::text END,"
            " sum(pg_total_relation_size(oid))::bigint FROM pg_class"
            " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' GROUP BY 1"
            " HAVING sum(pg_total_relation_size(oid)) > 100000 ORDER BY 2 DESC"
        )
        found: list[tuple[str, int]] = cursor.fetchall()
        return found


if __name__ == "__main__":
    main()
