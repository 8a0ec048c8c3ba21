"""Stores what is ready while the next is made ready."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self


class Behind:
    """One piece of work after another in a thread of its own, never more than one at a time.

    When the context ends, all of it is done.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "behind")
        self._present: Future[None] | None = None

    def do(self, work: Callable[[], None]) -> None:
        """Begin this when the piece before is done; raises what that one raised."""
        self._finish()
        self._present = self._thread.submit(work)

    def _finish(self) -> None:
        if self._present is not None:
            present, self._present = self._present, None
            present.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the last piece; what it raised goes before any error here, but not before an interruption."""
        self._thread.shutdown()
        if kind is None or issubclass(kind, Exception):
            self._finish()
