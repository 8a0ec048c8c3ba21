"""The continuous self-check finds what verification finds, in steps, and goes on where it was stopped."""

from __future__ import annotations

from itertools import islice

import pytest

from audit import self_check
from audit.self_check import last_pass
from audit.verify import verify
from domain.errors import Conflict
from store.ledger import Ledger
from tests.audit.tampering import A, B, C, Owner, record, rewrite, set_, tamper


@pytest.fixture(autouse=True)
def one_object_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.streams.STREAMS", 1)


def test_a_pass_says_how_far_the_ledger_is_verified(filled: Ledger) -> None:
    assert last_pass(filled) is None
    *steps, end = self_check.run(filled)
    assert [step.events for step in steps] == [3, 6, 60]
    assert all(step.finished is None for step in steps)
    assert (end.objects, end.events, end.position, end.problems) == (3, 60, 60, ())
    assert end.sentence.startswith("verified up to position 60 at ")
    assert last_pass(filled) == end


def test_a_stopped_pass_goes_on_and_a_finished_one_begins_anew(filled: Ledger) -> None:
    (first,) = islice(self_check.run(filled), 1)
    record(filled, A, individualCount=9)
    rest = list(self_check.run(filled))
    assert {step.id for step in rest} == {first.id}
    assert rest[-1].position == 60
    assert rest[-1].problems == ()
    again = list(self_check.run(filled))
    assert again[-1].id != first.id
    assert (again[-1].position, again[-1].events) == (61, 61)


def test_it_finds_what_verification_finds(filled: Ledger, owner: Owner) -> None:
    for which in (A, C):
        tamper(filled, owner, rewrite(which, 2, set_("0" * 64, "digest")))
    owner.execute("UPDATE versions SET agents = '[]' WHERE pid = %s", (B,))
    owner.execute("UPDATE log_head SET position = 61")
    *_, end = self_check.run(filled)
    assert set(end.problems) == set(verify(filled).problems)
    assert end.to_json()["ok"] is False
    assert f"{len(end.problems)} problems" in end.sentence


def test_only_one_process_is_at_it(filled: Ledger) -> None:
    with filled.connection() as connection, connection.transaction():
        connection.execute(self_check.SQL["lock"])
        with pytest.raises(Conflict, match="wait until it has finished"):
            next(self_check.run(filled))


def test_it_keeps_so_many_problems(filled: Ledger, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_check, "MOST_PROBLEMS", 2)
    for which in (A, B, C):
        tamper(filled, owner, rewrite(which, 2, set_("0" * 64, "digest")))
    *_, end = self_check.run(filled)
    assert len(end.problems) == 2
