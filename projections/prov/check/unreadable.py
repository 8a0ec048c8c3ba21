"""What the readers of ``prov``, rdflib and lxml raise at malformed input; it is not one tree of errors."""

from __future__ import annotations

import prov
from prov.model import ProvFutureRejectionWarning

UNREADABLE = (
    prov.Error,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    SyntaxError,
    ProvFutureRejectionWarning,
)
