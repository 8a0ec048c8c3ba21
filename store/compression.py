"""Zstandard with trained dictionaries: openDS events shrink about tenfold.

Every frame names the dictionary it needs (RFC 8878 Dictionary_ID). Dictionaries are rows of the
``dictionaries`` table, only ever added; the newest one compresses.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import zstandard
from eventsourcing.persistence import Compressor

from domain.errors import IntegrityFailure, InvalidDocument

LEVEL = 3
DICTIONARY_BYTES = 110 * 1024
MIN_SAMPLES = 500
MAX_SAMPLE_BYTES = 16 * 1024 * 1024
MAX_DOCUMENT_BYTES = 64 * 1024 * 1024

FetchDictionary = Callable[[int], bytes | None]


class ZstdDictionaryCompressor(Compressor):
    """Compresses with the newest dictionary; decompresses with whichever the frame names.

    ``fetch`` looks a dictionary up by id (None when there is none), so that one added by another
    process is found when its first frame is met. Safe to share between threads.
    """

    def __init__(self, fetch: FetchDictionary) -> None:
        self._fetch = fetch
        self._turn = threading.Lock()  # Zstandard's contexts leave the GIL, but serve one thread at a time
        self._compressor = zstandard.ZstdCompressor(level=LEVEL, write_content_size=True)
        self._decompressors = {0: zstandard.ZstdDecompressor()}
        self.dictionary_id = 0

    def use(self, dictionary_id: int, content: bytes) -> None:
        """Compress with this dictionary from now on; raises :class:`IntegrityFailure` when it is not one."""
        data, decompressor = _readable(dictionary_id, content)
        self._compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=data, write_content_size=True)
        self._decompressors[dictionary_id] = decompressor
        self.dictionary_id = dictionary_id

    def compress(self, data: bytes) -> bytes:
        """One Zstandard frame that states its content size and dictionary.

        Raises :class:`InvalidDocument` when it would be too large to be read back.
        """
        if len(data) > MAX_DOCUMENT_BYTES:
            raise InvalidDocument(f"a value of {len(data)} bytes is larger than the {MAX_DOCUMENT_BYTES} that are kept")
        with self._turn:
            return self._compressor.compress(data)

    def decompress(self, data: bytes) -> bytes:
        """The content of one frame; raises :class:`IntegrityFailure` when it is damaged or too large."""
        try:
            frame = zstandard.get_frame_parameters(data)
            if frame.content_size > MAX_DOCUMENT_BYTES:
                raise IntegrityFailure("a stored value is damaged: its frame claims an impossible size")
            decompressor = self._decompressor(frame.dict_id)
            with self._turn:
                return decompressor.decompress(data, max_output_size=MAX_DOCUMENT_BYTES, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise IntegrityFailure(f"a stored value is damaged and cannot be decompressed: {error}") from None

    def _decompressor(self, dictionary_id: int) -> zstandard.ZstdDecompressor:
        found = self._decompressors.get(dictionary_id)
        if found is None:
            content = self._fetch(dictionary_id)
            if content is None:
                raise IntegrityFailure(f"compression dictionary {dictionary_id} is missing from the database")
            found = _readable(dictionary_id, content)[1]
            self._decompressors[dictionary_id] = found
        return found


def _readable(dictionary_id: int, content: bytes) -> tuple[zstandard.ZstdCompressionDict, zstandard.ZstdDecompressor]:
    try:
        data = zstandard.ZstdCompressionDict(content)
        decompressor = zstandard.ZstdDecompressor(dict_data=data)
        whole = zstandard.ZstdCompressor(level=LEVEL, dict_data=data).compress(b"")
        decompressor.decompress(whole, max_output_size=1)
    except zstandard.ZstdError as error:
        raise IntegrityFailure(f"compression dictionary {dictionary_id} in the database is damaged: {error}") from None
    if dictionary_id == 0 or data.dict_id() != dictionary_id:
        raise IntegrityFailure(f"compression dictionary {dictionary_id} in the database is not the one it says it is")
    return data, decompressor


def train(samples: Sequence[bytes], dictionary_id: int) -> bytes | None:
    """A dictionary for data like ``samples``, or None when they are too few or too small to learn from."""
    if len(samples) < MIN_SAMPLES or sum(map(len, samples)) < 4 * DICTIONARY_BYTES:
        return None
    chosen: list[bytes | bytearray | memoryview] = []
    total = 0
    for sample in samples:
        total += len(sample)
        if total > MAX_SAMPLE_BYTES:
            break
        chosen.append(sample)
    try:
        return zstandard.train_dictionary(DICTIONARY_BYTES, chosen, dict_id=dictionary_id, level=LEVEL).as_bytes()
    except zstandard.ZstdError:
        return None  # samples without anything in common: plain compression serves them as well
