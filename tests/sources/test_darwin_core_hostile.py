"""An archive made to do harm is refused with a reason, whatever it tries."""

from __future__ import annotations

import os
import random
import stat
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import InvalidArchive
from sources.darwin_core.archive import DarwinCoreArchive, Limits
from sources.records import Malformed
from tests.sources.dwca_building import core, meta, read, table, zipped

CORE = core("occurrenceID", "genus")
GOOD = {"meta.xml": meta(CORE), "occurrence.csv": "1,Araneus\n"}
MIB = 1 << 20


def refused(path: Path, message: str, limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
    with pytest.raises(InvalidArchive, match=message) as caught:
        read(path, limits)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "location",
    [
        "../occurrence.csv",
        "data/../../occurrence.csv",
        "/etc/passwd",
        "C:\\data.csv",
        "C:/data.csv",
        "..\\data.csv",
        "file:///etc/passwd",
        "http://example.org/occurrence.csv",
        "ftp://example.org/occurrence.csv",
        "a\tb.csv",
        "x" * 2000,
    ],
)
def test_a_location_outside_the_archive_is_refused(tmp_path: Path, location: str) -> None:
    description = meta(core("occurrenceID", location=location))
    refused(zipped(tmp_path / "a.zip", GOOD | {"meta.xml": description}), "unsafe path|nothing outside")
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "occurrence.csv").write_text("1\n")
    (folder / "meta.xml").write_text(description)
    refused(folder, "unsafe path|nothing outside")


@pytest.mark.parametrize("metadata", ["../eml.xml", "/etc/passwd", "file:///etc/passwd"])
def test_a_metadata_document_outside_the_archive_is_refused(tmp_path: Path, metadata: str) -> None:
    refused(
        zipped(tmp_path / "a.zip", GOOD | {"meta.xml": meta(CORE, metadata=metadata)}), "unsafe path|nothing outside"
    )


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "C:/evil.txt", "a\\evil.txt", "a\nb.txt"]
)
def test_a_member_with_an_unsafe_name_is_refused(tmp_path: Path, name: str) -> None:
    refused(zipped(tmp_path / "a.zip", GOOD | {name: "x"}), "unsafe path|nothing outside")


def test_a_member_cut_off_at_a_nul_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", GOOD | {"evil.txtXevil": "x"})
    path.write_bytes(path.read_bytes().replace(b"evil.txtXevil", b"evil.txt\0evil"))
    refused(path, "unsafe path")


def test_a_file_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    refused(
        zipped(tmp_path / "a.zip", {"meta.xml": meta(CORE), "other.csv": "1"}), "'occurrence.csv'.*meta.xml, other.csv"
    )


def test_a_file_of_two_tables_is_refused(tmp_path: Path) -> None:
    extension = table("extension", "occurrence.csv", ["x"], "http://rs.gbif.org/terms/1.0/Multimedia")
    refused(zipped(tmp_path / "a.zip", GOOD | {"meta.xml": meta(CORE, extension)}), "twice")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("occurrence.csv", "./occurrence.csv"):
        path = zipped(tmp_path / "a.zip", GOOD)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, "2,Other\n")
        refused(path, "twice")


def test_several_archives_in_one_are_refused(tmp_path: Path) -> None:
    members = {f"{folder}/{name}": content for folder in ("a", "b") for name, content in GOOD.items()}
    refused(zipped(tmp_path / "a.zip", members), "several archives")


def test_a_symbolic_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"meta.xml": meta(CORE)})
    link = zipfile.ZipInfo("occurrence.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(path, "symbolic link")


def test_symbolic_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "occurrence.csv").write_text("1,secret\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "meta.xml").write_text(meta(CORE))
    (folder / "occurrence.csv").symlink_to(outside / "occurrence.csv")
    refused(folder, "link")
    (folder / "occurrence.csv").unlink()
    (folder / "data").symlink_to(outside)
    (folder / "meta.xml").write_text(meta(core("occurrenceID", location="data/occurrence.csv")))
    refused(folder, "does not hold")


def test_a_pipe_in_a_folder_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "meta.xml").write_text(meta(CORE))
    os.mkfifo(tmp_path / "occurrence.csv")
    refused(tmp_path, "regular file")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", GOOD)
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + flags] |= 1
    path.write_bytes(data)
    refused(path, "encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_packing_method_that_cannot_be_bounded_is_refused(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in GOOD.items():
            archive.writestr(name, content)
    refused(path, "deflate")


def test_a_member_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path: Path) -> None:
    refused(zipped(tmp_path / "a.zip", GOOD | {"occurrence.csv": "1,a\n" * (5 * MIB)}), "times its size")


def test_many_members_too_small_for_a_ratio_of_their_own_are_judged_together(tmp_path: Path) -> None:
    members = {f"{number}.csv": "\n" * (2 * MIB) for number in range(10)}
    refused(zipped(tmp_path / "a.zip", GOOD | members), "the zip unpacks to over 400 times its size")
    few = dict(list(members.items())[:4])
    assert len(read(zipped(tmp_path / "b.zip", GOOD | few))) == 1, "below 16 MiB it does no harm"


