"""What the machine is, and how fast on this day: rates of different days are only comparable beside these."""

from __future__ import annotations

import os
import platform
import timeit

import orjson
import psycopg

from benchmarks.documents import document
from store.ledger import Ledger

REPEATS = 2_000
COMMITS = 300


def machine(ledger: Ledger) -> str:
    """Processors, versions and fsync; microseconds to read a document of 6 KB; committed INSERTs a second."""
    text = orjson.dumps(document(1))
    microseconds = min(timeit.repeat(lambda: orjson.loads(text), number=REPEATS, repeat=5)) / REPEATS * 1e6
    with psycopg.connect(ledger.conninfo, autocommit=True) as connection:
        version, fsync = connection.execute(
            "SELECT current_setting('server_version'), current_setting('fsync')"
        ).fetchall()[0]
        connection.execute("CREATE TABLE public.bare_commits (number int)")
        try:
            seconds = timeit.timeit(
                lambda: connection.execute("INSERT INTO public.bare_commits VALUES (1)", prepare=True), number=COMMITS
            )
        finally:
            connection.execute("DROP TABLE public.bare_commits")
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, PostgreSQL {version}, fsync {fsync}; "
        f"orjson reads 6 KB in {microseconds:.0f} µs, one connection commits {COMMITS / seconds:,.0f} INSERTs/s"
    )
