"""Entry point of the ``provenarium`` command."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line; an interruption ends it quietly even while it is still loading."""
    # Its work makes documents by the thousand and few cycles: looking for these every 700 objects takes a tenth of it.
    gc.set_threshold(50_000, 20, 50)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # text streams in a process of its own
    try:
        from cli.commands import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
