"""Reading anybody's PROV document: every format by suffix and content; hostile and malformed files are refused."""

from __future__ import annotations

import gzip
import json
import logging
import random
import socket
import warnings
from pathlib import Path

import prov
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prov.model import ProvActivity, ProvDocument

from domain.errors import RefusedInput
from domain.events import Created, Tombstoned, Updated
from projections.prov.check import read, reading
from projections.prov.document import prov_document
from projections.prov.formats import FORMATS, serialize
from tests.projections.test_prov_document import event, source

OURS = prov_document([event(Created, 1, source=source()), event(Updated, 2), event(Tombstoned, 3)])


@pytest.fixture(scope="module")
def written() -> dict[str, bytes]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)  # of rdflib's, in its own writer
        return {name: serialize(OURS, name) for name in FORMATS}


def refused(path: Path, data: bytes | str, format_: str | None = None) -> str:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(RefusedInput) as caught:
        read(path, format_)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("format_", FORMATS)
def test_each_format_is_known_by_its_suffix_its_content_or_its_name(
    format_: str, written: dict[str, bytes], tmp_path: Path
) -> None:
    for name in (f"document{FORMATS[format_].suffix}", "document"):
        (tmp_path / name).write_bytes(written[format_])
        assert read(tmp_path / name) == OURS
    misnamed = tmp_path / "document.jpg"
    misnamed.write_bytes(written[format_])
    assert read(str(misnamed), format_) == OURS


def test_a_file_called_json_may_be_either_json(written: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "document.json").write_bytes(written["jsonld"])
    assert read(tmp_path / "document.json") == OURS


def test_notation_may_begin_with_comments(tmp_path: Path) -> None:
    (tmp_path / "document").write_text("// by hand\n/* and\nat length */ document\nendDocument\n")
    assert read(tmp_path / "document") == ProvDocument()


def test_a_bundle_as_provtoolbox_writes_it_is_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "document.xml").write_text(
        '<prov:document xmlns:prov="http://www.w3.org/ns/prov#" xmlns:ex="https://example.org/">'
        '<prov:bundle prov:id="ex:b"><prov:entity prov:id="ex:e"/></prov:bundle></prov:document>'
    )
    (bundle,) = read(tmp_path / "document.xml").bundles
    assert [record.identifier.uri for record in bundle.records] == ["https://example.org/e"]


def test_an_entity_that_is_a_bundle_is_an_entity_whatever_is_said_of_it(tmp_path: Path) -> None:
    (tmp_path / "document.xml").write_text(
        '<prov:document xmlns:prov="http://www.w3.org/ns/prov#" xmlns:ex="https://example.org/">'
        '<prov:bundle prov:id="ex:b"><prov:label>a bundle</prov:label><prov:type>ex:T</prov:type><ex:of>1</ex:of>'
        "</prov:bundle></prov:document>"
    )
    document = read(tmp_path / "document.xml")
    assert not list(document.bundles)
    (entity,) = document.records
    assert (entity.identifier.uri, str(entity.label)) == ("https://example.org/b", "a bundle")


PACK = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor(write_checksum=True).compress}


@pytest.mark.parametrize("suffix", list(PACK))
@pytest.mark.parametrize("format_", FORMATS)
def test_a_compressed_document_is_read(suffix: str, format_: str, written: dict[str, bytes], tmp_path: Path) -> None:
    half = len(written[format_]) // 2
    parts = PACK[suffix](written[format_][:half]) + PACK[suffix](written[format_][half:])
    for name in (f"document{FORMATS[format_].suffix}{suffix}", "document"):
        (tmp_path / name).write_bytes(parts)
        assert read(tmp_path / name) == OURS


@pytest.mark.parametrize("suffix", list(PACK))
def test_a_damaged_or_enormous_compressed_document_is_refused(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"document.json{suffix}"
    packed = PACK[suffix](b'{"entity": {"ex:a": {}}}' + random.Random(1).randbytes(9000))
    for damaged in (packed[:-1], packed[:2000], packed[:5], packed[:100] + b"\0" * 50 + packed[150:], packed + b"x"):
        assert "cannot be decompressed" in refused(path, damaged)
    monkeypatch.setattr(reading, "MAX_BYTES", 2**20)
    assert "larger than 1 MB" in refused(path, PACK[suffix](b" " * 2**26))


# --- hostile --------------------------------------------------------------------------------------------------------


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 2**20)
    assert "larger than 1 MB" in refused(tmp_path / "document.json", b"{" + b" " * 2**20 + b"}")
    (tmp_path / "document.json").write_bytes(b"{" + b" " * (2**20 - 2) + b"}")
    assert read(tmp_path / "document.json") == ProvDocument()


