"""A Darwin Core Archive gives every record, whole, in file order, and says what it could not read and where."""

from __future__ import annotations

import gc
import hashlib
import random
import shutil
import tempfile
import zipfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.errors import InvalidArchive, StoreUnavailable
from sources.darwin_core.archive import DarwinCoreArchive, Limits
from sources.records import ArchiveRecord, Malformed
from tests.sources.dwca_building import (
    DWC,
    IDENTIFICATION,
    MULTIMEDIA,
    Content,
    Field,
    archive_of,
    core,
    malformed,
    meta,
    read,
    records,
    shared_data,
    table,
    zipped,
)

CORE = core("occurrenceID", "genus", "country")
MEDIA = table(
    "extension", "media.txt", [(1, "http://purl.org/dc/terms/identifier", "")], MULTIMEDIA, fieldsTerminatedBy="\\t"
)
NAMED = table("extension", "named.txt", [(1, DWC + "scientificName", "")], IDENTIFICATION)


# Rows and terms


def test_a_row_becomes_a_record_with_its_terms(tmp_path: Path) -> None:
    (record,) = records(archive_of(tmp_path, meta(CORE), "1,Araneus,NL\n"))
    assert record == ArchiveRecord(
        "1", "occurrence.csv line 1", {"dwc:occurrenceID": "1", "dwc:genus": "Araneus", "dwc:country": "NL"}
    )


def test_columns_are_read_by_meta_xml_and_never_by_their_headings(tmp_path: Path) -> None:
    content = "genus,country,occurrenceID\n1,Araneus,NL\n"
    (record,) = records(
        archive_of(tmp_path, meta(core("occurrenceID", "genus", "country", ignoreHeaderLines="1")), content)
    )
    assert record.core == {"dwc:occurrenceID": "1", "dwc:genus": "Araneus", "dwc:country": "NL"}
    assert record.place == "occurrence.csv line 2"


def test_columns_that_meta_xml_does_not_name_are_left_out(tmp_path: Path) -> None:
    description = meta(table("core", "occurrence.csv", [(2, DWC + "genus", "")], identifier=1))
    (record,) = records(archive_of(tmp_path, description, "secret,7,Araneus,more\n"))
    assert (record.id, record.core) == ("7", {"dwc:genus": "Araneus"})


def test_white_space_around_cells_is_dropped_and_empty_cells_are_absent(tmp_path: Path) -> None:
    (record,) = records(archive_of(tmp_path, meta(CORE), ' 1 ,"  Araneus diadematus\u00a0", \n'))
    assert (record.id, record.core) == ("1", {"dwc:occurrenceID": "1", "dwc:genus": "Araneus diadematus"})


def test_a_default_fills_empty_cells_and_columns_that_do_not_exist(tmp_path: Path) -> None:
    fields: list[Field] = ["occurrenceID", (1, DWC + "country", "Netherlands"), (None, DWC + "datasetID", " urn:x ")]
    found = records(archive_of(tmp_path, meta(core(*fields)), "1,Belgium\n2, \n"))
    assert [record.core["dwc:country"] for record in found] == ["Belgium", "Netherlands"]
    assert {record.core["dwc:datasetID"] for record in found} == {"urn:x"}


def test_several_files_are_read_one_after_the_other_each_with_its_header(tmp_path: Path) -> None:
    description = meta(core("occurrenceID", location=["b.csv", "./data/a.csv"], ignoreHeaderLines="1"))
    found = records(archive_of(tmp_path, description, {"data/a.csv": "id\n3\n", "b.csv": "id\n1\n2\n"}))
    assert [(record.id, record.place) for record in found] == [
        ("1", "b.csv line 2"),
        ("2", "b.csv line 3"),
        ("3", "data/a.csv line 2"),
    ]


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "UTF-16", "utf-16le", "windows-1252", "Latin1"])
def test_the_encoding_of_meta_xml_is_used(tmp_path: Path, encoding: str) -> None:
    content = "1,Brünnichia,Österreich\n".encode(encoding)
    (record,) = records(
        archive_of(tmp_path, meta(core("occurrenceID", "genus", "country", encoding=encoding)), content)
    )
    assert record.core["dwc:country"] == "Österreich"


def test_a_byte_order_mark_is_not_part_of_the_first_id(tmp_path: Path) -> None:
    (record,) = records(archive_of(tmp_path, meta(CORE), b"\xef\xbb\xbf1,a,b\n"))
    assert record.id == "1"


def test_an_empty_core_has_no_records(tmp_path: Path) -> None:
    assert read(archive_of(tmp_path, meta(CORE), "")) == []


