"""Checks of the log as a whole: its order, what belongs to no object, the dictionaries it needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import Connection

from audit.findings import Finding
from domain.errors import IntegrityFailure
from store import statements
from store.compression import ZstdDictionaryCompressor
from store.statements import select

SQL = statements.load("audit", "verify.sql")


def log_problems(connection: Connection[Any]) -> Iterator[Finding]:
    """Positions run 1, 2, 3 ... without gap, recorded times never go back, every stream begins at 1."""
    for position, pid, version, recorded, before, recorded_before in select(connection, SQL["disorder"]):
        where = f"position {position} ({pid}/{version})"
        if position != before + 1:
            yield (where, f"follows position {before}: events are missing or doubled")
        else:
            yield (where, f"recorded {recorded} is earlier than the event before, {recorded_before}")
    for pid, version in select(connection, SQL["headless_streams"]):
        yield (f"{pid}/{version}", "the versions before this one are missing from the log")
    head, last = select(connection, SQL["head"])[0]
    if head != last:
        yield ("log_head", f"says the log ends at {head}, but its last event is at {last}")
    (heads,) = select(connection, SQL["heads"])[0]
    if heads != 1:
        yield ("log_head", f"has {heads} rows instead of one")
    for head_time, last_time in select(connection, SQL["head_time"]):
        yield ("log_head", f"says the last event was recorded at {head_time}, but it was at {last_time}")
    for name, position in select(connection, SQL["projections"]):
        if position > head:
            yield (f"projections {name}", f"was made of {position} events, but the log ends at {head}")


def stragglers(connection: Connection[Any], verified: int) -> Iterator[Finding]:
    """Events that belong to no object which was verified, when so many were."""
    amount = select(connection, SQL["amount"])[0][0]
    if amount != verified:
        yield ("events", f"{amount - verified} of {amount} belong to no object that begins at version 1")


def dictionary_problems(connection: Connection[Any]) -> Iterator[Finding]:
    """Compression dictionaries that cannot be used."""
    for number, content in select(connection, SQL["dictionaries"]):
        try:
            ZstdDictionaryCompressor(lambda _: None).use(number, bytes(content))
        except IntegrityFailure as error:
            yield (f"dictionaries {number}", str(error))


def strangers(connection: Connection[Any]) -> Iterator[Finding]:
    """Rows of objects that the log does not know."""
    for table, name in select(connection, SQL["strangers"]):
        yield (f"{table} {name}", "has no event in the log")


def head(connection: Connection[Any]) -> int:
    """The position that the head of the log says it ends at."""
    position: int = select(connection, SQL["head"])[0][0]
    return position
