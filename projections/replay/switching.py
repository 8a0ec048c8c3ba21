"""Puts new tables in the place of the live ones in one transaction, and the former ones back in another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from psycopg import sql
from psycopg.errors import LockNotAvailable

from domain.errors import Conflict, NotFound
from projections.following import PROJECTIONS, follow, known, positions
from projections.projection import SQL as READ_MODELS
from projections.replay.beside import (
    SQL,
    Connection,
    Kinds,
    as_owner,
    drop,
    former_of,
    holding,
    is_there,
    make_former,
    move,
    next_of,
    put_positions,
    remove,
)
from projections.replay.status import finish, last_switched
from store.ledger import Ledger
from store.statements import select

LOCK_MILLISECONDS = 500
"""How long the switch waits for readers before it lets those behind it go first; less than the deadlock time-out, so
that it gives way and not they."""
PAUSE_SECONDS = 0.5


def switch(ledger: Ledger, beside: Ledger, kinds: Kinds, waiting: Callable[[], None]) -> int:
    """Make the tables of ``next`` the live ones; the live ones become the former. Returns the position they are at.

    Readers see either the old tables or the new, whole ones. ``waiting`` is told each time when readers that hold
    the old tables have been waited for in vain; the switch is then tried again.
    """
    reached = _exchange(ledger, beside, next_of(ledger), kinds, waiting)
    drop(ledger, next_of(ledger))
    return reached


def switch_back(ledger: Ledger, waiting: Callable[[], None], names: Sequence[str] | None = None) -> list[str]:
    """Make former tables the live ones again, brought up to date; returns the names of their projections.

    Those of ``names``, or else of the rebuild that was switched to last. Given again, it takes that back.
    Raises :class:`NotFound` when there are none, :class:`Conflict` when this program does not know how to go on with
    them, because they are of another version.
    """
    last = last_switched(ledger)
    wanted = known(names) if names else last[1] if last is not None else []
    if not (wanted and is_there(ledger, former_of(ledger))):
        raise NotFound("there are no former tables to switch back to")
    with ledger.beside(former_of(ledger)) as former:
        there = {name: version for name, (version, _) in positions(former).items()}
        if missing := [name for name in wanted if name not in there]:
            raise NotFound(f"there are no former tables of {', '.join(missing)}; there are those of {', '.join(there)}")
        versions = {name: there[name] for name in wanted}
        for name, version in versions.items():
            if PROJECTIONS[name].version != version:
                raise Conflict(
                    f"the former tables of {name} are of its version {version}, this program has version "
                    f"{PROJECTIONS[name].version}; switch back with the program that made them"
                )
        kinds = [PROJECTIONS[name] for name in versions]
        _exchange(ledger, former, former_of(ledger), kinds, waiting)
    if last is not None and set(last[1]) == set(versions):
        finish(ledger, last[0], "switched" if last[2] == "switched back" else "switched back")
    return list(versions)


def _exchange(ledger: Ledger, beside: Ledger, source: str, kinds: Kinds, waiting: Callable[[], None]) -> int:
    """Returns the position at which the tables changed places."""
    names = [kind.name for kind in kinds]
    while True:
        follow(beside, names)
        try:
            with as_owner(ledger) as connection:
                return _take_over(ledger, connection, beside, source, kinds)
        except LockNotAvailable:
            waiting()
            time.sleep(PAUSE_SECONDS)


def _take_over(ledger: Ledger, connection: Connection, beside: Ledger, source: str, kinds: Kinds) -> int:
    """In one transaction: nobody follows the log with the old tables, the new ones catch up, and they change places."""
    own, former, names = ledger.settings.ledger, former_of(ledger), [kind.name for kind in kinds]
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_MILLISECONDS)))
    live = select(connection, READ_MODELS["lock_positions"], (names,))
    furthest = max(position for position in (*(at for _, _, at in live), *(at for _, at in positions(beside).values())))
    follow(beside, names, min(furthest, ledger.position()))  # live ones beyond the end of the log were tampered with
    tables = {table for (table,) in connection.execute(SQL["tables_in"], (own,)).fetchall()}
    leaving = sorted(kind.table for kind in kinds if kind.table in tables)
    if leaving:
        locked = sql.SQL(", ").join(sql.Identifier(own, table) for table in leaving)
        connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(locked))
    make_former(ledger, connection)
    with holding(ledger, connection) as hold:
        for kind in kinds:
            if kind.table in leaving:
                move(connection, kind.table, own, hold)
            move(connection, kind.table, source, own)
            remove(connection, kind.table, former)
            if kind.table in leaving:
                move(connection, kind.table, hold, former)
    taken = positions(beside)
    put_positions(connection, own, [(name, *taken[name]) for name in names])
    put_positions(connection, former, live)
    return min(taken[name][1] for name in names)
