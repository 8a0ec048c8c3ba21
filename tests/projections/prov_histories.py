"""Events and histories for the tests of PROV documents: examples of a museum, and random ones with all that is odd."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st

from domain.agents import Agent, AgentKind, Role, person
from domain.events import (
    Activity,
    Cause,
    Created,
    DigitalObjectEvent,
    Restored,
    Source,
    Tombstoned,
    Updated,
)
from projections.prov.runs import Run, run_id
from projections.prov.validity import Validity

PID = "TEST/ABC-DEF-GHJ"
OBJECT = "https://doi.org/TEST/ABC-DEF-GHJ"
START = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)
ORCID = "https://orcid.org/0000-0002-1825-0097"
ROR = "https://ror.org/0566bfb96"
SYSTEM = "https://hdl.handle.net/TEST/57Z-6PC-64W"
RUN = "0190a3b1-7c0e-7d11-8c1a-0123456789ab"
SCHEMA = "https://schemas.dissco.tech/schemas/fdo-type/digital-specimen/0.4.0/digital-specimen.json"
ARCHIVE = "ab" * 32

CURATOR = person(ORCID)
MUSEUM = Agent(ROR, AgentKind.ORGANISATION, Role.REQUESTOR)
SYNC = Agent(SYSTEM, AgentKind.SOFTWARE, Role.GENERATOR, ROR)


def event(
    kind: type[DigitalObjectEvent],
    version: int,
    agents: tuple[Agent, ...] = (CURATOR,),
    *,
    comment: str | None = None,
    cause: Cause | None = None,
    source: Source | None = None,
    undoes: int | None = None,
    pid: str = PID,
    object_type: str = "ods:DigitalSpecimen",
) -> DigitalObjectEvent:
    """A recorded event."""
    at = START + timedelta(days=version)
    return kind(
        originator_id=pid,
        originator_version=version,
        object_type=object_type,
        activity=Activity(UUID(int=version), at, at + timedelta(seconds=2), comment, cause),
        agents=agents,
        patch=[{"op": "add", "path": "", "value": {}}],
        digest=f"{version:064x}",
        schema=SCHEMA,
        occurred=at - timedelta(hours=1),
        source=source,
        undoes=undoes,
        position=40 + version,
        recorded=at + timedelta(seconds=1),
    )


def source(archive: str = ARCHIVE, record: str = "RMNH.1/2", mapping: str = "dwca-specimen 1.2") -> Source:
    """A record of an archive."""
    return Source("TEST/57Z-6PC-64W", archive, record, mapping)


any_text = st.text(st.characters(exclude_categories=()), max_size=12)
nasty_text = st.sampled_from(
    [
        "",
        " ",
        '"""',
        "a\r\nb\rc\n",
        "\\",
        "'",
        "prov:Plan",
        "<&]]>",
        "\x00\x1f\x85\u2028\ufffe",
        "\ud800",
        "-",
        "@en",
        "%%",
    ]
)
texts = any_text | nasty_text
iri_tails = st.text(
    st.characters(exclude_categories=("Cs", "Cn"), exclude_characters='<>"{}|\\^`'),
    min_size=1,
    max_size=8,
).filter(lambda tail: re.fullmatch(r"\S+", tail) is not None)
iris = st.sampled_from(
    [
        ORCID,
        ROR,
        SYSTEM,
        OBJECT,
        "https://orcid.org/0000-0001-5109-369X",
        "https://bob.example/profile#me",
        "https://bob.example/profile#this",
        "https://bob.example/profile",
        "mailto:bob@example.org",
        "urn:agent:label",
        "geo:52.16,4.47",
        "prov:Person",
        "https://ror.org/bare",
        f"https://doi.org/{PID}#v1",
        "http://[::1]/x",
        "HTTP://-https:x",
    ]
) | st.builds(
    "{}{}".format,
    st.sampled_from(
        [
            "urn:x:",
            "https://example.org/",
            "https://orcid.org/",
            "http://",
            "http://example.org:",
            "URN://a",
        ]
    ),
    iri_tails,
)
agents = st.builds(
    Agent,
    iris,
    st.sampled_from(AgentKind),
    st.sampled_from(Role),
    on_behalf_of=st.none() | iris,
)
pids = st.sampled_from([PID, "TEST/7WZ-S4C-HHJ", "10.3535/123-456-789", "20.5000.1025/A1B-2C3-D4E"])
object_types = st.sampled_from(["ods:DigitalSpecimen", "ods:DigitalMedia", "ods:Annotation", "ods:Odd/Type"])
digests = st.sampled_from(["ab" * 32, "0123456789abcdef" * 4])
mappings = texts | st.sampled_from(["dwca-specimen 1.2", "TEST/MAP-P1N-G22/3", "TEST/MAP-P1N-G22"])
causes = st.builds(
    Cause,
    st.sampled_from(["run", "revert", "annotation", "edit", "undo", "version"]),
    st.uuids().map(str)
    | texts
    | iris
    | st.builds("{}/{}".format, pids, st.integers(1, 4))
    | st.sampled_from(
        [
            PID,
            "prov:0",
            "TEST/ANN-XTA-T1N/2",
            "https://hdl.handle.net/TEST/ANN-XTA-T1N",
            str(UUID(int=1)),
        ]
    ),
)
sources = st.builds(
    Source,
    st.sampled_from(["TEST/57Z-6PC-64W", SYSTEM]) | texts,
    digests,
    texts,
    mappings,
)
hours = st.integers(-100, 100).map(lambda count: timedelta(hours=count, microseconds=count))


