"""The same work for every store, in turn within each run, so that a machine that slows down slows all of them."""

from __future__ import annotations

import gc
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from threading import Barrier

from benchmarks.documents import Document, document, edited
from benchmarks.peers.own import FOLLOWER, Provenarium
from benchmarks.peers.store import FollowedStore, Store
from benchmarks.reading import percentiles
from domain.digital_object import content_of
from domain.pid import mint

VERSIONS, PAST = 10, 5
"""Versions of each history, and the one that reads of the past ask for."""
WRITERS = 16
_CHECKED = 3
_READY_SECONDS = 60

SINGLE = "append, 1 writer"
CONCURRENT = f"append, {WRITERS} writers"
BULK = "create many at once"
FOLLOW = "follow into one table"
CURRENT = "read current version"
VERSION = f"read version {PAST} of {VERSIONS}"
AS_OF = "read as of a time"
STORED = f"stored, {VERSIONS} versions"
UNITS = {
    SINGLE: "/s",
    CONCURRENT: "/s",
    BULK: "/s",
    FOLLOW: "/s",
    CURRENT: " µs",
    VERSION: " µs",
    AS_OF: " µs",
    STORED: " B",
}
"""Of each work: events or objects a second, microseconds a read, bytes an object."""

Histories = dict[str, list[Document]]


@dataclass(frozen=True)
class Amounts:
    """How much is measured.

    ``histories``: objects that one writer brings to ten versions in each run, and as many by sixteen; ``bulk``:
    objects created at once; ``reads`` of each kind; ``runs``, of which the median counts. With fewer
    than some 500 objects in all, stored bytes are mostly pages that are not full, ours above all: its log has sixteen
    partitions.
    """

    histories: int
    bulk: int
    reads: int
    runs: int = 3

    @classmethod
    def of(cls, records: int) -> Amounts:
        """Amounts that take as long beside the other benchmarks as they do: 10,000 records, three minutes."""
        histories = records // 100 // WRITERS * WRITERS
        return cls(histories=max(3, histories), bulk=max(3, records // 20), reads=max(3, records // 33))


@dataclass(frozen=True)
class Figure:
    """A rate, bytes, or the median of microseconds with their 99th percentile."""

    value: float
    p99: float | None = None


Figures = dict[str, dict[str, Figure]]
"""By work and by the name of a store."""


def measure(stores: Sequence[Store], amounts: Amounts) -> Figures:
    """Every work with every store that can do it; the stores are empty before."""
    taken: dict[str, dict[str, list[Figure]]] = {work: defaultdict(list) for work in UNITS}
    for store in stores:
        store.tidy()
    empty = _sizes(stores)
    for run in range(amounts.runs):
        first = 2 * run * amounts.histories
        alone = _histories(first, amounts.histories)
        together = _histories(first + amounts.histories, amounts.histories)
        gc.collect()
        gc.freeze()  # no store pays for the documents that are kept to tell the others
        for store in stores:
            taken[SINGLE][store.name].append(_single(store, alone))
            taken[CONCURRENT][store.name].append(_concurrent(store, together, next(iter(alone))))
            if isinstance(store, FollowedStore):
                taken[FOLLOW][store.name].append(_follow(store))
            store.analyze()
            for work, figure in _reads(store, alone, amounts.reads).items():
                taken[work][store.name].append(figure)
    for store in stores:
        store.tidy()
    written = 2 * amounts.histories * amounts.runs
    stored = {name: Figure((size - empty[name]) / written) for name, size in _sizes(stores).items()}
    for run in range(amounts.runs):
        fresh = {mint("TEST"): document(10**6 + run * amounts.bulk + number) for number in range(amounts.bulk)}
        for store in stores:
            taken[BULK][store.name].append(_bulk(store, fresh))
    gc.unfreeze()
    figures = {work: {name: _median(several) for name, several in each.items()} for work, each in taken.items()}
    return {**figures, STORED: stored}


def _histories(first: int, amount: int) -> Histories:
    return {mint("TEST"): _versions(number) for number in range(first, first + amount)}


def _versions(number: int) -> list[Document]:
    """The documents of one object; an edit that says what is said already makes no version."""
    found = [document(number)]
    for attempt in count(1):
        if len(found) == VERSIONS:
            break
        after = edited(found[-1], number, attempt)
        if after != found[-1]:
            found.append(after)
    return found


# -- writing --------------------------------------------------------------------------------------


def _write(store: Store, histories: Mapping[str, list[Document]]) -> None:
    for pid, (first, *others) in histories.items():
        held = store.create(pid, first)
        for each in others:
            held = store.change(held, each)


def _single(store: Store, histories: Histories) -> Figure:
    return _rate(len(histories) * VERSIONS, lambda: _write(store, histories))


def _concurrent(store: Store, histories: Histories, known: str) -> Figure:
    """Threads of this process, each with objects of its own, and with a connection before the clock runs."""
    pids = list(histories)
    shares = [{pid: histories[pid] for pid in pids[at::WRITERS]} for at in range(WRITERS)]
    ready = Barrier(WRITERS)

    def work(share: Histories) -> tuple[float, float]:
        try:
            store.current(known)
            ready.wait(_READY_SECONDS)
            began = time.perf_counter()
            _write(store, share)
            return began, time.perf_counter()
        except BaseException:
            ready.abort()
            raise
        finally:
            store.leave()

    with ThreadPoolExecutor(WRITERS) as threads:
        times = list(threads.map(work, shares))
    seconds = max(ended for _, ended in times) - min(began for began, _ in times)
    return Figure(len(histories) * VERSIONS / seconds)


def _bulk(store: Store, documents: Mapping[str, Document]) -> Figure:
    return _rate(len(documents), lambda: store.create_many(documents))


def _follow(store: FollowedStore) -> Figure:
    began = time.perf_counter()
    events = store.follow()
    return Figure(events / (time.perf_counter() - began))


def _rate(amount: int, run: Callable[[], object]) -> Figure:
    began = time.perf_counter()
    run()
    return Figure(amount / (time.perf_counter() - began))


# -- reading --------------------------------------------------------------------------------------


def _reads(store: Store, histories: Histories, reads: int) -> dict[str, Figure]:
    pids = list(histories)
    moments = {pid: store.recorded(pid, PAST) for pid in pids}
    kinds: dict[str, tuple[Callable[[str], Document], int]] = {
        CURRENT: (store.current, VERSIONS),
        VERSION: (lambda pid: store.version(pid, PAST), PAST),
        AS_OF: (lambda pid: store.as_of(pid, moments[pid]), PAST),
    }
    for work, (read, number) in kinds.items():
        for pid in pids[:_CHECKED]:
            if content_of(read(pid)) != content_of(histories[pid][number - 1]):
                raise AssertionError(f"{store.name} does not give back what it was told: {work}")
    return {work: Figure(*percentiles(read, pids, reads)) for work, (read, _) in kinds.items()}


# -- what is stored, and the median ---------------------------------------------------------------


def _sizes(stores: Sequence[Store]) -> dict[str, int]:
    """Bytes by store; a projection counts only on a line of its own."""
    sizes = {}
    for store in stores:
        if isinstance(store, Provenarium):
            sizes[store.name] = store.size(without=(FOLLOWER,))
            sizes[f"  with {FOLLOWER}"] = store.size()
        else:
            sizes[store.name] = store.size()
    return sizes


def _median(several: Sequence[Figure]) -> Figure:
    p99s = [figure.p99 for figure in several if figure.p99 is not None]
    return Figure(statistics.median(figure.value for figure in several), statistics.median(p99s) if p99s else None)
