"""One museum for all tests of bundles: the sample archives, one after another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from audit.bundle.schemas import Schemas
from domain.opends import OBJECT_TYPES
from sources.synchronisation.candidates import open_source
from sources.synchronisation.synchronise import Options, synchronise
from store.ledger import Ledger
from store.settings import Settings
from tests.audit.bundle.bundles import Members, Museum, members_of, signed
from tests.conftest import SAMPLES
from tests.databases import Databases


@pytest.fixture(scope="session")
def museum(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Museum]:
    """The famous specimens in three states, with a checkpoint after each."""
    folder = tmp_path_factory.mktemp("bundles")
    conninfo = databases.make()
    settings = Settings(conninfo, folder, databases.ledger)
    with Ledger.open(settings) as ledger:
        found = Museum(ledger, folder)
        for year in ("2010", "2015", "2024"):
            file = open_source(SAMPLES / year)
            synchronise(ledger, file, Options(source="famous", tombstone_missing=True))
            file.close()
            found.notes.append(signed(ledger))
        yield found
    databases.drop(conninfo)


@pytest.fixture(scope="session")
def whole(museum: Museum) -> Members:
    """The members of a bundle of the whole ledger, with every file that there can be."""
    folder = museum.folder / "schemas"
    for kind in OBJECT_TYPES.values():
        file = folder.joinpath(*kind.schema.split("/")[-3:])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('{"$schema": "https://json-schema.org/draft/2020-12/schema"}')
    return members_of(museum.bundle(since_checkpoint=museum.notes[0], schemas=Schemas(folder)).path)
