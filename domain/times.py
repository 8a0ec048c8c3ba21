"""Times: always with a zone, always UTC inside, microseconds, written as RFC 3339."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from domain.errors import InvalidTime

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


@lru_cache(maxsize=1024)  # the events of a run have their times in common
def to_text(moment: datetime) -> str:
    """RFC 3339 in UTC with six decimals, so that text order is time order."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def from_text(text: str) -> datetime:
    """Read what :func:`to_text` wrote, or any RFC 3339 time with a zone.

    Raises :class:`InvalidTime` when the text is no time or has no zone.
    """
    return _from_text(text.strip())


@lru_cache(maxsize=1024)  # the events of a run have their times in common
def _from_text(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidTime(f"{text!r} is not a time; write 2023-02-24 or 2023-02-24T12:00:00Z") from None
    if moment.tzinfo is None:
        raise InvalidTime(f"{text!r} has no time zone; add Z or an offset such as +01:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidTime(f"{text!r} lies outside the years 1 to 9999 in UTC") from None


def start_of(text: str) -> datetime:
    """A time, or a date meaning its first moment in UTC."""
    return datetime.combine(_date(text), time(), UTC) if _is_date(text) else from_text(text)


def end_of(text: str) -> datetime:
    """A time, or a date meaning its last moment in UTC: *as it was on that day*."""
    if _is_date(text):
        return datetime.combine(_date(text), time(), UTC) + timedelta(days=1, microseconds=-1)
    return from_text(text)


def _is_date(text: str) -> bool:
    return _DATE.fullmatch(text.strip()) is not None


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidTime(f"{text!r} is not a date that exists") from None
