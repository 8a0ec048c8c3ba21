"""The main job in one go: three states of a small collection, told by the command itself.

Runs on the embedded PostgreSQL, in ``.demo`` beside the project, in a new ledger each time.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = Path(sys.executable).with_name("provenarium")
STATES = ("2010", "2015", "2024")
SPECIMEN = "YPM 1980"


def main() -> None:
    """Run the story; stops with the exit status of the first command that fails."""
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    settings = {
        "PROVENARIUM_HOME": str(ROOT / ".demo"),
        "PROVENARIUM_LEDGER": f"demo_{datetime.now(UTC):%Y%m%d_%H%M%S}",
    }
    environment.update(settings)

    def run(*arguments: str, lines: int | None = None) -> str:
        print(f"\n$ provenarium {shlex.join(arguments)}", flush=True)
        done = subprocess.run(
            [PROGRAM, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False
        )
        shown = done.stdout.splitlines()
        print("\n".join(shown if lines is None else shown[:lines]))
        if lines is not None and len(shown) > lines:
            print(f"… {len(shown) - lines} more lines")
        if done.returncode != 0:
            sys.exit(done.returncode)
        return done.stdout

    tell("Three times the collection publishes its data. Each time, only what really changed becomes events.")
    for state in STATES:
        run("sync", f"samples/famous-specimens/{state}", "--source", "famous", "--missing", "tombstone")

    tell("Brontosaurus was sunk into Apatosaurus in 1903 and revived in 2015. What does the store know of its type?")
    pid = run("find", "--source", "famous", "--record", SPECIMEN).strip()
    run("history", pid)

    tell("What did this record say when a paper cited it in 2012?")
    document = json.loads(run("get", pid, "--at", "2012-06-01", "--axis", "occurred", lines=8))
    print(f"  … ods:specimenName was {document['ods:specimenName']!r}, at version {document['ods:version']}")

    tell("What exactly changed, and who says so?")
    run("diff", pid, "1", "2", lines=14)
    run("blame", pid, "--term", "/ods:specimenName")

    tell("A record was missing in 2015 and came back in 2024: it has its old PID, and says when it was away.")
    allosaurus = run("find", "--source", "famous", "--record", "USNM 4734").strip()
    run("history", allosaurus)

    tell("All of it as W3C PROV.")
    run("prov", pid, "--format", "provn", lines=24)

    tell("And is it all still as it was recorded?")
    run("verify")

    print("\nGo on yourself:\n")
    for name, value in settings.items():
        print(f"  export {name}={shlex.quote(value)}")
    print(f"  .venv/bin/provenarium blame {pid}\n")


def tell(text: str) -> None:
    """A sentence between commands."""
    print(f"\n— {text}", flush=True)


if __name__ == "__main__":
    main()
