"""AMI messages: ordered headers, read and written. Pure.

FACTS.md B6 is the source of every rule here. Reading never fails: what is no UTF-8 becomes U+FFFD, a line
without a colon becomes a key without a value. Values come out as Asterisk meant them, control characters of
a caller's name included; whoever stores or shows one cleans it. Writing refuses what the wire cannot carry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from fastagi.errors import LocalProtocolError

__all__ = ["Header", "Message", "decode", "encode"]

MAX_LINE: Final = 1022
"""Bytes of an action's line without its CRLF: Asterisk refuses more than 1024 with it."""
MAX_HEADERS: Final = 128
"""Lines of an action, Action and ActionID included."""

_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
_FORBIDDEN: Final = re.compile(r"[\r\n\0]")

# In events Asterisk writes these values as C would, whatever prefix a second channel gives the key; all
# other values come raw. EffectiveConnectedLineName, of the action Status alone, is the exception.
_ESCAPED: Final = ("CallerIDName", "ConnectedLineName", "ChanVariable")
_RAW: Final = "EffectiveConnectedLineName"
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_MEANING: Final = dict(zip("abfnrtv\\'\"?", "\a\b\f\n\r\t\v\\'\"?", strict=True))

Header = tuple[str, str]


class Message:
    """One AMI message: headers in order, keys may repeat.

    Args:
        headers: (key, value) pairs as they came, values unescaped.
    """

    __slots__ = ("_first", "headers")

    def __init__(self, headers: Sequence[Header]) -> None:
        self.headers = headers
        # Reversed, so that of a repeated key the first one stays.
        self._first: dict[str, str] = dict(headers[::-1])

    def get(self, key: str, default: str = "") -> str:
        """Returns the first value of a key."""
        return self._first.get(key, default)

    def all(self, key: str) -> list[str]:
        """Returns every value of a key in order."""
        return [value for name, value in self.headers if name == key]

    def __contains__(self, key: object) -> bool:
        return key in self._first

    @property
    def event(self) -> str:
        """The event's name, "" for a response."""
        return self._first.get("Event", "")

    @property
    def response(self) -> str:
        """Success, Error, Goodbye …, "" for an event."""
        return self._first.get("Response", "")

    @property
    def action_id(self) -> str:
        """The ActionID it answers, "" where there is none."""
        return self._first.get("ActionID", "")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and list(self.headers) == list(other.headers)

    def __hash__(self) -> int:
        return hash(tuple(self.headers))

    def __repr__(self) -> str:
        return f"Message({list(self.headers)!r})"


def decode(block: bytes) -> Message:
    """Reads one message.

    Args:
        block: its lines, joined by CRLF, without the empty line that ends it. A bare CR or LF is part of a
            value.
    """
    text = block.decode("utf-8", "replace")
    headers = [_header(line) for line in text.split("\r\n")]
    if "\\" in text and headers[0][0] == "Event":
        headers = _unescaped(headers)
    return Message(headers)


def _header(line: str) -> Header:
    key, colon, value = line.partition(": ")
    return (key, value) if colon else (line.removesuffix(":"), "")


def _unescaped(headers: list[Header]) -> list[Header]:
    """Returns the headers of an event with the values undone that Asterisk escapes."""
    of_variable = headers[0][1] == "VarSet"
    return [
        (key, _ESCAPE.sub(_meant, value))
        if "\\" in value and (_is_escaped(key) or (of_variable and key == "Value"))
        else (key, value)
        for key, value in headers
    ]


def _is_escaped(key: str) -> bool:
    return key.endswith(_ESCAPED) and key != _RAW


def _meant(found: re.Match[str]) -> str:
    return _MEANING.get(found[1], found[0])


def encode(action: str, action_id: str, headers: Iterable[Header] = ()) -> bytes:
    """Writes an action.

    Args:
        action: its name, for example "Login".
        action_id: what its answer will be known by.
        headers: more keys and their values, which the caller has cleaned.

    Raises:
        LocalProtocolError: a key or value holds what would begin another header (CR, LF, NUL), or is longer
            than Asterisk reads. The text names the key, never the value, which may be a secret.
    """
    lines = [_line(key, value) for key, value in (("Action", action), ("ActionID", action_id), *headers)]
    if len(lines) > MAX_HEADERS:
        raise LocalProtocolError(f"AMI action {action!r}: {len(lines)} headers, Asterisk reads {MAX_HEADERS}")
    return b"".join(lines) + b"\r\n"


def _line(key: str, value: str) -> bytes:
    if not _KEY.match(key):
        raise LocalProtocolError(f"AMI header {key[:40]!r}: a key is made of letters, digits, - and _")
    if _FORBIDDEN.search(value):
        raise LocalProtocolError(f"AMI header {key}: its value holds a line end or NUL; clean it first")
    line = f"{key}: {value}".encode("utf-8", "replace")
    if len(line) > MAX_LINE:
        raise LocalProtocolError(f"AMI header {key}: a line of {len(line)} bytes, Asterisk reads {MAX_LINE}")
    return line + b"\r\n"