def test_nesting_that_exhausts_the_stack_is_refused(tmp_path: Path) -> None:
    deep = 100_000
    for name, opening, closing in (("json", '{"a":', "}"), ("jsonld", '{"@graph":', "}"), ("provn", "(", ")")):
        refused(tmp_path / f"document.{name}", opening * deep + "1" + closing * deep)
    refused(tmp_path / "document.json", '{"entity":{"a":' + "[" * deep + "]" * deep + "}}")
    refused(tmp_path / "document.xml", "<a>" * deep + "</a>" * deep)
    refused(tmp_path / "document.trig", "<urn:a> <urn:b> " + "[ <urn:c> " * deep)


XXE = """<?xml version="1.0"?><!DOCTYPE document [<!ENTITY secret SYSTEM "file:///etc/passwd">]>
<prov:document xmlns:prov="http://www.w3.org/ns/prov#" xmlns:ex="https://example.org/">
<prov:entity prov:id="ex:e"><prov:label>&secret;</prov:label></prov:entity></prov:document>"""
BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    + ']><prov:document xmlns:prov="http://www.w3.org/ns/prov#">&a11;</prov:document>'
)
REMOTE = (
    '<?xml version="1.0"?><!DOCTYPE prov:document SYSTEM "http://192.0.2.1/evil.dtd">'
    '<prov:document xmlns:prov="http://www.w3.org/ns/prov#"/>'
)


@pytest.mark.parametrize(
    ("hostile", "why"), [(XXE, "document type"), (BILLION_LAUGHS, "entity"), (REMOTE, "document type")]
)
def test_xml_that_declares_a_document_type_is_refused(hostile: str, why: str, tmp_path: Path) -> None:
    assert why in refused(tmp_path / "document.xml", hostile)


def combining(count: int) -> str:
    roles = ("generatedEntity", "usedEntity", "activity", "generation", "usage")
    named = [f"prov:{role} {', '.join(f'ex:{role}{number}' for number in range(count))}" for role in roles]
    return (
        "@prefix prov: <http://www.w3.org/ns/prov#> . @prefix ex: <https://example.org/> ."
        f" ex:x a prov:Derivation ; {' ; '.join(named)} ."
    )


def test_rdf_whose_combinations_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "document.ttl").write_text(combining(3))
    assert len(read(tmp_path / "document.ttl").records) == 3**5
    assert "combinations" in refused(tmp_path / "document.ttl", combining(100))


def test_many_relations_of_one_entity_are_no_combinations(tmp_path: Path) -> None:
    derived = ", ".join(f"ex:e{n}" for n in range(1, 300))
    (tmp_path / "document.ttl").write_text(
        "@prefix prov: <http://www.w3.org/ns/prov#> . @prefix ex: <https://example.org/> ."
        f" ex:e0 a prov:Entity ; prov:wasDerivedFrom {derived} ; prov:wasAttributedTo {derived} ;"
        f" prov:alternateOf {derived} ."
    )
    assert len(read(tmp_path / "document.ttl").records) == 1 + 3 * 299


def test_nothing_but_the_file_is_opened(
    written: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touched(*arguments: object, **options: object) -> None:
        raise AssertionError(f"reached out: {arguments}")

    monkeypatch.setattr(socket, "socket", touched)
    monkeypatch.setattr(socket, "create_connection", touched)
    context = json.loads(written["jsonld"])["@context"]
    remote = [*(context if isinstance(context, list) else [context]), "http://192.0.2.1/context.jsonld"]
    elsewhere = json.dumps(json.loads(written["jsonld"]) | {"@context": remote}).encode()
    for format_, data in (written | {"jsonld": elsewhere}).items():
        (tmp_path / "document").write_bytes(data)
        assert read(tmp_path / "document", format_) is not None


# --- malformed ------------------------------------------------------------------------------------------------------


def test_what_is_no_document_is_refused_with_its_name(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "absent.json", "No such file"), (tmp_path, "directory")):
        with pytest.raises(RefusedInput, match=reason):
            read(path)
    assert "name that" in refused(tmp_path / "notes", "Dear diary")
    assert "prov:document" in refused(tmp_path / "page.xml", "<html/>")
    assert "PROV-O" in refused(tmp_path / "other.ttl", "<urn:a> <urn:b> <urn:c> .")
    assert "'provn'" in refused(tmp_path / "document.json", "{}", "provn")
    refused(tmp_path / "comments", "/* */ " * 5_000 + "no document")
    refused(tmp_path / "document.json", "[]")
    refused(tmp_path / "document.json", b'{"entity": {"\xff": {}}}')
    refused(tmp_path / "document.json", '{"entity": {"undeclared:e": {}}}')


