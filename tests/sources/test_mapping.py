"""From Darwin Core records to openDS documents."""

from __future__ import annotations

import functools
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from domain.canonical import canonical_bytes, normal_form, parse
from domain.errors import InvalidDocument, RefusedInput
from sources.darwin_core.archive import DarwinCoreArchive
from sources.mapping.mapping import Mapped, Mapping, SourceSettings, organisation_iri
from sources.mapping.numbers import Limits, read_number
from sources.mapping.table import CORE, CORE_ID, DATASET, MappingTable, Rule, load
from sources.records import ArchiveRecord, Malformed, SourceMetadata, Terms

SHARED = Path(os.environ.get("PROVENARIUM_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
SCHEMAS = SHARED / "dissco" / "opends" / "fdo-type"
TABLE_FILE = Path(__file__).parents[2] / "sources" / "mapping" / "dwca-openDS.tsv"

MAPPING = Mapping.load()
TABLE = load(TABLE_FILE)
SETTINGS = SourceSettings("Herbarium X", "TEST/57Z-6PC-64W", "https://ror.org/0566bfb96", "Museum X")
METADATA = SourceMetadata("0" * 64, title="Plants of X", licence="CC0-1.0")
ID = {"dwc:occurrenceID": "https://example.org/specimen/1"}

needs_schemas = pytest.mark.skipif(
    not SCHEMAS.exists(), reason=f"the openDS schemas are not at {SCHEMAS}; set PROVENARIUM_SHARED_DATA"
)


def map_record(
    core: Terms | None = None,
    extensions: dict[str, list[Terms]] | None = None,
    *,
    core_id: str = "row1",
    metadata: SourceMetadata = METADATA,
    settings: SourceSettings = SETTINGS,
) -> Mapped:
    record = ArchiveRecord(core_id, "occurrence.txt:2", ID | (core or {}), extensions or {})
    mapped = MAPPING.map(record, metadata, settings)
    assert is_given_away(mapped)
    return mapped


def is_given_away(mapped: Mapped) -> bool:
    """Whether the documents are of plain JSON types and share nothing, so that they need no copy."""
    seen: set[int] = set()

    def is_plain(value: Any) -> bool:
        if type(value) is not dict and type(value) is not list:
            return type(value) in (str, int, float, bool)
        if id(value) in seen:
            return False
        seen.add(id(value))
        return all(map(is_plain, value.values() if type(value) is dict else value))

    return all(map(is_plain, (mapped.document, *(medium.document for medium in mapped.media))))


def mapped_with(**terms: str) -> Mapped:
    return map_record({f"dwc:{name}": text for name, text in terms.items()})


def event(mapped: Mapped) -> dict[str, Any]:
    (found,) = mapped.document["ods:hasEvents"]
    assert isinstance(found, dict)
    return found


def location(mapped: Mapped) -> dict[str, Any]:
    found = event(mapped)["ods:hasLocation"]
    assert isinstance(found, dict)
    return found


def agent(role: str, name: str | None = None, identifier: str | None = None, iri: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"@type": "schema:Person"}
    if iri or identifier:
        found |= {"@id": iri or identifier, "schema:identifier": identifier}
    if name:
        found["schema:name"] = name
    return found | {"ods:hasRoles": [{"@type": "schema:Role", "schema:roleName": role}]}


def names(identifications: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    return [
        (item["ods:hasTaxonIdentifications"][0]["dwc:scientificName"], item["ods:isVerifiedIdentification"])
        for item in identifications
    ]


class TestTable:
    def test_names_itself_and_its_version(self) -> None:
        assert MAPPING.identifier == "dwca-openDS/1.0.0"
        assert (MAPPING.name, MAPPING.version, TABLE.opends) == ("dwca-openDS", "1.0.0", "0.4.0")

    def test_states_every_rule_once(self) -> None:
        seen = Counter(
            (rule.owner, rule.property, rule.row_type, rule.term, rule.detail.get("of"), rule.detail.get("role"))
            for rule in TABLE.rules
        )
        assert [rule for rule, count in seen.items() if count > 1] == []

    @needs_schemas
    def test_every_property_exists_in_its_class_and_takes_such_values(self) -> None:
        wrong = []
        for rule in TABLE.rules:
            properties = schema_of(rule.owner)["properties"]
            stated = properties.get(rule.property, {}).get("type")
            expected = {"number": "number", "integer": "integer", "boolean": "boolean"}.get(rule.value, "string")
            if rule.value == "list" and rule.owner in {"ods:DigitalMedia", "ods:DigitalSpecimen", "ods:Identifier"}:
                expected = "string" if rule.term in {"dwc:associatedMedia", "dwc:otherCatalogNumbers"} else "array"
            if stated != expected:
                wrong.append((rule.owner, rule.property, rule.value, stated))
            verbatim = rule.detail.get("verbatim")
            if verbatim and properties.get(verbatim, {}).get("type") != "string":
                wrong.append((rule.owner, verbatim, "verbatim", None))
            if rule.detail.get("of") and "ods:hasAgents" not in schema_of(rule.detail["of"])["properties"]:
                wrong.append((rule.detail["of"], "ods:hasAgents", "of", None))
        assert wrong == []

    @needs_schemas
    def test_ranges_and_value_lists_are_those_of_the_schema(self) -> None:
        wrong = []
        for rule in TABLE.rules:
            stated = schema_of(rule.owner)["properties"][rule.property]
            low, _, high = rule.detail.get("range", "..").partition("..")
            if (stated.get("minimum"), stated.get("maximum")) != (
                int(low) if low else None,
                int(high) if high else None,
            ):
                wrong.append(rule)
            if rule.value == "text" and stated.get("enum") not in (None, rule.detail.get("oneof", "").split("|")):
                wrong.append(rule)
        assert wrong == []

    @needs_schemas
    def test_every_opends_property_that_darwin_core_has_a_term_for_is_filled(self) -> None:
        filled = {(rule.owner, rule.property) for rule in TABLE.rules}
        classes = {rule.owner for rule in TABLE.rules}
        gaps = {
            (owner, name)
            for owner in classes
            for name in schema_of(owner)["properties"]
            if name.startswith(("dwc:", "chrono:", "ac:", "dwciri:")) and (owner, name) not in filled
        }
        assert gaps == set()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("# mapping: m\n# version: 1\nclass\n", "openDS"),
            ("# mapping: m\n# version: 1\n# openDS: 0.4.0\n", "columns"),
            ("# mapping: m\n# version: 1\n# openDS: 0.4.0\nclass\tproperty\n", "columns"),
            ("{head}a\tb\tc\td\n", "x.tsv:5: expected"),
            ("{head}a\tb\tc\t\ttext\n", "x.tsv:5: expected"),
            ("{head}a\tb\tc\td\tfloat\n", "x.tsv:5: value 'float'"),
            ("{head}a\tb\tc\td\ttext\tlow=3\n", "x.tsv:5: detail 'low=3'"),
            ("{head}a\tb\tc\td\ttext\trange=\n", "x.tsv:5: detail 'range='"),
        ],
    )
    def test_a_malformed_table_is_refused_with_its_line(self, tmp_path: Path, content: str, message: str) -> None:
        path = tmp_path / "x.tsv"
        head = "# mapping: m\n# version: 1\n# openDS: 0.4.0\nclass\tproperty\trow_type\tterm\tvalue\tdetail\n"
        path.write_text(content.replace("{head}", head))
        with pytest.raises(RefusedInput, match=message):
            Mapping.load(path)

    def test_a_missing_table_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(RefusedInput, match="cannot be read"):
            load(tmp_path / "none.tsv")

    def test_another_table_maps_otherwise(self) -> None:
        rules = (
            Rule("ods:DigitalSpecimen", "ods:physicalSpecimenID", CORE, "x:id", "text"),
            Rule("ods:DigitalSpecimen", "dwc:preparations", CORE, "x:prep", "text"),
        )
        mapping = Mapping(MappingTable("mine", "7", "0.4.0", rules))
        mapped = mapping.map(ArchiveRecord("r", "p", {"x:id": "1", "x:prep": "skin"}), METADATA, SETTINGS)
        assert mapping.identifier == "mine/7"
        assert mapped.key == "1"
        assert mapped.document["dwc:preparations"] == "skin"


class TestIdentity:
    @pytest.mark.parametrize(
        ("core", "key"),
        [
            ({"dwc:occurrenceID": "o", "dwc:catalogNumber": "c", "dwc:materialSampleID": "s"}, "o"),
            ({"dwc:catalogNumber": "c", "dwc:materialSampleID": "s"}, "c"),
            ({"dwc:materialSampleID": "s", "dwc:materialEntityID": "e"}, "s"),
            ({"dwc:materialEntityID": "e"}, "e"),
            ({"dwc:occurrenceID": "  ", "dwc:catalogNumber": "c"}, "c"),
        ],
    )
    def test_the_first_identifier_found_is_the_key(self, core: Terms, key: str) -> None:
        mapped = MAPPING.map(ArchiveRecord("r", "p", core), METADATA, SETTINGS)
        assert (mapped.key, mapped.document["ods:physicalSpecimenID"], mapped.notices) == (key, key, ())

    def test_the_row_id_is_the_last_resort_and_is_told(self) -> None:
        mapped = MAPPING.map(ArchiveRecord("row7", "p", {"dwc:sex": "f"}), METADATA, SETTINGS)
        assert mapped.key == "row7"
        assert "row id 'row7'" in mapped.notices[0]

    def test_a_record_without_any_identifier_is_refused(self) -> None:
        with pytest.raises(InvalidDocument, match=r"occurrence\.txt:9: the record has no identifier"):
            MAPPING.map(ArchiveRecord("", "occurrence.txt:9", {"dwc:sex": "f"}), METADATA, SETTINGS)

    @pytest.mark.parametrize(
        ("value", "reach", "normalised"),
        [
            ("https://example.org/1", "Resolvable", "https://example.org/1"),
            ("HTTP://example.org/1", "Resolvable", "HTTP://example.org/1"),
            ("urn:uuid:6f1c1a9e-7e2f-4f0a-9d53-0f6b0d5f6a11", "Global", None),
            ("URN:catalog:MUS:X:1", "Global", None),
            ("6F1C1A9E-7E2F-4F0A-9D53-0F6B0D5F6A11", "Global", None),
            ("6f1c1a9e-7e2f-4f0a-9d53-0f6b0d5f6axx", "Local", "6f1c1a9e-7e2f-4f0a-9d53-0f6b0d5f6axx:Herbarium X"),
            ("RMNH:1234", "Local", "RMNH:1234:Herbarium X"),
            ("4059", "Local", "4059:Herbarium X"),
        ],
    )
    def test_local_ids_are_normalised_with_the_source(self, value: str, reach: str, normalised: str | None) -> None:
        document = mapped_with(occurrenceID=value).document
        assert document["ods:physicalSpecimenIDType"] == reach
        assert document["ods:normalisedPhysicalSpecimenID"] == (normalised or value)

    def test_every_identifier_is_kept_once_under_each_of_its_names(self) -> None:
        mapped = map_record(
            {
                "dwc:catalogNumber": "L.1",
                "dwc:otherCatalogNumbers": "old 1 | L.1| old 1",
                "dwc:recordNumber": "vM 12",
                "dwc:materialEntityID": "urn:uuid:6f1c1a9e-7e2f-4f0a-9d53-0f6b0d5f6a11",
            },
            {"gbif:Identifier": [{"dcterms:identifier": "doi:10.1/x"}, {"dcterms:title": "no value"}]},
        )
        assert [
            (item["dcterms:title"], item["dcterms:identifier"], item["dcterms:type"])
            for item in mapped.document["ods:hasIdentifiers"]
        ] == [
            ("dwc:occurrenceID", ID["dwc:occurrenceID"], "URL"),
            ("dwca:ID", "row1", "Locally unique identifier"),
            ("dwc:catalogNumber", "L.1", "Locally unique identifier"),
            ("dwc:otherCatalogNumbers", "old 1", "Locally unique identifier"),
            ("dwc:otherCatalogNumbers", "L.1", "Locally unique identifier"),
            ("dwc:recordNumber", "vM 12", "Locally unique identifier"),
            ("dwc:materialEntityID", "urn:uuid:6f1c1a9e-7e2f-4f0a-9d53-0f6b0d5f6a11", "UUID"),
            ("dcterms:identifier", "doi:10.1/x", "DOI"),
        ]
        assert "cannot be kept" in mapped.notices[0]
        assert mapped.unmapped == ()


class TestSource:
    def test_the_source_system_is_named(self) -> None:
        document = map_record().document
        assert document["ods:sourceSystemID"] == "https://hdl.handle.net/TEST/57Z-6PC-64W"
        assert document["ods:sourceSystemName"] == "Herbarium X"

    @pytest.mark.parametrize(
        ("stated", "iri"),
        [
            ("https://ror.org/05natt857", "https://ror.org/05natt857"),
            ("http://www.wikidata.org/entity/Q641676", "http://www.wikidata.org/wiki/Q641676"),
            ("https://www.wikidata.org/wiki/Q641676", "https://www.wikidata.org/wiki/Q641676"),
            ("Naturalis Biodiversity Center", None),
            ("https://www.gbif.org/grscicoll/institution/1", None),
        ],
    )
    def test_an_organisation_is_a_ror_or_wikidata_iri(self, stated: str, iri: str | None) -> None:
        assert organisation_iri(stated) == iri

    def test_the_record_s_own_organisation_comes_first_and_takes_no_other_s_name(self) -> None:
        document = mapped_with(institutionID="https://ror.org/05natt857").document
        assert document["ods:organisationID"] == "https://ror.org/05natt857"
        assert "ods:organisationName" not in document

    def test_else_the_settings_give_it_and_what_the_record_said_is_reported(self) -> None:
        mapped = mapped_with(institutionID="Museum X", institutionCode="MX", ownerInstitutionCode="OX")
        assert mapped.document["ods:organisationID"] == "https://ror.org/0566bfb96"
        assert mapped.document["ods:organisationName"] == "Museum X"
        assert mapped.document["ods:organisationCode"] == "MX"
        assert mapped.document["ods:ownerOrganisationCode"] == "OX"
        assert mapped.unmapped == ("dwc:institutionID",)

    def test_else_it_is_absent(self) -> None:
        assert "ods:organisationID" not in map_record(settings=SourceSettings("s", "TEST/57Z-6PC-64W")).document

    def test_licence_and_dataset_name_come_from_the_record_else_from_the_dataset(self) -> None:
        document = map_record({"dcterms:license": "CC-BY", "dwc:datasetName": "D"}).document
        assert (document["dcterms:license"], document["dwc:datasetName"]) == ("CC-BY", "D")
        document = map_record().document
        assert (document["dcterms:license"], document["dwc:datasetName"]) == ("CC0-1.0", "Plants of X")
        document = map_record(metadata=SourceMetadata("0" * 64)).document
        assert not document.keys() & {"dcterms:license", "dwc:datasetName"}

    def test_modified_is_what_the_record_says(self) -> None:
        assert map_record({"dcterms:modified": "2015/09/15"}).document["dcterms:modified"] == "2015/09/15"
        assert "dcterms:modified" not in map_record().document

    def test_content_holds_no_envelope(self) -> None:
        assert not map_record().document.keys() & {"@id", "dcterms:identifier", "ods:version", "dcterms:created"}


class TestEvent:
    def test_is_absent_when_nothing_is_known_of_it(self) -> None:
        assert "ods:hasEvents" not in map_record().document

    def test_has_only_the_parts_that_say_something(self) -> None:
        assert event(mapped_with(habitat="bog")) == {"@type": "ods:Event", "dwc:habitat": "bog"}
        assert location(mapped_with(country="NL")) == {"@type": "ods:Location", "dwc:country": "NL"}
        assert location(mapped_with(formation="Maastricht")) == {
            "@type": "ods:Location",
            "ods:hasGeologicalContext": {"@type": "ods:GeologicalContext", "dwc:formation": "Maastricht"},
        }

    def test_what_other_translators_leave_out_is_carried(self) -> None:
        mapped = mapped_with(samplingEffort="1 h", eventTime="14:07Z", startDayOfYear="68", endDayOfYear="69")
        assert event(mapped) == {
            "@type": "ods:Event",
            "dwc:samplingEffort": "1 h",
            "dwc:eventTime": "14:07Z",
            "dwc:startDayOfYear": 68,
            "dwc:endDayOfYear": 69,
        }
        assert mapped.unmapped == ()

    def test_remarks_on_the_event_come_before_remarks_on_the_occurrence_and_the_loser_is_reported(self) -> None:
        assert event(mapped_with(occurrenceRemarks="o"))["dwc:eventRemarks"] == "o"
        both = mapped_with(occurrenceRemarks="o", eventRemarks="e")
        assert event(both)["dwc:eventRemarks"] == "e"
        assert both.unmapped == ("dwc:occurrenceRemarks",)
        assert mapped_with(occurrenceRemarks="same", eventRemarks="same").unmapped == ()

    def test_measurements_are_assertions_of_it(self) -> None:
        mapped = map_record(
            {},
            {
                "dwc:MeasurementOrFact": [{"dwc:measurementType": "length", "dwc:measurementValue": "7"}],
                "obis:ExtendedMeasurementOrFact": [
                    {"dwc:measurementID": "https://m/1", "obis:measurementTypeID": "https://t/1", "dwc:x": "?"}
                ],
            },
        )
        assert event(mapped)["ods:hasAssertions"] == [
            {"@type": "ods:Assertion", "dwc:measurementType": "length", "dwc:measurementValue": "7"},
            {
                "@type": "ods:Assertion",
                "@id": "https://m/1",
                "dwc:measurementID": "https://m/1",
                "dwciri:measurementType": "https://t/1",
            },
        ]
        assert mapped.unmapped == ("obis:ExtendedMeasurementOrFact/dwc:x",)

    def test_a_location_id_is_its_iri_only_when_it_is_one(self) -> None:
        assert location(mapped_with(locationID="https://geo/1"))["@id"] == "https://geo/1"
        assert location(mapped_with(locationID="17")) == {"@type": "ods:Location", "dwc:locationID": "17"}


class TestAgents:
    @pytest.mark.parametrize(
        ("recorded_by", "expected"),
        [
            ("Nico Gross, AGMP", ["Nico Gross, AGMP"]),
            ("A. Weis|B. Sander", ["A. Weis", "B. Sander"]),
            ("Stock J.H. & Gledhill.", ["Stock J.H.", "Gledhill."]),
            ("A | B & C ||", ["A", "B", "C"]),
            ("A | A", ["A"]),
        ],
    )
    def test_names_are_parted_by_bar_and_ampersand_never_by_comma(self, recorded_by: str, expected: list[str]) -> None:
        assert event(mapped_with(recordedBy=recorded_by))["ods:hasAgents"] == [
            agent("collector", name) for name in expected
        ]

    def test_identifiers_belong_to_names_by_position(self) -> None:
        mapped = mapped_with(recordedBy="A|B|C", recordedByID="https://orcid.org/1||https://x.org/?a=1&b=2")
        assert event(mapped)["ods:hasAgents"] == [
            agent("collector", "A", "https://orcid.org/1"),
            agent("collector", "B"),
            agent("collector", "C", "https://x.org/?a=1&b=2"),
        ]
        assert mapped.notices == ()

    def test_when_the_counts_disagree_nobody_is_given_another_s_identifier(self) -> None:
        mapped = mapped_with(recordedBy="A|B", recordedByID="https://orcid.org/1")
        assert event(mapped)["ods:hasAgents"] == [
            agent("collector", "A"),
            agent("collector", "B"),
            agent("collector", None, "https://orcid.org/1"),
        ]
        assert mapped.notices == (
            "dwc:recordedByID: 1 identifiers for 2 names in dwc:recordedBy; kept as separate agents",
        )

    def test_identifiers_without_names_are_agents(self) -> None:
        mapped = mapped_with(recordedByID="https://orcid.org/1")
        assert event(mapped)["ods:hasAgents"] == [agent("collector", None, "https://orcid.org/1")]
        assert mapped.notices == ()

    @pytest.mark.parametrize(
        ("identifier", "iri"),
        [
            ("0000-0002-1825-0097", "https://orcid.org/0000-0002-1825-0097"),
            ("0000-0002-1825-0098", None),
            ("17", None),
        ],
    )
    def test_an_identifier_that_is_no_iri_is_kept_as_written(self, identifier: str, iri: str | None) -> None:
        (found,) = event(mapped_with(recordedBy="A", recordedByID=identifier))["ods:hasAgents"]
        assert found["schema:identifier"] == identifier
        assert found.get("@id") == iri

    def test_a_ror_identifier_makes_an_organisation(self) -> None:
        (found,) = event(mapped_with(recordedBy="M", recordedByID="https://ror.org/0566bfb96"))["ods:hasAgents"]
        assert found["@type"] == "schema:Organization"

    def test_everyone_has_the_role_of_their_term(self) -> None:
        mapped = map_record(
            {"dwc:identifiedBy": "I", "dwc:georeferencedBy": "G", "dwc:scientificName": "Aus bus"},
            {"dwc:MeasurementOrFact": [{"dwc:measurementType": "l", "dwc:measurementDeterminedBy": "D"}]},
        )
        assert mapped.document["ods:hasIdentifications"][0]["ods:hasAgents"] == [agent("identifier", "I")]
        assert location(mapped)["ods:hasGeoreference"]["ods:hasAgents"] == [agent("georeferencer", "G")]
        assert event(mapped)["ods:hasAssertions"][0]["ods:hasAgents"] == [agent("determiner", "D")]


class TestIdentifications:
    OLD: ClassVar = {"dwc:scientificName": "Aus vetus", "dwc:dateIdentified": "1900"}
    NEW: ClassVar = {"dwc:scientificName": "Aus novus", "dwc:dateIdentified": "2000"}

    def read(self, core: Terms, *rows: Terms) -> list[dict[str, Any]]:
        found = map_record(core, {"dwc:Identification": list(rows)}).document.get("ods:hasIdentifications", [])
        assert isinstance(found, list)
        return found

    def test_the_only_one_is_verified_unless_the_source_says_it_is_not(self) -> None:
        assert names(self.read(self.NEW)) == [("Aus novus", True)]
        assert names(self.read({}, self.OLD)) == [("Aus vetus", True)]
        assert names(self.read(self.NEW | {"dwc:identificationVerificationStatus": "0"})) == [("Aus novus", False)]

    def test_among_several_the_core_s_own_comes_last_and_is_the_verified_one(self) -> None:
        assert names(self.read(self.NEW, self.OLD)) == [("Aus vetus", False), ("Aus novus", True)]

    @pytest.mark.parametrize("word", ["true", "1", "Yes", "VERIFIED", " true "])
    def test_the_one_the_source_calls_verified_is(self, word: str) -> None:
        row = self.OLD | {"dwc:identificationVerificationStatus": word}
        assert names(self.read(self.NEW, row)) == [("Aus vetus", True), ("Aus novus", False)]

    def test_the_core_s_own_is_dropped_only_when_an_extension_row_says_exactly_the_same(self) -> None:
        assert names(self.read(self.NEW, self.OLD, self.NEW)) == [("Aus vetus", False), ("Aus novus", True)]
        other = self.NEW | {"dwc:identificationRemarks": "hm"}
        assert [item["ods:isVerifiedIdentification"] for item in self.read(self.NEW, other)] == [False, True]

    def test_several_of_which_the_source_prefers_none_and_the_core_says_nothing(self) -> None:
        mapped = map_record({}, {"dwc:Identification": [self.OLD, self.NEW]})
        assert names(mapped.document["ods:hasIdentifications"]) == [("Aus vetus", False), ("Aus novus", False)]
        assert mapped.document["ods:specimenName"] == "Aus vetus"

    def test_a_status_that_says_neither_is_reported(self) -> None:
        mapped = mapped_with(scientificName="Aus", identificationVerificationStatus="4")
        assert mapped.unmapped == ("dwc:identificationVerificationStatus",)

    def test_the_specimen_is_named_after_the_verified_one(self) -> None:
        assert map_record(self.NEW, {"dwc:Identification": [self.OLD]}).document["ods:specimenName"] == "Aus novus"

    @pytest.mark.parametrize(
        ("terms", "name"),
        [
            ({"genus": "Aus", "specificEpithet": "bus", "infraspecificEpithet": "cus"}, "Aus bus cus"),
            ({"genus": "Aus", "family": "Aidae"}, "Aus"),
            ({"family": "Aidae", "order": "Aida", "kingdom": "Animalia"}, "Aidae"),
        ],
    )
    def test_a_missing_scientific_name_is_spelt_by_the_other_terms_and_told(self, terms: Terms, name: str) -> None:
        mapped = mapped_with(**terms)
        assert names(mapped.document["ods:hasIdentifications"]) == [(name, True)]
        assert mapped.document["ods:specimenName"] == name
        assert mapped.notices == (f"dwc:scientificName: absent; {name!r} is taken from the other taxon terms",)

    def test_a_vernacular_name_alone_is_kept_as_verbatim_identification(self) -> None:
        mapped = mapped_with(vernacularName="wolf", taxonRank="species")
        (found,) = mapped.document["ods:hasIdentifications"]
        assert found["dwc:verbatimIdentification"] == "wolf"
        assert mapped.document["ods:specimenName"] == "wolf"
        assert mapped.unmapped == ("dwc:taxonRank",)

    def test_references_are_its_citations(self) -> None:
        (found,) = self.read(self.NEW | {"dwc:identificationReferences": "Flora 1 | Flora 2"})
        assert [item["dcterms:bibliographicCitation"] for item in found["ods:hasCitations"]] == ["Flora 1", "Flora 2"]

    @pytest.mark.parametrize(
        ("status", "marked"),
        [
            ("holotype", True),
            ("Paratypus of Aus bus", True),
            ("ISOTYPE", True),
            ("specimen", False),
            ("FALSE", False),
            ("not a type", False),
            ("NotAType", False),
            ("figured in publication", False),
            ("0", False),
        ],
    )
    def test_a_type_status_marks_a_type_unless_it_says_otherwise(self, status: str, marked: bool) -> None:
        assert mapped_with(scientificName="A", typeStatus=status).document["ods:isMarkedAsType"] is marked
        assert map_record().document["ods:isMarkedAsType"] is False


class TestTopics:
    @pytest.mark.parametrize(
        ("basis", "kingdom", "expected"),
        [
            ("PreservedSpecimen", "Animalia", ("Natural", "Life", "Zoology", "Preserved")),
            ("Preserved Specimen", "Plantae", ("Natural", "Life", "Botany", "Preserved")),
            ("LivingSpecimen", "Bacteria", ("Natural", "Life", "Microbiology", "Living")),
            ("FossilSpecimen", "Animalia", ("Natural", "Life", "Palaeontology", "Preserved")),
            ("RockSpecimen", None, ("Natural", "Earth System", "Geology", None)),
            ("mineral", None, ("Natural", "Earth System", "Geology", None)),
            ("Meteorite", None, ("Natural", "Extraterrestrial", "Astrogeology", None)),
            ("HumanObservation", "animalia", ("Natural", "Life", "Zoology", None)),
            ("PreservedSpecimen", "incertae sedis", ("Unclassified", "Unclassified", "Unclassified", "Preserved")),
            (None, None, ("Unclassified", "Unclassified", "Unclassified", None)),
        ],
    )
    def test_basis_of_record_decides_else_the_kingdom(
        self, basis: str | None, kingdom: str | None, expected: tuple[str | None, ...]
    ) -> None:
        core = {"dwc:basisOfRecord": basis, "dwc:kingdom": kingdom}
        document = map_record({term: text for term, text in core.items() if text}).document
        terms = ("ods:topicOrigin", "ods:topicDomain", "ods:topicDiscipline", "ods:livingOrPreserved")
        assert tuple(document.get(term) for term in terms) == expected


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "value"),
        [("51.25", 51.25), ("51.0", 51), ("1e2", 100), ("-0.0", 0), ("+5", 5), (" 7 ", 7), (".5", 0.5)],
    )
    def test_exact_ones_need_no_word_and_whole_ones_are_integers(self, text: str, value: float) -> None:
        number, problem = read_number(text, Limits())
        assert (number, type(number), problem) == (value, type(value), None)

    @pytest.mark.parametrize("text", ["", "x", "1,5", "1_000", "nan", "inf", "1e400", "٣", "--1", "1 2", "0x10", "1e"])
    def test_what_is_no_number_is_none(self, text: str) -> None:
        value, problem = read_number(text, Limits())
        assert value is None
        assert problem

    @pytest.mark.parametrize("text", ["120 m", "120m", "120 M.", "120.0 metres", "120 meter", "120 m a.s.l."])
    def test_metres_may_carry_their_unit(self, text: str) -> None:
        assert read_number(text, Limits(metres=True)) == (120, None)
        assert read_number(text, Limits())[0] is None

    def test_whole_numbers_are_whole_and_representable(self) -> None:
        assert read_number("12.0", Limits(whole=True)) == (12, None)
        for text in ("1.5", "0.99999999999999999999", "9007199254740993", "1e300"):
            assert read_number(text, Limits(whole=True))[0] is None

    def test_the_range_is_that_of_the_text_not_of_its_rounding(self) -> None:
        assert read_number("90", Limits(high=90)) == (90, None)
        assert read_number("90.00000000000000000001", Limits(high=90)) == (None, "is above 90")

    @given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000))
    def test_silence_means_that_reading_back_gives_the_same_decimal(self, number: Any) -> None:
        value, problem = read_number(str(number), Limits())
        assert value is not None
        assert (type(number)(repr(value)) == number) is (problem is None)
        if problem is not None:
            assert repr(value) in problem

    def test_a_rounded_one_is_stored_and_told(self) -> None:
        mapped = mapped_with(decimalLatitude="51.2571070164569851234", decimalLongitude="3.67")
        assert location(mapped)["ods:hasGeoreference"]["dwc:decimalLatitude"] == 51.257107016456985
        (notice,) = mapped.notices
        assert notice.startswith("dwc:decimalLatitude: '51.2571070164569851234' is stored as 51.257107016456985,")

    @pytest.mark.parametrize(
        ("terms", "place", "verbatim", "text"),
        [
            ({"minimumElevationInMeters": "100 ft"}, "Location", "verbatimElevation", "100 ft"),
            (
                {"minimumElevationInMeters": "100 ft", "maximumElevationInMeters": "200 ft"},
                "Location",
                "verbatimElevation",
                "100 ft - 200 ft",
            ),
            ({"maximumDepthInMeters": "deep"}, "Location", "verbatimDepth", "deep"),
            ({"decimalLatitude": "91"}, "Georeference", "verbatimLatitude", "91"),
            ({"decimalLongitude": "3° 4' E"}, "Georeference", "verbatimLongitude", "3° 4' E"),
            ({"month": "Spring"}, "Event", "verbatimEventDate", "Spring"),
            ({"year": "19??", "month": "13"}, "Event", "verbatimEventDate", "19?? - 13"),
        ],
    )
    def test_what_is_no_number_is_kept_verbatim_and_told(
        self, terms: Terms, place: str, verbatim: str, text: str
    ) -> None:
        mapped = mapped_with(**terms)
        found = event(mapped)
        if place != "Event":
            found = found["ods:hasLocation"]
        if place == "Georeference":
            found = found["ods:hasGeoreference"]
        assert found == {"@type": f"ods:{place}", f"dwc:{verbatim}": text}
        assert len(mapped.notices) == len(terms)
        for term, notice in zip(terms, mapped.notices, strict=True):
            assert f"dwc:{term}: {terms[term]!r}" in notice
            assert f"kept in dwc:{verbatim}" in notice

    def test_a_verbatim_text_of_the_source_is_never_overwritten(self) -> None:
        mapped = mapped_with(decimalLatitude="95", verbatimLatitude="51 N")
        assert location(mapped)["ods:hasGeoreference"]["dwc:verbatimLatitude"] == "51 N"
        assert mapped.notices == ("dwc:decimalLatitude: '95' is above 90; left out",)

    def test_where_there_is_no_verbatim_property_the_notice_keeps_the_text(self) -> None:
        mapped = mapped_with(coordinateUncertaintyInMeters="-30", habitat="bog")
        assert "ods:hasLocation" not in event(mapped)
        assert mapped.notices == ("dwc:coordinateUncertaintyInMeters: '-30' is below 0; left out",)


