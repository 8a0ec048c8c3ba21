"""Normalisation: key and uniqueness constraints 22 to 29 merge statements until nothing changes, or find they cannot.

Congruence closure: statements are met again only when a variable in them gets a value, so the time is near-linear in
the size of the document. Merged statements stay separate objects whose terms have become equal.

Of the inferences, 11 makes statements, 15 lets statements of different kinds under one identifier be compared. The
others only state that something unnamed exists, which :mod:`projections.prov.check.events` takes into account.
"""

from __future__ import annotations

from collections import defaultdict, deque

from projections.prov.check.findings import UNIQUE_MENTION, constraint
from projections.prov.check.relations import (
    ACTIVITY,
    DERIVATION,
    END,
    GENERATION,
    INVALIDATION,
    MENTION,
    START,
    USAGE,
    Kind,
)
from projections.prov.check.statements import Instance, Statement, shown
from projections.prov.check.terms import Term

_UNIQUE = {GENERATION: (24, 0, 1), INVALIDATION: (25, 0, 1), START: (26, 0, 2), END: (27, 0, 2)}
"""Kind -> constraint, and the two arguments that determine the identifier."""

_TIMES = {START: (28, 3, 0), END: (29, 3, 1)}
"""Kind -> constraint, the position of its time, and the position of the same time in ``activity``."""

_OBJECT, _PROPERTY = constraint(22), constraint(23)


def normalise(instance: Instance) -> None:
    """Unify the terms of ``instance`` in place; reports each pair of statements that contradict one another."""
    instance.statements += [
        inferred for derivation in instance.of(DERIVATION) for inferred in _generation_and_usage(instance, derivation)
    ]
    _Merging(instance).run()


def _generation_and_usage(instance: Instance, derivation: Statement) -> tuple[Statement, ...]:
    """Inference 11."""
    generated, used, activity, generation, usage = derivation.args
    if activity is None:
        return ()
    variable, record = instance.terms.variable, derivation.record
    return (
        Statement(USAGE, usage, [activity, used, variable()], record),
        Statement(GENERATION, generation, [generated, activity, variable()], record),
    )


class _Merging:
    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.terms = instance.terms
        self.mentioning: dict[int, list[Statement]] = defaultdict(list)
        self.by_id: dict[Term, list[Statement]] = defaultdict(list)
        self.by_key: dict[tuple[Kind, Term, Term], Statement] = {}
        self.elements: dict[tuple[Kind, Term], Statement] = {}
        self.waiting: deque[Statement] = deque()
        self.contradictions: set[tuple[str, frozenset[str]]] = set()

    def run(self) -> None:
        # Activities first, so that the times of starts and ends find them.
        statements = sorted(self.instance.statements, key=lambda statement: not statement.kind.element)
        for statement in statements:
            for term in (statement.id, *statement.args):
                if type(term) is int:
                    self.mentioning[term].append(statement)
        self.waiting.extend(statements)
        while self.waiting:
            self._meet(self.waiting.popleft())

    def _meet(self, statement: Statement) -> None:
        kind = statement.kind
        if kind.element:
            first = self.elements.setdefault((kind, statement.id), statement)
            self._same_arguments(statement, first, _OBJECT)
        elif kind is MENTION:
            first = self.elements.setdefault((kind, self.terms.value(statement.args[0])), statement)
            self._same_arguments(statement, first, UNIQUE_MENTION)
        elif kind.identified:
            self._by_identifier(statement)
            self._by_key(statement)
            self._time(statement)

    def _by_identifier(self, statement: Statement) -> None:
        same = self.by_id[self.terms.value(statement.id)]
        for other in same:
            if other.kind is statement.kind:
                self._same_arguments(statement, other, _PROPERTY)
                return
        for other in same:
            # Inference 15: both are influences with this identifier. Two basic kinds contradict each other anyway.
            if not (other.kind.basic and statement.kind.basic):
                self._same_arguments(statement, other, _PROPERTY, 2)
        same.append(statement)

    def _by_key(self, statement: Statement) -> None:
        if statement.kind not in _UNIQUE:
            return
        number, one, two = _UNIQUE[statement.kind]
        value, args = self.terms.value, statement.args
        first = self.by_key.setdefault((statement.kind, value(args[one]), value(args[two])), statement)
        if first is not statement:
            what = f"have the same {statement.kind.roles[one]} and {statement.kind.roles[two]}, but not the identifier"
            self._unify(statement.id, first.id, constraint(number), what, statement, first)

    def _time(self, statement: Statement) -> None:
        if statement.kind not in _TIMES:
            return
        number, own, of_activity = _TIMES[statement.kind]
        activity = self.elements.get((ACTIVITY, self.terms.value(statement.args[0])))
        if activity is not None:
            what = f"do not agree on the {ACTIVITY.roles[of_activity]}"
            self._unify(statement.args[own], activity.args[of_activity], constraint(number), what, statement, activity)

    def _same_arguments(self, one: Statement, other: Statement, rule: str, count: int | None = None) -> None:
        if one is other:
            return
        roles = one.kind.roles if count is None else ("influencee", "influencer")
        for role, mine, theirs in zip(roles, one.args, other.args, strict=False):
            what = f"{'have one identifier' if one.kind.identified else 'are the same'}, but not the {role}"
            self._unify(mine, theirs, rule, what, one, other)

    def _unify(self, mine: Term, theirs: Term, rule: str, what: str, one: Statement, other: Statement) -> None:
        try:
            changed = self.terms.unify(mine, theirs)
        except ValueError:
            self._contradict(rule, what, mine, theirs, one, other)
            return
        if changed is not None:
            met_again = self.mentioning.pop(changed, [])
            self.waiting.extend(met_again)
            now = self.terms.value(changed)
            if type(now) is int:
                self.mentioning[now] += met_again

    def _contradict(self, rule: str, what: str, mine: Term, theirs: Term, one: Statement, other: Statement) -> None:
        contradiction = (f"{rule} {what}", frozenset((one.label, other.label)))
        if contradiction in self.contradictions:
            return
        self.contradictions.add(contradiction)
        theirs, mine = self.terms.value(theirs), self.terms.value(mine)
        same = one.label == other.label
        named = f"Two statements of {one.label}" if same else f"{other.label} and {one.label}"
        self.instance.find(rule, f"{named} {what}: {shown(theirs)} and {shown(mine)}.", other, one)
