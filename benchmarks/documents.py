"""openDS documents as museums have them, of about 6 or 20 KB, and edits as curators and importers make them; seeded."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.museum import GENERA, PLACES

Document = dict[str, Any]
SMALL, LARGE = 6, 20
"""Kilobytes of canonical JSON, about."""

_FILLING = {SMALL: 10, LARGE: 61}
"""Assertions that make a document so large."""


def document(number: int, kilobytes: int = SMALL, seed: int = 1) -> Document:
    """The first version of a digital specimen."""
    chance = random.Random(f"{seed}/{number}")  # noqa: S311 - not for secrets
    genus = chance.choice(GENERA)
    country, code = chance.choice(PLACES)
    name = f"{genus} {chance.choice(('vulgaris', 'minor', 'rex'))} Linnaeus, {chance.randrange(1758, 1900)}"
    key = f"https://museum.example/specimen/{number:08d}"
    return {
        "@type": "ods:DigitalSpecimen",
        "ods:physicalSpecimenID": key,
        "ods:physicalSpecimenIDType": "Resolvable",
        "ods:normalisedPhysicalSpecimenID": key,
        "ods:specimenName": name,
        "ods:organisationID": "https://ror.org/0566bfb96",
        "ods:organisationName": "The Museum",
        "ods:sourceSystemName": "museum",
        "ods:topicOrigin": "Natural",
        "ods:topicDomain": "Life",
        "ods:topicDiscipline": "Zoology",
        "ods:livingOrPreserved": "Preserved",
        "ods:isMarkedAsType": chance.random() < 0.01,
        "ods:isKnownToContainMedia": False,
        "dcterms:license": "http://creativecommons.org/publicdomain/zero/1.0/",
        "dcterms:modified": "2020-01-01T00:00:00Z",
        "dwc:basisOfRecord": "PreservedSpecimen",
        "dwc:collectionCode": "GEN",
        "dwc:preparations": chance.choice(("pinned", "in alcohol", "skin", "skeleton")),
        "dwc:disposition": "in collection",
        "ods:hasIdentifiers": [
            _identifier("dwc:occurrenceID", key),
            _identifier("dwc:catalogNumber", f"MUS {number}"),
            _identifier("dwc:otherCatalogNumbers", f"old register {chance.randrange(10**6)}"),
        ],
        "ods:hasIdentifications": [_identification(chance, name, genus, verified) for verified in (True, False)],
        "ods:hasEvents": [_event(chance, country, code)],
        "ods:hasAssertions": [_assertion(chance, at) for at in range(_FILLING[kilobytes])],
    }


def edited(state: Document, number: int, version: int, seed: int = 1) -> Document:
    """The next version: a curator's words, or what an importer brings with a new date."""
    chance = random.Random(f"{seed}/{number}/{version}")  # noqa: S311 - not for secrets
    changed = dict(state)
    if chance.random() < 0.5:
        changed["dcterms:modified"] = f"{2020 + version}-{chance.randrange(1, 13):02d}-01T00:00:00Z"
    edits = chance.sample(("dwc:preparations", "dwc:disposition", "locality", "remarks"), chance.randrange(1, 4))
    for term in edits:
        if term == "locality":
            (event,) = state["ods:hasEvents"]
            place = {**event["ods:hasLocation"], "dwc:locality": f"site {chance.randrange(5000)}, as the label says"}
            changed["ods:hasEvents"] = [{**event, "ods:hasLocation": place}]
        elif term == "remarks":
            first, *others = state["ods:hasIdentifications"]
            remark = f"seen again, page {chance.randrange(400)} of the register"
            changed["ods:hasIdentifications"] = [{**first, "dwc:identificationRemarks": remark}, *others]
        else:
            changed[term] = f"{chance.choice(('drawer', 'jar', 'cabinet'))} {chance.randrange(900)}"
    return changed


def _identifier(title: str, value: str) -> Document:
    return {
        "@type": "ods:Identifier",
        "dcterms:title": title,
        "dcterms:type": "Locally unique identifier",
        "dcterms:identifier": value,
    }


def _identification(chance: random.Random, name: str, genus: str, verified: bool) -> Document:
    return {
        "@type": "ods:Identification",
        "ods:isVerifiedIdentification": verified,
        "dwc:identificationID": f"urn:identification:{chance.randrange(10**9)}",
        "dwc:dateIdentified": str(chance.randrange(1900, 2020)),
        "dwc:identificationRemarks": "by comparison with the series",
        "ods:hasAgents": [_agent("identifier", f"Expert {chance.randrange(50)}")],
        "ods:hasTaxonIdentifications": [
            {
                "@type": "ods:TaxonIdentification",
                "dwc:scientificName": name,
                "dwc:kingdom": "Animalia",
                "dwc:phylum": "Chordata",
                "dwc:family": f"{genus}idae",
                "dwc:genus": genus,
                "dwc:taxonRank": "species",
                "dwc:taxonomicStatus": "accepted",
            }
        ],
    }


def _event(chance: random.Random, country: str, code: str) -> Document:
    return {
        "@type": "ods:Event",
        "dwc:eventDate": f"{chance.randrange(1850, 2020)}-{chance.randrange(1, 13):02d}",
        "dwc:fieldNumber": f"F {chance.randrange(10**5)}",
        "ods:hasAgents": [_agent("collector", f"Collector {chance.randrange(200)}")],
        "ods:hasLocation": {
            "@type": "ods:Location",
            "dwc:country": country,
            "dwc:countryCode": code,
            "dwc:locality": f"site {chance.randrange(5000)} near the river, {chance.randrange(40)} km north",
            "ods:hasGeoreference": {
                "@type": "ods:Georeference",
                "dwc:decimalLatitude": round(chance.uniform(-60, 60), 5),
                "dwc:decimalLongitude": round(chance.uniform(-170, 170), 5),
                "dwc:geodeticDatum": "WGS84",
                "dwc:coordinateUncertaintyInMeters": chance.choice((10, 30, 100, 1000)),
            },
        },
    }


def _agent(role: str, name: str) -> Document:
    return {
        "@type": "schema:Person",
        "schema:name": name,
        "ods:hasRoles": [{"@type": "schema:Role", "schema:roleName": role}],
    }


def _assertion(chance: random.Random, at: int) -> Document:
    return {
        "@type": "ods:Assertion",
        "dwc:measurementID": f"urn:measurement:{chance.randrange(10**9)}",
        "dwc:measurementType": f"length of part {at}",
        "dwc:measurementValue": f"{chance.uniform(1, 90):.2f}",
        "dwc:measurementUnit": "mm",
        "dwc:measurementMethod": "calliper, by hand, from the left side",
        "dwc:measurementDeterminedDate": f"{chance.randrange(1950, 2020)}-01-01",
    }
