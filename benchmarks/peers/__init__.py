"""Provenarium beside other ways to keep histories, on the same documents and the same PostgreSQL, in one run.

Each store keeps its own defaults, is told the same versions, and is read back; what it then gives must equal what it
was told. Peers are given only documents; Provenarium keeps agents, two times, a digest and a hash chain besides.
"""

from __future__ import annotations

from benchmarks.peers.measuring import Amounts
from benchmarks.peers.table import peers

__all__ = ["Amounts", "peers"]