# Malformed rows


def test_a_row_with_too_few_cells_is_malformed_and_the_rest_goes_on(tmp_path: Path) -> None:
    found = read(archive_of(tmp_path, meta(CORE), "1,a,b\n2,a\n3,a,b\n"))
    assert [row.id for row in found] == ["1", "2", "3"]
    assert found[1] == Malformed("occurrence.csv line 2", "the row has 2 cells where 3 belong", "2")


def test_a_row_with_more_or_fewer_cells_than_the_heading_is_malformed(tmp_path: Path) -> None:
    content = "id,genus,country,notes\n1,a,b,c\n2,a,b,c,d\n3,a,b\n4,a,b,\n"
    found = malformed(archive_of(tmp_path, meta(core("occurrenceID", "genus", ignoreHeaderLines="1")), content))
    assert [(row.id, row.reason) for row in found] == [
        ("2", "the row has 5 cells where 4 belong"),
        ("3", "the row has 3 cells where 4 belong"),
    ]


def test_a_comment_as_header_line_says_nothing_of_the_width(tmp_path: Path) -> None:
    content = "# exported today\n1,a,b,c\n"
    assert len(records(archive_of(tmp_path, meta(core("occurrenceID", "genus", ignoreHeaderLines="1")), content))) == 1


def test_delimiters_after_the_last_heading_may_be_left_out(tmp_path: Path) -> None:
    content = "id,genus,,\n1,a\n2,a,,\n"
    assert len(records(archive_of(tmp_path, meta(core("occurrenceID", "genus", ignoreHeaderLines="1")), content))) == 2


def test_a_row_without_core_id_is_malformed(tmp_path: Path) -> None:
    (row,) = malformed(archive_of(tmp_path, meta(CORE), "1,a,b\n  ,a,b\n"))
    assert row == Malformed("occurrence.csv line 2", "the core id in column 1 is empty")


def test_undecodable_bytes_and_nul_make_their_row_malformed(tmp_path: Path) -> None:
    found = read(archive_of(tmp_path, meta(CORE), b"1,a,b\n2,\xff,b\n3,a\0,b\n\xff4,a,b\n5,a,b\n"))
    assert [type(row) for row in found] == [ArchiveRecord, Malformed, Malformed, Malformed, ArchiveRecord]
    assert [row.id for row in found] == ["1", "2", "3", None, "5"]
    assert [row.place for row in found if isinstance(row, Malformed)] == [f"occurrence.csv line {n}" for n in (2, 3, 4)]


def test_places_are_true_lines_after_quoted_line_ends_and_broken_quotes(tmp_path: Path) -> None:
    content = '1,"a\n\nb",c\n2,"x\n3,a,b\n4,a,b\n'
    found = read(archive_of(tmp_path, meta(CORE), content))
    assert [(row.id, row.place, type(row)) for row in found] == [
        ("1", "occurrence.csv line 1", ArchiveRecord),
        ("2", "occurrence.csv line 4", Malformed),
        ("3", "occurrence.csv line 5", ArchiveRecord),
        ("4", "occurrence.csv line 6", ArchiveRecord),
    ]


def test_a_record_that_is_too_long_is_malformed(tmp_path: Path) -> None:
    path = archive_of(tmp_path, meta(CORE), "1,a,b\n2," + "x" * 200 + ",b\n3,a,b\n")
    assert [row.place for row in malformed(path, Limits(record_chars=100))] == ["occurrence.csv line 2"]


# Extensions


def test_extension_rows_join_their_core_row_in_file_order_even_when_unsorted(tmp_path: Path) -> None:
    files = {
        "occurrence.csv": "1,a,b\n2,a,b\n3,a,b\n",
        "media.txt": "2\tc\n1\ta\n2\td\n1\tb\n",
        "named.txt": "1,Aus bus\n",
    }
    first, second, third = records(archive_of(tmp_path, meta(CORE, MEDIA, NAMED), files))
    assert first.extensions == {
        "gbif:Multimedia": [{"dcterms:identifier": "a"}, {"dcterms:identifier": "b"}],
        "dwc:Identification": [{"dwc:scientificName": "Aus bus"}],
    }
    assert second.extensions == {"gbif:Multimedia": [{"dcterms:identifier": "c"}, {"dcterms:identifier": "d"}]}
    assert third.extensions == {}


