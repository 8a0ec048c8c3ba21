"""Patches are complete, verified and reversible; jsonpatch is the oracle."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import jsonpatch
import jsonpointer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import pointer
from domain.canonical import canonical_bytes, normal_form
from domain.diff import diff, verified_diff
from domain.errors import InvalidPatch, UnrepresentableJson
from domain.identity import pair_items, with_sets_in_order
from domain.patch import Bounds, apply, apply_in_place, copy_of, invert
from domain.terms import ABSENT, blame, changes, leaves
from tests.domain.json_strategies import DOCUMENTS, KEYS, SCALARS, edited

PAIRS = edited() | st.tuples(DOCUMENTS, DOCUMENTS)


def normal(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    return normal_form(pair[0]), normal_form(pair[1])


@settings(max_examples=1000)
@given(PAIRS)
def test_a_patch_gives_the_new_document_and_its_inverse_the_old_one(pair: tuple[Any, Any]) -> None:
    old, new = normal(pair)
    patch = verified_diff(old, new)
    assert (patch == []) == (canonical_bytes(old) == canonical_bytes(new))
    for applied in (jsonpatch.apply_patch(copy_of(old), patch), apply(old, patch)):
        assert canonical_bytes(applied) == canonical_bytes(new)
    for undone in (jsonpatch.apply_patch(copy_of(new), invert(patch)), apply(new, invert(patch))):
        assert canonical_bytes(undone) == canonical_bytes(old)
    assert canonical_bytes(apply(old, invert(invert(patch)))) == canonical_bytes(new)


@settings(max_examples=300)
@given(PAIRS)
def test_patches_of_the_library_apply_here_as_they_do_there(pair: tuple[Any, Any]) -> None:
    old, new = normal(pair)
    patch = jsonpatch.make_patch(old, new).patch
    assert canonical_bytes(apply(old, patch)) == canonical_bytes(new)


OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "test", "move", "copy"])},
    optional={
        "path": st.lists(KEYS, max_size=3).map(lambda path: pointer.to_text(tuple(path))),
        "from": st.lists(KEYS, max_size=3).map(lambda path: pointer.to_text(tuple(path))),
        "value": SCALARS,
    },
)


@settings(max_examples=500)
@given(DOCUMENTS, st.lists(OPERATIONS, max_size=4))
def test_arbitrary_patches_are_applied_or_refused_and_never_change_the_input(document: Any, patch: Any) -> None:
    document = normal_form(document)
    before = canonical_bytes(document)
    try:
        found = apply(document, patch)
    except InvalidPatch:
        found = None
    assert canonical_bytes(document) == before
    if found is None:
        return
    try:
        expected = jsonpatch.apply_patch(copy_of(document), patch)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException):
        pytest.fail(f"the library refuses {patch}")
    assert canonical_bytes(normal_form(found)) == canonical_bytes(normal_form(expected))


ANY_TEXT = st.text(max_size=4) | st.sampled_from(["", "/", "/a", "/a/0", "/-", "/\ud800", "/\x00", "~", "a"])
ANY_JSON = st.recursive(
    SCALARS | ANY_TEXT | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
NEARLY_AN_OPERATION = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "test", "move", "copy"]) | ANY_JSON,
        "path": ANY_TEXT | ANY_JSON,
    },
    optional={"from": ANY_TEXT | ANY_JSON, "value": ANY_JSON},
)


@settings(max_examples=1000)
@given(DOCUMENTS, ANY_JSON | st.lists(NEARLY_AN_OPERATION | ANY_JSON, max_size=4))
def test_any_json_as_a_patch_is_applied_or_refused(document: Any, patch: Any) -> None:
    try:
        found = apply(normal_form(document), patch)
    except InvalidPatch:
        return
    assert canonical_bytes(normal_form(found)) == canonical_bytes(found)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": ["add"], "path": "/a", "value": 1},
        {"op": {}, "path": "/a"},
        {"op": None},
        {"op": "remove", "path": ["a"]},
        {"op": "add", "path": 1, "value": 1},
        {"op": "move", "path": "/b", "from": None},
        {"op": "copy", "path": "/b", "from": {}},
        {"op": "add", "path": "/\ud800", "value": 1},
        {"op": "add", "path": "/\x00", "value": 1},
        {"op": "add", "path": "/b", "value": "\ud800"},
    ],
)
def test_an_operation_with_a_member_of_the_wrong_kind_is_refused(operation: dict[str, Any]) -> None:
    with pytest.raises(InvalidPatch, match="operation 1 "):
        apply({"a": 1}, [{"op": "test", "path": "/a", "value": 1}, operation])


def test_a_patch_that_nests_without_end_is_refused() -> None:
    deep: Any = 0
    for _ in range(190):
        deep = {"a": deep}
    place = ""
    patch = []
    for _ in range(20):
        patch.append({"op": "replace" if place else "add", "path": place, "value": deep})
        place += "/a" * 190
    for more in ([], [{"op": "copy", "from": "", "path": "/b"}], [{"op": "copy", "from": "/a", "path": "/a" * 100}]):
        with pytest.raises((InvalidPatch, UnrepresentableJson), match="nested"):
            apply({}, [*patch, *more])


@settings(max_examples=300)
@given(st.data())
def test_folding_to_any_version_gives_that_version(data: st.DataObject) -> None:
    documents = [normal_form(data.draw(DOCUMENTS))]
    for _ in range(data.draw(st.integers(1, 5))):
        _, new = data.draw(edited(st.just(documents[-1])))
        documents.append(normal_form(new))
    patches = [[{"op": "add", "path": "", "value": documents[0]}]]
    patches.extend(diff(old, new) for old, new in pairwise(documents))
    folded: Any = {}
    for document, patch in zip(documents, patches, strict=True):
        folded = apply_in_place(folded, patch)
        assert canonical_bytes(folded) == canonical_bytes(document)
    for document, patch in zip(documents[-2::-1], patches[:0:-1], strict=True):
        folded = apply_in_place(folded, invert(patch))
        assert canonical_bytes(folded) == canonical_bytes(document)


def test_folding_leaves_the_events_untouched() -> None:
    patch = [{"op": "add", "path": "", "value": {"a": {"b": [1]}}}]
    document = apply_in_place({}, patch)
    apply_in_place(document, [{"op": "add", "path": "/a/b/0", "value": 2}])
    assert patch == [{"op": "add", "path": "", "value": {"a": {"b": [1]}}}]


def test_remove_and_replace_follow_a_test_of_the_old_value() -> None:
    patch = diff({"a": 1, "b": [1, 2]}, {"a": 2, "c": 3})
    assert patch == [
        {"op": "test", "path": "/b", "value": [1, 2]},
        {"op": "remove", "path": "/b"},
        {"op": "test", "path": "/a", "value": 1},
        {"op": "replace", "path": "/a", "value": 2},
        {"op": "add", "path": "/c", "value": 3},
    ]
    with pytest.raises(InvalidPatch, match="cannot be undone"):
        invert([{"op": "remove", "path": "/a"}])


def identification(name: str, date: str, **more: Any) -> dict[str, Any]:
    taxon = {"@type": "ods:TaxonIdentification", "dwc:scientificName": name}
    return {"dwc:dateIdentified": date, "ods:hasTaxonIdentifications": [taxon], **more}


def test_reordering_determinations_is_not_a_change() -> None:
    rows = [identification("A a", "1900"), identification("B b", "1950"), identification("C c", "2000")]
    one = with_sets_in_order({"ods:hasIdentifications": rows})
    other = with_sets_in_order({"ods:hasIdentifications": rows[::-1]})
    assert diff(one, other) == []


def test_a_changed_determination_is_found_after_an_insertion() -> None:
    first, second, third = (
        identification(name, date) for name, date in (("A a", "1900"), ("B b", "1950"), ("C c", "2000"))
    )
    old = with_sets_in_order({"ods:hasIdentifications": [first, second, third]})
    inserted = identification("Z z", "1920")
    changed = identification("C c", "2000", **{"dwc:typeStatus": "holotype"})
    new = with_sets_in_order({"ods:hasIdentifications": [first, inserted, second, changed]})
    assert diff(old, new) == [
        {"op": "add", "path": "/ods:hasIdentifications/1", "value": inserted},
        {"op": "add", "path": "/ods:hasIdentifications/3/dwc:typeStatus", "value": "holotype"},
    ]


def test_order_of_agents_means_something() -> None:
    old = {"ods:hasAgents": [{"schema:name": "A"}, {"schema:name": "B"}]}
    new = {"ods:hasAgents": [{"schema:name": "B"}, {"schema:name": "A"}]}
    assert diff(old, new) == [{"op": "move", "from": "/ods:hasAgents/1", "path": "/ods:hasAgents/0"}]


@given(st.lists(DOCUMENTS, max_size=6), st.lists(DOCUMENTS, max_size=6), st.sampled_from(["ods:hasAgents", "ac:tag"]))
def test_items_pair_at_most_once(old: list[Any], new: list[Any], name: str) -> None:
    pairs = pair_items(name, normal_form(old), normal_form(new))
    assert pairs is not None
    assert len({before for before, _ in pairs}) == len({after for _, after in pairs}) == len(pairs)


@given(DOCUMENTS)
def test_bringing_sets_in_order_loses_nothing_and_is_stable(document: Any) -> None:
    ordered = with_sets_in_order(normal_form(document))
    assert with_sets_in_order(ordered) == ordered
    assert sorted(canonical_bytes(value) for _, value in leaves(ordered)) == sorted(
        canonical_bytes(value) for _, value in leaves(normal_form(document))
    )


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ({"op": "add"}, "array of operations"),
        ([{"op": "merge", "path": ""}], "not one of"),
        ([{"op": "add", "path": "/a"}], "exactly the members"),
        ([{"op": "add", "path": "/a", "value": 1, "extra": 1}], "exactly the members"),
        ([{"op": "add", "path": "a", "value": 1}], "must be empty or start"),
        ([{"op": "add", "path": "/~2", "value": 1}], "not followed by 0 or 1"),
        ([{"op": "add", "path": 3, "value": 1}], "is a string"),
        ([{"op": "replace", "path": "/x", "value": 1}], "nothing at /x"),
        ([{"op": "remove", "path": ""}], "root cannot be removed"),
        ([{"op": "add", "path": "/l/01", "value": 1}], "not an array index"),
        ([{"op": "add", "path": "/l/9", "value": 1}], "outside an array"),
        ([{"op": "add", "path": "/l/-1", "value": 1}], "not an array index"),
        ([{"op": "move", "from": "/o", "path": "/o/x"}], "into itself"),
        ([{"op": "test", "path": "/t", "value": 1}], "does not have the value"),
        ([{"op": "add", "path": "/a", "value": 2**60}], "2^53-1"),
        ([{"op": "add", "path": "/a", "value": float("nan")}], "not a JSON number"),
    ],
)
def test_bad_patches_are_refused_with_the_reason(patch: Any, says: str) -> None:
    with pytest.raises(InvalidPatch) as refused:
        apply({"l": [1], "o": {}, "t": True}, patch)
    assert says in str(refused.value)


def test_patch_bombs_are_refused() -> None:
    doubling = [{"op": "copy", "from": "", "path": f"/{n}"} for n in range(60)]
    with pytest.raises(InvalidPatch, match="grows beyond"):
        apply({"a": "x" * 1000}, doubling)
    with pytest.raises(InvalidPatch, match="copy operations"):
        apply({"a": 1}, [{"op": "copy", "from": "/a", "path": "/b"}] * 101)
    with pytest.raises(InvalidPatch, match="operations are more"):
        apply({"a": 1}, [{"op": "test", "path": "/a", "value": 1}] * 20, Bounds(operations=10))


# -- terms -----------------------------------------------------------------------------------------


@settings(max_examples=600)
@given(PAIRS)
def test_changed_terms_account_for_every_leaf(pair: tuple[Any, Any]) -> None:
    old, new = normal(pair)
    found = changes(old, diff(old, new))
    work: dict[str, Any] = dict(leaves(old))
    for change in found.terms:
        if change.was_at is not None:
            assert canonical_bytes(work.pop(change.was_at)) == canonical_bytes(change.old)
        else:
            assert change.old is ABSENT
    after = {found.moved.get(where, where): value for where, value in work.items()}
    assert len(after) == len(work)
    for change in found.terms:
        if change.new is not ABSENT:
            assert change.pointer not in after
            after[change.pointer] = change.new
    expected = {where: canonical_bytes(value) for where, value in leaves(new)}
    assert {where: canonical_bytes(value) for where, value in after.items()} == expected


@settings(max_examples=300)
@given(DOCUMENTS, st.data())
def test_blame_names_the_version_that_last_set_each_leaf(first: Any, data: st.DataObject) -> None:
    one = normal_form(first)
    two = normal_form(data.draw(edited(st.just(one)))[1])
    three = normal_form(data.draw(edited(st.just(two)))[1])
    creation = [{"op": "add", "path": "", "value": one}]
    found = blame([(1, creation), (2, diff(one, two)), (3, diff(two, three))])
    assert {where: canonical_bytes(value) for where, value, _ in found} == {
        where: canonical_bytes(value) for where, value in leaves(three)
    }
    set_last = {where for where, _, version in found if version == 3}
    changed_last = changes(two, diff(two, three)).terms
    assert set_last == {change.pointer for change in changed_last if change.new is not ABSENT}


def test_a_large_array_in_reverse_order_costs_little_more_than_one_that_keeps_its_order() -> None:
    agents = [{"@id": f"https://example.org/{number}"} for number in range(30_000)]

    def seconds(new: list[dict[str, str]]) -> float:
        began = time.process_time()
        patch = diff({"ods:hasAgents": agents}, {"ods:hasAgents": new})
        taken = time.process_time() - began
        assert len(patch) == (len(agents) - 1 if new[0] is agents[-1] else 1)
        return taken

    assert seconds(agents[::-1]) < 0.2 + 5 * seconds([*agents, {"@id": "https://example.org/new"}])


@settings(max_examples=300)
@given(st.permutations(range(12)), st.integers(0, 12), st.integers(0, 12))
def test_items_move_from_where_they_stand(order: list[int], removed: int, added: int) -> None:
    old = [{"@id": f"https://example.org/{number}"} for number in range(12)]
    new = [old[number] for number in order if number >= removed]
    new[added:added] = [{"@id": "https://example.org/new", "x": 1}] * (removed == 0)
    standing: list[Any] = list(old)
    for operation in diff({"ods:hasAgents": old}, {"ods:hasAgents": new}):
        place = int(operation["path"].rpartition("/")[2])
        if operation["op"] == "remove":
            del standing[place]
        elif operation["op"] == "add":
            standing.insert(place, operation["value"])
        elif operation["op"] == "move":
            start = int(operation["from"].rpartition("/")[2])
            assert start > place, "what is in its place stays"
            standing.insert(place, standing.pop(start))
    assert standing == new
