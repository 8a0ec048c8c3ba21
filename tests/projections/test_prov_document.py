"""The PROV document of one object: what it says, that every format keeps it, and that it satisfies PROV-CONSTRAINTS."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import prov
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema.validators import validator_for
from lxml import etree
from prov.identifier import Namespace, QualifiedName
from prov.model import (
    PROV_LABEL,
    ProvActivity,
    ProvAgent,
    ProvAlternate,
    ProvAssociation,
    ProvAttribution,
    ProvCommunication,
    ProvDelegation,
    ProvDerivation,
    ProvDocument,
    ProvEntity,
    ProvGeneration,
    ProvInvalidation,
    ProvMembership,
    ProvRecord,
    ProvSpecialization,
    ProvUsage,
)

from domain.agents import Agent, AgentKind, Role, person
from domain.errors import IntegrityFailure, RefusedInput
from domain.events import (
    Activity,
    Cause,
    Created,
    DigitalObjectEvent,
    Restored,
    Source,
    Tombstoned,
    Updated,
)
from projections.prov import names as prov_names
from projections.prov.document import prov_document
from projections.prov.formats import FORMATS, serialize

# rdflib's own TriG writer and parser call what rdflib has deprecated; nothing of ours does.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:(Dataset\.\w+|ConjunctiveGraph) is deprecated:DeprecationWarning:rdflib"
)

SCHEMAS = Path(prov.__file__).parent / "tests" / "schemas"

PID = "TEST/ABC-DEF-GHJ"
START = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)
ORCID = "https://orcid.org/0000-0002-1825-0097"
ROR = "https://ror.org/0566bfb96"
SYSTEM = "https://hdl.handle.net/TEST/57Z-6PC-64W"
RUN = "0190a3b1-7c0e-7d11-8c1a-0123456789ab"
SCHEMA = "https://schemas.dissco.tech/schemas/fdo-type/digital-specimen/0.4.0/digital-specimen.json"
ARCHIVE = "ab" * 32

CURATOR = person(ORCID)
MUSEUM = Agent(ROR, AgentKind.ORGANISATION, Role.REQUESTOR)
SYNC = Agent(SYSTEM, AgentKind.SOFTWARE, Role.GENERATOR, ROR)


def event(
    kind: type[DigitalObjectEvent],
    version: int,
    agents: tuple[Agent, ...] = (CURATOR,),
    *,
    comment: str | None = None,
    cause: Cause | None = None,
    source: Source | None = None,
    pid: str = PID,
    object_type: str = "ods:DigitalSpecimen",
) -> DigitalObjectEvent:
    at = START + timedelta(days=version)
    return kind(
        originator_id=pid,
        originator_version=version,
        object_type=object_type,
        activity=Activity(UUID(int=version), at, at + timedelta(seconds=2), comment, cause),
        agents=agents,
        patch=[{"op": "add", "path": "", "value": {}}],
        digest=f"{version:064x}",
        schema=SCHEMA,
        occurred=at - timedelta(hours=1),
        source=source,
        position=40 + version,
        recorded=at + timedelta(seconds=1),
    )


def source(archive: str = ARCHIVE, record: str = "RMNH.1/2", mapping: str = "dwca-specimen 1.2") -> Source:
    return Source("TEST/57Z-6PC-64W", archive, record, mapping)


def provn(document: ProvDocument, kind: type[ProvRecord] = ProvRecord) -> list[str]:
    return [record.get_provn() for record in document.get_records(kind)]


def names_of(document: ProvDocument, kind: type[ProvRecord]) -> list[str]:
    return [record.identifier.uri for record in document.get_records(kind) if record.identifier is not None]


def formal(document: ProvDocument, kind: type[ProvRecord]) -> list[dict[str, Any]]:
    """The formal attributes of all records of ``kind`` by name, names as IRIs, with ``id``."""
    return [
        {"id": record.identifier}
        | {name.localpart: getattr(value, "uri", value) for name, value in record.formal_attributes}
        for record in document.get_records(kind)
    ]


def read(content: bytes, format_name: str) -> ProvDocument:
    chosen = FORMATS[format_name]
    document = ProvDocument.deserialize(content=content, format=chosen.writer, **chosen.options)
    assert isinstance(document, ProvDocument)
    return document


# --- examples -------------------------------------------------------------------------------------------------------

V = "https://doi.org/TEST/ABC-DEF-GHJ#v"
OBJECT = "https://doi.org/TEST/ABC-DEF-GHJ"


def test_creation_by_a_synchronisation_says_exactly_this() -> None:
    run = Cause("run", RUN)
    document = prov_document([event(Created, 1, (MUSEUM, SYNC), cause=run, source=source())])
    activity = "uuid_00000000_0000_0000_0000_000000000001:activity"
    own = "doi_TEST_ABC_DEF_GHJ"
    archive = str(prov_names.archive(ARCHIVE)[0]).partition(":")[0]
    plan = str(prov_names.plan("dwca-specimen 1.2"))
    uri = "%% xsd:anyURI"
    assert provn(document) == [
        f"entity(doi_TEST:ABC-DEF-GHJ, [prov:type='ods:DigitalSpecimen', dcterms:identifier=\"{OBJECT}\" {uri}])",
        (
            f"activity({activity}, 2026-11-02T02:00:00+00:00, 2026-11-02T02:00:02+00:00, [prov:type='ods:Create',"
            f' dcterms:identifier="urn:uuid:00000000-0000-0000-0000-000000000001" {uri}, ods:streamPosition=41,'
            ' ods:occurred="2026-11-02T01:00:00+00:00" %% xsd:dateTime])'
        ),
        (
            f'entity({own}:v1, [dcterms:identifier="{OBJECT}/1" {uri}, ods:version=1,'
            f' ods:contentDigest="sha256:{1:064x}", dcterms:conformsTo="{SCHEMA}" {uri}])'
        ),
        f"specializationOf({own}:v1, doi_TEST:ABC-DEF-GHJ)",
        f"wasGeneratedBy({own}:v1-generation; {own}:v1, {activity}, 2026-11-02T02:00:01+00:00)",
        (
            f"entity({archive}:archive, [prov:type='prov:Collection',"
            f' dcterms:identifier="nih:sha-256;{ARCHIVE}" {uri},'
            f' ods:contentDigest="sha256:{ARCHIVE}", ods:sourceSystemID="{SYSTEM}" {uri}])'
        ),
        f"entity({archive}:record-RMNH_2E1_2F2, [prov:type='ods:SourceRecord', dcterms:identifier=\"RMNH.1/2\"])",
        f"hadMember({archive}:archive, {archive}:record-RMNH_2E1_2F2)",
        (
            f"used({own}:v1-source-usage; {activity}, {archive}:record-RMNH_2E1_2F2, -,"
            " [prov:role='ods:Source', ods:dataMapping=\"dwca-specimen 1.2\"])"
        ),
        (
            f"wasDerivedFrom({own}:v1-primary-source; {own}:v1, {archive}:record-RMNH_2E1_2F2, {activity},"
            f" {own}:v1-generation, {own}:v1-source-usage, [prov:type='prov:PrimarySource'])"
        ),
        f"agent(ror_0566bfb96:this, [dcterms:identifier=\"{ROR}\" {uri}, prov:type='prov:Organization'])",
        f"wasAssociatedWith({own}:v1-association-1; {activity}, ror_0566bfb96:this, -, [prov:role='ods:Requestor'])",
        f"agent(hdl_TEST_57Z_6PC_64W:agent, [dcterms:identifier=\"{SYSTEM}\" {uri}, prov:type='prov:SoftwareAgent'])",
        f"entity({plan}, [prov:type='prov:Plan', dcterms:identifier=\"dwca-specimen 1.2\"])",
        (
            f"wasAssociatedWith({own}:v1-association-2; {activity}, hdl_TEST_57Z_6PC_64W:agent, {plan},"
            " [prov:role='ods:Generator'])"
        ),
        f"actedOnBehalfOf({own}:v1-delegation-1; hdl_TEST_57Z_6PC_64W:agent, ror_0566bfb96:this, {activity})",
        f"wasAttributedTo({own}:v1-attribution-1; {own}:v1, ror_0566bfb96:this)",
        (
            "activity(uuid_0190a3b1_7c0e_7d11_8c1a_0123456789ab:activity, -, -,"
            f' [dcterms:identifier="urn:uuid:{RUN}" {uri}])'
        ),
        (
            f"wasInformedBy({own}:v1-cause; {activity}, uuid_0190a3b1_7c0e_7d11_8c1a_0123456789ab:activity,"
            " [prov:type='ods:Cause', ods:causeKind=\"run\"])"
        ),
    ]


def test_an_edit_uses_and_revises_the_previous_version_and_never_its_own() -> None:
    document = prov_document([event(Created, 1), event(Updated, 2, comment="better locality")])
    (usage,) = formal(document, ProvUsage)
    (revision,) = formal(document, ProvDerivation)
    assert (usage["activity"], usage["entity"]) == ("urn:uuid:00000000-0000-0000-0000-000000000002#activity", V + "1")
    assert (revision["generatedEntity"], revision["usedEntity"]) == (V + "2", V + "1")
    assert revision["usage"] == usage["id"].uri
    assert revision["generation"] == V + "2-generation"
    assert {row["agent"] for row in formal(document, ProvAttribution)} == {ORCID + "#this"}
    assert any('rdfs:comment="better locality"' in line for line in provn(document, ProvActivity))


def test_the_cause_of_a_version_is_the_annotation_version_it_followed_from() -> None:
    document = prov_document(
        [event(Created, 1), event(Updated, 2, cause=Cause("annotation", "https://hdl.handle.net/TEST/ANN-XTA-T1N/3"))]
    )
    annotation = "https://hdl.handle.net/TEST/ANN-XTA-T1N"
    assert annotation + "#v3" in {row["entity"] for row in formal(document, ProvUsage)}
    assert {"id": None, "specificEntity": annotation + "#v3", "generalEntity": annotation} in formal(
        document, ProvSpecialization
    )
    assert not formal(document, ProvCommunication)


def test_a_revert_is_informed_by_the_run_that_reverts_or_used_the_version_it_goes_back_to() -> None:
    of_run = prov_document([event(Created, 1), event(Updated, 2, cause=Cause("revert", RUN))])
    assert [row["informant"] for row in formal(of_run, ProvCommunication)] == [f"urn:uuid:{RUN}#activity"]
    history = [event(Created, 1), event(Updated, 2), event(Updated, 3, cause=Cause("revert", f"{PID}/1"))]
    of_version = prov_document(history)
    assert [row["entity"] for row in formal(of_version, ProvUsage)] == [V + "1", V + "2", V + "1"]
    assert "prov:role='ods:Cause', ods:causeKind=\"revert\"" in provn(of_version, ProvUsage)[-1]


def test_a_cause_that_is_no_thing_of_its_own_is_told_in_words() -> None:
    document = prov_document([event(Created, 1), event(Updated, 2, cause=Cause("edit", "command"))])
    assert 'ods:causeKind="edit", ods:cause="command"])' in provn(document, ProvActivity)[-1]
    assert not formal(document, ProvCommunication)


@pytest.mark.parametrize("own", [PID, f"{PID}/2", f"https://doi.org/{PID}/3"])
def test_a_cause_that_is_not_there_yet_was_not_used(own: str) -> None:
    document = prov_document([event(Created, 1), event(Updated, 2, cause=Cause("revert", own)), event(Updated, 3)])
    assert [row["entity"] for row in formal(document, ProvUsage)] == [V + "1", V + "2"]
    assert not formal(document, ProvCommunication)


def test_a_standing_tombstone_invalidates_the_object_and_its_period_of_validity_but_no_version() -> None:
    document = prov_document([event(Created, 1), event(Updated, 2), event(Tombstoned, 3)])
    recorded = START + timedelta(days=3, seconds=1)
    assert [(row["entity"], row["time"]) for row in formal(document, ProvInvalidation)] == [
        (OBJECT + "#validity-1", recorded),
        (OBJECT, recorded),
    ]
    assert {(row["specificEntity"], row["generalEntity"]) for row in formal(document, ProvSpecialization)} == {
        (OBJECT + "#validity-1", OBJECT),
        (V + "1", OBJECT),
        (V + "1", OBJECT + "#validity-1"),
        (V + "2", OBJECT),
        (V + "2", OBJECT + "#validity-1"),
    }
    assert [(row["alternate1"], row["alternate2"]) for row in formal(document, ProvAlternate)] == [(V + "3", OBJECT)]


def test_a_restored_object_is_valid_while_its_first_period_of_validity_stays_ended() -> None:
    history = [event(Created, 1), event(Tombstoned, 2), event(Restored, 3), event(Updated, 4)]
    document = prov_document(history)
    assert [row["entity"] for row in formal(document, ProvInvalidation)] == [OBJECT + "#validity-1"]
    second = {
        row["specificEntity"]
        for row in formal(document, ProvSpecialization)
        if row["generalEntity"] == OBJECT + "#validity-2"
    }
    assert second == {V + "3", V + "4"}
    withdrawn_again = prov_document([*history, event(Tombstoned, 5)])
    assert [row["entity"] for row in formal(withdrawn_again, ProvInvalidation)] == [
        OBJECT + "#validity-1",
        OBJECT + "#validity-2",
        OBJECT,
    ]


def test_only_the_statement_that_the_object_is_withdrawn_is_taken_back_by_a_restore() -> None:
    history = [event(Created, 1), event(Updated, 2), event(Tombstoned, 3)]
    before = set(provn(prov_document(history)))
    after = set(provn(prov_document([*history, event(Restored, 4)])))
    (taken_back,) = before - after
    assert taken_back.startswith("wasInvalidatedBy(doi_TEST_ABC_DEF_GHJ:v3-invalidation; doi_TEST:ABC-DEF-GHJ,")


def test_an_object_never_withdrawn_needs_no_periods_of_validity() -> None:
    assert "validity" not in serialize(prov_document([event(Created, 1), event(Updated, 2)]), "provn").decode()


def test_a_tombstone_by_a_synchronisation_used_the_archive_that_lacks_the_record() -> None:
    document = prov_document(
        [event(Created, 1, (SYNC,), source=source()), event(Tombstoned, 2, (SYNC,), source=source("cd" * 32))]
    )
    missing_from = prov_names.archive("cd" * 32)[0].uri
    assert missing_from in {row["entity"] for row in formal(document, ProvUsage)}
    assert missing_from not in {row["collection"] for row in formal(document, ProvMembership)}
    primary = [row for row in document.get_records(ProvDerivation) if "PrimarySource" in row.get_provn()]
    assert len(primary) == 1


def test_agents_have_names_only_when_the_register_gives_them() -> None:
    document = prov_document([event(Created, 1)], names={ORCID: "Josiah\x00 Carberry"})
    (agent,) = document.get_records(ProvAgent)
    assert dict(agent.attributes)[PROV_LABEL] == "Josiah\ufffd Carberry"
    assert dict(agent.attributes)[prov_names.SCHEMA["name"]] == "Josiah\ufffd Carberry"
    assert "name" not in serialize(prov_document([event(Created, 1)]), "provn").decode()


def test_software_answers_for_no_version_and_approvers_are_not_authors() -> None:
    approver, proposer = replace(CURATOR, role=Role.APPROVER), replace(MUSEUM, role=Role.PROPOSER)
    service = Agent("https://doi.org/TEST/MAS-MAS-MAS", AgentKind.SOFTWARE, Role.REQUESTOR, "https://ror.org/02y22ws83")
    document = prov_document([event(Created, 1, (approver, proposer, service))])
    assert [row["agent"] for row in formal(document, ProvAttribution)] == [ROR + "#this"]
    assert [row["responsible"] for row in formal(document, ProvDelegation)] == ["https://ror.org/02y22ws83#this"]
    assert len(formal(document, ProvAssociation)) == 3


def test_a_digital_object_that_acts_on_itself_is_an_agent_apart_from_the_entity_it_is() -> None:
    acting = Agent(SYSTEM, AgentKind.SOFTWARE, Role.REQUESTOR)
    history = [event(Created, 1, (acting,), pid="TEST/57Z-6PC-64W", object_type="ods:SourceSystem")]
    document = prov_document(history)
    assert names_of(document, ProvAgent) == [SYSTEM + "#agent"]
    assert read(serialize(document, "trig"), "trig") == document


def test_asserted_times_that_contradict_the_store_are_widened_to_its_clock() -> None:
    late = event(Created, 1)
    assert late.recorded is not None
    before, after = late.recorded - timedelta(days=3), late.recorded + timedelta(days=3)
    backwards = replace(late.activity, started=after, ended=before)
    document = prov_document([replace(late, activity=backwards, position=1, recorded=late.recorded)])
    (activity,) = formal(document, ProvActivity)
    assert (activity["startTime"], activity["endTime"]) == (late.recorded, late.recorded)


def test_media_are_dois_and_everything_else_is_a_handle() -> None:
    for object_type, resolver in (
        ("ods:DigitalMedia", "https://doi.org/"),
        ("ods:Annotation", "https://hdl.handle.net/"),
    ):
        document = prov_document([event(Created, 1, object_type=object_type)])
        assert names_of(document, ProvEntity) == [resolver + PID, resolver + PID + "#v1"]


def test_documents_of_two_objects_of_one_run_share_the_run_the_archive_and_the_agents() -> None:
    run, agents = Cause("run", RUN), (MUSEUM, SYNC)
    first = event(Created, 1, agents, cause=run, source=source(record="1"))
    second = event(Created, 1, agents, cause=run, source=source(record="2"), pid="TEST/7WZ-S4C-HHJ")
    second = replace(second, activity=replace(second.activity, id=UUID(int=9)), position=9, recorded=second.recorded)
    merged = prov_document([first])
    merged.update(prov_document([second]))
    document = merged.unified()
    assert len(formal(document, ProvAgent)) == 2
    assert sorted(names_of(document, ProvActivity)) == [
        f"urn:uuid:{id_}#activity" for id_ in (UUID(int=1), UUID(int=9), UUID(RUN))
    ]
    assert {row["collection"] for row in formal(document, ProvMembership)} == {prov_names.archive(ARCHIVE)[0].uri}
    assert len(formal(document, ProvMembership)) == 2


@pytest.mark.parametrize(
    "history",
    [
        [],
        [event(Updated, 1)],
        [event(Created, 1), event(Updated, 3)],
        [event(Created, 1), event(Updated, 2, pid="TEST/ZZZ-ZZZ-ZZZ")],
        [replace(event(Created, 1), position=None)],
        [replace(event(Created, 1), recorded=None)],
        [event(Created, 1), replace(event(Updated, 2), activity=event(Created, 1).activity)],
    ],
)
def test_events_that_are_no_whole_history_have_no_document(history: list[DigitalObjectEvent]) -> None:
    with pytest.raises(IntegrityFailure):
        prov_document(history)


def test_turtle_is_refused_because_it_would_lose_bundles() -> None:
    with pytest.raises(RefusedInput, match="trig"):
        serialize(prov_document([event(Created, 1)]), "turtle")


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("iri", "name"),
    [
        ("https://doi.org/TEST/ABC-DEF-GHJ", "https://doi.org/TEST/ABC-DEF-GHJ"),
        ("https://doi.org/TEST/7WZ-S4C-HHJ", "https://doi.org/TEST/7WZ-S4C-HHJ#this"),
        ("https://orcid.org/0000-0002-1825-009X", "https://orcid.org/0000-0002-1825-009X#this"),
        ("https://bob.example/profile#me", "https://bob.example/profile#me"),
        ("https://bob.example/profile#1", "https://bob.example/profile#1/this"),
        ("https://bob.example/profile#this", "https://bob.example/profile#this/this"),
        ("https://bob.example/caf\u00e9", "https://bob.example/caf%C3%A9#this"),
        ("mailto:bob@example.org", "mailto:bob@example.org#this"),
        ("urn:example:bob", "urn:example:bob"),
        (f"https://doi.org/{PID}#v1", f"https://doi.org/{PID}#v1/this"),
    ],
)
def test_a_name_is_the_identifier_itself_wherever_that_is_a_qualified_name(iri: str, name: str) -> None:
    assert prov_names.thing(iri).uri == name


NO_AUTHORITY = [
    "http://[::1]/x",
    "http://[::1]:80/x",
    "http://ex.org:port/",
    "http://ex.org:port",
    "http://ex.org:",
    "http://ex.org:80:80/x",
    "http://a@b@ex.org/x",
    "HTTP://-https:x",
    "https://ex.org:99999999999/x",
    "urn://a:b/x",
]


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("iri", NO_AUTHORITY)
def test_an_agent_whose_iri_is_malformed_is_told_in_every_format(format_name: str, iri: str) -> None:
    actor = Agent(iri, AgentKind.PERSON, Role.REQUESTOR, on_behalf_of=iri + "y")
    document = prov_document([event(Created, 1, (actor,), cause=Cause("edit", iri), source=source(mapping=iri))])
    assert read(serialize(document, format_name), format_name) == document
    assert prov_names.agent(iri).uri.startswith("urn:uuid:")
    assert prov_names.agent(iri) != prov_names.agent(iri + "y")


@pytest.mark.parametrize(
    "iri", ["http://ex.org:80/x", "http://a:b@ex.org:65535/x", "http://ex.org/a:b/x", "urn:x:80:80", "https://x"]
)
def test_an_agent_whose_iri_has_a_port_or_user_keeps_it(iri: str) -> None:
    assert prov_names.agent(iri).uri.partition("#")[0] == iri


_pieces = st.sampled_from(
    [
        "//",
        "/",
        ":",
        "@",
        "#",
        "?",
        "[",
        "]",
        "::1",
        "80",
        "0",
        "99999999999",
        "%",
        "%41",
        "é",
        "a",
        "x.org",
        "-",
        "(",
        "&",
    ]
)


@settings(max_examples=2000)
@given(st.sampled_from(["http:", "HTTPS:", "urn:", "info:"]), st.lists(_pieces, min_size=1, max_size=8).map("".join))
def test_every_namespace_is_one_that_prov_xml_can_declare(scheme: str, rest: str) -> None:
    for name in (
        prov_names.agent(scheme + rest),
        prov_names.thing(scheme + rest),
        prov_names.fragment(scheme + rest)["x"],
    ):
        etree.Element("any", nsmap={"ns": name.namespace.uri})  # raises ValueError for what libxml2 cannot parse


@given(st.lists(st.text(), unique=True, min_size=2, max_size=2))
def test_two_records_of_an_archive_never_share_a_name(ids: list[str]) -> None:
    assert prov_names.record(ARCHIVE, ids[0]) != prov_names.record(ARCHIVE, ids[1])


def test_a_very_long_record_id_has_a_short_name_of_its_own() -> None:
    one, other = (prov_names.record(ARCHIVE, "x" * 500 + end) for end in "ab")
    assert one != other
    assert max(len(one.localpart), len(other.localpart)) < 120


# --- random histories -----------------------------------------------------------------------------------------------

any_text = st.text(st.characters(exclude_categories=()), max_size=12)
nasty_text = st.sampled_from(
    [
        "",
        " ",
        '"""',
        "a\r\nb\rc\n",
        "\\",
        "'",
        "prov:Plan",
        "<&]]>",
        "\x00\x1f\x85\u2028\ufffe",
        "\ud800",
        "-",
        "@en",
        "%%",
    ]
)
texts = any_text | nasty_text
iri_tails = st.text(
    st.characters(exclude_categories=("Cs", "Cn"), exclude_characters='<>"{}|\\^`'), min_size=1, max_size=8
).filter(lambda tail: re.fullmatch(r"\S+", tail) is not None)
iris = st.sampled_from(
    [
        ORCID,
        ROR,
        SYSTEM,
        OBJECT,
        "https://orcid.org/0000-0001-5109-369X",
        "https://bob.example/profile#me",
        "https://bob.example/profile#this",
        "https://bob.example/profile",
        "mailto:bob@example.org",
        "urn:agent:label",
        "geo:52.16,4.47",
        "prov:Person",
        "https://ror.org/bare",
        f"https://doi.org/{PID}#v1",
        "http://[::1]/x",
        "HTTP://-https:x",
    ]
) | st.builds(
    "{}{}".format,
    st.sampled_from(
        ["urn:x:", "https://example.org/", "https://orcid.org/", "http://", "http://example.org:", "URN://a"]
    ),
    iri_tails,
)
agents = st.builds(Agent, iris, st.sampled_from(AgentKind), st.sampled_from(Role), on_behalf_of=st.none() | iris)
pids = st.sampled_from([PID, "TEST/7WZ-S4C-HHJ", "10.3535/123-456-789", "20.5000.1025/A1B-2C3-D4E"])
object_types = st.sampled_from(["ods:DigitalSpecimen", "ods:DigitalMedia", "ods:Annotation", "ods:Odd/Type"])
digests = st.sampled_from(["ab" * 32, "0123456789abcdef" * 4])
mappings = texts | st.sampled_from(["dwca-specimen 1.2", "TEST/MAP-P1N-G22/3", "TEST/MAP-P1N-G22"])
causes = st.builds(
    Cause,
    st.sampled_from(["run", "revert", "annotation", "edit", "undo", "version"]),
    st.uuids().map(str)
    | texts
    | iris
    | st.builds("{}/{}".format, pids, st.integers(1, 4))
    | st.sampled_from(
        [PID, "prov:0", "TEST/ANN-XTA-T1N/2", "https://hdl.handle.net/TEST/ANN-XTA-T1N", str(UUID(int=1))]
    ),
)
sources = st.builds(Source, st.sampled_from(["TEST/57Z-6PC-64W", SYSTEM]) | texts, digests, texts, mappings)
hours = st.integers(-100, 100).map(lambda count: timedelta(hours=count, microseconds=count))


