"""No checkpoint is signed or recorded that goes back behind the last one, whatever the database says."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.tlog.checkpoint import Checkpoint, open_checkpoint
from audit.tlog.keys import current, generate, public, rotate
from audit.tlog.last_seen import last_seen, remember
from audit.tlog.signing import signing
from domain.errors import IntegrityFailure, InvalidNote, InvalidSignature
from projections.ledger.merkle import HashAt, leaf_hash, root_of
from projections.ledger.tile_reader import TileReader
from projections.ledger.tiles import Edge, Tile, extend
from tests.audit.tlog.killing import killed_at_every_step
from tests.audit.tlog.signers import OURS

NAME = "museum.example/ledger"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generate(tmp_path / "keys", NAME)
    return tmp_path / "keys"


def log(size: int, altered: int | None = None) -> list[bytes]:
    return [leaf_hash(b"altered" if number == altered else str(number).encode()) for number in range(size)]


def tiles(leaves: list[bytes]) -> dict[Tile, bytes]:
    growth = extend(Edge(), leaves)
    return dict(growth.full) | dict(growth.edge.tiles())


def hashes(leaves: list[bytes]) -> HashAt:
    return TileReader(len(leaves), tiles(leaves).__getitem__).hash_at


def sign(folder: Path, leaves: list[bytes]) -> Checkpoint:
    with signing(folder) as signer:
        note = signer.sign(len(leaves), hashes(leaves))
        return open_checkpoint(bytes(note), [signer.verifier], NAME)


def test_a_growing_log_is_signed_and_what_was_signed_is_recorded(folder: Path) -> None:
    assert last_seen(folder, NAME) is None
    for size in (0, 1, 1, 7, 300, 300, 70_000):
        leaves = log(size)
        checkpoint = sign(folder, leaves)
        assert checkpoint == Checkpoint(NAME, size, root_of(leaves))
        seen = last_seen(folder, NAME)
        assert seen is not None
        assert seen.checkpoint == checkpoint
        assert open_checkpoint(seen.note, [current(folder).verifier]) == checkpoint


def test_a_log_rolled_back_is_not_signed(folder: Path) -> None:
    checkpoint = sign(folder, log(300))
    for size in (299, 1, 0):
        with pytest.raises(IntegrityFailure, match=rf"has {size} entries, but a checkpoint of 300 was signed"):
            sign(folder, log(size))
    seen = last_seen(folder, NAME)
    assert seen is not None
    assert seen.checkpoint == checkpoint


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(st.data())
def test_a_log_altered_behind_the_last_checkpoint_is_not_signed(folder: Path, data: st.DataObject) -> None:
    shutil.rmtree(folder)
    generate(folder, NAME)
    size = data.draw(st.integers(1, 600))
    later = data.draw(st.integers(size, 700))
    altered = data.draw(st.integers(0, size - 1))
    sign(folder, log(size))
    with pytest.raises(IntegrityFailure, match="has been altered"):
        sign(folder, log(later, altered))
    sign(folder, log(later))


def test_a_log_rolled_back_and_grown_beyond_the_last_checkpoint_is_not_signed(folder: Path) -> None:
    sign(folder, log(300))
    with pytest.raises(IntegrityFailure, match="does not continue the checkpoint of 300"):
        sign(folder, log(200) + [leaf_hash(b"new")] * 200)


def test_tiles_forged_to_show_the_last_root_do_not_help(folder: Path) -> None:
    """True tiles where the old root is made from, altered ones elsewhere: the proof must bind both roots."""
    sign(folder, log(256))
    altered = log(600, altered=5)
    forged = tiles(altered)
    true = tiles(log(600))
    forged[Tile(0, 0)] = true[Tile(0, 0)]
    with pytest.raises(IntegrityFailure, match="altered"), signing(folder) as signer:
        signer.sign(600, TileReader(600, forged.__getitem__).hash_at)


def test_a_log_whose_tiles_are_missing_is_not_signed(folder: Path) -> None:
    sign(folder, log(5))
    with pytest.raises(IntegrityFailure, match=r"tile/0/000\.p/9 has 0 bytes"), signing(folder) as signer:
        signer.sign(9, TileReader(9, lambda _tile: b"").hash_at)


def test_the_record_outlives_a_rotation(folder: Path) -> None:
    sign(folder, log(10))
    rotate(folder)
    with pytest.raises(IntegrityFailure, match="rolled back"):
        sign(folder, log(9))
    sign(folder, log(10))
    seen = last_seen(folder, NAME)
    assert seen is not None
    assert open_checkpoint(seen.note, [public(folder)[-1].key]).size == 10


def test_a_checkpoint_signed_elsewhere_can_be_remembered(folder: Path) -> None:
    signer = current(folder)
    notes = {size: bytes(Checkpoint(NAME, size, root_of(log(size))).signed(signer)) for size in (5, 9)}
    assert remember(folder, notes[5]).size == 5
    assert remember(folder, notes[9], hashes(log(9))).size == 9
    with pytest.raises(IntegrityFailure, match="rolled back"):
        remember(folder, notes[5])
    other_root = bytes(Checkpoint(NAME, 9, root_of(log(9, altered=8))).signed(signer))
    with pytest.raises(IntegrityFailure, match="with another root"):
        remember(folder, other_root)
    assert remember(folder, notes[9]).size == 9


def test_a_checkpoint_that_is_not_ours_is_not_remembered(folder: Path) -> None:
    checkpoint = Checkpoint(NAME, 5, root_of(log(5)))
    with pytest.raises(InvalidSignature):
        remember(folder, bytes(checkpoint.signed(OURS)))
    with pytest.raises(InvalidSignature, match="not of"):
        remember(folder, bytes(Checkpoint("other", 5, checkpoint.root).signed(current(folder))))
    with pytest.raises(InvalidNote):
        remember(folder, b"nonsense")
    assert last_seen(folder, NAME) is None


def test_a_record_that_was_altered_is_noticed(folder: Path) -> None:
    sign(folder, log(5))
    (record,) = folder.glob("last-seen-*")
    record.write_bytes(bytes(Checkpoint(NAME, 1, root_of(log(1))).signed(OURS)))
    with pytest.raises(IntegrityFailure, match="signed last, is damaged"):
        last_seen(folder, NAME)
    with pytest.raises(IntegrityFailure, match="signed last, is damaged"):
        sign(folder, log(6))


def test_signing_killed_at_any_step_loses_no_record(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sign(folder, log(5))
    saved = folder.parent / "saved"
    shutil.copytree(folder, saved)
    outcomes = set()
    for _ in killed_at_every_step(lambda: sign(folder, log(9)), monkeypatch):
        seen = last_seen(folder, NAME)
        assert seen is not None
        outcomes.add(seen.checkpoint.size)
        assert sign(folder, log(9)).size == 9
        assert not list(folder.glob(".new-*"))
        shutil.rmtree(folder)
        shutil.copytree(saved, folder)
    assert outcomes == {5, 9}


def test_who_reads_the_size_while_holding_the_keys_never_seems_to_roll_back(folder: Path) -> None:
    size = 0
    failures: list[Exception] = []

    def append_and_sign() -> None:
        nonlocal size
        try:
            for _ in range(5):
                with signing(folder) as signer:
                    size += 1
                    signer.sign(size, hashes(log(size)))
        except IntegrityFailure as failure:
            failures.append(failure)

    threads = [threading.Thread(target=append_and_sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    seen = last_seen(folder, NAME)
    assert seen is not None
    assert seen.checkpoint.size == size == 20
