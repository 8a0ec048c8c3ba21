"""A checkpoint kept elsewhere tells what no look at the store itself can; and the tree is checked as well."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# -- sound ----------------------------------------------------------------------------------------
import psycopg
import pytest

from audit.publishing import sign_checkpoint
from audit.tlog import keys
from audit.verify import verify
from audit.witnesses import witnesses
from domain.canonical import digest
from projections.engine import catch_up, rebuild
from store.ledger import Ledger
from tests.audit.tampering import (
    A,
    C,
    Owner,
    rewrite,
    set_,
    tamper,
    told,
)
from tests.store.ledger_building import created

# -- what no look at the store itself can tell ----------------------------------------------------
# Whoever can change everything can write another, consistent history. Only a checkpoint that is kept
# elsewhere gives that away.


def _forget_the_last_event(ledger: Ledger, owner: Owner) -> None:
    owner.execute("DELETE FROM events WHERE notification_id = 60")
    owner.execute("UPDATE log_head SET position = 59")


def _say_that_somebody_else_did_it_last(ledger: Ledger, owner: Owner) -> None:
    tamper(ledger, owner, rewrite(A, 3, set_("https://example.org/somebody-else", "agents", 0, "id")))


def _rewrite_the_last_version(ledger: Ledger, owner: Owner) -> None:
    def change(event: dict[str, Any]) -> None:
        document = {**ledger.get(C).document, "dwc:individualCount": 99}
        event["patch"][-1]["value"] = 99
        event["digest"] = digest(document)

    tamper(ledger, owner, rewrite(C, 54, change))


def _shift_recorded_times(ledger: Ledger, owner: Owner) -> None:
    owner.execute("DELETE FROM snapshots")
    owner.execute("UPDATE events SET recorded_at = recorded_at - interval '1 year'")
    owner.execute("UPDATE log_head SET recorded_at = recorded_at - interval '1 year'")


def _roll_back_to_yesterday(ledger: Ledger, owner: Owner) -> None:
    owner.execute("DELETE FROM events WHERE notification_id > 30")
    owner.execute("DELETE FROM snapshots")
    owner.execute("UPDATE log_head SET position = 30, recorded_at = (SELECT max(recorded_at) FROM events)")


def _sign_with_another_key(ledger: Ledger, owner: Owner) -> None:
    _rewrite_the_last_version(ledger, owner)
    rebuild(ledger)
    with TemporaryDirectory() as folder:
        keys.generate(Path(folder) / "keys", "museum.example/ledger")
        sign_checkpoint(ledger, Path(folder) / "keys")


@pytest.mark.parametrize(
    ("tampering", "expected"),
    [
        (_forget_the_last_event, "but the ledger has 59: its end is missing"),
        (_say_that_somebody_else_did_it_last, "has another root than the first 60 entries"),
        (_rewrite_the_last_version, "has another root than the first 60 entries"),
        (_shift_recorded_times, "has another root than the first 60 entries"),
        (_roll_back_to_yesterday, "but the ledger has 30: its end is missing"),
        (_sign_with_another_key, "has another root than the first 60 entries"),
    ],
)
def test_a_consistent_forgery_is_told_by_a_checkpoint_from_elsewhere(
    filled: Ledger, owner: Owner, tmp_path: Path, tampering: Callable[[Ledger, Owner], None], expected: str
) -> None:
    keys.generate(tmp_path / "keys", "museum.example/ledger")
    note = sign_checkpoint(filled, tmp_path / "keys")
    (tmp_path / "kept").write_bytes(bytes(note))
    owner.execute("TRUNCATE checkpoints")
    tampering(filled, owner)
    if tampering is not _sign_with_another_key:
        assert not verify(filled).ok, "the projections still remember"
    rebuild(filled)
    assert verify(filled).ok, "nothing in the database tells"
    assert expected in told(verify(filled, outside=witnesses(tmp_path / "keys")))
    vkey = str(keys.public(tmp_path / "keys")[0].key)
    kept = witnesses(tmp_path / "none", tmp_path / "kept", [vkey])
    report = told(verify(filled, outside=kept))
    assert expected in report
    assert str(tmp_path / "kept") in report


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
