"""Processes of the program: how often they look for garbage, and how one starts another to help it."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any


def collect_seldom() -> None:
    """For processes that make and drop many documents: these have no cycles, and looking for some takes a tenth."""
    gc.set_threshold(250_000, 20, 50)


def start_helper(work: Callable[..., None], *arguments: Any, listens: bool = False) -> tuple[BaseProcess, Connection]:
    """Start ``work(*arguments, pipe)`` in a process of its own, which ends with this one at the latest.

    Returns it with our end of the pipe, through which it tells us something, or if it ``listens``, we tell it.
    """
    context = multiprocessing.get_context("spawn")
    reading, writing = context.Pipe(duplex=False)
    ours, theirs = (writing, reading) if listens else (reading, writing)
    process = context.Process(target=_help, args=(work, arguments, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _help(work: Callable[..., None], arguments: tuple[Any, ...], pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; who started this one decides
    collect_seldom()
    work(*arguments, pipe)
