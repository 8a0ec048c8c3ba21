"""What meta.xml and EML say is read by the standard, and what contradicts itself is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.errors import InvalidArchive
from sources.darwin_core.meta import parse_eml, parse_meta
from tests.sources.dwca_building import DWC, MULTIMEDIA, core, meta, table

EXTENSION = table("extension", "media.txt", [(1, "http://purl.org/dc/terms/identifier", "")], MULTIMEDIA)


def eml(*parts: str) -> bytes:
    return f'<e:eml xmlns:e="eml://ecoinformatics.org/eml-2.1.1"><dataset>{"".join(parts)}</dataset></e:eml>'.encode()


def test_terms_row_types_and_columns_are_read() -> None:
    described = parse_meta(meta(core("occurrenceID", "genus"), EXTENSION, metadata="eml.xml").encode())
    assert described.core.row_type == "dwc:Occurrence"
    assert described.core.columns == ((0, "dwc:occurrenceID"), (1, "dwc:genus"))
    assert described.core.width == 2
    assert described.extensions[0].row_type == "gbif:Multimedia"
    assert described.extensions[0].columns == ((1, "dcterms:identifier"),)
    assert described.metadata == "eml.xml"


def test_dialect_defaults_are_those_of_the_text_guide() -> None:
    field = f'<field index="0" term="{DWC}taxonID"/>'
    text = f'<archive><core rowType="x"><files><location>a.txt</location></files>{field}</core></archive>'
    dialect = parse_meta(text.encode()).core.dialect
    assert (dialect.delimiter, dialect.quote, dialect.terminator, dialect.encoding) == (",", '"', "\n", "utf-8")
    assert dialect.header_lines == 0


@pytest.mark.parametrize("tab", ["\\t", "&#9;", "\t", "&#x9;"])
@pytest.mark.parametrize("line_feed", ["\\n", "&#10;", "\n", "&#xA;"])
def test_every_way_to_write_tab_and_line_feed_is_understood(tab: str, line_feed: str) -> None:
    text = meta(core("a")).replace(
        'fieldsTerminatedBy=","', f'fieldsTerminatedBy="{tab}" linesTerminatedBy="{line_feed}"'
    )
    dialect = parse_meta(text.encode()).core.dialect
    assert (dialect.delimiter, dialect.terminator) == ("\t", "\n")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("\\r\\n", "\r\n"), ("\\r", "\r"), ("\\|", "|"), ("||", "||"), ("\\\\", "\\"), ("~^~", "~^~")],
)
def test_escapes_and_several_characters_terminate_lines(written: str, meant: str) -> None:
    assert parse_meta(meta(core("a", linesTerminatedBy=written)).encode()).core.dialect.terminator == meant


@pytest.mark.parametrize("nothing", ["", " ", "\\0"])
def test_an_empty_enclosure_means_no_quoting(nothing: str) -> None:
    assert parse_meta(meta(core("a", fieldsEnclosedBy=nothing)).encode()).core.dialect.quote == ""


def test_the_core_needs_no_id_if_it_has_its_own_identifier() -> None:
    fields = [(3, DWC + "catalogNumber", ""), (2, DWC + "occurrenceID", "")]
    assert parse_meta(meta(table("core", "a.txt", fields, identifier=None)).encode()).core.id_column == 2
    assert parse_meta(meta(table("core", "a.txt", fields[:1], identifier=None)).encode()).core.id_column == 3


def test_a_bare_term_stays_as_it_is() -> None:
    assert parse_meta(meta(core((0, "genus", ""))).encode()).core.columns == ((0, "genus"),)


def test_the_same_field_given_twice_is_one() -> None:
    assert parse_meta(meta(core("genus", (0, DWC + "genus", ""))).encode()).core.columns == ((0, "dwc:genus"),)


def test_a_remote_metadata_document_is_not_looked_for() -> None:
    assert parse_meta(meta(core("a"), metadata="https://gbif.org/eml.xml").encode()).metadata is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<archive>", "well-formed"),
        ("", "well-formed"),
        ("<?xml version='1.0' encoding='no-such'?><archive/>", "well-formed"),
        ("<html/>", "<html>"),
        (meta(), "0 <core>"),
        (meta(core("a"), core("a")), "2 <core>"),
        (meta(core("a")).replace("<location>occurrence.csv</location>", ""), "no file"),
        (meta(core("a")).replace("rowType=", "rowtype="), "row type"),
        (meta(core("genus", "genus")), "two columns for dwc:genus"),
        (meta(core("genus", (None, DWC + "genus", "Araneus"))), "two columns for dwc:genus"),
        (meta(core("a")).replace('index="0"', 'index="-1"'), "column index"),
        (meta(core("a")).replace('index="0"', 'index="9999999"'), "column index"),
        (meta(core("a", ignoreHeaderLines="one")), "ignoreHeaderLines"),
        (meta(core("a", encoding="klingon")), "encoding"),
        (meta(core("a", fieldsTerminatedBy="")), "fieldsTerminatedBy"),
        (meta(core("a", fieldsEnclosedBy='""')), "fieldsEnclosedBy"),
        (meta(core((0, " ", ""))), "term"),
        (meta(table("core", "a.txt", ["genus"], identifier=None)), "<id"),
        (meta(table("core", "a.txt", ["occurrenceID"], identifier=None), EXTENSION), "<id"),
        (meta(core("a"), EXTENSION.replace("coreid", "id")), "<coreid"),
        (meta(core(*((0, f"{DWC}t{number}", "") for number in range(11)))), "one column"),
    ],
)
def test_a_metafile_that_cannot_be_right_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArchive, match=message):
        parse_meta(text.encode())


BILLION_LAUGHS = '<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;&x;&x;&x;">]><archive>&y;</archive>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><archive>&x;</archive>'
DOCTYPE = '<!DOCTYPE archive SYSTEM "http://example.org/x.dtd"><archive/>'


@pytest.mark.parametrize("text", [BILLION_LAUGHS, OUTSIDE, DOCTYPE])
def test_document_types_and_entities_are_refused(text: str) -> None:
    with pytest.raises(InvalidArchive, match="entities"):
        parse_meta(text.encode())
    with pytest.raises(InvalidArchive, match="entities"):
        parse_eml(text.encode())


def test_deeply_nested_xml_does_no_harm() -> None:
    assert parse_eml(b"<a>" * 100_000 + b"</a>" * 100_000).title is None
    assert parse_eml(eml("<title>" + "<a>" * 100_000 + "x" + "</a>" * 100_000 + "</title>")).title == "x"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2022-01-21", datetime(2022, 1, 21, tzinfo=UTC)),
        ("\n   2022-01-21\n  ", datetime(2022, 1, 21, tzinfo=UTC)),
        ("2022-03", datetime(2022, 3, 1, tzinfo=UTC)),
        ("2022", datetime(2022, 1, 1, tzinfo=UTC)),
        ("2022-02-30", None),
        ("0000", None),
        ("last year", None),
        ("21/01/2022", None),
        ("", None),
    ],
)
def test_the_publication_date_is_the_first_moment_of_its_day(text: str, moment: datetime | None) -> None:
    assert parse_eml(eml(f"<pubDate>{text}</pubDate>")).published == moment


def test_the_title_is_the_first_that_says_something() -> None:
    assert (
        parse_eml(eml("<title> </title><title xml:lang='en'>Spiders\n  of Leiden</title>")).title == "Spiders of Leiden"
    )


CC0 = "http://creativecommons.org/publicdomain/zero/1.0/legalcode"


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (
            f'<intellectualRights><para>See <ulink url="{CC0}"><c>CC0</c></ulink>.</para></intellectualRights>',
            CC0,
        ),
        (f'<intellectualRights><ulink url="http://museum.org/"/><ulink url="{CC0}"/></intellectualRights>', CC0),
        (f"<licensed><licenseName>CC0</licenseName><url>{CC0}</url></licensed>", CC0),
        ("<intellectualRights><para>CC0\n 1.0</para></intellectualRights>", "CC0 1.0"),
        ("<intellectualRights/>", None),
        ("", None),
    ],
)
def test_the_licence_is_its_address_or_else_its_text(text: str, licence: str | None) -> None:
    assert parse_eml(eml(text)).licence == licence


def test_a_document_that_is_no_eml_says_nothing() -> None:
    assert parse_eml(b"<metadata><dataset2/></metadata>").title is None
