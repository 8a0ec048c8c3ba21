"""When an object was valid: the periods between its creation, its tombstones and its restores."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

TOMBSTONE = "ods:Tombstone"
RESTORE = "ods:Restore"


class Period(NamedTuple):
    """Validity from the version ``begin`` up to, and without, the tombstone ``end``; None: it lasts."""

    begin: int
    end: int | None


@dataclass(frozen=True)
class Validity:
    """The periods of validity of one object, in order, and whether it was ever withdrawn.

    What is told of some of its versions depends on them too, so they are known apart from the events.
    """

    periods: tuple[Period, ...]
    was_withdrawn: bool

    @classmethod
    def of(cls, turns: Iterable[tuple[int, str]]) -> Validity:
        """From the ``(version, activity type)`` of an object's tombstones and restores, in version order.

        Other types are passed over. The first version of an object makes it valid.
        """
        periods = [Period(1, None)]
        was_withdrawn = False
        for version, activity_type in turns:
            valid = periods[-1].end is None
            was_withdrawn = was_withdrawn or activity_type == TOMBSTONE
            if activity_type == TOMBSTONE and valid:
                periods[-1] = Period(periods[-1].begin, version)
            elif activity_type == RESTORE and not valid:
                periods.append(Period(version, None))
        return cls(tuple(periods), was_withdrawn)

    @property
    def withdrawn_by(self) -> int | None:
        """The version that is the tombstone that still stands."""
        return self.periods[-1].end

    def period(self, version: int) -> int | None:
        """The number, from 1, of the period that holds a version; None for a tombstone and while withdrawn."""
        number = bisect_right(self.periods, version, key=_begin)
        end = self.periods[number - 1].end
        return number if end is None or version < end else None

    def ended_by(self, version: int) -> int | None:
        """The number of the period that a tombstone ended; None for any other version."""
        number = bisect_right(self.periods, version, key=_begin)
        return number if self.periods[number - 1].end == version else None

    def begins(self, version: int) -> bool:
        """Whether a period begins with a version."""
        return self.periods[bisect_right(self.periods, version, key=_begin) - 1].begin == version


ALWAYS = Validity((Period(1, None),), was_withdrawn=False)
"""The validity of an object that was never withdrawn, as nearly all are."""


def _begin(period: Period) -> int:
    return period.begin
