"""Checkpoints are read as C2SP tlog-checkpoint writes them, and believed when their own log signed them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.tlog.checkpoint import Checkpoint, open_checkpoint
from audit.tlog.note import Note, Signer
from domain.errors import InvalidNote, InvalidSignature
from projections.ledger.merkle import EMPTY_ROOT, MAX_SIZE
from tests.audit.tlog.signers import OURS, WITNESS

ROOT = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
# The example of C2SP tlog-checkpoint.
C2SP_CHECKPOINT = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
LINES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), min_size=1, max_size=30)


def test_the_published_example_is_read() -> None:
    note = Note.parse(C2SP_CHECKPOINT.encode())
    checkpoint = Checkpoint.parse(note.text)
    assert checkpoint == Checkpoint("example.com/behind-the-sofa", 20852163, ROOT)
    assert checkpoint.text == note.text


@given(
    st.builds(
        Checkpoint,
        LINES,
        st.integers(1, MAX_SIZE),
        st.binary(min_size=32, max_size=32),
        st.lists(LINES, max_size=3).map(tuple),
    )
)
def test_every_checkpoint_is_read_back(checkpoint: Checkpoint) -> None:
    assert Checkpoint.parse(checkpoint.text) == checkpoint
    note = bytes(checkpoint.signed(OURS))
    assert open_checkpoint(note, [OURS.verifier], checkpoint.origin) == checkpoint


def test_a_checkpoint_has_three_lines_and_no_more() -> None:
    assert Checkpoint("log", 0, EMPTY_ROOT).text == "log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


@pytest.mark.parametrize(
    "size", ["", "-1", "+1", "01", "00", "1 ", " 1", "1.0", "1e3", "0x1", "١", "9" * 19, "1" * 400]
)
def test_sizes_written_otherwise_are_refused(size: str) -> None:
    with pytest.raises(InvalidNote):
        Checkpoint.parse(f"log\n{size}\n{base64.b64encode(ROOT).decode()}\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "three lines"),
        ("log\n1\n", "three lines"),
        ("log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", "three lines"),
        ("\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", "not empty"),
        ("log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n", "not empty"),
        ("log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\nmore\n", "not empty"),
        ("log\n1\r\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", "not the size"),
        ("log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n", "not base64"),
        ("log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n", "not base64"),
        ("log\n1\nCsUYapGGPo4dkMgIAUqom_Xajj7h2fB2MPA3j2jxq2I=\n", "not base64"),
        ("log\n1\nCsUY\n", "32 bytes, not 3"),
        ("log\n1\n\n", "not base64"),
        ("log\n0\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", "empty log"),
    ],
)
def test_what_is_no_checkpoint_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(InvalidNote) as refused:
        Checkpoint.parse(text)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("origin", "size", "extensions"),
    [
        ("", 1, ()),
        ("a\nb", 1, ()),
        ("log", -1, ()),
        ("log", MAX_SIZE + 1, ()),
        ("log", 1, ("",)),
        ("log", 1, ("a\nb",)),
    ],
)
def test_no_checkpoint_is_made_that_could_not_be_read(origin: str, size: int, extensions: tuple[str, ...]) -> None:
    with pytest.raises(InvalidNote):
        Checkpoint(origin, size, ROOT, extensions)


def test_a_checkpoint_is_believed_when_its_own_log_signed_it() -> None:
    ours = Checkpoint(OURS.name, 5, ROOT)
    note = bytes(ours.signed(WITNESS, OURS))
    assert open_checkpoint(note, [OURS.verifier]) == ours
    assert open_checkpoint(note, [OURS.verifier], OURS.name) == ours
    assert open_checkpoint(note, [WITNESS.verifier], OURS.name) == ours


def test_a_checkpoint_of_another_log_is_refused() -> None:
    other = bytes(Checkpoint("other.example/log", 5, ROOT).signed(OURS))
    with pytest.raises(InvalidSignature, match=r"of 'other.example/log', not of museum.example/ledger"):
        open_checkpoint(other, [OURS.verifier])
    ours = bytes(Checkpoint(OURS.name, 5, ROOT).signed(OURS, WITNESS))
    with pytest.raises(InvalidSignature, match="not of other"):
        open_checkpoint(ours, [OURS.verifier], "other")
    with pytest.raises(InvalidSignature, match="not of witness"):
        open_checkpoint(ours, [WITNESS.verifier])


def test_a_checkpoint_of_a_key_with_the_same_name_is_refused() -> None:
    impostor = Signer(OURS.name, WITNESS.private)
    with pytest.raises(InvalidSignature, match="no trusted key"):
        open_checkpoint(bytes(Checkpoint(OURS.name, 5, ROOT).signed(impostor)), [OURS.verifier])


def test_a_signed_text_that_is_no_checkpoint_is_refused() -> None:
    with pytest.raises(InvalidNote, match="three lines"):
        open_checkpoint(bytes(Note("hello\n").signed(OURS)), [OURS.verifier])