def test_any_join_equals_the_join_in_memory(tmp_path: Path) -> None:
    chance = random.Random(7)
    ids = [f"id {number}" for number in range(200)]
    rows = [(chance.choice([*ids, "nobody"]), f"m{number}") for number in range(2000)]
    files = {
        "occurrence.csv": "".join(f"{core_id},a,b\n" for core_id in ids),
        "media.txt": "".join(f"{core_id}\t{name}\n" for core_id, name in rows),
    }
    found = read(archive_of(tmp_path, meta(CORE, MEDIA), files))
    for record in found:
        if isinstance(record, ArchiveRecord):
            expected = [{"dcterms:identifier": name} for core_id, name in rows if core_id == record.id]
            assert record.extensions.get("gbif:Multimedia", []) == expected
    left = [row.place for row in found if isinstance(row, Malformed)]
    assert left == [f"media.txt line {line}" for line, (core_id, _) in enumerate(rows, 1) if core_id == "nobody"]


def test_tables_of_one_row_type_are_one_list(tmp_path: Path) -> None:
    other = MEDIA.replace("media.txt", "more.txt")
    files = {"occurrence.csv": "1,a,b\n", "media.txt": "1\ta\n", "more.txt": "1\tb\n"}
    (record,) = records(archive_of(tmp_path, meta(CORE, MEDIA, other), files))
    assert [row["dcterms:identifier"] for row in record.extensions["gbif:Multimedia"]] == ["a", "b"]


def test_extension_rows_of_no_core_row_are_reported_at_the_end(tmp_path: Path) -> None:
    files = {"occurrence.csv": "1,a,b\n2,a\n", "media.txt": "9\ta\n1\tb\n2\tc\n\td\n"}
    found = read(archive_of(tmp_path, meta(CORE, MEDIA), files))
    assert isinstance(found[0], ArchiveRecord)
    assert [(row.place, row.id) for row in found[1:]] == [
        ("occurrence.csv line 2", "2"),
        ("media.txt line 1", "9"),
        ("media.txt line 3", "2"),
        ("media.txt line 4", None),
    ]
    assert "belongs to no core row" in str(found[2])


def test_a_record_is_not_given_without_an_extension_row_that_cannot_be_read(tmp_path: Path) -> None:
    files: dict[str, Content] = {"occurrence.csv": "1,a,b\n2,a,b\n", "media.txt": b"1\ta\n1\t\xff\n2\tb\n"}
    found = read(archive_of(tmp_path, meta(CORE, MEDIA), files))
    assert [(type(row), row.id, row.place) for row in found] == [
        (Malformed, "1", "occurrence.csv line 1"),
        (ArchiveRecord, "2", "occurrence.csv line 2"),
        (Malformed, "1", "media.txt line 2"),
    ]
    assert "media.txt line 2" in found[0].reason  # type: ignore[union-attr]


def test_a_core_row_with_too_much_extension_is_malformed_and_the_rest_goes_on(tmp_path: Path) -> None:
    files = {"occurrence.csv": "1,a,b\n2,a,b\n", "media.txt": "1\taaaaaaaaaa\n" * 1000 + "2\tb\n"}
    path = archive_of(tmp_path, meta(CORE, MEDIA), files)
    found = read(path, Limits(record_extension_bytes=100_000))
    assert [(type(row), row.id) for row in found] == [(Malformed, "1"), (ArchiveRecord, "2")]


def test_a_core_row_that_repeats_an_id_does_not_get_its_extension_rows_again(tmp_path: Path) -> None:
    files = {"occurrence.csv": "1,a,b\n1,a,c\n2,a,b\n", "media.txt": "1\tx\n"}
    first, again, other = read(archive_of(tmp_path, meta(CORE, MEDIA), files))
    assert isinstance(first, ArchiveRecord)
    assert len(first.extensions) == 1
    assert isinstance(again, Malformed)
    assert again.reason == "an earlier core row has the same id"
    assert isinstance(other, ArchiveRecord)


def test_extension_rows_that_find_no_room_stop_the_reading_with_advice(tmp_path: Path) -> None:
    files = {"occurrence.csv": "1,a,b\n", "media.txt": "".join(f"{n}\t{'x' * 90}\n" for n in range(10_000))}
    path = archive_of(tmp_path, meta(CORE, MEDIA), files)
    with DarwinCoreArchive.open(path, Limits(total_bytes=2_000_000)) as archive:
        archive._limits = Limits(total_bytes=100_000)
        with pytest.raises(StoreUnavailable, match="SQLITE_TMPDIR"):
            list(archive)


# The whole


