"""Bundles for tests: a museum that signs, and somebody who takes bundles apart and closes them again."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from audit.bundle import verify
from audit.bundle.scope import Scope, everything
from audit.bundle.write import MANIFEST, Bundle, write_bundle
from audit.tlog.checkpoint import Checkpoint
from audit.tlog.note import Signer
from projections.engine import catch_up
from projections.ledger.tree import tree_of
from store.ledger import Ledger
from tests.audit.tlog.signers import OURS


class Members(dict[str, bytes]):
    """The files of a bundle by name; their content is of no use in a test's report."""

    def __repr__(self) -> str:
        return f"<{len(self)} files>"


def signed(ledger: Ledger, signer: Signer = OURS) -> bytes:
    """A checkpoint of the ledger as it is now."""
    catch_up(ledger)
    with ledger.connection() as connection:
        tree = tree_of(connection)
        return bytes(Checkpoint(signer.name, tree.size, tree.root()).signed(signer))


@dataclass
class Museum:
    """A ledger with its checkpoints: ``notes`` has one for every archive that came in."""

    ledger: Ledger
    folder: Path
    notes: list[bytes] = field(default_factory=list)
    made: int = 0

    def bundle(self, scope: Scope | None = None, **options: Any) -> Bundle:
        """A bundle at the last checkpoint."""
        self.made += 1
        path = self.folder / f"bundle-{self.made}.zip"
        return write_bundle(self.ledger, path, scope or everything(), self.notes[-1], [OURS.verifier], **options)


@dataclass(frozen=True)
class Verdict:
    """What the verifier said."""

    status: int
    text: str

    @property
    def faults(self) -> str:
        return self.text.partition("DOES NOT HOLD\n")[2].partition("\n\n")[0]

    @property
    def unknown(self) -> str:
        return self.text.partition("CANNOT BE KNOWN FROM THIS BUNDLE\n")[2].partition("\n\n")[0]


def check(path: Path, *arguments: object) -> Verdict:
    """Run the verifier."""
    out = io.StringIO()
    with redirect_stdout(out):
        status = verify.main([str(path), *map(str, arguments)])
    verdict = Verdict(status, out.getvalue())
    assert bool(verdict.faults) == (status == 1), verdict.text
    assert ("RESULT: everything" in verdict.text) == (status == 0)
    return verdict


def members_of(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return Members({name: archive.read(name) for name in archive.namelist()})


def pack(members: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def closed(members: dict[str, bytes]) -> Members:
    """The members with a manifest that fits them, as somebody makes it who tampered with them."""
    rest = {name: data for name, data in members.items() if name != MANIFEST}
    lines = [f"{sha256(data).hexdigest()}  {name}\n" for name, data in rest.items()]
    return Members({**rest, MANIFEST: "".join(lines).encode()})


def lines_of(members: Members, name: str) -> list[Any]:
    return [json.loads(line) for line in members[name].splitlines()]


def with_lines(members: Members, name: str, values: list[Any]) -> Members:
    """The members with another JSON Lines file, each line canonical."""
    codec = verify.Json()
    text = []
    for value in values:
        codec.odd = True
        text.append(codec.write(value) + "\n")
    return Members({**members, name: "".join(text).encode()})


def entry_of(line: dict[str, Any]) -> bytes:
    """The entry of the ledger that a line of events tells of."""
    event = line["event"]
    hashed = sha256(verify.written(event).encode()).hexdigest()
    entry = {"event": hashed, "object": event["object"], "position": line["position"], "recorded": line["recorded"]}
    return verify.written({**entry, "version": event["version"]}).encode()


Change = Callable[[list[Any]], None]


def with_events(members: Members, change: Change) -> Members:
    """The members after a change of the events, with everything that follows from them made anew.

    Hashes of events, digests of versions, documents and counts are those of somebody who knows how a bundle is made.
    PROV is only told the new digests.
    """
    lines = lines_of(members, "events.jsonl")
    change(lines)
    codec = verify.Json()
    documents: dict[str, Any] = {}
    states: dict[str, verify.Document] = {}
    previous: dict[str, str] = {}
    prov: dict[str, list[str]] = {}
    for line in lines:
        event = line["event"]
        pid = event["object"]
        if event["version"] > 1 and event["event"] > 1:
            event["previous"] = previous.get(pid, event.get("previous"))
        state = states.setdefault(pid, verify.Document(codec))
        state.apply(json.loads(json.dumps(event["patch"])))
        text = verify.written(state.value)
        event["digest"] = sha256(text.encode()).hexdigest()
        previous[pid] = sha256(verify.written(event).encode()).hexdigest()
        line["check"] = sha256(b"\0" + entry_of(line)).hexdigest()[: verify.CHECK]
        documents[pid] = {"document": json.loads(text), "object": pid, "version": event["version"]}
        prov.setdefault(pid, []).append(f'"ods:contentDigest":"sha256:{event["digest"]}"')
    about = json.loads(members["bundle.json"])
    about.update(events=len(lines), objects=len(documents))
    changed = with_lines(members, "events.jsonl", lines)
    changed = with_lines(changed, "documents.jsonl", list(documents.values()))
    graphs = "".join("{" + ",".join(each) + "}\n" for each in prov.values())
    return closed({**changed, "prov.jsonl": graphs.encode(), "bundle.json": json.dumps(about).encode()})