class TestMedia:
    AC: ClassVar = {
        "ac:accessURI": "https://m.org/1.jpg",
        "dcterms:format": "image/jpeg",
        "ac:variant": "ac:GoodQuality",
    }

    def test_a_specimen_knows_whether_it_has_any(self) -> None:
        assert map_record().document["ods:isKnownToContainMedia"] is False
        mapped = map_record({}, {"ac:Multimedia": [self.AC]})
        assert mapped.document["ods:isKnownToContainMedia"] is True
        assert "ods:hasEntityRelationships" not in mapped.document

    def test_an_audiovisual_core_row_becomes_a_document_keyed_by_its_access_uri(self) -> None:
        (media,) = map_record({}, {"ac:Multimedia": [self.AC | {"dc:type": "StillImage", "ac:tag": "a|b"}]}).media
        assert media.key == "https://m.org/1.jpg"
        assert media.document == {
            "@type": "ods:DigitalMedia",
            "ac:accessURI": "https://m.org/1.jpg",
            "dcterms:type": "StillImage",
            "dcterms:format": "image/jpeg",
            "dcterms:rights": "CC0-1.0",
            "ac:variantLiteral": "ac:GoodQuality",
            "ac:tag": ["a", "b"],
            "ods:sourceSystemID": "https://hdl.handle.net/TEST/57Z-6PC-64W",
            "ods:sourceSystemName": "Herbarium X",
            "ods:organisationID": "https://ror.org/0566bfb96",
            "ods:organisationName": "Museum X",
        }

    @pytest.mark.parametrize(
        ("stated", "term"),
        [
            ("ac:GoodQuality", "ac:variantLiteral"),
            ("Good Quality", "ac:variantLiteral"),
            ("http://rs.tdwg.org/acvariant/values/v008", "ac:variant"),
        ],
    )
    def test_only_an_iri_is_a_variant_else_it_is_a_literal(self, stated: str, term: str) -> None:
        (media,) = map_record({}, {"ac:Multimedia": [self.AC | {"ac:variant": stated}]}).media
        assert media.document[term] == stated
        assert len(media.document.keys() & {"ac:variant", "ac:variantLiteral"}) == 1

    @pytest.mark.parametrize(
        ("stated", "stored"),
        [
            ("StillImage", "StillImage"),
            ("still image", "StillImage"),
            ("http://purl.org/dc/dcmitype/Sound", "Sound"),
            ("dcmitype:MovingImage", "MovingImage"),
            ("photo", None),
        ],
    )
    def test_the_type_is_a_dcmi_type_however_it_is_spelt(self, stated: str, stored: str | None) -> None:
        mapped = map_record({}, {"ac:Multimedia": [self.AC | {"dcterms:type": stated}]})
        assert mapped.media[0].document.get("dcterms:type") == stored
        assert bool(mapped.notices) is (stored is None)

    def test_gbif_rows_are_read_when_there_are_no_audiovisual_core_rows(self) -> None:
        row = {
            "dcterms:identifier": "https://m.org/g.jpg",
            "dcterms:references": "https://m.org/page",
            "dcterms:creator": "P. Hoto",
            "dcterms:license": "CC-BY",
            "dcterms:created": "2001",
        }
        (media,) = map_record({"dwc:associatedMedia": "https://m.org/g.jpg"}, {"gbif:Multimedia": [row]}).media
        assert media.key == "https://m.org/g.jpg"
        assert media.document["dcterms:rights"] == "CC-BY"
        assert media.document["xmp:CreateDate"] == "2001"
        assert media.document["ods:hasAgents"] == [agent("creator", "P. Hoto")]
        assert media.document["ods:hasEntityRelationships"] == [
            {
                "@type": "ods:EntityRelationship",
                "dwc:relatedResourceID": "https://m.org/page",
                "dwc:relationshipOfResource": "hasURL",
                "ods:relatedResourceURI": "https://m.org/page",
            }
        ]

    def test_sources_of_media_are_never_mixed_and_the_unused_are_reported(self) -> None:
        mapped = map_record(
            {"dwc:associatedMedia": "https://m.org/2.jpg"},
            {"gbif:Multimedia": [{"dcterms:identifier": "https://m.org/3.jpg"}], "ac:Multimedia": [self.AC]},
        )
        assert [media.key for media in mapped.media] == ["https://m.org/1.jpg"]
        assert mapped.unmapped == ("dwc:associatedMedia", "gbif:Multimedia")

    def test_associated_media_are_parted_by_bars(self) -> None:
        mapped = map_record({"dwc:associatedMedia": "https://m.org/1.jpg |  https://m.org/a b.jpg| nonsense"})
        assert [media.key for media in mapped.media] == ["https://m.org/1.jpg", "https://m.org/a b.jpg"]
        assert mapped.parked_media == (
            (
                "occurrence.txt:2, dwc:associatedMedia",
                "media without access URI: 'nonsense', which is no URI; separate addresses by |",
            ),
        )

    @pytest.mark.parametrize(
        "row", [{"dcterms:title": "x"}, {"ac:accessURI": "file 17"}, {"dcterms:identifier": "RMNH:1"}]
    )
    def test_a_row_without_access_uri_is_parked_and_the_others_go_on(self, row: Terms) -> None:
        mapped = map_record({}, {"ac:Multimedia": [row, self.AC]})
        assert [media.key for media in mapped.media] == ["https://m.org/1.jpg"]
        ((place, reason),) = mapped.parked_media
        assert place == "occurrence.txt:2, ac:Multimedia row 1"
        assert reason.startswith("media without access URI")

    def test_when_every_better_row_is_parked_the_next_source_is_read(self) -> None:
        mapped = map_record({"dwc:associatedMedia": "ftp://m.org/2.jpg"}, {"ac:Multimedia": [{"ac:accessURI": "?"}]})
        assert [media.key for media in mapped.media] == ["ftp://m.org/2.jpg"]
        assert len(mapped.parked_media) == 1

    def test_an_address_given_twice_is_one_media_item(self) -> None:
        mapped = map_record({}, {"ac:Multimedia": [self.AC, self.AC, self.AC | {"dcterms:title": "other"}]})
        assert [media.key for media in mapped.media] == ["https://m.org/1.jpg"]
        (notice,) = mapped.notices
        assert "row 3: a second, different row for https://m.org/1.jpg" in notice

    def test_owner_and_creators_are_agents(self) -> None:
        row = self.AC | {
            "dc:creator": "A|B",
            "dcterms:creator": "https://orcid.org/1|https://orcid.org/2",
            "xmpRights:Owner": "M",
        }
        mapped = map_record({}, {"ac:Multimedia": [row]})
        assert mapped.media[0].document["ods:hasAgents"] == [
            agent("creator", "A", "https://orcid.org/1"),
            agent("creator", "B", "https://orcid.org/2"),
            agent("rights-owner", "M") | {"@type": "schema:Organization"},
        ]
        assert mapped.unmapped == ()


