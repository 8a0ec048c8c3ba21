"""The bundle as a research object: RO-Crate 1.1 metadata with the terms of the Process Run Crate profile.

The profile fits (software acted on files); Provenance Run Crate proper does not, for it wants the steps of a formal
workflow, which a synchronisation is not. Full provenance is the PROV beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from audit.bundle.archive import Written
from audit.bundle.summary import Summary
from sources.synchronisation.source_system import SOFTWARE, SOFTWARE_NAME

NAME = "ro-crate-metadata.json"
RO_CRATE = "https://w3id.org/ro/crate/1.1"
PROCESS_RUN = "https://w3id.org/ro/wfrun/process/0.5"

DESCRIPTIONS: dict[str, tuple[str, str]] = {
    "README.txt": ("text/plain", "How to check this bundle"),
    "verify.py": ("text/x-python", "Checks this bundle offline with Python's standard library"),
    "checkpoint": ("text/plain", "Signed checkpoint of the ledger (C2SP tlog-checkpoint)"),
    "checkpoint.since": ("text/plain", "The auditor's earlier checkpoint, which the ledger continues"),
    "consistency.proof": ("text/plain", "RFC 9162 consistency proof from the earlier checkpoint, base64 lines"),
    "keys.json": ("application/json", "Public keys of the ledger (C2SP verifier keys)"),
    "events.jsonl": ("application/jsonl", "Every event of every object in the scope, canonical JSON (RFC 8785)"),
    "documents.jsonl": (
        "application/jsonl",
        "The last version of each object: its openDS content, or the digest of it",
    ),
    "schemas.json": ("application/json", "The JSON Schemas that documents name, by IRI, as the museum has them"),
    "prov.jsonl": ("application/jsonl", "W3C PROV-JSON, one document an object"),
    "inclusion.proof": ("text/plain", "RFC 6962 tree hashes between the events, base64 lines"),
    "bundle.json": ("application/json", "Scope, counts and schemas"),
    "report.html": ("text/html", "The same for people"),
}


def crate(
    title: str, written: Sequence[Written], summary: Summary, began: datetime, ended: datetime
) -> Iterator[bytes]:
    """The metadata file, given the members before it, in parts."""
    graph = [
        {
            "@id": NAME,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": RO_CRATE},
        },
        _root(title, written, summary, ended),
        {
            "@id": PROCESS_RUN,
            "@type": "CreativeWork",
            "name": "Process Run Crate",
            "version": "0.5",
        },
        {
            "@id": "#rights",
            "@type": "CreativeWork",
            "name": "As each record states",
            "description": "Documents name their licence by their own terms, such as dcterms:license.",
        },
        {
            "@id": SOFTWARE,
            "@type": "SoftwareApplication",
            "name": SOFTWARE_NAME,
            "version": SOFTWARE.rpartition(":")[2],
        },
        {
            "@id": "#bundling",
            "@type": "CreateAction",
            "name": "Writing of this audit bundle",
            "description": f"{summary.events} events of {summary.objects} objects, with the proof of them.",
            "instrument": {"@id": SOFTWARE},
            "result": [{"@id": each.name} for each in written],
            "startTime": _time(began),
            "endTime": _time(ended),
        },
        *(
            {"@id": schema, "@type": "CreativeWork", "name": "Schema of the documents"}
            for schema in sorted(summary.schemas)
        ),
        *map(_file, written),
        *_runs(summary),
    ]
    context = [f"{RO_CRATE}/context", {"sha256": "https://schema.org/sha256"}]
    yield json.dumps({"@context": context, "@graph": graph}, indent=1, ensure_ascii=False).encode() + b"\n"


def _root(title: str, written: Sequence[Written], summary: Summary, made: datetime) -> dict[str, Any]:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "description": f"{summary.events} events of {summary.objects} digital objects with the proof that they are "
        "those of the ledger, for an auditor to check offline. Start with README.txt.",
        "datePublished": _time(made),
        "license": {"@id": "#rights"},
        "conformsTo": {"@id": PROCESS_RUN},
        "hasPart": [{"@id": each.name} for each in written],
        "mentions": [{"@id": "#bundling"}, *({"@id": _run_id(run)} for run in summary.runs)],
    }


def _file(member: Written) -> dict[str, Any]:
    media_type, description = DESCRIPTIONS[member.name]
    return {
        "@id": member.name,
        "@type": "File",
        "name": description,
        "encodingFormat": media_type,
        "contentSize": str(member.size),
        "sha256": member.digest,
    }


def _runs(summary: Summary) -> Iterator[dict[str, Any]]:
    """Each synchronisation run that events came from, as an action on its archive by its mapping."""
    described: set[str] = set()
    for run, what in summary.runs.items():
        archive, mapping = f"urn:sha256:{what.archive}", f"urn:x-provenarium:mapping:{what.mapping}"
        yield {
            "@id": _run_id(run),
            "@type": "CreateAction",
            "name": f"Synchronisation with source system {what.system}",
            "description": f"{what.events} events of this bundle come from it.",
            "instrument": {"@id": mapping},
            "object": {"@id": archive},
            "result": {"@id": "events.jsonl"},
            "startTime": _time(what.began),
            "endTime": _time(what.ended),
        }
        if mapping not in described:
            name, _, version = what.mapping.partition("/")
            yield {"@id": mapping, "@type": "SoftwareApplication", "name": name, "version": version}
        if archive not in described:
            yield {"@id": archive, "@type": "CreativeWork", "name": "Source archive", "sha256": what.archive}
        described |= {mapping, archive}


def _time(moment: datetime) -> str:
    """ISO 8601 in UTC to the millisecond, which is what validators of crates read."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _run_id(run: str) -> str:
    return f"urn:uuid:{run}"
