"""Typing (constraint 50) and what cannot be (52 to 56); 51 is seen where statements are read."""

from __future__ import annotations

from collections import defaultdict, deque

from prov.identifier import QualifiedName
from prov.model import PROV, PROV_TYPE

from projections.prov.check.findings import constraint
from projections.prov.check.graphs import components
from projections.prov.check.relations import ENTITY, MEMBERSHIP, MENTION, SPECIALIZATION
from projections.prov.check.statements import Instance, Statement, shown
from projections.prov.check.terms import Term

_EMPTY = PROV["EmptyCollection"]


def declared_entities(instance: Instance) -> tuple[set[Term], set[Term]]:
    """``(entities, empty collections)``: those stated, and their specialisations, which inherit it (inference 21)."""
    specific: dict[Term, list[Term]] = defaultdict(list)
    for statement in instance.of(SPECIALIZATION, MENTION):
        specific[statement.args[1]].append(statement.args[0])
    entities = instance.of(ENTITY)
    empty = [entity for entity in entities if (PROV_TYPE, _EMPTY) in _qualified(entity)]
    return _inherited({entity.id for entity in entities}, specific), _inherited(
        {entity.id for entity in empty}, specific
    )


def check_impossibility(instance: Instance, declared: set[Term], empty: set[Term]) -> None:
    """Report what constraints 52 to 56 forbid."""
    _specialization(instance)
    _identifiers(instance, declared)
    _entities_and_activities(instance)
    for statement in instance.of(MEMBERSHIP):
        if statement.args[0] in empty:
            collection, member = map(shown, statement.args)
            instance.find(
                constraint(56), f"{collection} is an empty collection, but has the member {member}.", statement
            )


def _qualified(entity: Statement) -> set[tuple[QualifiedName, QualifiedName]]:
    return {(name, value) for name, value in entity.record.extra_attributes if isinstance(value, QualifiedName)}


def _inherited(of: set[Term], specific: dict[Term, list[Term]]) -> set[Term]:
    waiting = deque(of)
    while waiting:
        for term in specific.get(waiting.popleft(), ()):
            if term not in of:
                of.add(term)
                waiting.append(term)
    return of


def _specialization(instance: Instance) -> None:
    """Specialisation is transitive, so a cycle of it makes an entity a specialisation of itself."""
    statements = instance.of(SPECIALIZATION, MENTION)
    number: dict[Term, int] = {}
    successors: list[list[int]] = []
    for statement in statements:
        for term in statement.args[:2]:
            if number.setdefault(term, len(number)) == len(successors):
                successors.append([])
        successors[number[statement.args[0]]].append(number[statement.args[1]])
    component = components(successors)
    cycles: dict[int, list[Statement]] = defaultdict(list)
    for statement in statements:
        one, other = (component[number[term]] for term in statement.args[:2])
        if one == other:
            cycles[one].append(statement)
    for cycle in cycles.values():
        what = f"{shown(cycle[0].args[0])} would be a specialisation of itself."
        instance.find(constraint(52), what, *cycle)


def _identifiers(instance: Instance, declared: set[Term]) -> None:
    """Constraints 53 and 54: one identifier, statements of different kinds."""
    value = instance.terms.value
    elements: dict[Term, Statement] = {}
    relations: dict[Term, Statement] = {}
    reported: set[tuple[Term, str]] = set()
    for statement in instance.statements:
        if statement.kind.element:
            elements.setdefault(statement.id, statement)
    for statement in instance.statements:
        id_ = value(statement.id)
        if not statement.kind.identified or statement.kind.element or isinstance(id_, int):
            continue
        name = statement.kind.name
        if (id_ in elements or id_ in declared) and (id_, name) not in reported:
            reported.add((id_, name))
            what = f"{shown(id_)} identifies an {'' if id_ in elements else 'inferred '}"
            kind = elements[id_].kind.name if id_ in elements else ENTITY.name
            instance.find(constraint(54), f"{what}{kind} and {name} as well.", elements.get(id_, statement), statement)
        if not statement.kind.basic:
            continue
        first = relations.setdefault(id_, statement)
        if first.kind is not statement.kind and (id_, f"{first.kind.name} {name}") not in reported:
            reported.add((id_, f"{first.kind.name} {name}"))
            what = f"{shown(id_)} identifies {first.kind.name} and {name} as well."
            instance.find(constraint(53), what, first, statement)


def _entities_and_activities(instance: Instance) -> None:
    """Constraint 55, with the types that statements give their arguments (50)."""
    value = instance.terms.value
    typed: dict[str, dict[Term, Statement]] = {"entity": {}, "activity": {}, "agent": {}}
    for statement in instance.statements:
        if statement.kind.element:
            typed[statement.kind.name].setdefault(statement.id, statement)
        for argument, kind in zip(statement.args, statement.kind.types, strict=True):
            if kind is not None and argument is not None:
                typed[kind].setdefault(value(argument), statement)
    entities, activities = typed["entity"], typed["activity"]
    for term, entity in entities.items():
        activity = activities.get(term)
        if activity is not None:
            makers = [statement for statement in (entity, activity) if statement.label != shown(term)]
            because = f", because of {' and '.join(maker.label for maker in makers)}" if makers else ""
            what = f"{shown(term)} is an entity and an activity{because}; nothing can be both."
            instance.find(constraint(55), what, entity, activity)
