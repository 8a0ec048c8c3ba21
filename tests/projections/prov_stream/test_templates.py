"""Documents filled into a template are those that are written without one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.events import Cause, Created, DigitalObjectEvent
from domain.pid import ALPHABET
from projections.prov import stream_template
from projections.prov.stream import ObjectWriter, told
from projections.prov.stream_event import Told
from projections.prov.stream_template import Templates
from tests.projections.prov_histories import PID, RUN, SYNC, event, histories, parts, source

Creating = Callable[[], list[DigitalObjectEvent]]

pids = st.builds(
    lambda prefix, letters: f"{prefix}/{''.join(letters[:3])}-{''.join(letters[3:6])}-{''.join(letters[6:])}",
    st.sampled_from(["TEST", "10.5555", "a_b", "TEST" * 12]),
    st.lists(st.sampled_from(ALPHABET), min_size=9, max_size=9),
)
texts = st.one_of(
    st.sampled_from(["YPM 1980", "a%sb", '"', "\\", "\x00", "\ufffe", "é", "x" * 200, ""]), st.text(max_size=9)
)


def without_template(events: list[Told]) -> str:
    return orjson.dumps(ObjectWriter().document(events)).decode()


@st.composite
def like(draw: st.DrawFn, events: list[Told]) -> list[Told]:
    """Another object with a history of the same shape, or nearly so."""
    pid = draw(pids)
    ids = draw(st.lists(st.uuids().map(str), min_size=len(events), max_size=len(events), unique=True))
    records = {value["source"]["record"]: draw(texts) for value, _, _ in events if "source" in value}
    found = []
    for id_, (value, position, recorded) in zip(ids, events, strict=True):
        changed: dict[str, Any] = {
            **value,
            "object": pid,
            "digest": draw(st.binary(min_size=32, max_size=32)).hex(),
            "activity": {**value["activity"], "id": id_},
        }
        if value["activity"].get("comment") is not None:
            changed["activity"]["comment"] = draw(texts)
        if "source" in value:
            changed["source"] = {**value["source"], "record": records[value["source"]["record"]]}
        later = timedelta(seconds=draw(st.integers(-5, 5)))
        found.append(Told(changed, position + draw(st.sampled_from([0, 1, 2**31, 2**40])), recorded + later))
    return found


@given(data=st.data())
@settings(max_examples=200)
def test_a_document_is_the_same_with_and_without_a_template(data: st.DataObject) -> None:
    events = list(map(told, data.draw(histories())))
    writer = ObjectWriter()
    for each in [events, events, *data.draw(st.lists(like(events), min_size=1, max_size=4)), events]:
        assert writer.text(each) == without_template(each)


@given(data=st.data())
def test_some_versions_of_an_object_too(data: st.DataObject) -> None:
    chosen, validity = data.draw(parts())
    events = list(map(told, chosen))
    writer = ObjectWriter(around={"ods": "http://rs.dissco.eu/opends/terms/"})
    for each in [events, events, events]:
        assert orjson.loads(writer.text(each, validity)) == writer.document(each, validity)


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every document that came of a template."""
    found: list[str] = []
    fill = stream_template._Template.fill

    def counted(template: Any, values: list[str]) -> str:
        found.append(fill(template, values))
        return found[-1]

    monkeypatch.setattr(stream_template._Template, "fill", counted)
    return found


@pytest.fixture
def created() -> Creating:
    """Makes the creation of one object by a run, from a source."""
    return lambda: [event(Created, 1, (SYNC,), source=source(), cause=Cause("run", RUN))]


def plain(events: Creating, pid: str) -> list[Told]:
    """Events of one plain object."""
    return [
        Told({**value, "object": pid, "activity": {**value["activity"], "id": str(uuid4())}}, position, recorded)
        for value, position, recorded in map(told, events())
    ]


def test_the_third_object_of_a_shape_is_filled_in(filled: list[str], created: Creating) -> None:
    writer = ObjectWriter()
    letters = "ABCDEFGH"
    for number, letter in enumerate(letters):
        events = plain(created, f"TEST/{letter}BC-DEF-GHJ")
        document = writer.text(events)
        assert document == without_template(events)
        assert (document in filled) == (number > 0)  # the second is what the template is tried on
    assert len(filled) == len(letters) - 1


def test_what_an_object_shares_with_its_own_surroundings_is_not_filled_in(filled: list[str], created: Creating) -> None:
    writer = ObjectWriter()
    for letter in "ABC":
        writer.text(plain(created, f"TEST/{letter}BC-DEF-GHJ"))
    told_before = len(filled)
    odd = plain(created, PID)
    odd[0].value["activity"] = {**odd[0].value["activity"], "id": RUN}  # the run that caused it
    assert writer.text(odd) == without_template(odd)
    assert len(filled) == told_before
    agents = [{**agent, "id": f"https://doi.org/{PID}"} for agent in odd[0].value["agents"]]
    for pid in (f"{PID[:-1]}K", f"{PID[:-1]}L", f"{PID[:-1]}M", PID):
        odd = plain(created, pid)
        odd[0].value["agents"] = agents
        assert writer.text(odd) == without_template(odd)


def test_templates_are_kept_within_a_bound(monkeypatch: pytest.MonkeyPatch, created: Creating) -> None:
    monkeypatch.setattr(stream_template, "_MOST_KEPT", 3000)
    writer = ObjectWriter()
    for number in range(200):
        events = plain(created, PID)
        events[0].value["schema"] = f"https://example.org/schema/{number // 3}"
        assert writer.text(events) == without_template(events)
        assert len(writer._templates._known) < 20


def test_a_template_that_does_not_give_the_document_back_is_not_used(created: Creating) -> None:
    calls = []

    def fickle(events: Any) -> str:
        calls.append(events)
        return f'{{"prefix":{{}},"n":{len(calls)}}}'

    templates = Templates(fickle, ())
    found = [templates.document(plain(created, PID)) for _ in range(4)]
    assert found[0] is None
    assert all(isinstance(each, str) for each in found[1:])
    assert len(set(found)) == 4


def test_a_uuid_as_cause_that_is_written_otherwise_is_known_for_the_activity_itself(
    created: Creating,
) -> None:
    writer = ObjectWriter()
    cause = str(UUID(int=7))
    for number in range(4):
        events = plain(created, PID)
        activity = events[0].value["activity"]
        events[0].value["activity"] = {**activity, "cause": {"kind": "run", "id": cause.upper()}}
        if number == 3:
            events[0].value["activity"]["id"] = cause
        assert writer.text(events) == without_template(events)
