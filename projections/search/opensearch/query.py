"""Asks the index in OpenSearch what :mod:`projections.search.query` asks the one in PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from projections.search.opensearch.connecting import told
from projections.search.opensearch.words import query_of
from projections.search.question import Hit, Search, require_facets, require_page, wanted

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

MAX_VALUES = 10_000
"""Of a facet that are counted."""
_RESERVED = re.compile(r'[.?+*|{}\[\]()"\\#@&<>~]')
"""Of Lucene's regular expressions."""


def page(client: OpenSearch, alias: str, search: Search, limit: int = 25, after: str | None = None) -> list[Hit]:
    """The next objects after a PID."""
    require_page(limit, after)
    body: dict[str, Any] = {
        "query": _query(search),
        "sort": [{"pid": "asc"}],
        "size": limit,
        "track_total_hits": False,
        "_source": ["pid", "type", "tombstoned", "name", "identifier", "from_position"],
    }
    if after is not None:
        body["search_after"] = [after]
    with told():
        found = client.search(body=body, index=alias)["hits"]["hits"]
    return [_hit(each["_source"]) for each in found]


def total(client: OpenSearch, alias: str, search: Search) -> int:
    """How many objects there are."""
    with told():
        return int(client.count(body={"query": _query(search)}, index=alias)["count"])


def counts(client: OpenSearch, alias: str, search: Search, terms: Sequence[str]) -> dict[str, dict[str, int]]:
    """For each of these facets how many of the objects have each value, most first, at most :data:`MAX_VALUES`."""
    require_facets(terms)
    body = {
        "query": _query(search),
        "size": 0,
        "aggs": {
            term: {
                "terms": {
                    "field": "facets",
                    "include": f"{_RESERVED.sub(lambda found: chr(92) + found[0], term)}=.*",
                    "size": MAX_VALUES,
                    "order": [{"_count": "desc"}, {"_key": "asc"}],
                }
            }
            for term in terms
        },
    }
    with told():
        found = client.search(body=body, index=alias)["aggregations"] if terms else {}
    return {
        term: {bucket["key"].removeprefix(f"{term}="): bucket["doc_count"] for bucket in found[term]["buckets"]}
        for term in terms
    }


def _hit(source: dict[str, Any]) -> Hit:
    return Hit(
        source["pid"],
        source["type"],
        source["tombstoned"],
        source.get("name"),
        source.get("identifier"),
        source["from_position"],
    )


def _query(search: Search) -> dict[str, Any]:
    conditions: list[dict[str, Any]] = [{"exists": {"field": "pid"}}]
    excluded: list[dict[str, Any]] = []
    if search.position is None:
        excluded.append({"exists": {"field": "to_position"}})
    else:
        conditions.append({"range": {"from_position": {"lte": search.position}}})
        excluded.append({"range": {"to_position": {"lte": search.position}}})
    if not search.tombstoned:
        conditions.append({"term": {"tombstoned": False}})
    if search.type is not None:
        conditions.append({"term": {"type": search.type}})
    for term, values in search.filters.items():
        conditions.append({"terms": {"facets": [wanted(term, value) for value in values]}})
    if search.text.strip():
        conditions.append(query_of(search.text) or {"match_none": {}})
    return {"bool": {"filter": conditions, "must_not": excluded}}
