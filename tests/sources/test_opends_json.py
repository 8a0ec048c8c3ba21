"""Reading openDS documents from JSON files of every shape."""

from __future__ import annotations

import hashlib
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import InvalidArchive, InvalidDocument
from sources import opends_json
from sources.opends_json import OpenDSFile, OpenDSRecord, natural_key
from sources.records import Malformed

SHARED = Path(os.environ.get("PROVENARIUM_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))

A: dict[str, Any] = {
    "@type": "ods:DigitalSpecimen",
    "ods:physicalSpecimenID": "A",
    "n": [1, {"x": 'a "quoted" {brace} and [bracket]'}],
}
B: dict[str, Any] = {"@type": "ods:DigitalMedia", "ac:accessURI": "https://example.org/b.jpg"}


def read(path: Path) -> list[OpenDSRecord | Malformed]:
    with OpenDSFile.open(path) as file:
        return list(file)


def written(tmp_path: Path, content: str | bytes, name: str = "file.json") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def lines(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


@pytest.mark.parametrize(
    ("name", "content", "places"),
    [
        ("one.json", json.dumps(A), ["one.json"]),
        ("pretty.json", json.dumps(A, indent=2), ["pretty.json"]),
        ("array.json", json.dumps([A, B]), ["array.json#/0", "array.json#/1"]),
        ("array.json", json.dumps([A, B], indent=2), ["array.json#/0", "array.json#/1"]),
        ("lines.jsonl", lines(A, B), ["lines.jsonl:1", "lines.jsonl:2"]),
        ("lines.json", lines(A, B), ["lines.json:1", "lines.json:2"]),
        ("blank.ndjson", "\n" + lines(A) + "\n \n" + lines(B), ["blank.ndjson:2", "blank.ndjson:5"]),
        (
            "page.json",
            json.dumps({"data": [{"id": "x", "attributes": A}, {"attributes": B}], "links": {}, "meta": {"total": 2}}),
            ["page.json#/data/0/attributes", "page.json#/data/1/attributes"],
        ),
        ("resource.json", json.dumps({"data": {"id": "x", "attributes": A}}), ["resource.json#/data/attributes"]),
        ("bare.json", json.dumps({"data": [A, B]}), ["bare.json#/data/0", "bare.json#/data/1"]),
        ("pages.jsonl", lines({"data": [A, B]}), ["pages.jsonl:1#/data/0", "pages.jsonl:1#/data/1"]),
    ],
)
def test_every_shape_gives_its_documents_with_their_places(
    tmp_path: Path, name: str, content: str, places: list[str]
) -> None:
    found = read(written(tmp_path, content, name))
    expected = [A, B][: len(places)]
    assert found == [OpenDSRecord(place, document) for place, document in zip(places, expected, strict=True)]


@pytest.mark.parametrize("content", ["[]", '{"data": []}', " [ ] \n"])
def test_an_empty_list_gives_nothing(tmp_path: Path, content: str) -> None:
    assert read(written(tmp_path, content)) == []


@pytest.mark.parametrize("content", [b"", b" \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidArchive, match="holds no JSON"):
        OpenDSFile.open(written(tmp_path, content))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArchive, match="cannot be read"):
        OpenDSFile.open(tmp_path / "nowhere.json")


@pytest.mark.parametrize("name", ["file.json", "file.jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_document(tmp_path: Path, name: str) -> None:
    content = b"\xef\xbb\xbf" + lines(A, B).encode()
    assert [item.document for item in read(written(tmp_path, content, name)) if isinstance(item, OpenDSRecord)] == [
        A,
        B,
    ]


def test_the_metadata_states_the_digest_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(A))
    with OpenDSFile.open(path) as file:
        assert file.metadata.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert file.metadata.published is None


# -- size -----------------------------------------------------------------------------------------


def padded(document: dict[str, Any], size: int) -> bytes:
    """The document as JSON text of so many bytes."""
    text = json.dumps({**document, "x": ""})
    return json.dumps({**document, "x": "y" * (size - len(text))}).encode()


@pytest.mark.parametrize("name", ["file.jsonl", "file.json"])
@pytest.mark.parametrize("end", [b"\n" + lines(B).encode(), b"\n", b""])
def test_a_line_that_is_too_long_is_malformed_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, end: bytes
) -> None:
    monkeypatch.setattr(opends_json, "LONGEST_LINE", 1000)
    monkeypatch.setattr(opends_json, "_BLOCK", 64)
    long = padded(A, 1001)
    found = read(written(tmp_path, lines(A, B).encode() + long + end, name))
    assert found[:2] == [OpenDSRecord(f"{name}:1", A), OpenDSRecord(f"{name}:2", B)]
    assert found[2] == Malformed(f"{name}:3", "a line of more than 1000 bytes, which is not read")
    assert found[3:] == ([OpenDSRecord(f"{name}:4", B)] if len(end) > 1 else [])


def test_a_line_of_the_greatest_length_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opends_json, "LONGEST_LINE", 1000)
    for content in (padded(A, 1000), padded(A, 999) + b"\n", padded(A, 999) + b"\n" + lines(B).encode()):
        found = read(written(tmp_path, content, "file.jsonl"))
        assert all(isinstance(item, OpenDSRecord) for item in found)


def test_lines_are_told_from_one_text_by_their_beginnings_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opends_json, "LONGEST_LINE", 1000)
    found = read(written(tmp_path, padded(A, 5000) + b"\n" + lines(B).encode()))
    assert [item.place for item in found] == ["file.json:1", "file.json:2"]
    assert isinstance(found[0], Malformed)
    assert found[1] == OpenDSRecord("file.json:2", B)
    (whole,) = read(written(tmp_path, padded(A, 5000)))
    assert isinstance(whole, OpenDSRecord)
    assert whole.place == "file.json"


def test_a_text_that_is_too_large_to_be_read_whole_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opends_json, "LARGEST_TEXT", 1000)
    assert len(read(written(tmp_path, padded(A, 1000)))) == 1
    for content in (padded(A, 1001), b"[" + padded(A, 998) + b" ]", b'{"data": [' + padded(A, 1000) + b"]}"):
        with pytest.raises(InvalidArchive, match=r"more than 1000 bytes.*write it as JSON Lines"):
            read(written(tmp_path, content))


def test_a_long_line_is_never_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    with path.open("wb") as file:
        file.write(lines(A).encode() + b"{")
        file.seek(200 << 20, os.SEEK_CUR)  # a hole, which takes no space
        file.write(b"}\n" + lines(B).encode())
    tracemalloc.start()
    try:
        found = read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [item.place for item in found] == ["file.jsonl:1", "file.jsonl:2", "file.jsonl:3"]
    assert isinstance(found[1], Malformed)
    assert peak < 100 << 20


def test_a_file_can_be_read_twice(tmp_path: Path) -> None:
    with OpenDSFile.open(written(tmp_path, lines(A, B))) as file:
        assert list(file) == list(file)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"@type": "x", "a": 1, "a": 2}', "twice"),
        ('{"a": 12345678901234567890}', "2\\^53-1"),
        ('{"a": NaN}', "NaN"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": "\\u0000"}', "U\\+0000"),
        ('{"a": ' + "[" * 300 + "]" * 300 + "}", "deeper"),
        ("17", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ("null", "not a JSON object"),
    ],
)
@pytest.mark.parametrize("shape", ["array", "lines", "page"])
def test_a_document_that_cannot_be_kept_is_told_and_the_others_go_on(
    tmp_path: Path, bad: str, reason: str, shape: str
) -> None:
    good = json.dumps(A), json.dumps(B)
    content, name = {
        "array": (f"[{good[0]}, {bad}, {good[1]}]", "file.json"),
        "lines": (f"{good[0]}\n{bad}\n{good[1]}\n", "file.jsonl"),
        "page": (f'{{"data": [{good[0]}, {bad}, {good[1]}]}}', "file.json"),
    }[shape]
    first, middle, last = read(written(tmp_path, content, name))
    assert isinstance(first, OpenDSRecord)
    assert isinstance(last, OpenDSRecord)
    assert (first.document, last.document) == (A, B)
    assert isinstance(middle, Malformed)
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(middle.reason)