@st.composite
def histories(draw: st.DrawFn) -> list[DigitalObjectEvent]:
    pid, object_type = draw(pids), draw(object_types)
    events: list[DigitalObjectEvent] = []
    withdrawn, recorded, position = False, START, 0
    ids = draw(st.lists(st.uuids() | st.just(UUID(int=1)), min_size=1, max_size=6, unique=True))
    for version, id_ in enumerate(ids, 1):
        if version == 1:
            kind: type[DigitalObjectEvent] = Created
        elif withdrawn:
            kind = Restored
        else:
            kind = draw(st.sampled_from([Updated, Updated, Tombstoned]))
        withdrawn = kind is Tombstoned
        recorded += timedelta(microseconds=draw(st.integers(0, 3)))
        position += draw(st.integers(1, 2**34))
        activity = Activity(
            id_,
            recorded + draw(hours),
            recorded + draw(hours),
            draw(st.none() | texts),
            draw(st.none() | causes),
        )
        events.append(
            kind(
                originator_id=pid,
                originator_version=version,
                object_type=object_type,
                activity=activity,
                agents=tuple(draw(st.lists(agents, min_size=1, max_size=3))),
                patch=[],
                digest=f"{version:064x}",
                schema=draw(st.just(SCHEMA) | texts),
                occurred=recorded + draw(hours),
                source=draw(st.none() | sources),
                position=position,
                recorded=recorded,
            )
        )
    return events


