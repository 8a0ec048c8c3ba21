"""Documents of one shape, written by filling the texts in which they differ into what they have in common.

Most objects of a collection have a history like that of many others: made by the same run, changed by another. Their
documents differ in the object's PID, and in the id, times, position, digest, source record and comment of each event.
A template is what is written of a probe, events of the same shape with random texts in these places. It is used only
after it has given, character for character, the document of the object for which it was made.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from domain.opends import object_iri
from domain.pid import ALPHABET
from projections.prov import naming
from projections.prov.naming import legible
from projections.prov.stream_event import TIME, Told, text_of

_MOST_EVENTS = 32
_MOST_KEPT = 16 * 1024 * 1024
"""Characters of templates kept at a time; what has been met once is counted as if it were one of some."""

_MET_ONCE = 256
_SMALL = 2**31  # above, a position is told with another type

_PID = re.compile(rf"([A-Za-z0-9.]+)/([{ALPHABET}]{{3}}-[{ALPHABET}]{{3}}-[{ALPHABET}]{{3}})")
_PLAIN = re.compile(
    rf"[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}(?: {TIME.pattern}){{3}} [0-9a-f]{{64}}", re.ASCII
)

Write = Callable[[Sequence[Told]], str]


class _Shape(NamedTuple):
    """What documents of one shape have in common, as ``key``; the ``texts`` in which they may differ.

    ``own`` is the object's part of the prefix of what the store names about it, ``activities`` are the prefixes of the
    activities; both are among the texts.
    """

    key: bytes
    texts: list[str]
    own: str
    activities: list[str]


class _Template(NamedTuple):
    """``parts`` with every second one to be filled by the text that ``places`` takes from the list of a shape.

    ``own`` goes before that of the shape. ``taken`` are the prefixes that documents of the shape declare for what they
    have in common.
    """

    parts: list[str]
    places: Callable[[list[str]], tuple[str, ...]]
    own: str
    taken: frozenset[str]

    def fill(self, texts: list[str]) -> str:
        """The document with these texts."""
        parts = self.parts.copy()
        parts[1::2] = self.places(texts)
        return "".join(parts)


class Templates:
    """The templates of one writer: ``write`` gives the document of any events without them.

    ``around`` are the prefixes that stand for something already.
    """

    def __init__(self, write: Write, around: Iterable[str]) -> None:
        self._write = write
        self._around = frozenset(around)
        self._known: dict[bytes, _Template | None] = {}
        self._kept = 0

    def document(self, events: Sequence[Told]) -> str | None:
        """The document of one object that was never withdrawn; None when there is no template for it.

        Events must be in order, and of one object.
        """
        shape = _shape(events)
        if shape is None:
            return None
        if shape.key not in self._known:
            self._keep(shape.key, None, _MET_ONCE)
            return None
        template = self._known[shape.key]
        if template is None:
            return self._learn(shape, events)
        prefixes = [template.own + shape.own, *shape.activities]
        free = template.taken.isdisjoint(prefixes) and self._around.isdisjoint(prefixes)
        return template.fill(shape.texts) if free else None

    def _learn(self, shape: _Shape, events: Sequence[Told]) -> str:
        """The document, with a template for the next one if there can be one."""
        document = self._write(events)
        template = self._template(events)
        if template is not None and template.fill(shape.texts) == document:
            self._keep(shape.key, template, sum(map(len, template.parts)))
        return document

    def _template(self, events: Sequence[Told]) -> _Template | None:
        probe = _probe(events)
        shape = _shape(probe)
        if shape is None:
            return None
        written = self._write(probe)
        place = {text: number for number, text in enumerate(shape.texts)}
        parts = re.split("(" + "|".join(map(re.escape, place)) + ")", written)
        places = [place[text] for text in parts[1::2]]
        first = probe[0].value
        own = naming.fragment(object_iri(first["type"], first["object"])).prefix
        if len(places) < 2 or not own.endswith(shape.own):
            return None
        declared = orjson.loads(written).get("prefix", {}).keys()
        return _Template(
            parts,
            itemgetter(*places),
            own.removesuffix(shape.own),
            frozenset(declared - {own, *shape.activities}),
        )

    def _keep(self, key: bytes, template: _Template | None, size: int) -> None:
        self._kept += size
        if self._kept > _MOST_KEPT:
            self._known.clear()
            self._kept = size
        self._known[key] = template


def _shape(events: Sequence[Told]) -> _Shape | None:
    """The shape of a document; None when it depends on its texts in other ways than by holding them."""
    first = events[0].value
    pid = _PID.fullmatch(first["object"])
    if pid is None or len(events) > _MOST_EVENTS:
        return None
    suffix = pid[2]
    own = suffix.replace("-", "_")
    common: list[Any] = [first["type"], pid[1], suffix[0].isalpha()]
    texts, activities = [suffix, own], []
    records: dict[tuple[str, str], int] = {}
    for value, position, recorded in events:
        activity, source, when = value["activity"], value.get("source"), text_of(recorded)
        id_, cause, comment = activity["id"], activity.get("cause"), activity.get("comment")
        started, ended, occurred = activity["started"], activity["ended"], value["occurred"]
        digest = value["digest"]
        if not (
            _PLAIN.fullmatch(f"{id_} {started} {ended} {occurred} {digest}")
            and position < _SMALL
            and (cause is None or "/" not in cause["id"])  # it may be about the object
        ):
            return None
        prefix = "uuid_" + id_.replace("-", "_")
        activities.append(prefix)
        texts += [id_, prefix, min(started, when), max(ended, when), occurred, when, f'"{position}"', digest]
        if comment is not None:
            texts.append(_inside(comment))
        origin = None
        if source is not None:
            system, archive, record = source["system"], source["archive"], source["record"]
            origin = system, archive, source["mapping"], records.setdefault((archive, record), len(records))
            texts += [_inside(record), naming.record_in_archive(record)]
        common.append(
            [
                value["version"],
                activity["type"],
                value["agents"],
                cause,
                origin,
                value["schema"],
                value.get("undoes"),
                comment is not None,
            ]
        )
    try:
        key = orjson.dumps(common)
    except orjson.JSONEncodeError:  # half a surrogate pair, which only the slow way replaces
        return None
    return _Shape(key, texts, own, activities)


def _inside(text: str) -> str:
    """Text as it stands in a JSON string."""
    return orjson.dumps(legible(text)).decode()[1:-1]


def _probe(events: Sequence[Told]) -> list[Told]:
    """Events of the same shape with random texts, each of which is met nowhere else."""
    prefix, _, suffix = events[0].value["object"].partition("/")
    letters = [letter for letter in ALPHABET if letter.isalpha() == suffix[0].isalpha()]
    pid = f"{prefix}/{secrets.choice(letters)}" + "".join(
        mark if mark == "-" else secrets.choice(ALPHABET) for mark in suffix[1:]
    )
    records: dict[tuple[str, str], str] = {}
    found = []
    for value, _, _ in events:
        activity, source = value["activity"], value.get("source")
        changed = {"id": str(UUID(bytes=secrets.token_bytes(16))), "started": _time(1000), "ended": _time(3000)}
        if activity.get("comment") is not None:
            changed["comment"] = secrets.token_hex(16)
        value = {
            **value,
            "object": pid,
            "activity": {**activity, **changed},
            "digest": secrets.token_hex(32),
            "occurred": _time(4000),
        }
        if source is not None:
            record = records.setdefault((source["archive"], source["record"]), f"r{secrets.token_hex(16)}")
            value["source"] = {**source, "record": record}
        found.append(Told(value, 2**30 + secrets.randbelow(2**30), datetime.fromisoformat(_time(2000))))
    return found


def _time(year: int) -> str:
    """A time in the thousand years after one."""
    moment = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=secrets.randbelow(365_000))
    return text_of(moment + timedelta(microseconds=secrets.randbelow(86_400_000_000)))
