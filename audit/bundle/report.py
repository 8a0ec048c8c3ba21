"""``report.html``: what a bundle holds and how to check it, for people; one file, no script, nothing loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape

from audit.bundle.archive import Written
from audit.bundle.crate import DESCRIPTIONS
from audit.bundle.summary import Summary
from audit.tlog.checkpoint import Checkpoint
from audit.tlog.note import VerifierKey
from domain.times import to_text

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c;"
    "background:#fff}table{border-collapse:collapse;width:100%;font-size:.85rem}th,td{text-align:left;"
    "padding:.25rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}code,td.h{font-family:ui-monospace,monospace;"
    "overflow-wrap:anywhere}pre{background:#f4f4f4;padding:.7rem;overflow-x:auto}.n{background:#fff6d6;padding:.7rem}"
)


def report(
    title: str,
    checkpoint: Checkpoint,
    keys: Sequence[VerifierKey],
    summary: Summary,
    written: Sequence[Written],
    made: datetime,
) -> Iterator[bytes]:
    """The page, in parts; ``written`` are the members before it."""
    for part in _parts(title, checkpoint, keys, summary, written, made):
        yield part.encode()


def _parts(
    title: str,
    checkpoint: Checkpoint,
    keys: Sequence[VerifierKey],
    summary: Summary,
    written: Sequence[Written],
    made: datetime,
) -> Iterator[str]:
    yield (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>\n<h1>{_text(title)}</h1>\n"
        '<p class="n">This page was written by the software that is to be audited, so it proves nothing. What proves '
        "something is the check below, which reads the other files and not this page.</p>\n"
    )
    first, last = (to_text(moment) if moment else "–" for moment in (summary.first, summary.last))
    yield _facts(
        [
            ("made", to_text(made)),
            ("objects", f"{summary.objects:,}"),
            ("events", f"{summary.events:,}, recorded from {first} to {last}"),
            ("ledger", checkpoint.origin),
            ("entries of the ledger at the checkpoint", f"{checkpoint.size:,}"),
            ("root", checkpoint.root.hex()),
            *(("public key", str(key)) for key in keys),
        ]
    )
    yield _HOW
    yield "<h2>Files</h2>\n<table><tr><th>file</th><th>what it is</th><th>bytes</th><th>SHA-256</th></tr>\n"
    for member in written:
        described = DESCRIPTIONS[member.name][1]
        yield (
            f"<tr><td><code>{member.name}</code></td><td>{described}</td><td>{member.size:,}</td>"
            f'<td class="h">{member.digest}</td></tr>\n'
        )
    yield "</table>\n<h2>Schemas</h2>\n<ul>"
    yield "".join(f"<li><code>{_text(schema)}</code></li>" for schema in sorted(summary.schemas))
    yield "</ul>\n<h2>Objects</h2>\n"
    if summary.objects > len(summary.rows):
        yield f"<p>The first {len(summary.rows):,} of {summary.objects:,}; all are in <code>events.jsonl</code>.</p>\n"
    yield (
        "<table><tr><th>object</th><th>type</th><th>versions</th><th>last change</th><th>recorded</th>"
        "<th>occurred</th><th>digest of the last version</th></tr>\n"
    )
    for row in summary.rows:
        event = row.last
        assert event.recorded is not None
        cells = (event.originator_id, event.object_type, row.versions, event.activity_type.removeprefix("ods:"))
        times = (to_text(event.recorded), to_text(event.occurred))
        yield (
            "<tr>"
            + "".join(f"<td><bdi>{_text(cell)}</bdi></td>" for cell in (*cells, *times))
            + f'<td class="h">{_text(event.digest)}</td></tr>\n'
        )
    yield "</table>\n</body></html>\n"


_HOW = """<h2>How to check it</h2>
<pre>python verify.py</pre>
<p>in the unpacked folder, or <code>python verify.py BUNDLE.zip</code>, with Python 3.9 or newer and nothing
installed. Take <code>verify.py</code> from a source you trust, or read it first. Give the museum's public key with
<code>--key</code>, from another source than this bundle, and the checkpoint you kept from the last audit with
<code>--checkpoint</code>. It then checks</p>
<ul><li>that the checkpoint is signed by that key, and that the ledger continues your older one;</li>
<li>the canonical bytes and the hash of every event, and the chain of hashes of every object;</li>
<li>every patch from version 1 on, with the old values it states, and the digest of every version;</li>
<li>that every event stands in the ledger's Merkle tree at the position it claims;</li>
<li>that the documents are what the events lead to, and that no file was changed since the bundle was closed.</li></ul>
<p>It cannot tell whose key it is, nor that no object of the scope was left out (a bundle of the whole ledger
shows that), nor whether what was recorded is true.</p>
<p>While it was written, every event was compared with the ledger's tree, and the tree with the checkpoint.</p>
"""


def _facts(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{_text(name)}</th><td><code>{_text(value)}</code></td></tr>\n" for name, value in rows)
    return f"<table>{cells}</table>\n"


def _text(value: object) -> str:
    """Text for the page: nothing in it is markup, and nothing unseen."""
    return escape(_UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", str(value)))
