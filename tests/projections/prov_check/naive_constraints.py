"""PROV-CONSTRAINTS read literally, rule by rule over explicit facts: slow, and the oracle of the checker's tests.

The rules are those of the Recommendation (2013), transcribed one to one: inferences make facts about fresh variables,
uniqueness substitutes terms until nothing changes, each ordering constraint relates pairs of events.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

NONE = "-"


class Fact(NamedTuple):
    """A statement: PROV-N name, identifier and arguments; None for what is left out."""

    name: str
    id: str | None
    args: tuple[str | None, ...]


_NOT_EXPANDABLE = {("wasAssociatedWith", 2), ("wasDerivedFrom", 2)}
_EVENTS = ("wasGeneratedBy", "used", "wasStartedBy", "wasEndedBy", "wasInvalidatedBy")
_BASIC = (*_EVENTS, "wasInformedBy", "wasAttributedTo", "wasAssociatedWith", "actedOnBehalfOf")
_ELEMENTS = ("entity", "activity", "agent")
_TYPES = {
    "entity": ("entity",),
    "activity": ("activity",),
    "used": (None, "activity", "entity"),
    "wasGeneratedBy": (None, "entity", "activity"),
    "wasInvalidatedBy": (None, "entity", "activity"),
    "wasStartedBy": (None, "activity", "entity", "activity"),
    "wasEndedBy": (None, "activity", "entity", "activity"),
    "wasInformedBy": (None, "activity", "activity"),
    "wasDerivedFrom": (None, "entity", "entity", "activity"),
    "wasAttributedTo": (None, "entity", "agent"),
    "wasAssociatedWith": (None, "activity", "agent", "entity"),
    "actedOnBehalfOf": (None, "agent", "agent", "activity"),
    "specializationOf": (None, "entity", "entity"),
    "hadMember": (None, "entity", "entity"),
}


def verdict(stated: list[Fact]) -> set[str]:
    """What is wrong: ``unification``, ``order``, ``52`` to ``55``; nothing if the facts are valid.

    When unification fails the facts have no normal form, and nothing else is said.
    """
    fresh = (f"?{number}" for number in itertools.count())
    facts = {_expanded(fact, fresh) for fact in stated}
    facts |= set(_inherited_entities(facts))
    facts |= {made for fact in sorted(facts) for made in _inferred(fact, fresh)}
    while True:
        pair = next(_contradicting(facts), None)
        if pair is None:
            break
        one, other = pair if pair[0].startswith("?") else pair[::-1]
        if not one.startswith("?"):
            return {"unification"}
        facts = {fact._replace(id=_put(fact.id, one, other), args=_puts(fact.args, one, other)) for fact in facts}
    return {"order" for _ in _strict_cycles(facts)} | set(_impossible(facts))


def _put(term: str | None, one: str, other: str) -> str | None:
    return other if term == one else term


def _puts(terms: tuple[str | None, ...], one: str, other: str) -> tuple[str | None, ...]:
    return tuple(_put(term, one, other) for term in terms)


def _expanded(fact: Fact, fresh: Iterator[str]) -> Fact:
    """Definitions 1 to 4."""
    fixed = fact.name == "wasDerivedFrom" and fact.args[2] is None
    args = tuple(
        argument
        if argument is not None
        else (NONE if fixed or (fact.name, position) in _NOT_EXPANDABLE else next(fresh))
        for position, argument in enumerate(fact.args)
    )
    return Fact(fact.name, fact.id if fact.id is not None else next(fresh), args)


def _inherited_entities(facts: set[Fact]) -> Iterator[Fact]:
    """Inference 21, for the fact that they are entities."""
    entities = {str(fact.id) for fact in facts if fact.name == "entity"}
    special = _transitive({fact.args for fact in facts if fact.name == "specializationOf"})
    for specific, general in special:
        if general in entities:
            yield Fact("entity", specific, ())


def _transitive(pairs: set[tuple[str | None, ...]]) -> set[tuple[str | None, ...]]:
    while True:
        more = {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs
        if not more:
            return pairs
        pairs = pairs | more


def _inferred(fact: Fact, fresh: Iterator[str]) -> list[Fact]:
    """Inferences 5, 7 to 11, 13 and 14; 15 is seen in :func:`_contradicting`."""

    def generated(entity: str | None, activity: str | None) -> Fact:
        return Fact("wasGeneratedBy", next(fresh), (entity, activity, next(fresh)))

    name, args = fact.name, fact.args
    if name == "wasInformedBy":
        entity = next(fresh)
        return [generated(entity, args[1]), Fact("used", next(fresh), (args[0], entity, next(fresh)))]
    if name == "entity":
        invalidated = Fact("wasInvalidatedBy", next(fresh), (fact.id, next(fresh), next(fresh)))
        return [generated(fact.id, next(fresh)), invalidated]
    if name == "activity":
        start = Fact("wasStartedBy", next(fresh), (fact.id, next(fresh), next(fresh), args[0]))
        end = Fact("wasEndedBy", next(fresh), (fact.id, next(fresh), next(fresh), args[1]))
        return [start, end, generated(start.args[1], start.args[2]), generated(end.args[1], end.args[2])]
    if name in ("wasStartedBy", "wasEndedBy"):
        return [generated(args[1], args[2])]
    if name == "wasDerivedFrom" and args[2] != NONE:
        return [
            Fact("used", args[4], (args[2], args[1], next(fresh))),
            Fact("wasGeneratedBy", args[3], (args[0], args[2], next(fresh))),
        ]
    if name == "wasAttributedTo":
        made = generated(args[0], next(fresh))
        return [made, Fact("wasAssociatedWith", next(fresh), (made.args[1], args[1], next(fresh)))]
    if name == "actedOnBehalfOf":
        return [Fact("wasAssociatedWith", next(fresh), (args[2], agent, next(fresh))) for agent in args[:2]]
    return []


def _contradicting(facts: set[Fact]) -> Iterator[tuple[str, str]]:
    """Terms that constraints 22 to 29 make equal and that are not yet so."""
    keys = {"wasGeneratedBy": (0, 1), "wasInvalidatedBy": (0, 1), "wasStartedBy": (0, 2), "wasEndedBy": (0, 2)}
    equal: list[tuple[str | None, str | None]] = []
    for one, other in itertools.combinations(sorted(facts), 2):
        related = one.name not in _ELEMENTS and other.name not in _ELEMENTS
        if one.id == other.id and one.name == other.name:
            equal += zip(one.args, other.args, strict=True)
        elif one.id == other.id and related and not (one.name in _BASIC and other.name in _BASIC):
            equal += zip(one.args[:2], other.args[:2], strict=True)  # both are influences, by inference 15
        if one.name == other.name and one.name in keys:
            first, second = keys[one.name]
            if (one.args[first], one.args[second]) == (other.args[first], other.args[second]):
                equal.append((one.id, other.id))
        for activity, event in ((one, other), (other, one)):
            of_it = activity.name == "activity" and event.args[:1] == (activity.id,)
            if of_it and event.name in ("wasStartedBy", "wasEndedBy"):
                equal.append((activity.args[event.name == "wasEndedBy"], event.args[3]))
    for mine, theirs in equal:
        if mine != theirs:
            yield str(mine), str(theirs)


def _strict_cycles(facts: set[Fact]) -> Iterator[_Event]:
    after: dict[_Event, set[_Event]] = {}
    strict: set[tuple[_Event, _Event]] = set()
    for one, other, is_strict in _orders(facts):
        after.setdefault(one, set()).add(other)
        if is_strict:
            strict.add((one, other))
    for one, other in strict:
        reached, waiting = {other}, [other]
        while waiting:
            new = after.get(waiting.pop(), set()) - reached
            reached |= new
            waiting += new
        if one in reached:
            yield one


_Event = tuple[str, str | None]
"""The kind of an event and its identifier, as two kinds that share one (against constraint 53) are not one event."""

_Pairs = list[tuple[list[_Event], list[_Event]]]


class _Events:
    """The identifiers of events by what they are about."""

    def __init__(self, facts: set[Fact]) -> None:
        self.by = {name: [fact for fact in facts if fact.name == name] for name in {fact.name for fact in facts}}

    def of(self, name: str, position: int, subject: str | None) -> list[_Event]:
        return [(name, fact.id) for fact in self.by.get(name, []) if fact.args[position] == subject]

    def gen(self, entity: str | None) -> list[_Event]:
        return self.of("wasGeneratedBy", 0, entity)

    def inv(self, entity: str | None) -> list[_Event]:
        return self.of("wasInvalidatedBy", 0, entity)

    def start(self, activity: str | None) -> list[_Event]:
        return self.of("wasStartedBy", 0, activity)

    def end(self, activity: str | None) -> list[_Event]:
        return self.of("wasEndedBy", 0, activity)


def _orders(facts: set[Fact]) -> Iterator[tuple[_Event, _Event, bool]]:
    """Constraints 30 to 49."""
    events = _Events(facts)
    pairs = [
        pair for term in {term for fact in facts for term in (fact.id, *fact.args)} for pair in _about(events, term)
    ]
    pairs += _between(events)
    for fact in events.by.get("wasDerivedFrom", []):
        if fact.args[2] != NONE:
            pairs.append(([("used", fact.args[4])], [("wasGeneratedBy", fact.args[3])]))  # 41
        yield from ((one, two, True) for one in events.gen(fact.args[1]) for two in events.gen(fact.args[0]))  # 42
    for before, later in pairs:
        yield from ((one, two, False) for one in before for two in later)


def _about(events: _Events, term: str | None) -> _Pairs:
    """Constraints 30 to 34, 36 to 40, 43 and 44: the events of one entity or activity."""
    gen, inv, start, end = events.gen(term), events.inv(term), events.start(term), events.end(term)
    pairs = [(start, end), (start, start), (end, end), (gen, inv), (gen, gen), (inv, inv)]
    for name, position in (("used", 0), ("wasGeneratedBy", 1)):
        within = events.of(name, position, term)
        pairs += [(start, within), (within, end)]
    for name in ("used", "wasStartedBy", "wasEndedBy"):
        during = events.of(name, 1, term)
        pairs += [(gen, during), (during, inv)]
    return pairs


def _between(events: _Events) -> _Pairs:
    """Constraints 35 and 45 to 49: the events of two things related."""
    gen, inv, start, end = events.gen, events.inv, events.start, events.end
    pairs: _Pairs = []
    for fact in events.by.get("wasInformedBy", []):
        pairs.append((start(fact.args[1]), end(fact.args[0])))
    for specific, general in _transitive({fact.args for fact in events.by.get("specializationOf", [])}):
        pairs += [(gen(general), gen(specific)), (inv(specific), inv(general))]
    for fact in events.by.get("wasAssociatedWith", []):
        activity, agent = fact.args[:2]
        pairs += [(start(activity), inv(agent)), (gen(agent), end(activity))]
        pairs += [(start(activity), end(agent)), (start(agent), end(activity))]
    for fact in events.by.get("wasAttributedTo", []):
        pairs += [(gen(fact.args[1]), gen(fact.args[0])), (start(fact.args[1]), gen(fact.args[0]))]
    for fact in events.by.get("actedOnBehalfOf", []):
        delegate, responsible = fact.args[:2]
        pairs += [(gen(responsible), inv(delegate)), (start(responsible), end(delegate))]
    return pairs


def _impossible(facts: set[Fact]) -> Iterator[str]:
    """Constraints 50 and 52 to 55."""
    if any(one == two for one, two in _transitive({fact.args for fact in facts if fact.name == "specializationOf"})):
        yield "52"
    types: set[tuple[str | None, str]] = set()
    for fact in facts:
        for term, kind in zip((fact.id, *fact.args), _TYPES.get(fact.name, ()), strict=False):
            if kind is not None and term != NONE:
                types.add((term, kind))
    for one, other in itertools.combinations(facts, 2):
        if one.id == other.id and one.name != other.name:
            if one.name in _BASIC and other.name in _BASIC:
                yield "53"
            if (one.name in _ELEMENTS) != (other.name in _ELEMENTS) and "specializationOf" not in (
                one.name,
                other.name,
            ):
                yield "54"
    if any((term, "entity") in types and (term, "activity") in types for term, _ in types):
        yield "55"
