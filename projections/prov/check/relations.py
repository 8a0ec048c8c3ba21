"""The statements of PROV-DM as PROV-CONSTRAINTS reads them: arguments, which may be missing, and what they type."""

from __future__ import annotations

from dataclasses import dataclass

from prov.model import (
    ProvActivity,
    ProvAgent,
    ProvAlternate,
    ProvAssociation,
    ProvAttribution,
    ProvCommunication,
    ProvDelegation,
    ProvDerivation,
    ProvEnd,
    ProvEntity,
    ProvGeneration,
    ProvInfluence,
    ProvInvalidation,
    ProvMembership,
    ProvMention,
    ProvRecord,
    ProvSpecialization,
    ProvStart,
    ProvUsage,
)

_E, _A, _AG = "entity", "activity", "agent"


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of statement.

    ``roles`` name the arguments in the order of PROV-N; ``types`` are what constraint 50 infers of them; ``mandatory``
    are the positions PROV-DM demands; ``fixed`` those where a missing argument is the placeholder ``-`` rather than
    some unknown value (definition 4, table 3). ``identified`` statements have an identifier and hence an influence
    between their first two arguments (inference 15). Identifiers of ``basic`` ones are disjoint (constraint 53).
    """

    name: str
    roles: tuple[str, ...] = ()
    types: tuple[str | None, ...] = ()
    mandatory: tuple[int, ...] = ()
    fixed: tuple[int, ...] = ()
    element: bool = False
    identified: bool = True
    basic: bool = True


ENTITY = Kind("entity", element=True)
ACTIVITY = Kind("activity", ("start time", "end time"), (None, None), element=True)
AGENT = Kind("agent", element=True)
GENERATION = Kind("wasGeneratedBy", ("entity", "activity", "time"), (_E, _A, None), (0,))
USAGE = Kind("used", ("activity", "entity", "time"), (_A, _E, None), (0,))
COMMUNICATION = Kind("wasInformedBy", ("informed", "informant"), (_A, _A), (0, 1))
START = Kind("wasStartedBy", ("activity", "trigger", "starter", "time"), (_A, _E, _A, None), (0,))
END = Kind("wasEndedBy", ("activity", "trigger", "ender", "time"), (_A, _E, _A, None), (0,))
INVALIDATION = Kind("wasInvalidatedBy", ("entity", "activity", "time"), (_E, _A, None), (0,))
DERIVATION = Kind(
    "wasDerivedFrom",
    ("generated entity", "used entity", "activity", "generation", "usage"),
    (_E, _E, _A, None, None),
    (0, 1),
    fixed=(2,),
    basic=False,
)
ATTRIBUTION = Kind("wasAttributedTo", ("entity", "agent"), (_E, _AG), (0, 1))
ASSOCIATION = Kind("wasAssociatedWith", ("activity", "agent", "plan"), (_A, _AG, _E), (0,), fixed=(2,))
DELEGATION = Kind("actedOnBehalfOf", ("delegate", "responsible", "activity"), (_AG, _AG, _A), (0, 1))
INFLUENCE = Kind("wasInfluencedBy", ("influencee", "influencer"), (None, None), (0, 1), basic=False)
SPECIALIZATION = Kind("specializationOf", ("specific", "general"), (_E, _E), (0, 1), identified=False)
ALTERNATE = Kind("alternateOf", ("alternate", "alternate"), (_E, _E), (0, 1), identified=False)
MENTION = Kind("mentionOf", ("specific", "general", "bundle"), (_E, _E, _E), (0, 1, 2), identified=False)
MEMBERSHIP = Kind("hadMember", ("collection", "entity"), (_E, _E), (0, 1), identified=False)

KINDS: dict[type[ProvRecord], Kind] = {
    ProvEntity: ENTITY,
    ProvActivity: ACTIVITY,
    ProvAgent: AGENT,
    ProvGeneration: GENERATION,
    ProvUsage: USAGE,
    ProvCommunication: COMMUNICATION,
    ProvStart: START,
    ProvEnd: END,
    ProvInvalidation: INVALIDATION,
    ProvDerivation: DERIVATION,
    ProvAttribution: ATTRIBUTION,
    ProvAssociation: ASSOCIATION,
    ProvDelegation: DELEGATION,
    ProvInfluence: INFLUENCE,
    ProvSpecialization: SPECIALIZATION,
    ProvAlternate: ALTERNATE,
    ProvMention: MENTION,
    ProvMembership: MEMBERSHIP,
}
