"""CSV files as records: well-formed ones as csv reads them, and no broken record that harms another."""

import csv
import io
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastagi.directory.csvfile import LINE_LIMIT, LINES_LIMIT, Broken, check_utf8, records
from fastagi.errors import BadInput


def read(data: str | bytes) -> list[tuple[int, list[str] | str]]:
    """Line and fields of each record, or the reason why it has none."""
    raw = data.encode() if isinstance(data, str) else data
    found = list(records(io.BytesIO(raw)))
    assert all(before.done <= after.done for before, after in itertools.pairwise(found))
    assert not found or found[-1].done <= len(raw)
    return [(one.line, one.reason if isinstance(one, Broken) else list(one)) for one in found]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("", []),
        ("\n \n\r\n", []),
        ("a,b\n1,2", [(1, ["a", "b"]), (2, ["1", "2"])]),
        ("a,b\r\n\r\n1,2\r\n", [(1, ["a", "b"]), (3, ["1", "2"])]),
        ("\ufeffa,b\n", [(1, ["a", "b"])]),
        ('1,"Иванов, Иван","ООО ""Ромашка"""\n', [(1, ["1", "Иванов, Иван", 'ООО "Ромашка"'])]),
        ('1,ООО "Ромашка",3\n', [(1, ["1", 'ООО "Ромашка"', "3"])]),
        (
            '1,"Москва\nСадовая 1\r\nкв. 2",3\n4,5\n',
            [(1, ["1", "Москва\nСадовая 1\nкв. 2", "3"]), (4, ["4", "5"])],
        ),
    ],
)
def test_well_formed_files(data: str, found: list) -> None:
    assert read(data) == found


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8), min_size=2), max_size=6
    )
)
def test_what_csv_writes_is_read_back(rows: list[list[str]]) -> None:
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    # A line whose fields are all quoted is never empty; the BOM belongs to the file and not to its first field.
    assert [fields for _, fields in read("\ufeff" + file.getvalue())] == rows


def test_a_quote_that_is_never_closed_costs_its_own_line_only() -> None:
    rest = "".join(f"{line},x\n" for line in range(2, 100))
    found = read('1,"Ivan\n' + rest)
    assert found[0] == (1, "a quote is never closed")
    assert found[1:] == [(line, [str(line), "x"]) for line in range(2, 100)]


def test_two_stray_quotes_cost_two_lines_only() -> None:
    found = read('1,a\n2,"b\n3,c\n4,d" e\n5,f\n')
    assert [line for line, _ in found] == [1, 2, 3, 4, 5]
    assert found[1][1].startswith("its quotes are wrong: ")
    assert [fields for _, fields in (found[0], found[2], found[4])] == [["1", "a"], ["3", "c"], ["5", "f"]]


def test_a_quote_open_at_the_end_of_the_file() -> None:
    assert read('1,"Ivan') == [(1, "a quote is never closed")]
    assert read('1,"Ivan\n') == [(1, "a quote is never closed")]


def test_a_record_has_a_limit_of_lines() -> None:
    inside = '1,"' + "x\n" * LINES_LIMIT + '",3\n'
    assert read(inside) == [(1, ["1", "x\n" * LINES_LIMIT, "3"])]
    assert read('1,"' + "x\n" * (LINES_LIMIT + 1) + '",3\n')[0] == (1, "a quote is never closed")


@pytest.mark.parametrize("size", [LINE_LIMIT + 1, LINE_LIMIT * 2, LINE_LIMIT * 2 + 2, LINE_LIMIT * 5])
@pytest.mark.parametrize("end", ["\n2,b\n", ""])
def test_a_line_over_the_limit_is_passed_over(size: int, end: str) -> None:
    found = read("0,a\n" + "x" * size + end)
    assert found[:2] == [(1, ["0", "a"]), (2, "is longer than 65536 bytes")]
    assert found[2:] == ([(3, ["2", "b"])] if end else [])


def test_a_line_over_the_limit_inside_quotes() -> None:
    found = read('0,"a\n' + "x" * (LINE_LIMIT + 1) + '\n"\n2,b\n')
    assert [line for line, _ in found] == [1, 2, 3, 4]
    assert found[1][1] == "is longer than 65536 bytes"


def test_a_field_over_the_limit_of_csv() -> None:
    lines = ("x" * (LINE_LIMIT - 10) + "\n") * 3
    found = read('0,"' + lines + '"\n2,b\n')
    assert found[0] == (1, "its quotes are wrong: field larger than field limit (131072)")
    assert found[-1] == (5, ["2", "b"])


@pytest.mark.parametrize(
    ("data", "line", "byte"),
    [
        ("name,phones\nИванов,1\n".encode("cp1251"), 2, "0xC8"),
        ("name,phones\n".encode("utf-16"), 1, "0xFF"),
        (b"name,phones\n" * 200_000 + b"x\xff", 200_001, "0xFF"),
        ("name\nИ".encode()[:-1], 2, "0xD0"),
    ],
)
def test_a_file_that_is_not_utf8_is_refused_by_line_and_byte(
    tmp_path: Path, data: bytes, line: int, byte: str
) -> None:
    file = tmp_path / "subscribers.csv"
    file.write_bytes(data)
    with pytest.raises(BadInput, match=rf"subscribers\.csv, line {line}: byte {byte} is not UTF-8"):
        check_utf8(file)


def test_a_character_cut_by_a_chunk_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "subscribers.csv"
    file.write_bytes(b"x" + "Ж".encode() * (1 << 20))
    check_utf8(file)
