"""Event ordering: constraints 30 to 49 as a graph, in which no event may come strictly before itself.

The one strict constraint, 42, is between generations. Nothing must come after an end or an invalidation but other ends
and invalidations; and what must come after a usage (41) must come after the generation of what was used (42) and the
start of the activity (34) anyway. So cycles that matter are of generations and starts alone, and the constraints left
are 34 (its first half), 42, 43 (its first half), 45 and 48. All generations of one entity precede one another (39),
hence are one node; so are the starts of an activity (31).

A node takes part only if there is such an event: stated, or inferred to exist (inferences 7 to 11, 13 and, for the
specialisations of a declared entity, 21).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from projections.prov.check.findings import constraint
from projections.prov.check.graphs import components, way_within
from projections.prov.check.relations import (
    ACTIVITY,
    ATTRIBUTION,
    DERIVATION,
    END,
    GENERATION,
    MENTION,
    SPECIALIZATION,
    START,
)
from projections.prov.check.statements import Instance, Statement, shown
from projections.prov.check.terms import Term

_GENERATED, _STARTED = "generation", "start"
_STRICT = 42
_LONGEST_WAY = 6

Event = tuple[str, Term]
"""What happens, and to which entity or activity."""


class Order(NamedTuple):
    """One event precedes another, by one constraint and the statement it is about."""

    before: Event
    after: Event
    number: int
    because: Statement


def check_order(instance: Instance, declared: set[Term]) -> None:
    """Report each cycle of events that has a strict step; ``declared`` are the entities stated or inferred to be."""
    graph = _Graph(_orders(instance, _happened(instance, declared)))
    component = components(graph.successors)
    inside: dict[tuple[int, int], Order] = {}
    strict: dict[int, Order] = {}
    for order in graph.orders:
        before, after = graph.number[order.before], graph.number[order.after]
        if component[before] == component[after]:
            inside.setdefault((before, after), order)
            if order.number == _STRICT:
                inside[before, after] = order
                strict.setdefault(component[before], order)
    for first in strict.values():
        before, after = graph.number[first.before], graph.number[first.after]
        steps = pairwise(way_within(graph.successors, component, after, before))
        _report(instance, [first, *(inside[step] for step in steps)])


class _Graph:
    def __init__(self, orders: Iterator[Order]) -> None:
        self.number: dict[Event, int] = {}
        self.orders = list(orders)
        self.successors: list[list[int]] = []
        for order in self.orders:
            self.successors[self._node(order.before)].append(self._node(order.after))

    def _node(self, event: Event) -> int:
        node = self.number.setdefault(event, len(self.number))
        if node == len(self.successors):
            self.successors.append([])
        return node


def _report(instance: Instance, orders: list[Order]) -> None:
    told: list[str] = []
    for order in orders[:_LONGEST_WAY]:
        comes = "comes before" if order.number == _STRICT else "comes no later than"
        told.append(f"{'which ' if told else ''}{comes} {_named(order.after)} ({order.number})")
    if len(orders) > _LONGEST_WAY:
        told.append(f"and so on, {len(orders) - _LONGEST_WAY} steps more")
    text = f"{_named(orders[0].before)} {', '.join(told)}: it would come before itself."
    instance.find(constraint(_STRICT), text[0].upper() + text[1:], *(order.because for order in orders))


def _named(event: Event) -> str:
    kind, subject = event
    return f"the {kind} of {shown(subject)}"


def _happened(instance: Instance, declared: set[Term]) -> set[Event]:
    """The generations and starts that are stated, or inferred to exist."""
    value = instance.terms.value
    happened: set[Event] = {(_GENERATED, entity) for entity in declared}
    for statement in instance.statements:
        kind = statement.kind
        if kind in (GENERATION, ATTRIBUTION):
            happened.add((_GENERATED, value(statement.args[0])))
        elif kind is ACTIVITY:
            happened.add((_STARTED, statement.id))
        elif kind in (START, END):
            happened.add((_GENERATED, value(statement.args[1])))
            if kind is START:
                happened.add((_STARTED, value(statement.args[0])))
    return happened


def _orders(instance: Instance, happened: set[Event]) -> Iterator[Order]:
    """Every pair of events that one constraint orders, in the order of the document."""
    value = instance.terms.value
    for statement in instance.statements:
        if statement.kind in _ORDERED:
            args = [value(argument) for argument in statement.args]
            for before, after, number in _ordered(statement, args):
                # Specialisation is transitive (inference 19), also through an entity that has no events.
                if number == 45 or (before in happened and after in happened):
                    yield Order(before, after, number, statement)


_ORDERED = (GENERATION, START, END, DERIVATION, SPECIALIZATION, MENTION, ATTRIBUTION)


def _ordered(statement: Statement, args: list[Term]) -> Iterator[tuple[Event, Event, int]]:
    """What one statement says of the order of events, if they happened."""
    kind = statement.kind
    if kind is GENERATION:
        yield (_STARTED, args[1]), (_GENERATED, args[0]), 34
    elif kind in (START, END):
        activity, trigger, other = args[:3]
        if kind is START:
            yield (_GENERATED, trigger), (_STARTED, activity), 43
        yield (_STARTED, other), (_GENERATED, trigger), 34  # inferences 9 and 10
    elif kind is DERIVATION:
        yield (_GENERATED, args[1]), (_GENERATED, args[0]), _STRICT
    elif kind is ATTRIBUTION:
        yield (_GENERATED, args[1]), (_GENERATED, args[0]), 48
        yield (_STARTED, args[1]), (_GENERATED, args[0]), 48
    else:
        yield (_GENERATED, args[1]), (_GENERATED, args[0]), 45
