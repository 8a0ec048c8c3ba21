"""Who changed what, in one indexed statement each, and the same as the events say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from domain.agents import person
from domain.digital_object import DigitalObject, Provenance
from domain.errors import NotFound
from domain.terms import ABSENT
from projections.accountability import SQL, by_agent, last_set, of_source, values_of_term
from projections.engine import catch_up
from projections.object_reading import blame_terms
from projections.prov.names import activity
from sources.synchronisation.revert import revert
from store.ledger import Axis, Ledger
from tests.conftest import SAMPLES
from tests.store.ledger_building import pid, specimen
from tests.synchronisation.sync_support import find_source_pid, sync

ANNA, BERT = "https://orcid.org/0000-0002-1825-0097", "https://orcid.org/0000-0001-5109-3700"
KEPT = {"museum", "dwca-openDS"}
"""Records that the store keeps for itself: the source system, and the mapping."""
ALWAYS = datetime(1900, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)


def change(ledger: Ledger, which: str, who: str, occurred: str, **terms: Any) -> DigitalObject:
    provenance = Provenance((person(who),), occurred=datetime.fromisoformat(occurred))
    if not ledger.versions_at([which]):
        return ledger.record(None, DigitalObject.create(which, specimen(**terms), provenance))
    state = ledger.get(which)
    return ledger.record(state, state.update(specimen(**terms), provenance))


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    change(ledger, pid(1), ANNA, "2001-01-01T00:00Z", country="Kenya", habitat="steppe")
    change(ledger, pid(2), BERT, "2002-01-01T00:00Z", country="Peru")
    change(ledger, pid(1), BERT, "2003-01-01T00:00Z", country="Chad", habitat="steppe")
    change(ledger, pid(1), ANNA, "2004-01-01T00:00Z", habitat="steppe")
    change(ledger, pid(1), ANNA, "2005-01-01T00:00Z", country="Kenya", habitat="steppe")
    catch_up(ledger)
    return ledger


def test_who_last_set_a_term(filled: Ledger) -> None:
    found = last_set(filled, pid(1), "/dwc:country")
    assert (found.version, found.agent, found.old, found.new) == (4, ANNA, ABSENT, "Kenya")
    unchanged = last_set(filled, pid(1), "/dwc:habitat")
    assert (unchanged.version, unchanged.agent, unchanged.term) == (1, ANNA, None)
    assert found.to_json()["provActivity"] == activity(str(found.activity))[0].uri
    with pytest.raises(NotFound):
        last_set(filled, pid(9), "/dwc:country")


def test_every_value_a_term_ever_had(filled: Ledger) -> None:
    found = values_of_term(filled, pid(1), "dwc:country")
    assert [(each.version, each.old, each.new) for each in found] == [
        (1, ABSENT, "Kenya"),
        (2, "Kenya", "Chad"),
        (3, "Chad", ABSENT),
        (4, ABSENT, "Kenya"),
    ]
    assert {each.agent for each in found} == {ANNA, BERT}
    (unchanged,) = values_of_term(filled, pid(1), "dwc:habitat")
    assert (unchanged.version, unchanged.agent, unchanged.pointer, unchanged.new) == (1, ANNA, "/dwc:habitat", "steppe")
    with pytest.raises(NotFound, match="never had a term"):
        values_of_term(filled, pid(1), "dwc:island")
    with pytest.raises(NotFound, match="no object"):
        values_of_term(filled, pid(9), "dwc:habitat")


def test_everything_an_agent_did_between_two_times(filled: Ledger) -> None:
    anna = [(each.pid, each.version, each.term) for each in by_agent(filled, ANNA, *ALWAYS)]
    assert anna == [(pid(1), 1, None), (pid(1), 3, "dwc:country"), (pid(1), 4, "dwc:country")]
    since, until = datetime(2002, 1, 1, tzinfo=UTC), datetime(2003, 1, 1, tzinfo=UTC)
    bert = [(each.pid, each.version) for each in by_agent(filled, BERT, since, until, Axis.OCCURRED)]
    assert bert == [(pid(2), 1), (pid(1), 2)]
    assert list(by_agent(filled, BERT, until, until + timedelta(days=1))) == []
    assert list(by_agent(filled, "https://orcid.org/0000", *ALWAYS)) == []


def test_blame_and_the_index_agree_on_the_samples(ledger: Ledger) -> None:
    for year in ("2010", "2015", "2024"):
        sync(ledger, SAMPLES / year, tombstone_missing=True)
    catch_up(ledger)
    with ledger.connection() as connection:
        pids = [row["pid"] for row in connection.execute("SELECT pid FROM objects").fetchall()]
    for which in pids:
        for blamed in blame_terms(ledger, which):
            found = last_set(ledger, which, blamed.pointer)
            assert (found.version, found.activity) == (blamed.event.originator_version, blamed.event.activity.id)


def test_every_change_of_one_term_in_a_collection(ledger: Ledger) -> None:
    for year in ("2010", "2015", "2024"):
        sync(ledger, SAMPLES / year, tombstone_missing=True)
    catch_up(ledger)
    source = find_source_pid(ledger)
    every = [each for each in of_source(ledger, source, *ALWAYS) if each.term == "ods:specimenName"]
    assert every
    assert list(of_source(ledger, source, *ALWAYS, term="ods:specimenName")) == every
    assert list(of_source(ledger, "TEST/XXX-XXX-XXX", *ALWAYS)) == []


PLANS = {
    "last_set": ({"pid": "x", "pointer": "/y"}, {"terms_standing", "versions_pkey"}),
    "values_of_term": ({"pid": "x", "term": "y"}, {"terms_of_object", "versions_pkey"}),
    "by_agent": (
        {"agent": '[{"id": "x"}]', "axis": "recorded", "since": ALWAYS[0], "until": ALWAYS[1]},
        {"versions_agents", "terms_pkey"},
    ),
}


@pytest.mark.parametrize("name", list(PLANS))
def test_each_question_is_answered_by_indexes(filled: Ledger, name: str) -> None:
    parameters, wanted = PLANS[name]
    options = f"-c search_path={filled.settings.ledger} -c enable_seqscan=off"
    with psycopg.connect(filled.conninfo, options=options) as connection, connection.transaction(force_rollback=True):
        connection.execute("DROP INDEX versions_recorded")  # of a table this small, the planner takes any index
        statement = sql.SQL("EXPLAIN ") + sql.SQL(SQL[name])
        plan = "\n".join(row[0] for row in connection.execute(statement, parameters))
    assert "Seq Scan" not in plan
    assert {index for index in wanted if index in plan} == wanted, plan


def test_what_a_reversal_took_back_never_occurred_whoever_is_asked_about(ledger: Ledger) -> None:
    sync(ledger, SAMPLES / "2010")
    revert(ledger, sync(ledger, SAMPLES / "2015").run)
    catch_up(ledger)
    system = find_source_pid(ledger)
    agent = next(each.id for each in ledger.history(system)[0].agents)
    for axis in (Axis.RECORDED, Axis.OCCURRED):
        changes = by_agent(ledger, agent, *ALWAYS, axis)
        assert {(each.pid, each.version) for each in changes if each.record not in KEPT} == {
            (each.pid, each.version) for each in of_source(ledger, system, *ALWAYS, axis)
        }
    undone = {(each.pid, each.version) for each in of_source(ledger, system, *ALWAYS, Axis.RECORDED)} - {
        (each.pid, each.version) for each in of_source(ledger, system, *ALWAYS, Axis.OCCURRED)
    }
    assert undone
