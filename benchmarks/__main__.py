"""``make bench``: everything that is measured, as tables. Nothing here passes or fails."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.appending import appending
from benchmarks.histories import grow
from benchmarks.limits import limits
from benchmarks.machine import machine
from benchmarks.museums import SIZES, museums
from benchmarks.peers import Amounts, peers
from benchmarks.proof import proof
from benchmarks.provenance import provenance
from benchmarks.time_travel import whole_collection
from projections.engine import catch_up
from store.ledger import Ledger
from store.processes import collect_seldom
from store.settings import Settings

OBJECTS = int(os.environ.get("BENCH_RECORDS", "10000"))
"""Objects of the ledgers that are proved, told as PROV, and kept by peers."""


def main() -> None:
    """Run everything once in a temporary home, embedded, with fsync on; half an hour on two fast cores, else two hours.

    BENCH_MUSEUMS=10000,100000 leaves the largest museum out, with which most of the time goes.
    """
    collect_seldom()  # as the command does
    console = Console(width=None if sys.stdout.isatty() else 140)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = Settings(os.environ.get("DATABASE_URL"), Path(folder) / "home")
        with Ledger.open(settings) as first:
            console.print(f"Provenarium on {machine(first)}")
        console.print(museums(settings, Path(folder), SIZES))
        for name, table in (("appending", appending), ("limits", limits)):
            with Ledger.open(replace(settings, ledger=name)) as empty:
                console.print(table(empty))
        for versions in (1, 4):
            with Ledger.open(replace(settings, ledger=f"proved_{versions}")) as ledger:
                with tempfile.TemporaryDirectory() as archives:
                    grow(ledger, Path(archives), 2 * OBJECTS, versions)
                catch_up(ledger)
                console.print(proof(ledger, f"specimens with versions each: {versions}"))
        with Ledger.open(replace(settings, ledger="time_travel")) as ledger:
            console.print(whole_collection(ledger, 10 * OBJECTS))
        console.print(peers(settings, Amounts.of(OBJECTS)))
        provenance(settings, console)


if __name__ == "__main__":
    main()
