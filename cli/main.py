"""Entry point of the ``provenarium`` command."""

from __future__ import annotations

import sys

from store.processes import collect_seldom


def main() -> None:
    """Run the command line; an interruption ends it quietly even while it is still loading."""
    collect_seldom()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # text streams in a process of its own
    try:
        from cli.commands import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
