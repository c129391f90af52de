"""Settles calls of which nobody saw the end: marked as not observed, never invented (rule 3).

Such a row stays open when this process was away while the call ended, or when its PBX has no AMI at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog

from fastagi.calls import Call, EventType, Outcome, Status
from fastagi.changes import Observed
from fastagi.interfaces import Journal
from fastagi.pipeline import Pbx
from fastagi.writer import Writer

__all__ = ["Unobserved"]

EVERY = 15.0
"""Seconds between two looks."""
GRACE = timedelta(seconds=15)
"""A row younger than this is left: its channel may still be on its way to the tracker."""
WITHOUT_AMI = timedelta(minutes=5)
"""A call of a PBX without AMI is settled when it is this old."""

log = structlog.get_logger("whocalls.unobserved")


class Unobserved:
    """Looks through the open rows from time to time.

    Args:
        pbxs: every PBX by name.
        journal: where open rows are read.
        writer: where their end is written.
        clock: the time now, UTC.
    """

    def __init__(
        self, pbxs: Mapping[str, Pbx], journal: Journal, writer: Writer, clock: Callable[[], datetime]
    ) -> None:
        self._pbxs = pbxs
        self._journal = journal
        self._writer = writer
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look."""
        self._task = asyncio.create_task(self._look_for_ever())

    async def stop(self) -> None:
        """Ends looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def settle(self, name: str) -> int:
        """Settles the open rows of one PBX that are not live there and returns how many.

        Raises:
            JournalUnavailable: the rows could not be read.
        """
        pbx = self._pbxs[name]
        if pbx.tracking is not None and not pbx.followed():
            return 0
        now = self._clock()
        gone = [call for call in await self._journal.open_calls(name) if _is_gone(pbx, call, now)]
        for call in gone:
            self._writer.put(_settled(call, now))
        return len(gone)

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            for name in self._pbxs:
                try:
                    await self.settle(name)
                except Exception as error:
                    log.warning("open calls could not be read, next try soon", pbx=name, error=str(error))


def _is_gone(pbx: Pbx, call: Call, now: datetime) -> bool:
    if pbx.tracking is None:
        return now - call.started_at > WITHOUT_AMI
    return now - call.started_at > GRACE and not pbx.tracking.knows(call.id)


def _settled(call: Call, now: datetime) -> Observed:
    return Observed(
        id=call.id,
        pbx=call.pbx,
        at=now,
        type=EventType.ENDED,
        direction=call.direction,
        status=Status.PROCESSED if call.answered_at else Status.NOT_PROCESSED,
        outcome=Outcome.NOT_OBSERVED,
        caller=call.caller,
        called=call.called,
        called_name=call.called_name,
        queue=call.queue,
        waiting_seconds=call.waiting_seconds,
        operator=call.operator.sip_phone if call.operator else None,
        started_at=call.started_at,
        answered_at=call.answered_at,
        merged_into=call.merged_into,
    )
