"""Keeps projections up to date, and makes their tables anew when the program computes them differently."""

from __future__ import annotations

from collections.abc import Iterable

from domain.errors import IntegrityFailure
from projections.following import (
    BATCH,
    OBJECT_PROJECTIONS,
    PROJECTIONS,
    Progress,
    begun,
    follow,
    known,
    lag,
)
from projections.replay.rebuild import rebuild
from store.ledger import Ledger


def catch_up(
    ledger: Ledger, names: Iterable[str] | None = None, progress: Progress = lambda _done, _total: None
) -> int:
    """Bring projections (default all) up to the end of the log as it is now; returns that position.

    Safe to run from several processes: a batch is done by one of them. A projection of which the program has another
    version than the database, or which is new, is rebuilt beside the live one first. ``progress`` is told
    (position, end).

    Raises :class:`ProjectionFailed` for an event that cannot be taken in, :class:`NotFound` for a name that is no
    projection, :class:`IntegrityFailure` when a newer program has rebuilt one: an older one would build it back.
    """
    chosen = known(names)
    there = begun(ledger, chosen)
    for name in chosen:
        version = there.get(name, (0, 0))[0]
        if version > PROJECTIONS[name].version:
            raise IntegrityFailure(
                f"the projection {name!r} is of version {version}, newer than this program, which knows version "
                f"{PROJECTIONS[name].version}; upgrade the program"
            )
    outdated = [name for name in chosen if name not in there or there[name][0] != PROJECTIONS[name].version]
    if outdated:
        rebuild(ledger, outdated, progress, instead=True)
    return follow(ledger, chosen, progress=progress)


__all__ = ["BATCH", "OBJECT_PROJECTIONS", "PROJECTIONS", "catch_up", "lag", "rebuild"]
