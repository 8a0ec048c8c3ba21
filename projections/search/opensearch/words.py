"""What people type as a query of OpenSearch: words, ``"a phrase"``, ``or``, ``-not``; nothing of Lucene's syntax."""

from __future__ import annotations

import re
from typing import Any

from projections.search.content import folded

_ITEM = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')


def query_of(text: str) -> dict[str, Any] | None:
    """The query; None for text in which there is no word. ``or`` binds less than words that stand together."""
    alternatives: list[list[dict[str, Any]]] = [[]]
    for negated, phrase, word in _ITEM.findall(folded(text)):
        if word == "or" and not negated:
            alternatives.append([])
        elif re.search(r"\w", phrase or word):
            match = {"match_phrase": {"text": {"query": phrase or word}}}
            alternatives[-1].append({"bool": {"must_not": [match]}} if negated else match)
    queries = [{"bool": {"filter": items}} for items in alternatives if items]
    if not queries:
        return None
    return queries[0] if len(queries) == 1 else {"bool": {"should": queries, "minimum_should_match": 1}}