@pytest.mark.parametrize("format_", FORMATS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_document_is_read_or_refused_but_nothing_else(
    format_: str, written: dict[str, bytes], tmp_path: Path, data: st.DataObject
) -> None:
    damaged = bytearray(written[format_])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(damaged) - 1))
        damaged[start : start + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=4))
    (tmp_path / "damaged").write_bytes(damaged)
    try:
        assert isinstance(read(tmp_path / "damaged", format_), ProvDocument)
    except RefusedInput:
        return


def test_libraries_remark_nothing_and_are_heard_again_afterwards(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "document.ttl").write_text(
        "@prefix prov: <http://www.w3.org/ns/prov#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> ."
        ' <https://example.org/e> a prov:Entity ; <https://example.org/is> "x"^^xsd:date .'
    )
    read(tmp_path / "document.ttl")
    assert caplog.records == []
    assert logging.getLogger("rdflib").getEffectiveLevel() == logging.getLogger().getEffectiveLevel()


EX = '"prefix":{"ex":"http://example.org/"}'
NO_TIME = {
    "json, as basic ISO 8601": (
        "{" + EX + ',"activity":{"ex:a":{"prov:startTime":"20200101T000000"}}}',
        "prov:startTime is '20200101T000000', which is not",
    ),
    "jsonld": (
        (
            '{"@context":[{"ex":"http://example.org/"},"https://openprovenance.org/prov-jsonld/context.jsonld"],'
            '"@graph":[{"@type":"prov:Activity","@id":"ex:a","startTime":"not a time"}]}'
        ),
        "startTime is 'not a time', which is not an xsd:dateTime",
    ),
    "json": (
        "{" + EX + ',"activity":{"ex:a":{"prov:startTime":"2020"}}}',
        "prov:startTime is '2020', which is not an xsd:dateTime",
    ),
    "json, an end": (
        "{" + EX + ',"activity":{"ex:a":{"prov:endTime":""}}}',
        "prov:endTime is '', which is not an xsd:dateTime",
    ),
    "json, a generation": (
        "{" + EX + ',"wasGeneratedBy":{"ex:g":{"prov:entity":"ex:e","prov:time":"not a time"}}}',
        "prov:time is 'not a time', which is not an xsd:dateTime",
    ),
    "jsonl": (
        "{" + EX + "}\n{" + EX + ',"used":{"ex:u":{"prov:activity":"ex:a","prov:time":"1"}}}\n',
        "line 2: prov:time is '1', which is not an xsd:dateTime, at /used/ex:u",
    ),
    "xml": (
        (
            '<prov:document xmlns:prov="http://www.w3.org/ns/prov#" xmlns:ex="http://example.org/"><prov:activity '
            'prov:id="ex:a"><prov:startTime>not a time</prov:startTime></prov:activity></prov:document>'
        ),
        "line 1, prov:activity ex:a, prov:startTime: 'not a time' is not an xsd:dateTime",
    ),
    "provn": (
        "document\nprefix ex <http://example.org/>\nactivity(ex:a, 2020, -)\nendDocument",
        "expected a time for prov:startTime, found '2020'",
    ),
    "ttl": (
        (
            "@prefix prov: <http://www.w3.org/ns/prov#> . @prefix ex: <http://example.org/> .\n"
            'ex:e a prov:Entity ; prov:qualifiedGeneration [ a prov:Generation ; prov:atTime "x" ] .'
        ),
        "prov:atTime of a qualifiedGeneration of http://example.org/e is x, which is not an xsd:dateTime",
    ),
}


