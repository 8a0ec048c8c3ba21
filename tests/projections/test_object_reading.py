"""One object as people ask for it: its history, the difference of two versions, and who set each term."""

from __future__ import annotations

from typing import Any

import pytest

from domain.agents import person
from domain.canonical import canonical_bytes
from domain.digital_object import DigitalObject, Provenance
from domain.errors import NotFound
from domain.events import Source
from domain.patch import apply
from domain.representation import represent
from domain.terms import ABSENT, leaves
from projections.engine import catch_up
from projections.object_reading import blame_terms, current, difference, history
from store.ledger import Ledger
from tests.projections.test_engine import by, fill

PID = "TEST/AAA-AAA-AAA"
CURATOR, MACHINE = "https://orcid.org/0000-0002-1825-0097", "https://example.org/machine"
STATES: list[tuple[str, dict[str, Any]]] = [
    (CURATOR, {"dwc:country": "Kenya", "notes": ["a", "b"]}),
    (MACHINE, {"dwc:country": "Kenya", "notes": ["new", "a", "b"], "dwc:preparations": "skin"}),
    (CURATOR, {"dwc:country": "Tanzania", "notes": ["a", "b"], "dwc:preparations": "skin"}),
]


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    state: DigitalObject | None = None
    for who, terms in STATES:
        provenance = Provenance((person(who),), source=Source("TEST/SSS-SSS-SSS", "0" * 64, "1", "m 1"))
        document = {"@type": "ods:DigitalSpecimen", **terms}
        event = state.update(document, provenance) if state else DigitalObject.create(PID, document, provenance)
        state = ledger.record(state, event)
    return ledger


def test_the_history_names_what_each_version_changed(told: Ledger) -> None:
    versions = [info.to_json() for info in history(told, PID)]
    assert [(version["version"], version["terms"], version["position"]) for version in versions] == [
        (1, [], 1),
        (2, ["dwc:preparations", "notes"], 2),
        (3, ["dwc:country", "notes"], 3),
    ]
    assert [version["agents"][0]["id"] for version in versions] == [CURATOR, MACHINE, CURATOR]
    assert all(version["recorded"].endswith("Z") for version in versions)
    assert versions[0]["source"]["system"] == "TEST/SSS-SSS-SSS"


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (1, 2), (2, 3)])
def test_a_difference_leads_from_one_version_to_the_other(told: Ledger, before: int, after: int) -> None:
    changes, patch = difference(told, PID, before, after)
    old, new = told.get(PID, before).document, told.get(PID, after).document
    assert canonical_bytes(apply(old, patch)) == canonical_bytes(new)
    for change in changes:
        if change.new is not ABSENT:
            assert dict(leaves(new))[change.pointer] == change.new
        if change.was_at is not None:
            assert dict(leaves(old))[change.was_at] == change.old


def test_a_version_does_not_differ_from_itself(told: Ledger) -> None:
    assert difference(told, PID, 2, 2) == ([], [])


def test_blame_names_who_set_each_term(told: Ledger) -> None:
    blamed = {each.pointer: (each.value, each.event.originator_version) for each in blame_terms(told, PID)}
    assert blamed == {
        "/@type": ("ods:DigitalSpecimen", 1),
        "/dwc:country": ("Tanzania", 3),
        "/dwc:preparations": ("skin", 2),
        "/notes/0": ("a", 1),
        "/notes/1": ("b", 1),
    }
    preparations = blame_terms(told, PID, "/dwc:preparations")[0].to_json()
    assert (preparations["version"], preparations["agents"][0]["id"]) == (2, MACHINE)


def test_blame_within_a_part_of_the_document(told: Ledger) -> None:
    assert [each.pointer for each in blame_terms(told, PID, "/notes")] == ["/notes/0", "/notes/1"]
    assert [each.pointer for each in blame_terms(told, PID, "/notes/1")] == ["/notes/1"]


@pytest.mark.parametrize(("within", "hint"), [
    ("/dwc:nothing", "pointers look like"), ("dwc:country", "pointers look like"), ("/note", "pointers look like"),
    ("/ods:version", "is computed"), ("ods:midsLevel", "is computed"), ("/", "pointers look like"),
])  # fmt: skip
def test_a_term_that_is_not_there_is_not_found(told: Ledger, within: str, hint: str) -> None:
    with pytest.raises(NotFound, match=hint):
        blame_terms(told, PID, within)


def test_an_unknown_object_is_not_found(told: Ledger) -> None:
    for read in (history, blame_terms, lambda ledger, pid: difference(ledger, pid, 1, 2)):
        with pytest.raises(NotFound, match="there is no object"):
            read(told, "TEST/ZZZ-ZZZ-ZZZ")
    with pytest.raises(NotFound, match="no version 9"):
        difference(told, PID, 1, 9)


def test_the_current_version_is_that_of_the_log_whether_or_not_projections_have_seen_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = fill(ledger, objects=2, versions=2)
    assert [current(ledger, each) for each in pids] == [ledger.get(each) for each in pids]  # nothing is projected yet
    catch_up(ledger)
    fill(ledger, objects=1, versions=3)
    gone = ledger.get(pids[1])
    ledger.record(gone, gone.tombstone("lost", by()))
    assert [current(ledger, each) for each in pids] == [ledger.get(each) for each in pids]
    catch_up(ledger)
    expected = [ledger.get(each) for each in pids]
    assert expected[1].tombstoned
    monkeypatch.setattr(Ledger, "get", None)
    assert [current(ledger, each) for each in pids] == expected
    assert [represent(current(ledger, each)) for each in pids] == list(map(represent, expected))


def test_of_an_object_that_is_not_there_there_is_no_current_version(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="TEST/NOT-THE-RE0"):
        current(ledger, "TEST/NOT-THE-RE0")
