"""The process that follows the log beside the work: it helps, and nothing depends on it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable

import pytest

from projections.engine import OBJECT_PROJECTIONS, PROJECTIONS, catch_up, lag
from projections.following_beside import followed_meanwhile
from projections.versions import Versions
from store.ledger import Ledger
from tests.projections.test_engine import expected, fill, stored


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children() -> list[multiprocessing.process.BaseProcess]:
    return multiprocessing.active_children()


def test_what_is_recorded_meanwhile_is_followed_by_another_process(ledger: Ledger) -> None:
    with followed_meanwhile(ledger, after=0):
        pids = fill(ledger)
        until(lambda: set(lag(ledger).values()) == {0})
        pids += fill(ledger, group="BBB")
        until(lambda: set(lag(ledger).values()) == {0})
    assert not children()
    assert stored(ledger, pids) == expected(ledger, pids)


def test_killing_it_loses_nothing(ledger: Ledger) -> None:
    with followed_meanwhile(ledger, after=0):
        pids = fill(ledger)
        until(children)
        for process in children():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        pids += fill(ledger, group="BBB")
    catch_up(ledger)
    assert set(lag(ledger).values()) == {0}
    assert stored(ledger, pids) == expected(ledger, pids)


def test_short_work_starts_no_process(ledger: Ledger) -> None:
    with followed_meanwhile(ledger):
        fill(ledger, 1, 1)
        assert not children()
    assert lag(ledger) == dict.fromkeys(PROJECTIONS, 1)


def test_a_projection_that_needs_a_rebuild_is_left_to_catching_up(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    catch_up(ledger)

    class Next(Versions):
        version = Versions.version + 1

    monkeypatch.setitem(PROJECTIONS, "versions", Next)
    monkeypatch.setitem(OBJECT_PROJECTIONS, "versions", Next)
    with followed_meanwhile(ledger, after=0):
        fill(ledger, 1, 1)
        time.sleep(0.5)
        assert not children()


def test_an_error_in_the_work_ends_it_too(ledger: Ledger) -> None:
    def fail() -> None:
        with followed_meanwhile(ledger, after=0):
            until(children)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not children()