registers = st.dictionaries(st.sampled_from([ORCID, ROR]), texts, max_size=2)


@pytest.mark.parametrize("format_name", FORMATS)
@settings(deadline=None, max_examples=60)
@given(events=histories(), names=registers)
def test_every_format_reads_back_as_the_same_document(
    format_name: str, events: list[DigitalObjectEvent], names: dict[str, str]
) -> None:
    document = prov_document(events, names=names)
    assert read(serialize(document, format_name), format_name) == document


@pytest.mark.parametrize("format_name", FORMATS)
@settings(deadline=None, max_examples=20)
@given(events=histories())
def test_every_format_keeps_the_records_in_a_bundle(format_name: str, events: list[DigitalObjectEvent]) -> None:
    bundled = ProvDocument()
    bundle = bundled.bundle(Namespace("b", "https://example.org/bundle/")["b1"])
    bundle.update(prov_document(events))
    back = read(serialize(bundled, format_name), format_name)
    assert back == bundled
    assert [set(bundle.get_records()) for bundle in back.bundles] == [set(prov_document(events).get_records())]


@settings(deadline=None, max_examples=100)
@given(events=histories())
def test_prov_xml_and_the_two_jsons_are_valid_by_their_schemas(events: list[DigitalObjectEvent]) -> None:
    document = prov_document(events)
    XML_SCHEMA.assertValid(etree.fromstring(serialize(document, "xml")))
    for format_name, validator in JSON_VALIDATORS.items():
        assert not list(validator.iter_errors(json.loads(serialize(document, format_name))))