class TestReport:
    def test_terms_that_no_rule_maps_are_listed(self) -> None:
        mapped = map_record(
            {"dwc:individualCount": "3", "dwc:eventID": "e", "dwc:occurrenceStatus": "present", "dwc:sex": "f"},
            {"dwc:Identification": [{"dwc:scientificName": "A", "x:y": "?"}], "gbif:Distribution": [{"dwc:sex": "?"}]},
        )
        assert mapped.unmapped == (
            "dwc:Identification/x:y",
            "dwc:eventID",
            "dwc:individualCount",
            "dwc:occurrenceStatus",
            "gbif:Distribution",
        )

    def test_references_citations_ages_and_relationships_are_carried(self) -> None:
        mapped = map_record(
            {"dwc:associatedReferences": "Smith 1900 | Jones 1901", "dcterms:references": "https://page/1"},
            {
                "gbif:Reference": [{"dcterms:title": "On Aus"}, {"dcterms:date": "1900"}],
                "chrono:ChronometricAge": [
                    {"chrono:earliestChronometricAge": "100", "chrono:latestChronometricAge": "c. 90"}
                ],
                "dwc:ResourceRelationship": [
                    {
                        "dwc:relationshipOfResource": "host of",
                        "dwc:relatedResourceID": "x:1",
                        "dwc:relationshipEstablishedDate": "1900",
                    }
                ],
            },
        )
        assert [item["dcterms:bibliographicCitation"] for item in mapped.document["ods:hasCitations"]] == [
            "Smith 1900",
            "Jones 1901",
            "On Aus",
        ]
        assert mapped.document["ods:hasChronometricAges"] == [
            {
                "@type": "ods:ChronometricAge",
                "chrono:earliestChronometricAge": 100,
                "chrono:verbatimChronometricAge": "c. 90",
            }
        ]
        assert [item["dwc:relatedResourceID"] for item in mapped.document["ods:hasEntityRelationships"]] == [
            "https://page/1",
            "x:1",
        ]
        assert len(mapped.notices) == 3

    def test_the_record_is_left_as_it_was_and_documents_share_nothing(self) -> None:
        core = ID | {"dwc:recordedBy": "A|B", "dcterms:language": "en"}
        record = ArchiveRecord("r", "p", dict(core), {"ac:Multimedia": [dict(TestMedia.AC)]})
        first, second = (MAPPING.map(record, METADATA, SETTINGS) for _ in range(2))
        assert first == second
        event(first)["ods:hasAgents"].clear()
        first.document["ods:metadataLanguages"].append("x")
        first.media[0].document.clear()
        assert MAPPING.map(record, METADATA, SETTINGS) == second
        assert record.core == core


