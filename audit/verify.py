"""Checks the store against its own log: every patch, digest, order, snapshot and projection row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from eventsourcing.persistence import PersistenceError
from psycopg import Connection

from audit.any_time import any_time
from audit.bookkeeping import bookkeeping_problems
from audit.findings import Finding, Problem, Verification
from audit.guards import guard_problems
from audit.log_copy import LogCopy, copy_problems
from audit.streams import streams, verify_streams
from audit.tlog.checkpoint import Checkpoint
from audit.tlog.note import VerifierKey
from audit.tree import checkpoint_problems, tile_problems
from audit.whole_log import dictionary_problems, head, log_problems, stragglers, strangers
from domain.errors import NotFound, ProvenariumError
from projections.engine import catch_up
from store.ledger import Ledger

Progress = Callable[[int, int | None], None]


def verify(
    ledger: Ledger,
    pid: str | None = None,
    progress: Progress = lambda _done, _total: None,
    outside: Sequence[tuple[str, Checkpoint]] = (),
    copy: LogCopy | None = None,
    keys: Sequence[VerifierKey] = (),
) -> Verification:
    """Re-apply every patch, recompute every digest, and compare snapshots and projections with the log.

    For one object, or for the whole ledger, where the order of the log is checked too. Problems
    are collected, not raised. Everything is read in one transaction that sees the store as it is at
    one moment, so others may go on writing. ``outside`` are checkpoints kept elsewhere, each with
    where it comes from: what the database alone cannot tell, they do. With a ``copy`` of the log kept elsewhere, the
    first event that was altered is named, however consistent everything else was made with it. ``keys`` are those that
    may have signed the checkpoints in the database.

    Raises :class:`NotFound` for a PID that is not there.
    """
    found = Verification()
    found.add(behind(ledger))
    with ledger.connection() as connection, any_time(connection), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found.position = head(connection)
        if pid is None:
            found.add(log_problems(connection))
            for pids in streams(connection):
                verify_streams(ledger, connection, pids, found)
                progress(found.events, found.position)
            found.add(stragglers(connection, found.events))
            found.add(whole_problems(ledger, connection, outside, copy, keys))
        else:
            verify_streams(ledger, connection, [pid], found)
            if not found.events:
                raise NotFound(f"there is no object {pid} in this ledger")
    return found


def behind(ledger: Ledger) -> list[Finding]:
    """Bring the projections up to date; what keeps them from it, if anything does."""
    try:
        catch_up(ledger)
    except (ProvenariumError, PersistenceError) as error:
        return [("projections", f"cannot be brought up to date: {' '.join(str(error).split())}")]
    return []


def whole_problems(
    ledger: Ledger,
    connection: Connection[Any],
    outside: Sequence[tuple[str, Checkpoint]] = (),
    copy: LogCopy | None = None,
    keys: Sequence[VerifierKey] = (),
) -> Iterator[Finding]:
    """What no object alone tells: rows of none, the tree, checkpoints, dictionaries, guards, bookkeeping."""
    yield from strangers(connection)
    yield from tile_problems(connection)
    if copy is None:
        yield from checkpoint_problems(connection, outside, keys)
    else:
        yield from checkpoint_problems(connection, [*outside, (copy.where, copy.checkpoint)], keys)
        yield from copy_problems(ledger, connection, copy)
    yield from dictionary_problems(connection)
    yield from guard_problems(connection)
    yield from bookkeeping_problems(ledger, connection)


__all__ = ["Problem", "Verification", "behind", "verify", "whole_problems"]
