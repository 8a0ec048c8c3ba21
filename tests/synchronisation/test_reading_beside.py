"""A large file is read by a process of its own: what it yields is the same, and its end is the end of the run."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from benchmarks.museum import write_archive
from domain.errors import InvalidArchive, RefusedInput, StoreUnavailable
from sources.mapping.mapping import SourceSettings
from sources.records import Malformed
from sources.synchronisation import reading_beside
from sources.synchronisation.candidates import SourceFile, open_source
from sources.synchronisation.reading_beside import open_to_synchronise
from sources.synchronisation.synchronise import Options, Report, synchronise
from store.ledger import Ledger
from tests.conftest import SAMPLES, SHARED

SETTINGS = SourceSettings("museum", "TEST/AAA-AAA-AAA")
ARCHIVES = sorted([*SAMPLES.rglob("*.zip"), *SHARED.rglob("*dwca*.zip"), *SHARED.rglob("rato-1*.zip")])


@pytest.fixture(autouse=True)
def every_file_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_beside, "LARGE_BYTES", 0)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "first.zip", 1500)


def yielded(file: SourceFile) -> list[object]:
    """What comes of each row: its place, id and digest, and the documents or the refusal that it is mapped to."""
    found: list[object] = []
    for item in file.records():
        if isinstance(item, Malformed):
            found.append(item)
            continue
        identity = (item.place, item.record_id, item.record_digest, item.weight)
        try:
            mapped = file.read(item, SETTINGS)
            found.append((identity, mapped.key, mapped.document, mapped.media, mapped.notices, mapped.parked_media))
        except RefusedInput as error:
            found.append((identity, str(error)))
    return found


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.name)
def test_the_other_process_yields_the_same(path: Path) -> None:
    here, beside = open_source(path), open_to_synchronise(path)
    try:
        assert yielded(beside) == yielded(here)
    finally:
        here.close()
        beside.close()
    assert not multiprocessing.active_children()


def test_documents_of_opends_come_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "documents.jsonl"
    documents = [{"@type": "ods:DigitalSpecimen", "ods:physicalSpecimenID": f"urn:x:{n}", "n": n} for n in range(30)]
    path.write_text("\n".join([*map(json.dumps, documents), "{not json", "{}"]))
    here, beside = open_source(path), open_to_synchronise(path)
    found = yielded(beside)
    assert found == yielded(here)
    assert len(found) == 32
    here.close()
    beside.close()


def synchronised(ledger: Ledger, path: Path) -> Report:
    file = open_to_synchronise(path)
    try:
        return synchronise(ledger, file, Options("museum"))
    finally:
        file.close()


def test_a_run_finds_what_changed(ledger: Ledger, archive: Path, tmp_path: Path) -> None:
    first = synchronised(ledger, archive)
    again = synchronised(ledger, archive)
    changed = synchronised(ledger, write_archive(tmp_path / "second.zip", 1500, state=1))
    assert (first.read, first.created) == (1500, 1500)
    assert (again.read, again.unchanged) == (1500, 1500)
    assert changed.updated > 0
    assert changed.unchanged + changed.updated == 1500
    assert not multiprocessing.active_children()


def test_a_damaged_file_ends_the_run_with_the_reason(ledger: Ledger, archive: Path) -> None:
    plain = archive.with_name("stored.zip")
    with ZipFile(archive) as source, ZipFile(plain, "w", ZIP_STORED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    file = open_to_synchronise(plain)
    data = bytearray(plain.read_bytes())
    at = data.rindex(b"museum.example")
    data[at] ^= 1
    plain.write_bytes(data)
    with pytest.raises(InvalidArchive, match=r"stored\.zip"):
        synchronise(ledger, file, Options("museum"))
    file.close()
    assert not multiprocessing.active_children()


def test_another_file_in_its_place_is_not_read(ledger: Ledger, archive: Path, tmp_path: Path) -> None:
    file = open_to_synchronise(archive)
    shutil.copy(write_archive(tmp_path / "second.zip", 1500, state=1), archive)
    with pytest.raises(InvalidArchive, match="was changed while it was read"):
        synchronise(ledger, file, Options("museum"))
    file.close()


def test_a_killed_reader_ends_the_run_which_goes_on_when_it_is_started_again(ledger: Ledger, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "first.zip", 4000)
    file = open_to_synchronise(archive)

    def kill(done: int, _total: int | None) -> None:
        if done:
            for process in multiprocessing.active_children():
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)

    with pytest.raises(StoreUnavailable, match="ended with status -9"):
        synchronise(ledger, file, Options("museum"), kill)
    file.close()
    assert synchronised(ledger, archive).created == 4000


def test_who_stops_listening_leaves_no_process(archive: Path) -> None:
    file = open_to_synchronise(archive)
    records = file.records()
    next(records)
    assert multiprocessing.active_children()
    del records
    assert not multiprocessing.active_children()
    file.close()


def test_a_small_file_starts_no_process(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    file = open_to_synchronise(archive)
    next(file.records())
    assert not multiprocessing.active_children()
    file.close()
