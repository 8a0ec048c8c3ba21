"""The three-way merge, held to what anybody would expect of one, on random documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import pointer
from domain.canonical import normal_form, same
from domain.identity import with_sets_in_order
from domain.merge import Prefer, merge
from domain.terms import ABSENT

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b", "ä", "~/"])
KEYS = st.sampled_from(["a", "b", "c", "a/b", "~", "", "ods:hasAgents"])


def determinations() -> st.SearchStrategy[list[Any]]:
    one = st.fixed_dictionaries(
        {"@type": st.just("ods:Identification")},
        optional={
            "dwc:identificationID": st.sampled_from(["1", "2", "3", "4"]),
            "dwc:dateIdentified": st.sampled_from(["1900", "1950", "2000"]),
            "dwc:identificationRemarks": st.sampled_from(["x", "y", "z"]),
            "ods:hasTaxonIdentifications": st.lists(
                st.fixed_dictionaries({"dwc:scientificName": st.sampled_from(["Ursus", "Parus"])}), max_size=2
            ),
        },
    )
    return st.lists(one, max_size=4)


ANY = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("a", "b", "c", "~", "a/b", ""), ANY),
        "ods:hasIdentifications": determinations(),
        "dcterms:subject": st.lists(st.sampled_from("abcd"), max_size=3),
        "plain": st.lists(SCALARS, max_size=3),
    },
).map(lambda document: with_sets_in_order(normal_form(document)))
PREFER = st.sampled_from(list(Prefer))


def merged(base: Any, source: Any, curated: Any, prefer: Prefer = Prefer.CURATED) -> Any:
    return with_sets_in_order(merge(base, source, curated, prefer)[0])


@given(DOCUMENTS, DOCUMENTS, PREFER)
def test_without_curation_the_source_has_its_way(base: Any, source: Any, prefer: Prefer) -> None:
    result, conflicts = merge(base, source, base, prefer)
    assert same(with_sets_in_order(result), source)
    assert conflicts == []


@given(DOCUMENTS, DOCUMENTS, PREFER)
def test_a_source_that_says_the_same_again_leaves_what_was_curated(base: Any, curated: Any, prefer: Prefer) -> None:
    result, conflicts = merge(base, base, curated, prefer)
    assert same(with_sets_in_order(result), curated)
    assert conflicts == []


@given(DOCUMENTS, DOCUMENTS, PREFER)
def test_two_that_say_the_same_agree(base: Any, both: Any, prefer: Prefer) -> None:
    result, conflicts = merge(base, both, both, prefer)
    assert same(with_sets_in_order(result), both)
    assert conflicts == []


@given(DOCUMENTS, st.dictionaries(st.sampled_from(["s1", "s2", "s3"]), ANY), DOCUMENTS, PREFER)
def test_edits_of_different_terms_are_both_kept(base: Any, added: Any, other: Any, prefer: Prefer) -> None:
    nested = {"in": base, "also": 1}
    source = {"in": {**base, **added}, "also": 1}
    for curated in ({"in": other, "also": 1}, {"in": base, "also": 2}, {"in": base}):
        result, conflicts = merge(nested, source, curated, prefer)
        assert conflicts == []
        assert same(result["in"], {**curated["in"], **added})
        assert result.get("also", ABSENT) == curated.get("also", ABSENT)


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS, PREFER)
def test_nothing_is_invented(base: Any, source: Any, curated: Any, prefer: Prefer) -> None:
    result = merged(base, source, curated, prefer)
    said = list(leaves(source)) + list(leaves(curated))
    for leaf in leaves(result):
        assert any(same(leaf, other) for other in said)


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS, PREFER)
def test_the_inputs_stay_as_they_are(base: Any, source: Any, curated: Any, prefer: Prefer) -> None:
    before = repr((base, source, curated))
    merge(base, source, curated, prefer)
    assert repr((base, source, curated)) == before


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
def test_the_preferred_side_wins_every_conflict_and_the_conflicts_are_the_same(
    base: Any, source: Any, curated: Any
) -> None:
    for_curated, conflicts = merge(base, source, curated, Prefer.CURATED)
    for_source, same_conflicts = merge(base, source, curated, Prefer.SOURCE)
    facts = [(c.pointer, repr(c.base), repr(c.source), repr(c.curated)) for c in conflicts]
    assert facts == [(c.pointer, repr(c.base), repr(c.source), repr(c.curated)) for c in same_conflicts]
    assert {c.kept for c in conflicts} <= {Prefer.CURATED}
    assert {c.kept for c in same_conflicts} <= {Prefer.SOURCE}
    if not conflicts:
        assert same(with_sets_in_order(for_curated), with_sets_in_order(for_source))
    for conflict in conflicts:
        assert not differs_not(conflict.source, conflict.curated)
        assert not differs_not(conflict.base, conflict.source)
        assert not differs_not(conflict.base, conflict.curated)
        if not any(part == "-" or part.isdecimal() for part in pointer.from_text(conflict.pointer)):
            assert differs_not(at(for_curated, conflict.pointer), conflict.curated)
            assert differs_not(at(for_source, conflict.pointer), conflict.source)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict) and value:
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list) and value:
        for item in value:
            yield from leaves(item)
    elif not isinstance(value, (dict, list)):  # what is emptied from both sides may be empty
        yield value


def differs_not(one: Any, other: Any) -> bool:
    if one is ABSENT or other is ABSENT:
        return one is other
    return same(one, other)


def at(document: Any, where: str) -> Any:
    path = pointer.from_text(where)
    parent = pointer.resolve(document, path[:-1])
    return parent.get(path[-1], ABSENT) if isinstance(parent, dict) else pointer.resolve(document, path)


# -- examples -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "source", "curated", "expected", "pointers"),
    [
        ({"a": 1}, {"a": 2}, {"a": 1, "b": 1}, {"a": 2, "b": 1}, []),
        ({"a": 1}, {"a": 2}, {"a": 3}, {"a": 3}, ["/a"]),
        ({"a": 1}, {}, {"a": 3}, {"a": 3}, ["/a"]),
        ({"a": 1}, {"a": 2}, {}, {}, ["/a"]),
        ({"a": 1, "b": 1}, {"b": 1}, {"a": 1}, {}, []),
        ({}, {"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}, []),
        ({"a": [1]}, {"a": [1, 2]}, {"a": [0, 1]}, {"a": [0, 1]}, ["/a"]),
        ({"a": 1}, {"a": True}, {"a": 1}, {"a": True}, []),
        ({"a": {}}, {"a": []}, {"a": {"x": 1}}, {"a": {"x": 1}}, ["/a"]),
        ({"a/b": {"~": 1}}, {"a/b": {"~": 2}}, {"a/b": {"~": 3}}, {"a/b": {"~": 3}}, ["/a~1b/~0"]),
    ],
)
def test_by_example(base: Any, source: Any, curated: Any, expected: Any, pointers: list[str]) -> None:
    result, conflicts = merge(base, source, curated)
    assert same(result, expected)
    assert [conflict.pointer for conflict in conflicts] == pointers


def identified(number: int, **terms: str) -> dict[str, str]:
    return {"dwc:identificationID": str(number), **terms}


def test_items_are_matched_by_identity_and_merged_one_by_one() -> None:
    base = {"ods:hasIdentifications": [identified(1, r="x"), identified(2, r="x"), identified(3)]}
    source = {"ods:hasIdentifications": [identified(4), identified(2, s="new"), identified(1, r="x")]}
    curated = {"ods:hasIdentifications": [identified(1, r="mine"), identified(2, r="x"), identified(3), identified(5)]}
    result, conflicts = merge(base, source, curated)
    assert conflicts == []
    assert with_sets_in_order(result) == with_sets_in_order(
        {
            "ods:hasIdentifications": [
                identified(1, r="mine"),
                identified(2, s="new"),
                identified(4),
                identified(5),
            ]
        }
    )


def test_an_item_removed_by_one_and_changed_by_the_other_is_a_conflict() -> None:
    base = {"ods:hasIdentifications": [identified(1, r="x"), identified(2)]}
    changed = {"ods:hasIdentifications": [identified(1, r="y"), identified(2)]}
    removed = {"ods:hasIdentifications": [identified(2)]}
    for source, curated in ((changed, removed), (removed, changed)):
        result, (conflict,) = merge(base, source, curated)
        assert same(result, curated)
        assert conflict.kept is Prefer.CURATED
        assert same(merged(base, source, curated, Prefer.SOURCE), source)