def test_members_beyond_the_total_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", GOOD | {"occurrence.csv": "1,a\n" * 1000})
    refused(path, "unpacks to", Limits(total_bytes=3000))
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "folder")
    refused(tmp_path / "folder", "exceed", Limits(total_bytes=3000))


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", GOOD | {f"{number}.png": "" for number in range(20)})
    refused(path, "22 members", Limits(members=10))
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "folder")
    refused(tmp_path / "folder", "more than 10 files", Limits(members=10))


def test_a_huge_list_of_members_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", GOOD | {"x" * 900 + str(number): "" for number in range(1200)})
    refused(path, "lists too many members", Limits(members=10))


def test_defaults_that_would_make_much_out_of_little_are_refused(tmp_path: Path) -> None:
    def with_defaults(*lengths: int) -> Path:
        fields = [(None, f"http://example.org/{number}", "x" * length) for number, length in enumerate(lengths)]
        return zipped(tmp_path / "a.zip", GOOD | {"meta.xml": meta(core("occurrenceID", *fields))})

    refused(with_defaults(10_001), "a default of 10001 characters for http://example.org/0; at most 10000")
    refused(with_defaults(*[10_000] * 10, 1), "defaults of 100001 characters together; at most 100000")
    (found,) = read(with_defaults(*[10_000] * 10))
    assert not isinstance(found, Malformed)


@pytest.mark.parametrize(
    ("what", "element"), [("title", "<title>{}</title>"), ("licence", "<intellectualRights>{}</intellectualRights>")]
)
def test_what_is_said_of_every_record_is_bounded(tmp_path: Path, what: str, element: str) -> None:
    def with_text(length: int) -> Path:
        eml = f"<eml><dataset>{element.format('x' * length)}</dataset></eml>"
        return zipped(tmp_path / "a.zip", GOOD | {"eml.xml": eml})

    refused(with_text(100_001), f"a {what} of 100001 characters; at most 100000")
    assert len(read(with_text(100_000))) == 1


def test_an_eml_document_of_more_than_four_mebibytes_is_refused(tmp_path: Path) -> None:
    eml = "<eml><dataset/></eml>"
    refused(zipped(tmp_path / "a.zip", GOOD | {"eml.xml": eml + " " * 4 * MIB}), "eml.xml is larger than 4194304 bytes")
    assert len(read(zipped(tmp_path / "b.zip", GOOD | {"eml.xml": eml + " " * (4 * MIB - len(eml))}))) == 1


def test_an_over_large_description_is_refused(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "a.zip", GOOD | {"meta.xml": meta(CORE) + " " * 100_000, "eml.xml": "<eml/>" + " " * 100_000}
    )
    refused(path, "meta.xml is larger than 50000", Limits(meta_bytes=50_000))
    refused(path, "eml.xml is larger than 50000", Limits(eml_bytes=50_000))


def test_a_declared_size_that_lies_is_found_while_reading(tmp_path: Path) -> None:
    content = "".join(f"{number},{random.Random(number).random()}\n" for number in range(10_000))
    path = zipped(tmp_path / "a.zip", GOOD | {"occurrence.csv": content})
    size = struct.pack("<L", len(content))
    for lie in (len(content) // 2, len(content) * 2, 10):
        lying = tmp_path / f"lying-{lie}.zip"
        lying.write_bytes(path.read_bytes().replace(size, struct.pack("<L", lie)))
        refused(lying, "occurrence.csv")


def test_members_that_share_bytes_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", GOOD | {"bbbbbbbbbb.csv": "x" * 50, "aaaaaaaaaa.csv": "x" * 50})
    data = bytearray(path.read_bytes())
    entries = [at for at in range(len(data)) if data[at : at + 4] == b"PK\1\2"]
    first, second = entries[2:4]
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    path.write_bytes(data)
    refused(path, "overlap")


def test_damaged_content_is_found_while_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in GOOD.items():
            archive.writestr(name, content)
    path.write_bytes(path.read_bytes().replace(b"1,Araneus", b"1,Arameus"))
    with DarwinCoreArchive.open(path) as opened, pytest.raises(InvalidArchive, match="damaged"):
        list(opened)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"occurrenceID\n1\n", b"PK\5\6" + b"\0" * 18, b"PK\5\6" + b"\xff" * 18]
)
def test_what_is_no_zip_or_an_empty_one_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    refused(path, "zip file|meta.xml")


def test_a_path_of_nothing_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.zip", "no such file")
    refused(tmp_path, "meta.xml")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_zip_with_any_bytes_changed_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = zipped(tmp_path / "a.zip", GOOD | {"eml.xml": "<eml><dataset/></eml>"})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with suppress(InvalidArchive):
        read(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(['"', ""]), st.sampled_from(["UTF-8", "UTF-16", "latin-1"]))
def test_any_bytes_as_table_are_records_and_malformed_rows(
    tmp_path: Path, content: bytes, quote: str, encoding: str
) -> None:
    description = meta(core("occurrenceID", "genus", fieldsEnclosedBy=quote, encoding=encoding))
    for row in read(zipped(tmp_path / "a.zip", {"meta.xml": description, "occurrence.csv": content})):
        assert row.place.startswith("occurrence.csv line ")
        str(row).encode()