ROW_TYPES = sorted({rule.row_type for rule in TABLE.rules} - {CORE, DATASET})


def example_text(rule: Rule) -> str:
    if "oneof" in rule.detail:
        return rule.detail["oneof"].split("|")[-1]
    by_kind = {"integer": "7", "number": "7.5", "boolean": "true", "datetime": "2020-01-02T03:04:05Z"}
    if rule.value in {"iri", "uri"}:
        return f"https://example.org/{rule.term.split(':')[1]}"
    return by_kind.get(rule.value, f"some {rule.term}")


def complete_row(row_type: str) -> Terms:
    """A row with a usable text for every term the table reads, the most demanding rule deciding the text."""
    strictness = ["text", "literal", "list", "datetime", "boolean", "number", "integer", "iri", "uri"]
    rules = sorted(
        (rule for rule in TABLE.rules if rule.row_type == row_type and rule.term != CORE_ID),
        key=lambda rule: (strictness.index(rule.value), "oneof" in rule.detail),
    )
    return {rule.term: example_text(rule) for rule in rules}


@functools.cache
def schema_of(owner: str) -> dict[str, Any]:
    name = "".join("-" + letter.lower() if letter.isupper() else letter for letter in owner.split(":")[1]).lstrip("-")
    (path,) = [
        path
        for folder in ("digital-specimen/0.4.0", "digital-media/0.5.0", "shared-model/0.4.0")
        for path in (SCHEMAS / folder / "schema").glob(f"{name}.json")
    ]
    schema = json.loads(path.read_text())
    assert isinstance(schema, dict)
    return schema


