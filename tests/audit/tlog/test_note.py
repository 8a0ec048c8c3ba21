"""Notes are read as C2SP signed-note writes them, and their text is given out only with a trusted signature."""

from __future__ import annotations

import base64
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit.tlog.note import MAX_NOTE, MAX_SIGNATURES, Note, Signature, Signer, VerifierKey, is_key_name, open_note
from domain.errors import InvalidNote, InvalidSignature
from tests.audit.tlog.signers import OURS, WITNESS

# The example of the documentation and tests of golang.org/x/mod/sumdb/note: a key made to be public.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
GO_NOTE = f"{GO_TEXT}\n{GO_LINE}".encode()
ENOCH_VKEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
# The example of C2SP signed-note.
C2SP_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()

PETER = Signer("PeterNeumann", Ed25519PrivateKey.from_private_bytes(GO_SEED))
EM_SPACE = "Peter\u2003"

TEXTS = st.text(
    st.characters(codec="utf-8", categories=(), include_characters="\nab —+é\u2028\u0085\x7f😀"), max_size=60
)


@pytest.mark.parametrize(
    ("vkey", "note"), [(C2SP_VKEY, C2SP_NOTE), (GO_VKEY, GO_NOTE), (ENOCH_VKEY, GO_NOTE + ENOCH_LINE.encode())]
)
def test_the_published_examples_verify(vkey: str, note: bytes) -> None:
    key = VerifierKey.parse(vkey)
    assert str(key) == vkey
    assert [signature.name for signature in open_note(note, [key]).signatures] == [key.name]
    assert bytes(Note.parse(note)) == note


def test_our_signature_is_that_of_the_reference_implementation() -> None:
    assert str(PETER.verifier) == GO_VKEY
    assert bytes(Note(GO_TEXT).signed(PETER)) == GO_NOTE


@given(TEXTS.map(lambda text: text + "\n"), st.lists(st.sampled_from([OURS, WITNESS, PETER]), min_size=1, unique=True))
def test_what_is_signed_is_read_back(text: str, signers: list[Signer]) -> None:
    note = Note(text).signed(*signers)
    assert Note.parse(bytes(note)) == note
    for signer in signers:
        opened = open_note(bytes(note), [signer.verifier])
        assert opened.text == text
        assert [signature.name for signature in opened.signatures] == [signer.name]


@given(st.integers(0, len(GO_NOTE) - 1), st.integers(1, 255))
def test_a_note_with_any_byte_altered_is_refused(at: int, change: int) -> None:
    altered = GO_NOTE[:at] + bytes([GO_NOTE[at] ^ change]) + GO_NOTE[at + 1 :]
    with pytest.raises((InvalidNote, InvalidSignature)):
        open_note(altered, [PETER.verifier])


@given(st.integers(0, len(GO_NOTE) - 1), st.binary(min_size=1, max_size=3))
def test_a_note_with_bytes_added_or_cut_off_is_refused(at: int, added: bytes) -> None:
    for altered in (GO_NOTE[:at], GO_NOTE[:at] + added + GO_NOTE[at:]):
        with pytest.raises((InvalidNote, InvalidSignature)):
            open_note(altered, [PETER.verifier])


