"""openDS JSON as a source: every form of file, and the store's own export into another store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain.representation import represent
from sources.synchronisation.synchronise import find
from store.ledger import Ledger
from tests.conftest import SAMPLES
from tests.synchronisation.sync_support import (
    MEDIA,
    SPECIMEN,
    changes_nothing,
    counts,
    document_of,
    run_items,
    states,
    sync,
    versions_of,
)


def specimen(key: str, **terms: Any) -> dict[str, Any]:
    return {
        "@type": SPECIMEN,
        "ods:physicalSpecimenID": key,
        "ods:physicalSpecimenIDType": "Local",
        "dwc:preparations": "skin",
        **terms,
    }


def medium(name: str, **terms: Any) -> dict[str, Any]:
    return {"@type": MEDIA, "ac:accessURI": f"https://example.org/{name}.jpg", "dcterms:title": name, **terms}


TWO = [specimen("a"), specimen("b")]
PID = "https://doi.org/TEST/AAA-BBB-CCC"


def write(path: Path, documents: list[dict[str, Any]]) -> Path:
    """The documents in the form that the file's name asks for."""
    if path.suffix == ".jsonl":
        path.write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in documents))
    else:
        path.write_bytes(orjson.dumps(documents if len(documents) != 1 else documents[0], option=orjson.OPT_INDENT_2))
    return path


@pytest.mark.parametrize("documents", [TWO[:1], TWO], ids=["one object", "array"])
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_a_file_of_documents_is_a_source(
    ledger: Ledger, tmp_path: Path, documents: list[dict[str, Any]], suffix: str
) -> None:
    file = write(tmp_path / f"documents{suffix}", documents)
    assert counts(sync(ledger, file)) == {"read": len(documents), "created": len(documents)}
    assert document_of(ledger, "a") == documents[0]
    assert changes_nothing(sync(ledger, file))
    changed = write(tmp_path / f"changed{suffix}", [specimen("a", **{"dwc:preparations": "skull"}), *documents[1:]])
    report = sync(ledger, changed)
    assert (report.updated, report.unchanged) == (1, len(documents) - 1)
    assert versions_of(ledger, "a") == ["Create", "Update"]


def test_documents_of_several_types_are_records_of_their_own(ledger: Ledger, tmp_path: Path) -> None:
    documents = [specimen("a"), medium("one"), medium("two")]
    file = write(tmp_path / "all.jsonl", documents)
    report = sync(ledger, file)
    assert counts(report) == {"read": 3, "created": 3}
    assert report.media == {}
    assert changes_nothing(sync(ledger, file))
    report = sync(ledger, write(tmp_path / "fewer.jsonl", documents[:2]), tombstone_missing=True)
    assert counts(report) == {"read": 2, "unchanged": 2, "missing": 1, "tombstoned": 1}


