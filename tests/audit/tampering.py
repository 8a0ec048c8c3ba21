"""What somebody with every right can do to a store, for the tests that verification tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from audit.verify import Verification
from domain.agents import person
from domain.digital_object import DigitalObject, Provenance
from store.ledger import Ledger

Owner = psycopg.Connection[Any]
Tampering = str | Callable[[Ledger, Owner], None]

SPECIMEN = "ods:DigitalSpecimen"
A, B, C = "TEST/AAA-AAA-AAA", "TEST/BBB-BBB-BBB", "TEST/CCC-CCC-CCC"


def by(identifier: str = "https://orcid.org/0000-0002-1825-0097") -> Provenance:
    return Provenance((person(identifier),), comment="as the label says")


def record(ledger: Ledger, which: str, **terms: Any) -> None:
    document = {"@type": SPECIMEN, **{f"dwc:{name}": value for name, value in terms.items()}}
    known = ledger.versions_at([which])
    state = ledger.get(which) if known else None
    ledger.record(state, state.update(document, by()) if state else DigitalObject.create(which, document, by()))


def rewrite(which: str, version: int, change: Callable[[dict[str, Any]], Any]) -> Tampering:
    """Change what one event says, and compress it again as the store would."""

    def tamper(ledger: Ledger, owner: Owner) -> None:
        row = owner.execute(
            "SELECT state FROM events WHERE originator_id = %s AND originator_version = %s", (which, version)
        ).fetchone()
        assert row is not None
        value = ledger.mapper.unpack(row[0])
        change(value)
        put(owner, which, version, ledger.mapper.pack(value))

    return tamper


def store(which: str, version: int, value: Any) -> Tampering:
    """Put another JSON value in the place of one event."""
    return lambda ledger, owner: put(owner, which, version, ledger.mapper.pack(value))


def flip(which: str, version: int, place: int) -> Tampering:
    """Change one byte of the stored bytes."""

    def tamper(ledger: Ledger, owner: Owner) -> None:
        owner.execute(
            "UPDATE events SET state = set_byte(state, %(at)s, get_byte(state, %(at)s) # 85) "
            "WHERE originator_id = %(pid)s AND originator_version = %(version)s",
            {"at": place, "pid": which, "version": version},
        )

    return tamper


def put(owner: Owner, which: str, version: int, state: bytes) -> None:
    """Put other bytes in the place of an event, and the digest of these bytes beside them."""
    owner.execute(
        "UPDATE events SET state = %(state)s, state_digest = sha256(%(state)s)"
        " WHERE originator_id = %(pid)s AND originator_version = %(version)s",
        {"state": state, "pid": which, "version": version},
    )


def tamper(ledger: Ledger, owner: Owner, tampering: Tampering) -> None:
    if isinstance(tampering, str):
        assert owner.execute(tampering).rowcount > 0, "this changes nothing"  # type: ignore[call-overload]
    else:
        tampering(ledger, owner)


def told(found: Verification) -> str:
    return "\n".join(f"{problem.where}: {problem.what}" for problem in found.problems)


def set_(value: Any, *path: Any) -> Callable[[dict[str, Any]], Any]:
    """Set what stands at ``path`` in an event."""

    def change(event: dict[str, Any]) -> None:
        target: Any = event
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return change
