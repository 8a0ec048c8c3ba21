"""The parts of the verifier agree with the libraries and definitions that they stand for."""

from __future__ import annotations

import copy
import json
import struct
from hashlib import sha256
from typing import Any

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from audit.bundle import verify
from audit.bundle.multiproof import multiproof
from audit.tlog.checkpoint import Checkpoint
from domain.canonical import canonical_bytes, normal_form
from domain.diff import diff
from domain.errors import InvalidPatch
from domain.patch import apply_in_place, copy_of
from projections.ledger.merkle import consistency_proof, root_at
from tests.audit.tlog.signers import OURS
from tests.domain.json_strategies import DOCUMENTS, edited
from tests.projections.ledger.naive_tree import mth

# -- RFC 8785 -------------------------------------------------------------------------------------


@given(st.integers(0, 2**64 - 1))
@example(0x8000000000000000)
@example(0x0000000000000001)
@example(0x44B52D02C7E14AF6)
def test_numbers_are_printed_as_ecmascript_does(bits: int) -> None:
    (number,) = struct.unpack("<d", struct.pack("<Q", bits))
    assume(number == number and abs(number) != float("inf"))
    assert verify.number_text(number).encode() == rfc8785.dumps(number)


@given(DOCUMENTS)
@example({"\U0001f996": 1, "\ufb33": 2, "\x7f": "\x1f\u2028"})
@example([1e16, 1e-5, 1e21, 123456789012345680000.0, -0.0])
def test_values_are_written_as_rfc_8785_says(value: Any) -> None:
    expected = rfc8785.dumps(normal_form(value))
    assert verify.written(normal_form(value)).encode() == expected
    codec = verify.Json()
    assert codec.write(codec.read(expected.decode())).encode() == expected
    codec = verify.Json()
    spaced = json.dumps(normal_form(value), indent=1)
    assert codec.write(codec.read(spaced)).encode() == expected


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "[1", '{"a":1}x', "", "\x00", '"\n"', "[" * 10**5])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(verify.Fault):
        verify.Json().read(text)


def test_numbers_beyond_doubles_are_refused() -> None:
    codec = verify.Json()
    value = codec.read("[1e400]")
    with pytest.raises(verify.Fault, match="too large"):
        codec.write(value)


def test_the_slow_writer_behind_the_fast_one_does_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify.json.encoder, "c_make_encoder", None)
    codec = verify.Json()
    value = {"b": [1, 0.5, None, True, "é\u2028\n"], "a": {}}
    assert codec.write(value).encode() == rfc8785.dumps(value)


# -- JSON Patch -----------------------------------------------------------------------------------


@settings(max_examples=200)
@given(st.lists(edited(), min_size=1, max_size=4))
def test_documents_are_folded_as_the_store_folds_them(pairs: list[tuple[Any, Any]]) -> None:
    codec = verify.Json()
    document, present = verify.Document(codec), {}
    for version in (each for pair in pairs for each in pair):
        state = normal_form({"@type": "x", "content": version, **(version if isinstance(version, dict) else {})})
        patch = diff(present, state)
        text = canonical_bytes(patch).decode()
        document.apply(codec.read(text))
        assert document.text().encode() == canonical_bytes(state)
        present = state


POINTERS = st.sampled_from(
    ["", "/a", "/a/0", "/a/-", "/a/1", "/b", "/a/0/c", "/~1", "/~0~1", "/a/01", "/a/٣", "a", "/~"]
)


@settings(max_examples=300)
@given(
    st.fixed_dictionaries({"a": st.lists(DOCUMENTS, max_size=3)}, optional={"b": DOCUMENTS, "/": DOCUMENTS}),
    st.lists(
        st.fixed_dictionaries(
            {"op": st.sampled_from(["add", "test", "move", "remove", "replace"]), "path": POINTERS},
            optional={"value": DOCUMENTS, "from": POINTERS},
        ),
        max_size=3,
    ),
)
def test_a_patch_that_the_store_refuses_is_refused(start: dict[str, Any], patch: list[dict[str, Any]]) -> None:
    start, patch = normal_form(start), normal_form(patch)
    document = verify.Document(verify.Json())
    document.apply([{"op": "add", "path": "", "value": copy.deepcopy(start)}])
    try:
        expected = apply_in_place(copy_of(start), copy.deepcopy(patch))
    except (InvalidPatch, KeyError):
        expected = None
    reason = _refusal(document, copy.deepcopy(patch))
    if reason is not None:
        assert expected is None or not isinstance(expected, dict) or "could not be undone" in reason or "root" in reason
        return
    assert expected is not None
    document._codec.odd = True
    assert document.text().encode() == canonical_bytes(expected)


def _refusal(document: verify.Document, patch: list[dict[str, Any]]) -> str | None:
    try:
        document.apply(patch)
    except verify.Fault as fault:
        return str(fault)
    return None