@functools.cache
def validator(owner: str) -> Any:
    from jsonschema import Draft202012Validator, FormatChecker
    from referencing import Registry, Resource

    def retrieve(uri: str) -> Resource[Any]:
        kind, version, file = uri.rsplit("/", 3)[1:]
        return Resource.from_contents(json.loads((SCHEMAS / kind / version / "schema" / file).read_text()))

    registry: Registry[Any] = Registry(retrieve=retrieve)  # type: ignore[call-arg]
    return Draft202012Validator(schema_of(owner), registry=registry, format_checker=FormatChecker())


def assert_valid(content: dict[str, Any]) -> None:
    """A stored content with the envelope a store adds validates against the real schema and is canonical JSON."""
    pid = "https://doi.org/TEST/ABC-DEF-GHJ"
    envelope: dict[str, Any] = {
        "@id": pid,
        "dcterms:identifier": pid,
        "ods:version": 1,
        "ods:fdoType": "https://doi.org/21.T11148/894b1e6cad57e921764e",
        "dcterms:created": "2024-01-01T00:00:00.000Z",
    }
    if content["@type"] == "ods:DigitalSpecimen":
        envelope["ods:midsLevel"] = 1
    document = {"dcterms:modified": "2024-01-01T00:00:00.000Z"} | content | envelope
    errors = [f"{error.json_path}: {error.message}" for error in validator(content["@type"]).iter_errors(document)]
    assert errors == []
    assert parse(canonical_bytes(normal_form(content))) == content


