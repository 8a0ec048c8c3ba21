"""All commands, gathered into the application."""

from __future__ import annotations

from cli import auditing, collections, curating, ledger, maintaining, provenance, reading, synchronising
from cli.application import app

__all__ = [
    "app",
    "auditing",
    "collections",
    "curating",
    "ledger",
    "maintaining",
    "provenance",
    "reading",
    "synchronising",
]
