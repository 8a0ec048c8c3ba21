"""The schemas that documents name come with a bundle when the museum has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.bundle.schemas import Schemas
from domain.errors import RefusedInput
from domain.opends import OBJECT_TYPES
from tests.audit.bundle.bundles import Museum, check, closed, members_of, pack

BASE = "https://schemas.dissco.tech/schemas/fdo-type/"
SPECIMEN = f"{BASE}digital-specimen/0.4.0/digital-specimen.json"
MEDIA = f"{BASE}digital-media/0.5.0/digital-media.json"
SOURCE = f"{BASE}source-system/0.4.0/source-system.json"
DRAFT = "https://json-schema.org/draft/2020-12/schema"

Put = Callable[..., None]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes a schema to a path below the folder."""

    def write(path: str, **schema: Any) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"$schema": DRAFT, **schema}))

    return write


def test_a_schema_comes_with_all_that_it_refers_to(put: Put, tmp_path: Path) -> None:
    put("digital-specimen/0.4.0/schema/digital-specimen.json", properties={"a": {"items": [{"$ref": "event.json#/x"}]}})
    put("digital-specimen/0.4.0/schema/event.json", anyOf=[{"$ref": "#/$defs/a"}, {"$ref": "urn:example:agent"}])
    put("anywhere.json", **{"$id": "urn:example:agent", "$ref": SPECIMEN})
    put("digital-media/0.5.0/digital-media.json")
    (tmp_path / "example.json").write_text('{"a": 1}')
    (tmp_path / "broken.json").write_text("{")
    found = Schemas(tmp_path).needed({SPECIMEN})
    assert list(found) == [SPECIMEN, SPECIMEN.replace("digital-specimen.json", "event.json"), "urn:example:agent"]
    assert found["urn:example:agent"]["$ref"] == SPECIMEN


def test_what_is_missing_is_told_with_what_could_not_be_read(put: Put, tmp_path: Path) -> None:
    with pytest.raises(RefusedInput, match="holds no JSON Schema: give the folder"):
        Schemas(tmp_path)
    (tmp_path / "broken.json").write_text('{"a": 1, "a": 2}')
    with pytest.raises(RefusedInput, match=r"holds no JSON Schema: .*broken\.json cannot be read \(.*twice"):
        Schemas(tmp_path)
    put("digital-specimen/0.4.0/digital-specimen.json", **{"$ref": "event.json"})
    (tmp_path / "large.json").write_bytes(b" " * (2 << 20))
    with pytest.raises(
        RefusedInput, match=r"0\.4\.0/event\.json is not in .*refers to it; .*broken.*; .*large.*larger"
    ):
        Schemas(tmp_path).needed({SPECIMEN})
    with pytest.raises(RefusedInput, match=r"digital-media\.json is not in .*, but the documents name it"):
        Schemas(tmp_path).needed({MEDIA})


def test_the_bundle_has_them_and_the_verifier_looks(museum: Museum, put: Put, tmp_path: Path) -> None:
    put("digital-specimen/0.4.0/digital-specimen.json", title="a specimen")
    with pytest.raises(RefusedInput, match="but the documents name it"):
        museum.bundle(schemas=Schemas(tmp_path))
    without = check(museum.bundle().path)
    assert without.status == 0
    assert "made without them" in without.unknown
    for kind in OBJECT_TYPES.values():
        put(kind.schema.removeprefix(BASE), title="a thing")
    made = museum.bundle(schemas=Schemas(tmp_path))
    members = members_of(made.path)
    assert json.loads(members["schemas.json"])[SPECIMEN]["title"] == "a thing"
    verdict = check(made.path)
    assert verdict.status == 0
    assert "schemas.json has them" in verdict.unknown
    cases = ((b"{}", f"schemas.json lacks {BASE}data-mapping/"), (b"[]", "schemas.json is no JSON object"))
    for content, expected in cases:
        changed = pack(closed({**members, "schemas.json": content}), tmp_path / "changed.zip")
        assert expected in check(changed).faults
    changed = pack({**members, "schemas.json": members["schemas.json"].replace(b"a thing", b"forgery")}, changed)
    assert "schemas.json is not the file" in check(changed).faults


def test_the_real_ones_are_found_whatever_they_call_themselves(shared: Path) -> None:
    found = Schemas(shared / "dissco" / "opends").needed({SPECIMEN, MEDIA, SOURCE})
    assert {SPECIMEN, MEDIA, f"{BASE}shared-model/0.4.0/entity-relationship.json"} <= set(found)
    assert "emtity" in found[f"{BASE}shared-model/0.4.0/entity-relationship.json"]["$id"]
