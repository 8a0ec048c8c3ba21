"""What kind of thing a specimen is, from the basis of its record and its kingdom, in the words of openDS."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

_UNCLASSIFIED = "Unclassified"

_BY_BASIS = (
    ("fossil", "Palaeontology"),
    ("meteorite", "Astrogeology"),
    ("rock", "Geology"),
    ("mineral", "Geology"),
)
_BY_KINGDOM = {
    "animalia": "Zoology",
    "metazoa": "Zoology",
    "plantae": "Botany",
    # Collections keep fungi in the herbarium, and viruses, archaea and protozoa with the bacteria.
    "fungi": "Botany",
    "bacteria": "Microbiology",
    "archaea": "Microbiology",
    "protozoa": "Microbiology",
    "viruses": "Microbiology",
    "chromista": "Other Biodiversity",
}
_DOMAIN = {
    "Geology": "Earth System",
    "Astrogeology": "Extraterrestrial",
    _UNCLASSIFIED: _UNCLASSIFIED,
}
_LIVING_OR_PRESERVED = {
    "livingspecimen": "Living",
    "preservedspecimen": "Preserved",
    "fossilspecimen": "Preserved",
}


class Topics(NamedTuple):
    """``ods:topicOrigin``, ``ods:topicDomain``, ``ods:topicDiscipline``, ``ods:livingOrPreserved`` (None: not said)."""

    origin: str
    domain: str
    discipline: str
    living_or_preserved: str | None


@lru_cache(maxsize=4096)
def topics(basis_of_record: str | None, kingdom: str | None) -> Topics:
    """Classify: the basis of record decides where it names a fossil, rock, mineral or meteorite, else the kingdom."""
    basis = "".join(filter(str.isalpha, basis_of_record or "")).casefold()
    discipline = next((name for word, name in _BY_BASIS if word in basis), None)
    if discipline is None:
        discipline = _BY_KINGDOM.get((kingdom or "").strip().casefold(), _UNCLASSIFIED)
    return Topics(
        _UNCLASSIFIED if discipline == _UNCLASSIFIED else "Natural",
        _DOMAIN.get(discipline, "Life"),
        discipline,
        _LIVING_OR_PRESERVED.get(basis),
    )
