"""Delimited text of any dialect reads back as it was written, and a broken row costs no other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidArchive
from sources.darwin_core.delimited_text import DelimitedText, Dialect, Row

QUOTED = Dialect()
TABS = Dialect(delimiter="\t", quote="")
BIG = 1 << 20
# Without byte order mark, these speak for the wrong order of UTF-16; a table of little else would be misread.
MISLEADING = "".join(chr(page) for page in range(0, 0xD800, 0x100))


def rows(content: bytes | str, dialect: Dialect = QUOTED, most: int = BIG, block: int = 7) -> list[Row]:
    """Read in small blocks, so that every kind of thing is cut in two somewhere."""
    data = content if isinstance(content, bytes) else content.encode(dialect.encoding)
    return list(DelimitedText((data[at : at + block] for at in range(0, len(data), block)), dialect, most))


def cells(content: bytes | str, dialect: Dialect = QUOTED) -> list[list[str]]:
    found = rows(content, dialect)
    assert [row for row in found if row.problem] == []
    return [row.cells for row in found]


@st.composite
def written_tables(draw: st.DrawFn) -> tuple[list[list[str]], Dialect, bytes]:
    """A table with a heading and an id column, a dialect, and the bytes of the one written in the other."""
    encoding = draw(st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "windows-1252"]))
    terminator = draw(st.sampled_from(["\n", "\r\n", "\r", "|#\n", ";;"]))
    delimiter = draw(
        st.sampled_from([",", "\t", ";", "|", "||", "~^~", "a"]).filter(lambda text: text not in terminator)
    )
    quote = draw(st.sampled_from(['"', "'", ""]))
    dialect = Dialect(delimiter, quote, terminator, encoding, header_lines=1)
    alphabet = st.one_of(
        st.characters(codec=encoding, exclude_characters=MISLEADING), st.sampled_from("\"',;|\t\r\n a")
    )
    cell = st.text(alphabet, max_size=8)
    if not quote:
        ends = [delimiter, terminator, "\r", "\n"]
        cell = cell.filter(lambda text: not any(set(end) & set(text) for end in ends))
    width = draw(st.integers(1, 5))
    body = draw(st.lists(st.lists(cell, min_size=width, max_size=width), max_size=8))
    table = [["id", *(f"h{column}" for column in range(width))]]
    table += [[str(number), *row] for number, row in enumerate(body)]

    def written(text: str) -> str:
        # The end of a cell and the start of the delimiter can make another delimiter, so parts of one count too.
        if quote and (set(text) & set(delimiter + terminator + "\r\n" + quote) or draw(st.booleans())):
            return quote + text.replace(quote, quote * 2) + quote
        return text

    lines = [delimiter.join(map(written, row)) for row in table]
    text = terminator.join(lines) + (terminator if draw(st.booleans()) else "")
    if encoding.startswith("utf") and draw(st.booleans()):
        text = "\ufeff" + text
    codec = draw(st.sampled_from(["utf-16-le", "utf-16-be"])) if encoding == "utf-16" else encoding
    return table, dialect, text.encode(codec)


@settings(max_examples=400, deadline=None)
@given(written_tables(), st.integers(1, 64))
def test_any_table_in_any_dialect_reads_back_equal(written: tuple[list[list[str]], Dialect, bytes], block: int) -> None:
    table, dialect, data = written
    text = DelimitedText([data] if block == 64 else _blocks(data, block), dialect, BIG)
    found = [[cell.strip() for cell in row.cells] for row in text]
    assert [cell.strip() for cell in text.heading] == table[0]
    assert found == [[cell.strip() for cell in row] for row in table[1:]]


def _blocks(data: bytes, size: int) -> list[bytes]:
    # The first block shows how lines end, so it must hold one; in a real file it is a megabyte.
    first = max(size, 256)
    return [data[:first], *(data[at : at + size] for at in range(first, len(data), size))] if data else []


def test_quotes_enclose_delimiters_line_ends_and_doubled_quotes() -> None:
    assert cells('1,"a,b","say ""hi""","two\nlines",""\n') == [["1", "a,b", 'say "hi"', "two\nlines", ""]]


