"""Term IRIs become compact terms, and nothing is guessed."""

from __future__ import annotations

import pytest

from sources.darwin_core.terms import compact, term_of_heading


@pytest.mark.parametrize(
    ("iri", "term"),
    [
        ("http://rs.tdwg.org/dwc/terms/occurrenceID", "dwc:occurrenceID"),
        ("http://rs.tdwg.org/dwc/terms/Identification", "dwc:Identification"),
        ("http://rs.tdwg.org/dwc/iri/recordedBy", "dwciri:recordedBy"),
        ("http://purl.org/dc/terms/license", "dcterms:license"),
        ("http://purl.org/dc/elements/1.1/type", "dc:type"),
        ("http://rs.tdwg.org/ac/terms/Multimedia", "ac:Multimedia"),
        ("http://rs.gbif.org/terms/1.0/Multimedia", "gbif:Multimedia"),
        ("http://rs.gbif.org/terms/dna_sequence", "gbif:dna_sequence"),
        ("http://rs.tdwg.org/chrono/terms/ChronometricAge", "chrono:ChronometricAge"),
        ("http://rs.iobis.org/obis/terms/ExtendedMeasurementOrFact", "obis:ExtendedMeasurementOrFact"),
        ("http://ns.adobe.com/xap/1.0/rights/Owner", "xmpRights:Owner"),
        ("http://ns.adobe.com/xap/1.0/CreateDate", "xmp:CreateDate"),
        ("http://ns.adobe.com/exif/1.0/PixelXDimension", "exif:PixelXDimension"),
        ("http://iptc.org/std/Iptc4xmpExt/2008-02-29/CVterm", "Iptc4xmpExt:CVterm"),
        ("http://rs.tdwg.org/eco/terms/isAbundanceReported", "eco:isAbundanceReported"),
        ("  http://rs.tdwg.org/dwc/terms/genus\n", "dwc:genus"),
        ("https://rs.tdwg.org/dwc/terms/genus", "dwc:genus"),
    ],
)
def test_a_known_namespace_is_written_as_its_prefix(iri: str, term: str) -> None:
    assert compact(iri) == term


@pytest.mark.parametrize(
    "iri",
    [
        "http://unknown.org/x",
        "https://symbiota.org/terms/recordID",
        "http://rs.tdwg.org/dwc/terms/",
        "http://rs.tdwg.org/dwc/terms/attributes/status",
        "scientificName",
        "dwc:scientificName",
    ],
)
def test_what_is_unknown_or_no_iri_stays_whole(iri: str) -> None:
    assert compact(iri) == iri


@pytest.mark.parametrize(
    ("heading", "term"),
    [
        ("catalogNumber", "dwc:catalogNumber"),
        (" CATALOGNUMBER ", "dwc:catalogNumber"),
        ("license", "dcterms:license"),
        ("dwc:genus", "dwc:genus"),
        ("http://purl.org/dc/terms/modified", "dcterms:modified"),
        ("Species", None),
        ("unknown:genus", None),
        ("http://unknown.org/x", None),
        ("", None),
    ],
)
def test_a_heading_is_a_term_only_if_it_names_one(heading: str, term: str | None) -> None:
    assert term_of_heading(heading) == term