@needs_schemas
class TestSchema:
    def test_a_complete_record_gives_valid_documents_and_leaves_nothing_behind(self) -> None:
        extensions = {row_type: [complete_row(row_type)] for row_type in ROW_TYPES if row_type != "gbif:Multimedia"}
        core = complete_row(CORE) | {"dwc:occurrenceRemarks": "some dwc:eventRemarks"}
        core |= {"dwc:institutionID": "https://ror.org/05natt857", "dwc:associatedMedia": TestMedia.AC["ac:accessURI"]}
        core |= {"dc:license": core["dcterms:license"], "dc:language": core["dcterms:language"]}
        core |= {"dcterms:rights": core["dcterms:license"], "dc:rights": core["dcterms:license"]}
        for what in ("Type", "Value", "Unit"):
            row = extensions["obis:ExtendedMeasurementOrFact"][0]
            row[f"obis:measurement{what}ID"] = row[f"dwciri:measurement{what}"]
        extensions["ac:Multimedia"][0]["ac:accessURI"] = TestMedia.AC["ac:accessURI"]
        mapped = map_record(core, extensions)
        assert_valid(mapped.document)
        assert [media.key for media in mapped.media] == [TestMedia.AC["ac:accessURI"]]
        assert_valid(mapped.media[0].document)
        assert mapped.notices == ()
        assert mapped.parked_media == ()
        assert [term for term in mapped.unmapped if not term.startswith("ac:Multimedia/")] == []
        stored = set(texts(mapped.document)) | set(texts(mapped.media[0].document))
        for term in core:
            assert (
                core[term] in stored or term == "dwc:identificationVerificationStatus" or number_in(core[term], stored)
            )

    def test_a_complete_gbif_media_row_gives_a_valid_document(self) -> None:
        mapped = map_record({}, {"gbif:Multimedia": [complete_row("gbif:Multimedia")]})
        assert_valid(mapped.media[0].document)

    @hypothesis_settings(max_examples=150, deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from(sorted(TABLE.known(CORE))),
            st.sampled_from(
                ["1", "-1", "1e5", "x|y & z", "https://a.b/c", "", " | ", "12 m", "90.5", "urn:x:1", "ac:Good"]
            )
            | st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12),
            max_size=25,
        ),
        st.dictionaries(
            st.sampled_from(ROW_TYPES),
            st.lists(
                st.dictionaries(
                    st.sampled_from(sorted({rule.term for rule in TABLE.rules if rule.row_type != CORE})),
                    st.sampled_from(["1", "true", "1.5", "a|b", "https://a.b/c", "|", "2020-01-01T00:00:00Z", "Sound"]),
                    max_size=12,
                ),
                max_size=3,
            ),
            max_size=3,
        ),
    )
    def test_whatever_a_record_holds_its_documents_are_valid(
        self, core: Terms, extensions: dict[str, list[Terms]]
    ) -> None:
        mapped = map_record({term: text for term, text in core.items() if text}, extensions)
        assert_valid(mapped.document)
        for media in mapped.media:
            assert_valid(media.document)


