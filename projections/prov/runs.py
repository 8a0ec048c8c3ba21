"""Runs as PROV tells them: what kind, from when to when, and which run a reversal reverts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

TYPES = {"sync": "Synchronisation", "revert": "Reversal"}
"""Kind of run -> ``ods:`` type of its activity."""


@dataclass(frozen=True)
class Run:
    """One run; ``finished`` is None while it was not known to have ended, ``reverts`` the id of a run."""

    id: str
    kind: str
    started: datetime
    finished: datetime | None = None
    reverts: str | None = None

    @property
    def ended(self) -> datetime | None:
        """When it finished, by a clock that may differ a little from the one that says when it started."""
        return None if self.finished is None else max(self.finished, self.started)


class Runs(Protocol):
    """Runs by their id: a mapping, or what looks them up when they are first needed."""

    def get(self, run: str, /) -> Run | None: ...


def run_id(text: str) -> str:
    """The id of a run as a key: a UUID in its usual form, any other text as it is."""
    try:
        return str(UUID(text))
    except ValueError:
        return text