def test_line_ends_inside_quoted_cells_are_kept_exactly() -> None:
    assert cells('1,"a\r\nb\rc\n"\r\n2,d\r\n') == [["1", "a\r\nb\rc\n"], ["2", "d"]]


def test_a_quote_inside_an_unquoted_cell_is_a_character() -> None:
    assert cells('1,5" tall,x\n2,"q",y\n') == [["1", '5" tall', "x"], ["2", "q", "y"]]


def test_without_quoting_quotes_are_characters() -> None:
    assert cells('1\t"a\t"b"\n', TABS) == [["1", '"a', '"b"']]


def test_white_space_may_follow_a_closing_quote() -> None:
    assert cells('1,"a" ,"b"\r\n') == [["1", "a", "b"]]


def test_empty_lines_are_no_rows_but_count_as_lines() -> None:
    assert [(row.line, row.cells) for row in rows("1,a\n\n\r\n2,b\n\n")] == [(1, ["1", "a"]), (4, ["2", "b"])]


def test_line_numbers_are_true_after_header_and_quoted_line_ends() -> None:
    text = 'h1,h2\n1,"a\nb\nc"\n2,d\n3,"e\n"\n4,f'
    found = rows(text, Dialect(header_lines=1))
    assert [row.line for row in found] == [2, 5, 6, 8]
    lines = text.split("\n")
    assert [lines[row.line - 1][0] for row in found] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(("terminator", "lines"), [("\r", [1, 2, 4]), ("#", [1, 2, 4]), ("#\n", [1, 2, 4])])
def test_line_numbers_are_true_for_other_terminators(terminator: str, lines: list[int]) -> None:
    text = terminator.join(["1,a", '2,"b\nc"', "3,d"]) + terminator
    assert [row.line for row in rows(text, Dialect(terminator=terminator), block=100)] == lines


def test_the_heading_is_the_last_header_line() -> None:
    text = DelimitedText([b'# made today\n"id",name\r\n1,a\n'], Dialect(header_lines=2), BIG)
    assert text.heading == ["id", "name"]
    assert [row.cells for row in text] == [["1", "a"]]