def texts(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    else:
        yield value


def number_in(text: str, stored: set[Any]) -> bool:
    try:
        return float(text) in stored
    except ValueError:
        return False


def archive(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the shared data is not here ({path}); set PROVENARIUM_SHARED_DATA")
    return path


@pytest.mark.parametrize(
    ("name", "records", "media", "parked"),
    [
        ("dissco/dwca/dwca-naturalis-ac-media.zip", 14, 14, 0),
        ("dissco/dwca/dwca-invalid-ac-media.zip", 1, 0, 1),
        ("dissco/dwca/dwca-only-occurrences.zip", 14, 14, 0),
        ("dissco/dwca/dwca-lux-associated-media.zip", 20, 21, 0),
        ("rato/rato-05.zip", 3807, 0, 0),
        ("rato/rato-07.zip", 3802, 0, 0),
        ("rato/rato-10.zip", 3802, 0, 0),
    ],
)
def test_real_archives_are_mapped_completely(name: str, records: int, media: int, parked: int) -> None:
    with closing(DarwinCoreArchive.open(archive(name))) as reader:
        read = list(reader)
        assert [row for row in read if isinstance(row, Malformed)] == []
        mapped = [MAPPING.map(row, reader.metadata, SETTINGS) for row in read if isinstance(row, ArchiveRecord)]
    found = (len(mapped), sum(len(one.media) for one in mapped), sum(len(one.parked_media) for one in mapped))
    assert found == (records, media, parked)
    assert len({one.key for one in mapped}) == len(mapped)
    assert all(map(is_given_away, mapped))
    if SCHEMAS.exists():
        for one in mapped[:200]:
            assert_valid(one.document)
            for item in one.media:
                assert_valid(item.document)
