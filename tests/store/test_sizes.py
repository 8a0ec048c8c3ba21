"""What stored values unpack to is known from their headers, and bounds what is read at once."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import tuple_row

from domain.digital_object import DigitalObject
from store.compression import MAX_DOCUMENT_BYTES
from store.ledger import Ledger, due_snapshots
from store.recorder import SQL
from store.sizes import FRAME_START, fitting, unpacked_size
from tests.store.ledger_building import by, created, grow, pid

_repeated = st.builds(lambda text, times: text * times, st.binary(max_size=20), st.sampled_from([0, 1, 300, 70_000]))


@given(_repeated, st.integers(1, 19))
def test_a_frame_states_its_size_in_its_first_bytes(data: bytes, level: int) -> None:
    frame = zstandard.ZstdCompressor(level=level, write_content_size=True).compress(data)
    assert unpacked_size(frame) == unpacked_size(frame[:FRAME_START]) == len(data)


def test_the_size_of_a_frame_with_a_dictionary_is_known_without_it(ledger: Ledger) -> None:
    samples = [
        b"the number %d and %d times the same text of some length, again and again" % (n, n) * 20 for n in range(900)
    ]
    ledger.learn_to_compress(samples)
    assert ledger.compressor.dictionary_id
    for data in (b"", b"x" * 100, b"y" * 10_000_000):
        assert unpacked_size(ledger.compressor.compress(data)[:FRAME_START]) == len(data)


@pytest.mark.parametrize("state", [b"", b"(", b"no frame at all", b"x" * 1000])
def test_what_is_no_frame_has_its_own_size(state: bytes) -> None:
    assert unpacked_size(state) == len(state)


def test_a_size_that_is_not_stated_or_impossible_is_the_largest_there_can_be() -> None:
    unstated = zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 1000)
    assert unpacked_size(unstated) == MAX_DOCUMENT_BYTES
    impossible = bytearray(zstandard.ZstdCompressor(write_content_size=True).compress(b"x" * 2**17))
    at = impossible.index((2**17).to_bytes(4, "little"))
    impossible[at : at + 4] = b"\xff" * 4
    assert unpacked_size(bytes(impossible)) == MAX_DOCUMENT_BYTES


@given(st.lists(st.integers(0, 10)), st.integers(0, 30))
def test_as_many_fit_as_are_no_larger_together_but_one_always(sizes: list[int], most: int) -> None:
    count = fitting(iter(sizes), most)
    assert count == 0 if not sizes else count >= 1
    assert count <= 1 or sum(sizes[:count]) <= most
    assert count == len(sizes) or sum(sizes[: count + 1]) > most


# -- reading the log ------------------------------------------------------------------------------


def test_a_reading_of_the_log_brings_no_more_than_so_many_bytes(ledger: Ledger) -> None:
    ledger.append([created(pid(number), remarks="x" * number) for number in range(20)])
    everything = ledger.recorder.select_range(0)
    assert [event.position for event in everything] == list(range(1, 21))
    sizes = [len(event.state) for event in everything]
    for octets in (0, sizes[0], sizes[0] + sizes[1], sum(sizes[:7]) - 1, sum(sizes)):
        found = ledger.recorder.select_range(0, octets=octets)
        assert found == everything[: fitting(sizes, octets)]
    assert ledger.recorder.select_range(5, 9, octets=1) == everything[5:6]
    assert ledger.recorder.select_range(5, 9, limit=2) == everything[5:7]
    assert ledger.recorder.select_range(20) == []


def test_a_scan_in_small_readings_is_the_whole_log(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.append([created(pid(number)) for number in range(30)])
    bounded = ledger.recorder.select_range
    monkeypatch.setattr(ledger.recorder, "select_range", lambda *bounds: bounded(*bounds, octets=1))
    assert [event.position for batch in ledger.scan(batch=7) for event in batch] == list(range(1, 31))


def test_the_log_is_read_by_position_not_sorted_and_not_scanned(ledger: Ledger, owner: psycopg.Connection[Any]) -> None:
    for start in range(0, 3000, 1000):
        ledger.append([created(pid(start + number)) for number in range(1000)])
    owner.execute("ANALYZE events")
    with owner.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(b"EXPLAIN " + SQL["select_range"].encode(), (1500, 3000, 1000, 4_000_000)).fetchall()
    plan = "\n".join(row[0] for row in rows)
    assert plan.count("Index Scan using events_p") == 16
    assert "Seq Scan" not in plan
    assert "Sort " not in plan.replace("Sort Key: ", "")


# -- rebuilding states ----------------------------------------------------------------------------


def test_what_a_state_is_rebuilt_from_is_measured_without_unpacking_it(ledger: Ledger) -> None:
    grow(ledger, pid(1), 53)
    big = ledger.record(None, created(pid(2), remarks="x" * 1_000_000))
    ledger.record(big, big.update({**big.document, "dwc:country": "Kenya"}, by()))
    versions = {pid(1): 49, pid(2): 2, pid(3): 7}
    assert ledger.recorder.sizes_of_states(versions) == {
        pid(1): sum(_unpacked(ledger, pid(1))[:49]),
        pid(2): sum(_unpacked(ledger, pid(2))),
        pid(3): 0,
    }
    assert ledger.recorder.sizes_of_states({}) == {}


def test_a_state_after_a_snapshot_is_measured_from_the_snapshot_on(ledger: Ledger) -> None:
    state: DigitalObject = grow(ledger, pid(1), 50)
    (frozen,) = due_snapshots([state])
    ledger.record(state, state.update({**state.document, "dwc:country": "Uganda"}, by()))
    size = ledger.recorder.sizes_of_states({pid(1): 51})[pid(1)]
    snapshot = len(ledger.compressor.decompress(ledger.mapper.to_stored_event(frozen).state))
    assert size == snapshot + _unpacked(ledger, pid(1))[50]
    assert size < sum(_unpacked(ledger, pid(1))) / 10


def _unpacked(ledger: Ledger, which: str) -> list[int]:
    return [len(ledger.compressor.decompress(event.state)) for event in ledger.recorder.select_events(which)]
