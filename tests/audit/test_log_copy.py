"""A copy of the log kept elsewhere: where it differs from the ledger, and copies that prove nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audit.log_copy import LogCopy, first_difference
from audit.publishing import sign_checkpoint, write_tiles
from audit.tlog import keys
from audit.verify import verify
from audit.witnesses import log_copy
from domain.errors import ProvenariumError
from projections.ledger.merkle import leaf_hash
from store.ledger import Ledger
from tests.audit.tampering import C, Owner, Tampering, flip, rewrite, set_, tamper, told
from tests.store.ledger_building import created

ORIGIN = "museum.example/ledger"


def leaf(number: int) -> bytes:
    return leaf_hash(b"%d" % number)


@given(leaves=st.lists(st.integers(0, 1), max_size=6), log=st.lists(st.tuples(st.integers(1, 8), st.integers(0, 1))))
@example(leaves=[0, 0], log=[(1, 0), (1, 1), (2, 0)])
@example(leaves=[0, 0], log=[(1, 0), (2, 0), (2, 0)])
@example(leaves=[0, 0], log=[(1, 0), (2, 0), (3, 0)])
def test_the_first_difference_is_the_first_position_that_has_not_just_that_leaf(
    leaves: list[int], log: list[tuple[int, int]]
) -> None:
    at: dict[int, list[int]] = {}
    for position, number in sorted(log):
        at.setdefault(position, []).append(number)
    expected = next((position for position, number in enumerate(leaves, 1) if at.get(position) != [number]), None)
    ours = [(position, leaf(number)) for position, number in sorted(log)]
    assert first_difference(map(leaf, leaves), ours) == expected


def test_an_event_that_cannot_be_read_is_a_difference() -> None:
    assert first_difference([leaf(0), leaf(1)], [(1, leaf(0)), (2, None), (3, leaf(2))]) == 2


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


@pytest.fixture
def long(ledger: Ledger, tmp_path: Path) -> Ledger:
    """A store of 600 objects of one version; the copy of its log was written when it had 300, and brought up to date.

    Partial tiles of that time are still there.
    """
    keys.generate(tmp_path / "keys", ORIGIN)
    for first in (1, 301):
        ledger.append([created(f"TEST/AAA-AAA-{number:03}") for number in range(first, first + 300)])
        write_tiles(ledger, tmp_path / "copy", bytes(sign_checkpoint(ledger, tmp_path / "keys")))
    return ledger


def test_a_copy_of_several_tiles(long: Ledger, tmp_path: Path) -> None:
    opened = log_copy(tmp_path / "keys", tmp_path / "copy")
    assert opened.checkpoint.size == 600
    assert len(list(opened.leaves())) == 600
    assert verify(long, copy=opened).ok


def flip_in_tile(level: int, index: int, place: int) -> str:
    flipped = f"set_byte(hashes, {place}, get_byte(hashes, {place}) # 1)"
    return f"UPDATE ledger_tiles SET hashes = {flipped} WHERE level = {level} AND index = {index}"


DECOYS: dict[str, tuple[Tampering, ...]] = {
    "the tree as it was": (),
    "a later leaf": (flip_in_tile(0, 1, 0),),
    "an earlier leaf": (flip_in_tile(0, 0, 0),),
    "a later leaf above": (flip_in_tile(1, 0, 32),),
    "no tree": ("DELETE FROM ledger_tiles",),
    "a later event": (flip("TEST/AAA-AAA-300", 1, 40),),
    "a later event gone": ("DELETE FROM events WHERE notification_id = 600", "UPDATE log_head SET position = 599"),
}


@pytest.mark.parametrize("decoy", list(DECOYS))
def test_nothing_leads_away_from_the_first_event(long: Ledger, owner: Owner, tmp_path: Path, decoy: str) -> None:
    name = "TEST/AAA-AAA-200"
    for tampering in (rewrite(name, 1, set_("https://example.org/other", "agents", 0, "id")), *DECOYS[decoy]):
        tamper(long, owner, tampering)
    report = told(verify(long, copy=log_copy(tmp_path / "keys", tmp_path / "copy")))
    assert f"{name}/1: is the first event affected: entry 200 of the ledger was recorded at" in report
    assert report.count("first event affected") == 1


def test_two_events_at_one_position_are_told(filled: Ledger, owner: Owner, copy: Path) -> None:
    owner.execute("UPDATE events SET notification_id = 9 WHERE notification_id = 10")
    report = told(verify(filled, copy=log_copy(copy.parent / "keys", copy)))
    assert f"{C}/3: is the first event affected: entry 9 of the ledger was recorded at" in report
    assert f"now is another {C}/3 and {C}/4" in report


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
        (_swell, "is larger than the 1920 bytes"),
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
