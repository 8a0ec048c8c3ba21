"""What many events have in common in PROV-JSON, worked out once: their agents, their archive, their run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from domain import pid
from domain.errors import InvalidIdentifier
from domain.opends import object_iri
from domain.times import to_text
from projections.prov import naming
from projections.prov.naming import Name, legible
from projections.prov.prov_json import Attributes, Json, identifier, put, qualified
from projections.prov.runs import TYPES, Runs, run_id

_SOFTWARE, _GENERATOR = "prov:SoftwareAgent", "Generator"
_ANSWERABLE = ("Requestor", "Proposer")
_COLLECTION = qualified("prov:Collection")
_PLAN = qualified("prov:Plan")
_MOST_KEPT = 4096

_K = TypeVar("_K")
_V = TypeVar("_V")

_Key = tuple[tuple[str, str, str, str | None], ...]


@dataclass(frozen=True, eq=False)
class Cast:
    """The agents of an event, worked out once for all events that have the same.

    ``elements`` are the agents with their attributes, ``associations`` ``(agent, role, whether it ran the
    mapping)`` in order, ``delegations`` ``(delegate, responsible)``, ``attributions`` who answers for the version.
    """

    elements: tuple[tuple[Name, Attributes], ...]
    associations: tuple[tuple[Name, Json, bool], ...]
    delegations: tuple[tuple[Name, Name], ...]
    attributions: tuple[Name, ...]


@dataclass(frozen=True)
class MetCast:
    """The same in one document, by the texts of the names there; ``has_software``: somebody ran the mapping."""

    associations: list[tuple[str, Json, bool]]
    delegations: list[tuple[str, str]]
    attributions: list[str]
    has_software: bool


@dataclass(frozen=True)
class Origin:
    """What all records of one archive, read by one mapping for one source system, have in common."""

    archive: Name
    attributes: Attributes
    plan: Name
    plan_attributes: Attributes
    mapping: str


@dataclass(frozen=True)
class Informant:
    """An activity or run, whether its id is a UUID, and the run that it reverts if it is a reversal."""

    name: Name
    by_uuid: bool
    attributes: Attributes
    reverted: tuple[Name, Attributes] | None


class Names(Protocol):
    """Names of agents by identifier: a mapping, or what looks them up when they are first needed."""

    def get(self, iri: str, /) -> str | None: ...


class Shared:
    """What is outside the events: names of agents, and runs; and what was worked out for events so far."""

    def __init__(self, names: Names, runs: Runs) -> None:
        self._names = names
        self._runs = runs
        self._casts: dict[_Key, Cast] = {}
        self._origins: dict[tuple[str, str, str], Origin] = {}
        self._informants: dict[str, Informant] = {}

    def cast(self, agents: list[dict[str, Any]]) -> Cast:
        """The cast of these agents, as an event has them."""
        key = tuple([(agent["id"], agent["kind"], agent["role"], agent.get("onBehalfOf")) for agent in agents])
        found = self._casts.get(key)
        if found is None:
            found = _remember(self._casts, key, self._cast(tuple(dict.fromkeys(key))))
        return found

    def origin(self, source: dict[str, Any]) -> Origin:
        """What is told of the source of an event, but for the record."""
        key = (source["system"], source["archive"], source["mapping"])
        return self._origins.get(key) or _remember(self._origins, key, _origin(*key))

    def informant(self, id_: str) -> Informant:
        """The activity that ``id_`` names, with what is known of it."""
        return self._informants.get(id_) or _remember(self._informants, id_, self._informant(id_))

    def _cast(self, agents: _Key) -> Cast:
        software = [agent for agent in agents if agent[1] == _SOFTWARE]
        runners = [agent for agent in software if agent[2] == _GENERATOR] or software
        elements: dict[Name, Attributes] = {}
        associations: list[tuple[Name, Json, bool]] = []
        delegations: dict[tuple[Name, Name], None] = {}
        attributions: dict[Name, None] = {}
        for agent in agents:
            iri, kind, role, on_behalf_of = agent
            name = naming.agent(iri)
            put(elements, name, self._attributes(iri, kind))
            associations.append((name, qualified(f"ods:{role}"), agent in runners))
            if on_behalf_of is not None and on_behalf_of != iri:
                responsible = naming.agent(on_behalf_of)
                put(elements, responsible, self._attributes(on_behalf_of, None))
                delegations[name, responsible] = None
            if role in _ANSWERABLE and kind != _SOFTWARE:
                attributions[name] = None
        return Cast(tuple(elements.items()), tuple(associations), tuple(delegations), tuple(attributions))

    def _attributes(self, iri: str, kind: str | None) -> Attributes:
        attributes: Attributes = {"dcterms:identifier": identifier(iri)}
        if kind is not None:
            attributes["prov:type"] = qualified(kind)
        name = self._names.get(iri)
        if name is not None:
            attributes["prov:label"] = attributes["schema:name"] = legible(name)
        return attributes

    def _informant(self, id_: str) -> Informant:
        name, real = naming.activity(id_)
        by_uuid = real.startswith("urn:uuid:")
        attributes: Attributes = {"dcterms:identifier": identifier(real)}
        run = self._runs.get(run_id(id_))
        if run is None:
            return Informant(name, by_uuid, attributes, None)
        attributes["prov:startTime"] = to_text(run.started)
        if run.ended is not None:
            attributes["prov:endTime"] = to_text(run.ended)
        attributes["prov:type"] = qualified(f"ods:{TYPES[run.kind]}")
        if run.reverts is None:
            return Informant(name, by_uuid, attributes, None)
        reverted, real = naming.activity(run.reverts)
        return Informant(name, by_uuid, attributes, (reverted, {"dcterms:identifier": identifier(real)}))


def _origin(system: str, digest: str, mapping: str) -> Origin:
    archive, iri = naming.archive(digest)
    attributes: Attributes = {
        "prov:type": _COLLECTION,
        "dcterms:identifier": identifier(iri),
        "ods:contentDigest": legible(f"sha256:{digest}"),
        "ods:sourceSystemID": _system(system),
    }
    plan = {"prov:type": _PLAN, "dcterms:identifier": legible(mapping)}
    return Origin(archive, attributes, naming.plan(mapping), plan, legible(mapping))


def _remember(known: dict[_K, _V], key: _K, value: _V) -> _V:
    """Keep ``value``; what is outside the events may be endless, so no more than so many are kept."""
    if len(known) >= _MOST_KEPT:
        known.clear()
    known[key] = value
    return value


def pid_in(text: str) -> tuple[str, int | None] | None:
    """``(PID, version or None)`` if ``text`` is a PID in any of its forms."""
    if "/" not in text:  # nearly always a run; no PID is without one
        return None
    try:
        return pid.parse(text)
    except InvalidIdentifier:
        return None


def _system(system: str) -> Json | str:
    parsed = pid_in(system)
    return identifier(object_iri("ods:SourceSystem", parsed[0]) if parsed else system)
