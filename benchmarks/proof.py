"""Proof: how fast the ledger's tree grows, proofs are made and checked, and a bundle is written and verified."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path

from rich.table import Table

from audit.bundle.scope import everything
from audit.bundle.write import write_bundle
from audit.publishing import sign_checkpoint
from audit.tlog import keys
from projections.engine import rebuild
from projections.ledger.merkle import consistency_proof, inclusion_proof, verify_consistency, verify_inclusion
from projections.ledger.tiles import Edge, extend
from projections.ledger.tree import tree_of
from store.ledger import Ledger

LEAVES = 200_000
PROOFS = 2_000
BATCH = 1_000


def proof(ledger: Ledger, of: str) -> Table:
    """One row for each kind of work on a ledger that the benchmark filled; ``of`` says with what."""
    table = Table("work", "amount", "seconds", "rate", title=f"Proof, {of}", title_justify="left")

    def row(work: str, amount: int, unit: str, run: Callable[[], object]) -> None:
        began = time.perf_counter()
        run()
        seconds = time.perf_counter() - began
        table.add_row(work, f"{amount:,} {unit}", f"{seconds:.2f}", f"{amount / seconds:,.0f} {unit}/s")

    events = ledger.position()
    row("append to the tree, hashes given", LEAVES, "entries", _append)
    row("append to the tree, read from the log", events, "events", lambda: rebuild(ledger, ["ledger"]))
    _prove(ledger, row)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bundle.zip"
        row("write a bundle of everything", events, "events", lambda: _bundle(ledger, Path(folder), file))
        with zipfile.ZipFile(file) as bundle:
            bundle.extract("verify.py", folder)
        command = [sys.executable, "-I", "-S", str(Path(folder) / "verify.py"), str(file)]
        row("verify it with its own verify.py", events, "events", lambda: _run(command))
    return table


def _append() -> None:
    edge = Edge()
    for first in range(0, LEAVES, BATCH):
        leaves = [sha256(number.to_bytes(8)).digest() for number in range(first, first + BATCH)]
        edge = extend(edge, leaves).edge


def _prove(ledger: Ledger, row: Callable[[str, int, str, Callable[[], object]], None]) -> None:
    chance = random.Random(1)  # noqa: S311 - not for secrets
    with ledger.connection() as connection:
        tree = tree_of(connection)
        root = tree.root()
        indexes = [chance.randrange(tree.size) for _ in range(PROOFS)]
        sizes = [chance.randrange(1, tree.size) for _ in range(PROOFS)]
        included: list[list[bytes]] = []
        consistent: list[list[bytes]] = []
        roots = [tree_of(connection, size).root() for size in sizes]
        row(
            "make proofs of inclusion",
            PROOFS,
            "proofs",
            lambda: included.extend(inclusion_proof(index, tree.size, tree.hash_at) for index in indexes),
        )
        leaves = [tree.hash_at(0, index) for index in indexes]
        row(
            "check them",
            PROOFS,
            "proofs",
            lambda: _check_inclusion(tree.size, root, zip(leaves, indexes, included, strict=True)),
        )
        row(
            "make proofs of consistency",
            PROOFS,
            "proofs",
            lambda: consistent.extend(consistency_proof(size, tree.size, tree.hash_at) for size in sizes),
        )
        row(
            "check them",
            PROOFS,
            "proofs",
            lambda: _check_consistency(tree.size, root, zip(sizes, roots, consistent, strict=True)),
        )


def _check_inclusion(size: int, root: bytes, found: Iterable[tuple[bytes, int, list[bytes]]]) -> None:
    for leaf, index, path in found:
        verify_inclusion(leaf, index, size, path, root)


def _check_consistency(size: int, root: bytes, found: Iterable[tuple[int, bytes, list[bytes]]]) -> None:
    for before, its_root, path in found:
        verify_consistency(before, its_root, size, root, path)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _bundle(ledger: Ledger, folder: Path, file: Path) -> None:
    keys.generate(folder / "keys", "benchmark.example/ledger")
    note = bytes(sign_checkpoint(ledger, folder / "keys"))
    write_bundle(ledger, file, everything(), note, [published.key for published in keys.public(folder / "keys")])
