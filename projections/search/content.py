"""What search sees of a document: words, facets, and what people call it.

Terms are looked for at every depth by their own name, so ``dwc:country`` wherever a location stands.
"""

from __future__ import annotations

import unicodedata
from typing import Any, NamedTuple

from domain.mids import mids_level

WORDS = frozenset(
    {
        *("ods:physicalSpecimenID", "ods:normalisedPhysicalSpecimenID", "dcterms:identifier", "dwc:catalogNumber"),
        *("ods:specimenName", "dwc:scientificName", "dwc:vernacularName", "dwc:verbatimIdentification"),
        *("dwc:kingdom", "dwc:phylum", "dwc:class", "dwc:order", "dwc:family", "dwc:genus", "dwc:specificEpithet"),
        *("dwc:typeStatus", "dwc:collectionCode", "dwc:collectionID", "dwc:datasetName", "ods:organisationName"),
        *("ods:organisationCode", "ods:sourceSystemName", "dwc:recordedBy", "schema:name", "dwc:fieldNumber"),
        *("dwc:continent", "dwc:country", "dwc:countryCode", "dwc:stateProvince", "dwc:county", "dwc:municipality"),
        *("dwc:island", "dwc:islandGroup", "dwc:waterBody", "dwc:higherGeography", "dwc:locality"),
        *("dwc:verbatimLocality", "dwc:habitat", "dwc:eventDate", "dwc:verbatimEventDate", "dwc:preparations"),
        *("dwc:formation", "dwc:earliestAgeOrLowestStage", "dwc:earliestPeriodOrLowestSystem"),
        *("dcterms:title", "dcterms:description", "dcterms:creator", "ac:caption", "ac:accessURI"),
        *("dwc:occurrenceRemarks", "dwc:verbatimLabel"),
    }
)
"""Terms whose text is searched for words."""

FACETS = frozenset(
    {
        *("dcterms:license", "dcterms:type", "dwc:basisOfRecord", "dwc:collectionCode", "dwc:datasetName"),
        *("dwc:continent", "dwc:country", "dwc:countryCode", "dwc:kingdom", "dwc:phylum", "dwc:class", "dwc:order"),
        *("dwc:family", "dwc:genus", "dwc:typeStatus", "dwc:sex", "dwc:lifeStage", "dwc:preparations"),
        *("ods:isKnownToContainMedia", "ods:isMarkedAsType", "ods:livingOrPreserved", "ods:organisationID"),
        *("ods:organisationName", "ods:sourceSystemID", "ods:sourceSystemName", "ods:topicDiscipline"),
        *("ods:topicDomain", "ods:topicOrigin"),
    }
)
"""Terms that results are narrowed by and counted by; besides them ``ods:midsLevel``, which is computed."""

MIDS = "ods:midsLevel"
TYPE = "@type"
"""A facet of every object, so that those of a rare type are found at once."""

SEEN = WORDS | FACETS | {"dcterms:title", "schema:name"}
"""A change of no other term changes what search sees, but for the MIDS level."""

MAX_VALUE, MAX_TEXT = 300, 100_000
"""Characters of a facet's value, and of the words of one document; what is longer is no facet, or is cut."""


class Content(NamedTuple):
    """What search sees of one state of an object: the columns of its row after the range of positions."""

    type: str
    tombstoned: bool
    name: str | None
    identifier: str | None
    text: str
    facets: list[str]


def content_of(document: dict[str, Any], object_type: str, tombstoned: bool) -> Content:
    """What search sees of a document."""
    words: dict[str, None] = {}
    facets = {f"{TYPE}={object_type}"}
    _collect(document, words, facets)
    if object_type == "ods:DigitalSpecimen":
        facets.add(f"{MIDS}={mids_level(document)}")
    name = document.get("ods:specimenName") or document.get("dcterms:title") or document.get("schema:name")
    identifier = document.get("ods:physicalSpecimenID") or document.get("ac:accessURI")
    return Content(
        object_type,
        tombstoned,
        name if isinstance(name, str) else None,
        identifier if isinstance(identifier, str) else None,
        folded("\n".join(words))[:MAX_TEXT],
        sorted(facets),
    )


def with_mids(content: Content, document: dict[str, Any], tombstoned: bool) -> Content:
    """The same words and facets with the MIDS level of a document that differs from theirs in nothing else seen."""
    facets = content.facets
    if content.type == "ods:DigitalSpecimen":
        level = f"{MIDS}={mids_level(document)}"
        if level not in facets:
            facets = sorted([level, *(each for each in facets if not each.startswith(f"{MIDS}="))])
    return content._replace(tombstoned=tombstoned, facets=facets)


def folded(text: str) -> str:
    """Text without accents and in lower case, as it is searched."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text)
    return "".join(char for char in plain if not unicodedata.combining(char)).casefold()


def facet(term: str, value: Any) -> str | None:
    """A facet as it is stored; None for a value that is none."""
    if isinstance(value, bool):
        return f"{term}={'true' if value else 'false'}"
    if isinstance(value, (str, int, float)) and value != "" and len(str(value)) <= MAX_VALUE:
        return f"{term}={value}"
    return None


def _collect(document: dict[str, Any], words: dict[str, None], facets: set[str]) -> None:
    for term, value in document.items():
        kind = type(value)
        if kind is dict:
            _collect(value, words, facets)
        elif kind is list:
            for item in value:
                if type(item) is dict:
                    _collect(item, words, facets)
                elif term in SEEN:
                    _see(term, item, words, facets)
        elif term in SEEN:
            _see(term, value, words, facets)


def _see(term: str, value: Any, words: dict[str, None], facets: set[str]) -> None:
    if type(value) is str:
        if term in WORDS:
            words[value] = None
        if term in FACETS and value and len(value) <= MAX_VALUE:
            facets.add(f"{term}={value}")
    elif term in FACETS and (found := facet(term, value)) is not None:
        facets.add(found)
