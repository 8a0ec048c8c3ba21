"""Reading an object at any version and time, with and without snapshots, against a plain model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.agents import person
from domain.canonical import canonical_bytes, digest
from domain.digital_object import DigitalObject, content_of, project
from domain.errors import Conflict, IntegrityFailure, NotFound, NothingToChange
from domain.opends import TOMBSTONE_TERM
from store.ledger import Axis, Ledger, due_snapshots
from tests.store.ledger_building import ORCID, by, created, documents, grow, pid, specimen

MICROSECOND = timedelta(microseconds=1)


def year(number: int) -> datetime:
    return datetime(number, 1, 1, tzinfo=UTC)


@pytest.fixture
def occurred_out_of_order(ledger: Ledger) -> Ledger:
    """Versions 1 to 5 of one object, recorded in the order of their numbers, that occurred in another."""
    state: DigitalObject | None = None
    for number, when in enumerate((2010, 2000, 2015, 2015, 2012), 1):
        decision, document = by(occurred=year(when)), specimen(individualCount=number)
        event = DigitalObject.create(pid(1), document, decision) if state is None else state.update(document, decision)
        state = ledger.record(state, event)
    return ledger


# -- versions -------------------------------------------------------------------------------------


def test_every_version_can_be_read(ledger: Ledger) -> None:
    last = grow(ledger, pid(1), 5)
    for number in range(1, 6):
        state = ledger.get(pid(1), number)
        assert (state.version, state.document["dwc:individualCount"]) == (number, number)
    assert ledger.get(pid(1)) == ledger.get(pid(1), 5) == last


@pytest.mark.parametrize(("version", "said"), [
    (0, "versions start at 1"), (-1, "versions start at 1"), (4, "its last is 3"), (10**30, "its last is 3")
])  # fmt: skip
def test_a_version_that_is_not_there_is_not_found(ledger: Ledger, version: int, said: str) -> None:
    grow(ledger, pid(1), 3)
    with pytest.raises(NotFound, match=f"{pid(1)} has no version {version}; {said}"):
        ledger.get(pid(1), version)


@pytest.mark.parametrize("unknown", [pid(2), "", "' OR true --", "TEST/%"])
def test_an_unknown_object_is_not_found(ledger: Ledger, unknown: str) -> None:
    grow(ledger, pid(1), 1)
    for read in (
        ledger.get,
        ledger.history,
        lambda which: ledger.get(which, 1),
        lambda which: ledger.get_at(which, year(2999)),
    ):
        with pytest.raises(NotFound, match="there is no object"):
            read(unknown)
    assert ledger.versions_at([unknown]) == {}


def test_what_is_read_may_be_changed_without_harm(ledger: Ledger) -> None:
    grow(ledger, pid(1), 3)
    ledger.get(pid(1)).document["dwc:country"] = "Atlantis"
    ledger.history(pid(1))[0].patch[0]["value"]["dwc:country"] = "Atlantis"
    assert ledger.get(pid(1)).document["dwc:country"] == "Kenya"


# -- time -----------------------------------------------------------------------------------------


def test_the_state_at_a_recorded_time(ledger: Ledger) -> None:
    grow(ledger, pid(1), 4)
    recorded = [event.recorded for event in ledger.history(pid(1))]
    assert None not in recorded
    times = [moment for moment in recorded if moment is not None]
    for number, moment in enumerate(times, 1):
        assert ledger.get_at(pid(1), moment).version == number, "at the very moment"
        assert ledger.get_at(pid(1), moment + MICROSECOND).version == number
        if number > 1:
            assert ledger.get_at(pid(1), moment - MICROSECOND).version == number - 1
    assert ledger.get_at(pid(1), year(2999)).version == 4
    with pytest.raises(NotFound, match=r"did not exist at .* \(recorded\)"):
        ledger.get_at(pid(1), times[0] - MICROSECOND)


def test_the_state_at_a_time_in_another_zone(ledger: Ledger) -> None:
    grow(ledger, pid(1), 2)
    first = ledger.history(pid(1))[0].recorded
    assert first is not None
    from_here = first.astimezone(datetime.strptime("+0530", "%z").tzinfo)
    assert ledger.get_at(pid(1), from_here).version == 1


@pytest.mark.parametrize(("moment", "version"), [
    (year(2000), 2), (year(2010) - MICROSECOND, 2), (year(2010), 1), (year(2011), 1),
    (year(2012), 5), (year(2015) - MICROSECOND, 5), (year(2015), 4), (year(2999), 4),
])  # fmt: skip
def test_the_state_at_an_occurred_time(occurred_out_of_order: Ledger, moment: datetime, version: int) -> None:
    assert occurred_out_of_order.get_at(pid(1), moment, Axis.OCCURRED).version == version
    assert occurred_out_of_order.versions_at([pid(1)], moment, Axis.OCCURRED) == {pid(1): version}


def test_before_anything_occurred_there_was_no_object(occurred_out_of_order: Ledger) -> None:
    with pytest.raises(NotFound, match=r"\(occurred\).*it begins at 2000-01-01"):
        occurred_out_of_order.get_at(pid(1), year(2000) - MICROSECOND, Axis.OCCURRED)
    assert occurred_out_of_order.versions_at([pid(1)], year(1999), Axis.OCCURRED) == {}


def test_the_present_is_the_last_version_recorded(occurred_out_of_order: Ledger) -> None:
    assert occurred_out_of_order.versions_at([pid(1), pid(2)]) == {pid(1): 5}


# -- many -----------------------------------------------------------------------------------------


def test_states_in_bulk_are_the_states_one_by_one(ledger: Ledger) -> None:
    wanted = {}
    for number, versions in enumerate((1, 3, 52, 60, 101)):
        grow(ledger, pid(number), versions)
        wanted[pid(number)] = max(1, versions - number)
    states = list(ledger.states(wanted))
    assert [state.id for state in states] == sorted(wanted)
    assert states == [ledger.get(which, version) for which, version in sorted(wanted.items())]
    assert list(ledger.states({})) == []


@pytest.mark.parametrize("wanted", [{pid(1): 3}, {pid(1): 1, pid(9): 1}])
def test_states_that_are_not_in_the_log_are_a_failure(ledger: Ledger, wanted: dict[str, int]) -> None:
    grow(ledger, pid(1), 2)
    with pytest.raises(IntegrityFailure, match="cannot be rebuilt from the log"):
        list(ledger.states(wanted))


# -- snapshots ------------------------------------------------------------------------------------


@contextmanager
def counting_decoded(ledger: Ledger) -> Iterator[Callable[[], int]]:
    decode, decoded = ledger.mapper.to_domain_event, count()

    def spy(stored: Any) -> Any:
        next(decoded)
        return decode(stored)

    ledger.mapper.to_domain_event = spy  # type: ignore[method-assign]
    yield lambda: next(decoded)
    del ledger.mapper.to_domain_event  # type: ignore[method-assign]


def test_no_read_decodes_more_than_a_hundred_events(ledger: Ledger) -> None:
    grow(ledger, pid(1), 260)
    most = 0
    for version in (*range(1, 261), None):
        with counting_decoded(ledger) as decoded:
            assert ledger.get(pid(1), version).version == (version or 260)
            most = max(most, decoded())
        with counting_decoded(ledger) as decoded:
            assert [state.version for state in ledger.states({pid(1): version or 260})] == [version or 260]
            most = max(most, decoded())
    assert most <= 101


def test_snapshots_change_nothing_that_is_read(ledger: Ledger, owner: psycopg.Connection[Any]) -> None:
    grow(ledger, pid(1), 110)
    with_snapshots = [ledger.get(pid(1), version) for version in range(1, 111)]
    owner.execute("DELETE FROM snapshots")
    without = [ledger.get(pid(1), version) for version in range(1, 111)]
    assert without == with_snapshots
    assert [state.event_hash for state in without] == [state.event_hash for state in with_snapshots]
    for version, state in enumerate(with_snapshots, 1):
        assert project(None, ledger.history(pid(1))[:version]) == state


def test_a_snapshot_is_due_every_fifty_versions(ledger: Ledger, owner: psycopg.Connection[Any]) -> None:
    state = grow(ledger, pid(1), 50)
    assert [each.originator_version for each in due_snapshots([state])] == [50]
    state = grow(ledger, pid(2), 102)
    assert due_snapshots([state]) == []
    found = owner.execute("SELECT originator_version FROM snapshots WHERE originator_id = %s ORDER BY 1", (pid(2),))
    assert [version for (version,) in found] == [50, 100]


# -- against a model ------------------------------------------------------------------------------

actions = st.lists(
    st.one_of(
        st.tuples(st.just("update"), documents),
        st.tuples(st.just("tombstone"), st.none()),
        st.tuples(st.just("restore"), st.none() | documents),
    ),
    max_size=12,
)
numbers = count()


def act(state: DigitalObject, kind: str, document: Any, occurred: datetime) -> Any:
    decision = by(occurred=occurred)
    if kind == "update":
        return state.update(document, decision)
    if kind == "tombstone":
        return state.tombstone("lost in a fire", decision)
    return state.restore(decision, document)


@pytest.mark.parametrize("interval", [2, 50])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(first=documents, actions=actions, occurrences=st.lists(st.integers(1900, 1905), min_size=13, max_size=13))
def test_any_history_reads_back_as_it_was_decided(
    ledger: Ledger,
    interval: int,
    first: dict[str, Any],
    actions: list[tuple[str, Any]],
    occurrences: list[int],
) -> None:
    which = pid(next(numbers), "BBB")
    model: list[tuple[dict[str, Any], bool, datetime]] = [(content_of(first), False, year(occurrences[0]))]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("store.ledger.SNAPSHOT_INTERVAL", interval)
        state = ledger.record(None, DigitalObject.create(which, first, by(occurred=model[0][2])))
        for (kind, document), occurrence in zip(actions, occurrences[1:], strict=False):
            content, tombstoned, _ = model[-1]
            wanted = content if document is None else content_of(document)
            if (kind == "restore") != tombstoned:
                with pytest.raises(Conflict):
                    act(state, kind, document, year(occurrence))
            elif kind == "update" and canonical_bytes(wanted) == canonical_bytes(content):
                with pytest.raises(NothingToChange):
                    act(state, kind, document, year(occurrence))
            else:
                state = ledger.record(state, act(state, kind, document, year(occurrence)))
                model.append((wanted, kind == "tombstone", year(occurrence)))

    events = ledger.history(which)
    assert [event.originator_version for event in events] == list(range(1, len(model) + 1))
    for version, (event, (content, tombstoned, occurred)) in enumerate(zip(events, model, strict=True), 1):
        read = ledger.get(which, version)
        bare = {term: value for term, value in read.document.items() if term != TOMBSTONE_TERM}
        assert canonical_bytes(bare) == canonical_bytes(content)
        assert (TOMBSTONE_TERM in read.document) == read.tombstoned == tombstoned
        assert digest(read.document) == event.digest
        assert (read.id, read.version, read.occurred) == (which, version, occurred)
        assert read.recorded == event.recorded
        assert read.created == events[0].recorded
        assert event.agents == (person(ORCID),)
        assert [read] == list(ledger.states({which: version}))
        assert read.recorded is not None
        assert ledger.get_at(which, read.recorded) == read
    for moment in range(1899, 1907):
        by_then = [(occurred, version) for version, (_, _, occurred) in enumerate(model, 1) if occurred <= year(moment)]
        expected = {which: max(by_then)[1]} if by_then else {}
        assert ledger.versions_at([which], year(moment), Axis.OCCURRED) == expected


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(document=documents)
def test_stored_events_read_back_equal(ledger: Ledger, document: dict[str, Any]) -> None:
    event = DigitalObject.create(pid(next(numbers), "CCC"), document, by(comment="é 𝒳 ~/"))
    position = ledger.append([event])[0]
    read = ledger.mapper.to_domain_event(ledger.recorder.select_range(position - 1, limit=1)[0])
    assert read == event
    assert canonical_bytes(read.to_json()) == canonical_bytes(event.to_json())
    assert (read.position, created(pid(1)).position) == (position, None)
