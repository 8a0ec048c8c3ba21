"""The continuous self-check: verification of the whole ledger in small steps that a server can run beside its work.

A pass verifies the log up to where it ended when the pass began, object by object. Each step is a
transaction of its own that notes how far it got, so a killed pass goes on where it stopped. What it notes is sealed
(:mod:`audit.seal`): a pass that somebody wrote into the database is neither gone on with nor told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import orjson
from psycopg import Connection

from audit.any_time import any_time
from audit.findings import Problem, Verification
from audit.log_copy import LogCopy
from audit.seal import Seal
from audit.streams import streams, verify_streams
from audit.tlog.checkpoint import Checkpoint
from audit.tlog.note import VerifierKey
from audit.verify import behind, whole_problems
from audit.whole_log import log_problems
from domain.errors import Conflict
from domain.times import to_text
from store import statements
from store.ledger import Ledger
from store.statements import select

SQL = statements.load("audit", "self_check.sql")
MOST_PROBLEMS = 1000
"""A pass keeps so many; of a store that is all wrong, more would say no more."""


@dataclass(frozen=True)
class Pass:
    """One pass: up to which position it verifies, how far it got, what it found, and when it finished."""

    id: UUID
    position: int
    started: datetime
    after: str | None
    objects: int
    events: int
    problems: tuple[Problem, ...]
    finished: datetime | None

    @property
    def sentence(self) -> str:
        """What can be said of the ledger, for a person."""
        if self.finished is None:
            return f"{self.events} of {self.position} events verified since {to_text(self.started)}"
        verdict = "everything adds up" if not self.problems else f"{len(self.problems)} problems"
        return f"verified up to position {self.position} at {to_text(self.finished)}: {verdict}"

    def to_json(self) -> dict[str, Any]:
        """The pass under the names the command prints."""
        return {
            "ok": not self.problems,
            "position": self.position,
            "objects": self.objects,
            "events": self.events,
            "started": to_text(self.started),
            "finished": to_text(self.finished) if self.finished else None,
            "problems": [{"where": problem.where, "what": problem.what} for problem in self.problems],
        }


def last_pass(ledger: Ledger) -> Pass | None:
    """The newest pass that finished, None before the first; of those that this installation made."""
    seal = Seal(ledger.settings.home, ledger.settings.ledger)
    with ledger.connection() as connection:
        return _newest(connection, "finished", seal)


def run(
    ledger: Ledger,
    outside: Sequence[tuple[str, Checkpoint]] = (),
    copy: LogCopy | None = None,
    keys: Sequence[VerifierKey] = (),
) -> Iterator[Pass]:
    """Go on with the pass that is under way, or begin one; yields it after every step, at last finished.

    Stop taking from it at any time: the next call goes on. Raises :class:`Conflict` while another process is at it.
    """
    seal = Seal(ledger.settings.home, ledger.settings.ledger)
    while True:
        reached = _step(ledger, seal, outside, copy, keys)
        yield reached
        if reached.finished is not None:
            return


def _step(
    ledger: Ledger,
    seal: Seal,
    outside: Sequence[tuple[str, Checkpoint]],
    copy: LogCopy | None,
    keys: Sequence[VerifierKey],
) -> Pass:
    late = behind(ledger)
    with ledger.connection() as connection, any_time(connection), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        if not select(connection, SQL["lock"])[0][0]:
            raise Conflict("another process is verifying this ledger; wait until it has finished")
        current = _newest(connection, "unfinished", seal)
        if current is None:
            current = _pass(select(connection, SQL["begin"], (uuid4(), ledger.position()))[0])
        found = Verification(objects=current.objects, events=current.events, problems=list(current.problems))
        pids = next(islice(streams(connection, current.after), 1), None)
        if pids:
            verify_streams(ledger, connection, pids, found)
        else:
            found.add(late)
            found.add(log_problems(connection))
            found.add(whole_problems(ledger, connection, outside, copy, keys))
        problems = [[problem.where, problem.what] for problem in found.problems[:MOST_PROBLEMS]]
        row = (
            pids[-1] if pids else current.after,
            found.objects,
            found.events,
            orjson.dumps(problems).decode(),
            not pids,
            current.id,
        )
        noted = select(connection, SQL["advance"], row)[0]
        made, state = seal.of(*noted), "unfinished" if pids else "finished"
        connection.execute(SQL["seal"], (made, current.id))
        seal.announce(state, made)
    seal.settle(state, made)
    return _pass(noted)


def _newest(connection: Connection[Any], statement: str, seal: Seal) -> Pass | None:
    """The newest pass, if its seal holds and no newer one was made."""
    last = seal.last(statement)
    for *row, sealed in select(connection, SQL[statement]):
        if seal.holds(sealed, *row) and sealed.hex() in last:
            return _pass(row)
    return None


def _pass(row: Sequence[Any]) -> Pass:
    identifier, position, started, after, objects, events, problems, finished = row
    told = tuple(Problem(*problem) for problem in problems)
    return Pass(identifier, position, started, after, objects, events, told, finished)
