"""The PROV document of one object straight from its stored events, as PROV-JSON: for exports of any size.

It says what :func:`projections.prov.document.prov_document` says, and why is told there; read back by the ``prov``
package the two are equal. It needs neither that package nor domain events, and keeps nothing from one object to the
next but what many share: agents, archives, mappings and runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import orjson

from domain.errors import IntegrityFailure, InvalidTime
from domain.events import DigitalObjectEvent
from domain.opends import object_iri
from domain.times import from_text, to_text
from projections.prov import naming
from projections.prov.naming import Space, legible
from projections.prov.prov_json import Json, Records, identifier, integer, put, qualified, term, uri
from projections.prov.runs import Runs
from projections.prov.stream_context import tell_agents, tell_cause, tell_source
from projections.prov.stream_event import TIME, Told, text_of
from projections.prov.stream_shared import Names, Shared
from projections.prov.stream_step import Step
from projections.prov.stream_template import Templates
from projections.prov.validity import ALWAYS, RESTORE, TOMBSTONE, Validity

_PERIOD = {"prov:type": qualified("ods:PeriodOfValidity")}
_REVISION = qualified("prov:Revision")
_FIRST_UNDONE = qualified("ods:FirstUndone")

_T = TypeVar("_T")


def told(event: DigitalObjectEvent) -> Told:
    """A recorded domain event as it is stored; raises :class:`IntegrityFailure` when it is not recorded."""
    if event.position is None or event.recorded is None:
        raise IntegrityFailure(
            f"version {event.originator_version} of {event.originator_id} has no position in the ledger; "
            "only recorded events have provenance"
        )
    return Told(event.to_json(), event.position, event.recorded)


class ObjectWriter:
    """Writes documents of objects, one after the other.

    ``names`` and ``runs`` are as for :func:`~projections.prov.document.prov_document`. With ``around``,
    the prefixes declared by a document, it writes bundles for it. What it learns of agents is kept
    as long as the writer is.
    """

    def __init__(
        self,
        names: Names | None = None,
        runs: Runs | None = None,
        around: Mapping[str, str] | None = None,
    ) -> None:
        self._shared = Shared(names or {}, runs or {})
        self._around = around
        self._templates = Templates(lambda events: _one_line(self._document(events, ALWAYS)), around or ())

    def document(self, events: Sequence[Told], validity: Validity | None = None) -> Json:
        """PROV-JSON of one object's whole history; with its ``validity``, of any of its events, in order.

        Raises :class:`IntegrityFailure` when the events are not such a history.
        """
        return self._checked(self._document, events, validity)

    def text(self, events: Sequence[Told], validity: Validity | None = None) -> str:
        """:meth:`document` on one line."""
        return self._checked(self._text, events, validity)

    def bytes(self, events: Sequence[Told], validity: Validity | None = None) -> bytes:
        """:meth:`text` as UTF-8."""
        return self.text(events, validity).encode()

    def _checked(
        self, tell: Callable[[Sequence[Told], Validity], _T], events: Sequence[Told], validity: Validity | None
    ) -> _T:
        first = events[0].value["object"] if events else "an object"
        try:
            _check(events, whole=validity is None)
            return tell(events, _validity(events) if validity is None else validity)
        except (LookupError, TypeError, ValueError, AttributeError, InvalidTime) as error:
            raise IntegrityFailure(f"a stored event of {first} is not one: {error!r}") from None

    def _text(self, events: Sequence[Told], validity: Validity) -> str:
        found = None if validity.was_withdrawn else self._templates.document(events)
        return _one_line(self._document(events, validity)) if found is None else found

    def _document(self, events: Sequence[Told], validity: Validity) -> Json:
        value = events[0].value
        iri = object_iri(value["type"], value["object"])
        records = Records(self._around)
        whole = records.text(naming.thing(iri))
        own = _prefix(records, naming.fragment(iri))
        real = uri(iri) if naming.is_uri(iri) else legible(iri)
        put(records.entity, whole, {"prov:type": term(value["type"]), "dcterms:identifier": real})
        history = _History(records, self._shared, validity, whole, own, iri)
        for event in events:
            history.tell(event)
        history.close()
        return records.to_json()


class _History:
    """One object's document while it is written; ``own`` is the prefix of what the store names about it."""

    def __init__(self, records: Records, shared: Shared, validity: Validity, whole: str, own: str, iri: str) -> None:
        self.records = records
        self.shared = shared
        self.validity = validity
        self.simple = not validity.was_withdrawn
        self.whole = whole
        self.own = own
        self.iri = iri
        self.is_uri = naming.is_uri(iri)
        self.told: set[int] = set()
        self.used: set[int] = set()

    def tell(self, event: Told) -> None:
        """Add what ``event`` says."""
        records, value = self.records, event.value
        number = value["version"]
        version, generation = f"{self.own}:v{number}", f"{self.own}:v{number}-generation"
        recorded = text_of(event.recorded)
        activity = self._activity(event, recorded)
        step = Step(value, number, self.iri, self.own, activity, version, generation, self.used)
        self.told.add(number)
        self._version(step, recorded)
        records.generation[generation] = {"prov:entity": version, "prov:activity": activity, "prov:time": recorded}
        if number > 1:
            previous, usage = step.earlier(number - 1), version + "-usage"
            records.usage[usage] = {"prov:activity": activity, "prov:entity": previous, "prov:time": recorded}
            records.derivation[version + "-revision"] = {
                "prov:generatedEntity": version,
                "prov:usedEntity": previous,
                "prov:activity": activity,
                "prov:generation": generation,
                "prov:usage": usage,
                "prov:type": _REVISION,
            }
        if "undoes" in value:
            records.usage[version + "-undone-usage"] = {
                "prov:activity": activity,
                "prov:entity": step.earlier(value["undoes"]),
                "prov:time": recorded,
                "prov:role": _FIRST_UNDONE,
            }
        tell_source(records, self.shared, step)
        tell_agents(records, self.shared, step)
        tell_cause(records, self.shared, step)
        if not self.simple and self.validity.ended_by(number) is not None:
            self._validity_ends(step, recorded)

    def close(self) -> None:
        """Add the versions that are used and not told."""
        for number in sorted(self.used - self.told):
            attributes: Json = {"dcterms:identifier": self._identifier(number)}
            put(self.records.entity, f"{self.own}:v{number}", attributes)

    def _activity(self, event: Told, recorded: str) -> str:
        value = event.value
        asserted = value["activity"]
        name, real = naming.activity(asserted["id"])
        attributes: Json = {
            "prov:startTime": min(_canonical(asserted["started"]), recorded),
            "prov:endTime": max(_canonical(asserted["ended"]), recorded),
            "prov:type": term(asserted["type"]),
            "dcterms:identifier": uri(real),
            "ods:streamPosition": integer(event.position),
            "ods:occurred": {"$": _canonical(value["occurred"]), "type": "xsd:dateTime"},
        }
        if "undoes" in value:
            attributes["ods:undoes"] = integer(value["undoes"])
        if asserted.get("comment") is not None:
            attributes["rdfs:comment"] = legible(asserted["comment"])
        text = self.records.text(name)
        put(self.records.activity, text, attributes)
        return text

    def _version(self, step: Step, recorded: str) -> None:
        records, value = self.records, step.value
        attributes = {
            "dcterms:identifier": self._identifier(step.number),
            "ods:version": integer(step.number),
            "ods:contentDigest": f"sha256:{value['digest']}",
            "dcterms:conformsTo": identifier(value["schema"]),
        }
        put(records.entity, step.version, attributes)
        if self.simple:
            records.specialize(step.version, self.whole)
            return
        if self.validity.begins(step.number):
            records.generation[step.version + "-validity-begins"] = {
                "prov:entity": self._period(step.number),
                "prov:activity": step.activity,
                "prov:time": recorded,
            }
        if self.validity.period(step.number) is None:
            records.alternates(step.version, self.whole)
        else:
            records.specialize(step.version, self.whole)
            records.specialize(step.version, self._period(step.number))

    def _identifier(self, number: int) -> Json | str:
        iri = f"{self.iri}/{number}"
        return uri(iri) if self.is_uri else legible(iri)

    def _period(self, version: int) -> str:
        number = self.validity.period(version) or self.validity.ended_by(version)
        name = f"{self.own}:validity-{number}"
        put(self.records.entity, name, _PERIOD)
        self.records.specialize(name, self.whole)
        return name

    def _validity_ends(self, step: Step, recorded: str) -> None:
        ended = [(self._period(step.number), "-validity-ends")]
        if self.validity.withdrawn_by == step.number:
            ended.append((self.whole, "-invalidation"))
        for entity, relation in ended:
            self.records.invalidation[step.version + relation] = {
                "prov:entity": entity,
                "prov:activity": step.activity,
                "prov:time": recorded,
            }


