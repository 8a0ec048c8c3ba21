"""The profile's rules on times, which PROV-CONSTRAINTS never compares."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from projections.prov.check.profile_facts import Facts, before
from projections.prov.check.relations import DERIVATION, GENERATION, INVALIDATION, MENTION, SPECIALIZATION, USAGE
from projections.prov.check.statements import Statement, shown
from projections.prov.check.terms import Term


class _Told(NamedTuple):
    """An event whose time is told."""

    time: datetime
    statement: Statement


def check_times(facts: Facts) -> None:
    """Report times that contradict the order of events, and uses of an activity's own output."""
    for activity in facts.activities.values():
        start, end = facts.time(activity, 0), facts.time(activity, 1)
        if before(end, start):
            what = f"{shown(activity.id)} ends at {shown(end)}, before it starts at {shown(start)}."
            facts.find("activity-times", what, activity)
    for statement in facts.instance.of(GENERATION, USAGE, INVALIDATION):
        if not statement.inferred:
            _within_activity(facts, statement)
    for usage in facts.usages:
        _usage(facts, usage)
    for entity in facts.invalidations:
        _invalidation(facts, entity)
    for derivation in facts.instance.of(DERIVATION):
        _derivation(facts, facts.value(derivation, 0), facts.value(derivation, 1))
    for specialization in facts.instance.of(SPECIALIZATION, MENTION):
        _specialization(facts, facts.value(specialization, 0), facts.value(specialization, 1))


def _within_activity(facts: Facts, statement: Statement) -> None:
    position = 0 if statement.kind is USAGE else 1
    time, activity = facts.time(statement), facts.activities.get(facts.value(statement, position))
    if activity is None:
        return
    start, end = facts.time(activity, 0), facts.time(activity, 1)
    if before(time, start) or before(end, time):
        span = " to ".join(shown(limit) if limit else "unknown" for limit in (start, end))
        what = f"{statement.label} is at {shown(time)}, outside its activity {shown(activity.id)} ({span})."
        facts.find("times-within-activity", what, statement, activity)


def _usage(facts: Facts, usage: Statement) -> None:
    activity, entity = facts.value(usage, 0), facts.value(usage, 1)
    for generation in facts.generations.get(entity, ()):
        if facts.value(generation, 1) == activity:
            what = f"{shown(activity)} uses {shown(entity)}, which it generates itself."
            facts.find("no-use-of-own-output", what, usage, generation)
    used, name = _first(facts, [usage]), shown(entity)
    _in_order(
        facts,
        "use-after-generation",
        _generated(facts, entity),
        used,
        lambda generated, at: f"{name} is used at {at}, but generated only at {generated}.",
    )
    _in_order(
        facts,
        "nothing-after-invalidation",
        used,
        _invalidated(facts, entity),
        lambda at, ended: f"{name} is used at {at}, after it was invalidated at {ended}.",
    )


def _invalidation(facts: Facts, entity: Term) -> None:
    _in_order(
        facts,
        "invalidation-after-generation",
        _generated(facts, entity),
        _invalidated(facts, entity),
        lambda generated, ended: f"{shown(entity)} is invalidated at {ended}, but generated only at {generated}.",
    )


def _derivation(facts: Facts, derived: Term, source: Term) -> None:
    what = f"{shown(derived)} is derived from {shown(source)}"
    _in_order(
        facts,
        "nothing-after-invalidation",
        _generated(facts, derived),
        _invalidated(facts, source),
        lambda generated, ended: f"{what} at {generated}, after that was invalidated at {ended}.",
    )


def _specialization(facts: Facts, specific: Term, general: Term) -> None:
    name, whole = shown(specific), f"{shown(general)}, its general entity,"
    generated, ended = _generated(facts, specific), _invalidated(facts, general)
    _in_order(
        facts,
        "nothing-after-invalidation",
        generated,
        ended,
        lambda made, end: f"{name} is generated at {made}, after {whole} was invalidated at {end}.",
    )
    _in_order(
        facts,
        "specialisation-times",
        _generated(facts, general),
        generated,
        lambda first, made: f"{name} is generated at {made}, but {whole} only at {first}.",
    )
    _in_order(
        facts,
        "specialisation-times",
        _invalidated(facts, specific),
        ended,
        lambda last, end: f"{name} is invalidated only at {last}, but {whole} at {end}.",
    )


def _in_order(
    facts: Facts, rule: str, first: _Told | None, second: _Told | None, what: Callable[[str, str], str]
) -> None:
    """Report unless ``first`` is no later than ``second``; ``what`` is given their times in this order."""
    if first is not None and second is not None and before(second.time, first.time):
        facts.find(rule, what(shown(first.time), shown(second.time)), second.statement, first.statement)


def _generated(facts: Facts, entity: Term) -> _Told | None:
    return _first(facts, facts.generations.get(entity, ()))


def _invalidated(facts: Facts, entity: Term) -> _Told | None:
    return _first(facts, facts.invalidations.get(entity, ()))


def _first(facts: Facts, statements: Iterable[Statement]) -> _Told | None:
    """The first of these events whose time is told; for the standard all generations of an entity are simultaneous."""
    for statement in statements:
        time = facts.time(statement)
        if time is not None:
            return _Told(time, statement)
    return None
