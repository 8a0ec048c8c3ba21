"""How often Python looks for garbage."""

from __future__ import annotations

import gc


def collect_seldom() -> None:
    """For processes that make and drop many documents: these have no cycles, and looking for some takes a tenth."""
    gc.set_threshold(250_000, 20, 50)
