"""What surrounds an event in its PROV document: the agents in their roles, the source record, the cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from prov.identifier import Namespace, QualifiedName
from prov.model import (
    PROV,
    PROV_ATTR_ENDTIME,
    PROV_ATTR_STARTTIME,
    PROV_LABEL,
    PROV_ROLE,
    PROV_TYPE,
    ProvBundle,
    ProvRecord,
)

from domain import pid
from domain.agents import AgentKind, Role
from domain.errors import InvalidIdentifier
from domain.events import Cause, DigitalObjectEvent, Source, Tombstoned
from domain.opends import object_iri
from projections.prov import names as prov_names
from projections.prov.names import DCTERMS, ODS, SCHEMA, identifier, legible, term
from projections.prov.runs import TYPES, Run, Runs, run_id

IDENTIFIER = DCTERMS["identifier"]
_ANSWERABLE = (Role.REQUESTOR, Role.PROPOSER)
_RUNS = ("run", "revert")

Attribute = tuple[QualifiedName, Any]


class Elements:
    """The entities, activities and agents of one bundle, each one record however often it is met.

    PROV-O cannot tell two records of one identifier apart, so a second one would be lost in TriG.
    """

    def __init__(self, bundle: ProvBundle, agent_names: Mapping[str, str], runs: Runs) -> None:
        self.bundle = bundle
        self._agent_names = agent_names
        self._runs = runs
        self._known_runs: set[QualifiedName] = set()
        self._records: dict[QualifiedName, ProvRecord] = {}
        self._pairs: set[tuple[QualifiedName, QualifiedName]] = set()

    def entity(self, name: QualifiedName, *attributes: Attribute) -> QualifiedName:
        """The entity ``name``, with these attributes besides those it has."""
        return self._add(self.bundle.entity, name, attributes)

    def activity(self, name: QualifiedName, *attributes: Attribute) -> QualifiedName:
        """The activity ``name``, with these attributes besides those it has."""
        return self._add(self.bundle.activity, name, attributes)

    def agent(self, iri: str, kind: AgentKind | None = None) -> QualifiedName:
        """The agent ``iri``; an agent met only as the one acted for has no known kind."""
        attributes: list[Attribute] = [(IDENTIFIER, identifier(iri))]
        if kind is not None:
            attributes.append((PROV_TYPE, PROV[kind.value.removeprefix("prov:")]))
        if iri in self._agent_names:
            label = legible(self._agent_names[iri])
            attributes += [(PROV_LABEL, label), (SCHEMA["name"], label)]
        return self._add(self.bundle.agent, prov_names.agent(iri), attributes)

    def informant(self, id: str) -> QualifiedName:  # noqa: A002 - the field's own name
        """The activity or run ``id``, with what is known of it if it is a run."""
        name, real = prov_names.activity(id)
        self.activity(name, (IDENTIFIER, identifier(real)))
        run = self._runs.get(run_id(id))
        if run is not None and name not in self._known_runs:
            self._known_runs.add(name)
            self._run(name, run)
        return name

    def _run(self, name: QualifiedName, run: Run) -> None:
        times = ((PROV_ATTR_STARTTIME, run.started), (PROV_ATTR_ENDTIME, run.ended))
        known = [(which, moment.astimezone(UTC)) for which, moment in times if moment is not None]
        self.activity(name, *known, (PROV_TYPE, ODS[TYPES[run.kind]]))
        if run.reverts is not None:
            reverted, real = prov_names.activity(run.reverts)
            self.activity(reverted, (IDENTIFIER, identifier(real)))
            self.bundle.communication(name, reverted, name.namespace["reverts"])

    def specialization(self, specific: QualifiedName, general: QualifiedName) -> None:
        """``specializationOf``, once."""
        self._relate(self.bundle.specialization, specific, general)

    def membership(self, collection: QualifiedName, member: QualifiedName) -> None:
        """``hadMember``, once."""
        self._relate(self.bundle.membership, collection, member)

    def _add(self, make: Callable[[QualifiedName], ProvRecord], name: QualifiedName, attributes: Any) -> QualifiedName:
        if name not in self._records:
            self._records[name] = make(name)
        self._records[name].add_attributes(attributes)
        return name

    def _relate(self, make: Callable[..., ProvRecord], one: QualifiedName, other: QualifiedName) -> None:
        if (one, other) not in self._pairs:
            self._pairs.add((one, other))
            make(one, other)


@dataclass(frozen=True)
class Step:
    """One event while it is told: its activity, and the version and generation it made.

    ``own`` is the namespace of what the store names about the object of the event; ``used`` gathers
    the numbers of the object's versions that are used.
    """

    event: DigitalObjectEvent
    elements: Elements
    own: Namespace
    activity: QualifiedName
    version: QualifiedName
    generation: QualifiedName
    used: set[int]

    def earlier(self, number: int) -> QualifiedName:
        """An earlier version of the same object, to be used."""
        self.used.add(number)
        return self.own[f"v{number}"]

    def relation(self, what: str) -> QualifiedName:
        """The identifier of a relation that this event states; no other event can have it."""
        return self.own[f"v{self.event.originator_version}-{what}"]


def add_agents(step: Step) -> None:
    """``wasAssociatedWith``, ``actedOnBehalfOf`` and ``wasAttributedTo``."""
    event, bundle = step.event, step.elements.bundle
    agents = tuple(dict.fromkeys(event.agents))
    software = [agent for agent in agents if agent.kind is AgentKind.SOFTWARE]
    runners = [agent for agent in software if agent.role is Role.GENERATOR] or software
    delegations: dict[tuple[QualifiedName, QualifiedName], None] = {}
    attributions: dict[QualifiedName, None] = {}
    for number, agent in enumerate(agents, 1):
        name = step.elements.agent(agent.id, agent.kind)
        plan = _plan(step.elements, event.source) if event.source is not None and agent in runners else None
        role = [(PROV_ROLE, ODS[agent.role.value])]
        bundle.association(step.activity, name, plan, step.relation(f"association-{number}"), role)
        if agent.on_behalf_of is not None and agent.on_behalf_of != agent.id:
            delegations[name, step.elements.agent(agent.on_behalf_of)] = None
        if agent.role in _ANSWERABLE and agent.kind is not AgentKind.SOFTWARE:
            attributions[name] = None
    for number, (delegate, responsible) in enumerate(delegations, 1):
        bundle.delegation(delegate, responsible, step.activity, step.relation(f"delegation-{number}"))
    for number, name in enumerate(attributions, 1):
        bundle.attribution(step.version, name, step.relation(f"attribution-{number}"))


def _plan(elements: Elements, source: Source) -> QualifiedName:
    name = prov_names.plan(source.mapping)
    return elements.entity(name, (PROV_TYPE, PROV["Plan"]), (IDENTIFIER, legible(source.mapping)))


def add_source(step: Step) -> None:
    """``used`` and ``hadPrimarySource`` the source record; ``used`` the archive if the record was missing from it."""
    source, elements, bundle = step.event.source, step.elements, step.elements.bundle
    if source is None:
        return
    archive, iri = prov_names.archive(source.archive)
    elements.entity(
        archive,
        (PROV_TYPE, PROV["Collection"]),
        (IDENTIFIER, identifier(iri)),
        (ODS["contentDigest"], legible(f"sha256:{source.archive}")),
        (ODS["sourceSystemID"], _system(source.system)),
    )
    usage = step.relation("source-usage")
    how = [(PROV_ROLE, ODS["Source"]), (ODS["dataMapping"], legible(source.mapping))]
    if isinstance(step.event, Tombstoned):
        bundle.usage(step.activity, archive, None, usage, how)
        return
    record = prov_names.record(source.archive, source.record)
    elements.entity(record, (PROV_TYPE, ODS["SourceRecord"]), (IDENTIFIER, legible(source.record)))
    elements.membership(archive, record)
    bundle.usage(step.activity, record, None, usage, how)
    primary = step.relation("primary-source")
    bundle.primary_source(step.version, record, step.activity, step.generation, usage, primary)


def _system(system: str) -> Any:
    """A source system by PID or IRI, as an attribute value."""
    parsed = _parsed(system)
    return identifier(object_iri("ods:SourceSystem", parsed[0]) if parsed else system)


def add_cause(step: Step) -> None:
    """What the cause is tells how: ``used`` a version or annotation, ``wasInformedBy`` a run or another activity.

    A cause that is neither (an edit at the command line, say) is told in attributes of the activity.
    """
    cause, elements = step.event.activity.cause, step.elements
    if cause is None:
        return
    kind, relation = (ODS["causeKind"], legible(cause.kind)), step.relation("cause")
    used = _causing_entity(step, cause)
    if used is not None:
        elements.bundle.usage(step.activity, used, None, relation, [(PROV_ROLE, ODS["Cause"]), kind])
    elif _is_activity(cause) and prov_names.activity(cause.id)[0] != step.activity:
        name = elements.informant(cause.id)
        elements.bundle.communication(step.activity, name, relation, [(PROV_TYPE, ODS["Cause"]), kind])
    else:
        elements.activity(step.activity, kind, (ODS["cause"], legible(cause.id)))


def _is_activity(cause: Cause) -> bool:
    """Whether ``cause`` names an activity: a run by whatever id, any other by its UUID."""
    if _parsed(cause.id) is not None:
        return False
    return cause.kind in _RUNS or prov_names.activity(cause.id)[1].startswith("urn:uuid:")


def _causing_entity(step: Step, cause: Cause) -> QualifiedName | None:
    """The version, object or annotation that ``cause`` names, if it names one that can have been used."""
    parsed = _parsed(cause.id)
    if parsed is None:
        if cause.kind != "annotation":
            return None
        name = prov_names.fragment(cause.id)["annotation"]
        return step.elements.entity(name, (IDENTIFIER, identifier(cause.id)))
    cause_pid, number = parsed
    if cause_pid == step.event.originator_id:
        # The object itself says nothing, and a version that is not there yet was not used.
        return step.earlier(number) if number is not None and number < step.event.originator_version else None
    object_type = "ods:Annotation" if cause.kind == "annotation" else step.event.object_type
    iri = object_iri(object_type, cause_pid)
    whole = step.elements.entity(prov_names.thing(iri), (PROV_TYPE, term(object_type)), (IDENTIFIER, identifier(iri)))
    if number is None:
        return whole
    name, iri = prov_names.version(object_type, cause_pid, number)
    step.elements.entity(name, (IDENTIFIER, identifier(iri)), (ODS["version"], number))
    step.elements.specialization(name, whole)
    return name


def _parsed(text: str) -> tuple[str, int | None] | None:
    try:
        return pid.parse(text)
    except InvalidIdentifier:
        return None
