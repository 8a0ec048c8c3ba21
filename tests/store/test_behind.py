"""What is stored while the next is made ready: in order, one at a time, and no failure is passed over."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from store.behind import Behind


class Lost(Exception):
    pass


def fail() -> None:
    raise Lost


def run(*pieces: Callable[[], None], error: BaseException | None = None) -> None:
    """Do these, and raise the error before the end."""
    with Behind() as behind:
        for piece in pieces:
            behind.do(piece)
        if error is not None:
            raise error


def test_pieces_are_done_in_order_one_at_a_time_while_the_next_is_made_ready() -> None:
    done: list[int] = []
    free = threading.Event()

    def first() -> None:
        assert free.wait(30)
        done.append(1)

    with Behind() as behind:
        behind.do(first)
        assert done == []  # we are here while it is being done
        free.set()
        behind.do(lambda: done.append(2))
        assert done[0] == 1
        behind.do(lambda: done.append(3))
    assert done == [1, 2, 3]


def test_a_failure_is_told_before_the_next_piece_begins() -> None:
    done: list[int] = []
    with pytest.raises(Lost):
        run(fail, lambda: done.append(2))
    assert done == []


def test_the_failure_of_the_last_piece_is_told() -> None:
    with pytest.raises(Lost):
        run(fail)


def test_a_failure_goes_before_an_error_beside_it() -> None:
    with pytest.raises(Lost):
        run(fail, error=ValueError())


@pytest.mark.parametrize("last", [fail, lambda: None])
def test_an_interruption_goes_before_all_and_waits_for_what_is_being_done(last: Callable[[], None]) -> None:
    done: list[int] = []
    free = threading.Event()

    def slow() -> None:
        assert free.wait(30)
        done.append(1)
        last()

    threading.Timer(0.05, free.set).start()
    with pytest.raises(KeyboardInterrupt):
        run(slow, error=KeyboardInterrupt())
    assert done == [1]
