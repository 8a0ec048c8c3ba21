"""A copy of the log kept elsewhere: where it differs from the ledger, and copies that prove nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.log_copy import LogCopy, first_difference
from audit.publishing import sign_checkpoint, write_tiles
from audit.tlog import keys
from audit.verify import verify
from audit.witnesses import log_copy
from domain.errors import IntegrityFailure, ProvenariumError
from projections.engine import catch_up
from projections.ledger.merkle import leaf_hash
from projections.ledger.tile_reader import TileReader
from projections.ledger.tiles import Edge, Tile, extend
from store.ledger import Ledger
from tests.audit.tampering import C, Owner, told
from tests.store.ledger_building import created

ORIGIN = "museum.example/ledger"


def tree(leaves: Sequence[bytes], read: list[Tile] | None = None) -> TileReader:
    """A tree in memory, which notes the tiles that are read."""
    growth = extend(Edge(), leaves)
    tiles = {(tile.level, tile.index): hashes for tile, hashes in [*growth.full, *growth.edge.tiles()]}

    def read_tile(tile: Tile) -> bytes:
        if read is not None:
            read.append(tile)
        return tiles[tile.level, tile.index]

    return TileReader(len(leaves), read_tile)


def leaf(number: int, salt: int = 0) -> bytes:
    return leaf_hash(b"%d/%d" % (number, salt))


@given(
    here=st.integers(0, 700),
    there=st.integers(0, 700),
    changed=st.sets(st.integers(0, 699), max_size=3),
)
def test_the_first_difference_is_that_of_comparing_leaf_by_leaf(here: int, there: int, changed: set[int]) -> None:
    ours = [leaf(number, int(number in changed)) for number in range(here)]
    theirs = [leaf(number) for number in range(there)]
    expected = next((number for number in range(there) if number >= here or ours[number] != theirs[number]), None)
    assert first_difference(tree(ours), tree(theirs)) == expected


def test_few_tiles_are_read() -> None:
    size = 70_001
    read: list[Tile] = []
    theirs = [leaf(number) for number in range(size)]
    ours = [*theirs[:65_000], leaf(0, 1), *theirs[65_001:]]
    assert first_difference(tree(ours), tree(theirs, read)) == 65_000
    assert len(read) <= 4


def test_a_node_of_the_copy_that_does_not_lead_to_it_accuses_nobody() -> None:
    theirs = [leaf(number) for number in range(600)]
    ours = [leaf(0, 1), *theirs[1:]]
    wrong = tree(theirs)
    honest = wrong._read_tile
    wrong._read_tile = lambda tile: honest(tile) if tile.level else honest(tile)[:32] + bytes(32) + honest(tile)[64:]
    with pytest.raises(IntegrityFailure, match="the copy's tiles below node 0 of level 8"):
        first_difference(tree(ours), wrong)
    with pytest.raises(IntegrityFailure, match="the ledger's own tiles below node 0 of level 8"):
        first_difference(_with_other_roots(ours), tree(ours))


def _with_other_roots(leaves: Sequence[bytes]) -> TileReader:
    found = tree(leaves)
    honest = found._read_tile
    found._read_tile = lambda tile: bytes(len(honest(tile))) if tile.level else honest(tile)
    return found


@pytest.fixture
def copy(filled: Ledger, tmp_path: Path) -> Path:
    """A copy of the log of the small store; its keys are beside it."""
    keys.generate(tmp_path / "keys", ORIGIN)
    write_tiles(filled, tmp_path / "copy", bytes(sign_checkpoint(filled, tmp_path / "keys")))
    return tmp_path / "copy"


def vkeys(copy: Path) -> list[str]:
    return [str(published.key) for published in keys.public(copy.parent / "keys")]


def test_a_ledger_that_continues_its_copy_is_sound(filled: Ledger, copy: Path) -> None:
    opened = log_copy(copy.parent / "none", copy, vkeys(copy))
    assert verify(filled, copy=opened).ok
    filled.append([created("TEST/DDD-DDD-DDD")])
    assert verify(filled, copy=opened).ok
    assert log_copy(copy.parent / "keys", copy).checkpoint.size == 60


def test_a_copy_of_several_tiles_names_the_event(ledger: Ledger, tmp_path: Path) -> None:
    pids = [f"TEST/AAA-AAA-{number:03}" for number in range(600)]
    ledger.append([created(pid) for pid in pids[:300]])
    keys.generate(tmp_path / "keys", ORIGIN)
    for rest in (pids[300:], []):  # the copy grows: its first partial tiles stay where they were
        write_tiles(ledger, tmp_path / "copy", bytes(sign_checkpoint(ledger, tmp_path / "keys")))
        ledger.append([created(pid) for pid in rest])
    catch_up(ledger)
    opened = log_copy(tmp_path / "keys", tmp_path / "copy")
    assert opened.checkpoint.size == 600
    assert verify(ledger, copy=opened).ok
    opened.tree = tree([leaf(number) for number in range(600)])  # another log altogether
    assert "entry 1 of the ledger: is the first event affected" in told(verify(ledger, copy=opened))


def test_entries_that_are_not_those_of_the_tree_are_not_quoted(filled: Ledger, owner: Owner, copy: Path) -> None:
    owner.execute("DELETE FROM events WHERE notification_id = 60")
    owner.execute("UPDATE log_head SET position = 59")
    owner.execute("UPDATE ledger_tiles SET hashes = substring(hashes FROM 1 FOR 32 * 59)")
    (bundle,) = (copy / "tile" / "entries").rglob("60")
    assert f"{C}/54: is the first event affected" in told(verify(filled, copy=log_copy(copy.parent / "keys", copy)))
    data = bundle.read_bytes()
    for content in (data.replace(C.encode(), b"TEST/AAA-AAA-AAA"), data[:-1], b""):
        bundle.write_bytes(content)
        report = told(verify(filled, copy=log_copy(copy.parent / "keys", copy)))
        assert "entry 60 of the ledger: is the first event affected" in report
    bundle.unlink()
    assert "entry 60 of the ledger: is" in told(verify(filled, copy=log_copy(copy.parent / "keys", copy)))


def _tile(copy: Path) -> Path:
    (tile,) = (copy / "tile" / "0").rglob("60")
    return tile


def _flip(copy: Path) -> None:
    data = bytearray(_tile(copy).read_bytes())
    data[100] ^= 1
    _tile(copy).write_bytes(bytes(data))


def _cut(copy: Path) -> None:
    _tile(copy).write_bytes(_tile(copy).read_bytes()[:-32])


def _swell(copy: Path) -> None:
    with _tile(copy).open("wb") as stream:
        stream.truncate(1 << 40)


def _remove(copy: Path) -> None:
    _tile(copy).unlink()


def _link(copy: Path) -> None:
    tile = _tile(copy)
    shutil.move(tile, copy / "elsewhere")
    tile.symlink_to(copy / "elsewhere")


def _pipe(copy: Path) -> None:
    tile = _tile(copy)
    tile.unlink()
    os.mkfifo(tile)


def _pipe_for_checkpoint(copy: Path) -> None:
    (copy / "checkpoint").unlink()
    os.mkfifo(copy / "checkpoint")


def _no_checkpoint(copy: Path) -> None:
    (copy / "checkpoint").write_text("nothing of the kind\n")


def _another_signature(copy: Path) -> None:
    note = (copy / "checkpoint").read_bytes()
    (copy / "checkpoint").write_bytes(note.replace(b"\n60\n", b"\n59\n"))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_flip, "do not lead to the root of its checkpoint"),
        (_cut, "has 1888 bytes instead of 1920"),
        (_swell, "is larger than the 8192 bytes"),
        (_remove, "cannot read .*/60: No such file"),
        (_link, "cannot read .*/60"),
        (_pipe, "is no regular file"),
        (_pipe_for_checkpoint, "is no regular file"),
        (_no_checkpoint, "note"),
        (_another_signature, "is wrong"),
    ],
)
def test_a_copy_that_proves_nothing_is_refused(copy: Path, damage: Callable[[Path], None], says: str) -> None:
    damage(copy)
    with pytest.raises(ProvenariumError, match=says):
        log_copy(copy.parent / "none", copy, vkeys(copy))


def test_a_copy_signed_by_nobody_known_is_refused(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(ProvenariumError, match="--key"):
        log_copy(tmp_path / "none", copy)
    keys.generate(tmp_path / "other", ORIGIN)
    stranger = keys.public(tmp_path / "other")[0].key
    with pytest.raises(ProvenariumError, match="no trusted key"):
        LogCopy(copy, [stranger])
