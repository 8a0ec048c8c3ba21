"""Records that share an identifier, and media that specimens share, whichever chunk of the file they fall into."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sources.synchronisation import synchronise
from sources.synchronisation.synchronise import Report
from store.ledger import Ledger
from tests.synchronisation.sync_support import (
    MEDIA,
    SPECIMEN,
    Specimen,
    changes_nothing,
    contents,
    counts,
    picture,
    run_items,
    states,
    sync,
    url,
    versions_of,
    write_archive,
)

Say = Callable[..., Report]


@pytest.fixture(params=[500, 2, 1], ids=["one chunk", "chunks of two", "chunks of one"])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The size of chunks, which must make no difference."""
    monkeypatch.setattr(synchronise, "CHUNK", request.param)
    return int(request.param)


@pytest.fixture
def say(ledger: Ledger, tmp_path: Path, chunk: int) -> Say:
    years = iter(range(2001, 2100))

    def say(specimens: Sequence[Specimen], **options: Any) -> Report:
        year = next(years)
        lines = {name: options.pop(name) for name in ("core_lines", "media_lines") if name in options}
        into = options.pop("into", ledger)
        archive = write_archive(tmp_path / str(year), specimens, f"{year}-01-01", **lines)
        return sync(into, archive, **{"tombstone_missing": True, **options})

    return say


def test_the_first_of_records_with_one_identifier_counts_and_the_others_are_parked(ledger: Ledger, say: Say) -> None:
    first, second = Specimen("a", {"preparations": "skin"}), Specimen("a", {"preparations": "skull"})
    specimens = [first, Specimen("b"), second, Specimen("c"), second]
    report = say(specimens)
    assert counts(report) == {"read": 5, "created": 3, "parked": 2}
    parked = run_items(ledger, report.run, "parked")
    assert [(item.type, item.key, item.place) for item in parked] == [
        (SPECIMEN, "a", "occurrence.txt line 4"),
        (SPECIMEN, "a", "occurrence.txt line 6"),
    ]
    assert all("an earlier record of this file has the same identifier 'a'" in str(item.reason) for item in parked)
    assert contents(ledger)[SPECIMEN, "a"]["dwc:preparations"] == "skin"
    again = say(specimens)
    assert counts(again) == {"read": 5, "unchanged": 3, "parked": 2}
    assert versions_of(ledger, "a") == ["Create"]


def test_an_identifier_that_two_row_ids_share_belongs_to_the_first(ledger: Ledger, say: Say) -> None:
    report = say([Specimen("a"), Specimen("row-2", {"occurrenceID": "a"}), Specimen("b")])
    assert counts(report) == {"read": 3, "created": 2, "parked": 1}
    assert {key for _, key in contents(ledger)} == {"a", "b"}


def test_a_record_without_identifier_is_parked(ledger: Ledger, say: Say) -> None:
    report = say([Specimen("a")], core_lines=["\t" * 12, "\tx" + "\t" * 11])
    assert counts(report) == {"read": 3, "created": 1, "parked": 2}
    parked = run_items(ledger, report.run, "parked")
    assert [(item.key, item.place) for item in parked] == [
        (None, "occurrence.txt line 3"),
        (None, "occurrence.txt line 4"),
    ]


def test_a_shared_medium_is_one_object_that_names_all_its_specimens(ledger: Ledger, say: Say) -> None:
    shared = picture("shared")
    specimens = [
        Specimen("a", media=(shared,)),
        Specimen("b"),
        Specimen("c", media=(shared, picture("own"))),
        Specimen("d", media=(shared,)),
    ]
    report = say(specimens)
    assert report.created == 4
    assert report.media["created"] == 2
    assert linked(ledger, "shared") == ["a", "c", "d"]
    assert linked(ledger, "own") == ["c"]
    for key in ("a", "c", "d"):
        assert f"PID of {(MEDIA, url('shared'))}" in repr(contents(ledger)[SPECIMEN, key])
    assert changes_nothing(say(specimens))


def test_a_medium_dropped_by_one_specimen_stays_with_the_others(
    new_ledger: Callable[[], Ledger], ledger: Ledger, say: Say
) -> None:
    shared = picture("shared")
    say([Specimen(key, media=(shared,)) for key in "abc"])
    for left in (["b", "c"], ["c"]):
        now = [Specimen(key, media=(shared,) if key in left else ()) for key in "abc"]
        report = say(now)
        assert (report.updated, report.tombstoned) == (1, 0)
        assert linked(ledger, "shared") == left
        alone = new_ledger()
        say(now, into=alone)
        assert contents(ledger) == contents(alone)


