"""What Asterisk answers to AGI commands. Pure.

    100 result=0 Trying...                              goes on, the answer follows
    200 result=R                                        done; R is the command's own code
    200 result=R (data) endpos=N                        with what the command brought
    510 Invalid or unknown command                      not known
    511 Command Not Permitted on a dead channel ...     the caller is gone
    520-Invalid command syntax.  Proper usage follows:  bad syntax; lines until
    520 End of proper usage.                            this one are one reply
    520 Invalid command syntax.  Proper usage ...       the same, where there is no usage to show
    HANGUP                                              no reply: the caller hung up

Any other line is an offence: whoever sent it does not speak AGI, or a caller forged it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fastagi.errors import RemoteProtocolError

__all__ = ["HANGUP", "HungUpNotice", "Replies", "Reply"]

MAX_USAGE_LINES: Final = 200
"""The longest usage text of Asterisk 22 has under 60 lines."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to one command.

    `result` is the word after `result=` of a 200 and None otherwise; `data` what stood in parentheses;
    `text` the words of the others, a usage text with its lines.
    """

    code: int
    result: str | None = None
    data: str | None = None
    endpos: int | None = None
    text: str = ""

    @property
    def is_success(self) -> bool:
        """Says whether the command was carried out (`EXEC` of a known application that went well)."""
        return self.code == 200 and self.result == "0"


@dataclass(frozen=True, slots=True)
class HungUpNotice:
    """The line HANGUP: the caller hung up, or the AGI ends. It answers no command."""


HANGUP: Final = HungUpNotice()
_DONE: Final = Reply(200, "0")
_SUCCESS = re.compile(
    rb"(?P<code>100|200) result=(?P<result>[^ ()]*)(?: \((?P<data>.*)\))?"
    rb"(?: endpos=(?P<endpos>\d{1,18}))?(?P<text>(?: .*)?)\Z",
    re.DOTALL,
)
_WORDS = re.compile(rb"(?P<code>100|510|511|520)(?P<more>[ -])(?P<text>.*)\Z", re.DOTALL)


class Replies:
    """Turns complete lines into replies; keeps the lines of a 520 until its last."""

    def __init__(self) -> None:
        self._usage: list[str] = []

    def take(self, line: bytes) -> Reply | HungUpNotice | None:
        """Takes one line without its end; returns what it means, or None within a reply of several lines.

        Raises:
            RemoteProtocolError: the line is nothing that Asterisk says.
        """
        if self._usage:
            return self._within_usage(line)
        if line == b"200 result=0":
            return _DONE
        if line == b"HANGUP":
            return HANGUP
        if success := _SUCCESS.match(line):
            return _success(success)
        if words := _WORDS.match(line):
            return self._in_words(words)
        raise RemoteProtocolError("a line that is no reply")

    def _in_words(self, found: re.Match[bytes]) -> Reply | None:
        text = _text(found["text"])
        if found["more"] == b"-":
            self._usage = [text]
            return None
        return Reply(int(found["code"]), text=text)

    def _within_usage(self, line: bytes) -> Reply | None:
        self._usage.append(_text(line.removeprefix(b"520 ")))
        if line.startswith(b"520 "):
            reply = Reply(520, text="\n".join(self._usage))
            self._usage = []
            return reply
        if len(self._usage) > MAX_USAGE_LINES:
            raise RemoteProtocolError(f"a reply of over {MAX_USAGE_LINES} lines")
        return None


def _success(found: re.Match[bytes]) -> Reply:
    data, endpos = found["data"], found["endpos"]
    return Reply(
        int(found["code"]),
        _text(found["result"]),
        None if data is None else _text(data),
        None if endpos is None else int(endpos),
        _text(found["text"]).strip(),
    )


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
