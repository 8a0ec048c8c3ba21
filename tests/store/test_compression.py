"""Compressed values: dictionaries are learned once and kept for ever, damage is told, nothing hostile is unpacked."""

from __future__ import annotations

import random
import struct
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import orjson
import pytest
import zstandard

from domain.errors import IntegrityFailure, InvalidDocument
from domain.events import Created
from store import compression
from store.compression import MAX_DOCUMENT_BYTES, ZstdDictionaryCompressor
from store.ledger import Ledger
from store.settings import Settings
from tests.store.ledger_building import created, pid


def texts(seed: int, amount: int = 700) -> list[bytes]:
    dice = random.Random(seed)
    words = [f"{seed}-{dice.randbytes(6).hex()}" for _ in range(300)]
    return [
        orjson.dumps({f"dwc:{dice.choice(words)}": " ".join(dice.choices(words, k=40)) for _ in range(4)})
        for _ in range(amount)
    ]


@pytest.fixture(scope="module")
def first() -> bytes:
    content = compression.train(texts(1), 1)
    assert content is not None
    return content


@pytest.fixture(scope="module")
def second() -> bytes:
    content = compression.train(texts(2), 2)
    assert content is not None
    return content


def numbered(frame: bytes) -> int:
    return zstandard.get_frame_parameters(frame).dict_id


def events(amount: int) -> list[Created]:
    return [created(pid(number), remarks=texts(1, 1)[0].decode(), recordNumber=number) for number in range(amount)]


def test_a_dictionary_is_learned_once(ledger: Ledger) -> None:
    ledger.learn_to_compress(texts(1))
    assert ledger.compressor.dictionary_id == 1
    ledger.learn_to_compress(texts(2))
    with ledger.connection() as connection:
        rows = connection.execute("SELECT id, content FROM dictionaries").fetchall()
    assert [row["id"] for row in rows] == [1]
    assert rows[0]["content"] == compression.train(texts(1), 1)
    assert numbered(ledger.mapper.pack({"a": 1})) == 1


def test_two_processes_that_learn_at_once_agree(new_settings: Callable[[], Settings]) -> None:
    settings = new_settings()
    with Ledger.open(settings) as one, Ledger.open(settings) as other:
        start = threading.Barrier(2)

        def learn(ledger: Ledger, seed: int) -> None:
            start.wait()
            ledger.learn_to_compress(texts(seed))

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(learn, (one, other), (1, 2)))
        value = {"dwc:remarks": "the same"}
        assert one.mapper.unpack(other.mapper.pack(value)) == other.mapper.unpack(one.mapper.pack(value)) == value
        with one.connection() as connection:
            assert len(connection.execute("SELECT FROM dictionaries").fetchall()) == 1


def test_too_little_to_learn_from_leaves_plain_compression(ledger: Ledger) -> None:
    ledger.learn_to_compress(texts(1, 50))
    ledger.learn_to_compress([b"{}"] * 1000)
    ledger.learn_to_compress([])
    assert ledger.compressor.dictionary_id == 0
    assert numbered(ledger.mapper.pack({"a": 1})) == 0


def test_a_dictionary_makes_similar_values_much_smaller(first: bytes) -> None:
    plain, trained = (ZstdDictionaryCompressor(lambda _: None) for _ in range(2))
    trained.use(1, first)
    sizes = [sum(len(each.compress(text)) for text in texts(1, 100)) for each in (plain, trained)]
    assert sizes[1] * 2 < sizes[0]


def test_values_of_every_dictionary_stay_readable(first: bytes, second: bytes) -> None:
    old, middle, new = (ZstdDictionaryCompressor({1: first, 2: second}.get) for _ in range(3))
    middle.use(1, first)
    new.use(1, first)
    new.use(2, second)
    value = texts(1, 1)[0]
    frames = [each.compress(value) for each in (old, middle, new)]
    assert [numbered(frame) for frame in frames] == [0, 1, 2]
    for reader in (old, middle, new):
        assert [reader.decompress(frame) for frame in frames] == [value] * 3


