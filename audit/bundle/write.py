"""Writes an audit bundle: all that an outsider needs to check a scope of the ledger, in one zip, in constant memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

from audit.bundle.archive import Archive, creating
from audit.bundle.crate import NAME as CRATE
from audit.bundle.crate import crate
from audit.bundle.histories import events_of, histories_of, objects_in_batches
from audit.bundle.lines import digest_line, document_line, event_line, prov_line
from audit.bundle.multiproof import multiproof
from audit.bundle.report import report
from audit.bundle.schemas import MAX_ALL, Schemas
from audit.bundle.scope import Scope
from audit.bundle.summary import Summary
from audit.tlog.checkpoint import Checkpoint, open_checkpoint
from audit.tlog.note import VerifierKey, to_base64
from audit.tree import size_problems
from domain.canonical import digest
from domain.errors import IntegrityFailure, InvalidNote, InvalidSignature, NotFound, RefusedInput
from domain.events import DigitalObjectEvent
from domain.times import now, to_text
from projections.ledger.merkle import consistency_proof, root_at
from projections.ledger.tile_reader import TileReader
from projections.ledger.tree import tree_of
from store.ledger import Ledger

FORMAT = "provenarium-audit-bundle/1"
MANIFEST = "manifest-sha256.txt"
PASSES = 3
KNOWN_NAMES = 10_000
"""Names of agents that are kept at hand."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Bundle:
    """A bundle that was written; ``digest`` (SHA-256 of its manifest, hex) names it as a whole."""

    path: Path
    objects: int
    events: int
    checkpoint: Checkpoint
    digest: str


