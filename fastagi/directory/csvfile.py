"""A CSV file as records with the number of their line: bounded, UTF-8 only, and a broken record harms no other.

A quote that is never closed would swallow the rest of the file; here it costs the one line it stands on.
"""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fastagi.errors import BadInput

__all__ = ["Broken", "Record", "check_utf8", "records"]

LINE_LIMIT = 65_536
"""Longest line in bytes; a row of all columns at their limits is a tenth of that."""
LINES_LIMIT = 20
"""Most lines of one record: an address may have line ends inside its quotes."""
CHUNK = 1 << 20


class Record(list[str]):
    """The fields of one record.

    Attributes:
        line: number of its first line, from 1.
        done: bytes of the file up to its end.
    """

    def __init__(self, fields: list[str], line: int, done: int) -> None:
        super().__init__(fields)
        self.line = line
        self.done = done


class Broken(Record):
    """A record that cannot be read; `reason` says why in words."""

    def __init__(self, line: int, done: int, reason: str) -> None:
        super().__init__([], line, done)
        self.reason = reason


def check_utf8(path: Path) -> None:
    """Reads the whole file once, so that nothing of it is used if it is no text.

    Raises:
        BadInput: names file, line and byte.
        OSError: it cannot be read.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                byte = error.object[error.start]
                raise BadInput(
                    f"{path}, line {line}", f"byte 0x{byte:02X} is not UTF-8; save the file as UTF-8"
                ) from None
            if not chunk:
                return
            line += chunk.count(b"\n")


def records(file: BinaryIO) -> Iterator[Record]:
    """Yields every record that is not empty; the ones that cannot be read as Broken."""
    lines = _Lines(file)
    for number, done, text in lines:
        if text is None:
            yield Broken(number, done, f"is longer than {LINE_LIMIT} bytes")
        elif '"' not in text:
            if text.strip():
                yield Record(text.split(","), number, done)
        else:
            yield _quoted(number, done, text, lines)


_Line = tuple[int, int, str | None]


class _Lines:
    """Numbered lines without their ends; some can be put back. A line over the limit is None."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._back: deque[_Line] = deque()
        self._number = 0
        self._done = 0

    def __iter__(self) -> Iterator[_Line]:
        return self

    def __next__(self) -> _Line:
        if self._back:
            return self._back.popleft()
        raw = self._read()
        if not raw:
            raise StopIteration
        self._number += 1
        if self._number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        if len(raw) > LINE_LIMIT:
            while not raw.endswith(b"\n") and (raw := self._read()):
                pass
            return self._number, self._done, None
        return self._number, self._done, raw.decode("utf-8", "replace").rstrip("\r\n")

    def _read(self) -> bytes:
        raw = self._file.readline(LINE_LIMIT + 1)
        self._done += len(raw)
        return raw

    def put_back(self, lines: list[_Line]) -> None:
        """Gives lines out again, in this order."""
        self._back.extendleft(reversed(lines))


def _quoted(number: int, done: int, text: str, lines: _Lines) -> Record:
    """Reads a record with quotes, and the lines it goes on over: it is complete when its quotes are even."""
    more: list[_Line] = []
    while text.count('"') % 2 and len(more) < LINES_LIMIT:
        following = next(lines, None)
        if following is None:
            break
        more.append(following)
        if following[2] is None:
            break
        text += "\n" + following[2]
    reason = "a quote is never closed"
    if text.count('"') % 2 == 0:
        try:
            return Record(next(csv.reader([text], strict=True)), number, more[-1][1] if more else done)
        except csv.Error as error:
            reason = f"its quotes are wrong: {error}"
    lines.put_back(more)
    return Broken(number, done, reason)