def test_an_archive_may_be_read_again_and_by_several_at_once(tmp_path: Path) -> None:
    files = {"occurrence.csv": "1,a,b\n2,a,b\n", "media.txt": "2\tx\n3\ty\n"}
    with DarwinCoreArchive.open(archive_of(tmp_path, meta(CORE, MEDIA), files)) as archive:
        together = list(zip(archive, archive, strict=True))
        assert [first for first, _ in together] == [second for _, second in together] == list(archive)
        assert len(together) == 3


def test_leaving_off_early_leaves_nothing_open(tmp_path: Path) -> None:
    files = {"occurrence.csv": "1,a,b\n2,a,b\n", "media.txt": "2\tx\n3\ty\n"}
    before = set(Path(tempfile.gettempdir()).iterdir())
    with DarwinCoreArchive.open(archive_of(tmp_path, meta(CORE, MEDIA), files)) as archive:
        assert next(iter(archive)).id == "1"
    gc.collect()  # a warning about an open file would fail this test
    assert not [path for path in set(Path(tempfile.gettempdir()).iterdir()) - before if "sqlite" in path.name]


def test_closing_twice_does_no_harm(tmp_path: Path) -> None:
    archive = DarwinCoreArchive.open(archive_of(tmp_path, meta(CORE), "1,a,b\n"))
    archive.close()
    archive.close()


def test_count_is_the_number_of_data_lines(tmp_path: Path) -> None:
    description = meta(core("occurrenceID", location=["a.csv", "b.csv"], ignoreHeaderLines="1"))
    with DarwinCoreArchive.open(
        archive_of(tmp_path, description, {"a.csv": "id\n1\n2\n", "b.csv": "id\n3"})
    ) as archive:
        assert archive.count == 3


def test_the_digest_of_a_zip_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = archive_of(tmp_path, meta(CORE), "1,a,b\n")
    with DarwinCoreArchive.open(path) as archive:
        assert archive.metadata.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_folder_reads_like_its_zip_and_its_digest_is_of_what_belongs_to_it(tmp_path: Path) -> None:
    files = {
        "occurrence.csv": "1,a,b\n",
        "media.txt": "1\tx\n",
        "eml.xml": "<eml><dataset><title>T</title></dataset></eml>",
    }
    path = archive_of(tmp_path, meta(CORE, MEDIA), files)
    folder = tmp_path / "folder"
    with zipfile.ZipFile(path) as unpacked:
        unpacked.extractall(folder)
    assert records(folder) == records(path)
    with DarwinCoreArchive.open(folder) as archive:
        digest = archive.metadata.sha256
        assert archive.metadata.title == "T"
    listing = "".join(
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("eml.xml", "media.txt", "meta.xml", "occurrence.csv")
    )
    assert digest == hashlib.sha256(listing.encode()).hexdigest()
    (folder / "notes.txt").write_text("belongs to nobody")
    with DarwinCoreArchive.open(folder) as archive:
        assert archive.metadata.sha256 == digest
    (folder / "media.txt").write_text("1\ty\n")
    with DarwinCoreArchive.open(folder) as archive:
        assert archive.metadata.sha256 != digest


def test_an_archive_within_one_top_folder_is_found(tmp_path: Path) -> None:
    members: dict[str, Content] = {
        "dwca/meta.xml": meta(CORE),
        "dwca/occurrence.csv": "1,a,b\n",
        "__MACOSX/dwca/._meta.xml": b"\0\5",
    }
    (record,) = records(zipped(tmp_path / "a.zip", members))
    assert record.place == "occurrence.csv line 1"
    with zipfile.ZipFile(tmp_path / "a.zip") as unpacked:
        unpacked.extractall(tmp_path / "folder")
    assert records(tmp_path / "folder") == [record]


