"""Conditions TERM=VALUE: what they say of a document, by examples and by a naive reading of the same rules."""

from __future__ import annotations

import fnmatch
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import RefusedInput
from domain.query import MOST_CONDITIONS, Query

SPECIMEN = {
    "dwc:country": "Peru",
    "ods:topicDiscipline": "Botany",
    "ods:isKnownToContainMedia": True,
    "dwc:remark": None,
    "ods:hasEvents": [
        {"dwc:year": 1901, "ods:hasLocation": {"dwc:country": "Chile", "dwc:locality": "a * b"}},
        {"dwc:year": 1.5, "ods:hasLocation": {"dwc:country": "Perú"}},
    ],
    "ods:hasIdentifiers": [],
    "ods:tags": ["x", "y\\z"],
}


@pytest.mark.parametrize(
    "conditions",
    [
        ["dwc:country=Peru"],
        ["dwc:country=Chile"],
        ["/dwc:country=Peru"],
        ["ods:hasLocation/dwc:country=Per*"],
        ["ods:hasEvents/ods:hasLocation/dwc:country=*"],
        ["ods:hasEvents=*"],
        ["ods:hasIdentifiers=*"],
        ["ods:hasIdentifiers=[]"],
        ["dwc:country=Nowhere", "dwc:country=Peru"],
        ["dwc:country=Peru", "ods:topicDiscipline=B*y"],
        ["dwc:year=1901", "dwc:year=7"],
        ["dwc:year=1.5"],
        ["ods:isKnownToContainMedia=true"],
        ["dwc:remark=null"],
        [r"dwc:locality=a \* b"],
        ["dwc:locality=*b"],
        ["ods:tags=x", "dwc:country=*e*"],
        [r"ods:tags=y\\z"],
        [r"ods:tags=y\z"],
    ],
)
def test_what_matches(conditions: list[str]) -> None:
    assert Query.parse(conditions).matches(SPECIMEN)


@pytest.mark.parametrize(
    "conditions",
    [
        ["dwc:country=peru"],
        ["/dwc:country=Chile"],
        ["country=Peru"],
        ["ods:hasLocation/dwc:country=Peru"],
        ["dwc:country=Peru", "ods:topicDiscipline=Zoology"],
        ["dwc:missing=*"],
        ["ods:hasEvents=x*"],
        [r"dwc:locality=a \*"],
        ["dwc:locality=**c"],
        ["dwc:country=Peru*Peru"],
        ["dwc:country="],
        ["ods:tags/0=x"],
    ],
)
def test_what_does_not(conditions: list[str]) -> None:
    assert not Query.parse(conditions).matches(SPECIMEN)


@pytest.mark.parametrize("text", ["", "dwc:country", "=Peru", "/=Peru", "a~2b=x"])
def test_what_is_no_condition_is_refused_by_name(text: str) -> None:
    with pytest.raises(RefusedInput, match=re.escape(repr(text))):
        Query.parse(["dwc:country=Peru", text])


def test_a_query_has_some_conditions_but_not_too_many() -> None:
    for texts in ([], [f"a={n}" for n in range(MOST_CONDITIONS + 1)]):
        with pytest.raises(RefusedInput, match=f"not {len(texts)}"):
            Query.parse(texts)


def test_the_order_of_conditions_says_nothing() -> None:
    assert Query.parse(["b=1", "a=2", "b=1"]) == Query.parse(["a=2", "b=1"])


def test_long_texts_and_many_wildcards_take_no_long_time() -> None:
    assert not Query.parse(["a=" + "*a" * 5000 + "b"]).matches({"a": "a" * 100_000})


names = st.sampled_from(["a", "b", "c:d"])
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.text(st.sampled_from("xy*\\[]?"), max_size=5),
    st.just({}),
    st.just([]),
)
documents = st.dictionaries(
    names,
    st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=8,
    ),
)
values = st.lists(st.sampled_from(["x", "y", "*", r"\*", r"\\", "[", "]", "?", "true", "1"]), max_size=5).map("".join)
terms = st.builds("{}{}".format, st.sampled_from(["", "/"]), st.lists(names, min_size=1, max_size=2).map("/".join))


def naive(conditions: dict[str, list[str]], document: dict[str, Any]) -> bool:
    """The same by text: every path of a document spelled out, every value by ``fnmatch``."""
    told: list[tuple[str, Any]] = []

    def walk(path: str, value: Any) -> None:
        if path:
            told.append((path, value))
        if isinstance(value, dict):
            for name, member in value.items():
                walk(f"{path}/{name}", member)
        if isinstance(value, list):
            for item in value:
                walk(path, item)

    walk("", document)

    def wanted(value: Any, pattern: str) -> bool:
        if re.fullmatch(r"\*+", pattern):
            return True
        if isinstance(value, dict | list) and value:
            return False
        text = value if isinstance(value, str) else json.dumps(value)
        glob = re.sub(
            r"\\([*\\])|([\[?])",
            lambda found: f"[{found[1]}]" if found[1] == "*" else found[1] or f"[{found[2]}]",
            pattern,
        )
        return fnmatch.fnmatchcase(text, glob)

    return all(
        any(
            (path == term if term.startswith("/") else path.endswith(f"/{term}")) and wanted(value, pattern)
            for path, value in told
            for pattern in patterns
        )
        for term, patterns in conditions.items()
    )


@given(st.dictionaries(terms, st.lists(values, min_size=1, max_size=2), min_size=1, max_size=2), documents)
def test_it_says_what_a_naive_reading_says(conditions: dict[str, list[str]], document: dict[str, Any]) -> None:
    query = Query.parse([f"{term}={value}" for term, patterns in conditions.items() for value in patterns])
    assert query.matches(document) == naive(conditions, document)
