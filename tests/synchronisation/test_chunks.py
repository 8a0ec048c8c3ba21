"""How many records are worked on at a time: fewer the larger they are, so that memory does not grow with them."""

from __future__ import annotations

from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from sources.records import Malformed
from sources.synchronisation.candidates import USUAL_ROWS, Unread, open_source
from sources.synchronisation.chunk import in_chunks
from tests.synchronisation.sync_support import SPECIMEN, Specimen, picture, write_archive

_items = st.lists(
    st.builds(Unread, st.just("p"), st.just("i"), st.just(b""), st.none(), weight=st.integers(1, 30))
    | st.just(Malformed("p", "r"))
)


def weights(path: Path) -> list[int]:
    file = open_source(path)
    try:
        return [item.weight for item in file.records() if isinstance(item, Unread)]
    finally:
        file.close()


def test_a_record_of_an_archive_weighs_what_all_of_its_text_weighs(tmp_path: Path) -> None:
    one = Specimen("urn:a")
    usual = one.but(occurrenceRemarks="x" * 2000, verbatimLabel="y" * 2000)
    core = one.but(occurrenceRemarks="x" * 20 * USUAL_ROWS)
    row = Specimen("urn:b", media=(picture("b", title="x" * 20 * USUAL_ROWS),))
    rows = Specimen("urn:c", media=tuple(picture(f"c{number}") for number in range(100)))
    records = [usual, core, row, rows]
    path = write_archive(
        tmp_path / "a", [Specimen(f"urn:{n}", r.terms, r.determinations, r.media) for n, r in enumerate(records)]
    )
    assert weights(path) == [1, 21, 21, 12]


def test_defaults_weigh_too(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a", [Specimen("urn:a")])
    fields = "".join(f'<field default="{"x" * 9000}" term="http://example.org/{number}"/>' for number in range(10))
    meta = path / "meta.xml"
    meta.write_text(meta.read_text().replace("</core>", fields + "</core>"))
    assert weights(path) == [1 + 90_000 // USUAL_ROWS]


def test_a_document_weighs_by_its_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    documents = [{"@type": SPECIMEN, "ods:physicalSpecimenID": str(n), "x": "y" * n} for n in (10, 40_000, 500_000)]
    path.write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in documents))
    assert weights(path) == [1, 1, 11]


@given(_items, st.integers(1, 40))
def test_a_chunk_is_as_heavy_as_it_may_be_and_one_record_is_never_split(
    items: list[Unread | Malformed], most: int
) -> None:
    def weight(item: Unread | Malformed) -> int:
        return item.weight if isinstance(item, Unread) else 1

    chunks = list(in_chunks(items, most))
    assert [item for chunk in chunks for item in chunk] == items
    for number, chunk in enumerate(chunks):
        total = sum(map(weight, chunk))
        assert total <= most or len(chunk) == 1
        if number + 1 < len(chunks):
            assert total + weight(chunks[number + 1][0]) > most, "no more would have fitted"