@settings(deadline=None, max_examples=100)
@given(events=histories())
def test_every_name_is_legal_in_every_format(events: list[DigitalObjectEvent]) -> None:
    for name in qualified_names(prov_document(events)):
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9._-]*", name.localpart), name
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name.namespace.prefix), name
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]*[/#:]", name.namespace.uri), name


@settings(deadline=None, max_examples=100)
@given(events=histories())
def test_the_document_satisfies_prov_constraints_and_the_times_they_leave_out(events: list[DigitalObjectEvent]) -> None:
    document = prov_document(events)
    document.unified()
    identifiers = Counter(record.identifier for record in document.get_records() if record.identifier is not None)
    assert max(identifiers.values()) == 1
    kinds = [
        {record.identifier for record in document.get_records(kind)} for kind in (ProvEntity, ProvActivity, ProvAgent)
    ]
    assert sum(map(len, kinds)) == len(set().union(*kinds))

    generations = {row["entity"]: row for row in formal(document, ProvGeneration)}
    assert len(generations) == len(formal(document, ProvGeneration))
    invalidations = {row["entity"]: row for row in formal(document, ProvInvalidation)}
    assert len(invalidations) == len(formal(document, ProvInvalidation))
    activities = {row["id"].uri: row for row in formal(document, ProvActivity)}

    made = {(row["activity"], row["entity"]) for row in generations.values()}
    for usage in formal(document, ProvUsage):
        assert (usage["activity"], usage["entity"]) not in made
        assert usage["entity"] not in invalidations
        if usage["time"] and usage["entity"] in generations:
            assert generations[usage["entity"]]["time"] <= usage["time"]
    for row in [*generations.values(), *invalidations.values()]:
        assert activities[row["activity"]]["startTime"] <= row["time"] <= activities[row["activity"]]["endTime"]
    for row in formal(document, ProvSpecialization):
        specific, general = row["specificEntity"], row["generalEntity"]
        assert specific != general
        if specific in generations and general in generations:
            assert generations[general]["time"] <= generations[specific]["time"]
        if general in invalidations and specific in generations:
            assert generations[specific]["time"] <= invalidations[general]["time"]
        if general in invalidations and specific in invalidations:
            assert invalidations[specific]["time"] <= invalidations[general]["time"]


@settings(deadline=None, max_examples=100)
@given(events=histories())
def test_each_version_is_generated_once_and_revises_the_one_before(events: list[DigitalObjectEvent]) -> None:
    document = prov_document(events)
    whole = names_of(document, ProvEntity)[0]
    versions = [
        prov_names.version(event.object_type, event.originator_id, number)[0].uri
        for number, event in enumerate(events, 1)
    ]
    generated = {row["entity"]: row["time"] for row in formal(document, ProvGeneration)}
    times = [generated[version] for version in versions]
    assert times == sorted(times) == [event.recorded for event in events]
    revisions = [row for row in formal(document, ProvDerivation) if row["id"].localpart.endswith("-revision")]
    assert [(row["generatedEntity"], row["usedEntity"]) for row in revisions] == list(
        zip(versions[1:], versions, strict=False)
    )
    standing = [row for row in formal(document, ProvInvalidation) if row["entity"] == whole]
    assert len(standing) == isinstance(events[-1], Tombstoned)
    assert all(time <= row["time"] for row in standing for time in times)


def qualified_names(document: ProvDocument) -> Iterator[QualifiedName]:
    for record in document.get_records():
        if record.identifier is not None:
            yield record.identifier
        for pair in record.attributes:
            yield from (part for part in pair if isinstance(part, QualifiedName))


XML_SCHEMA = etree.XMLSchema(etree.parse(str(SCHEMAS / "prov.xsd")))
JSON_VALIDATORS = {
    name: validator_for(schema)(schema)
    for name in ("json", "jsonld")
    for schema in [json.loads((SCHEMAS / f"prov-{name}.schema.json").read_text())]
}