def test_what_is_no_document_is_parked_with_its_place(ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "mixed.jsonl"
    lines = [
        orjson.dumps(specimen("a")),
        b'{"@type": "ods:DigitalSpecimen"}',
        b"{broken",
        b'{"@type": "ods:DigitalSpecimen", "ods:physicalSpecimenID": "x", "n": 1e999}',
        b'{"@type": "ods:Unheard", "@id": "y"}',
        orjson.dumps(specimen("a")),
    ]
    file.write_bytes(b"\n".join(lines))
    report = sync(ledger, file)
    assert counts(report) == {"read": 6, "created": 1, "parked": 5}
    parked = run_items(ledger, report.run, "parked")
    assert sorted(str(item.place) for item in parked) == [f"mixed.jsonl:{line}" for line in range(2, 7)]
    assert all(item.reason for item in parked)


def test_the_order_of_an_array_decides_which_of_two_records_counts(ledger: Ledger, tmp_path: Path) -> None:
    first = [specimen(f"s{n}") for n in range(12)]
    file = write(tmp_path / "twice.json", [*first, specimen("s11", **{"dwc:preparations": "skull"})])
    report = sync(ledger, file)
    assert counts(report) == {"read": 13, "created": 12, "parked": 1}
    assert document_of(ledger, "s11")["dwc:preparations"] == "skin"
    (item,) = run_items(ledger, report.run, "parked")
    assert item.place == "twice.json#/12"


@pytest.mark.parametrize("form", ["page", "resource"])
def test_a_page_of_documents_is_read_in_order(ledger: Ledger, tmp_path: Path, form: str) -> None:
    pages = {"page": [specimen(f"s{n}") for n in range(12)], "resource": TWO[:1]}
    data: Any = [{"id": "x", "type": "y", "attributes": document} for document in pages[form]]
    file = tmp_path / "page.json"
    file.write_bytes(orjson.dumps({"data": data if form == "page" else data[0]}))
    assert sync(ledger, file).created == len(pages[form])


def test_an_export_imported_into_another_store_keeps_pids_and_content(
    new_ledger: Callable[[], Ledger], tmp_path: Path
) -> None:
    here, there = new_ledger(), new_ledger()
    sync(here, SAMPLES / "2010")
    sync(here, SAMPLES / "2015")
    documents = {state.id: represent(state) for state in states(here)}
    file = write(tmp_path / "export.jsonl", list(documents.values()))

    report = sync(there, file, source="copy")
    assert counts(report) == {"read": len(documents), "created": len(documents)}
    copied = {state.id: state for state in states(there, "copy")}
    assert copied.keys() == documents.keys()
    for state in states(here):
        modified = {"dcterms:modified": documents[state.id]["dcterms:modified"]}
        assert copied[state.id].document == {**modified, **state.document}
    assert changes_nothing(sync(there, file, source="copy"))


def test_a_document_with_the_pid_of_another_source_is_parked(ledger: Ledger, tmp_path: Path) -> None:
    sync(ledger, SAMPLES / "2010")
    taken = next(iter(states(ledger)))
    file = write(tmp_path / "thief.jsonl", [specimen("mine"), represent(taken)])
    report = sync(ledger, file, source="other")
    assert counts(report) == {"read": 2, "created": 1, "parked": 1}
    (item,) = run_items(ledger, report.run, "parked")
    assert item.place == "thief.jsonl:2"
    assert item.reason is not None
    assert taken.id in item.reason
    assert ledger.get(taken.id).version == taken.version
    assert counts(sync(ledger, file, source="other")) == {"read": 2, "unchanged": 1, "parked": 1}


def test_a_pid_that_two_documents_bring_goes_to_the_first(ledger: Ledger, tmp_path: Path) -> None:
    file = write(tmp_path / "same.json", [specimen("a", **{"@id": PID}), specimen("b", **{"@id": PID})])
    report = sync(ledger, file)
    assert counts(report) == {"read": 2, "created": 1, "parked": 1}
    assert find(ledger, "museum", "a") == "TEST/AAA-BBB-CCC"
    (item,) = run_items(ledger, report.run, "parked")
    assert (item.key, item.place) == ("b", "same.json#/1")


def test_a_known_record_keeps_its_pid_whatever_its_document_says(ledger: Ledger, tmp_path: Path) -> None:
    sync(ledger, write(tmp_path / "1.json", TWO))
    pid = find(ledger, "museum", "a")
    report = sync(ledger, write(tmp_path / "2.json", [specimen("a", **{"@id": PID}), TWO[1]]))
    assert counts(report) == {"read": 2, "unchanged": 2}
    assert find(ledger, "museum", "a") == pid


def test_a_tombstone_in_a_file_is_no_living_record(ledger: Ledger, tmp_path: Path) -> None:
    sync(ledger, write(tmp_path / "1.json", TWO))
    gone = {**TWO[0], "ods:status": "Tombstone", "ods:hasTombstoneMetadata": {"@type": "ods:Tombstone"}}
    fresh = specimen("c", **{"ods:status": "Tombstone"})
    report = sync(ledger, write(tmp_path / "2.json", [gone, fresh, TWO[1]]), tombstone_missing=True)
    assert counts(report) == {"read": 3, "unchanged": 1, "parked": 2}
    assert {key for item in run_items(ledger, report.run, "parked") if (key := item.key)} == {"a", "c"}
    assert not ledger.get(find(ledger, "museum", "a")).tombstoned


def test_a_file_without_a_date_occurred_now(ledger: Ledger, tmp_path: Path) -> None:
    sync(ledger, write(tmp_path / "1.json", TWO))
    (first,) = ledger.history(find(ledger, "museum", "a"))
    assert first.recorded is not None
    assert 0 <= (first.recorded - first.occurred).total_seconds() < 60