@pytest.mark.parametrize(
    "bad", ["{", '{"a": 1,}', "{'a': 1}", '{"a" 1}', "nonsense", '{"a": 1} {"b": 2}', "[1,]", "[1 2]"]
)
def test_a_line_that_is_no_json_is_told_with_its_number(tmp_path: Path, bad: str) -> None:
    found = read(written(tmp_path, f"{json.dumps(A)}\n{bad}\n{json.dumps(B)}\n", "file.jsonl"))
    assert {item.place.split("#")[0] for item in found if isinstance(item, Malformed)} == {"file.jsonl:2"}
    documents = [item.document for item in found if isinstance(item, OpenDSRecord)]
    assert documents[0] == A
    assert documents[-1] == B


def test_documents_before_a_syntax_error_in_an_array_are_kept_and_the_rest_is_told(tmp_path: Path) -> None:
    first, rest = read(written(tmp_path, f"[{json.dumps(A)}, {{broken}}, {json.dumps(B)}]"))
    assert isinstance(first, OpenDSRecord)
    assert isinstance(rest, Malformed)
    assert "nothing after it can be read" in rest.reason


@pytest.mark.parametrize("content", [json.dumps([A]) + " trailing", json.dumps(A, indent=1) + "\n]"])
def test_text_after_the_end_is_told(tmp_path: Path, content: str) -> None:
    first, rest = read(written(tmp_path, content))
    assert isinstance(first, OpenDSRecord)
    assert isinstance(rest, Malformed)
    assert "after the end" in rest.reason