@pytest.mark.parametrize("declared", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("real", ["\n", "\r\n", "\r"])
def test_a_wrong_declaration_of_line_ends_is_forgiven(declared: str, real: str) -> None:
    text = real.join(["1,a", '2,"b"', "3,c", ""])
    assert [row.cells for row in rows(text, Dialect(terminator=declared), block=100)] == [
        ["1", "a"],
        ["2", "b"],
        ["3", "c"],
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_a_utf_8_byte_order_mark_is_stripped_and_outranks_the_declaration(encoding: str) -> None:
    assert cells(b"\xef\xbb\xbf1,\xc3\xa9\n", Dialect(encoding=encoding)) == [["1", "é"]]


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read_with_and_without_byte_order_mark(codec: str) -> None:
    for mark in ("", "\ufeff"):
        data = (mark + "1,é漢\n2,b\n").encode(codec)
        assert [row.cells for row in rows(data, Dialect(encoding="UTF-16"), block=100)] == [["1", "é漢"], ["2", "b"]]


@pytest.mark.parametrize("label", ["utf-7", "rot13", "unicode_escape", "base64", "no such", "", "idna", "punycode"])
def test_an_encoding_that_is_none_is_refused(label: str) -> None:
    with pytest.raises(InvalidArchive, match="encoding"):
        Dialect(encoding=label)


@pytest.mark.parametrize(
    "wrong",
    [
        {"delimiter": ""},
        {"terminator": ""},
        {"quote": '""'},
        {"quote": ","},
        {"delimiter": "\n"},
        {"delimiter": "a;", "terminator": ";"},
        {"quote": "\n"},
    ],
)
def test_a_dialect_that_contradicts_itself_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidArchive):
        Dialect(**wrong)  # type: ignore[arg-type]


def test_undecodable_bytes_spoil_their_row_only() -> None:
    found = rows(b"1,a\n2,\xff\xfe\n3,\xc3\n4,d\n")
    assert [(row.line, bool(row.problem)) for row in found] == [(1, False), (2, True), (3, True), (4, False)]
    assert "encoding" in str(found[1].problem)


def test_bytes_that_encode_a_surrogate_spoil_their_row() -> None:
    assert [bool(row.problem) for row in rows(b"1,\xed\xb3\xbf\n2,b\n")] == [True, False]


def test_a_nul_spoils_its_row_only() -> None:
    found = rows('1,"a\0"\n2,"x\ny\0"\n3,c\n')
    assert [(row.line, bool(row.problem)) for row in found] == [(1, True), (2, True), (4, False)]
    assert "NUL" in str(found[0].problem)


def test_text_after_a_closing_quote_spoils_its_row_only() -> None:
    found = rows('1,"a" b,c\n2,"d"e"\n3,f\n')
    assert [(row.line, bool(row.problem)) for row in found] == [(1, True), (2, True), (3, False)]
    assert found[0].cells == ["1"]


def test_a_quote_that_is_never_closed_does_not_swallow_the_rows_after_it() -> None:
    found = rows('1,a\n2,"b\n3,c\n4,d\n')
    assert [(row.line, row.cells, bool(row.problem)) for row in found] == [
        (1, ["1", "a"], False),
        (2, ["2"], True),
        (3, ["3", "c"], False),
        (4, ["4", "d"], False),
    ]


def test_a_stray_quote_that_meets_a_later_one_spoils_its_row_only() -> None:
    found = rows('1,"a\n2,b\n3,"c",d\n4,e\n')
    assert [(row.line, bool(row.problem)) for row in found] == [(1, True), (2, False), (3, False), (4, False)]
    assert found[2].cells == ["3", "c", "d"]


def test_a_line_that_is_too_long_spoils_its_row_only() -> None:
    for terminator in ("\n", "||"):
        text = terminator.join(["1,a", "2," + "x" * 500, "3,b", "4," + "y" * 99, "5," + "z" * 500])
        found = rows(text, Dialect(terminator=terminator), most=100)
        assert [(row.line, bool(row.problem)) for row in found] == [
            (1, False),
            (2, True),
            (3, False),
            (4, True),
            (5, True),
        ]


def test_a_quoted_cell_that_is_too_long_spoils_its_row_only() -> None:
    found = rows('1,"' + "x\n" * 100 + '",y\n2,z\n', most=100)
    assert found[0].line == 1
    assert found[0].problem is not None
    assert found[-1] == Row(102, ["2", "z"], None)


def test_an_unclosed_quote_at_the_start_of_a_huge_file_is_read_in_bounded_memory() -> None:
    taken = 0

    def blocks() -> object:
        nonlocal taken
        yield b'1,"a\n'
        for _ in range(40):
            taken += 1
            yield b"2,b\n" * 25_000

    found = iter(DelimitedText(blocks(), QUOTED, 50_000))  # type: ignore[arg-type]
    first = next(found)
    assert first.problem is not None
    assert taken <= 2
    assert sum(1 for row in found if row.cells == ["2", "b"]) == 40 * 25_000


def test_a_file_of_broken_quoting_throughout_is_refused_rather_than_read_for_ever() -> None:
    with pytest.raises(InvalidArchive, match="fieldsEnclosedBy"):
        rows('x","y\n' * 20_000, most=1_000, block=10_000)


def test_many_doubled_quotes_are_read_in_linear_time() -> None:
    text = '"' + '""' * 2_000_000 + '"\n'
    (row,) = DelimitedText([text.encode()], QUOTED, 1 << 23)
    assert row.cells == ['"' * 2_000_000]


def test_a_heading_may_be_quoted_over_several_lines() -> None:
    text = DelimitedText([b'"id","a\nname"\n1,a\n'], Dialect(header_lines=1), BIG)
    assert text.heading == ["id", "a\nname"]
    assert [(row.line, row.cells) for row in text] == [(3, ["1", "a"])]


def test_a_comment_with_a_stray_quote_is_no_heading() -> None:
    text = DelimitedText([b'# it\'s 5", "mostly\n1,a\n2,b\n'], Dialect(delimiter=", ", header_lines=1), BIG)
    assert text.heading == []
    assert [row.line for row in text] == [2, 3]


def test_an_empty_file_has_no_rows() -> None:
    assert rows(b"") == []
    assert DelimitedText([], Dialect(header_lines=3), BIG).heading == []
