"""Measures in a process of its own how much memory writing and checking bundles takes: ``python -m`` this.

Arguments: connection string, ledger, folder, then numbers of events in ascending order. Prints one JSON line for each,
with the high-water mark of the process (kB) after writing and after checking a bundle of that many events.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from contextlib import redirect_stdout
from pathlib import Path

from audit.bundle import scope, verify, write
from audit.tlog.checkpoint import Checkpoint
from domain.digital_object import DigitalObject
from projections.ledger.tree import tree_of
from store.ledger import Ledger
from store.settings import Settings
from tests.audit.tlog.signers import OURS
from tests.store.ledger_building import by, created, pid

VERSIONS = 10
TEXT = "a text of a hundred characters, so that documents and events have a size that shows " * 5


def grow(ledger: Ledger, group: str, objects: int) -> None:
    """Many objects with ten versions each."""
    provenance = by
    for start in range(0, objects, 100):
        events = []
        for number in range(start, min(start + 100, objects)):
            first = created(pid(number, group), individualCount=0, remarks=f"{number} {TEXT}")
            state = DigitalObject(
                first.originator_id, 1, first.object_type, dict(first.patch[0]["value"]), False, first.occurred, None,
                first.occurred, first,
            )  # fmt: skip
            events.append(first)
            for version in range(1, VERSIONS):
                event = state.update({**state.document, "dwc:individualCount": version}, provenance())
                state = state.then(event)
                events.append(event)
        ledger.append(events)


def main() -> None:
    """See the module docstring."""
    from projections.engine import catch_up

    conninfo, name, folder, *sizes = sys.argv[1:]
    write.prov_line = lambda events, _names: b",".join(  # type: ignore[assignment] # the prov package is not measured here
        b'"ods:contentDigest":"sha256:%s"' % event.digest.encode() for event in events
    )
    with Ledger.open(Settings(database_url=conninfo, home=Path(folder), ledger=name)) as ledger:
        groups = iter(("AAA", "BBB", "CCC", "DDD"))
        for size in map(int, sizes):
            grow(ledger, next(groups), (size - ledger.position()) // VERSIONS)
            catch_up(ledger, ["ledger"])
            with ledger.connection() as connection:
                tree = tree_of(connection)
                note = bytes(Checkpoint(OURS.name, tree.size, tree.root()).signed(OURS))
            before = _peak()
            path = Path(folder) / f"{size}.zip"
            made = write.write_bundle(ledger, path, scope.everything(), note, [OURS.verifier])
            written = _peak()
            with redirect_stdout(io.StringIO()) as said:
                assert verify.main([str(path)]) == 0, said.getvalue()
            found = {"events": made.events, "before": before, "written": written, "checked": _peak()}
            sys.stdout.write(json.dumps(found) + "\n")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)


if __name__ == "__main__":
    main()
