"""The tree, its right edge and its proofs are those of RFC 9162, and no altered proof passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidProof, RefusedInput
from projections.ledger.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    Frontier,
    HashAt,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_at,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.projections.ledger import naive_tree

UP_TO = 70
ENTRIES = [number.to_bytes(2) * (number % 5) for number in range(UP_TO)]
OTHER = b"\x5a" * 32

# The eight entries and roots that Certificate Transparency's implementations have shared since RFC 6962;
# the roots are of the first 0, 1, ... 8 entries.
CT_ENTRIES = [
    bytes.fromhex(entry)
    for entry in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@cache
def naive_root(size: int) -> bytes:
    return naive_tree.mth(ENTRIES[:size])


NAIVE: HashAt = cache(partial(naive_tree.hash_at, ENTRIES))


def test_roots_are_those_certificate_transparency_knows() -> None:
    frontier = Frontier()
    roots = [frontier.root()]
    for entry in CT_ENTRIES:
        frontier.append(leaf_hash(entry))
        roots.append(frontier.root())
    assert [root.hex() for root in roots] == CT_ROOTS


def test_an_empty_tree_hashes_nothing() -> None:
    assert root_of([]) == EMPTY_ROOT == naive_tree.mth([])


@pytest.mark.parametrize("size", range(UP_TO + 1))
def test_the_root_is_that_of_the_definition(size: int) -> None:
    hashes = [leaf_hash(entry) for entry in ENTRIES[:size]]
    assert root_of(hashes) == naive_root(size) == root_at(size, NAIVE)


@given(st.lists(st.binary(max_size=40), max_size=300), st.data())
def test_a_tree_can_be_continued_from_its_right_edge(entries: list[bytes], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(entries)))
    first = Frontier()
    first.extend(map(leaf_hash, entries[:cut]))
    second = Frontier(first.size, first.hashes)
    second.extend(map(leaf_hash, entries[cut:]))
    assert second.size == len(entries)
    assert second.root() == naive_tree.mth(entries)
    assert len(second.hashes) <= len(entries).bit_length()


@pytest.mark.parametrize(
    ("size", "hashes"), [(0, [OTHER]), (3, [OTHER]), (4, [OTHER, OTHER]), (1, [b"short"]), (-1, []), (MAX_SIZE + 1, [])]
)
def test_an_edge_that_does_not_fit_its_size_is_refused(size: int, hashes: list[bytes]) -> None:
    with pytest.raises(RefusedInput):
        Frontier(size, hashes)


def test_only_hashes_are_appended() -> None:
    with pytest.raises(RefusedInput, match="32 bytes, not 5"):
        Frontier().append(b"entry")


@pytest.mark.parametrize("size", range(1, UP_TO + 1))
def test_every_inclusion_proof_is_that_of_the_definition_and_verifies(size: int) -> None:
    for index in range(size):
        proof = inclusion_proof(index, size, NAIVE)
        assert proof == naive_tree.path(index, ENTRIES[:size])
        verify_inclusion(leaf_hash(ENTRIES[index]), index, size, proof, naive_root(size))


@pytest.mark.parametrize("size2", range(1, UP_TO + 1))
def test_every_consistency_proof_is_that_of_the_definition_and_verifies(size2: int) -> None:
    for size1 in range(1, size2 + 1):
        proof = consistency_proof(size1, size2, NAIVE)
        assert proof == naive_tree.proof(size1, ENTRIES[:size2])
        verify_consistency(size1, naive_root(size1), size2, naive_root(size2), proof)


def spoiled(proof: list[bytes]) -> Iterator[list[bytes]]:
    """Proofs that differ from this one: shorter, longer, a hash exchanged, flipped, cut or repeated."""
    yield [*proof, OTHER]
    yield [OTHER, *proof]
    for at, sibling in enumerate(proof):
        yield proof[:at] + proof[at + 1 :]
        yield [*proof[:at], sibling, *proof[at:]]
        yield [*proof[:at], OTHER, *proof[at + 1 :]]
        yield [*proof[:at], bytes([sibling[0] ^ 1]) + sibling[1:], *proof[at + 1 :]]
        yield [*proof[:at], sibling[:-1], *proof[at + 1 :]]
        yield [*proof[:at], sibling + b"\x00", *proof[at + 1 :]]
    if len(proof) > 1 and proof != proof[::-1]:
        yield proof[::-1]


def assert_refused(check: Callable[..., None], *arguments: Any) -> None:
    with pytest.raises(InvalidProof):
        check(*arguments)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 21, 32, 33, 64, 70])
def test_no_altered_inclusion_proof_passes(size: int) -> None:
    root = naive_root(size)
    for index in range(size):
        leaf = leaf_hash(ENTRIES[index])
        proof = inclusion_proof(index, size, NAIVE)
        for altered in spoiled(proof):
            assert_refused(verify_inclusion, leaf, index, size, altered, root)
        assert_refused(verify_inclusion, leaf_hash(b"another"), index, size, proof, root)
        assert_refused(verify_inclusion, leaf, index, size, proof, OTHER)
        assert_refused(verify_inclusion, leaf, index, size, proof, root[:-1])
        assert_refused(verify_inclusion, leaf[:-1], index, size, proof, root)
        for elsewhere in {index - 1, index + 1, index ^ 2, size, -1, MAX_SIZE} - {index}:
            assert_refused(verify_inclusion, leaf, elsewhere, size, proof, root)


def shape(index: int, size: int) -> str | None:
    """The turns from the root to a leaf, or None when it is not there."""
    if not 0 <= index < size:
        return None
    if size == 1:
        return ""
    k = naive_tree.split(size)
    return f"l{shape(index, k)}" if index < k else f"r{shape(index - k, size - k)}"


@pytest.mark.parametrize("size", range(1, 24))
def test_another_place_passes_only_if_the_path_to_it_is_the_same(size: int) -> None:
    """Turns are all that index and size decide: a checkpoint, not a proof, vouches for the size."""
    for index in range(size):
        leaf, proof = leaf_hash(ENTRIES[index]), inclusion_proof(index, size, NAIVE)
        for claimed_size in range(50):
            for claimed in range(50):
                check = partial(verify_inclusion, leaf, claimed, claimed_size, proof, naive_root(size))
                if shape(claimed, claimed_size) == shape(index, size):
                    check()
                else:
                    assert_refused(check)


@pytest.mark.parametrize("size2", [1, 2, 3, 5, 8, 13, 21, 32, 33, 64, 70])
def test_no_altered_consistency_proof_passes(size2: int) -> None:
    root2 = naive_root(size2)
    for size1 in range(1, size2 + 1):
        root1 = naive_root(size1)
        proof = consistency_proof(size1, size2, NAIVE)
        for altered in spoiled(proof):
            assert_refused(verify_consistency, size1, root1, size2, root2, altered)
        assert_refused(verify_consistency, size1, OTHER, size2, root2, proof)
        assert_refused(verify_consistency, size1, root1, size2, OTHER, proof)
        assert_refused(verify_consistency, size1, root1[:-1], size2, root2, proof)
        assert_refused(verify_consistency, size1, root1, size2, root2 + b"\x00", proof)
        assert_refused(verify_consistency, 0, root1, size2, root2, proof)
        assert_refused(verify_consistency, 0, EMPTY_ROOT, size2, root2, [])
        assert_refused(verify_consistency, size2 + 1, root1, size2, root2, proof)
        if size1 != size2:
            assert_refused(verify_consistency, size1, root2, size2, root1, proof)
            assert_refused(verify_consistency, size1, root1, size2, root2, [])
            assert_refused(verify_consistency, size2, root1, size1, root2, proof)


def steps(size1: int, size2: int, whole: bool = True) -> str | None:
    """The turns of SUBPROOF from the root on, and whether it ends at the old tree itself; None if there is no proof."""
    if not 1 <= size1 <= size2:
        return None
    if size1 == size2:
        return "." if whole else "!"
    k = naive_tree.split(size2)
    return f"l{steps(size1, k, whole)}" if size1 <= k else f"r{steps(size1 - k, size2 - k, whole=False)}"


@pytest.mark.parametrize("size2", range(1, 18))
def test_other_sizes_pass_only_if_the_proof_between_them_is_built_alike(size2: int) -> None:
    for size1 in range(1, size2 + 1):
        proof = consistency_proof(size1, size2, NAIVE)
        for claimed2 in range(36):
            for claimed1 in range(claimed2 + 2):
                check = partial(verify_consistency, claimed1, naive_root(size1), claimed2, naive_root(size2), proof)
                if steps(claimed1, claimed2) == steps(size1, size2):
                    check()
                else:
                    assert_refused(check)


def test_equal_roots_that_are_no_hashes_prove_nothing() -> None:
    for root in (b"", b"root", OTHER + b"\x00"):
        assert_refused(verify_consistency, 1, root, 1, root, [])


def test_empty_trees_prove_nothing() -> None:
    assert_refused(verify_consistency, 0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    assert_refused(verify_inclusion, EMPTY_ROOT, 0, 0, [], EMPTY_ROOT)


@pytest.mark.parametrize(("size1", "size2"), [(0, 0), (0, 5), (6, 5), (-1, 3), (1, MAX_SIZE + 1)])
def test_no_proof_is_made_between_sizes_that_allow_none(size1: int, size2: int) -> None:
    with pytest.raises(RefusedInput):
        consistency_proof(size1, size2, NAIVE)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_no_proof_is_made_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(RefusedInput, match="has no leaf"):
        inclusion_proof(index, size, NAIVE)


def test_a_leaf_is_no_node() -> None:
    """The two prefixes keep an interior node from being passed off as an entry (RFC 9162 section 2.1.1)."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
