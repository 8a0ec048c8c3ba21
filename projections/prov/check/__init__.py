"""Is a PROV document valid? W3C PROV-CONSTRAINTS, and what our profile says besides."""

from projections.prov.check.checker import check
from projections.prov.check.findings import Finding, Where
from projections.prov.check.reading import read

__all__ = ["Finding", "Where", "check", "read"]
