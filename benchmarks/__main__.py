"""``make bench``: the main jobs on a generated museum, as a table. Nothing here passes or fails."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from audit.verify import verify
from benchmarks.appending import appending
from benchmarks.histories import grow
from benchmarks.limits import limits
from benchmarks.museum import write_archive
from benchmarks.peers import Amounts, peers
from benchmarks.proof import proof
from benchmarks.provenance import provenance
from benchmarks.reading import percentiles
from projections.collection import collection
from projections.engine import catch_up, rebuild
from projections.object_reading import history
from sources.synchronisation.candidates import open_source
from sources.synchronisation.source_system import find_source
from sources.synchronisation.synchronise import Options, synchronise
from store.garbage import collect_seldom
from store.ledger import Axis, Ledger
from store.settings import Settings

RECORDS = int(os.environ.get("BENCH_RECORDS", "10000"))
READS = 500


def main() -> None:
    """Run everything once in a temporary home, embedded, with fsync on."""
    collect_seldom()  # as the command does
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = Settings(os.environ.get("DATABASE_URL"), Path(folder) / "home")
        first = write_archive(Path(folder) / "1.zip", RECORDS)
        second = write_archive(Path(folder) / "2.zip", RECORDS, state=1)
        with Ledger.open(settings) as ledger:
            _measure(ledger, first, second)


def _measure(ledger: Ledger, first: Path, second: Path) -> None:
    table = Table("work", "amount", "seconds", "rate", title=f"Provenarium on {_machine(ledger)}", title_justify="left")

    def row(work: str, amount: int, unit: str, run: Callable[[], object]) -> None:
        began = time.perf_counter()
        run()
        seconds = time.perf_counter() - began
        table.add_row(work, f"{amount:,} {unit}", f"{seconds:.2f}", f"{amount / seconds:,.0f} {unit}/s")

    def sync(archive: Path) -> None:
        file = open_source(archive)
        synchronise(ledger, file, Options("museum"))
        file.close()

    row("synchronise, all new", RECORDS, "records", lambda: sync(first))
    row("projections catch up", ledger.position(), "events", lambda: catch_up(ledger))
    row("synchronise, unchanged", RECORDS, "records", lambda: sync(first))
    row("synchronise, 1% changed", RECORDS, "records", lambda: sync(second))
    catch_up(ledger)
    row("rebuild all projections", ledger.position(), "events", lambda: rebuild(ledger))
    source = find_source(ledger, "museum")
    assert source is not None
    began = ledger.get(source.pid, 1).occurred
    row(
        "collection as of a past time",
        RECORDS,
        "objects",
        lambda: sum(1 for _ in collection(ledger, source.pid, began, Axis.OCCURRED)),
    )
    row("verify everything", ledger.position(), "events", lambda: verify(ledger))
    console = Console()
    console.print(table)
    console.print(_reads(ledger, source.pid))
    with Ledger.open(replace(ledger.settings, ledger="appending")) as empty:
        console.print(appending(empty))
    with Ledger.open(replace(ledger.settings, ledger="limits")) as empty:
        console.print(limits(empty))
    console.print(proof(ledger, "one version of each specimen"))
    with Ledger.open(replace(ledger.settings, ledger="histories_proved")) as histories:
        with tempfile.TemporaryDirectory() as folder:
            grow(histories, Path(folder), 2 * RECORDS)
        catch_up(histories)
        console.print(proof(histories, "four versions of each"))
    console.print(peers(ledger.settings, Amounts.of(RECORDS)))
    provenance(ledger.settings, console)


def _reads(ledger: Ledger, source: str) -> Table:
    """Reading one object, beside one primary-key SELECT of a stored document on the same connection settings."""
    pids = [state.id for state, _ in zip(collection(ledger, source), range(READS), strict=False)]
    table = Table("read", "p50 µs", "p99 µs", "ratio of p50", title="Reading one object", title_justify="left")
    with psycopg.connect(ledger.conninfo, autocommit=True) as connection:
        table_name = sql.Identifier(ledger.settings.ledger, "objects")
        statement = sql.SQL("SELECT document FROM {} WHERE pid = %s").format(table_name)

        def bare(pid: str) -> None:
            connection.execute(statement, (pid,), prepare=True).fetchone()

        limit = percentiles(bare, pids, len(pids))
    for name, (p50, p99) in (
        ("one SELECT of a stored document", limit),
        ("current version", percentiles(ledger.get, pids, len(pids))),
        ("whole history", percentiles(lambda pid: history(ledger, pid), pids, len(pids))),
    ):
        table.add_row(name, f"{p50:.0f}", f"{p99:.0f}", f"{p50 / limit[0]:.1f}")
    return table


def _machine(ledger: Ledger) -> str:
    with ledger.connection() as connection:
        found = connection.execute("SELECT current_setting('server_version') AS v, current_setting('fsync') AS f")
        row = found.fetchone()
    assert row is not None
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, PostgreSQL {row['v']}, fsync {row['f']}"


if __name__ == "__main__":
    main()
