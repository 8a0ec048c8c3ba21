"""Entry bundles are read back exactly, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidTile
from projections.ledger.entry_bundles import MAX_ENTRY, Bundle, bundles_of, pack, unpack

ENTRIES = st.lists(st.binary(max_size=30), min_size=1, max_size=256)


def test_each_entry_follows_its_length() -> None:
    assert pack([b"abc", b"", b"\xff" * 258]) == b"\x00\x03abc\x00\x00\x01\x02" + b"\xff" * 258


@given(ENTRIES)
def test_entries_are_read_back(entries: list[bytes]) -> None:
    assert unpack(pack(entries), len(entries)) == entries


@given(ENTRIES)
def test_bundles_can_be_joined(entries: list[bytes]) -> None:
    assert b"".join(pack([entry]) for entry in entries) == pack(entries)


@given(ENTRIES, st.data())
def test_a_bundle_that_is_cut_or_longer_is_refused(entries: list[bytes], data: st.DataObject) -> None:
    bundle = pack(entries)
    cut = data.draw(st.integers(0, len(bundle) - 1))
    for altered in (bundle[:cut], bundle + b"\x00", bundle + b"\x00\x00"):
        with pytest.raises(InvalidTile, match="does not hold exactly"):
            unpack(altered, len(entries))
    with pytest.raises(InvalidTile, match="does not hold exactly"):
        unpack(bundle, len(entries) - 1)
    with pytest.raises(InvalidTile, match="does not hold exactly"):
        unpack(bundle, len(entries) + 1)


def test_an_entry_may_have_65535_bytes_and_no_more() -> None:
    assert unpack(pack([b"x" * MAX_ENTRY]), 1) == [b"x" * MAX_ENTRY]
    with pytest.raises(InvalidTile, match="entry 1 of the bundle has 65536 bytes; tlog-tiles allows 65535"):
        pack([b"", b"x" * (MAX_ENTRY + 1)])


@pytest.mark.parametrize("count", [0, 257])
def test_a_bundle_has_1_to_256_entries(count: int) -> None:
    with pytest.raises(InvalidTile, match="1 to 256 entries"):
        pack([b""] * count)


def test_a_log_consists_of_full_bundles_and_a_partial_one() -> None:
    assert list(bundles_of(0)) == []
    assert list(bundles_of(512)) == [Bundle(0), Bundle(1)]
    assert [bundle.path for bundle in bundles_of(70_000)][-2:] == ["tile/entries/272", "tile/entries/273.p/112"]
    assert list(bundles_of(600, since=300)) == [Bundle(1), Bundle(2, 88)]
    assert list(bundles_of(600, since=600)) == list(bundles_of(512, since=600)) == []


@given(st.integers(0, 2000))
def test_the_bundles_of_a_log_hold_each_entry_once(size: int) -> None:
    assert [number for bundle in bundles_of(size) for number in bundle.entries] == list(range(size))


@given(st.builds(Bundle, st.integers(0, 2**63), st.integers(1, 256)))
def test_every_path_is_read_back(bundle: Bundle) -> None:
    assert Bundle.parse(bundle.path) == bundle


@pytest.mark.parametrize(
    "path", ["tile/0/000", "tile/entries/0", "tile/entries/x000/000", "tile/entries/000.p/256", "tile/entries/000 "]
)
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(InvalidTile, match="not the path"):
        Bundle.parse(path)
