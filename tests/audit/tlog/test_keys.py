"""Keys stay private, are never lost or overwritten by accident, and survive a kill at any step."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from audit.tlog import keys, private_folder
from audit.tlog.keys import current, generate, public, rotate
from audit.tlog.note import Note, VerifierKey, open_note
from domain.errors import InvalidNote, UnsafeKeys
from tests.audit.tlog.killing import killed_at_every_step

NAME = "museum.example/ledger"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STRANGER = 54321


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def private_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name not in {"keys.json", "lock"})


def private_file(key: VerifierKey) -> str:
    return f"private-{key.key_id.hex()}.pem"


def owned_by_a_stranger(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        os.lchown(path, STRANGER, STRANGER)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: STRANGER)


def test_what_the_keys_sign_their_public_key_verifies(folder: Path) -> None:
    key = generate(folder, NAME)
    signer = current(folder)
    assert signer.name == key.name == NAME
    assert open_note(bytes(Note("text\n").signed(signer)), [key]).text == "text\n"


def test_the_folder_and_its_files_are_for_their_owner_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        generate(folder, NAME)
        rotate(folder)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_private_key_is_pkcs8_that_other_tools_read(folder: Path) -> None:
    key = generate(folder, NAME)
    pem = (folder / private_file(key)).read_bytes()
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    loaded = load_pem_private_key(pem, None)
    assert isinstance(loaded, Ed25519PrivateKey)
    assert loaded.public_key().public_bytes_raw() == key.public


def test_keys_are_not_generated_over_others(folder: Path) -> None:
    key = generate(folder, NAME)
    with pytest.raises(UnsafeKeys, match="has keys already"):
        generate(folder, NAME)
    assert current(folder).verifier == key


def test_a_private_key_whose_history_is_lost_is_not_replaced(folder: Path) -> None:
    key = generate(folder, NAME)
    history = (folder / "keys.json").read_bytes()
    (folder / "keys.json").unlink()
    with pytest.raises(UnsafeKeys, match=r"no keys\.json"):
        generate(folder, NAME)
    with pytest.raises(UnsafeKeys, match="has no keys"):
        current(folder)
    (folder / "keys.json").write_bytes(history)
    (folder / "keys.json").chmod(0o600)
    assert current(folder).verifier == key


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\nb", "x" * 256])
def test_names_that_signed_notes_do_not_allow_are_refused(folder: Path, name: str) -> None:
    with pytest.raises(InvalidNote):
        generate(folder, name)
    assert not folder.exists()


def test_rotation_keeps_public_keys_with_their_times_and_destroys_the_private_one(folder: Path) -> None:
    first = generate(folder, NAME, now=NOON)
    second = rotate(folder, now=NOON + timedelta(days=1))
    third = rotate(folder, now=NOON + timedelta(days=2))
    assert [(published.key, published.since, published.until) for published in public(folder)] == [
        (first, NOON, NOON + timedelta(days=1)),
        (second, NOON + timedelta(days=1), NOON + timedelta(days=2)),
        (third, NOON + timedelta(days=2), None),
    ]
    assert current(folder).verifier == third
    assert private_files(folder) == [private_file(third)]


def test_a_clock_set_back_does_not_turn_the_history_round(folder: Path) -> None:
    generate(folder, NAME, now=NOON)
    rotate(folder, now=NOON - timedelta(days=9))
    assert [published.since for published in public(folder)] == [NOON, NOON]


def test_a_destroyed_key_is_overwritten_first(folder: Path) -> None:
    key = generate(folder, NAME)
    os.link(folder / private_file(key), folder / "same-file")
    rotate(folder)
    assert set((folder / "same-file").read_bytes()) == {0}


def test_an_encrypted_key_needs_its_passphrase(folder: Path) -> None:
    key = generate(folder, NAME, passphrase="correct horse é")
    assert b"ENCRYPTED" in (folder / private_file(key)).read_bytes()
    assert current(folder, "correct horse é").verifier == key
    for passphrase, says in ((None, "is encrypted"), ("", "is encrypted"), ("wrong", "passphrase is wrong")):
        with pytest.raises(UnsafeKeys, match=says):
            current(folder, passphrase)


def test_a_passphrase_for_a_key_that_is_not_encrypted_is_not_ignored(folder: Path) -> None:
    generate(folder, NAME)
    with pytest.raises(UnsafeKeys, match="is not encrypted"):
        current(folder, "secret")


def test_rotation_does_not_lose_the_encryption(folder: Path) -> None:
    key = generate(folder, NAME, passphrase="secret")
    with pytest.raises(UnsafeKeys, match="give a passphrase for the new one"):
        rotate(folder)
    assert current(folder, "secret").verifier == key
    after = rotate(folder, passphrase="another")
    assert current(folder, "another").verifier == after != key


def test_an_empty_passphrase_is_refused(folder: Path) -> None:
    with pytest.raises(UnsafeKeys, match="protects nothing"):
        generate(folder, NAME, passphrase="")
    assert not folder.exists()


def test_a_lost_private_key_is_named_and_rotation_gets_over_it(folder: Path) -> None:
    key = generate(folder, NAME)
    (folder / private_file(key)).unlink()
    with pytest.raises(UnsafeKeys, match="is missing; restore it, or rotate"):
        current(folder)
    assert rotate(folder) == current(folder).verifier


def test_another_private_key_in_its_place_is_noticed(folder: Path, tmp_path: Path) -> None:
    key = generate(folder, NAME)
    other = generate(tmp_path / "other", NAME)
    shutil.copyfile(tmp_path / "other" / private_file(other), folder / private_file(key))
    with pytest.raises(UnsafeKeys, match="is not the private half of"):
        current(folder)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_private_key_is_named(folder: Path, content: bytes) -> None:
    key = generate(folder, NAME)
    (folder / private_file(key)).write_bytes(content)
    with pytest.raises(UnsafeKeys, match="it is damaged"):
        current(folder)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"keys": []}', '{"keys": [1]}', '{"keys": [{"vkey": "a"}]}', "[" * 100_000, "\xff"],
)
def test_a_damaged_history_is_named(folder: Path, content: str) -> None:
    generate(folder, NAME)
    (folder / "keys.json").write_text(content, encoding="latin-1")
    for action in (public, current, rotate):
        with pytest.raises(UnsafeKeys, match=r"keys\.json is damaged"):
            action(folder)


def test_a_history_out_of_order_is_named(folder: Path) -> None:
    generate(folder, NAME, now=NOON)
    rotate(folder, now=NOON + timedelta(days=1))
    history = json.loads((folder / "keys.json").read_text())
    (folder / "keys.json").write_text(json.dumps({"keys": history["keys"][::-1]}))
    with pytest.raises(UnsafeKeys, match="not of one log, one after another"):
        public(folder)


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o701, 0o770])
def test_a_folder_that_others_can_enter_is_refused(folder: Path, mode: int) -> None:
    generate(folder, NAME)
    folder.chmod(mode)
    for action in (current, rotate, public):
        with pytest.raises(UnsafeKeys, match=r"open to other accounts.*chmod 700"):
            action(folder)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_private_key_that_others_can_reach_is_refused(folder: Path, mode: int) -> None:
    key = generate(folder, NAME)
    (folder / private_file(key)).chmod(mode)
    with pytest.raises(UnsafeKeys, match=r"open to other accounts.*chmod 600"):
        current(folder)


def test_keys_are_not_generated_in_a_folder_open_to_others(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    with pytest.raises(UnsafeKeys, match=r"open to other accounts"):
        generate(folder, NAME)
    assert list(folder.iterdir()) == []


def test_a_folder_of_another_account_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(folder, NAME)
    owned_by_a_stranger(folder, monkeypatch)
    with pytest.raises(UnsafeKeys, match="belongs to another account"):
        current(folder)


def test_a_link_of_another_account_is_not_followed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(folder, NAME)
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert public(link) == public(folder)
    owned_by_a_stranger(link, monkeypatch)
    for path in (link, link / "below"):
        with pytest.raises(UnsafeKeys, match="symbolic link of another account"):
            public(path)


def test_a_key_file_that_is_a_link_is_refused(folder: Path) -> None:
    key = generate(folder, NAME)
    pem = folder / private_file(key)
    pem.rename(folder.parent / "elsewhere.pem")
    pem.symlink_to(folder.parent / "elsewhere.pem")
    with pytest.raises(UnsafeKeys, match="cannot be used"):
        current(folder)


@pytest.mark.parametrize("kind", ["pipe", "folder", "large"])
def test_a_key_file_that_is_none_is_refused(folder: Path, kind: str) -> None:
    key = generate(folder, NAME)
    pem = folder / private_file(key)
    pem.unlink()
    if kind == "pipe":
        os.mkfifo(pem, 0o600)
    elif kind == "folder":
        pem.mkdir(mode=0o700)
    else:
        pem.write_bytes(b"x" * (private_folder.MAX_FILE + 1))
        pem.chmod(0o600)
    with pytest.raises(UnsafeKeys, match=r"not a file|larger than|cannot be used"):
        current(folder)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_what_is_no_folder_is_refused(folder: Path, kind: str) -> None:
    if kind == "file":
        folder.write_text("")
    for action in (current, rotate, public):
        with pytest.raises(UnsafeKeys, match="cannot be used"):
            action(folder)


def test_rotation_killed_at_any_step_leaves_one_usable_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = generate(folder, NAME)
    outcomes = set()
    saved = folder.parent / "saved"
    shutil.copytree(folder, saved)
    for _ in killed_at_every_step(lambda: rotate(folder), monkeypatch):
        signer = current(folder)
        history = public(folder)
        assert signer.verifier == history[-1].key
        assert history[0].key == first
        assert private_files(folder) == [private_file(signer.verifier)]
        outcomes.add(len(history))
        assert rotate(folder) == current(folder).verifier
        assert len(public(folder)) == len(history) + 1
        shutil.rmtree(folder)
        shutil.copytree(saved, folder)
    assert outcomes == {1, 2}


def test_generation_killed_at_any_step_can_be_repeated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = set()
    for _ in killed_at_every_step(lambda: generate(folder, NAME), monkeypatch):
        there = (folder / "keys.json").exists()
        outcomes.add(there)
        if not there:
            generate(folder, NAME)
        signer = current(folder)
        assert [published.key for published in public(folder)] == [signer.verifier]
        assert private_files(folder) == [private_file(signer.verifier)]
        shutil.rmtree(folder)
    assert outcomes == {False, True}


def test_those_who_rotate_at_once_do_so_one_after_another(folder: Path) -> None:
    generate(folder, NAME)
    threads = [threading.Thread(target=rotate, args=(folder,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({published.key for published in public(folder)}) == 9
    assert current(folder).verifier == public(folder)[-1].key


def test_a_new_key_never_takes_the_id_of_an_old_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(folder, NAME)
    drawn = [current(folder).private, Ed25519PrivateKey.generate()]

    class Draws:
        generate = staticmethod(lambda: drawn.pop(0))

    monkeypatch.setattr(keys, "Ed25519PrivateKey", Draws)
    assert rotate(folder) != public(folder)[0].key
    assert drawn == []
