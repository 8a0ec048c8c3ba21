"""``python -m benchmarks.peers``: this comparison alone, sized by BENCH_RECORDS as ``make bench`` is."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.peers import Amounts, peers
from store.processes import collect_seldom
from store.settings import Settings


def main() -> None:
    """Measure on a server of its own, or on that of DATABASE_URL, and print the table."""
    collect_seldom()  # as the command does
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = Settings(os.environ.get("DATABASE_URL"), Path(folder) / "home")
        Console().print(peers(settings, Amounts.of(int(os.environ.get("BENCH_RECORDS", "10000")))))


if __name__ == "__main__":
    main()
