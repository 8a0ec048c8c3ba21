"""What the index holds: a document for each range of positions in which search sees the same of an object.

The last, open one of an object has the PID as its id, so that it can be got at once, without waiting for a refresh;
those before have the PID, ``@`` and their first position. Each names the first position of the one before. Documents
of one object are on one shard (``routing``). If a batch was not finished, an index is ahead of the position it has
told; so what held at a position is found by going back from the last document.
"""

from __future__ import annotations

from typing import Any

from projections.projection import Row

VERSION = 1
"""Of the form of documents; an index of another version is built anew."""

POSITION_ID = "~position"
"""The document that says up to which position of the log the index has everything. No PID begins so."""

Document = dict[str, Any]

_COLUMNS = ("pid", "from_position", "to_position", "type", "tombstoned", "name", "identifier", "text", "facets")
_SHOWN = {"type": "keyword", "index": False, "doc_values": False}


def index_body(shards: int, replicas: int) -> dict[str, Any]:
    """Settings and mapping of an index.

    Only who writes refreshes it, after a whole batch: searches never see an object's new document beside the old one.
    """
    return {
        "settings": {
            "index": {"number_of_shards": shards, "number_of_replicas": replicas, "refresh_interval": "-1"},
            "analysis": {"analyzer": {"words": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase"]}}},
        },
        "mappings": {
            "dynamic": "strict",
            "_meta": {"version": VERSION},
            "properties": {
                "pid": {"type": "keyword"},
                "from_position": {"type": "long"},
                "to_position": {"type": "long"},
                "previous": {"type": "long"},
                "type": {"type": "keyword"},
                "tombstoned": {"type": "boolean"},
                "name": _SHOWN,
                "identifier": _SHOWN,
                "text": {"type": "text", "analyzer": "words"},
                "facets": {"type": "keyword"},
                "position": {"type": "long", "index": False},
            },
        },
    }


def id_of(row: Row) -> str:
    """The id of the document for a row of the projection ``search``."""
    pid, first, last = row[:3]
    return str(pid) if last is None else closed_id(pid, first)


def closed_id(pid: str, from_position: int) -> str:
    """The id of a document that is not the last of its object."""
    return f"{pid}@{from_position}"


def document_of(row: Row, previous: int | None) -> Document:
    """The document for a row; ``previous`` is the first position of the row before."""
    document = dict(zip(_COLUMNS, row, strict=True)) | {"previous": previous}
    return {name: value for name, value in document.items() if value is not None}


def open_row(document: Document) -> Row:
    """The row for a document, as it was before anything followed it."""
    return tuple(document.get(column) if column != "to_position" else None for column in _COLUMNS)
