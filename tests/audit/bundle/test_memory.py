"""Bundles are written and checked in memory that hardly depends on how many events there are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from store.settings import Settings

ROOT = Path(__file__).parents[3]
SMALL, LARGE = 1_000, 20_000
KEPT = 200
"""Bytes that the verifier may keep of an event, with those it needs to sort them."""


def test_memory_stays_flat(new_settings: Callable[[], Settings], tmp_path: Path) -> None:
    settings = new_settings()
    command = [sys.executable, "-m", "tests.audit.bundle.measuring", str(settings.database_url), settings.ledger]
    done = subprocess.run(
        [*command, str(tmp_path), str(SMALL), str(LARGE)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    small, large = map(json.loads, done.stdout.splitlines())
    assert (small["events"], large["events"]) == (SMALL, LARGE)
    more = (LARGE - SMALL) / 1000
    assert large["written"] - large["before"] < 4 * 1024, (small, large)
    assert large["checked"] - large["written"] < 4 * 1024 + more * KEPT * 1000 / 1024, (small, large)
