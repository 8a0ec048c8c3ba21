"""The source systems this ledger knows: each is a digital object itself, and so is the mapping it is read with."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import metadata
from typing import Any
from uuid import uuid4

from psycopg import Connection

from domain.agents import Agent, AgentKind, Role
from domain.digital_object import DigitalObject, Provenance
from domain.errors import InvalidDocument, NothingToChange, VersionConflict
from domain.events import DigitalObjectEvent, Source
from domain.opends import object_iri
from sources.synchronisation import source_records
from sources.synchronisation.candidates import SourceFile
from store.ledger import Ledger

SOFTWARE_NAME = f"Provenarium {metadata.version('provenarium')}"
SOFTWARE = f"urn:x-provenarium:software:{metadata.version('provenarium')}"
"""The identifier of this program as an agent."""

SYSTEM = "ods:SourceSystem"
MAPPING = "ods:DataMapping"


@dataclass(frozen=True)
class SourceSystem:
    """A source system: the name people use and its PID."""

    name: str
    pid: str

    @property
    def iri(self) -> str:
        return object_iri(SYSTEM, self.pid)

    def statement(self, archive: str, record_id: str, mapping: str) -> Source:
        """Where one statement comes from."""
        return Source(self.pid, archive, record_id, mapping)

    @classmethod
    def imagined(cls, ledger: Ledger, name: str) -> SourceSystem:
        """A source system as a dry run sees it when there is none yet; nothing is stored."""
        return cls(name, ledger.mint_pids(1)[0])


def find_source(ledger: Ledger, name: str) -> SourceSystem | None:
    """The source system of this name, or None."""
    rows = source_records.fetch(ledger, "find_key", ("", SYSTEM, name))
    return SourceSystem(name, rows[0][0]) if rows else None


def source_names(ledger: Ledger) -> dict[str, str]:
    """The name of every source system by its PID."""
    return {pid: name for name, pid in source_records.fetch(ledger, "sources")}


def check_name(name: str) -> None:
    """Raises :class:`InvalidDocument` for text that can be no name of a source."""
    if not name.strip() or len(name) > 200 or not name.isprintable():
        raise InvalidDocument("the name of a source is printable text of 1 to 200 characters")


def ensure_source(
    ledger: Ledger, name: str, file: SourceFile, occurred: datetime, requestor: Agent | None
) -> SourceSystem:
    """The source system of this name, created (with its data mapping) when there is none yet."""
    check_name(name)
    software = Agent(SOFTWARE, AgentKind.SOFTWARE, Role.GENERATOR)
    provenance = Provenance(
        agents=(requestor, software) if requestor else (software,),
        occurred=occurred,
        comment=f"source {name!r} registered",
    )
    # Each is recorded by itself, at a time of its own: an activity of its own, which PROV gives one beginning and end.
    mapping = _ensure_mapping(ledger, file, replace(provenance, activity=uuid4())) if file.translator else None
    found = find_source(ledger, name)
    if found is not None:
        return found
    document: dict[str, Any] = {"@type": SYSTEM, "schema:name": name, "schema:creator": _creator(provenance)}
    if mapping is not None:
        document["ods:translatorType"] = file.translator
        document["ods:dataMappingID"] = object_iri(MAPPING, mapping)
    pid = ledger.mint_pids(1)[0]
    # Names first: once the source exists, a run that was killed in between does not come here again.
    ledger.register_agent(software, SOFTWARE_NAME)
    ledger.register_agent(Agent(object_iri(SYSTEM, pid), AgentKind.SOFTWARE, Role.REQUESTOR), f"source {name}")
    if not _create(ledger, SYSTEM, name, DigitalObject.create(pid, document, provenance)):
        found = find_source(ledger, name)  # somebody else registered it in the meantime
        assert found is not None
        return found
    return SourceSystem(name, pid)


def _ensure_mapping(ledger: Ledger, file: SourceFile, provenance: Provenance) -> str:
    """PID of the data mapping; its document names the version in use."""
    name, _, version = file.mapping.partition("/")
    document = {
        "@type": MAPPING,
        "schema:name": name,
        "schema:description": f"version {version}",
        "schema:creator": _creator(provenance),
        "ods:mappingDataStandard": "DwC",
    }
    rows = source_records.fetch(ledger, "find_key", ("", MAPPING, name))
    if not rows:
        pid = ledger.mint_pids(1)[0]
        if _create(ledger, MAPPING, name, DigitalObject.create(pid, document, provenance)):
            return pid
        rows = source_records.fetch(ledger, "find_key", ("", MAPPING, name))
    found: str = rows[0][0]
    state = ledger.get(found)
    if state.document.get("schema:description") != document["schema:description"]:
        document["schema:creator"] = state.document["schema:creator"]
        with suppress(NothingToChange, VersionConflict):  # another process may have just said the same
            ledger.record(state, state.update(document, provenance))
    return found


def _create(ledger: Ledger, kind: str, key: str, event: DigitalObjectEvent) -> bool:
    def beside(connection: Connection[Any]) -> None:
        source_records.save_keys(connection, "", [(kind, key, event.originator_id)])

    try:
        ledger.append([event], beside=beside)
    except VersionConflict:
        return False
    return True


def _creator(provenance: Provenance) -> dict[str, str]:
    agent = provenance.agents[0]
    kind = "schema:Person" if agent.kind is AgentKind.PERSON else "schema:SoftwareApplication"
    return {"@id": agent.id, "@type": kind}