@pytest.mark.parametrize("opening", ["[", '{"data":', '[{"data":'])
def test_hostile_nesting_is_told_and_not_fatal(tmp_path: Path, opening: str) -> None:
    with pytest.raises(InvalidArchive, match="nested too deep"):
        read(written(tmp_path, opening * 100_000))
    (found,) = read(written(tmp_path, opening * 100_000, "file.jsonl"))
    assert isinstance(found, Malformed)
    (found,) = read(written(tmp_path, '{"data":' * 400 + "1" + "}" * 400))
    assert isinstance(found, Malformed)


def test_text_that_is_not_utf8_is_refused_whole_or_by_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidArchive, match="not UTF-8"):
        read(written(tmp_path, json.dumps(A).encode("utf-16")))
    first, second = read(written(tmp_path, json.dumps(A).encode() + b'\n{"a": "\xff"}\n', "file.jsonl"))
    assert isinstance(first, OpenDSRecord)
    assert isinstance(second, Malformed)
    assert "not UTF-8" in second.reason


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "@type", "x y"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.dictionaries(st.sampled_from(["@type", "ods:hasEvents", "ü"]), _JSON, max_size=3), max_size=4))
def test_any_documents_come_back_from_any_shape(tmp_path: Path, documents: list[dict[str, Any]]) -> None:
    for name, content in (
        ("a.json", json.dumps(documents, indent=1)),
        ("b.json", json.dumps({"data": [{"attributes": document} for document in documents]}, ensure_ascii=False)),
        ("c.jsonl", lines({"x": 1}, *documents)),
    ):
        found = [item.document for item in read(written(tmp_path, content, name)) if isinstance(item, OpenDSRecord)]
        assert found == ([{"x": 1}, *documents] if name == "c.jsonl" else documents)


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({"@type": "ods:DigitalSpecimen", "ods:physicalSpecimenID": "p", "ods:normalisedPhysicalSpecimenID": "n"}, "p"),
        ({"@type": "ods:DigitalSpecimen", "ods:normalisedPhysicalSpecimenID": "n", "@id": "i"}, "n"),
        (B, "https://example.org/b.jpg"),
        ({"@type": "ods:Annotation", "dcterms:identifier": "d", "@id": "i"}, "d"),
        ({"@type": "ods:SourceSystem", "schema:identifier": "s", "@id": "i"}, "s"),
        ({"@id": "i"}, "i"),
    ],
)
def test_the_natural_key_is_what_the_source_calls_the_object(document: dict[str, Any], key: str) -> None:
    assert natural_key(document) == key


@pytest.mark.parametrize(
    "document",
    [
        {"@type": "ods:DigitalSpecimen", "@id": "https://doi.org/TEST/ABC-DEF-GHJ"},
        {"@type": "ods:DigitalMedia", "ac:accessURI": " "},
        {"@type": ["ods:DigitalSpecimen"], "ods:physicalSpecimenID": "p"},
        {"@type": "ods:Annotation", "dcterms:identifier": 17},
        {},
    ],
)
def test_a_document_without_natural_key_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument, match="cannot be told from others"):
        natural_key(document)


def test_a_real_search_page_gives_its_four_specimens() -> None:
    page = SHARED / "dissco" / "real-api-response" / "digital-specimen-search-page.json"
    if not page.exists():
        pytest.skip(f"the shared data is not here ({page}); set PROVENARIUM_SHARED_DATA")
    found = read(page)
    assert [natural_key(item.document).rsplit("/", 1)[1] for item in found if isinstance(item, OpenDSRecord)] == [
        "ZMA.CRUS.A.101075",
        "ZMA.AVES.11079",
        "ZMA.AVES.11099",
        "ZMA.AVES.11078",
    ]
