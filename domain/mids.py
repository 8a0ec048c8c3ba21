"""MIDS, the level of detail of a digital specimen's data (0 to 3), computed from its document.

Follows the rules that DiSSCo's ingestion uses for openDS 0.4.0: a level is reached when every one
of its elements, and every level below, is there. Only the first event counts, as there.
"""

from __future__ import annotations

from typing import Any

MIDS_RULES_VERSION = "openDS-0.4.0"

_NOTHING = {"", "null", "unknown", "unknown:undigitized"}

LEVEL_1 = ("dcterms:license", "dcterms:modified", "dwc:preparations", "ods:topicDiscipline", "ods:specimenName")

BIOLOGICAL = frozenset({"Botany", "Microbiology", "Zoology", "Other Biodiversity"})
GEOLOGICAL = frozenset({"Palaeontology", "Astrogeology", "Geology", "Ecology", "Other Geodiversity"})

PLACE_NAMES = (
    "dwc:continent",
    "dwc:country",
    "dwc:countryCode",
    "dwc:county",
    "dwc:island",
    "dwc:islandGroup",
    "dwc:locality",
    "dwc:verbatimLocality",
    "dwc:municipality",
    "dwc:stateProvince",
    "dwc:waterBody",
    "dwc:higherGeography",
)
EVENT_DATES = ("dwc:eventDate", "dwc:verbatimEventDate", "dwc:year")


def mids_level(document: dict[str, Any]) -> int:
    """The MIDS level (0, 1, 2 or 3) of a digital specimen's content."""
    if not all(_valid(document.get(term)) for term in LEVEL_1):
        return 0
    discipline = document["ods:topicDiscipline"]
    if discipline in BIOLOGICAL:
        level_2 = _biological(document)
    elif discipline in GEOLOGICAL:
        level_2 = _geological(document)
    else:
        return 1
    if not level_2:
        return 1
    return 3 if _level_3(document, needs_collector=discipline in BIOLOGICAL) else 2


def _biological(document: dict[str, Any]) -> bool:
    event = _first_event(document)
    return (
        document.get("ods:isKnownToContainMedia") is True
        and _named_place(event)
        and _measured_place(event)
        and any(_valid(event.get(term)) for term in EVENT_DATES)
        and _valid(event.get("dwc:fieldNumber"))
        and bool(_agents(event, "collector"))
    )


def _geological(document: dict[str, Any]) -> bool:
    event = _first_event(document)
    context = event.get("ods:hasLocation", {}).get("ods:hasGeologicalContext", {})
    return (
        document.get("ods:isMarkedAsType") is not None
        and any(_valid(value) for term, value in context.items() if not term.startswith("@"))
        and _named_place(event)
        and _measured_place(event)
    )


def _level_3(document: dict[str, Any], *, needs_collector: bool) -> bool:
    identifications = document.get("ods:hasIdentifications", [])
    named = any(
        _valid(taxon.get("dwc:scientificNameID"))
        for identification in identifications
        for taxon in identification.get("ods:hasTaxonIdentifications", [])
    )
    identified = any(
        _valid(agent.get("@id"))
        for identification in identifications
        for agent in _agents(identification, "identifier")
    )
    event = _first_event(document)
    collected = not needs_collector or any(_valid(agent.get("@id")) for agent in _agents(event, "collector"))
    return _valid(document.get("ods:organisationID")) and named and identified and collected and _georeferenced(event)


def _georeferenced(event: dict[str, Any]) -> bool:
    location = event.get("ods:hasLocation", {})
    reference = location.get("ods:hasGeoreference", {})
    point = (
        "dwc:decimalLatitude",
        "dwc:decimalLongitude",
        "dwc:geodeticDatum",
        "dwc:coordinateUncertaintyInMeters",
        "dwc:coordinatePrecision",
    )
    return (
        _valid(location.get("dwc:locationID"))
        or all(_valid(reference.get(term)) for term in point)
        or (_valid(reference.get("dwc:footprintWKT")) and _valid(reference.get("dwc:footprintSRS")))
    )


def _named_place(event: dict[str, Any]) -> bool:
    location = event.get("ods:hasLocation", {})
    reference = location.get("ods:hasGeoreference", {})
    return (
        any(_valid(location.get(term)) for term in PLACE_NAMES)
        or _valid(reference.get("dwc:verbatimCoordinates"))
        or (_valid(reference.get("dwc:verbatimLatitude")) and _valid(reference.get("dwc:verbatimLongitude")))
    )


def _measured_place(event: dict[str, Any]) -> bool:
    location = event.get("ods:hasLocation", {})
    reference = location.get("ods:hasGeoreference")
    if not isinstance(reference, dict):
        return False
    return (
        _valid(location.get("dwc:locationID"))
        or _valid(reference.get("dwc:footprintWKT"))
        or (_valid(reference.get("dwc:decimalLatitude")) and _valid(reference.get("dwc:decimalLongitude")))
    )


def _first_event(document: dict[str, Any]) -> dict[str, Any]:
    events = document.get("ods:hasEvents") or [{}]
    first = events[0]
    return first if isinstance(first, dict) else {}


def _agents(holder: dict[str, Any], role: str) -> list[dict[str, Any]]:
    return [
        agent
        for agent in holder.get("ods:hasAgents", [])
        if any(held.get("schema:roleName") == role for held in agent.get("ods:hasRoles", []))
    ]


def _valid(value: Any) -> bool:
    return value is not None and str(value).strip().lower() not in _NOTHING