def test_a_medium_dropped_by_all_is_missing(ledger: Ledger, say: Say) -> None:
    shared = picture("shared")
    say([Specimen(key, media=(shared,)) for key in "abc"])
    reported = say([Specimen(key) for key in "abc"], tombstone_missing=False)
    assert (reported.updated, reported.missing, reported.media["missing"]) == (3, 0, 1)
    assert "tombstoned" not in reported.media
    report = say([Specimen(key) for key in "abc"])
    assert counts(report) == {"read": 3, "unchanged": 3}
    assert report.media == {"missing": 1, "tombstoned": 1}
    assert (MEDIA, url("shared")) not in contents(ledger)
    back = say([Specimen("a"), Specimen("b"), Specimen("c", media=(shared,))])
    assert back.media == {"restored": 1}
    assert linked(ledger, "shared") == ["c"]


def test_a_medium_that_changes_hands_within_one_archive_keeps_its_pid(ledger: Ledger, say: Say) -> None:
    shared = picture("shared")
    say([Specimen("a", media=(shared,)), Specimen("b"), Specimen("c")])
    say([Specimen("a"), Specimen("b"), Specimen("c", media=(shared,))])
    assert linked(ledger, "shared") == ["c"]
    (medium,) = [state for state in states(ledger) if state.object_type == MEDIA]
    assert not medium.tombstoned
    say([Specimen("a", media=(shared,)), Specimen("b"), Specimen("c")])
    assert linked(ledger, "shared") == ["a"]


def test_the_first_specimen_that_lists_a_medium_describes_it(ledger: Ledger, say: Say) -> None:
    def listing(title: str) -> list[Specimen]:
        return [
            Specimen("a", media=(picture("shared", "as a says"),)),
            Specimen("b"),
            Specimen("c", media=(picture("shared", title),)),
        ]

    say(listing("as c says"))
    assert contents(ledger)[MEDIA, url("shared")]["dcterms:title"] == "as a says"
    say(listing("as c says now"))
    assert contents(ledger)[MEDIA, url("shared")]["dcterms:title"] == "as a says"


def test_a_row_that_is_no_medium_is_parked_while_its_specimen_imports(ledger: Ledger, say: Say) -> None:
    nameless = {**picture("x"), "identifier": ""}
    specimens = [Specimen("a", media=(nameless, picture("one"))), Specimen("b")]
    report = say(specimens)
    assert counts(report) == {"read": 2, "created": 2, "parked": 1}
    assert report.media == {"created": 1, "parked": 1}
    (item,) = run_items(ledger, report.run, "parked")
    assert item.type == MEDIA
    assert item.place is not None
    assert "occurrence.txt line 2" in item.place
    assert item.reason is not None
    assert "access URI" in item.reason
    again = say(specimens)
    assert changes_nothing(again)
    assert again.parked == 1


def test_each_of_several_rows_that_are_no_media_is_parked(ledger: Ledger, say: Say) -> None:
    nameless = {**picture("x"), "identifier": ""}
    endless = {**picture("x"), "identifier": "https://example.org/" + noise(3000)}
    report = say(
        [Specimen("a", media=(nameless, endless, nameless, {**endless, "identifier": url("y" + noise(4000))}))]
    )
    assert counts(report) == {"read": 1, "created": 1, "parked": 4}
    places = [str(item.place) for item in run_items(ledger, report.run, "parked")]
    assert len(set(places)) == 4
    assert all(place.startswith("occurrence.txt line 2") for place in places)
    assert {key for _, key in contents(ledger)} == {"a"}


def test_an_identifier_too_long_to_be_one_is_parked(ledger: Ledger, say: Say) -> None:
    long = noise(3000)
    specimens = [Specimen("a"), Specimen(long), Specimen("b", {"occurrenceID": long}), Specimen(noise(1000))]
    report = say(specimens, core_lines=[f"{long}\ttoo few"])
    assert counts(report) == {"read": 5, "created": 2, "parked": 3}
    parked = run_items(ledger, report.run, "parked")
    assert all(item.key and len(item.key) <= 200 for item in parked)
    assert [str(item.reason)[:16] for item in parked].count("an identifier of") == 2
    assert counts(say(specimens)) == {"read": 4, "unchanged": 2, "parked": 2}


def noise(length: int) -> str:
    """Text that cannot be compressed, the same each time."""
    return "".join(random.Random(length).choices(string.ascii_letters, k=length))


def linked(ledger: Ledger, name: str) -> list[str]:
    """The specimens that a medium names."""
    medium = contents(ledger)[MEDIA, url(name)]
    return sorted(
        relation["dwc:relatedResourceID"].removesuffix("')").rpartition("'")[2]
        for relation in medium["ods:hasEntityRelationships"]
        if relation["dwc:relationshipOfResource"] == "hasDigitalSpecimen"
    )
