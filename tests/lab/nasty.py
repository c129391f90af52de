"""Values made to break quoting: the same ones for the server that sets them and the test that reads them back."""

import random

__all__ = ["CALLS", "expected", "names", "number", "pairs"]

CALLS = 26
"""How many sets of values there are; together over 2,000 values."""
VARIABLES = 110
"""Of one call: more than one MSet takes."""

_PIECES = (
    *'"",,\\\\()[]{}$=;:&|%#!?~`^*<>@+-./\'_ ',
    *(
        "${EPOCH}",
        "${V1}",
        "$[1+1]",
        "$[",
        "${",
        "}",
        "]",
        '\\"',
        "\\\\",
        "\\,",
        '",',
        '",A="',
        ",B=x",
        "V2=x",
    ),
    *("\t", "\x01", "\x07", "\x0b", "\x1b[31m", "\x7f", "\x85", "\xa0", "\u2028", "\ufeff", "\ufffd"),
    *("Ж", "ё", "Її", "«Ромашка»", "ß", "中文", "😀", "é", "и\u0306", "\u202e"),
    *("x", "AbC", "42", "HANGUP", "200 result=0", "SET VARIABLE A b", "EXEC Hangup", "\\n", "\\r"),
    *("\r", "\n", "\0", "\r\n", "\n\n", "\nHANGUP\n", "\nEXEC Hangup\n"),
)


def number(call: int) -> str:
    """The caller's number that asks for this set."""
    return f"7916{call:07}"


def names() -> tuple[str, ...]:
    """The variables of a set."""
    return ("CALLERID(name)", *(f"V{place}" for place in range(VARIABLES - 1)))


def pairs(call: int) -> list[tuple[str, str]]:
    """The variables of a set and their values, before they are cleaned."""
    chance = random.Random(4711 + call)
    found = [(name, _value(chance)) for name in names()]
    # Two that need a line of their own, so that a set takes several commands.
    for place in chance.sample(range(1, VARIABLES), 2):
        found[place] = (found[place][0], _long(chance))
    return [*found, ("LOOKUP_STATUS", "FOUND")]


def expected(name: str, value: str) -> str:
    """What the manual says about cleaning: CR, LF and NUL become blanks, the rest arrives unchanged.

    Asterisk's CALLERID() strips blanks and control characters around a name.
    """
    cleaned = value.replace("\r", " ").replace("\n", " ").replace("\0", " ")
    return cleaned.strip("".join(map(chr, range(33)))) if name == "CALLERID(name)" else cleaned


def _value(chance: random.Random) -> str:
    return "".join(chance.choices(_PIECES, k=chance.choice((0, 1, 1, 2, 3, 5, 8, 13, 21))))


def _long(chance: random.Random) -> str:
    return "".join(chance.choices(_PIECES, k=chance.choice((500, 1000, 1500))))
