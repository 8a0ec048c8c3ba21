"""Decisions about one object: what is accepted, what is refused, and what each event says."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from domain.agents import Agent, AgentKind, Role, person
from domain.digital_object import DigitalObject, Provenance, content_of, project, snapshot_of
from domain.errors import Conflict, IntegrityFailure, InvalidDocument, InvalidIdentifier, InvalidTime, NothingToChange
from domain.events import event_from_json
from domain.mids import mids_level
from domain.opends import OBJECT_TYPES
from domain.pid import ALPHABET, mint, parse
from domain.representation import missing_terms, represent
from domain.times import end_of, from_text, start_of, to_text
from tests.domain.json_strategies import DOCUMENTS

CURATOR = person("0000-0002-1825-0097")
PID = "TEST/ABC-DEF-GHJ"


def by(comment: str | None = None) -> Provenance:
    return Provenance((CURATOR,), comment=comment)


def specimen(**terms: Any) -> dict[str, Any]:
    return {"@type": "ods:DigitalSpecimen", **{name.replace("__", ":"): value for name, value in terms.items()}}


def created(**terms: Any) -> DigitalObject:
    state = project(None, [DigitalObject.create(PID, specimen(**terms), by())])
    assert state is not None
    return state


@pytest.mark.parametrize("kind", sorted(OBJECT_TYPES))
def test_every_opends_type_lives_the_same_life(kind: str) -> None:
    events: list[Any] = [DigitalObject.create(PID, {"@type": kind, "x": 1}, by())]
    state = project(None, events)
    assert state is not None
    for decide in (
        lambda s: s.update({"@type": kind, "x": 2}, by()),
        lambda s: s.tombstone("gone", by(), [("https://doi.org/TEST/ABC-DEF-GHK", "IsReplacedWith")]),
        lambda s: s.restore(by()),
    ):
        events.append(decide(state))
        state = project(state, events[-1:])
        assert state is not None
    assert [event.activity_type for event in events] == ["ods:Create", "ods:Update", "ods:Tombstone", "ods:Restore"]
    assert state.document == {"@type": kind, "x": 2}
    assert not state.tombstoned
    assert represent(state)["@id"].endswith(PID)
    for event in events:
        assert event_from_json(event.to_json()) == event


def test_what_the_store_computes_is_not_content() -> None:
    served = represent(created(dwc__preparations="skin"))
    assert served["ods:version"] == 1
    assert served["ods:status"] == "Active"
    assert content_of(served) == {
        "@type": "ods:DigitalSpecimen",
        "dcterms:modified": served["dcterms:modified"],
        "dwc:preparations": "skin",
    }
    assert "ods:organisationID" in missing_terms(served)


def test_a_document_too_large_to_be_kept_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="larger than"):
        content_of(specimen(dwc__fieldNotes="x" * 17_000_000))


def test_nothing_to_change_is_refused() -> None:
    state = created(a=1)
    with pytest.raises(NothingToChange):
        state.update(specimen(a=1.0), by())


def test_a_tombstoned_object_is_not_changed_before_it_is_restored() -> None:
    state = created(a=1)
    state = project(state, [state.tombstone("duplicate", by())])
    assert state is not None
    assert state.document["ods:hasTombstoneMetadata"]["ods:tombstoneText"] == "duplicate"
    with pytest.raises(Conflict, match="restore it"):
        state.update(specimen(a=2), by())
    with pytest.raises(Conflict):
        state.tombstone("again", by())
    restored = project(state, [state.restore(by())])
    assert restored is not None
    with pytest.raises(Conflict):
        restored.restore(by())


def test_documents_of_no_known_type_are_refused() -> None:
    for document in ([], {"a": 1}, {"@type": "ods:Nothing"}, {"@type": ["ods:DigitalSpecimen"]}):
        with pytest.raises(InvalidDocument):
            DigitalObject.create(PID, document, by())
    with pytest.raises(InvalidDocument, match="cannot become"):
        created().update({"@type": "ods:DigitalMedia"}, by())
    with pytest.raises(InvalidDocument, match="reason"):
        created().tombstone("  ", by())
    with pytest.raises(InvalidDocument, match="agent"):
        Provenance(())


def test_each_event_names_the_hash_of_the_one_before() -> None:
    first = DigitalObject.create(PID, specimen(a=1), by())
    state = project(None, [first])
    assert state is not None
    second = state.update(specimen(a=2), by())
    third = state.then(second).tombstone("duplicate", by())
    assert (first.previous, second.previous, third.previous) == (None, first.hash, second.hash)
    assert first.hash == hashlib.sha256(rfc8785.dumps(first.to_json())).hexdigest()
    assert state.version == 1
    assert state.document == {"@type": "ods:DigitalSpecimen", "a": 1}
    from_snapshot = project(None, [snapshot_of(state), second])
    assert from_snapshot is not None
    assert snapshot_of(state).event_hash == first.hash
    assert from_snapshot.event_hash == second.hash


def test_events_from_before_the_chain_are_read_and_followed() -> None:
    first = DigitalObject.create(PID, specimen(a=1), by())
    old = event_from_json({**first.to_json(), "event": 1})
    assert (old.event_version, old.previous) == (1, None)
    assert old.to_json() == {**first.to_json(), "event": 1}
    state = project(None, [old])
    assert state is not None
    assert state.update(specimen(a=2), by()).previous == old.hash != first.hash


def test_a_missing_version_is_noticed_when_folding() -> None:
    state = created(a=1)
    event = state.update(specimen(a=2), by())
    with pytest.raises(IntegrityFailure, match="version 1 is missing"):
        project(None, [event])


def test_pids_have_no_letters_people_misread() -> None:
    assert not set("IOU") & set(ALPHABET)
    pid = mint("10.3535")
    assert parse(pid) == (pid, None)
    assert parse(f"https://doi.org/{pid}/12") == (pid, 12)
    assert parse(f"hdl:{pid}") == (pid, None)
    for wrong in ("", "TEST/ABC", "TEST/ABC-DEF-GHI", f"{pid}/0", f"{pid}/x", "TEST/ABC-DEF-GHJ\n/1"):
        with pytest.raises(InvalidIdentifier):
            parse(wrong)
    with pytest.raises(InvalidIdentifier):
        mint("a/b")


def test_an_orcid_with_a_wrong_check_digit_is_refused() -> None:
    assert person("0000-0002-1825-0097").id == "https://orcid.org/0000-0002-1825-0097"
    assert person("https://orcid.org/0000-0002-9079-593X").kind is AgentKind.PERSON
    with pytest.raises(InvalidIdentifier, match="check digit"):
        person("0000-0002-1825-0098")
    with pytest.raises(InvalidIdentifier, match="not an IRI"):
        Agent("Jane Doe", AgentKind.PERSON, Role.REQUESTOR)


def test_times_need_a_zone() -> None:
    assert to_text(from_text("2023-02-24T12:00:00+01:00")) == "2023-02-24T11:00:00.000000Z"
    assert start_of("2023-02-24") == datetime(2023, 2, 24, tzinfo=UTC)
    assert to_text(end_of("2023-02-24")) == "2023-02-24T23:59:59.999999Z"
    assert to_text(from_text(to_text(start_of("0217-05-01")))) == "0217-05-01T00:00:00.000000Z"
    for wrong in ("2023-02-24T12:00:00", "yesterday", "2023-02-30", "", "9999-12-31T23:59:59-14:00"):
        with pytest.raises(InvalidTime):
            end_of(wrong)


MIDS_1 = {
    "dcterms:license": "CC0",
    "dcterms:modified": "2020",
    "dwc:preparations": "skin",
    "ods:topicDiscipline": "Zoology",
    "ods:specimenName": "Raphus cucullatus",
}


def test_mids_levels_follow_the_rules() -> None:
    event = {
        "dwc:eventDate": "1700",
        "dwc:fieldNumber": "1",
        "ods:hasAgents": [{"@id": "https://orcid.org/1", "ods:hasRoles": [{"schema:roleName": "collector"}]}],
        "ods:hasLocation": {
            "dwc:country": "Mauritius",
            "dwc:locationID": "x",
            "ods:hasGeoreference": {"dwc:decimalLatitude": 0, "dwc:decimalLongitude": 57.5},
        },
    }
    identified = {
        "ods:hasTaxonIdentifications": [{"dwc:scientificNameID": "x"}],
        "ods:hasAgents": [{"@id": "https://orcid.org/2", "ods:hasRoles": [{"schema:roleName": "identifier"}]}],
    }
    level_2 = {**MIDS_1, "ods:isKnownToContainMedia": True, "ods:hasEvents": [event]}
    level_3 = {**level_2, "ods:organisationID": "x", "ods:hasIdentifications": [identified]}
    assert mids_level({}) == 0
    assert mids_level({**MIDS_1, "dwc:preparations": "Unknown"}) == 0
    assert mids_level(MIDS_1) == 1
    assert mids_level({**level_2, "ods:topicDiscipline": "Anthropology"}) == 1
    assert mids_level({**level_2, "ods:isKnownToContainMedia": False}) == 1
    assert mids_level(level_2) == 2
    assert mids_level(level_3) == 3
    stratum = {"ods:hasGeologicalContext": {"@type": "x", "dwc:formation": "Morrison"}}
    fossil_event = {"ods:hasLocation": {**event["ods:hasLocation"], **stratum}}  # type: ignore[dict-item]
    fossil = {
        **MIDS_1,
        "ods:topicDiscipline": "Palaeontology",
        "ods:isMarkedAsType": False,
        "ods:hasEvents": [fossil_event],
    }
    assert mids_level(fossil) == 2


@given(document=DOCUMENTS, comments=st.booleans())
def test_a_creation_is_named_by_the_digest_of_all_it_says(*, document: Any, comments: bool) -> None:
    said = {"said": document, '"patch":[]': ['"patch":[]', document]}
    event = DigitalObject.create(PID, specimen(**said), by('"patch":[] \\"patch":[]' if comments else None))
    assert event.hash == hashlib.sha256(rfc8785.dumps(event.to_json())).hexdigest()
    again = event_from_json(event.to_json())
    assert again.hash == event.hash
    state = project(None, [again])
    assert state is not None
    assert state.canonical == rfc8785.dumps(state.document)
    changed = state.then(state.update({**state.document, "x": 1}, by()))
    assert changed.canonical == rfc8785.dumps(changed.document)
    assert again.hash == event.hash  # what followed has not changed the event


def test_a_creation_whose_patch_says_more_is_named_by_all_of_it() -> None:
    value = DigitalObject.create(PID, specimen(x=1), by()).to_json()
    for more in ([{**value["patch"][0], "from": "/x"}], [*value["patch"], {"op": "add", "path": "/y", "value": 2}]):
        event = event_from_json({**value, "patch": more})
        assert event.hash == hashlib.sha256(rfc8785.dumps({**value, "patch": more})).hexdigest()


def test_folding_leaves_events_and_snapshots_as_they_are() -> None:
    begun = DigitalObject.create(PID, specimen(x={"y": [1]}), by())
    state = project(None, [begun])
    assert state is not None
    events = [begun, state.update(specimen(x={"y": [1, 2]}), by())]
    before = [event.to_json() for event in events]
    copies = [rfc8785.dumps(value) for value in before]
    frozen = snapshot_of(state)
    folded = project(None, events)
    from_snapshot = project(None, [frozen, events[1]])
    assert folded is not None
    assert from_snapshot is not None
    assert folded.document == from_snapshot.document == specimen(x={"y": [1, 2]})
    assert [rfc8785.dumps(event.to_json()) for event in events] == copies
    assert frozen.document == specimen(x={"y": [1]})
