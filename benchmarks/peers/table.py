"""The comparison as a table: each work with every store, ours first."""

from __future__ import annotations

from contextlib import ExitStack

import psycopg
from rich.table import Table

from benchmarks.peers.measuring import UNITS, VERSIONS, Amounts, Figure, measure
from benchmarks.peers.own import Provenarium
from benchmarks.peers.stores import open_stores
from store.settings import Settings


def peers(settings: Settings, amounts: Amounts) -> Table:
    """Measure and tell. The ratio is ours divided by theirs: above 1 is better for rates, below 1 for the rest.

    Everything is dropped from the server again.
    """
    table = Table("work", "store", "measured", "p99", "ratio", title_justify="left", caption_justify="left")
    table.columns[1].no_wrap = True
    with ExitStack() as stack:
        stores, left_out = open_stores(settings, stack)
        table.title = (
            f"Beside its peers: {VERSIONS} versions of 6 KB, {_durability(stores[0].conninfo)}, "
            f"median of {amounts.runs} runs; the ratio is ours of theirs"
        )
        table.caption = ", ".join(filter(None, (store.release() for store in stores)))
        for work, figures in measure(stores, amounts).items():
            table.add_section()
            ours = figures[Provenarium.name]
            for at, (name, figure) in enumerate(figures.items()):
                table.add_row("" if at else work, name, *_cells(work, figure, ours if at else None))
    table.add_section()
    for name, reason in left_out.items():
        table.add_row(f"not measured: {reason}", name, "-", "-", "-")
    return table


def _cells(work: str, figure: Figure, ours: Figure | None) -> tuple[str, str, str]:
    p99 = "" if figure.p99 is None else f"{figure.p99:,.0f}"
    return f"{figure.value:,.0f}{UNITS[work]}", p99, "" if ours is None else f"{ours.value / figure.value:.2f}"


def _durability(conninfo: str) -> str:
    statement = "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        ((fsync, commit),) = connection.execute(statement).fetchall()
    return f"fsync {fsync}, synchronous commit {commit}"
