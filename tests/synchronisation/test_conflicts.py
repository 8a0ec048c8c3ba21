"""Source and curators change the same collection: what each changed alone stays, and who wins where both did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.merge import Prefer
from sources.synchronisation.synchronise import Report
from store.ledger import Ledger
from tests.synchronisation.sync_support import (
    SPECIMEN,
    Curation,
    Specimen,
    changes_nothing,
    counts,
    curate,
    determination,
    document_of,
    run_items,
    sync,
    versions_of,
    write_archive,
)

BEAR = Specimen("bear", {"preparations": "skin", "disposition": "in collection", "locality": "Ghent"})
OTHERS = [Specimen(f"other-{number}") for number in range(3)]
Say = Callable[..., Report]


@pytest.fixture
def say(ledger: Ledger, tmp_path: Path) -> Say:
    """Synchronises an archive of the bear, as given, and three others."""
    years = iter(range(2001, 2100))

    def say(bear: Specimen, **options: Any) -> Report:
        year = next(years)
        return sync(ledger, write_archive(tmp_path / str(year), [bear, *OTHERS], f"{year}-01-01"), **options)

    say(BEAR)
    return say


@pytest.fixture
def curator(ledger: Ledger, say: Say) -> Curation:
    return curate(ledger, "bear")


def conflicts(ledger: Ledger, report: Report) -> list[dict[str, Any]]:
    return [
        conflict
        for item in run_items(ledger, report.run)
        if item.key == "bear"
        for conflict in (item.details or {}).get("conflicts", [])
    ]


def test_a_term_both_changed_keeps_the_curated_value_and_is_listed(ledger: Ledger, say: Say, curator: Curation) -> None:
    curator.set("/dwc:preparations", "skin and skull")
    report = say(BEAR.but(preparations="skeleton"))
    assert counts(report) == {"read": 4, "unchanged": 4, "conflicts": 1}
    assert document_of(ledger, "bear")["dwc:preparations"] == "skin and skull"
    assert conflicts(ledger, report) == [
        {
            "pointer": "/dwc:preparations",
            "kept": "curated",
            "base": "skin",
            "source": "skeleton",
            "curated": "skin and skull",
        }
    ]
    (item,) = run_items(ledger, report.run)
    assert (item.outcome, item.key, item.pid, item.version_before, item.version_after) == (
        "conflict",
        "bear",
        curator.pid,
        2,
        None,
    )
    assert versions_of(ledger, "bear") == ["Create", "Update"]


def test_the_source_wins_a_term_both_changed_when_it_is_preferred(ledger: Ledger, say: Say, curator: Curation) -> None:
    curator.set("/dwc:preparations", "skin and skull")
    curator.set("/dwc:disposition", "on display")
    report = say(BEAR.but(preparations="skeleton"), prefer=Prefer.SOURCE)
    assert counts(report) == {"read": 4, "updated": 1, "unchanged": 3, "conflicts": 1}
    document = document_of(ledger, "bear")
    assert (document["dwc:preparations"], document["dwc:disposition"]) == ("skeleton", "on display")
    assert [(conflict["pointer"], conflict["kept"]) for conflict in conflicts(ledger, report)] == [
        ("/dwc:preparations", "source")
    ]


def test_different_terms_of_one_record_are_both_kept(ledger: Ledger, say: Say, curator: Curation) -> None:
    curator.set("/dwc:disposition", "on loan")
    curator.set("/ods:hasEvents/0/ods:hasLocation/dwc:country", "Belgique")
    report = say(BEAR.but(preparations="skeleton", locality="Brussels"))
    assert counts(report) == {"read": 4, "updated": 1, "unchanged": 3}
    document = document_of(ledger, "bear")
    location = document["ods:hasEvents"][0]["ods:hasLocation"]
    assert (document["dwc:preparations"], document["dwc:disposition"]) == ("skeleton", "on loan")
    assert (location["dwc:country"], location["dwc:locality"]) == ("Belgique", "Brussels")


def test_a_term_the_curator_removed_and_the_source_changed_stays_removed(
    ledger: Ledger, say: Say, curator: Curation
) -> None:
    curator.remove("dwc:preparations")
    report = say(BEAR.but(preparations="skeleton"))
    assert counts(report) == {"read": 4, "unchanged": 4, "conflicts": 1}
    assert "dwc:preparations" not in document_of(ledger, "bear")
    (conflict,) = conflicts(ledger, report)
    assert conflict == {"pointer": "/dwc:preparations", "kept": "curated", "base": "skin", "source": "skeleton"}


def test_a_source_that_reorders_and_adds_determinations_leaves_the_curated_one(
    ledger: Ledger, say: Say, curator: Curation
) -> None:
    first, second = determination(1, "Ursus", "1900"), determination(2, "Ursus arctos", "1950")
    say(Specimen(BEAR.id, BEAR.terms, (first, second)))
    determined = document_of(ledger, "bear")["ods:hasIdentifications"]
    index = next(n for n, item in enumerate(determined) if item.get("dwc:identificationID") == "det-2")
    curator.set(f"/ods:hasIdentifications/{index}/dwc:identificationRemarks", "checked against the type")

    third = determination(3, "Ursus spelaeus", "1850")
    report = say(Specimen(BEAR.id, BEAR.terms, (third, second, first)))
    assert counts(report) == {"read": 4, "updated": 1, "unchanged": 3}
    remarks = {
        item.get("dwc:identificationID"): item.get("dwc:identificationRemarks")
        for item in document_of(ledger, "bear")["ods:hasIdentifications"]
    }
    assert remarks["det-2"] == "checked against the type"
    assert {"det-1", "det-2", "det-3"} <= remarks.keys()


def test_a_source_that_only_reorders_determinations_changes_nothing(
    ledger: Ledger, say: Say, curator: Curation
) -> None:
    rows = tuple(determination(number, f"Ursus {number}", str(1900 + number)) for number in range(4))
    say(Specimen(BEAR.id, BEAR.terms, rows))
    curator.set("/dwc:disposition", "on loan")
    before = ledger.position()
    assert changes_nothing(say(Specimen(BEAR.id, BEAR.terms, rows[::-1])))
    assert ledger.position() == before


def test_a_source_that_comes_to_agree_with_the_curator_makes_no_event_and_no_conflict(
    ledger: Ledger, say: Say, curator: Curation
) -> None:
    curator.set("/dwc:preparations", "skeleton")
    report = say(BEAR.but(preparations="skeleton"))
    assert counts(report) == {"read": 4, "unchanged": 4}
    assert [item.outcome for item in run_items(ledger, report.run)] == ["agreed"]
    assert versions_of(ledger, "bear") == ["Create", "Update"]
    # From here on the source speaks for the term again.
    assert counts(say(BEAR.but(preparations="skull"))) == {"read": 4, "updated": 1, "unchanged": 3}
    assert document_of(ledger, "bear")["dwc:preparations"] == "skull"


def test_a_conflict_is_reported_once_and_the_curated_value_outlives_the_next_archive(
    ledger: Ledger, say: Say, curator: Curation
) -> None:
    curator.set("/dwc:preparations", "skin and skull")
    assert say(BEAR.but(preparations="skeleton")).conflicts == 1
    assert changes_nothing(say(BEAR.but(preparations="skeleton")))
    report = say(BEAR.but(preparations="skeleton", disposition="missing"))
    assert counts(report) == {"read": 4, "updated": 1, "unchanged": 3}
    document = document_of(ledger, "bear")
    assert (document["dwc:preparations"], document["dwc:disposition"]) == ("skin and skull", "missing")
    # A new statement of the source on the disputed term is a new conflict, with its last one as the past.
    report = say(BEAR.but(preparations="bones", disposition="missing"))
    (conflict,) = conflicts(ledger, report)
    assert (conflict["base"], conflict["source"], conflict["curated"]) == ("skeleton", "bones", "skin and skull")


def test_the_very_same_archive_after_a_conflict_changes_nothing(
    ledger: Ledger, tmp_path: Path, say: Say, curator: Curation
) -> None:
    curator.set("/dwc:preparations", "skin and skull")
    archive = write_archive(tmp_path / "again", [BEAR.but(preparations="skeleton"), *OTHERS])
    assert sync(ledger, archive).conflicts == 1
    assert changes_nothing(sync(ledger, archive))
    assert changes_nothing(sync(ledger, archive, prefer=Prefer.SOURCE))


@pytest.mark.parametrize("prefer", list(Prefer))
def test_what_a_curator_tombstoned_stays_so_when_the_source_changes_it(
    ledger: Ledger, say: Say, curator: Curation, prefer: Prefer
) -> None:
    curator.tombstone()
    report = say(BEAR.but(preparations="skeleton"), prefer=prefer)
    assert counts(report) == {"read": 4, "unchanged": 4, "conflicts": 1}
    (item,) = run_items(ledger, report.run)
    assert item.outcome == "conflict"
    assert item.reason is not None
    assert "tombstoned" in item.reason
    assert ledger.get(curator.pid).tombstoned
    again = say(BEAR.but(preparations="skeleton"), prefer=prefer)
    assert counts(again) == {"read": 4, "unchanged": 4, "conflicts": 1}
    # Restored by the curator, it takes what the source changed meanwhile.
    curator.restore()
    assert say(BEAR.but(preparations="skeleton", disposition="on loan")).updated == 1
    document = document_of(ledger, "bear")
    assert (document["dwc:preparations"], document["dwc:disposition"]) == ("skeleton", "on loan")
    assert changes_nothing(say(BEAR.but(preparations="skeleton", disposition="on loan")))


def test_what_a_curator_tombstoned_stays_so_when_it_went_missing_and_comes_back(
    ledger: Ledger, tmp_path: Path, say: Say, curator: Curation
) -> None:
    curator.tombstone()
    without = write_archive(tmp_path / "without", OTHERS)
    for _ in range(2):
        report = sync(ledger, without, tombstone_missing=True)
        assert counts(report) == {"read": 3, "unchanged": 3, "missing": 1}
    assert changes_nothing(say(BEAR, tombstone_missing=True))
    assert ledger.get(curator.pid).tombstoned


def test_what_a_curator_restored_goes_on_when_the_source_has_it_again(
    ledger: Ledger, tmp_path: Path, say: Say, curator: Curation
) -> None:
    assert sync(ledger, write_archive(tmp_path / "without", OTHERS), tombstone_missing=True).tombstoned == 1
    curator.restore()
    curator.set("/dwc:disposition", "found again")
    report = say(BEAR.but(preparations="skeleton"))
    assert counts(report) == {"read": 4, "updated": 1, "unchanged": 3}
    document = document_of(ledger, "bear")
    assert (document["dwc:preparations"], document["dwc:disposition"]) == ("skeleton", "found again")


def test_nobody_elses_records_are_touched(ledger: Ledger, say: Say, curator: Curation) -> None:
    curator.set("/dwc:preparations", "skin and skull")
    say(BEAR.but(preparations="skeleton"))
    assert all(versions_of(ledger, other.id) == ["Create"] for other in OTHERS)
    assert ledger.get(curator.pid).object_type == SPECIMEN