def _check(events: Sequence[Told], *, whole: bool) -> None:
    if not events or (whole and events[0].value["activity"]["type"] != "ods:Create"):
        raise IntegrityFailure("a history begins with the event that created the object")
    first = events[0].value
    pid, object_type = first["object"], first["type"]
    before = 0
    for number, (value, _, _) in enumerate(events, 1):
        version = value["version"]
        if value["object"] != pid or value["type"] != object_type:
            raise IntegrityFailure(f"event {number} of the history of {pid} is about {value['type']} {value['object']}")
        if version != number if whole else version <= before:
            raise IntegrityFailure(f"event {number} of the history of {pid} makes version {version}")
        before = version
    if len(events) > 1 and len({value["activity"]["id"] for value, _, _ in events}) != len(events):
        raise IntegrityFailure(f"two events of {pid} have the same activity id")


def _validity(events: Sequence[Told]) -> Validity:
    turns = [(value["version"], value["activity"]["type"]) for value, _, _ in events]
    withdrawn = any(kind in (TOMBSTONE, RESTORE) for _, kind in turns)
    return Validity.of(turns) if withdrawn else ALWAYS


def _one_line(document: Json) -> str:
    return orjson.dumps(document).decode()


def _prefix(records: Records, space: Space) -> str:
    """The prefix by which a document knows a namespace."""
    return records.text(space.name("")).removesuffix(":")


def _canonical(time: str) -> str:
    """A stored time in the one form whose text order is time order, which is nearly always how it stands there."""
    return time if TIME.fullmatch(time) else to_text(from_text(time))
