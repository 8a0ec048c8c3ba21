"""The life of one object step by step: each event with the state it led to and the terms it changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from domain.digital_object import DigitalObject, project
from domain.events import DigitalObjectEvent
from domain.terms import ABSENT, Changes, changes


@dataclass(frozen=True)
class Step:
    """One event, what it changed, and the state after it.

    ``state`` is the one object that the fold goes on with: read it before taking the next step.
    """

    event: DigitalObjectEvent
    changes: Changes
    state: DigitalObject

    @property
    def terms(self) -> list[str]:
        """The names of the changed terms, sorted; empty for version 1, which sets them all."""
        if self.event.originator_version == 1:
            return []
        return sorted({change.term for change in self.changes.terms})


def steps(events: Iterable[DigitalObjectEvent], state: DigitalObject | None = None) -> Iterator[Step]:
    """Fold events of one object after ``state`` (None: from version 1), yielding every step.

    Raises :class:`domain.errors.IntegrityFailure` when a version is missing or does not apply.
    """
    for event in events:
        changed = Changes((), {}) if state is None else changes(state.document, event.patch)
        state = project(state, [event])
        assert state is not None
        yield Step(event, changed, state)


__all__ = ["ABSENT", "Step", "steps"]
