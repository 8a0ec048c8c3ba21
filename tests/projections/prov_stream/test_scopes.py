"""A scope takes the versions that meet its conditions, all of them, and tells them as valid PROV on their own."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import cast

import pytest

from domain.errors import IntegrityFailure
from domain.events import DigitalObjectEvent
from domain.query import Query
from domain.times import now
from projections.prov import scopes
from projections.prov.document import prov_document
from projections.prov.export import pieces
from projections.prov.export.shapes import Chunk, Part
from projections.prov.scopes import Listed, Scope
from projections.prov.stored_events import ObjectEvents, events_in
from projections.prov.stream import told
from projections.prov.validity import Validity
from store.ledger import Axis, Ledger
from tests.projections.prov_stream.conftest import ORGANISATION, Museum
from tests.synchronisation.sync_support import natural_keys

Condition = Callable[[DigitalObjectEvent], bool]


def read_events(museum: Museum, listed: Iterable[Listed], within: scopes.Bounds) -> Iterator[ObjectEvents]:
    """The events of objects that are read two at a time."""
    rest = iter(listed)
    batches = iter(lambda: list(islice(rest, 2)), [])
    for events in events_in(museum.ledger, batches, within.upto):
        yield from events


def found(museum: Museum, scope: Scope) -> set[tuple[str, int]]:
    within = scopes.bounds(museum.ledger, scope, now())
    return {(each.pid, version) for each in scopes.listed(museum.ledger, scope, within) for version in each.versions}


def expected(museum: Museum, condition: Condition) -> set[tuple[str, int]]:
    chosen = {(event.originator_id, event.originator_version) for event in museum.events if condition(event)}
    assert 0 < len(chosen) < len(museum.events)
    return chosen


def test_each_condition_finds_what_the_events_say(museum: Museum) -> None:
    keys = natural_keys(museum.ledger)
    own = {
        event.originator_id for event in museum.events if event.object_type in ("ods:SourceSystem", "ods:DataMapping")
    }
    records = set(keys) - own
    curator = next(event.agents[0].id for event in museum.events if "orcid" in event.agents[0].id)
    for run in museum.runs:
        assert found(museum, Scope(run=run)) == expected(
            museum, lambda event, run=run: event.activity.cause is not None and event.activity.cause.id == run
        )
    assert found(museum, Scope(source=museum.source)) == expected(museum, lambda event: event.originator_id in records)
    for agent in (curator, ORGANISATION):
        assert found(museum, Scope(agent=agent)) == expected(
            museum,
            lambda event, agent=agent: any(agent in (each.id, each.on_behalf_of) for each in event.agents),
        )
    assert found(museum, Scope(object_type="ods:DigitalSpecimen")) == expected(
        museum, lambda event: event.object_type == "ods:DigitalSpecimen"
    )
    assert found(museum, Scope(source=museum.source, key_prefix="YPM")) == expected(
        museum, lambda event: event.originator_id in records and keys[event.originator_id][1].startswith("YPM")
    )
    assert not found(museum, Scope(source=museum.source, key_prefix="%"))


def test_times_bound_both_axes_and_both_bounds_count(museum: Museum) -> None:
    for axis in Axis:
        times = sorted({time_of(event, axis) for event in museum.events})
        early, late = times[len(times) // 4], times[-2]
        assert found(museum, Scope(since=early, until=late, axis=axis)) == expected(
            museum, lambda event, axis=axis, early=early, late=late: early <= time_of(event, axis) <= late
        )
        step = timedelta(microseconds=1)
        assert found(museum, Scope(since=early + step, until=late - step, axis=axis)) == expected(
            museum, lambda event, axis=axis, early=early, late=late: early < time_of(event, axis) < late
        )


def time_of(event: DigitalObjectEvent, axis: Axis) -> datetime:
    moment = event.recorded if axis is Axis.RECORDED else event.occurred
    assert moment is not None
    return moment


def test_conditions_are_all_to_be_met(museum: Museum) -> None:
    run, specimen = Scope(run=museum.runs[-1]), Scope(object_type="ods:DigitalSpecimen")
    both = Scope(run=museum.runs[-1], object_type="ods:DigitalSpecimen")
    assert found(museum, both) == found(museum, run) & found(museum, specimen)
    assert found(museum, both) != found(museum, run)


def test_a_query_takes_objects_by_their_document_at_the_end_of_the_bounds(museum: Museum) -> None:
    for text in ("dwc:preparations=*since the flood", "dwc:basisOfRecord=FossilSpecimen", "dwc:organismName=*"):
        query = Query.parse([text])
        for axis in Axis:
            for end in sorted({time_of(event, axis) for event in museum.events}):
                before = [event for event in museum.events if time_of(event, axis) <= end]
                last = {event.originator_id: event.originator_version for event in before}
                states = [museum.ledger.get(*each) for each in last.items()]
                wanted = {state.id for state in states if query.matches(state.document)}
                scope = Scope(query=query, until=end, axis=axis)
                assert found(museum, scope) == {
                    (event.originator_id, event.originator_version) for event in before if event.originator_id in wanted
                }
    flood = Query.parse(["dwc:preparations=*since the flood"])
    ends = sorted(time_of(event, Axis.RECORDED) for event in museum.events)
    assert len({len(found(museum, Scope(query=flood, until=end))) for end in ends}) > 1


def test_a_query_tells_of_the_runs_of_its_objects_alone(museum: Museum) -> None:
    for text in ("dwc:basisOfRecord=FossilSpecimen", "dwc:basisOfRecord=Nothing", "@type=*"):
        scope = Scope(query=Query.parse([text]))
        within = scopes.bounds(museum.ledger, scope, now())
        chosen = list(scopes.listed(museum.ledger, scope, within))
        versions = {(each.pid, version) for each in chosen for version in each.versions}
        causes = {
            event.activity.cause.id
            for event in museum.events
            if (event.originator_id, event.originator_version) in versions and event.activity.cause
        }
        named = scopes.runs_in(museum.ledger, scope, within, chosen)
        assert named == [run for run in museum.runs if run in causes]


def test_what_is_read_of_some_versions_is_what_the_whole_history_says_of_them(museum: Museum) -> None:
    histories = museum.histories()
    for scope in (
        Scope(run=museum.runs[2]),
        Scope(object_type="ods:DigitalSpecimen", since=museum.events[-9].recorded),
    ):
        within = scopes.bounds(museum.ledger, scope, now())
        for read in read_events(museum, scopes.listed(museum.ledger, scope, within), within):
            history = histories[read.pid]
            events = [history[each.value["version"] - 1] for each in read.events]
            whole = Validity.of((event.originator_version, event.activity_type) for event in history)
            assert read.validity == whole
            for event, each in zip(events, read.events, strict=True):
                assert each._replace(value={**each.value, "patch": event.patch}) == told(event)
            prov_document(events, validity=read.validity).unified()


def test_until_a_recorded_time_an_object_is_told_as_it_was_then(museum: Museum) -> None:
    tombstone = next(event for event in reversed(museum.events) if event.activity_type == "ods:Tombstone")
    scope = Scope(until=tombstone.recorded)
    within = scopes.bounds(museum.ledger, scope, now())
    (validity,) = [
        read.validity
        for read in read_events(museum, scopes.listed(museum.ledger, scope, within), within)
        if read.pid == tombstone.originator_id
    ]
    assert validity.withdrawn_by == tombstone.originator_version


def test_an_object_is_never_split_between_pieces_and_each_goes_on_where_the_one_before_ended() -> None:
    found = [Listed(str(number), "ods:DigitalSpecimen", list(range(1, 800))) for number in range(5)]
    stream = io.BytesIO()
    assert pieces.write_list(stream, found) == (5, 5 * 799)
    seen: list[Chunk] = []

    def piece(chunk: Chunk) -> bytes:
        seen.append(chunk)
        return b"".join(each.pid.encode() for each in chunk.listed)

    def told(start: pieces.Cursor) -> list[pieces.Piece]:
        within = scopes.Bounds(0, 0, None, now())
        return list(pieces.pieces(cast("Ledger", None), within, [Part(lambda: b"<", piece, b">")], stream, start))

    whole = told(pieces.Cursor())
    assert [each.content for each in whole] == [b"<", b"01", b"23", b"4", b">"]
    assert [chunk.first for chunk in seen] == [1, 3, 5]
    for number, each in enumerate(whole[:-1], 1):
        assert told(each.after) == whole[number:]


def test_a_version_that_is_not_in_the_log_is_missed(museum: Museum) -> None:
    scope = Scope(source=museum.source)
    within = scopes.bounds(museum.ledger, scope, now())
    first = next(scopes.listed(museum.ledger, scope, within))
    more = first._replace(versions=[*first.versions, first.versions[-1] + 1])
    with pytest.raises(IntegrityFailure, match=first.pid):
        list(read_events(museum, [more], within))
