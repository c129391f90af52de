"""The one AGI quoting. What a real Asterisk makes of it is held in tests/lab/test_values.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastagi.agi.commands import MAX_LINE, MAX_VARIABLES, app, arg, clean, mset
from fastagi.errors import LocalProtocolError

text = st.text(max_size=60)


def words(text: str, separator: str) -> list[str]:
    """Split at separators that no backslash protects, and take one layer of backslashes off."""
    found = [""]
    characters = iter(text)
    for character in characters:
        if character == separator:
            found.append("")
        else:
            found[-1] += next(characters) if character == "\\" else character
    return found


def unquoted(line: bytes) -> list[tuple[str, str]]:
    """Take an EXEC MSet apart as Asterisk does: the argument first, then MSet's own data."""
    start, body, end = line.decode().partition('"')[0], line.decode()[len('EXEC MSet "') : -1], line[-1:]
    assert (start, end) == ("EXEC MSet ", b'"')
    [data] = words(body, '"')  # two words would mean that a quote ended the argument early
    pairs = [word.partition("=") for word in words(data, ",")]
    return [(name, value) for name, _, value in pairs]


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("", '""'),
        ("plain", '"plain"'),
        ('say "x"', '"say \\"x\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("${EPOCH} $[1+1]", '"${EPOCH} $[1+1]"'),
        (" Ж\t", '" Ж\t"'),
    ],
)
def test_an_argument(value: str, quoted: str) -> None:
    assert arg(value) == quoted


def test_the_layer_of_mset() -> None:
    assert app('a,b\\c"d(e)[f]=;ж') == 'a\\,b\\\\c\\"d\\(e\\)\\[f\\]=;ж'
    assert app("plain") == "plain"


def test_one_command_sets_all_in_order() -> None:
    pairs = [("CALLERID(name)", 'Иванов, «О"К»'), ("SUBSCRIBER_ID", "4711"), ("LOOKUP_STATUS", "FOUND")]
    [line] = mset(pairs)
    assert line.decode() == (
        'EXEC MSet "CALLERID(name)=Иванов\\\\, «О\\\\\\"К»,SUBSCRIBER_ID=4711,LOOKUP_STATUS=FOUND"'
    )


def test_nothing_to_set_is_no_command() -> None:
    assert mset([]) == []


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("a\r\nb", "a  b"),
        ("a\0b", "a b"),
        ("\ud800x", "�x"),
        ("tab\tstays\x7f", "tab\tstays\x7f"),
        ("plain Ж", "plain Ж"),
    ],
)
def test_values_are_cleaned(value: str, cleaned: str) -> None:
    assert clean(value) == cleaned


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "\ud800"])
def test_the_encoder_itself_refuses_what_was_not_cleaned(value: str) -> None:
    with pytest.raises(LocalProtocolError, match="clean the value first"):
        mset([("A", value)])
    with pytest.raises(LocalProtocolError):
        arg(value)


@pytest.mark.parametrize(
    "name", ["", "A B", "A=B", "A,B", 'A"', "1A", "___A", "A\n", "CALLERID(name", "SHELL(rm -r)"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="no name"):
        mset([(name, "x")])


@pytest.mark.parametrize("name", ["A", "_A", "__SUBSCRIBER_ID", "CALLERID(name)", "a1_b"])
def test_what_is_a_name_is_taken(name: str) -> None:
    assert mset([(name, "x")]) == [f'EXEC MSet "{name}=x"'.encode()]


@given(st.lists(text, min_size=1, max_size=120))
def test_every_value_comes_back(values: list[str]) -> None:
    pairs = [(f"V{n}", clean(value)) for n, value in enumerate(values)]
    lines = mset(pairs)
    assert [pair for line in lines for pair in unquoted(line)] == pairs
    assert all(len(line) <= MAX_LINE for line in lines)
    assert all(line.count(b"\n") == 0 for line in lines)


@given(text)
def test_cleaning_twice_is_cleaning_once(value: str) -> None:
    assert clean(clean(value)) == clean(value)


def test_more_variables_than_one_mset_takes_go_into_several() -> None:
    pairs = [(f"V{n}", str(n)) for n in range(2 * MAX_VARIABLES + 1)]
    lines = mset(pairs)
    assert [len(unquoted(line)) for line in lines] == [MAX_VARIABLES, MAX_VARIABLES, 1]
    assert [pair for line in lines for pair in unquoted(line)] == pairs


@pytest.mark.parametrize("character", ["x", "Ж", '"', ",", "\\", "😀"])
def test_long_values_go_into_several_lines_uncut(character: str) -> None:
    size = 5000 // len(arg(app(character)).encode())
    pairs = [(f"V{n}", character * size) for n in range(5)] + [("LOOKUP_STATUS", "FOUND")]
    lines = mset(pairs)
    assert len(lines) > 1
    assert all(len(line) <= MAX_LINE for line in lines)
    assert [pair for line in lines for pair in unquoted(line)] == pairs


@pytest.mark.parametrize("character", ["x", "Ж", '"', ",", "\\", "😀"])
def test_only_a_value_longer_than_a_line_is_cut_and_on_a_character(character: str) -> None:
    long = character * 9000
    lines = mset([("A", "before"), ("LONG", long), ("LOOKUP_STATUS", "FOUND")])
    pairs = [pair for line in lines for pair in unquoted(line)]
    assert [name for name, _ in pairs] == ["A", "LONG", "LOOKUP_STATUS"]
    cut = pairs[1][1]
    assert long.startswith(cut)
    longest = next(line for line in lines if b"LONG" in line)
    assert MAX_LINE - len(arg(app(character)).encode()) < len(longest) <= MAX_LINE
    assert lines[-1].endswith(b'LOOKUP_STATUS=FOUND"')


def test_the_line_at_the_limit_is_one_and_a_byte_more_is_two() -> None:
    room = MAX_LINE - len('EXEC MSet "A=,B="')
    assert len(mset([("A", "x" * room), ("B", "")])) == 1
    assert len(mset([("A", "x" * room), ("B", "y")])) == 2
