"""Verdicts agree with the names in ProvToolbox's and W3C's validity corpus, as far as ``prov`` carries it."""

from __future__ import annotations

from pathlib import Path

import prov
import pytest

from projections.prov.check import check, read

TESTS = Path(prov.__file__).parent / "tests"
CORPUS = sorted(
    path for path in (TESTS / "unification").rglob("*") if path.suffix in {".json", ".provn", ".provx", ".ttl", ".xml"}
)

MANY_USES = "the Recommendation has no uniqueness of usage: an activity may use an entity many times (cf. 24 to 27)"
NAMED_OTHERWISE = {
    "usage-fail1.xml": MANY_USES,
    "usage-fail5.xml": MANY_USES,
    "usage-fail6.xml": MANY_USES,
    "usage-fail7.xml": MANY_USES,
    "delegation-fail4.xml": "the activity of a delegation is expandable (table 3), so '-' is whichever the other names",
    "delegation-success3.xml": "PROV-DM demands the responsible agent, and table 3 does not let it be '-'",
    "delegation-success4.xml": "the same",
}
"""Documents whose name is not their verdict, and why; ProvToolbox's own tests expect what we do for usage and fail4."""


def named_valid(path: Path) -> bool:
    name = path.name.lower()
    assert ("pass" in name or "success" in name) != ("fail" in name)
    return "fail" not in name


def test_the_corpus_is_there() -> None:
    assert len(CORPUS) == 174
    assert sum(map(named_valid, CORPUS)) == 96
    assert {path.name for path in CORPUS} > set(NAMED_OTHERWISE)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_the_verdict_is_what_the_name_says(path: Path) -> None:
    findings = check(read(path))
    assert (findings == []) == (named_valid(path) != (path.name in NAMED_OTHERWISE)), findings


@pytest.mark.parametrize(
    "path", [path for path in CORPUS if "-FAIL-" in path.name], ids=lambda path: path.name.partition("-FAIL-")[2]
)
def test_a_failure_is_one_of_the_constraint_in_the_name(path: Path) -> None:
    numbers = {int(part.removeprefix("c")) for part in path.stem.partition("-FAIL-")[2].split("-")}
    found = {int(finding.rule.split()[1]) for finding in check(read(path))}
    assert found & numbers


def test_every_other_document_of_the_package_gets_a_verdict() -> None:
    verdicts = [check(read(path)) == [] for path in sorted((TESTS / "json").glob("*.json"))]
    assert len(verdicts) == 398
    assert sum(verdicts) > 300
