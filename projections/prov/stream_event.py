"""A stored event as the direct writer of PROV takes it."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from domain.times import to_text

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
"""A time in the one form whose text order is time order."""


class Told(NamedTuple):
    """One event as it is stored: its JSON value, and what the log knows of it."""

    value: dict[str, Any]
    position: int
    recorded: datetime


@lru_cache(1024)
def text_of(moment: datetime) -> str:
    """A time in this form."""
    return to_text(moment)
