"""Checks which object each record of a source is: the natural keys, against the documents the objects began with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from psycopg import Connection

from audit.findings import Finding
from domain.errors import InvalidDocument
from domain.events import DigitalObjectEvent
from sources.opends_json import natural_key
from sources.synchronisation.source_system import MAPPING, SYSTEM
from store import statements
from store.statements import select

SQL = statements.load("audit", "bookkeeping.sql")

Name = tuple[str, str, str | None]
"""PID of the source system ('' for the store's own), type, and natural key, None if not in the document."""


def key_problems(connection: Connection[Any], histories: Iterable[list[DigitalObjectEvent]]) -> Iterator[Finding]:
    """Objects that natural keys name otherwise than their first version does, or more than once, or not at all.

    ``histories`` are the sound histories of objects, each from version 1 on.
    """
    wanted = {history[0].originator_id: name_of(history[0]) for history in histories}
    found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for pid, source, kind, key in select(connection, SQL["keys_of"], (list(wanted),)):
        found[pid].append((source, kind, key))
    for pid, name in wanted.items():
        where = f"natural_keys {pid}"
        if name is None:
            for source, kind, key in found[pid]:
                yield where, f"is {kind} {key} of {source or 'the store'}, but it came from no source"
        elif not found[pid]:
            yield where, "the object came from a source, or is one, but no key leads to it"
        elif len(found[pid]) > 1:
            yield where, f"has {len(found[pid])} keys instead of one"
        else:
            source, kind, key = found[pid][0]
            if (source, kind) != name[:2] or name[2] not in (None, key):
                told = f"{name[1]} {name[2] or ''} of {name[0] or 'the store'}".replace("  ", " ")
                yield where, f"is {kind} {key} of {source or 'the store'}, but its first version says {told}"


def name_of(first: DigitalObjectEvent) -> Name | None:
    """What an object is called in its source, by its first event; None when it came from none."""
    document = first.patch[0].get("value")
    if not isinstance(document, dict):
        return None
    if first.source is not None:
        return first.source.system, first.object_type, key_in(document)
    if first.object_type in (SYSTEM, MAPPING):
        return "", first.object_type, document.get("schema:name")
    return None


def key_in(document: dict[str, Any]) -> str | None:
    """The natural key that a document states, if it does: some have it only in their source."""
    try:
        return natural_key(document)
    except InvalidDocument:
        return None
