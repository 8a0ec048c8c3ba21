"""Terms of PROV-CONSTRAINTS and their unification: constants, existential variables, the placeholder."""

from __future__ import annotations

from datetime import datetime

Term = str | datetime | int | None
"""An IRI, a time, an existential variable by its number, or None for the placeholder ``-``.

Times are equal when they are the same instant; one without time zone equals only another without.
"""


class Terms:
    """The variables of one bundle, and what they turned out to stand for."""

    def __init__(self) -> None:
        self._values: list[Term] = []
        self._sizes: list[int] = []

    def variable(self) -> int:
        """A new existential variable."""
        self._values.append(len(self._values))
        self._sizes.append(1)
        return len(self._sizes) - 1

    def value(self, term: Term) -> Term:
        """What ``term`` stands for: itself, a constant, or the variable that represents all equal to it."""
        values = self._values
        while type(term) is int:
            found = values[term]
            if type(found) is not int:
                return found
            if found == term:
                return term
            values[term] = values[found]
            term = found
        return term

    def unify(self, one: Term, other: Term) -> int | None:
        """Make both terms equal; returns the variable that thereby changed its value, if one did.

        Raises ``ValueError`` when they are different constants.
        """
        one, other = self.value(one), self.value(other)
        if one == other:
            return None
        if type(one) is int and type(other) is int and self._sizes[one] > self._sizes[other]:
            one, other = other, one
        if type(one) is not int:
            one, other = other, one
        if type(one) is not int:
            raise ValueError(f"{one} is not {other}")
        self._values[one] = other
        if type(other) is int:
            self._sizes[other] += self._sizes[one]
        return one
