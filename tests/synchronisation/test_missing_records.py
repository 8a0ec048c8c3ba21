"""Records that an archive no longer has: reported, tombstoned when asked, and back under their old PID."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from audit.verify import verify
from domain.agents import person
from domain.digital_object import Provenance
from sources.synchronisation import synchronise
from sources.synchronisation.synchronise import Report, find
from store.ledger import Ledger
from tests.synchronisation.sync_support import (
    MEDIA,
    Specimen,
    changes_nothing,
    contents,
    counts,
    document_of,
    picture,
    run_items,
    states,
    sync,
    url,
    versions_of,
    write_archive,
)

CURATOR = "https://orcid.org/0000-0002-1825-0097"
A, B, C = (Specimen(name, {"preparations": "skin"}) for name in "abc")
Say = Callable[..., Report]


@pytest.fixture
def say(ledger: Ledger, tmp_path: Path) -> Say:
    """Synchronises an archive of these records, and tombstones what it lacks."""
    years = iter(range(2001, 2100))

    def say(specimens: Sequence[Specimen], **options: Any) -> Report:
        year = next(years)
        lines = {name: options.pop(name) for name in ("core_lines", "media_lines") if name in options}
        archive = write_archive(tmp_path / str(year), specimens, f"{year}-01-01", **lines)
        return sync(ledger, archive, **{"tombstone_missing": True, **options})

    return say


def active(ledger: Ledger) -> set[str]:
    return {key for _, key in contents(ledger)}


def test_missing_records_are_only_reported_unless_asked(ledger: Ledger, say: Say) -> None:
    say([A, B, C])
    for _ in range(2):
        report = say([A], tombstone_missing=False)
        assert counts(report) == {"read": 1, "unchanged": 1, "missing": 2}
        assert [(item.outcome, item.key) for item in run_items(ledger, report.run)] == [
            ("missing", "b"),
            ("missing", "c"),
        ]
    assert active(ledger) == {"a", "b", "c"}
    assert say([A]).tombstoned == 2
    assert active(ledger) == {"a"}


def test_a_tombstone_says_which_archive_lacks_the_record(ledger: Ledger, say: Say) -> None:
    say([A, B])
    report = say([A])
    assert counts(report) == {"read": 1, "unchanged": 1, "missing": 1, "tombstoned": 1}
    (item,) = run_items(ledger, report.run, "tombstoned")
    assert (item.key, item.version_before, item.version_after) == ("b", 1, 2)
    state = ledger.get(str(item.pid))
    assert state.tombstoned
    assert "museum" in state.document["ods:hasTombstoneMetadata"]["ods:tombstoneText"]
    # It is gone, so it is not missing again.
    assert counts(say([A])) == {"read": 1, "unchanged": 1}


@pytest.mark.parametrize("back", [B, B.but(preparations="skeleton")], ids=["unchanged", "changed"])
def test_a_tombstoned_record_comes_back_under_its_old_pid(ledger: Ledger, say: Say, back: Specimen) -> None:
    say([A, B])
    pid = find(ledger, "museum", "b")
    say([A])
    report = say([A, back])
    assert counts(report) == {"read": 2, "restored": 1, "unchanged": 1}
    assert find(ledger, "museum", "b") == pid
    assert versions_of(ledger, "b") == ["Create", "Tombstone", "Restore"]
    assert [event.originator_version for event in ledger.history(pid)] == [1, 2, 3]
    document = document_of(ledger, "b")
    assert document["dwc:preparations"] == back.terms["preparations"]
    assert "ods:hasTombstoneMetadata" not in document
    assert changes_nothing(say([A, back]))


def test_a_record_that_cannot_be_read_is_parked_and_not_missing(ledger: Ledger, say: Say) -> None:
    say([A, B, C])
    report = say([A, C], core_lines=["b\tb\ttoo few cells"])
    assert counts(report) == {"read": 3, "unchanged": 2, "parked": 1}
    (item,) = run_items(ledger, report.run)
    assert (item.outcome, item.key) == ("parked", "b")
    assert item.place is not None
    assert "occurrence.txt" in item.place
    assert item.reason
    assert report.warning is None
    assert active(ledger) == {"a", "b", "c"}


def test_the_media_of_a_record_that_cannot_be_read_are_not_missing_either(ledger: Ledger, say: Say) -> None:
    say([A, Specimen("b", media=(picture("one"),))])
    report = say([A], core_lines=["b\tb\ttoo few cells"])
    assert (report.missing, report.tombstoned, report.media.get("tombstoned")) == (0, 0, None)
    assert active(ledger) == {"a", "b", url("one")}


def test_a_record_that_changed_its_key_stays_known_by_both_while_it_cannot_be_read(ledger: Ledger, say: Say) -> None:
    say([A, B])
    say([A, B.but(occurrenceID="new key of b")], tombstone_missing=False)
    report = say([A], core_lines=["b\tb\ttoo few cells"])
    assert report.tombstoned == 0
    assert active(ledger) == {"a", "b", "new key of b"}


def test_an_empty_archive_tombstones_nothing(ledger: Ledger, say: Say) -> None:
    say([A, Specimen("b", media=(picture("one"),))])
    report = say([])
    assert counts(report) == {"missing": 2}
    assert report.warning is not None
    assert "no records" in report.warning
    assert active(ledger) == {"a", "b", url("one")}


def test_a_row_without_id_could_be_any_record_so_nothing_is_tombstoned(ledger: Ledger, say: Say) -> None:
    say([A, B, C])
    report = say([A], core_lines=["\t" * 12])
    assert counts(report) == {"read": 2, "unchanged": 1, "missing": 2, "parked": 1}
    assert report.warning is not None
    assert "1 rows could not be identified" in report.warning
    assert active(ledger) == {"a", "b", "c"}
    assert say([A], core_lines=["\t" * 12], tombstone_missing=False).warning is None


def test_a_medium_that_could_not_be_read_could_be_any_so_no_medium_is_tombstoned(ledger: Ledger, say: Say) -> None:
    say([Specimen("a", media=(picture("one"), picture("two"))), B])
    nameless = {**picture("two"), "identifier": "no address"}
    for _ in range(2):
        report = say([Specimen("a", media=(picture("one"), nameless))], tombstone_missing=True)
        assert report.warning is not None
        assert "missing media were reported" in report.warning
        assert (report.media["missing"], report.parked) == (1, 1)
    assert active(ledger) == {"a", url("one"), url("two")}
    report = say([Specimen("a", media=(picture("one"),))])
    assert report.media["tombstoned"] == 1
    assert active(ledger) == {"a", url("one")}


def test_an_extension_row_without_a_record_does_not_keep_the_record(ledger: Ledger, say: Say) -> None:
    say([A, B])
    report = say([A], media_lines=["b\thttps://example.org/left.jpg\t\t\t\t"])
    assert counts(report) == {"read": 1, "unchanged": 1, "missing": 1, "tombstoned": 1, "parked": 1}


def test_media_go_with_the_last_specimen_that_lists_them(ledger: Ledger, say: Say) -> None:
    shared = picture("shared")
    say([Specimen("a", media=(shared,)), Specimen("b", media=(shared, picture("own"))), C])
    first = contents(ledger)[MEDIA, url("shared")]

    report = say([Specimen("a", media=(shared,)), C])
    assert report.tombstoned == 1
    assert report.media == {"missing": 1, "tombstoned": 1, "updated": 1}
    assert active(ledger) == {"a", "c", url("shared")}
    assert named_specimens(contents(ledger)[MEDIA, url("shared")]) == ["a"]

    report = say([C])
    assert report.tombstoned == 1
    assert active(ledger) == {"c"}

    say([Specimen("a", media=(shared,)), Specimen("b", media=(shared, picture("own"))), C])
    assert contents(ledger)[MEDIA, url("shared")] == first
    assert [state.version for state in states(ledger) if state.object_type == MEDIA] == [3, 4]


@pytest.mark.parametrize("chunk", [1, 2, 500])
@pytest.mark.parametrize("withdrawn", [None, "a", "b"])
def test_a_shared_medium_goes_with_its_specimens_in_whatever_order(
    ledger: Ledger, say: Say, withdrawn: str | None, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when a curator has withdrawn one of the specimens before."""
    monkeypatch.setattr(synchronise, "CHUNK", chunk)
    shared, both = (picture("shared"),), ["a", "b"]
    say([*(Specimen(name, media=shared) for name in both), C])
    if withdrawn is not None:
        state = ledger.get(find(ledger, "museum", withdrawn))
        ledger.record(state, state.tombstone("on loan for ever", Provenance((person(CURATOR),))))
    report = say([C])
    assert report.tombstoned == (2 if withdrawn is None else 1)
    assert report.media == {"missing": 1, "tombstoned": 1}
    assert active(ledger) == {"c"}
    assert counts(say([C])) == {"read": 1, "unchanged": 1, **({"missing": 1} if withdrawn else {})}
    assert verify(ledger).ok


def named_specimens(medium: dict[str, Any]) -> list[str]:
    return sorted(
        relation["dwc:relatedResourceID"].rpartition("'")[0].rpartition("'")[2]
        for relation in medium["ods:hasEntityRelationships"]
        if relation["dwc:relationshipOfResource"] == "hasDigitalSpecimen"
    )
