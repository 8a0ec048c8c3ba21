"""Text from a stranger's bytes: decoded, with what cannot be decoded marked, and cut into lines of bounded length."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from domain.errors import InvalidArchive

# A lone surrogate cannot come out of any of the decoders, so it can stand for bytes that none of them understands.
_UNDECODABLE = "\udcff"
TOO_LONG = "\udcff too long"
"""Stands for a line that is too long to hold; compare with ``is``."""
_ENCODINGS = re.compile(
    r"utf-8|utf-16(-[lb]e)?|ascii|iso8859-\d+|cp\d+|mac-roman|koi8-[ru]|gb18030|gbk|gb2312|big5|shift_jis|euc_(jp|kr)"
)
_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def codec_name(label: str) -> str:
    """The codec of an encoding as ``meta.xml`` names it, such as ``ISO-8859-1``. Raises :class:`InvalidArchive`."""
    try:
        name = codecs.lookup(label.strip()).name
    except (LookupError, ValueError):
        name = ""
    name = "utf-8" if name == "utf-8-sig" else name
    if not _ENCODINGS.fullmatch(name):
        raise InvalidArchive(f"the encoding {label!r} is unknown; use UTF-8")
    return name


def flaw_of(text: str) -> str | None:
    """Why text of a cell or row must not be used: a NUL, or bytes that could not be decoded. None if it is sound."""
    if "\0" in text:
        return "the row contains a NUL character"
    if _UNDECODABLE in text:
        return "the row contains bytes that are no text in the declared encoding"
    return None


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _UNDECODABLE, error.end


codecs.register_error("provenarium.undecodable", _mark_undecodable)


def decoded(chunks: Iterator[bytes], encoding: str) -> Iterator[str]:
    """Decode blocks of bytes, dropping a byte order mark, which outranks the declared encoding.

    Bytes that are no text come out as a mark that :func:`flaw_of` finds. UTF-16 without byte order mark is told apart
    by its line ends. Raises :class:`InvalidArchive` for an unknown encoding.
    """
    chunk = next(chunks, b"")
    name = codec_name(encoding)
    for mark, of in _BYTE_ORDER_MARKS.items():
        if chunk.startswith(mark):
            chunk, name = chunk[len(mark) :], of
    if name == "utf-16":
        name = "utf-16-be" if _is_big_endian(chunk) else "utf-16-le"
    decoder = codecs.getincrementaldecoder(name)("provenarium.undecodable")
    while chunk:
        yield decoder.decode(chunk)
        chunk = next(chunks, b"")
    yield decoder.decode(b"", final=True)


def _is_big_endian(sample: bytes) -> bool:
    # Line ends read in the wrong order are characters that no script has. Without a line end, delimiters and digits
    # have a zero byte, and hardly any other character has one in the other place.
    little = sample.decode("utf-16-le", "ignore")
    ends = little.count("\n") + little.count("\r")
    backwards = little.count("\u0a00") + little.count("\u0d00")
    return backwards > ends or (backwards == ends and sample[::2].count(0) > sample[1::2].count(0))


def terminator_in(declared: str, sample: str) -> str:
    """What ends a line in a file of which ``sample`` is the start, if ``declared`` is said to.

    Declarations of line ends are rarely right: ``\\n`` stands for ``\\r\\n`` too, and a sample without the one of
    ``\\n`` and ``\\r`` that is declared is taken to end its lines with the other.
    """
    if declared not in ("\n", "\r\n", "\r"):
        return declared
    lone = re.search(r"\r[^\n]", sample) is not None
    return "\r" if lone and (declared == "\r" or "\n" not in sample) else "\n"


def lines(blocks: Iterator[str], terminator: str, most: int) -> Iterator[str]:
    """The text between terminators; one of more than ``most`` characters may come as ``TOO_LONG``."""
    pending, skipping = "", False
    for block in blocks:
        parts = (pending + block).split(terminator)
        pending = parts.pop()
        if skipping and parts:
            parts[0] = TOO_LONG
            skipping = False
        yield from parts
        if skipping or len(pending) > most:
            pending, skipping = pending[1 - len(terminator) :] if len(terminator) > 1 else "", True
    if skipping:
        yield TOO_LONG
    elif pending:
        yield pending
