"""An export is one document in every format, and the same bytes however often its writing was interrupted."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import prov
import pytest
import zstandard
from jsonschema.validators import validator_for
from prov.model import ProvActivity, ProvDocument, ProvEntity, ProvGeneration, ProvMembership

from domain.errors import RefusedInput
from domain.query import Query
from domain.times import now
from projections.engine import catch_up
from projections.prov.check import check, reading
from projections.prov.document import prov_document
from projections.prov.export import compression, pieces, shapes, unfinished
from projections.prov.export.collection import Exporter
from projections.prov.export.export import Exported, Request, export_to_file, export_to_stream
from projections.prov.formats import FORMATS
from projections.prov.runs import Run
from projections.prov.scopes import KnownRuns, Scope
from projections.prov.validity import Validity
from store.ledger import Axis, Ledger
from tests.projections.prov_histories import PID
from tests.projections.prov_stream.conftest import ORGANISATION, Museum
from tests.synchronisation.sync_support import curate

# rdflib's own TriG writer and parser call what rdflib has deprecated; nothing of ours does.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:(Dataset\.\w+|ConjunctiveGraph) is deprecated:DeprecationWarning:rdflib"
)

EXPORTER = Exporter("urn:x-provenarium:software:test", ORGANISATION)
SCHEMA = json.loads((Path(prov.__file__).parent / "tests" / "schemas" / "prov-json.schema.json").read_text())


class Stopped(Exception):
    """Stands for whatever ends a process."""


def exported(ledger: Ledger, scope: Scope, format_name: str = "json", compress: str | None = None) -> bytes:
    """The whole export."""
    blocks: list[bytes] = []
    export_to_stream(ledger, Request(scope, format_name, EXPORTER, compress), blocks.append)
    return b"".join(blocks)


def read(content: bytes, format_name: str = "json") -> ProvDocument:
    chosen = FORMATS[format_name]
    document = ProvDocument.deserialize(content=content, format=chosen.writer, **chosen.options)
    assert isinstance(document, ProvDocument)
    return document


def known(museum: Museum) -> dict[str, Run]:
    runs = KnownRuns(museum.ledger, now())
    return {run: found for run in museum.runs if (found := runs.get(run)) is not None}


def test_each_bundle_is_the_document_of_its_object_and_the_top_level_tells_of_all(museum: Museum) -> None:
    scope = Scope(source=museum.source)
    content = exported(museum.ledger, scope)
    document = read(content)
    assert not list(validator_for(SCHEMA)(SCHEMA).iter_errors(json.loads(content)))
    documents = [
        prov_document(events, names=museum.ledger.names_in(events), runs=known(museum))
        for events in museum.histories().values()
        if events[0].object_type not in ("ods:SourceSystem", "ods:DataMapping")
    ]
    bundles = list(document.bundles)
    assert len(bundles) == len(documents) > 5
    told = [set(bundle.get_records()) for bundle in bundles]
    assert all(set(each.get_records()) in told for each in documents)

    names = {bundle.identifier for bundle in bundles}
    entities = {record.identifier for record in document.get_records(ProvEntity)}
    generated = {record.args[0] for record in document.get_records(ProvGeneration)}
    members = {record.args[1] for record in document.get_records(ProvMembership)}
    assert members == names
    (collection,) = entities - names
    assert generated == names | {collection}
    types = {str(value) for record in document.get_records(ProvActivity) for value in record.get_asserted_types()}
    assert types == {"ods:ProvenanceExport", "ods:Synchronisation", "ods:Reversal"}


def test_every_scope_is_valid_provenance_by_the_checker(museum: Museum) -> None:
    late = museum.events[-9]
    for scope in (
        Scope(source=museum.source),
        Scope(agent=ORGANISATION),
        *(Scope(run=run) for run in museum.runs),
        Scope(since=late.recorded),
        Scope(until=late.recorded),
        Scope(since=late.occurred, until=museum.events[-1].occurred, axis=Axis.OCCURRED),
        Scope(object_type="ods:DigitalMedia"),
        Scope(query=Query.parse(["dwc:organismName=Sue", "dwc:basisOfRecord=Fossil*"])),
    ):
        document = read(exported(museum.ledger, scope))
        assert check(document) == []
        assert list(document.bundles)


@pytest.mark.parametrize("format_name", ["provn", "trig", "xml", "jsonld"])
def test_every_format_holds_the_same_document(museum: Museum, format_name: str) -> None:
    for scope in (Scope(source=museum.source), Scope(run=museum.runs[2])):
        back = read(exported(museum.ledger, scope, format_name), format_name)
        assert back == read(exported(museum.ledger, scope))
        assert len(list(back.bundles)) > 1


@pytest.mark.parametrize("compress", [None, "gzip", "zstd"])
@pytest.mark.parametrize("format_name", list(shapes.SHAPES))
def test_prov_check_reads_what_prov_export_writes(
    museum: Museum, tmp_path: Path, format_name: str, compress: str | None
) -> None:
    path = tmp_path / f"export.{format_name}"
    export_to_file(museum.ledger, Request(Scope(source=museum.source), format_name, EXPORTER, compress), path)
    document = reading.read(path)
    assert check(document) == []
    whole = read(exported(museum.ledger, Scope(source=museum.source)))
    if format_name == "jsonl":  # which has no top level
        assert set(document.get_records()) == {record for bundle in whole.bundles for record in bundle.get_records()}
    else:
        assert document == whole


def test_each_line_of_json_lines_is_a_document_of_its_own(museum: Museum) -> None:
    scope = Scope(run=museum.runs[2])
    lines = exported(museum.ledger, scope, "jsonl").splitlines()
    histories = museum.histories()
    for line in lines:
        document = read(line)
        assert not list(document.bundles)
        whole = histories[next(iter(json.loads(line)["entity"].values()))["dcterms:identifier"]["$"][-len(PID) :]]
        chosen = [event for event in whole if event.activity.cause and event.activity.cause.id == museum.runs[2]]
        validity = Validity.of((event.originator_version, event.activity_type) for event in whole)
        names = museum.ledger.names_in(chosen)
        assert document == prov_document(chosen, names=names, runs=known(museum), validity=validity)
    assert len(lines) == len(list(read(exported(museum.ledger, scope)).bundles))


def test_a_scope_without_versions_is_a_document_without_bundles(museum: Museum) -> None:
    nothing = Scope(agent="https://example.org/nobody")
    for format_name in ("json", "provn", "trig", "xml", "jsonld"):
        document = read(exported(museum.ledger, nothing, format_name), format_name)
        assert not list(document.bundles)
        assert len(list(document.get_records(ProvEntity))) == 1
    assert exported(museum.ledger, nothing, "jsonl") == b""
    assert gzip.decompress(exported(museum.ledger, nothing, "jsonl", "gzip")) == b""


def test_formats_held_in_memory_are_refused_above_a_limit(
    museum: Museum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "MOST_VERSIONS_CONVERTED", 3)
    for format_name in ("xml", "jsonld"):
        request = Request(Scope(source=museum.source), format_name, EXPORTER)
        with pytest.raises(RefusedInput, match="choose json, jsonl, provn or trig"):
            export_to_file(museum.ledger, request, tmp_path / "export")
    assert list(tmp_path.iterdir()) == []


def test_another_format_or_compression_is_refused() -> None:
    with pytest.raises(RefusedInput, match="turtle"):
        Request(Scope(), "turtle", EXPORTER)
    with pytest.raises(RefusedInput, match="lzma"):
        Request(Scope(), "json", EXPORTER, "lzma")


# --- files that are gone on with ------------------------------------------------------------------------------------


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks in a small export, each of them recorded."""
    monkeypatch.setattr(compression, "BLOCK", 5000)
    monkeypatch.setattr(pieces, "CHUNK", 1)
    monkeypatch.setattr(unfinished, "SAVED_EVERY", 0)


