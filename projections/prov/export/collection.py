"""What an export says of itself: the provenance of the provenance in it.

Each object's document is a bundle. At the top level, each bundle is an entity of type ``prov:Bundle``, about
(``dcterms:subject``) the object, ``wasGeneratedBy`` the export, ``wasAttributedTo`` who answers for it (the
organisation if one is named, otherwise this program), and a member of the collection, which is an entity too. The
export is an activity with its conditions and the position in the log up to which it tells. The runs that made any of
the versions are activities with their kind and times, there and in the bundles.

An export has no time of its own, so that the same scope up to the same position is the same document, byte for byte;
its identifier, and with it the bundles', follows from these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

import orjson

from domain.opends import object_iri
from projections.prov import naming
from projections.prov.prov_json import Attributes, Json, Records, identifier, integer, put, qualified, uri
from projections.prov.runs import Runs
from projections.prov.scopes import Bounds, Listed, Scope
from projections.prov.stream_context import put_informant
from projections.prov.stream_shared import Shared

BUNDLE_SECTIONS = ("entity", "wasGeneratedBy", "wasAttributedTo", "hadMember")
"""The sections of PROV-JSON in which each bundle has one record at the top level."""

_NAMESPACE_OF_EXPORTS = UUID("c5bb0a4e-5d0b-5c7c-8a52-6d6b0f5e9a31")


@dataclass(frozen=True)
class Exporter:
    """Who exports: the IRI of the program, and that of the organisation it does so for, if one is named."""

    software: str
    organisation: str | None = None


class Collection:
    """The top level of one export; ``around`` are the prefixes it declares, ``fixed`` its records but the bundles'."""

    def __init__(
        self,
        scope: Scope,
        within: Bounds,
        exporter: Exporter,
        objects: int,
        versions: int,
        runs: Iterable[str],
        of: Runs,
    ) -> None:
        told = [scope.to_json(), within.after, within.upto, within.anchor, exporter.software, exporter.organisation]
        self.id = str(uuid5(_NAMESPACE_OF_EXPORTS, orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode()))
        real = f"urn:uuid:{self.id}"
        self._space = naming.fragment(real)
        records = Records()
        self._activity, self._collection = self._text(records, "activity"), self._text(records, "collection")
        self._responsible = self._agents(records, exporter)
        put(
            records.entity,
            self._collection,
            {
                "prov:type": qualified("prov:Collection"),
                "ods:objects": integer(objects),
                "ods:versions": integer(versions),
            },
        )
        activity: Attributes = {
            "prov:type": qualified("ods:ProvenanceExport"),
            "dcterms:identifier": uri(real),
            "ods:streamPosition": integer(within.upto),
        }
        for name, value in scope.to_json().items():
            activity[f"ods:scope{name[0].upper()}{name[1:]}"] = identifier(value)
        put(records.activity, self._activity, activity)
        records.generation[self._text(records, "generation")] = {
            "prov:entity": self._collection,
            "prov:activity": self._activity,
        }
        records.attribution[self._text(records, "attribution")] = {
            "prov:entity": self._collection,
            "prov:agent": self._responsible,
        }
        shared = Shared({}, of)
        for run in runs:
            put_informant(records, shared.informant(run))
        self.fixed: Json = records.to_json()
        self.around: dict[str, str] = self.fixed.pop("prefix")
        # As text, since there are as many of these as objects; nothing in them needs an escape that has none.
        tell = (self._entity, self._generation, self._attribution, self._member)
        self._record = dict(zip(BUNDLE_SECTIONS, tell, strict=True))

    def bundle(self, pid: str) -> str:
        """What the bundle of an object is called."""
        return f"{self._space.prefix}:bundle-{naming.escaped(pid)}"

    def records(self, section: str, listed: Sequence[Listed], first: int) -> str:
        """The records that bundles have in one of :data:`BUNDLE_SECTIONS`, as members of a JSON object.

        ``listed`` are their objects as they follow each other in the list, the first of which has
        the number ``first``, from 1.
        """
        record = self._record[section]
        return ",".join([record(each, self.bundle(each.pid), number) for number, each in enumerate(listed, first)])

    def _entity(self, listed: Listed, bundle: str, _number: int) -> str:
        iri = object_iri(listed.object_type, listed.pid)
        subject = orjson.dumps(uri(iri) if naming.is_uri(iri) else naming.legible(iri)).decode()
        return (
            f'"{bundle}":{{"prov:type":{{"$":"prov:Bundle","type":"xsd:QName"}},"dcterms:subject":{subject},'
            f'"ods:versions":{{"$":"{len(listed.versions)}","type":"xsd:int"}}}}'
        )

    def _generation(self, _listed: Listed, bundle: str, _number: int) -> str:
        return f'"{bundle}-generation":{{"prov:entity":"{bundle}","prov:activity":"{self._activity}"}}'

    def _attribution(self, _listed: Listed, bundle: str, _number: int) -> str:
        return f'"{bundle}-attribution":{{"prov:entity":"{bundle}","prov:agent":"{self._responsible}"}}'

    def _member(self, _listed: Listed, bundle: str, number: int) -> str:
        return f'"_:member{number}":{{"prov:collection":"{self._collection}","prov:entity":"{bundle}"}}'

    def _text(self, records: Records, local: str) -> str:
        return records.text(self._space.name(local))

    def _agents(self, records: Records, exporter: Exporter) -> str:
        """Tell of the agents; returns the one who answers for the export."""
        software = _agent(records, exporter.software, "prov:SoftwareAgent")
        records.association[self._text(records, "association")] = {
            "prov:activity": self._activity,
            "prov:agent": software,
            "prov:role": qualified("ods:Generator"),
        }
        if exporter.organisation is None:
            return software
        organisation = _agent(records, exporter.organisation, "prov:Organization")
        records.delegation[self._text(records, "delegation")] = {
            "prov:delegate": software,
            "prov:responsible": organisation,
            "prov:activity": self._activity,
        }
        return organisation


def _agent(records: Records, iri: str, kind: str) -> str:
    name = records.text(naming.agent(iri))
    put(records.agent, name, {"dcterms:identifier": identifier(iri), "prov:type": qualified(kind)})
    return name
