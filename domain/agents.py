"""Who did it: agents by identifier, their kind, their role and on whose behalf they acted.

Names and addresses are deliberately absent: they live in the register of agents, outside the
hashed events, so that a person can be forgotten without breaking a proof.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from domain.errors import InvalidIdentifier

_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")


class AgentKind(StrEnum):
    """The PROV agent types."""

    PERSON = "prov:Person"
    ORGANISATION = "prov:Organization"
    SOFTWARE = "prov:SoftwareAgent"


class Role(StrEnum):
    """What the agent did in the activity; the first three are openDS ``prov:hadRole`` values."""

    REQUESTOR = "Requestor"
    APPROVER = "Approver"
    GENERATOR = "Generator"
    PROPOSER = "Proposer"


@dataclass(frozen=True)
class Agent:
    """An agent's part in one activity: identifier (an IRI), kind, role, and for whom it acted."""

    id: str
    kind: AgentKind
    role: Role
    on_behalf_of: str | None = None

    def __post_init__(self) -> None:
        for identifier in (self.id, self.on_behalf_of):
            if identifier is not None and not _IRI.fullmatch(identifier):
                raise InvalidIdentifier(
                    f"agent identifier {identifier!r} is not an IRI such as https://orcid.org/0000-0002-1825-0097"
                )

    def to_json(self) -> dict[str, Any]:
        """The agent as it stands in an event; absent members are left out."""
        value: dict[str, Any] = {"id": self.id, "kind": self.kind.value, "role": self.role.value}
        if self.on_behalf_of is not None:
            value["onBehalfOf"] = self.on_behalf_of
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Agent:
        """Read what :meth:`to_json` wrote."""
        return _agent(value["id"], value["kind"], value["role"], value.get("onBehalfOf"))


@lru_cache(maxsize=1024)  # few agents have a part in many events
def _agent(identifier: str, kind: str, role: str, on_behalf_of: str | None) -> Agent:
    return Agent(identifier, AgentKind(kind), Role(role), on_behalf_of)


def person(identifier: str, role: Role = Role.REQUESTOR) -> Agent:
    """A person by ORCID (bare or as URL, check digit verified) or by any other IRI."""
    orcid = _ORCID.fullmatch(identifier.strip())
    if orcid is None:
        return Agent(identifier.strip(), AgentKind.PERSON, role)
    digits = orcid[1].replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    if digits[-1] != ("X" if check == 10 else str(check)):
        raise InvalidIdentifier(f"ORCID {orcid[1]} has a wrong check digit; please look it up again")
    return Agent(f"https://orcid.org/{orcid[1]}", AgentKind.PERSON, role)
