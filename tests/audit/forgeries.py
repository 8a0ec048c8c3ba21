"""Consistent forgeries: whoever can change everything can write another history in which everything agrees.

Only what is kept elsewhere gives these away: a checkpoint tells that there is one, a copy of the log where it begins.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from audit.publishing import sign_checkpoint
from audit.tlog import keys
from domain.canonical import canonical_bytes, digest
from projections.engine import rebuild
from store.ledger import Ledger
from tests.audit.tampering import A, B, C, Owner, put, rewrite, set_, tamper

OTHER = "https://example.org/somebody-else"


class Forgery(NamedTuple):
    """How it is made; the first event affected, its entry, what the report says there is now; how many are left."""

    make: Callable[[Ledger, Owner], None]
    first: str
    entry: int
    now: str = "is missing"
    left: int = 60


def forget_the_last_event(ledger: Ledger, owner: Owner) -> None:
    owner.execute("DELETE FROM events WHERE notification_id = 60")
    owner.execute("UPDATE log_head SET position = 59")


def say_that_somebody_else_did_it_last(ledger: Ledger, owner: Owner) -> None:
    tamper(ledger, owner, rewrite(A, 3, set_(OTHER, "agents", 0, "id")))


def rewrite_the_last_version(ledger: Ledger, owner: Owner) -> None:
    def change(event: dict[str, Any]) -> None:
        document = {**ledger.get(C).document, "dwc:individualCount": 99}
        event["patch"][-1]["value"] = 99
        event["digest"] = digest(document)

    tamper(ledger, owner, rewrite(C, 54, change))


def rewrite_an_old_event_and_every_hash_after_it(ledger: Ledger, owner: Owner) -> None:
    owner.execute("DELETE FROM snapshots")
    previous = ""
    rows = owner.execute(
        "SELECT originator_version, state FROM events WHERE originator_id = %s ORDER BY originator_version", (C,)
    ).fetchall()
    for version, state in rows:
        event = ledger.mapper.unpack(state)
        if version == 10:
            event["agents"][0]["id"] = OTHER
        if version > 10:
            event["previous"] = previous
        previous = sha256(canonical_bytes(event)).hexdigest()
        put(owner, C, version, ledger.mapper.pack(event))


def swap_two_events(ledger: Ledger, owner: Owner) -> None:
    owner.execute("UPDATE events SET notification_id = -notification_id WHERE notification_id IN (4, 5)")
    owner.execute(
        "UPDATE events AS e SET notification_id = 9 + e.notification_id, recorded_at = other.recorded_at"
        "  FROM events AS other"
        " WHERE e.notification_id < 0 AND other.notification_id = -9 - e.notification_id"
    )


def remove_an_event_and_close_the_gap(ledger: Ledger, owner: Owner) -> None:
    owner.execute("DELETE FROM events WHERE notification_id = 8")  # the last version of B
    owner.execute("UPDATE events SET notification_id = 1000 + notification_id WHERE notification_id > 8")
    owner.execute("UPDATE events SET notification_id = notification_id - 1001 WHERE notification_id > 1000")
    owner.execute("UPDATE log_head SET position = 59")


def shift_recorded_times(ledger: Ledger, owner: Owner) -> None:
    owner.execute("DELETE FROM snapshots")
    owner.execute("UPDATE events SET recorded_at = recorded_at - interval '1 year'")
    owner.execute("UPDATE log_head SET recorded_at = recorded_at - interval '1 year'")


def roll_back_to_yesterday(ledger: Ledger, owner: Owner) -> None:
    owner.execute("DELETE FROM events WHERE notification_id > 30")
    owner.execute("DELETE FROM snapshots")
    owner.execute("UPDATE log_head SET position = 30, recorded_at = (SELECT max(recorded_at) FROM events)")


def sign_with_another_key(ledger: Ledger, owner: Owner) -> None:
    rewrite_the_last_version(ledger, owner)
    rebuild(ledger, accept_differences=True)
    with TemporaryDirectory() as folder:
        keys.generate(Path(folder) / "keys", "museum.example/ledger")
        sign_checkpoint(ledger, Path(folder) / "keys")


FORGERIES = [
    Forgery(forget_the_last_event, f"{C}/54", 60, left=59),
    Forgery(say_that_somebody_else_did_it_last, f"{A}/3", 7, f"now is another {A}/3"),
    Forgery(rewrite_the_last_version, f"{C}/54", 60, f"now is another {C}/54"),
    Forgery(rewrite_an_old_event_and_every_hash_after_it, f"{C}/10", 16, f"now is another {C}/10"),
    Forgery(swap_two_events, f"{A}/2", 4, f"now is {B}/2"),
    Forgery(remove_an_event_and_close_the_gap, f"{B}/3", 8, f"now is {C}/3", left=59),
    Forgery(shift_recorded_times, f"{A}/1", 1, f"now is another {A}/1"),
    Forgery(roll_back_to_yesterday, f"{C}/25", 31, left=30),
    Forgery(sign_with_another_key, f"{C}/54", 60, f"now is another {C}/54"),
]
