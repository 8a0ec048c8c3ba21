"""One stored event while its PROV-JSON is written."""

from __future__ import annotations

from typing import Any, NamedTuple


class Step(NamedTuple):
    """An event, the texts of what it is called, and where the versions it uses are gathered.

    ``value`` is its stored JSON, ``iri`` the object's, ``own`` the prefix of what the store names about the object.
    """

    value: dict[str, Any]
    number: int
    iri: str
    own: str
    activity: str
    version: str
    generation: str
    used: set[int]

    def earlier(self, number: int) -> str:
        """An earlier version of the same object, to be used."""
        self.used.add(number)
        return f"{self.own}:v{number}"