@pytest.mark.parametrize(("held", "expected"), [(1, True), (True, 1), (0, False), (None, 0), ("1", 1), ([1], [True])])
def test_values_that_python_takes_for_each_other_are_told_apart(held: Any, expected: Any) -> None:
    document = verify.Document(verify.Json())
    document.apply([{"op": "add", "path": "", "value": {"a": held}}])
    with pytest.raises(verify.Fault, match="expects another value at /a"):
        document.apply([{"op": "test", "path": "/a", "value": expected}])


# -- Ed25519 --------------------------------------------------------------------------------------

RFC_8032 = [
    # section 7.1: secret key, public key, message, signature
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032_verify(secret: str, public: str, message: str, signature: str) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
    assert key.public_key().public_bytes_raw().hex() == public
    assert verify.ed25519_verifies(bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature))


@settings(max_examples=40)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.integers(0, 511), st.booleans())
def test_signatures_verify_as_cryptography_says(seed: bytes, message: bytes, bit: int, of_key: bool) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert verify.ed25519_verifies(public, message, signature)
    assert not verify.ed25519_verifies(public, message + b"x", signature)
    changed_key, changed = bytearray(public), bytearray(signature)
    (changed_key if of_key else changed)[bit // 8 % (32 if of_key else 64)] ^= 1 << bit % 8
    try:
        Ed25519PublicKey.from_public_bytes(bytes(changed_key)).verify(bytes(changed), message)
        expected = True
    except (InvalidSignature, ValueError):
        expected = False
    assert verify.ed25519_verifies(bytes(changed_key), message, bytes(changed)) == expected


def test_malleable_signatures_and_weak_keys_are_refused() -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"\x05" * 32)
    public, signature = private.public_key().public_bytes_raw(), private.sign(b"m")
    larger = int.from_bytes(signature[32:], "little") + verify.ORDER
    assert not verify.ed25519_verifies(public, b"m", signature[:32] + larger.to_bytes(32, "little"))
    identity = (1).to_bytes(32, "little")
    assert not verify.ed25519_verifies(identity, b"anything", identity + bytes(32))
    assert not verify.ed25519_verifies(public[:-1], b"m", signature)
    assert not verify.ed25519_verifies(public, b"m", signature[:-1])
    beyond = (verify.P + 1).to_bytes(32, "little")
    assert not verify.ed25519_verifies(beyond, b"m", signature)


# -- the tree -------------------------------------------------------------------------------------


def _tree(size: int) -> tuple[list[bytes], Any]:
    entries = [b"%d" % number for number in range(size)]
    return entries, lambda level, index: mth(entries[index << level : (index + 1) << level])


@given(st.integers(1, 70).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(1, size), min_size=1))))
def test_one_proof_leads_from_any_events_to_the_root(chosen: tuple[int, set[int]]) -> None:
    size, positions = chosen
    entries, hash_at = _tree(size)
    proof = list(multiproof(sorted(positions), size, hash_at))
    hashes = iter(proof)
    tree = verify.Tree()
    for position in sorted(positions):
        tree.fill(position - 1, hashes)
        tree.add(0, sha256(b"\0" + entries[position - 1]).digest())
    tree.fill(size, hashes)
    assert tree.root() == mth(entries)
    assert next(hashes, None) is None
    assert len(proof) <= len(positions) * 2 * size.bit_length()
    assert not proof or len(positions) < size


@given(st.integers(1, 60).flatmap(lambda new: st.tuples(st.integers(1, new), st.just(new))), st.data())
def test_consistency_is_checked_as_rfc_9162_says(sizes: tuple[int, int], data: st.DataObject) -> None:
    old, new = sizes
    _, hash_at = _tree(new)
    proof = consistency_proof(old, new, hash_at)
    before, after = (_checkpoint(size, root_at(size, hash_at)) for size in sizes)
    verify.check_consistency(before, after, proof)
    wrong = list(proof)
    if wrong:
        at = data.draw(st.integers(0, len(wrong) - 1))
        wrong[at] = data.draw(st.sampled_from([b"\0" * 32, wrong[at - 1]]))
    for bad in ([*proof, b"\0" * 32], proof[:-1], wrong):
        if bad != proof:
            with pytest.raises(verify.Fault):
                verify.check_consistency(before, after, bad)
    with pytest.raises(verify.Fault):
        verify.check_consistency(_checkpoint(old, b"\1" * 32), after, proof)
    with pytest.raises(verify.Fault):
        verify.check_consistency(_checkpoint(new + 1, before.root), after, proof)


def _checkpoint(size: int, root: bytes) -> verify.Checkpoint:
    return verify.Checkpoint(bytes(Checkpoint(OURS.name, size, root).signed(OURS)), "a checkpoint")
