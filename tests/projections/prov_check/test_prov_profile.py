"""The profile: every document of the exporter keeps it, each way to alter one is caught by the rule meant for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from prov.identifier import Namespace
from prov.model import ProvDocument

from domain.events import Cause, Created, DigitalObjectEvent, Restored, Tombstoned, Updated
from projections.prov.check import check, profile
from projections.prov.document import prov_document
from projections.prov.formats import serialize
from tests.projections.test_prov_document import CURATOR, MUSEUM, PID, RUN, SYNC, event, histories, source

Told = dict[str, Any]
"""A document as PROV-JSON, to be altered."""

OWN = "doi_TEST_ABC_DEF_GHJ:"
EARLY, LATE = "2000-01-01T00:00:00+00:00", "2100-01-01T00:00:00+00:00"

HISTORY = [
    event(Created, 1, (MUSEUM, SYNC), cause=Cause("run", RUN), source=source()),
    event(Updated, 2, (CURATOR,)),
    event(Tombstoned, 3, (SYNC,), source=source("cd" * 32)),
    event(Restored, 4, cause=Cause("revert", f"{PID}/2")),
    event(Updated, 5),
    event(Tombstoned, 6),
]


def rules(document: ProvDocument) -> set[str]:
    return {finding.rule.removeprefix("profile: ").removeprefix("PROV-CONSTRAINTS ") for finding in check(document)}


def told(events: list[DigitalObjectEvent]) -> Told:
    made: Told = json.loads(serialize(prov_document(events), "json"))
    return made


def read(altered: Told) -> ProvDocument:
    return ProvDocument.deserialize(content=json.dumps(altered), format="json")


# --- documents of the exporter --------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(histories())
def test_every_document_of_the_exporter_is_valid(events: list[DigitalObjectEvent]) -> None:
    assert check(prov_document(events)) == []


@settings(max_examples=50)
@given(histories())
def test_it_is_as_valid_in_a_bundle_and_after_reading_back(events: list[DigitalObjectEvent]) -> None:
    bundled = ProvDocument()
    bundled.bundle(Namespace("b", "https://example.org/bundle/")["b1"]).update(prov_document(events))
    assert check(bundled) == []
    assert check(read(told(events))) == []


def test_documents_of_several_objects_are_valid_together() -> None:
    together = prov_document(HISTORY)
    other = event(Created, 9, (MUSEUM, SYNC), cause=Cause("run", RUN), source=source(), pid="TEST/7WZ-S4C-HHJ")
    together.update(
        prov_document([replace(other, originator_version=1, position=other.position, recorded=other.recorded)])
    )
    assert check(together) == []


# --- altered documents ----------------------------------------------------------------------------------------------

MUTATIONS: dict[str, tuple[str, Callable[[Told], object]]] = {}
"""What is altered -> the rule that must find it, and how."""


def mutation(rule: str) -> Callable[[Callable[[Told], object]], Callable[[Told], object]]:
    def named(alter: Callable[[Told], object]) -> Callable[[Told], object]:
        MUTATIONS[alter.__name__] = (rule, alter)
        return alter

    return named


def activity_of(document: Told, version: int) -> Told:
    generation = document["wasGeneratedBy"][f"{OWN}v{version}-generation"]
    activity: Told = document["activity"][generation["prov:activity"]]
    return activity


def swapped(one: Told, other: Told, key: str) -> None:
    one[key], other[key] = other[key], one[key]


@mutation("generation-order")
def two_generation_times_are_swapped(document: Told) -> None:
    generations = document["wasGeneratedBy"]
    swapped(generations[f"{OWN}v1-generation"], generations[f"{OWN}v2-generation"], "prov:time")


@mutation("use-after-generation")
def a_use_is_dated_back(document: Told) -> None:
    document["used"][f"{OWN}v2-usage"]["prov:time"] = EARLY


@mutation("no-use-of-own-output")
def a_usage_points_at_the_generated_version(document: Told) -> None:
    document["used"][f"{OWN}v2-usage"]["prov:entity"] = f"{OWN}v2"


@mutation("23 key-properties")
def a_usage_points_at_another_version_than_the_revision_says(document: Told) -> None:
    document["used"][f"{OWN}v5-usage"]["prov:entity"] = f"{OWN}v2"


@mutation("23 key-properties")
def a_relation_id_is_used_again_with_another_time(document: Told) -> None:
    generation = document["wasGeneratedBy"][f"{OWN}v2-generation"]
    document["wasGeneratedBy"][f"{OWN}v2-generation"] = [generation, generation | {"prov:time": LATE}]


@mutation("24 unique-generation")
def a_version_is_generated_twice_by_one_activity(document: Told) -> None:
    document["wasGeneratedBy"][f"{OWN}again"] = document["wasGeneratedBy"][f"{OWN}v2-generation"]


@mutation("22 key-object")
def an_activity_has_two_ends(document: Told) -> None:
    name = document["wasGeneratedBy"][f"{OWN}v2-generation"]["prov:activity"]
    document["activity"][name] = [document["activity"][name], {"prov:endTime": LATE}]


@mutation("42 derivation-generation-generation-ordering")
def the_first_version_is_derived_from_the_last(document: Told) -> None:
    document["wasDerivedFrom"][f"{OWN}loop"] = {"prov:generatedEntity": f"{OWN}v1", "prov:usedEntity": f"{OWN}v5"}


@mutation("activity-times")
def start_and_end_are_reversed(document: Told) -> None:
    activity = activity_of(document, 2)
    activity["prov:startTime"], activity["prov:endTime"] = activity["prov:endTime"], activity["prov:startTime"]


@mutation("times-within-activity")
def an_activity_ends_before_what_it_generates(document: Told) -> None:
    activity_of(document, 2)["prov:endTime"] = activity_of(document, 2)["prov:startTime"]


@mutation("content-digest")
def a_digest_is_dropped(document: Told) -> None:
    del document["entity"][f"{OWN}v2"]["ods:contentDigest"]


@mutation("content-digest")
def a_digest_is_cut(document: Told) -> None:
    document["entity"][f"{OWN}v2"]["ods:contentDigest"] = f"sha256:{2:063x}"


@mutation("content-digest")
def a_version_has_two_digests(document: Told) -> None:
    document["entity"][f"{OWN}v2"]["ods:contentDigest"] = [f"sha256:{2:064x}", f"sha256:{3:064x}"]


@mutation("content-digest")
def the_digest_of_an_archive_is_no_digest(document: Told) -> None:
    name = next(name for name in document["entity"] if name.endswith(":archive"))
    document["entity"][name]["ods:contentDigest"] = "sha256:unknown"


@mutation("stream-position")
def two_positions_are_swapped(document: Told) -> None:
    swapped(activity_of(document, 1), activity_of(document, 2), "ods:streamPosition")


@mutation("stream-position")
def a_position_is_dropped(document: Told) -> None:
    del activity_of(document, 2)["ods:streamPosition"]


@mutation("stream-position")
def two_versions_have_one_position(document: Told) -> None:
    activity_of(document, 2)["ods:streamPosition"] = activity_of(document, 1)["ods:streamPosition"]


@mutation("version-number")
def a_version_has_no_whole_number(document: Told) -> None:
    document["entity"][f"{OWN}v2"]["ods:version"] = "two"


@mutation("revision-of-previous-version")
def a_version_is_numbered_anew(document: Told) -> None:
    document["entity"][f"{OWN}v2"]["ods:version"] = 7


@mutation("revision-of-previous-version")
def a_revision_is_dropped(document: Told) -> None:
    del document["wasDerivedFrom"][f"{OWN}v4-revision"]


@mutation("revision-of-previous-version")
def a_revision_skips_a_version(document: Told) -> None:
    document["wasDerivedFrom"][f"{OWN}v5-revision"]["prov:usedEntity"] = f"{OWN}v3"


@mutation("revision-names-its-events")
def a_generation_is_dropped_that_a_revision_names(document: Told) -> None:
    del document["wasGeneratedBy"][f"{OWN}v2-generation"]


@mutation("revision-names-its-events")
def a_usage_is_dropped_that_a_revision_names(document: Told) -> None:
    del document["used"][f"{OWN}v2-usage"]


@mutation("revision-names-its-events")
def a_revision_names_no_activity(document: Told) -> None:
    revision = document["wasDerivedFrom"][f"{OWN}v2-revision"]
    for name in ("prov:activity", "prov:generation", "prov:usage"):
        del revision[name]


@mutation("nothing-after-invalidation")
def a_withdrawn_object_is_used_afterwards(document: Told) -> None:
    activity = document["wasGeneratedBy"][f"{OWN}v6-generation"]["prov:activity"]
    document["used"][f"{OWN}late"] = {
        "prov:activity": activity,
        "prov:entity": f"{OWN}validity-1",
        "prov:time": document["wasGeneratedBy"][f"{OWN}v6-generation"]["prov:time"],
    }


@mutation("nothing-after-invalidation")
def a_version_is_a_specialisation_of_a_period_that_had_ended(document: Told) -> None:
    document["specializationOf"]["_:late"] = {
        "prov:specificEntity": f"{OWN}v5",
        "prov:generalEntity": f"{OWN}validity-1",
    }


@mutation("nothing-after-invalidation")
def a_version_is_derived_from_a_period_that_had_ended(document: Told) -> None:
    document["wasDerivedFrom"]["_:late"] = {
        "prov:generatedEntity": f"{OWN}v5",
        "prov:usedEntity": f"{OWN}validity-1",
    }


@mutation("nothing-after-invalidation")
def a_tombstone_is_dated_back(document: Told) -> None:
    document["wasInvalidatedBy"][f"{OWN}v6-invalidation"]["prov:time"] = EARLY


@mutation("tombstone-invalidates")
def a_tombstone_ends_nothing(document: Told) -> None:
    del document["wasInvalidatedBy"][f"{OWN}v3-validity-ends"]


@mutation("tombstone-invalidates")
def a_tombstone_ends_another_object(document: Told) -> None:
    document["entity"]["prov:other"] = {}
    document["wasInvalidatedBy"][f"{OWN}v3-validity-ends"]["prov:entity"] = "prov:other"


@mutation("invalidation-after-generation")
def a_period_ends_before_it_begins(document: Told) -> None:
    document["wasInvalidatedBy"][f"{OWN}v6-validity-ends"]["prov:time"] = EARLY


@mutation("specialisation-times")
def a_period_begins_after_its_first_version(document: Told) -> None:
    begins = document["wasGeneratedBy"][f"{OWN}v4-validity-begins"]
    begins["prov:time"] = document["wasGeneratedBy"][f"{OWN}v5-generation"]["prov:time"]


@mutation("specialisation-times")
def a_period_outlives_the_object(document: Told) -> None:
    document["wasInvalidatedBy"][f"{OWN}v3-validity-ends"]["prov:time"] = LATE


def test_the_history_to_alter_is_valid_and_tells_of_everything() -> None:
    assert check(prov_document(HISTORY)) == []
    assert {"wasInvalidatedBy", "alternateOf", "wasInformedBy", "hadMember"} <= told(HISTORY).keys()


@pytest.mark.parametrize("what", MUTATIONS)
def test_an_altered_document_is_caught_by_the_rule_meant_for_it(what: str) -> None:
    rule, alter = MUTATIONS[what]
    altered = told(HISTORY)
    alter(altered)
    assert rule in rules(read(altered))


def test_each_rule_of_the_profile_has_an_alteration_that_it_finds() -> None:
    described = profile.__doc__ or ""
    found = {rule for rule, _ in MUTATIONS.values() if " " not in rule}
    assert all(f"``{rule}``" in described for rule in found)
    assert found == {word for word in described.split("``")[1::2] if "-" in word and ":" not in word}


def test_a_finding_says_who_and_where_in_one_sentence() -> None:
    altered = told(HISTORY)
    start_and_end_are_reversed(altered)
    finding = next(finding for finding in check(read(altered)) if finding.rule == "profile: activity-times")
    activity = "urn:uuid:00000000-0000-0000-0000-000000000002#activity"
    assert finding.where.bundle is None
    assert finding.where.records == (activity,)
    assert finding.what == (
        f"{activity} ends at 2026-11-03T02:00:00+00:00, before it starts at 2026-11-03T02:00:02+00:00."
    )


@settings(max_examples=50, suppress_health_check=[HealthCheck.filter_too_much])
@given(histories(), st.data())
def test_positions_swapped_by_any_two_neighbours_are_the_one_thing_found(
    events: list[DigitalObjectEvent], data: st.DataObject
) -> None:
    assume(len(events) > 1)
    document = told(events)
    generations = [
        (relation["prov:time"], document["activity"][relation["prov:activity"]])
        for name, relation in document["wasGeneratedBy"].items()
        if name.endswith("-generation")
    ]
    number = data.draw(st.integers(0, len(events) - 2))
    swapped(generations[number][1], generations[number + 1][1], "ods:streamPosition")
    assert rules(read(document)) == {"stream-position"}


# --- documents of others --------------------------------------------------------------------------------------------


def test_a_document_without_our_terms_is_not_held_to_the_profile() -> None:
    altered = json.dumps(told(HISTORY)).replace('"ods:', '"dcterms:')
    document = json.loads(altered)
    a_usage_points_at_the_generated_version(document)
    start_and_end_are_reversed(document)
    del document["wasDerivedFrom"]
    assert check(read(document)) == []


def test_rules_that_need_a_term_are_silent_where_it_is_not_used() -> None:
    document = ProvDocument()
    document.add_namespace("ods", "http://rs.dissco.eu/opends/terms/")
    document.add_namespace("ex", "https://example.org/")
    document.entity("ex:e", {"ods:midsLevel": 1})
    document.generation("ex:e", "ex:a")
    document.revision("ex:e", "ex:f")
    assert check(document) == []


def test_times_with_and_without_zone_are_not_compared() -> None:
    document = ProvDocument()
    document.add_namespace("ods", "http://rs.dissco.eu/opends/terms/")
    document.add_namespace("ex", "https://example.org/")
    document.activity("ex:a", "2020-01-02T00:00:00", "2020-01-01T00:00:00Z", {"ods:streamPosition": 1})
    assert check(document) == []
