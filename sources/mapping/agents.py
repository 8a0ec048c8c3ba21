"""People and institutions in a row: names and identifiers to openDS agents with a role."""

from __future__ import annotations

from functools import lru_cache

from domain.agents import person
from domain.errors import InvalidIdentifier
from sources.mapping.fields import Json, Report, prefix
from sources.mapping.table import MappingTable
from sources.mapping.values import is_iri
from sources.records import Terms


class AgentFields:
    """The agents that one class holds, read from one row type.

    Names are separated by ``|`` or ``&`` (never by commas, which stand inside names), identifiers
    by ``|`` or `` & `` (an ``&`` without blanks belongs to a URL). Identifiers belong to names by
    position when there are as many; otherwise they become agents of their own, with a notice.
    """

    def __init__(self, table: MappingTable, holder: str, row_type: str) -> None:
        self._where = prefix(row_type)
        self._shared = table.shared(row_type)
        self._roles: list[_Role] = []
        for rule in table.select("ods:Agent", row_type):
            if rule.detail["of"] == holder:
                role = next((known for known in self._roles if known.name == rule.detail["role"]), None)
                if role is None:
                    role = _Role(rule.detail["role"], rule.detail["type"])
                    self._roles.append(role)
                if rule.property == "schema:name":
                    role.names.append(rule.term)
                else:
                    role.identifiers[rule.term] = rule.value == "iri"

    def add(self, row: Terms, into: Json, report: Report) -> None:
        """Set ``ods:hasAgents`` of ``into`` when the row names anybody."""
        agents: list[Json] = []
        for role in self._roles:
            for agent in self._read(role, row, report):
                if agent not in agents:
                    agents.append(agent)
        if agents:
            into["ods:hasAgents"] = agents

    def _read(self, role: _Role, row: Terms, report: Report) -> list[Json]:
        name_term = next((term for term in role.names if term in row), None)
        id_term = next(
            (
                term
                for term, only_iri in role.identifiers.items()
                if term in row and term != name_term and (not only_iri or all(map(is_iri, _identifiers(row[term]))))
            ),
            None,
        )
        if name_term is None and id_term is None:
            return []
        used = [term for term in (name_term, id_term) if term is not None]
        for term in used:
            if term in self._shared:
                report.carried(self._where + term)
        for term in (*role.names, *role.identifiers):
            if term in row and term not in used and row[term] not in [row[other] for other in used]:
                report.left(self._where + term)
        names = _names(row[name_term]) if name_term is not None else []
        identifiers = _identifiers(row[id_term]) if id_term is not None else []
        if len(names) != len(identifiers):  # empty places count as positions only where that makes the counts agree
            names, identifiers = list(filter(None, names)), list(filter(None, identifiers))
        if len(names) == len(identifiers):
            pairs = list(zip(names, identifiers, strict=True))
        else:
            pairs = [(name, "") for name in names] + [("", identifier) for identifier in identifiers]
            if names and identifiers:
                report.notice(
                    f"{self._where}{id_term}: {len(identifiers)} identifiers for {len(names)} names in {name_term}; "
                    "kept as separate agents",
                    f"{self._where}{id_term}: number",
                )
        return [_agent(role, name, identifier) for name, identifier in pairs if name or identifier]


class _Role:
    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        self.names: list[str] = []
        self.identifiers: dict[str, bool] = {}


def _agent(role: _Role, name: str, identifier: str) -> Json:
    if not identifier and is_iri(name):
        name, identifier = "", name
    agent: Json = {"@type": "schema:Organization" if "//ror.org/" in identifier else role.kind}
    if identifier:
        iri = _iri_of(identifier)
        if iri is not None:
            agent["@id"] = iri
        agent["schema:identifier"] = identifier
    if name:
        agent["schema:name"] = name
    agent["ods:hasRoles"] = [{"@type": "schema:Role", "schema:roleName": role.name}]
    return agent


@lru_cache(maxsize=4096)
def _iri_of(identifier: str) -> str | None:
    """The IRI of an agent identifier: itself, or the ORCID address of a bare ORCID iD with a right check digit."""
    if is_iri(identifier):
        return identifier
    if len(identifier) == 19 and identifier.count("-") == 3:
        try:
            return person(f"https://orcid.org/{identifier}").id
        except InvalidIdentifier:
            return None
    return None


def _names(text: str) -> list[str]:
    if "|" not in text and "&" not in text:
        return [text]
    return [part.strip() for part in text.replace("&", "|").split("|")]


def _identifiers(text: str) -> list[str]:
    if "|" not in text and " & " not in text:
        return [text]
    return [part.strip() for part in text.replace(" & ", "|").split("|")]
