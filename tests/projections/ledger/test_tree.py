"""The ledger's tree in the database is the tree of RFC 9162 over the entries of all events."""

from __future__ import annotations

import hashlib
import json

import pytest
import rfc8785

from domain.times import to_text
from projections import following
from projections.engine import catch_up, rebuild
from projections.ledger.entries import entry_of
from projections.ledger.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from projections.ledger.tree import size_of, tree_of
from store.ledger import Ledger
from tests.projections.ledger import naive_tree
from tests.store.ledger_building import created, grow, pid


def entries(ledger: Ledger) -> list[bytes]:
    return [entry_of(ledger.mapper.to_domain_event(stored)) for batch in ledger.scan() for stored in batch]


def test_an_entry_names_its_event_by_the_hash_of_what_is_stored(ledger: Ledger) -> None:
    grow(ledger, pid(1), 2)
    (_, stored) = ledger.recorder.select_range(0)
    said = json.loads(ledger.mapper.text_of(stored.state))
    assert json.loads(entries(ledger)[1]) == {
        "event": hashlib.sha256(rfc8785.dumps(said)).hexdigest(),
        "object": pid(1),
        "position": 2,
        "recorded": to_text(stored.recorded),
        "version": 2,
    }
    assert entries(ledger)[1] == rfc8785.dumps(json.loads(entries(ledger)[1]))


def test_an_empty_ledger_has_the_empty_root(ledger: Ledger) -> None:
    catch_up(ledger)
    with ledger.connection() as connection:
        assert size_of(connection) == 0
        assert tree_of(connection).root() == EMPTY_ROOT


@pytest.mark.parametrize("batch", [7, 256, 1000])
def test_the_tree_is_the_same_in_any_batches(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(following, "BATCH", batch)
    for first, last in ((0, 300), (300, 301), (301, 700)):
        ledger.append([created(pid(number)) for number in range(first, last)])
        catch_up(ledger)
    told = tuple(entries(ledger))
    leaves = [leaf_hash(entry) for entry in told]
    with ledger.connection() as connection:
        tree = tree_of(connection)
        assert tree.size == 700
        assert tree.root() == naive_tree.mth(told)
        assert tree_of(connection, 300).root() == naive_tree.mth(told[:300])
        for index in (0, 255, 256, 699):
            verify_inclusion(leaves[index], index, 700, inclusion_proof(index, 700, tree.hash_at), tree.root())
        proof = consistency_proof(300, 700, tree.hash_at)
        verify_consistency(300, naive_tree.mth(told[:300]), 700, tree.root(), proof)
    before = tree.root()
    rebuild(ledger, ["ledger"])
    with ledger.connection() as connection:
        assert tree_of(connection).root() == before
