"""The check of a whole document: its top level and each bundle, one at a time, as PROV-CONSTRAINTS section 7 has it."""

from __future__ import annotations

from prov.model import ProvBundle, ProvDocument

from projections.prov.check.events import check_order
from projections.prov.check.findings import Finding
from projections.prov.check.impossibility import check_impossibility, declared_entities
from projections.prov.check.normal_form import normalise
from projections.prov.check.profile import check_profile
from projections.prov.check.statements import instance


def check(document: ProvDocument) -> list[Finding]:
    """Everything that makes ``document`` invalid; an empty list if it is valid.

    Checked are W3C PROV-CONSTRAINTS, and in a top level or bundle that uses ``ods:`` terms also the rules of
    :mod:`projections.prov.check.profile`. The order of findings depends on the document only: top level, then bundles
    by IRI; in each first what the standard says. Time and memory are near-linear in the number of records.
    """
    bundles = sorted(document.bundles, key=lambda bundle: bundle.identifier.uri if bundle.identifier else "")
    return [finding for bundle in (document, *bundles) for finding in _findings(bundle)]


def _findings(bundle: ProvBundle) -> list[Finding]:
    checked = instance(bundle)
    normalise(checked)
    declared, empty = declared_entities(checked)
    check_order(checked, declared)
    check_impossibility(checked, declared, empty)
    check_profile(checked)
    return checked.findings
