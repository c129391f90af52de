"""Commands to Asterisk, and the one quoting for AGI. Pure.

Every rule here was measured on Asterisk 22 (FACTS.md B3):
  * an AGI argument stands in double quotes; in it, backslash and quote get a backslash;
  * MSet takes its data apart once more: backslash, quote, comma, brackets and parentheses get a backslash first;
  * `${...}` and `$[...]` are not evaluated, so they need nothing;
  * a line has at most 8190 bytes and its LF; the rest of a longer one would be executed as a command of its own;
  * MSet takes 98 variables; a 99th would swallow the rest;
  * LF and NUL cannot be carried, and a CR at the end of a line would become part of the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from fastagi.errors import LocalProtocolError

__all__ = ["MAX_LINE", "MAX_VARIABLES", "app", "arg", "clean", "mset"]

MAX_LINE: Final = 8190
"""Bytes of a command without its LF."""
MAX_VARIABLES: Final = 98
"""Variables of one MSet."""

_UNCARRIED: Final = dict.fromkeys(map(ord, "\r\n\0"), " ")
_FORBIDDEN = re.compile(r"[\r\n\0\ud800-\udfff]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_NAME = re.compile(r"_{0,2}[A-Za-z][A-Za-z0-9_]*\Z|[A-Z]+\([a-z]+\)\Z")
_FOR_APP: Final = '\\",()[]'
"""The backslash first: those that are added later must stay single."""
_ANY_FOR_APP = re.compile(r'[\\",()\[\]]')

_START: Final = "EXEC MSet "
_ROOM: Final = MAX_LINE - len(_START) - 2
"""Bytes for the pairs and their commas, between the quotes."""


def clean(value: str) -> str:
    """Returns the value as the wire can carry it: CR, LF and NUL become blanks, half a surrogate pair U+FFFD.

    Everything else arrives in Asterisk unchanged.
    """
    if value.isprintable():  # those three are not, and this is quicker than to look for them
        return value
    return _SURROGATES.sub("\ufffd", value.translate(_UNCARRIED))


def arg(value: str) -> str:
    """Quotes one argument of an AGI command.

    Raises:
        LocalProtocolError: the value was not cleaned.
    """
    if found := _FORBIDDEN.search(value):
        raise LocalProtocolError(f"AGI cannot carry {found[0]!r}: clean the value first")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def app(value: str) -> str:
    """Adds the layer that MSet takes off again; the whole then goes through `arg`."""
    if _ANY_FOR_APP.search(value):
        for character in _FOR_APP:
            value = value.replace(character, "\\" + character)
    return value


def mset(pairs: Sequence[tuple[str, str]]) -> list[bytes]:
    """Returns the command lines, without LF, that set all variables in this order.

    One line where it fits, more where not. Only a value that alone exceeds a line is cut, on a character.

    Args:
        pairs: names and cleaned values; an empty sequence needs no command and gives none.

    Raises:
        LocalProtocolError: a value was not cleaned, or a name is none.
    """
    if not pairs:
        return []
    words = [_name(name) + app(value) for name, value in pairs]
    line = _command(words)
    # It nearly always fits: only where it does not is the length of each part looked at.
    if len(line) <= MAX_LINE and len(words) <= MAX_VARIABLES:
        return [line]
    fitting = (_cut(name, value, word) for (name, value), word in zip(pairs, words, strict=True))
    return [_command(group) for group in _groups(fitting)]


def _command(words: Sequence[str]) -> bytes:
    return (_START + arg(",".join(words))).encode()


def _size(word: str) -> int:
    """Bytes of a part of a command, as quoted."""
    return len(arg(word).encode()) - 2


def _groups(words: Iterable[str]) -> Iterable[list[str]]:
    group: list[str] = []
    room = _ROOM
    for word in words:
        needed = _size(word)
        if group and (needed + 1 > room or len(group) == MAX_VARIABLES):
            yield group
            group, room = [], _ROOM
        room -= needed + bool(group)
        group.append(word)
    yield group


def _cut(name: str, value: str, word: str) -> str:
    """Returns the pair with as much of the value as one line can take."""
    if _size(word) <= _ROOM:
        return word
    low, high = 0, len(value)
    while low < high:  # the longest beginning that fits: the size grows with every character
        middle = (low + high + 1) // 2
        if _size(_name(name) + app(value[:middle])) <= _ROOM:
            low = middle
        else:
            high = middle - 1
    return _name(name) + app(value[:low])


@lru_cache(maxsize=512)  # a few dozen names, the same for years
def _name(name: str) -> str:
    if not _NAME.match(name):
        raise LocalProtocolError(f"{name!r} is no name of a channel variable")
    return name + "="
