"""What the operator gives to others can be checked without us; nothing is signed or copied that does not continue."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import psycopg
import pytest

from audit import self_check
from audit.bundle.scope import everything, of_objects
from audit.bundle.write import write_bundle
from audit.publishing import prove_consistency, prove_inclusion, sign_checkpoint, write_tiles
from audit.static_log import StaticLog
from audit.tlog import keys
from audit.tlog.checkpoint import Checkpoint, open_checkpoint
from audit.tlog.last_seen import last_seen
from audit.tlog.note import Note
from audit.verify import verify
from domain.errors import IntegrityFailure, NotFound, RefusedInput, UnsafeKeys
from projections.engine import catch_up, rebuild
from projections.ledger.entry_bundles import Bundle, unpack
from projections.ledger.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from projections.ledger.tiles import tiles_of
from projections.ledger.tree import tree_of
from store.ledger import Ledger
from tests.store.ledger_building import created, grow, pid


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys.generate(tmp_path / "keys", "museum.example/ledger")
    return tmp_path / "keys"


def signed(ledger: Ledger, folder: Path) -> Checkpoint:
    note = sign_checkpoint(ledger, folder)
    return open_checkpoint(bytes(note), [published.key for published in keys.public(folder)])


def hashes(lines: list[str]) -> list[bytes]:
    return [base64.b64decode(line, validate=True) for line in lines]


def test_a_checkpoint_is_of_the_whole_ledger_and_kept_in_the_database(ledger: Ledger, folder: Path) -> None:
    assert signed(ledger, folder).size == 0
    grow(ledger, pid(1), 3)
    checkpoint = signed(ledger, folder)
    assert checkpoint.size == 3
    with ledger.connection() as connection:
        assert checkpoint.root == tree_of(connection).root()
        rows = connection.execute("SELECT size FROM checkpoints ORDER BY size").fetchall()
    assert [row["size"] for row in rows] == [0, 3]
    sign_checkpoint(ledger, folder)


def test_checkpoints_cannot_be_changed(ledger: Ledger, folder: Path) -> None:
    sign_checkpoint(ledger, folder)
    with psycopg.connect(ledger.conninfo, options=f"-c search_path={ledger.settings.ledger}") as connection:
        for statement in ("UPDATE checkpoints SET size = 7", "DELETE FROM checkpoints", "TRUNCATE checkpoints"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"), connection.transaction():
                connection.execute(statement.encode())


def test_without_keys_nothing_is_signed(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(UnsafeKeys):
        sign_checkpoint(ledger, tmp_path / "none")


def test_a_proof_of_inclusion_stands_on_its_own(ledger: Ledger, folder: Path) -> None:
    grow(ledger, pid(1), 5)
    ledger.append([created(pid(number)) for number in range(2, 300)])
    sign_checkpoint(ledger, folder)
    grow(ledger, pid(400), 2)
    text = prove_inclusion(ledger, pid(1), 3)
    head, note = text.split("\n\n", 1)
    kind, extra, index, *path = head.split("\n")
    checkpoint = open_checkpoint(note.encode(), [keys.public(folder)[0].key])
    assert kind == "c2sp.org/tlog-proof@v1"
    assert index == "index 2"
    entry = base64.b64decode(extra.removeprefix("extra "))
    told = json.loads(entry)
    assert (told["object"], told["version"], told["position"]) == (pid(1), 3, 3)
    assert told["event"] == ledger.history(pid(1))[2].hash
    assert checkpoint.size == 303
    verify_inclusion(leaf_hash(entry), 2, checkpoint.size, hashes(path), checkpoint.root)


def test_what_no_checkpoint_covers_cannot_be_proved(ledger: Ledger, folder: Path) -> None:
    grow(ledger, pid(1), 1)
    with pytest.raises(RefusedInput, match="no checkpoint yet"):
        prove_inclusion(ledger, pid(1), 1)
    sign_checkpoint(ledger, folder)
    grow(ledger, pid(2), 1)
    with pytest.raises(RefusedInput, match="sign a new one"):
        prove_inclusion(ledger, pid(2), 1)
    with pytest.raises(NotFound, match="no version 2"):
        prove_inclusion(ledger, pid(1), 2)


def test_a_proof_of_consistency_is_what_witnesses_take(ledger: Ledger, folder: Path) -> None:
    empty = sign_checkpoint(ledger, folder)
    ledger.append([created(pid(number)) for number in range(300)])
    old = sign_checkpoint(ledger, folder)
    ledger.append([created(pid(number)) for number in range(300, 777)])
    sign_checkpoint(ledger, folder)
    head, note = prove_consistency(ledger, Checkpoint.parse(old.text)).split("\n\n", 1)
    first, *proof = head.split("\n")
    new = Checkpoint.parse(Note.parse(note.encode()).text)
    before = Checkpoint.parse(old.text)
    assert (first, new.size) == ("old 300", 777)
    verify_consistency(300, before.root, 777, new.root, hashes(proof))
    assert prove_consistency(ledger, Checkpoint.parse(empty.text)).startswith("old 0\n\n")
    with pytest.raises(RefusedInput, match="fewer than"):
        prove_consistency(ledger, new, bytes(old))


def test_the_static_copy_is_the_log(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for first, last in ((0, 10), (10, 300), (300, 600)):
        ledger.append([created(pid(number)) for number in range(first, last)])
        result = write_tiles(ledger, copy, bytes(sign_checkpoint(ledger, folder)))
        assert (result["since"], result["size"]) == (first, last)
    checkpoint = StaticLog(copy).checkpoint()
    assert checkpoint is not None
    entries: list[bytes] = []
    for index in range(3):
        bundle = Bundle(index, min(256, 600 - 256 * index))
        entries += unpack((copy / bundle.path).read_bytes(), bundle.width)
    assert root_of(map(leaf_hash, entries)) == checkpoint.root
    for tile in tiles_of(600):
        assert len((copy / tile.path).read_bytes()) == 32 * tile.width
    assert write_tiles(ledger, copy, (copy / "checkpoint").read_bytes())["files"] == 1


def test_a_copy_of_something_else_is_left_alone(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    note = bytes(sign_checkpoint(ledger, folder))
    with pytest.raises(RefusedInput, match="holds other things"):
        write_tiles(ledger, tmp_path / "other", note)
    keys.generate(tmp_path / "keys of another", "another.example/log")
    write_tiles(ledger, tmp_path / "copy", bytes(sign_checkpoint(ledger, tmp_path / "keys of another")))
    with pytest.raises(IntegrityFailure, match=r"a copy of another\.example/log"):
        write_tiles(ledger, tmp_path / "copy", note)


def test_nothing_is_signed_proved_or_copied_of_a_ledger_that_was_altered(
    ledger: Ledger, folder: Path, tmp_path: Path
) -> None:
    ledger.append([created(pid(number)) for number in range(5)])
    before = signed(ledger, folder)
    write_tiles(ledger, tmp_path / "copy", bytes(sign_checkpoint(ledger, folder)))
    with psycopg.connect(ledger.conninfo, options=f"-c search_path={ledger.settings.ledger}") as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE events SET recorded_at = recorded_at - interval '1 year'")
    rebuild(ledger, accept_differences=True)
    ledger.append([created(pid(9))])
    with pytest.raises(IntegrityFailure, match="does not continue the checkpoint of 5"):
        sign_checkpoint(ledger, folder)
    with pytest.raises(IntegrityFailure, match="does not have the root"):
        prove_inclusion(ledger, pid(1), 1)
    keys.generate(tmp_path / "forger", "museum.example/ledger")
    forged = bytes(sign_checkpoint(ledger, tmp_path / "forger"))
    with pytest.raises(IntegrityFailure, match="one of them was altered"):
        prove_consistency(ledger, before, forged)
    with pytest.raises(IntegrityFailure, match="does not continue"):
        write_tiles(ledger, tmp_path / "copy", forged)


PLANTED = "UPDATE ledger_tiles SET hashes = hashes || sha256('planted') WHERE level = 0"
ERASED = """
    DELETE FROM events WHERE notification_id = 9; DELETE FROM versions WHERE position = 9;
    DELETE FROM objects WHERE pid = 'TEST/000-000-008';
    UPDATE log_head SET position = 8, recorded_at = (SELECT max(recorded_at) FROM events);
    UPDATE projections SET position = 8"""
ALTERED = "UPDATE events SET recorded_at = recorded_at + interval '1 microsecond' WHERE notification_id = 9"
NOT_THE_LOG = {
    "leaves planted": (PLANTED, r"ledger_tiles hold 10 leaves, but the ledger's tree was made of 9"),
    "leaves planted, and the projection said to have made them": (
        f"{PLANTED}; UPDATE projections SET position = 10 WHERE name = 'ledger'",
        r"hold 10 leaves, but the log ends at position 9",
    ),
    "a leaf planted for an event": (
        "UPDATE ledger_tiles SET hashes = substring(hashes FROM 1 FOR 256) || sha256('planted') WHERE level = 0",
        r"000-008/1 is not the entry 9",
    ),
    "the end erased, its leaf left": (ERASED, r"hold 9 leaves, but the ledger's tree was made of 8"),
    "the end erased, but for the leaf and what made it": (
        ERASED + " WHERE name <> 'ledger'",
        r"hold 9 leaves, but the log ends at position 8",
    ),
    "an event altered": (ALTERED, r"000-008/1 is not the entry 9"),
    "an event moved away": ("UPDATE events SET notification_id = 4711 WHERE notification_id = 9", "entry 9 of the led"),
}


@pytest.mark.parametrize("name", list(NOT_THE_LOG))
def test_a_tree_that_is_not_that_of_the_log_is_neither_signed_nor_published(
    ledger: Ledger, folder: Path, tmp_path: Path, name: str
) -> None:
    ledger.append([created(f"TEST/000-000-{number:03}") for number in range(8)])
    sign_checkpoint(ledger, folder)
    ledger.append([created("TEST/000-000-008")])
    catch_up(ledger)
    keys.generate(tmp_path / "aside", "museum.example/ledger")
    honest = bytes(sign_checkpoint(ledger, tmp_path / "aside"))
    statement, expected = NOT_THE_LOG[name]
    with psycopg.connect(ledger.conninfo, options=f"-c search_path={ledger.settings.ledger}") as connection:
        connection.execute("SET session_replication_role = replica")
        for each in statement.split(";"):
            assert connection.execute(each.encode()).rowcount > 0
    with pytest.raises(IntegrityFailure, match=expected):
        sign_checkpoint(ledger, folder)
    assert last_seen(folder, "museum.example/ledger").checkpoint.size == 8  # type: ignore[union-attr]
    trusted = [published.key for published in keys.public(tmp_path / "aside")]
    with pytest.raises(IntegrityFailure):
        write_tiles(ledger, tmp_path / "copy", honest)
    assert not (tmp_path / "copy" / "checkpoint").exists()
    with pytest.raises(IntegrityFailure):
        write_bundle(ledger, tmp_path / "bundle.zip", everything(), honest, trusted)
    assert not (tmp_path / "bundle.zip").exists()
    assert not verify(ledger, outside=[("the one kept", open_checkpoint(honest, trusted))]).ok
    *_, last = self_check.run(ledger, [("the one kept", open_checkpoint(honest, trusted))])
    assert last.problems


def test_a_tile_with_another_root_than_the_one_above_says_is_not_published(
    ledger: Ledger, folder: Path, tmp_path: Path
) -> None:
    ledger.append([created(pid(number)) for number in range(300)])
    note = bytes(sign_checkpoint(ledger, folder))
    trusted = [published.key for published in keys.public(folder)]
    with psycopg.connect(ledger.conninfo, options=f"-c search_path={ledger.settings.ledger}") as connection:
        connection.execute(
            "UPDATE ledger_tiles SET hashes = overlay(hashes PLACING sha256('x') FROM 1) WHERE level = 0 AND index = 0"
        )
    for attempt in (
        lambda: write_tiles(ledger, tmp_path / "copy", note),
        lambda: prove_inclusion(ledger, pid(5), 1),
        lambda: write_bundle(ledger, tmp_path / "bundle.zip", of_objects(ledger, [pid(5)]), note, trusted),
    ):
        with pytest.raises(IntegrityFailure, match="another root than the tile above it says"):
            attempt()
