"""For every sample and every real archive: each PROV format is valid by its schema and the checker, and reads back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import prov
import pytest
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from lxml import etree

from projections.engine import catch_up
from projections.prov.check import check
from projections.prov.check import read as read_prov
from projections.prov.document import prov_document
from projections.prov.export.collection import Exporter
from projections.prov.export.export import Request, export_to_file
from projections.prov.formats import FORMATS, serialize
from projections.prov.scopes import Scope
from sources.synchronisation.revert import revert
from sources.synchronisation.source_system import SOFTWARE
from store.ledger import Ledger
from tests.conftest import SAMPLES
from tests.synchronisation.sync_support import sync

# rdflib's own TriG writer and parser call what rdflib has deprecated; nothing of ours does.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:(Dataset\.\w+|ConjunctiveGraph) is deprecated:DeprecationWarning:rdflib"
)

EVERYTHING = Scope()
SCHEMAS = Path(prov.__file__).parent / "tests" / "schemas"


def is_valid_by_its_schema(content: bytes, format_name: str) -> bool:
    """By the schemas that the ``prov`` package carries; PROV-N and TriG have none, and are only read."""
    if format_name == "xml":
        schema = etree.XMLSchema(etree.parse(SCHEMAS / "prov.xsd"))
        return bool(schema.validate(etree.fromstring(content)))
    if format_name in ("json", "jsonld"):
        name = "prov-json.schema.json" if format_name == "json" else "prov-jsonld.schema.json"
        schema = json.loads((SCHEMAS / name).read_text())
        validator = validator_for(schema, default=Draft202012Validator)(schema)
        return next(validator.iter_errors(json.loads(content)), None) is None
    return True


def objects(ledger: Ledger, most: int) -> Iterator[str]:
    """The objects with the longest histories first, up to so many."""
    with ledger.connection() as connection:
        rows = connection.execute("SELECT pid FROM objects ORDER BY version DESC, pid LIMIT %s", (most,)).fetchall()
    return (row["pid"] for row in rows)


def assert_every_format_is_valid(ledger: Ledger, folder: Path, most: int = 1000, scope: Scope = EVERYTHING) -> None:
    catch_up(ledger)
    for pid in objects(ledger, most):
        events = ledger.history(pid)
        document = prov_document(events, names=ledger.names_in(events))
        for name, format_ in FORMATS.items():
            content = serialize(document, name)
            assert is_valid_by_its_schema(content, name), (pid, name)
            file = folder / f"document{format_.suffix}"
            file.write_bytes(content)
            found = read_prov(file, name)
            assert found == document, (pid, name)
            assert check(found) == [], (pid, name)
    assert_one_document_of_all_is_valid(ledger, folder, scope)


def assert_one_document_of_all_is_valid(ledger: Ledger, folder: Path, scope: Scope) -> None:
    """What is told in one scope must agree: an activity that two objects share has one beginning and one end."""
    file = folder / "everything.jsonl"
    export_to_file(ledger, Request(scope, "jsonl", Exporter(SOFTWARE)), file)
    found = read_prov(file)
    assert check(found) == []
    found.unified()


def test_the_samples_in_three_states_and_undone(ledger: Ledger, tmp_path: Path) -> None:
    for year in ("2010", "2015", "2024"):
        run = sync(ledger, SAMPLES / year, tombstone_missing=True).run
    revert(ledger, run)
    assert_every_format_is_valid(ledger, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "dwca-naturalis-ac-media.zip",
        "dwca-lux-associated-media.zip",
        "dwca-only-occurrences.zip",
        "dwca-invalid-ac-media.zip",
    ],
)
def test_the_archives_of_museums(ledger: Ledger, tmp_path: Path, shared: Path, name: str) -> None:
    sync(ledger, shared / "dissco" / "dwca" / name)
    assert_every_format_is_valid(ledger, tmp_path)


@pytest.mark.slow
def test_a_dataset_in_three_states(ledger: Ledger, tmp_path: Path, shared: Path) -> None:
    runs = [
        sync(ledger, shared / "rato" / f"rato-{number}.zip", tombstone_missing=True).run
        for number in ("05", "07", "10")
    ]
    # 25 of the 3,813, which all have their like among these; and the last run, since the whole takes some minutes.
    assert_every_format_is_valid(ledger, tmp_path, most=25, scope=Scope(run=str(runs[-1])))


def test_real_opends_documents(ledger: Ledger, tmp_path: Path, shared: Path) -> None:
    sync(ledger, shared / "dissco" / "real-api-response" / "digital-specimen-search-page.json")
    assert_every_format_is_valid(ledger, tmp_path)
