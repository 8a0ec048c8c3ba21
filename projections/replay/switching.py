"""Puts new tables in the place of the live ones in one transaction, and the former ones back in another."""

from __future__ import annotations

import time
from collections.abc import Callable

from psycopg import sql
from psycopg.errors import LockNotAvailable

from domain.errors import Conflict, NotFound
from projections.following import PROJECTIONS, follow, positions
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
from store.ledger import Ledger
from store.statements import select

LOCK_MILLISECONDS = 500
"""How long the switch waits for readers before it lets those behind it go first; less than the deadlock time-out, so
that it gives way and not they."""
PAUSE_SECONDS = 0.5


def switch(ledger: Ledger, beside: Ledger, kinds: Kinds, waiting: Callable[[], None]) -> None:
    """Make the tables of ``next`` the live ones; the live ones become the former.

    Readers see either the old tables or the new, whole ones. ``waiting`` is told each time when readers that hold
    the old tables have been waited for in vain; the switch is then tried again.
    """
    _exchange(ledger, beside, next_of(ledger), kinds, waiting)
    drop(ledger, next_of(ledger))


def switch_back(ledger: Ledger, waiting: Callable[[], None]) -> list[str]:
    """Make the former tables the live ones again, brought up to date; returns the names of their projections.

    Raises :class:`NotFound` when there are none, :class:`Conflict` when this program does not know how to go on with
    them, because they are of another version.
    """
    if not is_there(ledger, former_of(ledger)):
        raise NotFound("there are no former tables to switch back to")
    with ledger.beside(former_of(ledger)) as former:
        versions = {name: version for name, (version, _) in positions(former).items()}
        for name, version in versions.items():
            if PROJECTIONS[name].version != version:
                raise Conflict(
                    f"the former tables of {name} are of its version {version}, this program has version "
                    f"{PROJECTIONS[name].version}; switch back with the program that made them"
                )
        kinds = [PROJECTIONS[name] for name in versions]
        _exchange(ledger, former, former_of(ledger), kinds, waiting)
    return list(versions)


def _exchange(ledger: Ledger, beside: Ledger, source: str, kinds: Kinds, waiting: Callable[[], None]) -> None:
    names = [kind.name for kind in kinds]
    while True:
        follow(beside, names)
        try:
            with as_owner(ledger) as connection:
                _take_over(ledger, connection, beside, source, kinds)
                return
        except LockNotAvailable:
            waiting()
            time.sleep(PAUSE_SECONDS)


def _take_over(ledger: Ledger, connection: Connection, beside: Ledger, source: str, kinds: Kinds) -> None:
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
