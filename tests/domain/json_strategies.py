"""Hypothesis strategies for JSON documents with everything that is easy to get wrong."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from domain.opends import ITEM_IDENTITY, VALUE_SETS

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=4)

KEYS = (
    st.sampled_from(["", "a", "b", "~", "/", "~1", "~0", "-", "0", "1", "\U0001f996", "@id", "dwc:dateIdentified"])
    | st.sampled_from(sorted(ITEM_IDENTITY))
    | st.sampled_from(sorted(VALUE_SETS))
    | st.sampled_from(["schema:name", "dcterms:title", "dcterms:identifier", "dwc:scientificName"])
    | TEXT
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.sampled_from([1.0, 1.5, 0.1, -0.0, 1e21, 1e-7, 5e-324, 1.7976931348623157e308])
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)


def _containers(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(children, max_size=6) | st.dictionaries(KEYS, children, max_size=5)


DOCUMENTS = st.recursive(SCALARS, _containers, max_leaves=25)


@st.composite
def edited(draw: st.DrawFn, base: st.SearchStrategy[Any] = DOCUMENTS) -> tuple[Any, Any]:
    """A document and an edited copy of it: values replaced, members added and removed, items moved."""
    old = draw(base)
    return old, draw(_edits(old))


def _edits(value: Any) -> st.SearchStrategy[Any]:
    if isinstance(value, dict) and value:
        kept = st.fixed_dictionaries({}, optional={key: _edits(item) for key, item in value.items()})
        more = st.dictionaries(KEYS, SCALARS, max_size=2)
        return st.just(value) | st.builds(lambda first, second: {**first, **second}, kept, more)
    if isinstance(value, list) and value:
        items = st.tuples(*(_edits(item) for item in value)).map(list)
        shuffled = items.flatmap(st.permutations)
        shorter = shuffled.flatmap(lambda all_: st.integers(0, len(all_)).map(lambda n: list(all_[:n])))
        longer = st.builds(lambda first, second: [*first, *second], shuffled, st.lists(DOCUMENTS, max_size=2))
        return st.just(value) | shuffled | shorter | longer
    return st.just(value) | SCALARS
