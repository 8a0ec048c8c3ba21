"""Whatever somebody does to a bundle is told with the place, or is what the verifier says that it cannot know."""

from __future__ import annotations

import copy
import json
import random
import re
import time
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.bundle import scope, verify
from audit.bundle.write import MANIFEST
from audit.tlog.checkpoint import Checkpoint
from audit.tlog.note import Signer
from projections.ledger.merkle import leaf_hash, root_of
from tests.audit.bundle.bundles import (
    Members,
    Museum,
    Verdict,
    check,
    closed,
    entry_of,
    lines_of,
    members_of,
    pack,
    signed,
    with_events,
    with_lines,
)
from tests.audit.tlog.signers import OURS, WITNESS

Lines = list[Any]
FILES = (*verify.SMALL_FILES, *verify.LARGE_FILES, *verify.OPTIONAL_FILES, MANIFEST)


def verdict_of(members: dict[str, bytes], folder: Path, *arguments: object) -> Verdict:
    return check(pack(members, folder / "tampered.zip"), *arguments)


# -- one bit --------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(st.sampled_from(FILES), st.integers(0, 2**32))
def test_one_flipped_bit_in_any_file_is_told_with_its_place(
    museum: Museum, whole: Members, name: str, place: int
) -> None:
    if not whole[name]:
        assert name == "inclusion.proof", "nothing is missing between the events of a whole ledger"
        return
    bit = place % (8 * len(whole[name]))
    changed = bytearray(whole[name])
    changed[bit // 8] ^= 1 << bit % 8
    verdict = verdict_of({**whole, name: bytes(changed)}, museum.folder)
    assert verdict.status == 1
    assert name in verdict.faults
    if name == "events.jsonl":
        assert re.search(r"events\.jsonl line \d+", verdict.faults)


def test_flipped_bits_anywhere_in_the_zip_are_told_or_change_nothing(museum: Museum, whole: Members) -> None:
    path = museum.bundle().path
    data = path.read_bytes()
    original = members_of(path)
    chosen = random.Random(7)
    broken = museum.folder / "broken.zip"
    told = 0
    for _ in range(250):
        bit = chosen.randrange(8 * len(data))
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        broken.write_bytes(changed)
        verdict = check(broken)
        told += verdict.status
        if verdict.status == 0:  # a time stamp, an attribute, the padding of a compressed stream
            assert members_of(broken) == original
    assert told > 200


def test_a_flipped_bit_in_compressed_data_is_told_in_plain_words(museum: Museum) -> None:
    path = museum.bundle().path
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("prov.jsonl")
    data = bytearray(path.read_bytes())
    data[info.header_offset + 30 + len("prov.jsonl") + info.compress_size // 2] ^= 4
    broken = museum.folder / "broken.zip"
    broken.write_bytes(data)
    assert "prov.jsonl is damaged in the archive" in check(broken).faults


def test_a_zip_that_was_cut_is_told(museum: Museum) -> None:
    data = museum.bundle().path.read_bytes()
    broken = museum.folder / "broken.zip"
    for length in (0, 10, len(data) // 2, len(data) - 1):
        broken.write_bytes(data[:length])
        assert "cannot be read as a zip archive" in check(broken).faults
    with pytest.raises(SystemExit, match="2"):
        check(museum.folder / "nowhere.zip")


# -- by somebody who knows how a bundle is made ---------------------------------------------------


def updated(lines: Lines) -> int:
    """The first line of an object's second of three or more versions."""
    return next(
        at
        for at, line in enumerate(lines[:-1])
        if line["event"]["version"] == 2 and lines[at + 1]["event"]["version"] == 3
    )


def change_value(lines: Lines) -> None:
    patch = lines[updated(lines)]["event"]["patch"]
    next(operation for operation in patch if operation["op"] in ("add", "replace"))["value"] = "forged"
    del lines[updated(lines) + 1 :]


def change_agent(lines: Lines) -> None:
    lines[updated(lines)]["event"]["agents"][0]["id"] = "https://orcid.org/0000-0002-1825-0097"


def change_the_first_agent(lines: Lines) -> None:
    first = min(lines, key=lambda line: int(line["position"]))
    first["event"]["agents"][0]["id"] = "https://orcid.org/0000-0002-1825-0097"


def change_time(lines: Lines) -> None:
    lines[0]["recorded"] = "1999" + lines[0]["recorded"][4:]


def leave_out_an_object(lines: Lines) -> None:
    pid = lines[0]["event"]["object"]
    lines[:] = [line for line in lines if line["event"]["object"] != pid]


def leave_out_the_last_version(lines: Lines) -> None:
    del lines[updated(lines) + 1]


def add_a_version(lines: Lines) -> None:
    at = next(at for at, line in enumerate(lines) if at and line["event"]["version"] == 1)
    event = copy.deepcopy(lines[at - 1]["event"])
    event["version"] += 1
    event["activity"]["type"] = "ods:Update"
    event["patch"] = [{"op": "add", "path": "/dwc:remarks", "value": "forged"}]
    last = max(lines, key=lambda line: line["position"])
    lines.insert(at, {**last, "event": event})


def exchange_positions(lines: Lines) -> None:
    one, other = lines[0], lines[updated(lines)]
    one["position"], other["position"] = other["position"], one["position"]


SCHEMES: dict[str, Callable[[Lines], None]] = {
    "a value changed": change_value,
    "an agent changed": change_agent,
    "a time of recording changed": change_time,
    "an object left out": leave_out_an_object,
    "the last version of an object left out": leave_out_the_last_version,
    "a version added": add_a_version,
    "two positions exchanged": exchange_positions,
}


@pytest.mark.parametrize("name", list(SCHEMES))
def test_events_with_all_digests_made_anew_do_not_lead_to_the_root(museum: Museum, whole: Members, name: str) -> None:
    verdict = verdict_of(with_events(whole, SCHEMES[name]), museum.folder)
    assert verdict.status == 1
    assert re.search(
        r"the events are not those that the checkpoint was signed for|two events claim position \d+"
        r"|inclusion\.proof (ends too early|has hashes that nothing needs)|recorded before",
        verdict.faults,
    )
    same = verdict_of(with_events(whole, lambda lines: None), museum.folder)
    assert same.status == 0, "making anew what is unchanged must change nothing: " + same.text


def test_a_ledger_made_anew_and_signed_takes_the_key_or_an_older_checkpoint(
    museum: Museum, whole: Members, tmp_path: Path
) -> None:
    """Somebody with the database and a key of their own rewrites history: what they give holds together."""
    forged = with_events(whole, change_the_first_agent)
    lines = sorted(lines_of(forged, "events.jsonl"), key=lambda line: int(line["position"]))
    entries = [entry_of(line) for line in lines]
    root = root_of(map(leaf_hash, entries))
    museum_name = OURS.name
    thief = type(WITNESS)(museum_name, WITNESS.private)
    note = bytes(Checkpoint(museum_name, len(entries), root).signed(thief))
    keys = json.dumps({"keys": [{"vkey": str(thief.verifier)}]}).encode()
    for name in ("checkpoint.since", "consistency.proof"):
        forged.pop(name)
    forged = closed({**forged, "checkpoint": note, "keys.json": keys})
    alone = verdict_of(forged, museum.folder)
    assert alone.status == 0
    assert "Whose key it is" in alone.unknown
    assert str(thief.verifier) in alone.unknown
    assert "is signed by none of the keys" in verdict_of(forged, museum.folder, "--key", OURS.verifier).faults
    (tmp_path / "old").write_bytes(museum.notes[0])
    kept = verdict_of(forged, museum.folder, "--checkpoint", tmp_path / "old")
    assert "your checkpoint of museum.example/ledger is signed by none of the keys" in kept.faults
    both = verdict_of(
        forged, museum.folder, "--checkpoint", tmp_path / "old", "--key", OURS.verifier, "--key", thief.verifier
    )
    assert "are not those of your checkpoint: the log was altered" in both.faults


def test_an_end_that_is_left_out_of_a_part_is_what_only_a_whole_bundle_shows(museum: Museum) -> None:
    """The documented limit: the tree proves what is there, not that nothing else is."""
    ledger = museum.ledger
    pid = next(found for found, version in scope.everything().objects(ledger, 10**6) if version == 3)
    honest = members_of(museum.bundle(scope.of_objects(ledger, [pid])).path)
    shorter = with_events(honest, lambda lines: lines.pop())
    assert verdict_of(shorter, museum.folder).status == 1
    from audit.bundle.multiproof import multiproof
    from projections.ledger.tree import tree_of

    positions = [line["position"] for line in lines_of(shorter, "events.jsonl")]
    with ledger.connection() as connection:
        hashes = list(multiproof(positions, ledger.position(), tree_of(connection).hash_at))
    proof = b"".join(verify.base64.b64encode(each) + b"\n" for each in hashes)
    verdict = verdict_of(closed({**shorter, "inclusion.proof": proof}), museum.folder)
    assert verdict.status == 0
    assert "that there is no later version" in verdict.unknown


# -- lines and files ------------------------------------------------------------------------------


def _swap(lines: list[bytes]) -> None:
    at = next(at for at, line in enumerate(lines) if b'"version":2}' in line)
    lines[at - 1], lines[at] = lines[at], lines[at - 1]


def _drop(lines: list[bytes]) -> None:
    del lines[next(at for at, line in enumerate(lines) if b'"version":2}' in line)]


def _double(lines: list[bytes]) -> None:
    lines.insert(4, lines[4])


def _spaced(lines: list[bytes]) -> None:
    lines[0] = lines[0].replace(b'"position":', b'"position": ')


def _doubled_member(lines: list[bytes]) -> None:
    lines[0] = lines[0].replace(b',"event":{', b',"event":{"type":"ods:Other",', 1)


def _unsorted(lines: list[bytes]) -> None:
    event, position = re.fullmatch(rb"\{(\"check\".*),(\"position\":.*)\}", lines[0]).groups()  # type: ignore[union-attr]
    lines[0] = b"{" + position + b"," + event + b"}"


def _deep(lines: list[bytes]) -> None:
    lines[0] = b"[" * 100_000 + b"]" * 100_000


def _no_object(lines: list[bytes]) -> None:
    lines[0] = b"7"


def _long_integer(lines: list[bytes]) -> None:
    lines[0] = lines[0].replace(b'"version":1}', b'"version":' + b"9" * 100_000 + b"}")


RAW: dict[str, tuple[Callable[[list[bytes]], None], str]] = {
    "two swapped": (_swap, r"line \d+ \(TEST/.* version \d+\): version \d is missing: version \d stands here"),
    "one left out": (_drop, r"version 2 is missing|is not the document of"),
    "one twice": (_double, r"line 6 \(TEST/\S+ version \d+\)"),
    "a space": (_spaced, r"line 1 .*not the canonical form"),
    "a member twice": (_doubled_member, r"line 1 .*not the canonical form"),
    "members in another order": (_unsorted, r"line 1 .*not the canonical form"),
    "deeply nested": (_deep, r"line 1 is nested too deeply"),
    "no event": (_no_object, r"line 1 is no event"),
    "a long integer": (_long_integer, r"line 1 "),
}


@pytest.mark.parametrize("name", list(RAW))
def test_lines_of_events_are_told(museum: Museum, whole: Members, name: str) -> None:
    change, expected = RAW[name]
    lines = whole["events.jsonl"].splitlines()
    change(lines)
    data = b"".join(line + b"\n" for line in lines)
    verdict = verdict_of(closed({**whole, "events.jsonl": data}), museum.folder)
    assert re.search(expected, verdict.faults), verdict.faults


def test_a_whole_ledger_from_which_an_object_was_taken_does_not_say_it_is_whole(museum: Museum) -> None:
    """With proofs made anew for what is left, which takes no key."""
    from audit.bundle.multiproof import multiproof
    from projections.ledger.tree import tree_of

    part = with_events(members_of(museum.bundle().path), leave_out_an_object)
    positions = sorted(line["position"] for line in lines_of(part, "events.jsonl"))
    with museum.ledger.connection() as connection:
        hashes = list(multiproof(positions, museum.ledger.position(), tree_of(connection).hash_at))
    proof = b"".join(verify.base64.b64encode(each) + b"\n" for each in hashes)
    verdict = verdict_of(closed({**part, "inclusion.proof": proof}), museum.folder, "--key", OURS.verifier)
    assert "says that this is the whole ledger, but of its 43 events there are" in verdict.faults


def an_earlier_form(lines: Lines) -> None:
    event = lines[updated(lines)]["event"]
    event["event"] = 1
    del event["previous"]


def another_type(lines: Lines) -> None:
    event = next(
        one["event"]
        for one, after in pairwise(lines)
        if after["event"]["version"] == 1 and one["event"]["activity"]["type"] == "ods:Update"
    )
    kind = "ods:DigitalMedia"
    old = {"op": "test", "path": "/@type", "value": event["type"]}
    event["patch"] = [old, {"op": "replace", "path": "/@type", "value": kind}]
    event["type"] = kind


def restored_without_tombstone(lines: Lines) -> None:
    lines[updated(lines)]["event"]["activity"]["type"] = "ods:Restore"


def updated_after_tombstone(lines: Lines) -> None:
    lines[updated(lines)]["event"]["activity"]["type"] = "ods:Tombstone"
    event = copy.deepcopy(lines[updated(lines)]["event"])
    event["version"] += 1
    event["activity"]["type"] = "ods:Update"
    event["patch"] = [{"op": "add", "path": "/dwc:remarks", "value": "forged"}]
    lines.insert(updated(lines) + 1, {**max(lines, key=lambda line: line["position"]), "event": event})


REFUSED_BY_THE_STORE: dict[str, tuple[Callable[[Lines], None], str]] = {
    "an earlier form": (an_earlier_form, "it is of event schema version 1, but the one before is of 2 already"),
    "another type": (another_type, "it makes a ods:DigitalMedia of a ods:Digital"),
    "a restored object": (restored_without_tombstone, "ods:Restore is none for an object that is not tombstoned"),
    "an update of a withdrawn object": (updated_after_tombstone, "ods:Update is none for an object that is tombstoned"),
}


@pytest.mark.parametrize("name", list(REFUSED_BY_THE_STORE))
def test_what_the_store_would_not_have_taken_is_told(museum: Museum, whole: Members, name: str) -> None:
    change, says = REFUSED_BY_THE_STORE[name]
    assert says in verdict_of(with_events(whole, change), museum.folder).faults


def test_what_is_no_text_is_told(museum: Museum, whole: Members) -> None:
    keys = whole["keys.json"].replace(b"museum.example", b"museum\\ud800.example")
    assert keys != whole["keys.json"]
    assert "a half of a character" in verdict_of(closed({**whole, "keys.json": keys}), museum.folder).faults
    events = whole["events.jsonl"].replace(b'"comment":"', b'"comment":"\\udc00', 1)
    assert events != whole["events.jsonl"]
    assert "a half of a character" in verdict_of(closed({**whole, "events.jsonl": events}), museum.folder).faults
    assert "is no text" in verdict_of(whole, museum.folder, "--key", f"\udcff{OURS.verifier}").faults


def test_a_member_that_stands_twice_among_very_many_is_told_at_once(museum: Museum, whole: Members) -> None:
    many = ",".join(f'"{number}":0' for number in range(250_000))
    about = b"{" + many.encode() + b',"249999":0}'
    began = time.monotonic()
    assert "has the member 249999 twice" in verdict_of(closed({**whole, "keys.json": about}), museum.folder).faults
    assert time.monotonic() - began < 20


def test_what_nobody_thought_of_ends_with_a_result(
    museum: Museum, whole: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: object) -> None:
        raise ZeroDivisionError("x\x1b")

    monkeypatch.setattr(verify.Audit, "run", fails)
    faults = verdict_of(whole, museum.folder).faults
    assert "made this program fail, as no bundle should (ZeroDivisionError: x\\u001b)" in faults


MALFORMED_PARTS: list[tuple[Any, ...]] = [
    ({}, "patch"), ([7], "patch"), ([{}], "patch"), ([{"op": "add", "path": "/a"}], "patch"),
    ([{"op": "remove", "path": "/dwc:country"}], "patch"), ([{"op": "copy", "path": "/x", "from": "/@type"}], "patch"),
    ([{"op": "add", "path": "x", "value": 1}], "patch"), ([{"op": "add", "path": 5, "value": 1}], "patch"),
    ([{"op": "add", "path": [], "value": 1}], "patch"), ([{"op": "add", "path": "", "value": 1}], "patch"),
    ([{"op": "move", "path": "/@type/x", "from": "/@type"}], "patch"), (None, "patch"), ([None], "patch"),
    ([{"op": "test", "path": "/@type", "value": "other"}], "patch"),
    ([{"op": "test", "path": "/~2", "value": 1}], "patch"),
    ("0" * 64, "digest"), (7, "digest"), (None, "previous"), ("0" * 64, "previous"), ([], "previous"),
    (3, "event"), (True, "event"), ("ods:Create", "activity", "type"), ("x", "activity"), (None, "activity", "type"),
    ([{"op": "add", "path": "/@type", "value": "ods:DigitalSpecimen"}], "patch"), (1, "event"),
    ("ods:Restore", "activity", "type"),
    (9, "version"), ("2", "version"), (True, "version"), (None, "object"), ("", "object"), ([], "object"),
    ("ods:DigitalMedia", "type"), (0, "undoes"), (2, "undoes"), (True, "undoes"), ("1", "undoes"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "path"), [(value, path) for value, *path in MALFORMED_PARTS], ids=lambda each: str(each)[:40]
)
def test_malformed_parts_of_an_event_are_told_with_the_line(
    museum: Museum, whole: Members, value: Any, path: list[str]
) -> None:
    lines = lines_of(whole, "events.jsonl")
    at = updated(lines)
    inner = lines[at]["event"]
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    verdict = verdict_of(closed(with_lines(whole, "events.jsonl", lines)), museum.folder)
    assert f"events.jsonl line {at + 1} " in verdict.faults


def test_a_replaced_document_is_told_with_its_line(museum: Museum, whole: Members) -> None:
    lines = lines_of(whole, "documents.jsonl")
    lines[3]["document"]["dwc:country"] = "Atlantis"
    verdict = verdict_of(closed(with_lines(whole, "documents.jsonl", lines)), museum.folder)
    assert f"documents.jsonl line 4 is not the document of {lines[3]['object']}" in verdict.faults
    for changed in (lines[:-1], [*lines, lines[-1]]):
        verdict = verdict_of(closed(with_lines(whole, "documents.jsonl", changed)), museum.folder)
        assert "documents.jsonl line" in verdict.faults


def test_the_provenance_of_another_object_is_told(museum: Museum, whole: Members) -> None:
    lines = whole["prov.jsonl"].splitlines(keepends=True)
    lines[1], lines[2] = lines[2], lines[1]
    verdict = verdict_of(closed({**whole, "prov.jsonl": b"".join(lines)}), museum.folder)
    assert "prov.jsonl line 2 is not the provenance of" in verdict.faults


@pytest.mark.parametrize("name", ["prov.jsonl", "report.html", "ro-crate-metadata.json", "README.txt"])
def test_what_only_describes_takes_the_digest_told_on_another_way(museum: Museum, name: str) -> None:
    made = museum.bundle()
    honest = members_of(made.path)
    changed = {**honest, name: honest[name].replace(b"version", b"Version", 1)}
    assert f"{name} is not the file that {MANIFEST} lists" in verdict_of(changed, museum.folder).faults
    again = verdict_of(closed(changed), museum.folder)
    assert again.status == 0
    assert "as the museum wrote them" in again.unknown
    assert "the bundle's digest is" in verdict_of(closed(changed), museum.folder, "--digest", made.digest).faults
    assert check(made.path, "--digest", made.digest.upper()).status == 0


def test_another_verifier_in_the_bundle_is_told(museum: Museum, whole: Members) -> None:
    assert "verify.py is not the file" in verdict_of({**whole, "verify.py": b"print('fine')\n"}, museum.folder).faults


@pytest.mark.parametrize(
    "name", ["bundle.json", "checkpoint", "keys.json", "events.jsonl", MANIFEST, "inclusion.proof"]
)
def test_missing_files_are_told(museum: Museum, whole: Members, name: str) -> None:
    rest = {other: data for other, data in whole.items() if other != name}
    assert f"{name} is missing" in verdict_of(rest, museum.folder).faults


def test_a_checkpoint_of_another_tree_is_told(museum: Museum, whole: Members, tmp_path: Path) -> None:
    first = Checkpoint.parse(museum.notes[0].decode().rpartition("\n\n")[0] + "\n")
    other = bytes(Checkpoint(OURS.name, first.size, b"\7" * 32).signed(OURS))
    verdict = verdict_of(closed({**whole, "checkpoint.since": other}), museum.folder)
    assert f"does not continue the one of {first.size}: it was altered" in verdict.faults
    (tmp_path / "old").write_bytes(other)
    assert (
        "are not those of your checkpoint" in verdict_of(whole, museum.folder, "--checkpoint", tmp_path / "old").faults
    )
    last = bytes(Checkpoint(OURS.name, museum.ledger.position(), b"\7" * 32).signed(OURS))
    (tmp_path / "old").write_bytes(last)
    assert "have different roots" in verdict_of(whole, museum.folder, "--checkpoint", tmp_path / "old").faults
    stranger = bytes(Checkpoint(WITNESS.name, first.size, first.root).signed(WITNESS))
    (tmp_path / "old").write_bytes(stranger)
    assert "is of another ledger" in verdict_of(whole, museum.folder, "--checkpoint", tmp_path / "old").faults
    larger = bytes(Checkpoint(OURS.name, 10**6, b"\7" * 32).signed(OURS))
    (tmp_path / "old").write_bytes(larger)
    verdict = verdict_of(whole, museum.folder, "--checkpoint", tmp_path / "old")
    assert "your checkpoint is of 1000000 entries" in verdict.faults


def test_an_unsigned_checkpoint_is_told(museum: Museum, whole: Members) -> None:
    text, _, signature = whole["checkpoint"].decode().rpartition("\n\n")
    other = bytes(Checkpoint(OURS.name, 1, b"\7" * 32).signed(WITNESS))
    for note in (text + "\n", text + "\n\n", text + "\n\n" + signature.replace("museum", "mosque"), other.decode()):
        assert "checkpoint" in verdict_of(closed({**whole, "checkpoint": note.encode()}), museum.folder).faults
    both = bytes(Checkpoint.parse(text + "\n").signed(OURS, WITNESS))
    assert verdict_of(closed({**whole, "checkpoint": both}), museum.folder).status == 0, "a witness may sign, too"


# -- hostile archives -----------------------------------------------------------------------------


def test_files_that_no_bundle_has_are_refused(museum: Museum, whole: Members, tmp_path: Path) -> None:
    for name in ("../escape", "/etc/passwd", "events.jsonl/", "json.py", "\u202e"):
        verdict = verdict_of({**whole, name: b""}, museum.folder)
        assert re.search("which is no part of a bundle|is no plain file", verdict.faults)
        assert "\u202e" not in verdict.text
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        _add_all(archive, [*whole.items(), ("events.jsonl", b"")])
    assert "holds events.jsonl twice" in check(path).faults
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        _add_all(archive, list(whole.items()))
    assert "packed in a way that no bundle is" in check(path).faults


def _add_all(archive: zipfile.ZipFile, members: list[tuple[str, bytes]]) -> None:
    for name, data in members:
        archive.writestr(name, data)


def test_a_link_in_a_folder_is_not_followed(whole: Members, tmp_path: Path) -> None:
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "notes.txt").write_text("the auditor's own")
    verdict = check(tmp_path)
    assert verdict.status == 0
    assert "notes.txt" in verdict.unknown
    (tmp_path / "report.html").unlink()
    (tmp_path / "report.html").symlink_to(tmp_path / "notes.txt")
    assert "report.html is no regular file" in check(tmp_path).faults


def test_bombs_are_not_unpacked(museum: Museum, whole: Members, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "RATIO_FROM", 1 << 20)
    monkeypatch.setattr(verify, "MAX_LINE", 1 << 18)
    zeros = bytes(4 << 20)
    assert "longer than" in verdict_of(closed({**whole, "events.jsonl": zeros}), museum.folder).faults
    assert "unpacks to more than" in verdict_of(closed({**whole, "report.html": zeros}), museum.folder).faults
    monkeypatch.setattr(verify, "MAX_SMALL", 1 << 18)
    assert "is larger than" in verdict_of(closed({**whole, "keys.json": zeros}), museum.folder).faults


def test_a_bundle_with_very_many_faults_is_not_read_to_its_end(museum: Museum, whole: Members) -> None:
    data = b"x\n" * 10_000
    verdict = verdict_of(closed({**whole, "events.jsonl": data}), museum.folder)
    assert "stopped after 20 findings" in verdict.faults
    assert verdict.faults.count("\n") < 40


# -- keys -----------------------------------------------------------------------------------------


NEXT = Signer(OURS.name, Ed25519PrivateKey.from_private_bytes(b"\x03" * 32))
"""The key that replaced ours."""


def test_a_former_key_no_longer_speaks_for_the_ledger(museum: Museum, whole: Members, tmp_path: Path) -> None:
    both = f"{OURS.verifier}\n{NEXT.verifier}\n"
    listed = json.dumps({"keys": [{"vkey": str(OURS.verifier)}, {"vkey": str(NEXT.verifier)}]}).encode()
    old = verdict_of(closed({**whole, "keys.json": listed}), tmp_path, "--key", both)
    assert "has replaced" in old.faults
    assert "has replaced" in verdict_of(closed({**whole, "keys.json": listed}), tmp_path).faults
    assert verdict_of(closed({**whole, "keys.json": listed}), tmp_path, "--key", OURS.verifier).status == 0

    renewed = {**whole, "keys.json": listed, "checkpoint": signed(museum.ledger, NEXT)}
    (tmp_path / "kept").write_bytes(whole["checkpoint"])
    verdict = verdict_of(closed(renewed), tmp_path, "--key", both, "--checkpoint", tmp_path / "kept")
    assert verdict.status == 0, verdict.text
    assert verdict_of(closed(renewed), tmp_path, "--key", OURS.verifier, "--key", NEXT.verifier).status == 0
    assert "signed by none of the keys" in verdict_of(closed(renewed), tmp_path, "--key", OURS.verifier).faults


# -- what else a bundle may not be ----------------------------------------------------------------


def test_a_member_of_a_description_is_there_once(museum: Museum, whole: Members) -> None:
    about = whole["bundle.json"].replace(b'"scope": {', b'"scope": {"description": "all there is", ', 1)
    verdict = verdict_of(closed({**whole, "bundle.json": about}), museum.folder)
    assert "bundle.json has the member description twice" in verdict.faults


@pytest.mark.parametrize("where", ["before", "after"])
def test_an_archive_begins_and_ends_with_itself(museum: Museum, whole: Members, tmp_path: Path, where: str) -> None:
    path = pack(whole, tmp_path / "bundle.zip")
    data, other = path.read_bytes(), pack({"letter": b"hello"}, tmp_path / "other.zip").read_bytes()
    path.write_bytes(b"#!/bin/sh\n" + data if where == "before" else data + b"and more")
    assert "something stands" in check(path).faults
    if where == "before":
        path.write_bytes(other + data)
        assert "something stands" in check(path).faults


def test_how_many_last_versions_are_there_as_documents_is_said(museum: Museum, whole: Members) -> None:
    lines = lines_of(members_of(museum.bundle(digests_only=True).path), "documents.jsonl")
    lines[0] = lines_of(whole, "documents.jsonl")[0]
    verdict = verdict_of(closed(with_lines(whole, "documents.jsonl", lines)), museum.folder)
    assert verdict.status == 0, verdict.text
    assert f"of 1 of {len(lines)} the document is there too" in verdict.text
