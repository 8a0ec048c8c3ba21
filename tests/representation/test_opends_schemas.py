"""Served documents satisfy the real openDS schemas when their records are complete, else say what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from domain.agents import person
from domain.digital_object import Provenance
from domain.opends import OBJECT_TYPES
from domain.representation import missing_terms, represent
from projections.collection import collection
from sources.synchronisation.candidates import open_source
from sources.synchronisation.source_system import find_source
from sources.synchronisation.synchronise import Options, synchronise
from store.ledger import Ledger
from tests.conftest import SAMPLES

BASE = "https://schemas.dissco.tech/schemas/fdo-type/"


@pytest.fixture(scope="module")
def schemas(shared: Path) -> Registry[Any]:
    """The real schemas, found where their references say they are published."""
    folder = shared / "dissco" / "opends" / "fdo-type"

    def retrieve(uri: str) -> Resource[Any]:
        kind, version, name = uri.removeprefix(BASE).split("/")
        return DRAFT202012.create_resource(json.loads((folder / kind / version / "schema" / name).read_text()))

    return Registry(retrieve=retrieve)  # type: ignore[call-arg]


def problems(schemas: Registry[Any], document: dict[str, Any]) -> list[str]:
    validator = Draft202012Validator(
        {"$ref": OBJECT_TYPES[document["@type"]].schema},
        registry=schemas,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def synchronised(ledger: Ledger, archive: Path) -> list[dict[str, Any]]:
    file = open_source(archive)
    synchronise(ledger, file, Options("schemas"))
    file.close()
    source = find_source(ledger, "schemas")
    assert source is not None
    return [represent(state) for state in collection(ledger, source.pid, include_media=True)]


@pytest.mark.parametrize("state", ["2010", "2015", "2024"])
def test_every_sample_document_is_valid(ledger: Ledger, schemas: Registry[Any], state: str) -> None:
    documents = synchronised(ledger, SAMPLES / state)
    assert {document["@type"] for document in documents} == {"ods:DigitalSpecimen", "ods:DigitalMedia"}
    for document in documents:
        assert problems(schemas, document) == []
        assert missing_terms(document) == []


def test_complete_real_records_are_valid(ledger: Ledger, schemas: Registry[Any], shared: Path) -> None:
    for document in synchronised(ledger, shared / "dissco" / "dwca" / "dwca-lux-associated-media.zip"):
        assert problems(schemas, document) == []


def test_what_an_incomplete_record_lacks_is_reported_and_not_invented(
    ledger: Ledger, schemas: Registry[Any], shared: Path
) -> None:
    documents = synchronised(ledger, shared / "rato" / "rato-10.zip")
    assert missing_terms(documents[0]) == ["ods:organisationID"]
    assert problems(schemas, documents[0]) == ["$: 'ods:organisationID' is a required property"]


def test_tombstoned_documents_are_valid(ledger: Ledger, schemas: Registry[Any]) -> None:
    pid = synchronised(ledger, SAMPLES / "2010")[0]["@id"].removeprefix("https://doi.org/")
    state = ledger.get(pid)
    event = state.tombstone(
        "a duplicate", Provenance((person("0000-0002-1825-0097"),)), [("https://doi.org/TEST/1", "IsDuplicateOf")]
    )
    document = represent(ledger.record(state, event))
    assert document["ods:status"] == "Tombstone"
    assert problems(schemas, document) == []


def test_sources_and_mappings_say_what_they_lack(ledger: Ledger, schemas: Registry[Any]) -> None:
    synchronised(ledger, SAMPLES / "2010")
    source = find_source(ledger, "schemas")
    assert source is not None
    document = represent(ledger.get(source.pid))
    assert problems(schemas, document) == ["$: 'schema:url' is a required property"]
    mapping = represent(ledger.get(document["ods:dataMappingID"].removeprefix("https://hdl.handle.net/")))
    assert problems(schemas, mapping) == []


def test_the_table_of_types_requires_what_the_schemas_require(schemas: Registry[Any]) -> None:
    for kind in OBJECT_TYPES.values():
        schema = schemas.get_or_retrieve(kind.schema).value.contents
        computed = {
            "@id",
            "@type",
            "ods:fdoType",
            "ods:midsLevel",
            "ods:status",
            kind.id_term,
            kind.version_term,
            kind.created_term,
            kind.modified_term,
        }
        assert set(kind.required) == set(schema["required"]) - computed, kind.name
        assert computed - {"ods:midsLevel"} <= set(schema["properties"]), kind.name
