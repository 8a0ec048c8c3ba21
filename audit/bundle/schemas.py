"""The JSON Schemas that documents name, from a folder of the museum's, for an auditor who has no copy of them.

A schema is found by its ``$id``, or by where it is published: some of openDS have another ``$id`` than the IRI by which
everybody refers to them. ``…/digital-specimen/0.4.0/event.json`` is a file of that path, as published or as in the
repository of openDS, where it is ``digital-specimen/0.4.0/schema/event.json``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin

from domain.canonical import parse
from domain.errors import RefusedInput

MAX_FILE = 1 << 20
MAX_ALL = 4 << 20
"""Bytes of schemas in a bundle; the verifier reads no more."""


class Schemas:
    """The schemas of a folder, for those that are asked for and all that they refer to."""

    def __init__(self, folder: Path) -> None:
        """Read every ``.json`` file below ``folder`` that is a schema; others, such as examples, are passed over.

        Raises :class:`RefusedInput` when there is none.
        """
        self._folder = folder
        self._schemas: dict[str, Any] = {}
        self._unreadable: list[str] = []
        for file in sorted(folder.rglob("*.json")):
            try:
                schema = _read(file)
            except RefusedInput as error:
                self._unreadable.append(f"{file} cannot be read ({error})")
                continue
            if isinstance(schema, dict) and "$schema" in schema:
                self._schemas[_published(file.as_posix())] = schema
                if isinstance(schema.get("$id"), str):
                    self._schemas[_without_fragment(schema["$id"])] = schema
        if not self._schemas:
            why = "; ".join(self._unreadable[:1]) or "give the folder of the openDS schemas"
            raise RefusedInput(f"{folder} holds no JSON Schema: {why}")

    def needed(self, wanted: set[str]) -> dict[str, Any]:
        """The schemas of these IRIs and, step by step, those they refer to; by IRI, in order.

        Raises :class:`RefusedInput` naming one that the folder lacks.
        """
        found: dict[str, Any] = {}
        waiting = [(name, "the documents name it") for name in sorted(wanted)]
        while waiting:
            name, why = waiting.pop()
            if name in found:
                continue
            schema = self._schemas.get(name, self._schemas.get(_published(name)))
            if schema is None:
                unreadable = "".join(f"; {each}" for each in self._unreadable[:3])
                raise RefusedInput(f"the schema {name} is not in {self._folder}, but {why}{unreadable}")
            found[name] = schema
            waiting += [(reference, f"{name} refers to it") for reference in _references(name, schema)]
        return dict(sorted(found.items()))


def _read(file: Path) -> Any:
    try:
        if file.stat().st_size > MAX_FILE:
            raise RefusedInput(f"larger than {MAX_FILE} bytes")
        return parse(file.read_bytes())
    except OSError as error:
        raise RefusedInput(error.strerror or str(error)) from None


def _published(path: str) -> str:
    """Kind, version and name at the end of a path or IRI, which is what both have in common."""
    return "/".join([part for part in path.split("/") if part != "schema"][-3:])


def _references(base: str, schema: Any) -> Iterator[str]:
    """Ids of other schemas in ``$ref`` at any depth."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            reference = part.get("$ref")
            if isinstance(reference, str):
                name = _without_fragment(urljoin(base, reference))
                if name != base:
                    yield name
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _without_fragment(iri: str) -> str:
    return urldefrag(iri).url