def write_bundle(
    ledger: Ledger,
    path: Path,
    scope: Scope,
    note: bytes,
    keys: Sequence[VerifierKey],
    *,
    since_checkpoint: bytes | None = None,
    digests_only: bool = False,
    schemas: Schemas | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Bundle:
    """Write the events of a scope, with all that proves and explains them, to ``path``.

    ``note`` is a signed checkpoint of this ledger; its size bounds which events there are. ``keys`` are the ledger's
    public keys, the present one and former ones. ``since_checkpoint`` is the note an auditor kept from before.
    With ``digests_only`` the last versions are given by digest. ``schemas`` are the museum's; those that documents name
    are put in. ``progress`` is told (steps done, all steps).

    Raises :class:`NotFound` when the scope has no event, :class:`IntegrityFailure` when the ledger is not what a
    checkpoint says or an event is not the one in the tree, :class:`InvalidSignature` or :class:`InvalidNote` for a
    checkpoint of somebody else, :class:`RefusedInput` when ``schemas`` lacks one. Nothing is left at ``path`` then.
    """
    checkpoint = open_checkpoint(note, keys)
    with ledger.connection() as connection:
        tree = tree_of(connection)
        for where, what in size_problems(connection):
            raise IntegrityFailure(f"{where} {what}; 'provenarium verify' tells what was altered")
        _require_root(tree, checkpoint, "the checkpoint")
        proof = None if since_checkpoint is None else _continuation(tree, since_checkpoint, keys, checkpoint)
        total = sum(versions for _, versions in scope.objects(ledger, checkpoint.size))
        if not total:
            raise NotFound(f"there is no event in the scope ({scope.description}) up to position {checkpoint.size}")
        with creating(path, now()) as archive:
            writer = _Writer(ledger, scope, checkpoint, archive, lambda done: progress(done, PASSES * total))
            writer.head(note, keys, since_checkpoint, proof)
            writer.events()
            if schemas is not None:
                writer.schemas(schemas)
            writer.documents(digests_only)
            writer.prov()
            archive.add("inclusion.proof", _base64(writer.inclusion(tree)))
            if scope.kind == "all" and writer.summary.events != checkpoint.size:
                raise IntegrityFailure(
                    f"the log has {writer.summary.events} events of the {checkpoint.size} of the checkpoint; "
                    "'provenarium verify' tells what is missing"
                )
            found = writer.close(keys)
        progress(PASSES * total, PASSES * total)
    return Bundle(path, writer.summary.objects, writer.summary.events, checkpoint, found)


class _Writer:
    """The members of one bundle, in the order in which they are written."""

    def __init__(
        self, ledger: Ledger, scope: Scope, checkpoint: Checkpoint, archive: Archive, tick: Callable[[int], None]
    ) -> None:
        self._ledger = ledger
        self._scope = scope
        self._checkpoint = checkpoint
        self._size = checkpoint.size
        self._archive = archive
        self._tick = tick
        self._done = 0
        self._began = now()
        self.summary = Summary()

    def head(
        self,
        note: bytes,
        keys: Sequence[VerifierKey],
        since: bytes | None,
        proof: Sequence[bytes] | None,
    ) -> None:
        """What explains the bundle, and the checkpoints."""
        for name in ("README.txt", "verify.py"):
            self._archive.add(name, [(resources.files("audit.bundle") / name).read_bytes()])
        self._archive.add("checkpoint", [note])
        self._archive.add("keys.json", [_json({"keys": [{"vkey": str(key)} for key in keys]})])
        if since is not None and proof is not None:
            self._archive.add("checkpoint.since", [since])
            self._archive.add("consistency.proof", _base64(proof))

    def events(self) -> None:
        """``events.jsonl``, and the summary of it."""
        self._tick(self._done)
        self._archive.add("events.jsonl", _lines(map(self._event, self._counted())))

    def schemas(self, known: Schemas) -> None:
        """``schemas.json``: what the documents name, by IRI."""
        text = _json(known.needed(self.summary.schemas))
        if len(text) > MAX_ALL:
            raise RefusedInput(f"the schemas have {len(text)} bytes together, more than the {MAX_ALL} of a bundle")
        self._archive.add("schemas.json", [text])

    def documents(self, digests_only: bool) -> None:
        """``documents.jsonl``: the last version of each object."""
        self._archive.add("documents.jsonl", _lines(self._digests() if digests_only else self._documents()))

    def prov(self) -> None:
        """``prov.jsonl``."""
        self._archive.add("prov.jsonl", _lines(self._prov()))

    def inclusion(self, tree: TileReader) -> Iterator[bytes]:
        """The hashes that lead from the events to the checkpoint's root."""
        return multiproof(self._scope.positions(self._ledger, self._size), self._size, tree.hash_at)

    def close(self, keys: Sequence[VerifierKey]) -> str:
        """What describes the bundle, and the manifest; returns the digest of that."""
        about = {
            "format": FORMAT,
            "origin": self._checkpoint.origin,
            "size": self._size,
            "scope": self._scope.to_json(),
            "objects": self.summary.objects,
            "events": self.summary.events,
            "schemas": sorted(self.summary.schemas),
            "made": to_text(self._began),
        }
        written = self._archive.written
        title = f"Audit bundle: {self._scope.description}"
        self._archive.add("bundle.json", [_json(about)])
        page = report(title, self._checkpoint, keys, self.summary, tuple(written), self._began)
        self._archive.add("report.html", page)
        self._archive.add(CRATE, crate(title, tuple(written), self.summary, self._began, now()))
        manifest = "".join(f"{each.digest}  {each.name}\n" for each in written).encode()
        return self._archive.add(MANIFEST, [manifest]).digest

    def _event(self, event: DigitalObjectEvent) -> bytes:
        self.summary.take(event)
        return event_line(event)

    def _counted(self) -> Iterator[DigitalObjectEvent]:
        for event in events_of(self._ledger, self._scope, self._size):
            self._step(1)
            yield event

    def _documents(self) -> Iterator[bytes]:
        for batch in objects_in_batches(self._ledger, self._scope, self._size):
            for state in self._ledger.states(batch):
                self._step(state.version)
                if isinstance(state.head, DigitalObjectEvent) and digest(state.document) != state.head.digest:
                    raise IntegrityFailure(
                        f"{state.id}/{state.version}: the document does not have the digest its event states; "
                        "'provenarium verify' tells what was altered"
                    )
                yield document_line(state)

    def _digests(self) -> Iterator[bytes]:
        for _, events in groupby(self._counted(), key=lambda event: event.originator_id):
            last = None
            for last in events:  # noqa: B007 - only the last one counts
                pass
            assert last is not None
            yield digest_line(last)

    def _prov(self) -> Iterator[bytes]:
        known: dict[str, str | None] = {}
        for history in histories_of(self._ledger, self._scope, self._size):
            self._step(len(history))
            agents = {
                name for event in history for each in event.agents for name in (each.id, each.on_behalf_of) if name
            }
            if len(known) > KNOWN_NAMES:
                known.clear()
            if unknown := agents - known.keys():
                known |= {**dict.fromkeys(unknown), **self._ledger.agent_names(unknown)}
            yield prov_line(history, {agent: name for agent in agents if (name := known[agent]) is not None})

    def _step(self, events: int) -> None:
        before, self._done = self._done, self._done + events
        if before // 500 != self._done // 500:
            self._tick(self._done)


def _continuation(tree: TileReader, since: bytes, keys: Sequence[VerifierKey], checkpoint: Checkpoint) -> list[bytes]:
    """The proof that the ledger continues an auditor's checkpoint."""
    try:
        old = open_checkpoint(since, keys, checkpoint.origin)
    except (InvalidNote, InvalidSignature) as error:
        raise type(error)(f"the auditor's checkpoint is not to be used: {error}") from None
    if old.size > checkpoint.size:
        raise IntegrityFailure(
            f"the auditor's checkpoint is of {old.size} entries, but this one is of {checkpoint.size}: "
            "the end of the ledger is missing"
        )
    _require_root(tree, old, "the auditor's checkpoint")
    return consistency_proof(old.size, checkpoint.size, tree.hash_at) if old.size else []


def _require_root(tree: TileReader, checkpoint: Checkpoint, which: str) -> None:
    if checkpoint.size > tree.size:
        raise IntegrityFailure(f"{which} is of {checkpoint.size} entries, but the ledger's tree has {tree.size}")
    if root_at(checkpoint.size, tree.hash_at) != checkpoint.root:
        raise IntegrityFailure(
            f"the first {checkpoint.size} entries of the ledger are not those of {which}: one of them was altered"
        )


def _lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield line + b"\n"


def _base64(hashes: Iterable[bytes]) -> Iterator[bytes]:
    return _lines(to_base64(each).encode() for each in hashes)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"
