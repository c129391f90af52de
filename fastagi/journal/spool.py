"""Where changes wait on local disk while the journal's database is away: files of JSON lines.

    FOLDER/1795423013178-9f3a1c2e.jsonl            changes, one per line, oldest first
    FOLDER/1795423013178-9f3a1c2e.jsonl.position   how many of its bytes the journal has
    FOLDER/1795423013178-9f3a1c2e.jsonl.rejected   lines that could not be read, as they were

Each process writes a file of its own, which it holds locked while it lives. A file nobody holds was left by a
process that died; whoever replays next takes it over. A file is removed once the journal has all of it.

`append` returns after fsync: what it took survives a power cut. The position is written without one, so after
a power cut changes may be replayed that the journal has; it knows them by file and position (`Batch`) and
leaves them out. A line that was cut by a death in mid-write is kept aside like one that cannot be read: in
the .rejected file, with an error in the log that names file and line.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from errno import ENOSPC, ENOTSUP
from io import FileIO
from pathlib import Path

import structlog

from fastagi.changes import Change
from fastagi.errors import BadInput
from fastagi.journal.encoding import decode_change, encode_change

__all__ = ["Batch", "FileSpool", "NoSpool"]

BATCH = 200
"""Changes replayed in one transaction."""
LIMIT = 1024 * 1024 * 1024
"""Bytes all files of a process may have: over a million changes."""
LINE_LIMIT = 1024 * 1024
"""Longest line in bytes; a change with 20 candidates has under 200,000."""

PIECE = 1024 * 1024
"""Bytes read at once where lines are only counted."""

_NAME = re.compile(r"\d{13}-[0-9a-f]{8}\.jsonl")

log = structlog.get_logger("whocalls.spool")


class Batch(tuple[Change, ...]):
    """Changes replayed together, and where each comes from: the same whenever it is replayed.

    `file` is the name of its file, `positions` the byte behind each change there.
    """

    file: str
    positions: tuple[int, ...]

    @classmethod
    def of(cls, changes: Sequence[Change], file: str, positions: Sequence[int]) -> Batch:
        """Makes a batch."""
        batch = cls(changes)
        batch.file = file
        batch.positions = tuple(positions)
        return batch


class FileSpool:
    """Implements interfaces.Spool with files in a folder. Blocks; may be called from any thread.

    Args:
        folder: where the files are; made when the first change comes.
        limit: bytes that may wait.
    """

    def __init__(self, folder: Path, *, limit: int = LIMIT) -> None:
        self._folder = folder
        self._limit = limit
        self._lock = threading.RLock()
        self._files: list[_File] = []
        self._own: _File | None = None
        self._looked = False

    def append(self, changes: Sequence[Change]) -> None:
        """Adds changes behind all others; they are on disk when it returns.

        Raises:
            OSError: the disk or the spool is full, or the file cannot be written; nothing was added.
        """
        data = b"".join(map(_line, changes))
        with self._lock:
            if self.size + len(data) > self._limit:
                raise OSError(ENOSPC, f"the spool holds its limit of {self._limit} bytes", str(self._folder))
            if self._own is None:
                self._own = _File.make(self._folder)
                self._files.append(self._own)
            self._own.append(data)

    def replay(self) -> Iterator[Batch]:
        """Yields batches, oldest first; a batch counts as written when the next one is asked for.

        What is appended meanwhile follows. It ends when nothing waits.
        """
        self._adopt()
        while (file := self._oldest()) is not None:
            batch = file.next()
            if batch:
                yield batch
            with self._lock:
                file.advance()
                if not file.waiting:
                    self._forget(file)

    @property
    def size(self) -> int:
        """Bytes that wait, those included that dead processes had left when this one began.

        Takes no lock, which `append` holds while the disk works: the loop's own thread may ask at any time.
        """
        if not self._looked:
            self._adopt()
        return sum(file.waiting for file in tuple(self._files))

    def close(self) -> None:
        """Lets go of all files; what waits is there for the next process."""
        with self._lock:
            for file in self._files:
                file.close()
            self._files.clear()
            self._own = None

    def _oldest(self) -> _File | None:
        with self._lock:
            return self._files[0] if self._files else None

    def _adopt(self) -> None:
        """Takes over the files of processes that died; their changes are older than ours."""
        with self._lock:
            self._looked = True
            known = {file.path for file in self._files}
            for path in sorted(self._folder.glob("*.jsonl")):
                ours = _NAME.fullmatch(path.name) and path not in known
                if ours and (file := _File.take(path)) is not None:
                    self._files.append(file)
            self._files.sort(key=lambda file: file.path.name)

    def _forget(self, file: _File) -> None:
        file.remove()
        self._files.remove(file)
        if file is self._own:
            self._own = None


class NoSpool:
    """Implements interfaces.Spool for a process that takes no calls: nothing ever waits here."""

    size = 0

    def append(self, changes: Sequence[Change]) -> None:
        """Refuses.

        Raises:
            OSError: always.
        """
        raise OSError(ENOTSUP, "this process has no spool")

    def replay(self) -> Iterator[Batch]:
        """Yields nothing."""
        return iter(())


class _File:
    """One file, open and locked."""

    def __init__(self, path: Path, stream: FileIO, position: int) -> None:
        self.path = path
        self._stream = stream
        self._position = position
        self._end = os.fstat(stream.fileno()).st_size
        self._lines: int | None = None
        self._read: tuple[Batch, int, int] | None = None

    @classmethod
    def make(cls, folder: Path) -> _File:
        """Makes a new file, so that it is still there after a power cut."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{time.time_ns() // 1_000_000:013d}-{secrets.token_hex(4)}.jsonl"
        stream = FileIO(path, "x+", opener=_private)
        fcntl.flock(stream, fcntl.LOCK_EX)
        _sync(folder)
        return cls(path, stream, 0)

    @classmethod
    def take(cls, path: Path) -> _File | None:
        """Opens a file that an earlier process left; None where its process lives or removed it."""
        try:
            stream = FileIO(path, "r+")
        except FileNotFoundError:
            return None
        except OSError as error:
            log.error("a file of the spool cannot be opened", file=str(path), error=error.strerror)
            return None
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.close()
            return None
        if os.fstat(stream.fileno()).st_nlink == 0:
            stream.close()
            return None
        file = cls(path, stream, 0)
        file._position = file._stored_position()
        log.warning("changes of an earlier run wait in the spool", file=str(path), bytes=file.waiting)
        return file

    @property
    def waiting(self) -> int:
        """Bytes that the journal does not have."""
        return self._end - self._position

    def append(self, data: bytes) -> None:
        """Adds whole lines; they are on disk when it returns."""
        try:
            self._stream.seek(self._end)
            view = memoryview(data)
            while view:
                view = view[self._stream.write(view) :]
            os.fsync(self._stream.fileno())
        except OSError:
            self._stream.truncate(self._end)  # half a line must not spoil the next one
            raise
        self._end += len(data)

    def next(self) -> Batch:
        """Returns the changes behind the position, the same ones until `advance`."""
        if self._read is None:
            self._read = self._next()
        return self._read[0]

    def advance(self) -> None:
        """Notes that what `next` returned is in the journal."""
        if self._read is not None:
            _, self._position, self._lines = self._read
            self._read = None
            try:
                self._position_file().write_text(str(self._position))
            except OSError as error:  # the journal knows the position as well
                log.warning("the position cannot be kept", file=str(self.path), error=error.strerror)

    def _next(self) -> tuple[Batch, int, int]:
        changes: list[Change] = []
        positions: list[int] = []
        at, number = self._position, self._lines_before()
        with self.path.open("rb") as reader:
            reader.seek(at)
            while len(changes) < BATCH and at < self._end:
                line = reader.readline(LINE_LIMIT)
                at += len(line)
                number += 1
                change = self._decoded(line, number)
                if change is not None:
                    changes.append(change)
                    positions.append(at)
        return Batch.of(changes, self.path.stem, positions), at, number

    def _decoded(self, line: bytes, number: int) -> Change | None:
        try:
            if not line.endswith(b"\n"):
                raise BadInput("line", "is cut: its process died in mid-write")
            return decode_change(line[:-1])
        except BadInput as error:
            rejected = self.path.with_suffix(".jsonl.rejected")
            log.error(
                "a line of the spool cannot be read and is kept aside",
                file=str(self.path),
                line=number,
                reason=str(error),
                kept_in=str(rejected),
            )
            _keep_aside(rejected, line)
            return None

    def _lines_before(self) -> int:
        if self._lines is None:
            with self.path.open("rb") as reader:
                pieces = iter(lambda: reader.read(min(PIECE, self._position - reader.tell())), b"")
                self._lines = sum(piece.count(b"\n") for piece in pieces)
        return self._lines

    def _position_file(self) -> Path:
        return self.path.with_suffix(".jsonl.position")

    def _stored_position(self) -> int:
        """Reads how far an earlier process came; what is no such number means: from the beginning."""
        try:
            position = int(self._position_file().read_text())
        except (OSError, ValueError):
            return 0
        return position if 0 <= position <= self._end else 0

    def remove(self) -> None:
        """Removes the file once the journal has all of it; rejected lines stay."""
        self.path.unlink()
        self._position_file().unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Lets go of it."""
        self._stream.close()


def _keep_aside(file: Path, line: bytes) -> None:
    try:
        with FileIO(file, "a", opener=_private) as aside:
            aside.write(line.rstrip(b"\n") + b"\n")
    except OSError as error:
        # The last resort: the log has the line in full.
        log.critical("a line cannot be kept aside", file=str(file), line=ascii(line), error=error.strerror)


def _line(change: Change) -> bytes:
    try:
        return encode_change(change) + b"\n"
    except Exception:
        # A bug of ours in one change; the others must not be lost with it.
        log.critical("a change cannot be kept", change=repr(change), exc_info=True)
        return b""


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