def test_an_open_ledger_finds_a_dictionary_that_came_later(new_settings: Callable[[], Settings], second: bytes) -> None:
    settings = new_settings()
    with Ledger.open(settings) as early:
        with Ledger.open(settings) as late:
            late.learn_to_compress(texts(1))
            late.append(events(2))
        early.recorder.fetch("insert_dictionary", (2, second))
        with Ledger.open(settings) as latest:
            assert latest.compressor.dictionary_id == 2, "the newest compresses"
            latest.append([created(pid(7))])
        assert [numbered(event.state) for event in early.recorder.select_range(0)] == [1, 1, 2]
        assert early.compressor.dictionary_id == 0
        assert [early.get(pid(number)).version for number in (0, 1, 7)] == [1, 1, 1]


def test_a_missing_dictionary_is_named(first: bytes) -> None:
    writer = ZstdDictionaryCompressor(lambda _: None)
    writer.use(1, first)
    with pytest.raises(IntegrityFailure, match="dictionary 1 is missing"):
        ZstdDictionaryCompressor(lambda _: None).decompress(writer.compress(b"{}"))


def test_a_missing_dictionary_names_the_event(ledger: Ledger, first: bytes) -> None:
    ledger.compressor.use(1, first)  # but it is not in the database
    ledger.append([created(pid(1))])
    with Ledger.open(ledger.settings) as other, pytest.raises(IntegrityFailure, match=f"{pid(1)}/1: .*dictionary 1"):
        other.get(pid(1))


def test_every_damaged_byte_is_told_or_changes_the_text(first: bytes) -> None:
    compressor = ZstdDictionaryCompressor(lambda _: None)
    compressor.use(1, first)
    value = texts(1, 1)[0]
    frame = compressor.compress(value)
    for place in range(len(frame)):
        damaged = bytearray(frame)
        damaged[place] ^= 0x41
        with suppress(IntegrityFailure):
            assert compressor.decompress(bytes(damaged)) != value or place < 8, "only the header may say it otherwise"


@pytest.mark.parametrize("data", [b"", b"{}", b"\x28\xb5\x2f\xfd", b"\x00" * 100])
def test_what_is_no_frame_is_damage(data: bytes) -> None:
    with pytest.raises(IntegrityFailure, match="damaged"):
        ZstdDictionaryCompressor(lambda _: None).decompress(data)


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_frame_cut_short_is_damage(cut: int) -> None:
    compressor = ZstdDictionaryCompressor(lambda _: None)
    with pytest.raises(IntegrityFailure, match="damaged"):
        compressor.decompress(compressor.compress(texts(1, 1)[0])[:-cut])


@pytest.mark.parametrize("size", [MAX_DOCUMENT_BYTES + 1, 2**40, 2**64 - 3])
def test_a_frame_that_claims_a_huge_size_allocates_nothing(size: int) -> None:
    header = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", size)
    hostile = header + b"\x02\x00\x00" + b"a" * 8 + b"\x03\x00\x00" + b"a"
    tracemalloc.start()
    try:
        with pytest.raises(IntegrityFailure, match="impossible size"):
            ZstdDictionaryCompressor(lambda _: None).decompress(hostile)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_bomb_without_a_size_is_refused() -> None:
    bomb = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(MAX_DOCUMENT_BYTES * 2))
    assert len(bomb) < 100_000
    with pytest.raises(IntegrityFailure):
        ZstdDictionaryCompressor(lambda _: None).decompress(bomb)


def test_a_value_too_large_to_be_read_back_is_not_written() -> None:
    compressor = ZstdDictionaryCompressor(lambda _: None)
    assert len(compressor.decompress(compressor.compress(bytes(MAX_DOCUMENT_BYTES)))) == MAX_DOCUMENT_BYTES
    with pytest.raises(InvalidDocument, match="larger than"):
        compressor.compress(bytes(MAX_DOCUMENT_BYTES + 1))


def test_one_compressor_serves_many_threads(first: bytes) -> None:
    compressor = ZstdDictionaryCompressor(lambda _: None)
    compressor.use(1, first)
    values = texts(1, 200)

    def there_and_back(number: int) -> bool:
        value = values[number % len(values)] * (1 + number % 20)
        return compressor.decompress(compressor.compress(value)) == value

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(there_and_back, range(8000)))
