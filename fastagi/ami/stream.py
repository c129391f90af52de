"""The AMI wire as a machine without I/O: bytes in, messages out. Pure.

What comes: one banner line that ends with CRLF, then messages, each some lines and an empty one. Lines end
with CRLF only; a bare CR or LF is part of a value. Nothing is decoded before a message is complete, so a
character cut at the border of two reads comes out whole.

Messages that cannot be Asterisk's own (`authenticity`) come out as `Dropped`, and so does every piece of one that
was torn; with the last of them comes what could be mended. Answers are not paired with actions here; `protocol`
does that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastagi.ami.authenticity import USUAL_KEYS, flaw, is_beginning, is_head, mended
from fastagi.ami.messages import Header, Message, decode
from fastagi.errors import RemoteProtocolError
from fastagi.lines import LineBuffer

__all__ = ["Banner", "Dropped", "Item", "Stream"]

MAX_BANNER: Final = 256
"""Bytes; Asterisk's has 28."""
MAX_LINE: Final = 65_536
"""Bytes of one line; the longest are values of channel variables."""
MAX_MESSAGE: Final = 262_144
"""Bytes of a whole message; an attended transfer, the longest event, has about 4,000."""
MAX_HEADERS: Final = 2_000
"""Lines of a message; an attended transfer has 95 and as many again for channelvars."""
MAX_TORN: Final = 200
"""Lines of a torn event that are kept; an attended transfer has 95, and a number makes no more than 20."""

_END: Final = b"\r\n"
_GREETING: Final = "Call Manager/"


@dataclass(frozen=True, slots=True)
class Banner:
    """The first line; `version` is the protocol's, "11.0.0" in Asterisk 22."""

    version: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A message nobody may believe, and why.

    `kind` is the event it claims to be, "" for a bare piece. `mended` is what of the event that it completes can
    be believed all the same.
    """

    kind: str
    reason: str
    mended: Message | None = None


Item = Banner | Message | Dropped


class Stream:
    """Turns what a manager interface sends into values. One for each connection."""

    def __init__(self) -> None:
        self._banner: LineBuffer | None = LineBuffer(_END, MAX_BANNER)
        self._blocks = LineBuffer(_END + _END, MAX_MESSAGE)
        self._torn: list[Header] = []

    def receive(self, data: bytes) -> list[Item]:
        """Takes bytes as they came, cut anywhere, and returns what they completed.

        Raises:
            RemoteProtocolError: the peer is no Asterisk manager interface, or exceeds a limit. Nothing it
                sends can be read any more.
        """
        items: list[Item] = []
        if self._banner is not None:
            self._banner.feed(data)
            line = self._banner.next_line()
            if line is None:
                return items
            items.append(_banner(line))
            data = self._banner.rest()
            self._banner = None
        self._blocks.feed(data)
        while (block := self._next_block()) is not None:
            self._read(block, items)
        return items

    def _next_block(self) -> bytes | None:
        try:
            return self._blocks.next_line()
        except RemoteProtocolError:
            raise RemoteProtocolError(f"an AMI message of over {MAX_MESSAGE} bytes") from None

    def _read(self, block: bytes, items: list[Item]) -> None:
        """Appends what a block is; takes back the message before it, if that now shows to be forged.

        Asterisk writes each message at once, so the tail that a forged message leaves behind comes in the
        same read. Only where the network cuts the bytes exactly there it comes too late to take anything
        back; no caller can choose that place.
        """
        lines = block.removeprefix(_END)
        begins = is_beginning(lines)
        if not begins or len(lines) < len(block):
            _take_back(items)
        if not lines:
            return
        _check_limits(lines)
        message = decode(lines)
        reason = flaw(message) if begins else "it begins like no message"
        if reason is None:
            if message.event:  # a forged answer may be a piece; nobody waits for it
                self._torn.clear()
            items.append(message)
        else:
            items.append(Dropped(_printable(message.event) if begins else "", reason, self._mend(message)))

    def _mend(self, piece: Message) -> Message | None:
        """Returns the torn event that this piece completes, if it does."""
        if is_head(piece.headers):
            self._torn.clear()
        self._torn += piece.headers
        whole = mended(self._torn)
        if whole is not None or len(self._torn) > MAX_TORN:
            self._torn.clear()
        return whole


def _banner(line: bytes) -> Banner:
    text = line.decode("utf-8", "replace")
    _, found, version = text.partition(_GREETING)
    if not found:
        raise RemoteProtocolError(f"no Asterisk manager interface: it greets with {text[:60]!r}")
    return Banner(version)


def _printable(kind: str) -> str:
    """A forged name may hold anything; it goes into a log."""
    return kind if kind.isidentifier() and len(kind) < 40 else ""


def _take_back(items: list[Item]) -> None:
    """Drops the event that a piece without a beginning follows. Some kinds that nobody tracks end with an
    empty line too many by themselves (TestEvent); those stay."""
    last = items[-1] if items else None
    if isinstance(last, Dropped):
        items[-1] = Dropped(last.kind, last.reason)
    elif isinstance(last, Message) and last.event in USUAL_KEYS:
        items[-1] = Dropped(last.event, "a piece of another message follows it")


def _check_limits(block: bytes) -> None:
    if block.count(_END) >= MAX_HEADERS:
        raise RemoteProtocolError(f"an AMI message of over {MAX_HEADERS} lines")
    if len(block) > MAX_LINE and max(map(len, block.split(_END))) > MAX_LINE:
        raise RemoteProtocolError(f"an AMI line of over {MAX_LINE} bytes")
