"""Each constraint by an example that breaks it alone, and all of them against a naive reading of the rules."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prov.identifier import Namespace
from prov.model import ProvDocument

from projections.prov.check import Finding, Where, check
from projections.prov.check.graphs import components, way_within
from tests.projections.prov_check.naive_constraints import Fact, verdict

EX = Namespace("ex", "https://example.org/")


def document(provn: str) -> ProvDocument:
    text = f"document prefix ex <{EX.uri}> {provn} endDocument"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # prov remarks on what the standard calls scruffy
        return ProvDocument.deserialize(content=text, format="provn")


def numbers(findings: Sequence[Finding]) -> list[str]:
    return [finding.rule.removeprefix("PROV-CONSTRAINTS ").split()[0] for finding in findings]


BROKEN = {
    "22": "activity(ex:a, 2020-01-01T00:00:00, -) activity(ex:a, 2021-01-01T00:00:00, -)",
    "23": "used(ex:u; ex:a, ex:e, -) used(ex:u; ex:a, ex:f, -)",
    "24": "wasGeneratedBy(ex:g; ex:e, ex:a, -) wasGeneratedBy(ex:h; ex:e, ex:a, -)",
    "25": "wasInvalidatedBy(ex:g; ex:e, ex:a, -) wasInvalidatedBy(ex:h; ex:e, ex:a, -)",
    "26": "wasStartedBy(ex:g; ex:a, -, ex:b, -) wasStartedBy(ex:h; ex:a, -, ex:b, -)",
    "27": "wasEndedBy(ex:g; ex:a, -, ex:b, -) wasEndedBy(ex:h; ex:a, -, ex:b, -)",
    "28": "activity(ex:a, 2020-01-01T00:00:00, -) wasStartedBy(ex:a, -, -, 2021-01-01T00:00:00)",
    "29": "activity(ex:a, -, 2020-01-01T00:00:00) wasEndedBy(ex:a, -, -, 2021-01-01T00:00:00)",
    "51": "wasDerivedFrom(ex:d; ex:e, ex:f, -, ex:g, -)",
    "52": "specializationOf(ex:e, ex:f) specializationOf(ex:f, ex:g) specializationOf(ex:g, ex:e)",
    "53": "used(ex:x; ex:a, ex:e, -) wasGeneratedBy(ex:x; ex:f, ex:b, -)",
    "54": "entity(ex:x) used(ex:x; ex:a, ex:e, -)",
    "55": "wasGeneratedBy(ex:e, ex:a, -) hadMember(ex:c, ex:a)",
    "56": "entity(ex:c, [prov:type='prov:EmptyCollection']) hadMember(ex:c, ex:e)",
    "mandatory-argument": "wasAttributedTo(ex:e, -)",
    "unique-mention": "mentionOf(ex:e, ex:f, ex:b) mentionOf(ex:e, ex:f, ex:c)",
}


@pytest.mark.parametrize("rule", BROKEN)
def test_what_breaks_a_rule_is_found_by_that_rule_alone(rule: str) -> None:
    assert [finding.rule.split()[1] for finding in check(document(BROKEN[rule]))] == [rule]


BOTH = "entity(ex:early) entity(ex:late) activity(ex:a, -, -) wasDerivedFrom(ex:late, ex:early) "
ORDERED = {
    "42": "wasDerivedFrom(ex:early, ex:late)",
    "45": "specializationOf(ex:early, ex:late)",
    "45, by inference 19": "specializationOf(ex:early, ex:x) specializationOf(ex:x, ex:late)",
    "45, by mention": "mentionOf(ex:early, ex:late, ex:b)",
    "48": "wasAttributedTo(ex:early, ex:late)",
    "43 and 48": "wasStartedBy(ex:a, ex:late, -, -) wasAttributedTo(ex:early, ex:a)",
    "43 and 34": "wasStartedBy(ex:a, ex:late, -, -) wasGeneratedBy(ex:early, ex:a, -)",
    "43 and 34, by inference 9": "wasStartedBy(ex:a, ex:late, -, -) wasStartedBy(ex:b, ex:early, ex:a, -)",
    "43 and 34, by inferences 9 and 9": "wasStartedBy(ex:a, ex:late, -, -) wasStartedBy(ex:b, -, ex:a, -)"
    " wasGeneratedBy(ex:early, ex:b, -)",
    "43 and 34, by inference 10": "wasStartedBy(ex:a, ex:late, -, -) wasEndedBy(ex:b, ex:early, ex:a, -)",
    "43 and 34, by inference 11": "wasStartedBy(ex:a, ex:late, -, -) wasDerivedFrom(ex:early, ex:x, ex:a, -, -)",
    "43 and 34, by unification": "wasStartedBy(ex:a, ex:late, -, -) wasGeneratedBy(ex:g; ex:early, -, -)"
    " wasGeneratedBy(ex:g; ex:early, ex:a, -)",
}


@pytest.mark.parametrize("by", ORDERED)
def test_an_event_that_would_come_before_itself_is_found(by: str) -> None:
    assert check(document(BOTH)) == []
    assert check(document(ORDERED[by])) == []
    assert numbers(check(document(BOTH + ORDERED[by]))) == ["42"]


def test_events_that_nobody_says_happened_have_no_order() -> None:
    assert check(document("wasDerivedFrom(ex:e, ex:f) wasDerivedFrom(ex:f, ex:e)")) == []


def test_specialisations_order_generations_through_an_entity_without_one() -> None:
    through = "specializationOf(ex:e, ex:x) specializationOf(ex:x, ex:f) wasDerivedFrom(ex:f, ex:e)"
    assert check(document(through)) == []
    assert numbers(check(document(through + " wasGeneratedBy(ex:e, -, -) wasGeneratedBy(ex:f, -, -)"))) == ["42"]


def test_a_derivation_from_itself_is_a_cycle() -> None:
    (finding,) = check(document("entity(ex:e) wasDerivedFrom(ex:d; ex:e, ex:e)"))
    assert finding == Finding(
        "PROV-CONSTRAINTS 42 derivation-generation-generation-ordering",
        Where(None, ("https://example.org/d",)),
        "The generation of https://example.org/e comes before the generation of https://example.org/e (42):"
        " it would come before itself.",
    )


def test_a_long_cycle_is_told_in_short() -> None:
    ring = " ".join(f"entity(ex:e{n}) specializationOf(ex:e{n}, ex:e{n + 1})" for n in range(20_000))
    findings = check(document(f"{ring} entity(ex:e20000) wasDerivedFrom(ex:e20000, ex:e0)"))
    assert numbers(findings) == ["42"]
    assert len(findings[0].what) < 1000
    assert "steps more" in findings[0].what


def test_each_bundle_is_checked_on_its_own() -> None:
    apart = "entity(ex:x) bundle ex:b1 activity(ex:x, -, -) endBundle bundle ex:b2 entity(ex:x) activity(ex:y, -, -)"
    assert check(document(f"{apart} endBundle")) == []
    (finding,) = check(document(f"{apart} activity(ex:x, -, -) endBundle"))
    assert finding.where == Where("https://example.org/b2", ("https://example.org/x",))


def test_identifiers_may_be_shared_by_agents_and_others_and_by_influences() -> None:
    assert check(document("agent(ex:x) entity(ex:x) agent(ex:y) activity(ex:y, -, -)")) == []
    shared = "used(ex:i; ex:a, ex:e, -) wasInfluencedBy(ex:i; ex:a, ex:e)"
    assert check(document(shared)) == []
    assert numbers(check(document("used(ex:i; ex:a, ex:e, -) wasInfluencedBy(ex:i; ex:a, ex:f)"))) == ["23"]


def test_an_empty_collection_and_its_specialisations_have_no_members() -> None:
    empty = "entity(ex:c, [prov:type='prov:EmptyCollection']) specializationOf(ex:d, ex:c) "
    assert check(document(empty + "hadMember(ex:e, ex:d)")) == []
    assert numbers(check(document(empty + "hadMember(ex:d, ex:e)"))) == ["56"]


def test_times_are_equal_as_instants() -> None:
    same = (
        "wasGeneratedBy(ex:g; ex:e, -, 2020-01-01T00:00:00Z) wasGeneratedBy(ex:g; ex:e, -, 2020-01-01T01:00:00+01:00)"
    )
    assert check(document(same)) == []
    assert numbers(check(document(same + " wasGeneratedBy(ex:g; ex:e, -, 2020-01-01T00:00:00)"))) == ["23"]


def test_a_chain_of_merges_runs_to_its_end_in_whichever_order_it_is_told() -> None:
    # Naming the starter of one activity decides which start of the next it is, and so on.
    chain = [
        f"wasStartedBy(ex:s{n}; ex:a{n}, -, ex:a{n + 1}, -) wasStartedBy(ex:t{n}; ex:a{n}, ex:e{n}, -, -)"
        f" wasInfluencedBy(ex:t{n}; ex:a{n}, ex:e{n}) wasStartedBy(ex:a{n}, ex:e{n}, ex:a{n + 1}, 2020-01-01T00:00:00)"
        for n in range(500)
    ]
    assert check(document(" ".join(chain))) == check(document(" ".join(chain[::-1]))) == []


# --- against the naive reading --------------------------------------------------------------------------------------

entities = st.sampled_from(["e1", "e2", "e3"])
activities = st.sampled_from(["a1", "a2"])
anything = st.sampled_from(["e1", "e2", "a1"])
times = st.none() | st.sampled_from(["2020-01-01T00:00:00", "2021-01-01T00:00:00"])
ids = st.none() | st.sampled_from(["r1", "r2", "r3", "e3"])


def fact(name: str, *args: st.SearchStrategy[str | None], identifier: st.SearchStrategy[str | None] = ids):
    return st.builds(Fact, st.just(name), identifier, st.tuples(*args))


maybe_entity, maybe_activity = st.none() | entities, st.none() | activities
facts = st.one_of(
    fact("entity", identifier=entities),
    fact("activity", times, times, identifier=activities),
    fact("wasGeneratedBy", entities, maybe_activity, times),
    fact("used", activities, maybe_entity, times),
    fact("wasInvalidatedBy", entities, maybe_activity, times),
    fact("wasStartedBy", activities, maybe_entity, maybe_activity, times),
    fact("wasEndedBy", activities, maybe_entity, maybe_activity, times),
    fact("wasInformedBy", activities, activities),
    fact("wasDerivedFrom", entities, entities, activities, ids, ids),
    fact("wasDerivedFrom", entities, entities, st.none(), st.none(), st.none()),
    fact("wasAttributedTo", entities, anything),
    fact("wasAssociatedWith", activities, st.none() | anything, maybe_entity),
    fact("actedOnBehalfOf", anything, anything, maybe_activity),
    fact("wasInfluencedBy", anything, anything),
    fact("specializationOf", entities, entities, identifier=st.none()),
)


def told(stated: Sequence[Fact]) -> ProvDocument:
    def term(text: str | None) -> str:
        return "-" if text is None else text if text.startswith("20") else f"ex:{text}"

    lines = []
    for name, identifier, args in stated:
        terms = ", ".join(map(term, args))
        if name in ("entity", "activity"):
            lines.append(f"{name}({', '.join([term(identifier), *map(term, args)])})")
        elif name == "specializationOf":
            lines.append(f"{name}({terms})")
        else:
            lines.append(f"{name}({term(identifier)}; {terms})")
    return document(" ".join(lines))


GROUPS = {str(number): "unification" for number in range(22, 30)} | {"42": "order"}


@settings(max_examples=400)
@given(st.lists(facts, max_size=9))
def test_the_verdict_is_that_of_the_rules_read_literally(stated: list[Fact]) -> None:
    found = {GROUPS.get(number, number) for number in numbers(check(told(stated)))}
    expected = verdict(stated)
    assert ("unification" in found) == ("unification" in expected)
    assert "unification" in found or found == expected


@given(st.lists(facts, max_size=9), st.randoms())
def test_neither_order_nor_repetition_of_statements_changes_the_verdict(stated: list[Fact], random) -> None:
    again = [*stated, *random.sample(stated, len(stated) // 2)]
    random.shuffle(again)
    assert (check(told(stated)) == []) == (check(told(again)) == [])


@given(st.lists(st.lists(st.integers(0, 7), max_size=4), min_size=8, max_size=8))
def test_nodes_are_in_one_component_when_each_reaches_the_other(successors: list[list[int]]) -> None:
    reached = [{node} for node in range(8)]
    for _ in range(8):
        for node in range(8):
            reached[node] |= {further for target in successors[node] for further in reached[target]}
    component = components(successors)
    for one, other in itertools.product(range(8), repeat=2):
        together = other in reached[one] and one in reached[other]
        assert (component[one] == component[other]) == together
        if together:
            nodes = way_within(successors, component, one, other)
            assert (nodes[0], nodes[-1]) == (one, other)
            assert all(after in successors[before] for before, after in itertools.pairwise(nodes))
