"""Reads the next page while the present one is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Page = TypeVar("Page")


def read_ahead(pages: Iterator[Page]) -> Iterator[Page]:
    """The same pages, each read in a thread of its own while whoever asked works on the one before."""
    with ThreadPoolExecutor(1, "reading ahead") as reader:
        coming = reader.submit(next, pages, None)
        while (page := coming.result()) is not None:
            coming = reader.submit(next, pages, None)
            yield page