def stopping_after(blocks: int) -> Callable[[int, int], None]:
    left = [blocks]

    def progress(_done: int, _total: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Stopped

    return progress


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("format_name", "compress"),
    [("json", None), ("json", "gzip"), ("jsonl", "zstd"), ("provn", None), ("trig", "zstd"), ("xml", "gzip")],
)
def test_an_interrupted_file_ends_up_as_an_uninterrupted_one(
    museum: Museum, tmp_path: Path, format_name: str, compress: str | None
) -> None:
    request = Request(Scope(source=museum.source), format_name, EXPORTER, compress)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    export_to_file(museum.ledger, request, whole)
    interruptions = 0
    while True:
        try:
            found = export_to_file(museum.ledger, request, broken, stopping_after(2))
            break
        except Stopped:
            interruptions += 1
            assert not broken.exists()
    assert interruptions > 2 or format_name == "xml"
    assert found.resumed == (format_name != "xml")
    assert found.size == broken.stat().st_size
    assert broken.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "whole"]


@pytest.mark.usefixtures("small_blocks")
def test_what_was_written_and_not_recorded_is_written_again(museum: Museum, tmp_path: Path) -> None:
    request = Request(Scope(source=museum.source), "jsonl", EXPORTER)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    export_to_file(museum.ledger, request, whole)
    with pytest.raises(Stopped):
        export_to_file(museum.ledger, request, broken, stopping_after(3))
    with (tmp_path / "broken.part").open("ab") as stream:
        stream.write(b"half a line that the state knows nothing of")
    assert export_to_file(museum.ledger, request, broken).resumed
    assert broken.read_bytes() == whole.read_bytes()