def test_eml_is_read_where_meta_xml_says_or_by_its_usual_name(tmp_path: Path) -> None:
    eml = "<eml><dataset><title>Spiders</title><pubDate> 2022-03 </pubDate></dataset></eml>"
    for described, name in ((meta(CORE, metadata="about.xml"), "about.xml"), (meta(CORE), "eml.xml")):
        with DarwinCoreArchive.open(archive_of(tmp_path, described, {"occurrence.csv": "", name: eml})) as archive:
            assert archive.metadata.title == "Spiders"
            assert archive.metadata.published == datetime(2022, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("metadata", ["", "eml.xml", "http://gbif.org/eml.xml"])
def test_an_archive_without_eml_is_fine(tmp_path: Path, metadata: str) -> None:
    with DarwinCoreArchive.open(archive_of(tmp_path, meta(CORE, metadata=metadata), "1,a,b\n")) as archive:
        assert (archive.metadata.title, archive.metadata.licence, archive.metadata.published) == (None, None, None)


def test_a_file_name_in_another_letter_case_is_found(tmp_path: Path) -> None:
    (record,) = records(archive_of(tmp_path, meta(core("occurrenceID", location="Occurrence.csv")), "1\n"))
    assert record.place == "occurrence.csv line 1"


# Without meta.xml


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_without_meta_xml_headings_are_terms(tmp_path: Path, delimiter: str) -> None:
    lines = [
        ["occurrenceID", "dwc:genus", "license", "My notes"],
        ["1", "Araneus", "CC0", '"a, b; c"'],
        ["2", "", "", ""],
    ]
    path = zipped(tmp_path / "a.zip", {"data.txt": "\ufeff" + "\n".join(map(delimiter.join, lines))})
    first, second = records(path)
    assert first.core == {
        "dwc:occurrenceID": "1",
        "dwc:genus": "Araneus",
        "dcterms:license": "CC0",
        "My notes": "a, b; c",
    }
    assert (second.id, second.place) == ("2", "data.txt line 3")


def test_without_meta_xml_a_column_headed_id_is_the_id(tmp_path: Path) -> None:
    (record,) = records(zipped(tmp_path / "a.zip", {"data.csv": "genus,ID,catalogNumber\nAraneus,7,8\n"}))
    assert record.id == "7"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.csv": "occurrenceID\n1\n", "b.csv": "occurrenceID\n1\n"}, "meta.xml"),
        ({"picture.png": b"\x89PNG"}, "meta.xml"),
        ({}, "meta.xml"),
        ({"a.csv": "nr,species\n1,Araneus\n"}, "head"),
        ({"a.csv": "genus,family\n1,Araneus\n"}, "head"),
        ({"a.csv": ""}, "head"),
        ({"a.csv": "occurrenceID,genus,Genus\n1,a,b\n"}, "two columns for dwc:genus"),
        ({"a/b/meta.xml": meta(CORE), "a/b/occurrence.csv": "occurrenceID\n1", "x.csv": "y"}, "meta.xml"),
    ],
)
def test_without_meta_xml_anything_else_is_refused(tmp_path: Path, members: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidArchive, match=message):
        read(zipped(tmp_path / "a.zip", members))


# Real archives

CC0 = "http://creativecommons.org/publicdomain/zero/1.0/legalcode"
COUNTS = {
    "rato/rato-05.zip": (3807, datetime(2022, 10, 20, tzinfo=UTC), "CC0 1.0"),
    "rato/rato-07.zip": (3802, datetime(2023, 2, 2, tzinfo=UTC), "CC0 1.0"),
    "rato/rato-10.zip": (3802, datetime(2023, 2, 24, tzinfo=UTC), "CC0 1.0"),
    "dissco/dwca/dwca-naturalis-ac-media.zip": (14, datetime(2022, 11, 7, tzinfo=UTC), CC0),
    "dissco/dwca/dwca-only-occurrences.zip": (14, datetime(2022, 11, 7, tzinfo=UTC), CC0),
    "dissco/dwca/dwca-invalid-ac-media.zip": (1, datetime(2022, 11, 7, tzinfo=UTC), CC0),
    "dissco/dwca/dwca-lux-associated-media.zip": (20, datetime(2022, 1, 21, tzinfo=UTC), CC0),
}


@pytest.mark.parametrize("name", COUNTS)
def test_real_archives_are_read_whole(name: str) -> None:
    count, published, licence = COUNTS[name]
    path = shared_data() / name
    found = records(path)
    assert len(found) == count
    assert len({record.id for record in found}) == count
    with DarwinCoreArchive.open(path) as archive:
        assert archive.count == count
        assert archive.metadata.published == published
        assert archive.metadata.licence == licence
        assert archive.metadata.title


def test_real_media_rows_join_their_specimens() -> None:
    found = records(shared_data() / "dissco/dwca/dwca-naturalis-ac-media.zip")
    media = [row for record in found for row in record.extensions["ac:Multimedia"]]
    assert len(media) == 14
    assert Counter(term for row in media for term in row)["ac:accessURI"] == 14
    assert found[0].core["dwc:occurrenceID"].startswith("https://")


def test_a_real_archive_unpacked_reads_the_same(tmp_path: Path) -> None:
    path = shared_data() / "dissco/dwca/dwca-naturalis-ac-media.zip"
    shutil.unpack_archive(path, tmp_path)
    assert records(tmp_path) == records(path)
