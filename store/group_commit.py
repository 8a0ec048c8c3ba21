"""Group commit: what threads append at the same time goes into one transaction, so they share the wait for the disk.

Whoever comes first commits for all who wait, in the order in which they came. Nobody waits for others to come: one
writer alone commits at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from eventsourcing.persistence import InterfaceError, OperationalError, StoredEvent

from domain.errors import StoreUnavailable

MAX_EVENTS = 1000
MAX_OCTETS = 4 * 2**20
"""What one transaction takes of those who wait; the first is taken whatever its size."""


@dataclass(eq=False)
class Append:
    """Events, and snapshots to go with them, of one who waits; then what came of it."""

    events: Sequence[StoredEvent]
    snapshots: Sequence[StoredEvent] = ()
    positions: list[int] | None = None
    error: BaseException | None = field(default=None, repr=False)
    leads: bool = False
    gate: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Held until the append is stored, has failed, or is the one to commit for the others."""

    @property
    def octets(self) -> int:
        return sum(len(each.state) for each in (*self.events, *self.snapshots))


class GroupCommit:
    """Gathers appends. ``commit`` stores those it is given in one transaction, and returns their events' positions."""

    def __init__(self, commit: Callable[[Sequence[Append]], list[int]]) -> None:
        self._commit = commit
        self._waiting: deque[Append] = deque()
        self._is_led = False
        self._turn = threading.Lock()

    def append(self, append: Append) -> list[int]:
        """Store one append; returns its positions, or raises what it failed for."""
        append.gate.acquire()
        with self._turn:
            self._waiting.append(append)
            append.leads = not self._is_led
            self._is_led = True
        if not append.leads:
            try:
                append.gate.acquire()
            except BaseException:  # this thread was interrupted, and nobody may wait for it
                self._withdraw(append)
                raise
        if append.leads:
            self._lead()
        if append.error is not None:
            raise append.error
        assert append.positions is not None
        return append.positions

    def _lead(self) -> None:
        """Commit for those who wait, this one first; then the next of those who came meanwhile leads."""
        group = self._next_group()
        try:
            self._commit_group(group)
        finally:
            with self._turn:
                self._pass_on()
            for each in group[1:]:
                each.gate.release()

    def _pass_on(self) -> None:
        self._is_led = bool(self._waiting)
        if self._waiting:
            self._waiting[0].leads = True
            self._waiting[0].gate.release()

    def _withdraw(self, append: Append) -> None:
        with self._turn:
            if append in self._waiting:
                self._waiting.remove(append)
                if append.leads:
                    self._pass_on()

    def _commit_group(self, group: Sequence[Append]) -> None:
        try:
            self._store(group)
        except (OperationalError, InterfaceError, StoreUnavailable) as error:  # what was committed is not known
            for each in group:
                each.error = _copy(error)
        except Exception as error:  # noqa: BLE001 - it is raised where the append was asked for
            if len(group) == 1:
                group[0].error = error
                return
            for each in group:  # only those that are in conflict fail
                self._commit_one(each)
        except BaseException:
            for each in group:
                each.error = OperationalError("interrupted while it was recorded")
            raise

    def _commit_one(self, append: Append) -> None:
        try:
            self._store([append])
        except Exception as error:  # noqa: BLE001 - it is raised where the append was asked for
            append.error = error

    def _store(self, group: Sequence[Append]) -> None:
        positions = iter(self._commit(group))
        for each in group:
            each.positions = [position for _, position in zip(each.events, positions, strict=False)]

    def _next_group(self) -> list[Append]:
        group: list[Append] = []
        events = octets = 0
        while self._waiting:
            first = self._waiting[0]  # others only append at the other end
            events, octets = events + len(first.events), octets + first.octets
            if group and (events > MAX_EVENTS or octets > MAX_OCTETS):
                break
            group.append(self._waiting.popleft())
        return group


def _copy(error: BaseException) -> BaseException:
    """An error for one of several threads, each of which adds its own traceback to what it raises."""
    try:
        copy = type(error)(*error.args)
    except TypeError:
        return error
    copy.__cause__ = error.__cause__ or error
    return copy
