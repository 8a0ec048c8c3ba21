"""All commands, gathered into the application."""

from __future__ import annotations

from cli import (
    auditing,
    collections,
    curating,
    indexing,
    ledger,
    provenance,
    reading,
    rebuilding,
    searching,
    synchronising,
    verifying,
)
from cli.application import app

__all__ = [
    "app",
    "auditing",
    "collections",
    "curating",
    "indexing",
    "ledger",
    "provenance",
    "reading",
    "rebuilding",
    "searching",
    "synchronising",
    "verifying",
]