@st.composite
def histories(draw: st.DrawFn) -> list[DigitalObjectEvent]:
    """The whole history of one object."""
    pid, object_type = draw(pids), draw(object_types)
    events: list[DigitalObjectEvent] = []
    withdrawn, recorded, position = False, START, 0
    ids = draw(st.lists(st.uuids() | st.just(UUID(int=1)), min_size=1, max_size=6, unique=True))
    for version, id_ in enumerate(ids, 1):
        if version == 1:
            kind: type[DigitalObjectEvent] = Created
        elif withdrawn:
            kind = Restored
        else:
            kind = draw(st.sampled_from([Updated, Updated, Tombstoned]))
        withdrawn = kind is Tombstoned
        recorded += timedelta(microseconds=draw(st.integers(0, 3)))
        position += draw(st.integers(1, 2**34))
        undoes = draw(st.none() | st.integers(1, version - 1)) if version > 1 else None
        activity = Activity(
            id_,
            recorded + draw(hours),
            recorded + draw(hours),
            draw(st.none() | texts),
            draw(st.none() | causes),
        )
        events.append(
            kind(
                originator_id=pid,
                originator_version=version,
                object_type=object_type,
                activity=activity,
                agents=tuple(draw(st.lists(agents, min_size=1, max_size=3))),
                patch=[],
                digest=f"{version:064x}",
                schema=draw(st.just(SCHEMA) | texts),
                occurred=recorded + draw(hours),
                source=draw(st.none() | sources),
                undoes=undoes,
                position=position,
                recorded=recorded,
            )
        )
    return events


registers = st.dictionaries(st.sampled_from([ORCID, ROR]), texts, max_size=2)


@st.composite
def known_runs(draw: st.DrawFn, events: list[DigitalObjectEvent]) -> dict[str, Run]:
    """Some of the runs that caused these events, as the table of runs knows them."""
    known: dict[str, Run] = {}
    told = {str(event.activity.id) for event in events}
    for event in events:
        cause = event.activity.cause
        if cause is None or cause.kind not in ("run", "revert") or run_id(cause.id) in told or draw(st.booleans()):
            continue
        kind = draw(st.sampled_from(["sync", "revert"]))
        reverts = draw(st.sampled_from([RUN, str(UUID(int=77))])) if kind == "revert" else None
        started = START + draw(hours)
        finished = draw(st.none() | st.just(started + draw(hours)))
        known[run_id(cause.id)] = Run(run_id(cause.id), kind, started, finished, reverts)
    return known


@st.composite
def parts(draw: st.DrawFn) -> tuple[list[DigitalObjectEvent], Validity]:
    """Some versions of an object, and when it was valid."""
    events = draw(histories())
    validity = Validity.of((event.originator_version, event.activity_type) for event in events)
    return draw(st.lists(st.sampled_from(events), min_size=1, unique_by=id).map(in_order)), validity


def in_order(events: list[DigitalObjectEvent]) -> list[DigitalObjectEvent]:
    """Events by version."""
    return sorted(events, key=lambda event: event.originator_version)