@pytest.mark.usefixtures("small_blocks")
def test_it_goes_on_up_to_the_position_it_began_with_unless_it_shall_begin_anew(
    own_museum: Museum, tmp_path: Path
) -> None:
    request = Request(Scope(source=own_museum.source), "json", EXPORTER)
    whole, broken, later = tmp_path / "whole", tmp_path / "broken", tmp_path / "later"
    before = export_to_file(own_museum.ledger, request, whole)
    for target in (broken, later):
        with pytest.raises(Stopped):
            export_to_file(own_museum.ledger, request, target, stopping_after(2))
    curate(own_museum.ledger, "YPM 1980").set("/dwc:preparations", "dry again")
    catch_up(own_museum.ledger)
    assert export_to_file(own_museum.ledger, request, broken) == replace(before, resumed=True)
    assert broken.read_bytes() == whole.read_bytes()
    anew = export_to_file(own_museum.ledger, request, later, anew=True)
    assert (anew.versions, anew.position, anew.resumed) == (before.versions + 1, before.position + 1, False)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("damage", ["another request", "no list", "torn state", "short file"])
def test_what_cannot_be_gone_on_with_is_begun_anew(museum: Museum, tmp_path: Path, damage: str) -> None:
    request = Request(Scope(source=museum.source), "jsonl", EXPORTER)
    target, state = tmp_path / "export", tmp_path / "export.part.state"
    with pytest.raises(Stopped):
        export_to_file(museum.ledger, request, target, stopping_after(3))
    if damage == "another request":
        request = replace(request, scope=Scope(source=museum.source, key_prefix="YPM"))
    elif damage == "no list":
        (tmp_path / "export.part.list").unlink()
    elif damage == "torn state":
        state.write_bytes(state.read_bytes()[:-9])
    else:
        (tmp_path / "export.part").write_bytes(b"")
    assert not export_to_file(museum.ledger, request, target).resumed
    assert target.read_bytes() == exported(museum.ledger, request.scope, "jsonl")


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_compressed_blocks_read_as_one_file(museum: Museum, compress: str) -> None:
    scope = Scope(source=museum.source)
    packed = exported(museum.ledger, scope, "jsonl", compress)
    if compress == "gzip":
        content = gzip.decompress(packed)
    else:
        reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed), read_across_frames=True)
        content = reader.read()
    assert content == exported(museum.ledger, scope, "jsonl")


@pytest.mark.usefixtures("small_blocks")
def test_two_exports_do_not_write_the_same_file(museum: Museum, tmp_path: Path) -> None:
    request = Request(Scope(source=museum.source), "jsonl", EXPORTER)
    refusals: list[str] = []

    def meanwhile(_done: int, _total: int) -> None:
        if not refusals:
            with pytest.raises(RefusedInput, match="another export") as refused:
                export_to_file(museum.ledger, request, tmp_path / "export")
            refusals.append(str(refused.value))

    export_to_file(museum.ledger, request, tmp_path / "export", meanwhile)
    assert len(refusals) == 1


def test_a_link_stays_a_link_and_permissions_stay(museum: Museum, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    request = Request(Scope(run=museum.runs[0]), "jsonl", EXPORTER)
    assert isinstance(export_to_file(museum.ledger, request, link), Exported)
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.read_bytes() == exported(museum.ledger, request.scope, "jsonl")


def test_a_place_that_cannot_be_written_is_named(museum: Museum, tmp_path: Path) -> None:
    request = Request(Scope(run=museum.runs[0]), "jsonl", EXPORTER)
    with pytest.raises(RefusedInput, match="cannot write"):
        export_to_file(museum.ledger, request, tmp_path / "missing" / "export")