@pytest.mark.parametrize("name", list(NO_TIME))
def test_a_time_that_is_none_is_refused_and_never_left_out(name: str, tmp_path: Path) -> None:
    text, expected = NO_TIME[name]
    assert expected in refused(tmp_path / f"document.{name.partition(',')[0]}", text)


TWICE = "stands twice in one object"
AMBIGUOUS = {
    "{" + EX + ',"entity":{"ex:a":{}},"entity":{"ex:b":{}}}': f"the member 'entity' {TWICE}, at the top",
    "{" + EX + ',"bundle":{"ex:b":{"entity":{"ex:a":{"ex:v":1,"ex:v":2}}}}}': (
        f"the member 'ex:v' {TWICE}, at /bundle/ex:b/entity/ex:a"
    ),
    "{" + EX + ',"entity":{"ex:a":{"ex:v":NaN}}}': "NaN at /entity/ex:a/ex:v is no JSON",
    '{"prefix":{"ex":7},"entity":{"ex:a":{}}}': "the prefix 'ex' stands for 7, which is no IRI",
    '{"entity":{"ex:a":{}}}': "entity 'ex:a' has the prefix 'ex', which is not declared",
    "{" + EX + ',"bundle":{"ex:b":{"activity":{"no:a":{}}}}}': "activity 'no:a' has the prefix 'no', which is not",
    "{" + EX + ',"used":{"no:u":{"prov:activity":"ex:a","prov:entity":"ex:e"}}}': "used 'no:u' has the prefix 'no'",
    "{" + EX + ',"bundle":{"no:b":{}}}': "bundle 'no:b' has the prefix 'no', which is not declared",
    "{" + EX + ',"entity":{"a":{}}}': "entity 'a' has no prefix, and no default namespace is declared",
    '{"prefix":7}': "/prefix is 7, not an object of prefixes and their IRIs",
}


@pytest.mark.parametrize("text", list(AMBIGUOUS))
def test_json_that_can_be_understood_in_several_ways_is_refused(text: str, tmp_path: Path) -> None:
    assert AMBIGUOUS[text] in refused(tmp_path / "document.json", text)


XML = '<prov:document xmlns:prov="http://www.w3.org/ns/prov#" xmlns:ex="http://example.org/" xmlns="urn:d">\n'
WRONG_XML = {
    '<prov:entity prov:id="no:e"/>': "line 2, prov:entity no:e: 'no:e' has the prefix 'no', which is not declared",
    '\n<prov:used><prov:activity prov:ref="ex:a"/><prov:entity prov:ref="no:e"/></prov:used>': (
        "line 3, prov:used, prov:entity: 'no:e' has the prefix 'no'"
    ),
    '<prov:entity prov:id="ex:e"/>\n<prov:entity prov:id="ex:f"><ex:v other="1"/></prov:entity>': (
        "line 3, prov:entity ex:f: The element 'ex:v' has no representable value"
    ),
    '<prov:bundleContent prov:id="ex:b">\n<prov:used><prov:activity/></prov:used></prov:bundleContent>': (
        "line 3, prov:bundleContent ex:b, prov:used: The reference element 'prov:activity' has no"
    ),
}


@pytest.mark.parametrize("text", list(WRONG_XML))
def test_wrong_xml_is_refused_with_line_and_record(text: str, tmp_path: Path) -> None:
    assert WRONG_XML[text] in refused(tmp_path / "document.xml", f"{XML}{text}</prov:document>")


def test_a_byte_order_mark_is_no_part_of_a_document(written: dict[str, bytes], tmp_path: Path) -> None:
    for format_ in ("json", "provn", "xml"):
        file = tmp_path / f"marked.{format_}"
        file.write_bytes(b"\xef\xbb\xbf" + written[format_])
        assert read(file, format_).records


def test_the_examples_of_prov_xml_are_read() -> None:
    """W3C's have QNames without a namespace, which PROV has no name for."""
    folder = Path(prov.__file__).parent / "tests" / "xml"
    told = {example.name: read(example) for example in sorted(folder.glob("example_*.xml"))}
    assert len(told) > 30
    (activity,) = told["example_12.xml"].get_records(ProvActivity)
    assert activity.get_attribute("prov:type") == {"Editing"}