@pytest.mark.parametrize(
    ("note", "says"),
    [
        (GO_TEXT, "no signature lines"),
        (GO_TEXT + "\n", "no signature lines"),
        (GO_LINE, "no signature lines"),
        (GO_TEXT + GO_LINE, "no signature lines"),
        (f"{GO_TEXT}\n{GO_LINE[:-1]}", "no signature lines"),
        (f"{GO_TEXT}\n{GO_LINE}\n", "no signature lines"),
        (f"{GO_TEXT}\n{GO_LINE}Unexpected line.\n", "not a signature line"),
        (f"{GO_TEXT}\n{GO_LINE.replace('—', '-')}", "not a signature line"),
        (f"{GO_TEXT}\n{GO_LINE.replace('— ', '—  ')}", "not a signature line"),
        (f"{GO_TEXT}\n{GO_LINE.replace('Peter', 'Peter+')}", "not a signature line"),
        (f"{GO_TEXT}\n{GO_LINE.replace('Peter', EM_SPACE)}", "not a signature line"),
        (f"{GO_TEXT}\n{GO_LINE.replace('Peter', 'Peter ')}", "not base64"),
        (f"{GO_TEXT}\n{GO_LINE.replace('=', '')}", "not base64"),
        (f"{GO_TEXT}\n{GO_LINE.replace('nAM=', 'nAN=')}", "not base64"),
        (f"{GO_TEXT}\n{GO_LINE.replace('/', '_')}", "not base64"),
        (f"{GO_TEXT}\n{GO_LINE.replace('=', '= ')}", "not base64"),
        (f"{GO_TEXT}\n— PeterNeumann\n", "not base64"),
        (f"{GO_TEXT}\n— PeterNeumann x08gow==\n", "too short"),
        (f"\x01{GO_TEXT}\n{GO_LINE}", "U+0001 at 0"),
        (f"{GO_TEXT}\r\n{GO_LINE}", "U+000D"),
        (f"{GO_TEXT}\n{GO_LINE}".replace("\n", "\r\n"), "U+000D"),
        (GO_TEXT + "\n" + GO_LINE * (MAX_SIGNATURES + 1), "101 signatures"),
        ("a\n" * (MAX_NOTE // 2) + "\n" + GO_LINE, "too large"),
    ],
)
def test_what_is_no_note_is_refused_with_the_reason(note: str, says: str) -> None:
    with pytest.raises(InvalidNote) as refused:
        open_note(note.encode(), [PETER.verifier])
    assert says in str(refused.value)


def test_a_note_is_utf8() -> None:
    with pytest.raises(InvalidNote, match="byte 0 cannot be decoded"):
        Note.parse(b"\xff" + GO_NOTE)


def test_the_text_may_have_empty_lines_and_lines_that_look_like_signatures() -> None:
    text = f"\n\n{GO_LINE}\n{GO_LINE}"
    note = bytes(Note(text).signed(OURS))
    assert open_note(note, [OURS.verifier]).text == text
    with pytest.raises(InvalidSignature, match="no trusted key"):
        open_note(note, [PETER.verifier])


def test_signatures_of_unknown_keys_are_ignored() -> None:
    other_type = Signature("museum.example/ledger", b"\x00\x00\x00\x04", os.urandom(76))
    note = Note(GO_TEXT, (other_type,)).signed(WITNESS, OURS)
    assert [signature.name for signature in open_note(bytes(note), [OURS.verifier]).signatures] == [OURS.name]


def test_a_note_without_a_signature_of_a_trusted_key_is_refused() -> None:
    for trusted in ([], [WITNESS.verifier], [Signer(PETER.name, OURS.private).verifier]):
        with pytest.raises(InvalidSignature, match="no trusted key has signed"):
            open_note(GO_NOTE, trusted)


@pytest.mark.parametrize("length", [1, 63, 64, 65])
def test_a_wrong_signature_of_a_trusted_key_refuses_the_note_whatever_else_it_has(length: int) -> None:
    wrong = Signature(OURS.name, OURS.verifier.key_id, os.urandom(length))
    right = OURS.sign(GO_TEXT)
    for signatures in ((wrong,), (wrong, right), (right, wrong)):
        note = Note(GO_TEXT, signatures).signed(WITNESS)
        with pytest.raises(InvalidSignature, match=r"museum\.example/ledger .* is wrong"):
            open_note(bytes(note), [WITNESS.verifier, OURS.verifier])


def test_a_repeated_signature_counts_once() -> None:
    note = Note.parse(GO_NOTE + GO_LINE.encode() * (MAX_SIGNATURES - 1))
    assert len(note.signatures) == MAX_SIGNATURES
    assert len(open_note(bytes(note), [PETER.verifier]).signatures) == 1
    assert len(note.signed(PETER).signatures) == 1


def test_a_signature_under_another_name_or_text_does_not_verify() -> None:
    signature = OURS.sign("one\n")
    with pytest.raises(InvalidSignature):
        OURS.verifier.verify("two\n", signature)
    with pytest.raises(InvalidSignature):
        WITNESS.verifier.verify("one\n", signature)


@pytest.mark.parametrize("text", ["", "no newline", "nul\x00\n", "tab\t\n", "lone \ud800\n"])
def test_only_text_that_a_note_can_hold_is_signed(text: str) -> None:
    with pytest.raises(InvalidNote):
        Note(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u2028", "a\nb", "a\x1fb", "\u3000", "a\ud800"])
def test_names_that_keys_may_not_have_are_refused(name: str) -> None:
    assert not is_key_name(name)
    with pytest.raises(InvalidNote, match="no key name"):
        VerifierKey(name, bytes(32))


def test_no_part_and_no_neighbour_of_a_verifier_key_is_one() -> None:
    """The manglings that the tests of golang.org/x/mod/sumdb/note try."""
    parts = [GO_VKEY[i:j] for i in range(len(GO_VKEY)) for j in range(i + 1, len(GO_VKEY) + 1)]
    neighbours = [GO_VKEY[:i] + chr(ord(GO_VKEY[i]) + 1) + GO_VKEY[i + 1 :] for i in range(len(GO_VKEY))]
    for mangled in {*parts, *neighbours} - {GO_VKEY}:
        with pytest.raises(InvalidNote):
            VerifierKey.parse(mangled)


@pytest.mark.parametrize(
    "vkey",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",  # too long, with its right id
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # type 0x65, with its right id
        GO_VKEY.replace("c74f20a3", "C74F20A3"),
        GO_VKEY + "\n",
        " " + GO_VKEY,
        GO_VKEY.replace("PeterNeumann", "Peter Neumann"),
    ],
)
def test_other_verifier_keys_are_refused(vkey: str) -> None:
    with pytest.raises(InvalidNote):
        VerifierKey.parse(vkey)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Z", "Cc"), exclude_characters="+"), min_size=1))
def test_every_key_is_read_back(name: str) -> None:
    key = Signer(name, OURS.private).verifier
    assert VerifierKey.parse(str(key)) == key
