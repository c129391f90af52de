"""Settles calls of which nobody saw the end: marked as not observed, never invented (rule 3).

Such a row stays open when this process was away while the call ended, or when its PBX has no AMI at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from fastagi.calls import Call, EventType, Outcome, Status
from fastagi.changes import Observed
from fastagi.interfaces import Journal
from fastagi.pipeline import Pbx, Pipeline

__all__ = ["EVERY", "Unobserved"]

EVERY = 15.0
"""Seconds between two looks."""
GRACE = timedelta(seconds=15)
"""A row younger than this is left: its channel may still be on its way to the tracker."""
WITHOUT_AMI = timedelta(minutes=5)
"""A call of a PBX without AMI, or whose AMI is out of reach, is settled when it is this old."""


class Unobserved:
    """Looks through the open rows.

    Args:
        pbxs: every PBX by name.
        journal: where open rows are read.
        pipeline: takes their end.
        clock: the time now, UTC.
    """

    def __init__(
        self, pbxs: Mapping[str, Pbx], journal: Journal, pipeline: Pipeline, clock: Callable[[], datetime]
    ) -> None:
        self._pbxs = pbxs
        self._journal = journal
        self._pipeline = pipeline
        self._clock = clock

    async def settle_all(self) -> int:
        """Settles the open rows of every PBX and returns how many.

        Raises:
            JournalUnavailable: the rows could not be read.
        """
        return sum([await self.settle(pbx) for pbx in self._pbxs.values()])

    async def settle(self, pbx: Pbx) -> int:
        """Settles the open rows of one PBX that are not live there and returns how many.

        Raises:
            JournalUnavailable: the rows could not be read.
        """
        if pbx.tracking is not None:
            self._pipeline.observed(pbx.name, pbx.tracking.expire(self._clock()))
        rows = await self._journal.open_calls(pbx.name)
        now = self._clock()
        gone = [_settled(call, now) for call in rows if _is_gone(pbx, call, now)]
        self._pipeline.observed(pbx.name, gone)
        return len(gone)


def _is_gone(pbx: Pbx, call: Call, now: datetime) -> bool:
    """Says so of a call that AMI does not show; should it turn up after all, its row becomes live again."""
    if pbx.tracking is not None and pbx.tracking.knows(call.id):
        return False
    return now - call.started_at > (GRACE if pbx.followed() else WITHOUT_AMI)


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
        queue=call.queue,
        waiting_seconds=call.waiting_seconds,
        operator=call.operator.sip_phone if call.operator else None,
        started_at=call.started_at,
        answered_at=call.answered_at,
        merged_into=call.merged_into,
    )
