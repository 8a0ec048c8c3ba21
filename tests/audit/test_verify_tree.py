"""A checkpoint kept elsewhere tells what no look at the store itself can; and the tree is checked as well."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from audit.publishing import sign_checkpoint, write_tiles
from audit.tlog import keys
from audit.verify import verify
from audit.witnesses import known_keys, log_copy, witnesses
from projections.engine import catch_up, rebuild
from store.ledger import Ledger
from tests.audit.forgeries import FORGERIES, Forgery, sign_with_another_key
from tests.audit.tampering import A, C, Owner, tamper, told
from tests.store.ledger_building import created


@pytest.mark.parametrize("forgery", FORGERIES, ids=[forgery.make.__name__ for forgery in FORGERIES])
def test_a_consistent_forgery_is_told_by_a_checkpoint_from_elsewhere(
    filled: Ledger, owner: Owner, tmp_path: Path, forgery: Forgery
) -> None:
    keys.generate(tmp_path / "keys", "museum.example/ledger")
    note = sign_checkpoint(filled, tmp_path / "keys")
    (tmp_path / "kept").write_bytes(bytes(note))
    write_tiles(filled, tmp_path / "copy", bytes(note))
    owner.execute("TRUNCATE checkpoints")
    forgery.make(filled, owner)
    if forgery.make is not sign_with_another_key:
        assert not verify(filled).ok, "the projections still remember"
    rebuild(filled, accept_differences=True)
    assert verify(filled).ok, "nothing in the database tells"
    expected = (
        f"the ledger has {forgery.left}: its end" if forgery.left < 60 else "another root than the first 60 entries"
    )
    assert expected in told(verify(filled, outside=witnesses(tmp_path / "keys")))
    vkey = str(keys.public(tmp_path / "keys")[0].key)
    kept = witnesses(tmp_path / "none", tmp_path / "kept", [vkey])
    report = told(verify(filled, outside=kept))
    assert expected in report
    assert str(tmp_path / "kept") in report

    copy = log_copy(tmp_path / "none", tmp_path / "copy", [vkey])
    problems = {problem.where: problem.what for problem in verify(filled, copy=copy).problems}
    assert expected in problems[copy.where]
    what = problems[forgery.first]
    assert what.startswith(f"is the first event affected: entry {forgery.entry} of the ledger was recorded at ")
    assert what.endswith(forgery.now)
    assert len(problems) == 2


TREE: dict[str, tuple[str, str]] = {
    "a leaf": (
        "UPDATE ledger_tiles SET hashes = set_byte(hashes, 32 * 6, get_byte(hashes, 32 * 6) # 1) WHERE level = 0",
        rf"{A}/3: is not the entry 7",
    ),
    "a leaf cut off": (
        "UPDATE ledger_tiles SET hashes = substring(hashes FROM 1 FOR 32 * 59)", rf"{C}/54: is not the entry 60",
    ),
    "a tile too many": ("INSERT INTO ledger_tiles VALUES (1, 0, sha256(''))", "ledger_tiles 0/0: has another root"),
    "a level too many": ("INSERT INTO ledger_tiles VALUES (2, 0, sha256(''))", "ledger_tiles 2/0: belongs to no tree"),
    "no tile": ("DELETE FROM ledger_tiles", rf"{A}/1: is not the entry 1 of"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(TREE))
def test_tampering_with_the_tree_is_told(filled: Ledger, owner: Owner, name: str) -> None:
    catch_up(filled)
    statement, expected = TREE[name]
    tamper(filled, owner, statement)
    report = told(verify(filled))
    assert re.search(expected, report), report


def test_a_tile_that_is_not_what_is_below_it_is_told(ledger: Ledger) -> None:
    ledger.append([created(f"TEST/AAA-AAA-{number:03}") for number in range(600)])
    catch_up(ledger)
    assert verify(ledger).ok
    with psycopg.connect(ledger.conninfo, options=f"-c search_path={ledger.settings.ledger}") as connection:
        connection.execute(
            "UPDATE ledger_tiles SET hashes = set_byte(hashes, 33, 1 + get_byte(hashes, 33) % 255) WHERE level = 1"
        )
    assert "ledger_tiles 0/1: has another root than the tile above it says" in told(verify(ledger))


def test_a_checkpoint_in_the_database_is_compared(filled: Ledger, owner: Owner, tmp_path: Path) -> None:
    keys.generate(tmp_path / "keys", "museum.example/ledger")
    sign_checkpoint(filled, tmp_path / "keys")
    assert verify(filled).ok
    owner.execute("UPDATE checkpoints SET root = sha256('')")
    assert "checkpoints museum.example/ledger 60: has another root" in told(verify(filled))


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("replace(n, '60', '59')", "holds the note of another checkpoint, museum.example/ledger 59"),
        ("replace(n, 'museum', 'mosque')", "holds the note of another checkpoint, mosque.example/ledger 60"),
        ("left(n, 30)", "holds a note that is none"),
        ("''", "holds a note that is none"),
    ],
)
def test_the_note_of_a_checkpoint_is_that_of_its_row(
    filled: Ledger, owner: Owner, tmp_path: Path, note: str, expected: str
) -> None:
    keys.generate(tmp_path / "keys", "museum.example/ledger")
    sign_checkpoint(filled, tmp_path / "keys")
    owner.execute(
        f"UPDATE checkpoints SET note = (SELECT convert_to({note}, 'UTF8') FROM convert_from(note, 'UTF8') AS n)"
    )
    assert f"checkpoints museum.example/ledger 60: {expected}" in told(verify(filled))


def test_a_checkpoint_that_somebody_else_signed_is_told(filled: Ledger, owner: Owner, tmp_path: Path) -> None:
    ours = "museum.example/ledger"
    for folder, name in (("keys", ours), ("forger", ours), ("other", "other.example/log")):
        keys.generate(tmp_path / folder, name)
        sign_checkpoint(filled, tmp_path / folder)
    assert verify(filled).ok
    report = told(verify(filled, keys=known_keys(tmp_path / "keys")))
    assert report.count("was signed by none of the keys of this ledger") == 1
    both = known_keys(tmp_path / "keys", [str(keys.public(tmp_path / "forger")[0].key)])
    assert verify(filled, keys=both).ok
    assert known_keys(tmp_path / "none") == []
