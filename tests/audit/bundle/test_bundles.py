"""A bundle of any scope is checked by its own verifier, with nothing of ours installed."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from audit.bundle import scope, verify
from audit.bundle.scope import Scope
from audit.bundle.write import MANIFEST, write_bundle
from audit.tlog.checkpoint import Checkpoint
from audit.tlog.note import Note, VerifierKey
from domain.canonical import canonical_bytes
from domain.errors import IntegrityFailure, InvalidSignature, NotFound
from domain.times import from_text
from projections.ledger.entries import entry_of
from projections.ledger.merkle import EMPTY_ROOT
from sources.synchronisation import runs
from sources.synchronisation.source_system import find_source
from store.ledger import Ledger
from tests.audit.bundle.bundles import Members, Museum, check, lines_of, members_of, signed
from tests.audit.tampering import A, Owner, rewrite, tamper
from tests.audit.tlog.signers import OURS, WITNESS
from tests.store.ledger_building import by, created, grow, pid

SOURCE = Path(verify.__file__)


def _source(museum: Museum) -> Scope:
    system = find_source(museum.ledger, "famous")
    assert system is not None
    return scope.of_source(system)


def _first_pids(museum: Museum) -> list[str]:
    return [found for found, _ in scope.everything().objects(museum.ledger, 10**6)][3:5]


def _last_run(museum: Museum) -> Scope:
    return scope.of_run(museum.ledger, runs.all_runs(museum.ledger)[-1].id)


SCOPES: dict[str, Callable[[Museum], Scope]] = {
    "one object": lambda museum: scope.of_objects(museum.ledger, _first_pids(museum)[:1]),
    "two objects": lambda museum: scope.of_objects(museum.ledger, _first_pids(museum)),
    "a source": _source,
    "a run": _last_run,
    "since a time": lambda museum: scope.since(runs.all_runs(museum.ledger)[-1].started),
    "everything": lambda museum: scope.everything(),
}


@pytest.mark.parametrize("digests_only", [False, True], ids=["documents", "digests"])
@pytest.mark.parametrize("name", list(SCOPES))
def test_every_scope_is_checked(museum: Museum, name: str, digests_only: bool) -> None:
    made = museum.bundle(SCOPES[name](museum), digests_only=digests_only, since_checkpoint=museum.notes[1])
    verdict = check(made.path, "--key", OURS.verifier, "--digest", made.digest)
    assert verdict.status == 0, verdict.text
    assert f"{made.events} events of {made.objects} objects" in verdict.text
    assert ("This is the whole ledger" in verdict.text) == (name == "everything")
    assert ("left out" in verdict.unknown) == (name != "everything")
    assert "Whose key" not in verdict.unknown
    assert ("has the digest in documents.jsonl" in verdict.text) == digests_only


def test_a_scope_holds_the_objects_it_should(museum: Museum) -> None:
    ledger = museum.ledger
    size = ledger.position()
    chosen = {name: dict(make(museum).objects(ledger, size)) for name, make in SCOPES.items()}
    assert chosen["one object"] == {_first_pids(museum)[0]: ledger.get(_first_pids(museum)[0]).version}
    changed = {item.pid for item in runs.items(ledger, runs.all_runs(ledger)[-1].id) if item.version_after}
    assert set(chosen["a run"]) == changed
    assert changed <= set(chosen["since a time"])
    assert set(chosen["since a time"]) < set(chosen["everything"])
    system = find_source(ledger, "famous")
    assert system is not None
    assert system.pid in chosen["a source"]
    for pids in chosen.values():
        assert list(pids) == sorted(pids)
        assert pids == ledger.versions_at(list(pids))


def test_nothing_after_the_checkpoint_is_in_the_bundle(museum: Museum) -> None:
    first = Checkpoint.parse(Note.parse(museum.notes[0]).text)
    path = museum.folder / "first.zip"
    made = write_bundle(museum.ledger, path, scope.everything(), museum.notes[0], [OURS.verifier])
    assert made.events == first.size
    assert check(path).status == 0


def _oldest_python() -> str:
    """The oldest Python from 3.9 on that can be started here."""
    for minor in range(9, sys.version_info.minor):
        found = shutil.which(f"python3.{minor}")
        if found and subprocess.run([found, "-c", "pass"], capture_output=True, check=False).returncode == 0:
            return found
    return sys.executable


def test_the_verifier_runs_in_an_empty_environment(museum: Museum, whole: Members, tmp_path: Path) -> None:
    made = museum.bundle()
    (tmp_path / "verify.py").write_bytes(whole["verify.py"])
    assert whole["verify.py"] == SOURCE.read_bytes()
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(made.path) as archive:
        archive.extractall(unpacked)
    for python in {_oldest_python(), sys.executable}:
        for command in ([str(tmp_path / "verify.py"), str(made.path)], [str(unpacked / "verify.py")]):
            done = subprocess.run(
                [python, "-I", "-S", "-B", "-W", "error", *command],
                cwd=tmp_path,
                env={"PATH": os.defpath},
                capture_output=True,
                text=True,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
            assert "everything that can be checked holds" in done.stdout


@pytest.mark.parametrize("python", sorted({_oldest_python(), sys.executable}))
def test_what_lies_beside_the_verifier_is_not_imported(museum: Museum, tmp_path: Path, python: str) -> None:
    with zipfile.ZipFile(museum.bundle().path) as archive:
        archive.extractall(tmp_path / "bundle")
    for name in ("argparse", "hashlib", "json", "sys", "zipfile", "re", "pathlib", "typing"):
        (tmp_path / "bundle" / f"{name}.py").write_text("print('RESULT: everything is fine'); raise SystemExit(0)")
    for command, folder in ((["bundle/verify.py"], tmp_path), (["verify.py"], tmp_path / "bundle")):
        done = subprocess.run([python, *command], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "HOLDS" in done.stdout
        assert "no part of the bundle: argparse.py" in done.stdout


def test_the_verifier_is_written_for_python_3_9_and_its_standard_library() -> None:
    tree = ast.parse(SOURCE.read_text(), feature_version=(3, 9))
    imported = {
        (node.module or "" if isinstance(node, ast.ImportFrom) else alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert imported <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_an_auditors_checkpoint_is_continued(museum: Museum, kept: int, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(museum.notes[kept])
    made = museum.bundle(_source(museum), since_checkpoint=museum.notes[kept])
    verdict = check(made.path, "--checkpoint", tmp_path / "old")
    assert verdict.status == 0, verdict.text
    assert "is the one you kept" in verdict.text
    assert "The ledger continues" in verdict.text
    assert "was rewritten before" not in verdict.unknown


def test_the_whole_ledger_is_compared_with_any_older_checkpoint(museum: Museum, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(museum.notes[1])
    verdict = check(museum.bundle().path, "--checkpoint", tmp_path / "old")
    assert verdict.status == 0, verdict.text
    assert "The ledger continues your checkpoint" in verdict.text


def test_a_checkpoint_that_a_bundle_was_not_made_for_is_not_passed_over(museum: Museum, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(museum.notes[0])
    made = museum.bundle(scope.of_objects(museum.ledger, [_first_pids(museum)[1]]), since_checkpoint=museum.notes[1])
    verdict = check(made.path, "--checkpoint", tmp_path / "old")
    if verdict.status:  # by chance its size may be a place where the tree is cut
        assert "Ask for one made with --since-checkpoint" in verdict.faults


def test_the_events_are_those_of_the_ledger(museum: Museum, whole: Members) -> None:
    found = {(line["event"]["object"], line["event"]["version"]): line for line in lines_of(whole, "events.jsonl")}
    assert len(found) == museum.ledger.position()
    for line in found.values():
        (event,) = (
            each
            for each in museum.ledger.history(line["event"]["object"])
            if each.originator_version == line["event"]["version"]
        )
        assert canonical_bytes(line["event"]) == canonical_bytes(event.to_json())
        assert entry_of(event) == canonical_bytes(
            {
                "event": sha256(canonical_bytes(line["event"])).hexdigest(),
                "object": line["event"]["object"],
                "position": line["position"],
                "recorded": line["recorded"],
                "version": line["event"]["version"],
            }
        )
    for line in lines_of(whole, "documents.jsonl"):
        assert line["document"] == museum.ledger.get(line["object"], line["version"]).document


def test_the_manifest_is_what_sha256sum_reads(museum: Museum, tmp_path: Path) -> None:
    made = museum.bundle()
    with zipfile.ZipFile(made.path) as archive:
        archive.extractall(tmp_path)
    listed = dict(reversed(line.split("  ")) for line in (tmp_path / MANIFEST).read_text().splitlines())
    assert listed.keys() == {file.name for file in tmp_path.iterdir()} - {MANIFEST}
    for name, digest in listed.items():
        assert sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert sha256((tmp_path / MANIFEST).read_bytes()).hexdigest() == made.digest


def test_the_crate_describes_every_file_and_every_run(museum: Museum, whole: Members) -> None:
    crate = json.loads(whole["ro-crate-metadata.json"])
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    assert len(entities) == len(crate["@graph"])
    assert entities["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    assert entities["ro-crate-metadata.json"]["conformsTo"]["@id"].startswith("https://w3id.org/ro/crate/1.1")
    root = entities["./"]
    from_text(root["datePublished"])
    parts = {part["@id"] for part in root["hasPart"]}
    assert parts == whole.keys() - {"ro-crate-metadata.json", MANIFEST}
    for name in parts:
        assert entities[name]["@type"] == "File"
        assert entities[name]["contentSize"] == str(len(whole[name]))
        assert entities[name]["sha256"] == sha256(whole[name]).hexdigest()
    actions = [entity for entity in entities.values() if entity["@type"] == "CreateAction"]
    assert {action["@id"] for action in actions} == {mention["@id"] for mention in root["mentions"]}
    assert {f"urn:uuid:{run.id}" for run in runs.all_runs(museum.ledger)} <= {action["@id"] for action in actions}
    for action in actions:
        assert entities[action["instrument"]["@id"]]["@type"] == "SoftwareApplication"
        for named in ("object", "result"):
            linked = action.get(named, [])
            for link in linked if isinstance(linked, list) else [linked]:
                assert link["@id"] in entities
        assert from_text(action["startTime"]) <= from_text(action["endTime"])


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_the_report_is_a_page_that_loads_and_runs_nothing(museum: Museum, whole: Members) -> None:
    page = whole["report.html"].decode()
    tags = _Tags()
    tags.feed(page)
    assert not tags.tags & {"script", "img", "link", "iframe", "object", "a", "form", "base"}
    assert tags.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    for found in _first_pids(museum):
        assert found in page
    assert str(OURS.verifier) in page


def test_hostile_names_are_text_in_the_report(museum: Museum) -> None:
    ledger = museum.ledger
    hostile = Scope("pids", "<script>alert(1)</script>\u202e&", pids=tuple(_first_pids(museum)))
    made = members_of(museum.bundle(hostile).path)
    assert b"<script" not in made["report.html"]
    assert "\u202e" not in made["report.html"].decode()
    assert ledger.position() > 0


def test_a_progress_is_told_up_to_the_end(museum: Museum) -> None:
    told: list[tuple[int, int]] = []
    made = museum.bundle(progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (3 * made.events, 3 * made.events)


def test_what_cannot_be_proven_is_not_written(museum: Museum, tmp_path: Path) -> None:
    ledger, path = museum.ledger, tmp_path / "b.zip"
    size = ledger.position()

    def write(note: bytes, key: VerifierKey = OURS.verifier, **options: Any) -> None:
        write_bundle(ledger, path, scope.everything(), note, [key], **options)

    def note(of: int, root: bytes) -> bytes:
        return bytes(Checkpoint(OURS.name, of, root).signed(OURS))

    for bad in (note(size, b"\1" * 32), note(size + 1, b"\1" * 32)):
        with pytest.raises(IntegrityFailure):
            write(bad)
        with pytest.raises(IntegrityFailure, match="auditor's checkpoint"):
            write(museum.notes[-1], since_checkpoint=bad)
    with pytest.raises(IntegrityFailure, match="end of the ledger is missing"):
        write(museum.notes[0], since_checkpoint=museum.notes[1])
    with pytest.raises(InvalidSignature):
        write(museum.notes[-1], WITNESS.verifier)
    with pytest.raises(NotFound, match="no event"):
        write(note(0, EMPTY_ROOT))
    with pytest.raises(NotFound, match="TEST/ZZZ-ZZZ-ZZZ"):
        scope.of_objects(ledger, [_first_pids(museum)[0], "TEST/ZZZ-ZZZ-ZZZ"])
    with pytest.raises(NotFound, match="no event"):
        museum.bundle(scope.since(datetime(2999, 1, 1, tzinfo=UTC)))
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_replaces_one_of_the_same_name_only_when_it_is_complete(museum: Museum, tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(b"the one before")

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bundle(museum.ledger, path, scope.everything(), museum.notes[-1], [OURS.verifier], progress=stop)
    assert path.read_bytes() == b"the one before"
    write_bundle(museum.ledger, path, scope.everything(), museum.notes[-1], [OURS.verifier])
    assert check(path).status == 0
    assert [file.name for file in tmp_path.iterdir()] == ["b.zip"]


def test_values_that_are_hard_to_write_are_checked(ledger: Ledger, tmp_path: Path) -> None:
    awkward = {
        "dwc:numbers": [1e21, 1e-7, 5e-324, -0.5, 1e16, 2**53 - 1, 0.1, -1e-5],
        "\U0001f996": "beyond",
        "\ufb33": "sorts after it by UTF-16",
        "dwc:text": 'quote " backslash \\ \u2028 \x7f \x01 é \U0001f996',
        "dwc:~a/b": [{}, [], None, True, {"": [[["deep"]]]}],
        "dwc:flag": True,
    }
    state = ledger.record(None, created(pid(1), country="Kenya"))
    for number in range(1, len(awkward) + 1):
        document = {**state.document, **dict(list(awkward.items())[:number])}
        state = ledger.record(state, state.update(document, by()))
    for name in ["\U0001f996", *list(awkward)]:
        if name in state.document:
            document = {key: value for key, value in state.document.items() if key != name}
            state = ledger.record(state, state.update(document, by()))
    state = ledger.record(state, state.update({**state.document, "dwc:flag": 1}, by()))
    grow(ledger, pid(2), 3)
    path = tmp_path / "b.zip"
    write_bundle(ledger, path, scope.everything(), signed(ledger), [OURS.verifier])
    verdict = check(path)
    assert verdict.status == 0, verdict.text


def test_an_event_that_is_not_in_the_tree_makes_no_bundle(filled: Ledger, owner: Owner, tmp_path: Path) -> None:
    note = signed(filled)
    tamper(filled, owner, rewrite(A, 2, lambda value: value["activity"].update(comment="forged")))
    with pytest.raises(IntegrityFailure, match=f"{re.escape(A)}/2 is not the entry"):
        write_bundle(filled, tmp_path / "b.zip", scope.everything(), note, [OURS.verifier])
    assert list(tmp_path.iterdir()) == []
