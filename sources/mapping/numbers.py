"""Text to number without ever rounding in silence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import isinf

_MAX_INTEGER = 2**53 - 1
_PLAIN = frozenset("0123456789.+-eE")
_METRES = re.compile(
    r"([+-]?\d+(?:\.\d+)?)\s*(?:m|met(?:re|er)s?)\.?(?:\s*a\.?\s?s\.?\s?l\.?)?", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True)
class Limits:
    """What a number field accepts: whole numbers only, a closed range, a unit ``m`` written after the number."""

    whole: bool = False
    low: int | None = None
    high: int | None = None
    metres: bool = False


def read_number(text: str, limits: Limits) -> tuple[int | float | None, str | None]:
    """``(number, problem)`` of one text.

    ``(51.5, None)``: exact, that is, the shortest decimal of the double equals the text; a whole
    number comes as ``int``. ``(0.1, "…")``: the nearest IEEE 754 double, and how it differs.
    ``(None, "…")``: no number, or outside ``limits``, and why.
    """
    text = text.strip()
    if not _PLAIN.issuperset(text):
        measured = _METRES.fullmatch(text) if limits.metres else None
        if measured is None:
            return None, "is not a number"
        text = measured[1]
    try:
        number = float(text)
        exact: float | Decimal = number if repr(number) in (text, text + ".0") else Decimal(text)
    except (ValueError, InvalidOperation):
        return None, "is not a number"
    if isinf(number):
        return None, "is too large for a number"
    faithful = exact is number or exact == Decimal(repr(number))
    problem = _outside(number, exact, faithful, limits)
    if problem is not None:
        return None, problem
    value = int(number) if number.is_integer() and abs(number) <= _MAX_INTEGER else number
    return value, None if faithful else f"is stored as {value!r}, the nearest number that can be kept"


def _outside(number: float, exact: float | Decimal, faithful: bool, limits: Limits) -> str | None:
    if limits.whole and not (number.is_integer() and faithful):
        return "is not a whole number"
    if limits.whole and abs(number) > _MAX_INTEGER:
        return "is beyond 2^53-1"
    if limits.low is not None and exact < limits.low:
        return f"is below {limits.low}"
    if limits.high is not None and exact > limits.high:
        return f"is above {limits.high}"
    return None
