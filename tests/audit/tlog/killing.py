"""A process killed at any step: the n-th call of the system that changes something, and all after it, do not happen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from audit.tlog import private_folder

CHANGES = {"open", "fdopen", "fchmod", "link", "rename", "unlink", "fsync"}


class Killed(BaseException):
    """Not an Exception: nothing may catch it."""


class _Dying:
    def __init__(self, steps: int) -> None:
        self.left = steps

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in CHANGES:
            return real

        def call(*arguments: Any, **options: Any) -> Any:
            if self.left == 0:
                raise Killed
            self.left -= 1
            return real(*arguments, **options)

        return call


def killed_at_every_step(action: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Run an action that dies before its step 0, then its step 1, and so on until it comes to its end.

    Yields after each death; the caller looks at what is left and puts everything back.
    """
    for step in range(1000):
        with monkeypatch.context() as patch:
            patch.setattr(private_folder, "os", _Dying(step))
            try:
                action()
            except Killed:
                pass
            else:
                assert step > 5
                return
        yield step
    raise AssertionError("the action does not end")
