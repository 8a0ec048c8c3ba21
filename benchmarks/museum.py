"""A generated museum: a seeded Darwin Core Archive of any size, in any number of states."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

TERMS = [
    "occurrenceID",
    "catalogNumber",
    "basisOfRecord",
    "institutionCode",
    "collectionCode",
    "scientificName",
    "kingdom",
    "family",
    "genus",
    "specificEpithet",
    "taxonRank",
    "recordedBy",
    "eventDate",
    "country",
    "countryCode",
    "locality",
    "decimalLatitude",
    "decimalLongitude",
    "geodeticDatum",
    "coordinateUncertaintyInMeters",
    "preparations",
    "identifiedBy",
    "dateIdentified",
    "typeStatus",
    "sex",
    "lifeStage",
]
DUBLIN_CORE = ("license", "modified", "rightsHolder")
GENERA = ("Carabus", "Raphus", "Quercus", "Salix", "Bombus", "Turdus", "Homarus", "Ammonites", "Viola", "Parus")
PLACES = (("Belgium", "BE"), ("Mauritius", "MU"), ("Peru", "PE"), ("Japan", "JP"), ("Kenya", "KE"))


def write_archive(path: Path, records: int, state: int = 0, changed: float = 0.01, seed: int = 1) -> Path:
    """Write an archive of ``records`` records; every further state changes a share of them in one to three terms."""
    columns = [*TERMS, *DUBLIN_CORE]
    fields = "".join(f'<field index="{i}" term="{_iri(term)}"/>' for i, term in enumerate(columns))
    meta = (
        '<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="eml.xml"><core encoding="UTF-8" '
        'fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1" '
        'rowType="http://rs.tdwg.org/dwc/terms/Occurrence"><files><location>occurrence.txt</location></files>'
        f'<id index="0"/>{fields}</core></archive>'
    )
    eml = (
        '<eml:eml xmlns:eml="eml://ecoinformatics.org/eml-2.1.1"><dataset><title>A generated museum</title>'
        f"<pubDate>{2020 + state}-01-01</pubDate></dataset></eml:eml>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("meta.xml", meta)
        archive.writestr("eml.xml", eml)
        with archive.open("occurrence.txt", "w", force_zip64=True) as stream:
            stream.write(("\t".join(columns) + "\n").encode())
            for number in range(records):
                stream.write(("\t".join(_record(number, state, changed, seed).values()) + "\n").encode())
    return path


def _record(number: int, state: int, changed: float, seed: int) -> dict[str, str]:
    chance = random.Random(f"{seed}/{number}")  # noqa: S311 - not for secrets
    genus = chance.choice(GENERA)
    country, code = chance.choice(PLACES)
    row = {
        "occurrenceID": f"https://museum.example/specimen/{number:08d}",
        "catalogNumber": f"MUS {number}",
        "basisOfRecord": "PreservedSpecimen",
        "institutionCode": "MUS",
        "collectionCode": "GEN",
        "scientificName": f"{genus} {chance.choice(('vulgaris', 'minor', 'rex'))}",
        "kingdom": "Animalia",
        "family": f"{genus}idae",
        "genus": genus,
        "specificEpithet": "vulgaris",
        "taxonRank": "species",
        "recordedBy": f"Collector {chance.randrange(200)}",
        "eventDate": f"{chance.randrange(1850, 2020)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}",
        "country": country,
        "countryCode": code,
        "locality": f"site {chance.randrange(5000)} near the river, {chance.randrange(40)} km north of the old station",
        "decimalLatitude": f"{chance.uniform(-60, 60):.5f}",
        "decimalLongitude": f"{chance.uniform(-170, 170):.5f}",
        "geodeticDatum": "WGS84",
        "coordinateUncertaintyInMeters": str(chance.choice((10, 30, 100, 1000))),
        "preparations": chance.choice(("pinned", "in alcohol", "herbarium sheet", "skin", "skeleton")),
        "identifiedBy": f"Expert {chance.randrange(50)}",
        "dateIdentified": str(chance.randrange(1900, 2020)),
        "typeStatus": "holotype" if chance.random() < 0.01 else "",
        "sex": chance.choice(("male", "female", "")),
        "lifeStage": chance.choice(("adult", "juvenile", "")),
        "license": "http://creativecommons.org/publicdomain/zero/1.0/",
        "modified": "2020-01-01T00:00:00Z",
        "rightsHolder": "The Museum",
    }
    for each in range(1, state + 1):
        edit = random.Random(f"{seed}/{number}/{each}")  # noqa: S311 - not for secrets
        if edit.random() < changed:
            row["modified"] = f"{2020 + each}-01-01T00:00:00Z"
            for term in edit.sample(("locality", "preparations", "scientificName"), edit.randrange(1, 4)):
                row[term] = f"{row[term]} (rev. {each})"
    return row


def _iri(term: str) -> str:
    return ("http://purl.org/dc/terms/" if term in DUBLIN_CORE else "http://rs.tdwg.org/dwc/terms/") + term
