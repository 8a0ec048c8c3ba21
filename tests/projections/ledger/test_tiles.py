"""Tiles are those of tlog-tiles however the leaves arrive, and roots and proofs can be made of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import IntegrityFailure, InvalidTile, RefusedInput
from projections.ledger.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    MAX_SIZE,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from projections.ledger.tile_reader import TileReader
from projections.ledger.tiles import TILE_BYTES, Edge, Tile, extend, partial_width, tile_of, tiles_of
from tests.projections.ledger import naive_tree

LEAVES = [leaf_hash(number.to_bytes(4)) for number in range(70_000)]
SIZES = st.integers(0, 1500) | st.sampled_from([0, 1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000])


def grown(*batches: int) -> tuple[dict[Tile, bytes], Edge]:
    """Every tile of a tree that grew by batches of these sizes, and its right edge."""
    edge = Edge()
    full: dict[Tile, bytes] = {}
    for batch in batches:
        growth = extend(edge, LEAVES[edge.size : edge.size + batch])
        assert not set(dict(growth.full)) & set(full)
        full.update(growth.full)
        edge = growth.edge
    return full | dict(edge.tiles()), edge


@cache
def built(size: int) -> dict[Tile, bytes]:
    return grown(size)[0]


def defined(size: int) -> Iterator[tuple[Tile, bytes]]:
    """The tiles by their definition: the hashes of 256 consecutive ranges of 256^level leaves."""
    for level in range(8):
        span = 256**level
        for index in range(size // (256 * span) + 1):
            starts = range(index * 256 * span, (index + 1) * 256 * span, span)
            hashes = [root_of(LEAVES[start : start + span]) for start in starts if start + span <= size]
            if hashes:
                yield Tile(level, index, len(hashes)), b"".join(hashes)


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 600, 65_535, 65_536, 66_000])
def test_tiles_are_those_of_the_definition(size: int) -> None:
    assert built(size) == dict(defined(size))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=12))
def test_tiles_do_not_depend_on_how_the_leaves_arrived(batches: list[int]) -> None:
    tiles, edge = grown(*batches)
    assert tiles == built(sum(batches))
    assert edge.root() == root_of(LEAVES[: sum(batches)])


def test_a_large_tree_in_odd_batches_has_the_same_tiles() -> None:
    assert grown(1, 65_534, 1, 0, 1, 255, 4_000, 208)[0] == built(70_000)


def test_seventy_thousand_leaves_make_the_tiles_of_the_specification() -> None:
    widths: dict[int, list[int]] = {}
    for tile in tiles_of(70_000):
        widths.setdefault(tile.level, []).append(tile.width)
    assert widths == {0: [256] * 273 + [112], 1: [256, 17], 2: [1]}
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]


@given(SIZES)
def test_the_tiles_listed_for_a_size_are_those_it_is_built_of(size: int) -> None:
    assert {tile: len(hashes) for tile, hashes in built(size).items()} == {
        tile: tile.width * HASH_SIZE for tile in tiles_of(size)
    }


@given(SIZES, SIZES)
def test_the_tiles_since_a_size_are_those_it_lacked(a: int, b: int) -> None:
    since, size = sorted((a, b))
    assert set(tiles_of(size, since)) == set(tiles_of(size)) - set(tiles_of(since))


@given(st.lists(st.binary(max_size=9), max_size=300))
def test_the_root_read_from_tiles_is_that_of_the_definition(entries: list[bytes]) -> None:
    growth = extend(Edge(), [leaf_hash(entry) for entry in entries])
    tiles = dict(growth.full) | dict(growth.edge.tiles())
    assert TileReader(len(entries), tiles.__getitem__).root() == naive_tree.mth(entries) == growth.edge.root()


@settings(deadline=None)
@given(SIZES.filter(bool), st.data())
def test_proofs_read_from_tiles_verify(size: int, data: st.DataObject) -> None:
    reader = TileReader(size, built(size).__getitem__, cached_tiles=3)
    root = reader.root()
    assert root == root_of(LEAVES[:size])
    index = data.draw(st.integers(0, size - 1))
    verify_inclusion(LEAVES[index], index, size, inclusion_proof(index, size, reader.hash_at), root)
    earlier = data.draw(st.integers(1, size))
    proof = consistency_proof(earlier, size, reader.hash_at)
    verify_consistency(earlier, root_of(LEAVES[:earlier]), size, root, proof)


@given(SIZES, SIZES)
def test_an_earlier_tree_is_read_from_the_tiles_of_a_later_one(a: int, b: int) -> None:
    """Logs may delete a partial tile once it is full, so the wider one must do."""
    size, later = sorted((a, b))
    by_place = {(tile.level, tile.index): hashes for tile, hashes in built(later).items()}
    reader = TileReader(size, lambda tile: by_place[tile.level, tile.index])
    assert reader.root() == root_of(LEAVES[:size])
    assert reader.edge() == grown(size)[1]
    assert reader.frontier().hashes == reader.edge().frontier().hashes


def test_an_empty_tree_has_no_tiles() -> None:
    assert list(tiles_of(0)) == list(Edge().tiles()) == []
    assert Edge().root() == TileReader(0, {}.__getitem__).root() == EMPTY_ROOT
    assert extend(Edge(), []).edge == Edge()


@pytest.mark.parametrize("data", [b"", b"\x00" * 31, b"\x00" * 33, b"\x00" * (TILE_BYTES + HASH_SIZE)])
def test_a_tile_of_the_wrong_length_is_noticed(data: bytes) -> None:
    with pytest.raises(IntegrityFailure, match=r"tile/0/000\.p/2 has"):
        TileReader(2, lambda _tile: data).hash_at(0, 0)


@pytest.mark.parametrize(("level", "index"), [(0, 300), (1, 150), (8, 1), (9, 0), (-1, 0), (0, -1)])
def test_no_hash_is_read_from_outside_the_tree(level: int, index: int) -> None:
    with pytest.raises(RefusedInput, match="no complete subtree"):
        TileReader(300, built(300).__getitem__).hash_at(level, index)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 0, 1), "tile/0/000.p/1"),
        (Tile(2, 999, 255), "tile/2/999.p/255"),
        (Tile(1, 1000), "tile/1/x001/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(7, MAX_SIZE), "tile/7/x009/x223/x372/x036/x854/x775/807"),
    ],
)
def test_paths_are_those_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert Tile.parse(path) == tile


@given(st.builds(Tile, st.integers(0, 7), st.integers(0, MAX_SIZE), st.integers(1, 256)))
def test_every_path_is_read_back(tile: Tile) -> None:
    assert Tile.parse(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/8/000",
        "tile/-1/000",
        "tile/0/x000/001",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/",
        "tile/0/000.p/1/",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "tile/0/../../000",
        "tile/entries/000",
        "tile/0/" + "x001/" * 40 + "000",
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(InvalidTile, match="not the path"):
        Tile.parse(path)


@pytest.mark.parametrize(("level", "index"), [(0, 2), (1, 1), (2, 0), (-1, 0), (0, -1)])
def test_a_tile_outside_the_tree_is_refused(level: int, index: int) -> None:
    with pytest.raises(InvalidTile, match="has no tile"):
        tile_of(level, index, 300)


@pytest.mark.parametrize(
    ("size", "partial"), [(1, ()), (0, (b"",)), (1, (b"",)), (2, (b"\x00" * 32,)), (256, (b"",)), (-1, ()), (2**63, ())]
)
def test_an_edge_that_does_not_fit_its_size_is_refused(size: int, partial: tuple[bytes, ...]) -> None:
    with pytest.raises(InvalidTile):
        Edge(size, partial)


def test_only_hashes_are_appended() -> None:
    with pytest.raises(InvalidTile, match="32 bytes"):
        extend(Edge(), [b"entry"])


@given(st.integers(0, MAX_SIZE), st.integers(0, 7))
def test_a_partial_tile_has_the_width_the_specification_gives(size: int, level: int) -> None:
    assert partial_width(level, size) == size // 256**level % 256
