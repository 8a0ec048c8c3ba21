"""Persistent identifiers: ``prefix/XXX-XXX-XXX`` and version ids ``prefix/XXX-XXX-XXX/n``."""

from __future__ import annotations

import re
import secrets
from typing import NamedTuple

from domain.errors import InvalidIdentifier

ALPHABET = "ABCDEFGHJKLMNPQRSTVWXYZ1234567890"
"""Digits and capitals without I, O and U, which people misread or regret."""

_GROUP = f"[{ALPHABET}]{{3}}"
_SHAPE = rf"(?P<pid>[A-Za-z0-9][\w.]*/{_GROUP}-{_GROUP}-{_GROUP})"
_PID = re.compile(
    rf"(?:https?://(?:doi\.org|dx\.doi\.org|hdl\.handle\.net)/|doi:|hdl:)?{_SHAPE}(?:/(?P<version>[1-9]\d*))?"
)
_PREFIX = re.compile(r"[A-Za-z0-9][\w.]*")


class VersionId(NamedTuple):
    """One version of one object; ``str()`` gives ``PID/n``."""

    pid: str
    version: int

    def __str__(self) -> str:
        return f"{self.pid}/{self.version}"


def mint(prefix: str) -> str:
    """A new random PID under ``prefix``; the store checks that nobody has it yet."""
    if not _PREFIX.fullmatch(prefix):
        raise InvalidIdentifier(f"PID prefix {prefix!r} must be letters, digits, '.' or '_'")
    number = secrets.randbelow(len(ALPHABET) ** 9)
    suffix = ""
    for _ in range(9):
        number, index = divmod(number, len(ALPHABET))
        suffix += ALPHABET[index]
    return f"{prefix}/{suffix[:3]}-{suffix[3:6]}-{suffix[6:]}"


def parse(text: str) -> tuple[str, int | None]:
    """``(PID, version or None)`` from a bare PID, a DOI or Handle URL, or a version id."""
    found = _PID.fullmatch(text.strip())
    if found is None:
        raise InvalidIdentifier(
            f"{text!r} is not a PID; expected something like TEST/ABC-DEF-GHJ or https://doi.org/TEST/ABC-DEF-GHJ"
        )
    version = found["version"]
    return found["pid"], int(version) if version else None
