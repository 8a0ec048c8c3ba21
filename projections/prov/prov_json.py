"""PROV-JSON (W3C Member Submission) as plain values: typed literals, and the records of one document or bundle."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from projections.prov.naming import VOCABULARIES, Name, is_term, is_uri, legible

Attributes = dict[str, Any]
"""Attribute name -> value or list of values, of one record. Shared between documents and never changed once made."""

Json = dict[str, Any]

_Name = TypeVar("_Name")

_REMEMBERED = 1024
"""Values kept of those that many events share; like attributes, they are never changed."""


def qualified(text: str) -> Json:
    """A qualified name as an attribute's value."""
    return {"$": text, "type": "xsd:QName"}


def uri(text: str) -> Json:
    """A URI as an attribute's value."""
    return {"$": text, "type": "xsd:anyURI"}


@lru_cache(_REMEMBERED)
def identifier(text: str) -> Json | str:
    """``text`` as an attribute's value: an ``xsd:anyURI`` if it is a URI as it stands, otherwise a string."""
    return uri(text) if is_uri(text) else legible(text)


@lru_cache(_REMEMBERED)
def term(text: str) -> Json | str:
    """A term of openDS as a qualified name, anything else as a string."""
    return qualified(text) if is_term(text) else legible(text)


def integer(number: int) -> Json:
    """A whole number, of the smallest type that holds it as ``prov`` chooses it."""
    size = number.bit_length()
    return {"$": str(number), "type": "xsd:int" if size < 32 else "xsd:long" if size < 64 else "xsd:integer"}


class Records:
    """The records of one document, or of one bundle within a document that declares the prefixes ``around``.

    The sections are public and filled in directly, by the text of a record's identifier: this is the inner loop of
    every export. ``met`` is for whoever writes to remember what it told already.
    """

    def __init__(self, around: Mapping[str, str] | None = None) -> None:
        self._around: Mapping[str, str] = around or {}
        self._prefixes: dict[str, str] = dict(VOCABULARIES) if around is None else {}
        self._unnamed = 0
        self.met: dict[Any, Any] = {}
        self.entity: dict[str, Attributes] = {}
        self.activity: dict[str, Attributes] = {}
        self.agent: dict[str, Attributes] = {}
        self.generation: dict[str, Attributes] = {}
        self.usage: dict[str, Attributes] = {}
        self.derivation: dict[str, Attributes] = {}
        self.invalidation: dict[str, Attributes] = {}
        self.communication: dict[str, Attributes] = {}
        self.association: dict[str, Attributes] = {}
        self.attribution: dict[str, Attributes] = {}
        self.delegation: dict[str, Attributes] = {}
        self.specialization: dict[tuple[str, str], Attributes] = {}
        self.alternate: dict[tuple[str, str], Attributes] = {}
        self.membership: dict[tuple[str, str], Attributes] = {}

    def text(self, name: Name) -> str:
        """``prefix:local``, with the prefix declared; another prefix if that one stands for something else here."""
        prefix, namespace, local = name
        known = self._prefixes.get(prefix)
        if known is None:
            known = self._around.get(prefix)
            if known is None:
                known = self._prefixes[prefix] = namespace
        if known != namespace:
            prefix = self._another(prefix, namespace)
        return f"{prefix}:{local}"

    def specialize(self, specific: str, general: str) -> None:
        """``specializationOf``, once."""
        self.specialization[specific, general] = {"prov:specificEntity": specific, "prov:generalEntity": general}

    def alternates(self, one: str, other: str) -> None:
        """``alternateOf``, once."""
        self.alternate[one, other] = {"prov:alternate1": one, "prov:alternate2": other}

    def member(self, collection: str, entity: str) -> None:
        """``hadMember``, once."""
        self.membership[collection, entity] = {"prov:collection": collection, "prov:entity": entity}

    def to_json(self) -> Json:
        """The PROV-JSON value, prefixes first; sections without records are left out."""
        sections: dict[str, dict[str, Any]] = {
            "prefix": self._prefixes,
            "entity": self.entity,
            "activity": self.activity,
            "agent": self.agent,
            "wasGeneratedBy": self.generation,
            "used": self.usage,
            "wasDerivedFrom": self.derivation,
            "wasInvalidatedBy": self.invalidation,
            "wasInformedBy": self.communication,
            "wasAssociatedWith": self.association,
            "wasAttributedTo": self.attribution,
            "actedOnBehalfOf": self.delegation,
            "specializationOf": self._numbered(self.specialization),
            "alternateOf": self._numbered(self.alternate),
            "hadMember": self._numbered(self.membership),
        }
        return {name: records for name, records in sections.items() if records}

    def _numbered(self, records: dict[tuple[str, str], Attributes]) -> dict[str, Attributes]:
        first = self._unnamed + 1
        self._unnamed += len(records)
        return {f"_:id{number}": record for number, record in enumerate(records.values(), first)}

    def _another(self, prefix: str, namespace: str) -> str:
        number = 1
        while self._known(f"{prefix}_{number}", namespace) != namespace:
            number += 1
        return f"{prefix}_{number}"

    def _known(self, prefix: str, namespace: str) -> str:
        return self._around.get(prefix) or self._prefixes.setdefault(prefix, namespace)


def put(section: dict[_Name, Attributes], name: _Name, attributes: Attributes) -> None:
    """Add the element ``name``, or these attributes to those it has."""
    held = section.setdefault(name, attributes)
    if held is not attributes and held != attributes:
        section[name] = _together(held, attributes)


def _together(one: Attributes, other: Attributes) -> Attributes:
    merged = dict(one)
    for attribute, value in other.items():
        held = _listed(merged.setdefault(attribute, value))
        added = [each for each in _listed(value) if each not in held]
        if added:
            merged[attribute] = [*held, *added]
    return merged


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
