"""JSON is read exactly or refused, and written as RFC 8785."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import canonical
from domain.canonical import MAX_DEPTH, MAX_INTEGER, canonical_bytes, digest, normal_form, parse, same
from domain.errors import UnrepresentableJson
from tests.domain.json_strategies import DOCUMENTS

DOUBLES = st.binary(min_size=8, max_size=8).map(lambda raw: struct.unpack("d", raw)[0])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a":1,"a":2}', "'a' occurs twice"),
        ('[{"x":{"b":1,"b":1}}]', "'b' occurs twice"),
        ("[NaN]", "NaN is not"),
        ("[-Infinity]", "Infinity is not"),
        ("[1e400]", "too large"),
        ("[1e-400]", "cannot be kept exactly"),
        ('{"n":{"m":9007199254740992}}', "/n/m"),
        ("[9007199254740993.0]", "cannot be kept exactly"),
        ("[12345678901234567890123]", "write it as a string"),
        ("[0.1000000000000000055]", "nearest is 0.1"),
        ("[0.30000000000000004441]", "cannot be kept exactly"),
        ("[1.23e-322]", "cannot be kept exactly"),
        ("[1e-99999999999999999999999]", "cannot be kept exactly"),
        ('["\\ud800"]', "lone surrogate"),
        ('{"\\udc00":1}', "lone surrogate"),
        ('["a\\u0000b"]', "U+0000"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested deeper"),
        ("[" * 100_000, "nested deeper"),
        ("[1,]", "line 1 column 4"),
        ("{'a':1}", "not JSON"),
        ("", "not JSON"),
        ("1 2", "not JSON"),
        ('["tab\tinside"]', "not JSON"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(UnrepresentableJson) as refused:
        parse(text)
    assert says in str(refused.value)


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(UnrepresentableJson, match="byte 2 cannot be decoded"):
        parse(b'["\xff"]')


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0", 1),
        ("1e2", 100),
        ("-0.0", 0),
        ("0e5", 0),
        ("1.50", 1.5),
        ("0.30000000000000004", 0.30000000000000004),
        ("51.257107016456985", 51.257107016456985),
        ("9007199254740991", 9007199254740991),
        ("100000000000000000000.0", 1e20),
        ("true", True),
        ("null", None),
        ('"\\u00e9"', "é"),
        ('\ufeff{"a":[]}', {"a": []}),
    ],
)
def test_numbers_that_are_the_same_number_have_one_form(text: str, value: Any) -> None:
    found = parse(text)
    assert found == value
    assert type(found) is type(value)


def test_deep_nesting_within_the_limit_is_kept() -> None:
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert canonical_bytes(parse(text)) == text.encode()


@pytest.mark.parametrize(
    "value", [{1: "a"}, {"a": {2}}, [b"bytes"], float("nan"), float("inf"), 2**53, "\ud800", "\x00"]
)
def test_python_values_that_are_not_json_are_refused(value: Any) -> None:
    with pytest.raises(UnrepresentableJson):
        normal_form(value)


@given(DOCUMENTS)
def test_canonical_bytes_are_those_of_rfc8785(document: Any) -> None:
    value = normal_form(document)
    assert canonical_bytes(value) == rfc8785.dumps(value)
    assert digest(value) == hashlib.sha256(rfc8785.dumps(value)).hexdigest()


@given(DOUBLES)
def test_every_double_is_written_as_rfc8785_writes_it(number: float) -> None:
    if number != number or abs(number) == float("inf"):
        with pytest.raises(UnrepresentableJson):
            normal_form([number])
        return
    value = normal_form({"a": [number], "b": number})
    assert canonical_bytes(value) == rfc8785.dumps(value)
    assert canonical_bytes(normal_form(number)) == rfc8785.dumps(normal_form(number))


def _has_integer_beyond_doubles(value: Any) -> bool:
    """RFC 8785 writes doubles up to 1e21 without exponent: as integers that are refused when read."""
    if isinstance(value, (dict, list)):
        return any(map(_has_integer_beyond_doubles, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and MAX_INTEGER < abs(value) < 1e21


@given(DOCUMENTS)
def test_reading_canonical_bytes_gives_the_document_back(document: Any) -> None:
    value = normal_form(document)
    data = canonical_bytes(value)
    if _has_integer_beyond_doubles(value):
        with pytest.raises(UnrepresentableJson, match=r"2\^53"):
            parse(data)
        return
    again = parse(data)
    assert same(again, value)
    assert canonical_bytes(again) == data


@given(DOCUMENTS, DOCUMENTS)
def test_same_means_equal_canonical_bytes(a: Any, b: Any) -> None:
    a, b = normal_form(a), normal_form(b)
    assert same(a, b) == (canonical_bytes(a) == canonical_bytes(b))
    assert same(a, a)


def test_true_and_one_and_text_one_differ() -> None:
    values = [True, 1, "1", None, [], {}, 0, False, ""]
    assert len({canonical_bytes(value) for value in values}) == len(values)
    assert [(i, j) for i, a in enumerate(values) for j, b in enumerate(values) if same(a, b) and i != j] == []


def test_pretty_and_compact_text_give_the_same_digest() -> None:
    document = {"b": [1, 2.50, {"é": None}], "a": "x"}
    assert digest(parse(json.dumps(document, indent=3))) == digest(parse(json.dumps(document, sort_keys=True)))


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-3, 3).map(float)
    | DOUBLES
    | st.sampled_from([1e15, 1e16, 1e17, 2.0**53, float(MAX_INTEGER), -0.0, 1e-7, float("nan"), float("inf")])
    | st.text()
    | st.sampled_from(["\x00", "\ud800", "\\u0000", "1.0,", "😀"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "\x00", 7]), inner, max_size=2)
    ),
    max_leaves=12,
)


@settings(max_examples=1000)
@given(ANYTHING)
def test_the_fast_way_to_the_normal_form_is_the_slow_one(value: Any) -> None:
    def outcome(way: Callable[[Any], Any]) -> str:
        try:
            return repr(way(value))  # tells 1 from 1.0 and True, and the order of members
        except UnrepresentableJson:
            return "refused"

    expected = outcome(lambda each: canonical._normal(each, 0))
    assert outcome(normal_form) == expected
    assert outcome(lambda each: normal_form(without_tuples(each), given_away=True)) == expected


def without_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_tuples(item) for key, item in value.items()}
    return list(map(without_tuples, value)) if isinstance(value, (list, tuple)) else value


def test_the_normal_form_shares_nothing_with_the_value() -> None:
    value: dict[str, Any] = {"a": [{"b": 1}]}
    normal_form(value)["a"][0]["b"] = 2
    assert value == {"a": [{"b": 1}]}
