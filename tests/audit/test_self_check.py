"""The continuous self-check finds what verification finds, in steps, and goes on where it was stopped."""

from __future__ import annotations

from itertools import islice

import pytest
from psycopg.types.json import Jsonb

from audit import self_check
from audit.seal import Seal
from audit.self_check import last_pass
from audit.verify import verify
from domain.errors import Conflict, UnsafeKeys
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


FORGED = {
    "a pass that got far": (
        "INSERT INTO self_checks (id, position, after_pid, objects, events)"
        " VALUES (gen_random_uuid(), 60, 'zzzz', 3, 60)"
    ),
    "one under way got further": "UPDATE self_checks SET after_pid = 'zzzz', objects = 3, events = 60",
    "one under way found nothing": "UPDATE self_checks SET problems = '[]', objects = 3",
}


@pytest.mark.parametrize("name", list(FORGED))
def test_a_pass_that_somebody_wrote_into_the_database_is_not_gone_on_with(
    filled: Ledger, owner: Owner, name: str
) -> None:
    tamper(filled, owner, rewrite(C, 2, set_("0" * 64, "digest")))
    (begun,) = islice(self_check.run(filled), 1)
    tamper(filled, owner, FORGED[name])
    steps = list(self_check.run(filled))
    assert steps[-1].events == 60
    assert any(problem.where == f"{C}/2" for problem in steps[-1].problems)
    assert (steps[-1].id == begun.id) == (name == "a pass that got far")


def test_a_row_that_was_true_before_is_not_put_back(filled: Ledger, owner: Owner) -> None:
    """Sealed it was, when all objects were done; so it would let no object be looked at again."""
    steps = self_check.run(filled)
    rows = [owner.execute("SELECT * FROM self_checks").fetchall() for _ in steps]
    assert len(rows) == 4
    tamper(filled, owner, rewrite(C, 2, set_("0" * 64, "digest")))

    def put_back(row: tuple[object, ...]) -> None:
        owner.execute("DELETE FROM self_checks")
        problems = (*row[:6], Jsonb(row[6]), *row[7:])
        owner.execute(f"INSERT INTO self_checks VALUES ({', '.join(['%s'] * len(row))})", problems)

    for _ in range(2):
        put_back(rows[2][0])
        *_, end = self_check.run(filled)
        assert any(problem.where == f"{C}/2" for problem in end.problems)
    put_back(rows[3][0])
    assert last_pass(filled) is None


@pytest.mark.parametrize("stored", [True, False])
def test_a_step_that_was_killed_around_its_commit_is_gone_on_with(
    filled: Ledger, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    begun, _ = islice(self_check.run(filled), 2)

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(Seal, "settle" if stored else "announce", killed)
        with pytest.raises(KeyboardInterrupt):
            list(self_check.run(filled))
    *_, end = self_check.run(filled)
    assert (end.id, end.events, end.problems) == (begun.id, 60, ())


def test_damage_to_what_the_installation_remembers_is_told(filled: Ledger) -> None:
    list(self_check.run(filled))
    file = filled.settings.home / "self-check" / "last.json"
    file.write_text("{")
    with pytest.raises(UnsafeKeys, match=r"last\.json is damaged; delete it"):
        list(self_check.run(filled))
    file.unlink()
    *_, end = self_check.run(filled)
    assert end.problems == ()


def test_a_finished_pass_that_somebody_wrote_or_changed_is_not_told(filled: Ledger, owner: Owner) -> None:
    *_, honest = self_check.run(filled)
    owner.execute(
        "INSERT INTO self_checks SELECT gen_random_uuid(), 4711, '2030-01-01', after_pid, objects, events, problems,"
        " '2030-01-01', seal FROM self_checks"
    )
    assert last_pass(filled) == honest
    owner.execute("UPDATE self_checks SET position = 4711")
    assert last_pass(filled) is None
