"""The direct writer says what the ``prov`` package says, of whole histories and of parts of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import orjson
import prov
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema.validators import validator_for
from prov.model import ProvDocument

from domain.errors import IntegrityFailure
from domain.events import Cause, Created, DigitalObjectEvent, Tombstoned, Updated
from projections.prov import naming
from projections.prov.check import check
from projections.prov.document import prov_document
from projections.prov.prov_json import Attributes, put
from projections.prov.stream import ObjectWriter, told
from projections.prov.stream_event import Told
from projections.prov.validity import Validity
from tests.projections.prov_histories import (
    CURATOR,
    ORCID,
    RUN,
    SYNC,
    event,
    histories,
    known_runs,
    parts,
    registers,
    source,
)

SCHEMA = json.loads((Path(prov.__file__).parent / "tests" / "schemas" / "prov-json.schema.json").read_text())


def read(content: bytes) -> ProvDocument:
    document = ProvDocument.deserialize(content=content, format="json")
    assert isinstance(document, ProvDocument)
    return document


def values(events: list[DigitalObjectEvent]) -> list[Told]:
    """The events as they come out of the store."""
    return [each._replace(value=dict(each.value)) for each in map(told, events)]


@given(data=st.data(), names=registers)
def test_it_reads_back_as_the_document_of_the_prov_package(data: st.DataObject, names: dict[str, str]) -> None:
    events = data.draw(histories())
    runs = data.draw(known_runs(events))
    written = ObjectWriter(names, runs).bytes(values(events))
    assert read(written) == prov_document(events, names=names, runs=runs)


@given(part=parts(), names=registers)
def test_some_versions_read_back_as_the_document_of_the_prov_package(
    part: tuple[list[DigitalObjectEvent], Validity], names: dict[str, str]
) -> None:
    events, validity = part
    written = ObjectWriter(names).bytes(values(events), validity)
    assert read(written) == prov_document(events, names=names, validity=validity)


@given(several=st.lists(histories(), min_size=2, max_size=3), names=registers)
def test_a_writer_remembers_nothing_of_one_object_in_the_next(
    several: list[list[DigitalObjectEvent]], names: dict[str, str]
) -> None:
    writer = ObjectWriter(names)
    for events in several:
        assert writer.bytes(values(events)) == ObjectWriter(names).bytes(values(events))


@given(part=parts())
def test_it_is_valid_by_the_schema_of_prov_json(part: tuple[list[DigitalObjectEvent], Validity]) -> None:
    events, validity = part
    document = json.loads(ObjectWriter().bytes(values(events), validity))
    assert not list(validator_for(SCHEMA)(SCHEMA).iter_errors(document))


@given(id_=st.uuids().map(str))
def test_the_short_way_to_the_name_of_an_activity_leads_to_the_same_name(id_: str) -> None:
    assert naming.activity(id_)[0] == naming.fragment(f"urn:uuid:{id_}").name("activity")


def test_attributes_told_twice_are_joined_value_by_value() -> None:
    section: dict[str, Attributes] = {}
    put(section, "a", {"prov:type": [1, 2], "b": 5})
    put(section, "a", {"prov:type": [2, 3], "c": 4})
    put(section, "a", {"prov:type": 1, "b": 5})
    assert section == {"a": {"prov:type": [1, 2, 3], "b": 5, "c": 4}}


def test_two_namespaces_with_the_same_prefix_are_kept_apart() -> None:
    iris = ["https://example.org/a-b/x", "https://example.org/a/b/x", "https://example.org/a_b/x"]
    assert {naming.agent(iri).prefix for iri in iris} == {"ns_example_org_a_b"}
    history = [event(Created, 1, tuple(replace(CURATOR, id=iri) for iri in iris))]
    written = ObjectWriter().bytes(values(history))
    assert read(written) == prov_document(history)
    assert {iri for iri in json.loads(written)["prefix"].values() if "example" in iri} == {iri[:-1] for iri in iris}


def test_a_stored_time_in_another_form_is_told_in_the_usual_one() -> None:
    (written,) = values([event(Created, 1)])
    usual = ObjectWriter().bytes([written])
    written.value["activity"] = {**written.value["activity"], "started": "2026-11-02T03:00:00+01:00"}
    assert ObjectWriter().bytes([written]) == usual


@pytest.mark.parametrize(
    "history",
    [
        [],
        [event(Updated, 1)],
        [event(Created, 1), event(Updated, 3)],
        [event(Created, 1), event(Updated, 2, pid="TEST/ZZZ-ZZZ-ZZZ")],
        [event(Created, 1), event(Updated, 2, object_type="ods:DigitalMedia")],
    ],
)
def test_events_that_are_no_whole_history_have_no_document(history: list[DigitalObjectEvent]) -> None:
    with pytest.raises(IntegrityFailure):
        ObjectWriter().bytes(values(history))


def test_a_damaged_event_is_named() -> None:
    (written,) = values([event(Created, 1)])
    del written.value["agents"]
    with pytest.raises(IntegrityFailure, match="TEST/ABC-DEF-GHJ"):
        ObjectWriter().bytes([written])


def test_a_document_declares_no_more_than_it_uses_and_every_bundle_only_what_is_its_own() -> None:
    history = values([event(Created, 1, (SYNC,), source=source(), cause=Cause("run", RUN)), event(Tombstoned, 2)])
    alone = ObjectWriter({ORCID: "Josiah Carberry"}).document(history)
    within = ObjectWriter({ORCID: "Josiah Carberry"}, around=naming.VOCABULARIES).document(history)
    assert set(alone["prefix"]) - set(within["prefix"]) == set(naming.VOCABULARIES)
    assert orjson.dumps({**alone, "prefix": {}}) == orjson.dumps({**within, "prefix": {}})


@given(part=parts())
def test_some_versions_are_valid_provenance_by_the_checker(part: tuple[list[DigitalObjectEvent], Validity]) -> None:
    events, validity = part
    assert check(read(ObjectWriter().bytes(values(events), validity))) == []
