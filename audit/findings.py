"""What verification looks for and reports: problems, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Finding = tuple[str, str]
"""Where (``PID/n``, a table and its row, a position) and what."""


@dataclass(frozen=True)
class Problem:
    """Something that does not add up: where (``PID/n``, a table, a position) and what."""

    where: str
    what: str


@dataclass
class Verification:
    """What was checked, and every problem found."""

    objects: int = 0
    events: int = 0
    position: int = 0
    problems: list[Problem] = field(default_factory=list)

    def add(self, findings: Iterable[Finding]) -> None:
        """Note what was found, as (where, what)."""
        self.problems.extend(Problem(*finding) for finding in findings)

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The report under the names the command prints."""
        return {
            "ok": self.ok,
            "objects": self.objects,
            "events": self.events,
            "position": self.position,
            "problems": [{"where": problem.where, "what": problem.what} for problem in self.problems],
        }
