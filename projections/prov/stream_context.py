"""What surrounds an event in its PROV-JSON: the agents in their roles, the source record, the cause.

The counterpart of :mod:`projections.prov.context`, which tells why.
"""

from __future__ import annotations

from domain.opends import object_iri
from projections.prov import naming
from projections.prov.naming import legible
from projections.prov.prov_json import Attributes, Records, identifier, integer, put, qualified, term
from projections.prov.stream_shared import Cast, Informant, MetCast, Shared, pid_in
from projections.prov.stream_step import Step

_RUNS = ("run", "revert")
_SOURCE_RECORD = qualified("ods:SourceRecord")
_PRIMARY_SOURCE = qualified("prov:PrimarySource")
_SOURCE_ROLE = qualified("ods:Source")
_CAUSE = qualified("ods:Cause")


def tell_agents(records: Records, shared: Shared, step: Step) -> None:
    """``wasAssociatedWith``, ``actedOnBehalfOf`` and ``wasAttributedTo``."""
    cast = _met(records, shared.cast(step.value["agents"]))
    source = step.value.get("source")
    activity, version, plan = step.activity, step.version, None
    if source is not None and cast.has_software:
        origin = shared.origin(source)
        plan = records.text(origin.plan)
        put(records.entity, plan, origin.plan_attributes)
    for number, (agent, role, ran) in enumerate(cast.associations, 1):
        association: Attributes = {"prov:activity": activity, "prov:agent": agent, "prov:role": role}
        if ran and plan is not None:
            association["prov:plan"] = plan
        records.association[f"{version}-association-{number}"] = association
    for number, (delegate, responsible) in enumerate(cast.delegations, 1):
        records.delegation[f"{version}-delegation-{number}"] = {
            "prov:delegate": delegate,
            "prov:responsible": responsible,
            "prov:activity": activity,
        }
    for number, agent in enumerate(cast.attributions, 1):
        records.attribution[f"{version}-attribution-{number}"] = {"prov:entity": version, "prov:agent": agent}


def _met(records: Records, cast: Cast) -> MetCast:
    """The agents by the texts they have in this document, told of when they are met in it first."""
    found = records.met.get(cast)
    if found is None:
        text = records.text
        for name, attributes in cast.elements:
            put(records.agent, text(name), attributes)
        found = records.met[cast] = MetCast(
            [(text(name), role, ran) for name, role, ran in cast.associations],
            [(text(delegate), text(responsible)) for delegate, responsible in cast.delegations],
            [text(name) for name in cast.attributions],
            has_software=any(ran for _, _, ran in cast.associations),
        )
    return found


def tell_source(records: Records, shared: Shared, step: Step) -> None:
    """``used`` and ``hadPrimarySource`` the source record; ``used`` the archive if the record was missing from it."""
    source = step.value.get("source")
    if source is None:
        return
    origin, usage = shared.origin(source), step.version + "-source-usage"
    archive = records.text(origin.archive)
    put(records.entity, archive, origin.attributes)
    used: Attributes = {
        "prov:activity": step.activity,
        "prov:entity": archive,
        "prov:role": _SOURCE_ROLE,
        "ods:dataMapping": origin.mapping,
    }
    records.usage[usage] = used
    if step.value["activity"]["type"] == "ods:Tombstone":
        return
    record = used["prov:entity"] = records.text(naming.record(source["archive"], source["record"]))
    put(records.entity, record, {"prov:type": _SOURCE_RECORD, "dcterms:identifier": legible(source["record"])})
    records.member(archive, record)
    records.derivation[step.version + "-primary-source"] = {
        "prov:generatedEntity": step.version,
        "prov:usedEntity": record,
        "prov:activity": step.activity,
        "prov:generation": step.generation,
        "prov:usage": usage,
        "prov:type": _PRIMARY_SOURCE,
    }


def tell_cause(records: Records, shared: Shared, step: Step) -> None:
    """What the cause is tells how: ``used`` a version or annotation, ``wasInformedBy`` a run or another activity."""
    cause = step.value["activity"].get("cause")
    if cause is None:
        return
    kind, id_, relation = cause["kind"], cause["id"], step.version + "-cause"
    used = _causing_entity(records, step, kind, id_)
    if used is not None:
        records.usage[relation] = {
            "prov:activity": step.activity,
            "prov:entity": used,
            "prov:role": _CAUSE,
            "ods:causeKind": legible(kind),
        }
        return
    informant = _informant(records, shared, step, kind, id_)
    if informant is not None:
        records.communication[relation] = {
            "prov:informed": step.activity,
            "prov:informant": informant,
            "prov:type": _CAUSE,
            "ods:causeKind": legible(kind),
        }
    else:
        put(records.activity, step.activity, {"ods:causeKind": legible(kind), "ods:cause": legible(id_)})


def _informant(records: Records, shared: Shared, step: Step, kind: str, id_: str) -> str | None:
    """The activity that the cause names: a run by whatever id, any other by its UUID."""
    if pid_in(id_) is not None:
        return None
    found = shared.informant(id_)
    if not (found.by_uuid or kind in _RUNS):
        return None
    if records.text(found.name) == step.activity:
        return None
    return put_informant(records, found)


def put_informant(records: Records, found: Informant) -> str:
    """Tell of an activity or run, and of the run that it reverts; returns what it is called."""
    name = records.text(found.name)
    put(records.activity, name, found.attributes)
    if found.reverted is not None:
        reverted, attributes = found.reverted
        reverts = records.text(found.name._replace(local="reverts"))
        put(records.activity, records.text(reverted), attributes)
        records.communication[reverts] = {"prov:informed": name, "prov:informant": records.text(reverted)}
    return name


def _causing_entity(records: Records, step: Step, kind: str, id_: str) -> str | None:
    parsed = pid_in(id_)
    if parsed is None:
        if kind != "annotation":
            return None
        name = records.text(naming.fragment(id_).name("annotation"))
        put(records.entity, name, {"dcterms:identifier": identifier(id_)})
        return name
    cause_pid, number = parsed
    if cause_pid == step.value["object"]:
        return step.earlier(number) if number is not None and number < step.number else None
    object_type = "ods:Annotation" if kind == "annotation" else step.value["type"]
    iri = object_iri(object_type, cause_pid)
    whole = records.text(naming.thing(iri))
    put(records.entity, whole, {"prov:type": term(object_type), "dcterms:identifier": identifier(iri)})
    if number is None:
        return whole
    version, iri = naming.version(object_type, cause_pid, number)
    name = records.text(version)
    attributes: Attributes = {
        "dcterms:identifier": identifier(iri),
        "ods:version": integer(number),
    }
    put(records.entity, name, attributes)
    records.specialize(name, whole)
    return name
