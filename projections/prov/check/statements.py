"""The statements of one bundle, with everything PROV-N lets one leave out put back (definitions 1 to 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from prov.identifier import Identifier
from prov.model import ProvBundle, ProvRecord

from projections.prov.check.findings import MANDATORY, Finding, Where, constraint
from projections.prov.check.relations import DERIVATION, KINDS, Kind
from projections.prov.check.terms import Term, Terms

_ACTIVITY, _GENERATION, _USAGE = 2, 3, 4


@dataclass(slots=True, eq=False)
class Statement:
    """One statement: identifier and arguments as terms, and the record it was read from or inferred from."""

    kind: Kind
    id: Term
    args: list[Term]
    record: ProvRecord

    @property
    def label(self) -> str:
        """The record's IRI, or its statement if it has none."""
        return label(self.record)

    @property
    def inferred(self) -> bool:
        """Whether it is not what the record says, but follows from it."""
        return self.kind is not KINDS[type(self.record)]


@dataclass
class Instance:
    """One bundle, or the top level of a document, on its way through the checks."""

    bundle: str | None
    terms: Terms = field(default_factory=Terms)
    statements: list[Statement] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def of(self, *kinds: Kind) -> list[Statement]:
        """All statements of these kinds, in the order of the document."""
        return [statement for statement in self.statements if statement.kind in kinds]

    def find(self, rule: str, what: str, *statements: Statement) -> None:
        """Report a broken rule."""
        records = tuple(dict.fromkeys(statement.label for statement in statements))
        self.findings.append(Finding(rule, Where(self.bundle, records), what))


def instance(bundle: ProvBundle) -> Instance:
    """The statements of ``bundle``, without those of bundles within a document."""
    identifier = None if bundle.is_document() else bundle.identifier
    made = Instance(identifier.uri if identifier is not None else None)
    for record in bundle.records:
        made.statements.append(_statement(record, made))
    return made


def label(record: ProvRecord) -> str:
    """The record's IRI, or its statement if it has none: ``used(https://example.org/a, -, -)``."""
    if record.identifier is not None:
        return record.identifier.uri
    kind = KINDS[type(record)]
    return f"{kind.name}({', '.join(shown(_term(argument)) for argument in record.args)})"


def shown(term: Term) -> str:
    """A term for a person."""
    if isinstance(term, int):
        return "(unnamed)"
    return "-" if term is None else term.isoformat() if isinstance(term, datetime) else term


def _statement(record: ProvRecord, into: Instance) -> Statement:
    kind, terms = KINDS[type(record)], into.terms
    args = [_term(argument) for argument in record.args]
    statement = Statement(kind, None, args, record)
    missing = [kind.roles[position] for position in kind.mandatory if args[position] is None]
    if missing:
        into.find(MANDATORY, f"{statement.label} names no {' and no '.join(missing)}.", statement)
    if kind is DERIVATION and args[_ACTIVITY] is None:
        if args[_GENERATION] is not None or args[_USAGE] is not None:
            what = f"{statement.label} names a generation or usage, but not the activity they belong to."
            into.find(constraint(51), what, statement)
        fixed: tuple[int, ...] = (_ACTIVITY, _GENERATION, _USAGE)
    else:
        fixed = kind.fixed
    for position, argument in enumerate(args):
        if argument is None and position not in fixed:
            args[position] = terms.variable()
    statement.id = terms.variable() if record.identifier is None else record.identifier.uri
    return statement


def _term(argument: Any) -> Term:
    if isinstance(argument, Identifier):
        return argument.uri
    return argument if argument is None or isinstance(argument, datetime) else str(argument)
