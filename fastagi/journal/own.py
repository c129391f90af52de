"""The journal in whocalls' own database: on SQLite, PostgreSQL and MariaDB alike."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from io import FileIO
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy import Connection, delete, func, select
from sqlalchemy.exc import SQLAlchemyError

from fastagi.calls import Call
from fastagi.changes import Change
from fastagi.database import Database
from fastagi.engines import is_poison, told
from fastagi.errors import DatabaseUnavailable, JournalUnavailable
from fastagi.events import Event
from fastagi.interfaces import CallPage, CallQuery, EventRange, StatusChange
from fastagi.journal import reading, writing
from fastagi.journal.encoding import encode_change
from fastagi.journal.rows import fitted
from fastagi.journal.spool import Batch
from fastagi.schema import counters, events

__all__ = ["SqlJournal"]

T = TypeVar("T")

EVENTS_KEPT = timedelta(hours=24)
SPOOL_KEPT = timedelta(days=90)
"""How long it is remembered how far a file of the spool was written."""
PRUNED_AT_ONCE = 5000
"""Events deleted in one transaction: a few tens of milliseconds in which no call is written."""

log = structlog.get_logger("whocalls.journal")


class SqlJournal:
    """Implements interfaces.Journal.

    Args:
        database: opened by whoever made it.
        rejected: file that keeps changes which the database cannot take, one JSON line each. None keeps
            them in the log only.
    """

    def __init__(self, database: Database, *, rejected: Path | None = None) -> None:
        self._database = database
        self._rejected = rejected
        self.rejections = 0

    async def write(self, changes: Sequence[Change]) -> Sequence[Event]:
        """Writes changes in order, in one transaction, and returns their events with their seq.

        A `Batch` of the spool may be written again: what the journal has of it is left out. Other changes
        that are written twice (the connection was lost in the commit itself, and the writer tried again)
        give the same row with a higher version, and their events twice.

        A change that the database refuses goes to the log and to the file of rejected changes; the others
        are written.

        Raises:
            JournalUnavailable: nothing was written.
        """
        try:
            return await self._database.write(lambda connection: writing.write(connection, _fitted(changes)))
        except DatabaseUnavailable as error:
            raise JournalUnavailable(str(error)) from error
        except Exception as error:
            if not is_poison(error):
                raise JournalUnavailable(told(error)) from error
        return await self._write_what_goes_in(changes)

    async def _write_what_goes_in(self, changes: Sequence[Change]) -> Sequence[Event]:
        try:
            written, rejected = await self._run(
                self._database.write(
                    lambda connection: writing.write_what_goes_in(connection, _fitted(changes))
                )
            )
        except SQLAlchemyError as error:
            raise JournalUnavailable(told(error)) from error
        for one in rejected:
            self.rejections += 1
            log.error("a change cannot be written", reason=one.reason, change=repr(one.change))
        if rejected and self._rejected is not None:
            await asyncio.to_thread(_keep, self._rejected, [one.change for one in rejected])
        return written

    # -- reading ------------------------------------------------------------------------------------------

    async def call(self, id: str) -> Call | None:
        """Returns one call."""
        return await self._read(lambda connection: reading.call(connection, id))

    async def calls(self, query: CallQuery) -> CallPage:
        """Returns a page of calls, newest first; merged ones are left out. At most 1000 at once.

        Raises:
            BadInput: the cursor is not one of ours, the number has no digit, or a time has no zone.
            JournalUnavailable: the database is away.
        """
        return await self._read(lambda connection: reading.page(connection, query))

    async def open_calls(self, pbx: str) -> Sequence[Call]:
        """Returns the calls of a PBX that are still live, oldest first."""
        return await self._read(lambda connection: reading.open_calls(connection, pbx))

    async def events_after(self, seq: int, limit: int) -> Sequence[Event]:
        """Returns events with a higher seq, lowest first, at most 1000."""
        return await self._read(lambda connection: reading.events_after(connection, seq, limit))

    async def event_range(self) -> EventRange:
        """Returns what the events table holds."""
        return await self._read(reading.event_range)

    async def history(self, id: str) -> Sequence[StatusChange]:
        """Returns who changed the status of a call, oldest first."""
        return await self._read(lambda connection: reading.history(connection, id))

    # -- keeping it small ---------------------------------------------------------------------------------

    async def prune(self, now: datetime) -> int:
        """Deletes events older than 24 hours, some at a time, and returns how many.

        Only what comes before every younger event goes: what is left has no hole, even where a replayed
        spool gave old events a high seq.

        Raises:
            JournalUnavailable: the database went away; what was deleted is deleted.
        """
        border = await self._read(lambda connection: _border(connection, now - EVENTS_KEPT))
        deleted = 0
        while some := await self._run(self._database.write(lambda connection: _delete(connection, border))):
            deleted += some
        oldest = f"{writing.SPOOL}{int((now - SPOOL_KEPT).timestamp() * 1000):013d}"
        forget = delete(counters).where(counters.c.name.between(writing.SPOOL, oldest))
        await self._run(self._database.write(lambda connection: connection.execute(forget).rowcount))
        return deleted

    async def _read(self, query: Callable[[Connection], T]) -> T:
        return await self._run(self._database.read(query))

    async def _run(self, asked: Awaitable[T]) -> T:
        """Waits for the database and says its absence in the journal's own words."""
        try:
            return await asked
        except DatabaseUnavailable as error:
            raise JournalUnavailable(str(error)) from error


def _fitted(changes: Sequence[Change]) -> Sequence[Change]:
    fit = [fitted(change) for change in changes]
    return Batch.of(fit, changes.file, changes.positions) if isinstance(changes, Batch) else fit


def _border(connection: Connection, oldest: datetime) -> int:
    """Returns the seq below which every event is older."""
    # The order of the key is walked: it ends at the first young event, behind those that will be deleted.
    young = func.coalesce(events.c.at, 0) >= oldest
    first = connection.scalar(select(events.c.seq).where(young).order_by(events.c.seq).limit(1))
    return first or (connection.scalar(select(func.max(events.c.seq))) or 0) + 1


def _delete(connection: Connection, border: int) -> int:
    lowest = connection.scalar(select(func.min(events.c.seq)))
    if lowest is None or lowest >= border:
        return 0
    below = min(border, lowest + PRUNED_AT_ONCE)
    return connection.execute(delete(events).where(events.c.seq < below)).rowcount


def _keep(file: Path, changes: Sequence[Change]) -> None:
    """Adds refused changes to their file; the log has them even where this fails."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileIO(file, "a", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
            for change in changes:
                stream.write(_line(change))
    except OSError as error:
        log.error("refused changes cannot be kept in their file", file=str(file), error=error.strerror)


def _line(change: Change) -> bytes:
    try:
        return encode_change(change) + b"\n"
    except Exception:
        return ascii(change).encode() + b"\n"  # what cannot be JSON is kept as Python shows it
