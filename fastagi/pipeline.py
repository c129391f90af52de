"""Where the AGI and AMI branches meet: every call goes through here into journal and bus.

It answers AGI with channel variables, follows what AMI observed and looks callers up where AMI does it.
It never waits for journal, bus or browser.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final, Protocol

import structlog

from fastagi.agi.requests import Request
from fastagi.agi.variables import variables_for
from fastagi.calls import Call, Caller, Direction, EventType, LookupStatus, Status, call_id
from fastagi.changes import Edited, LookedUp, Observed
from fastagi.interfaces import LookupAnswer
from fastagi.lookup import Lookup
from fastagi.numbers import Numbers
from fastagi.writer import Writer

__all__ = ["Pbx", "Pipeline", "Tracking"]

LOOKED_LIMIT = 10_000
"""Most calls remembered as looked up by AMI; more live calls than this are no call centre."""
_CONTROLS: Final = dict.fromkeys((*range(32), *range(127, 160)), " ")

log = structlog.get_logger("whocalls.pipeline")

Variables = Sequence[tuple[str, str]]


class Tracking(Protocol):
    """What the pipeline asks of a PBX's tracker; implemented by ami.tracker.Tracker."""

    def resolve(self, uniqueid: str, linkedid: str | None) -> str:
        """Returns the id of the call a channel belongs to."""

    def knows(self, id: str) -> bool:
        """Says whether the call is live there."""

    def expire(self, now: datetime) -> Sequence[Observed]:
        """Ends calls that can no longer end by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pbx:
    """One Asterisk as the pipeline sees it.

    `tracking` is None without AMI; `followed` says whether AMI is connected and its snapshot was merged.
    """

    name: str
    lookup_by_ami: bool = False
    tracking: Tracking | None = None
    followed: Callable[[], bool] = lambda: False


class Pipeline:
    """Joins lookup, tracker and writer.

    Args:
        pbxs: every PBX by name.
        lookup: the use case.
        numbers: reads raw numbers.
        writer: takes the changes.
        clock: the time now, UTC.
        lines: called number to the name shown for it.
        extra: more channel variables, name to subscriber field.
        prefix: inheritance prefix of variable names.
    """

    def __init__(
        self,
        *,
        pbxs: Mapping[str, Pbx],
        lookup: Lookup,
        numbers: Numbers,
        writer: Writer,
        clock: Callable[[], datetime],
        lines: Mapping[str, str],
        extra: Mapping[str, str],
        prefix: str,
    ) -> None:
        self._pbxs = pbxs
        self._only = next(iter(pbxs)) if len(pbxs) == 1 else ""
        self._lookup = lookup
        self._numbers = numbers
        self._writer = writer
        self._clock = clock
        self._lines = lines
        self._extra = extra
        self._prefix = prefix
        self._looked: dict[str, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.unknown_pbx = 0

    # -- AGI ----------------------------------------------------------------------------------------------

    async def ask(self, request: Request, peer: str) -> Variables:
        """Returns the channel variables for a call that Asterisk asks about, and journals the call."""
        name = request.pbx or self._only
        pbx = self._pbxs.get(name)
        if pbx is None:
            self.unknown_pbx += 1
            log.warning("AGI request of an unknown pbx", pbx=name[:80], peer=peer)
            return self._variables(None, LookupStatus.ERROR)
        journal = partial(
            self._journal_answer,
            pbx=pbx.name,
            id=self._resolve(pbx, request.uniqueid, request.linkedid),
            trunk_name=request.calleridname,
            called=request.dnid,
        )
        answer = await self._lookup.find(request.callerid or "", request.callingpres, journal)
        journal(answer)
        return self._variables(answer, answer.status)

    def refused(self, pbx: str | None, uniqueid: str | None, *, hostile: bool) -> None:
        """Journals a call whose AGI session was closed by us.

        Args:
            pbx: as far as it could be believed, like the other.
            uniqueid: of the channel that asked.
            hostile: somebody forged a part of it, so whatever it told before is void.
        """
        known = self._pbxs.get(pbx or self._only)
        if known is None or uniqueid is None:
            return
        self._writer.put(
            LookedUp(
                id=self._resolve(known, uniqueid, None),
                pbx=known.name,
                at=self._clock(),
                lookup=LookupStatus.ERROR,
                caller=Caller(),
                hostile=hostile,
            )
        )

    def _resolve(self, pbx: Pbx, uniqueid: str, linkedid: str | None) -> str:
        if pbx.tracking is not None:
            return pbx.tracking.resolve(uniqueid, linkedid)
        return call_id(pbx.name, linkedid or uniqueid)

    def _variables(self, answer: LookupAnswer | None, status: LookupStatus) -> Variables:
        return variables_for(
            status=status,
            subscriber=answer.subscribers[0] if answer and answer.subscribers else None,
            lead=answer.lead if answer else None,
            e164=answer.number.e164 if answer else None,
            extra=self._extra,
            prefix=self._prefix,
        )

    # -- AMI ----------------------------------------------------------------------------------------------

    def observed(self, pbx: str, changes: Sequence[Observed]) -> None:
        """Takes what a tracker made of AMI events."""
        for change in map(_printable, changes):
            self._writer.put(self._readable(change))
            if self._is_ours_to_look_up(self._pbxs[pbx], change):
                self._spawn(self._look_up(change))

    def _readable(self, change: Observed) -> Observed:
        """Reads the raw numbers of an observation and names its line."""
        called = self._called(change.called)
        e164 = self._numbers.parse(change.caller.raw).e164
        caller = replace(change.caller, e164=e164)
        return replace(change, caller=caller, called=called, called_name=self._lines.get(called or ""))

    def _called(self, raw: str | None) -> str | None:
        return (self._numbers.parse(raw).e164 or raw) if raw else None

    def _is_ours_to_look_up(self, pbx: Pbx, change: Observed) -> bool:
        """Once per call: outgoing ones by the called number, incoming ones where AGI does not."""
        if change.type in (EventType.ENDED, EventType.MERGED):
            self._looked.pop(change.id, None)
            return False
        # An originated call goes out before its number is known.
        wanted = (change.direction is Direction.OUTGOING and change.called is not None) or (
            change.direction is Direction.INCOMING and pbx.lookup_by_ami
        )
        if not wanted or change.id in self._looked or len(self._looked) >= LOOKED_LIMIT:
            return False
        self._looked[change.id] = None
        return True

    async def _look_up(self, change: Observed) -> None:
        outgoing = change.direction is Direction.OUTGOING
        raw = (change.called if outgoing else change.caller.raw) or ""
        journal = partial(
            self._journal_answer,
            pbx=change.pbx,
            id=change.id,
            trunk_name=change.caller.name,
            called=change.called,
            dialler=change.caller if outgoing else None,
        )
        journal(await self._lookup.find(raw, 0, journal))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a lookup for AMI failed", exc_info=task.exception())

    # -- people -------------------------------------------------------------------------------------------

    async def edit(self, id: str, *, by: str, status: Status | None, note: str | None) -> Call | None:
        """Changes a call for a person (interfaces.Editor)."""
        pbx = id.partition(":")[0]
        change = Edited(id=id, pbx=pbx, at=self._clock(), by=by, status=status, note=note)
        return await self._writer.write_now(change)

    async def stop(self) -> None:
        """Ends the lookups in hand."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- both ---------------------------------------------------------------------------------------------

    def _journal_answer(
        self,
        answer: LookupAnswer,
        *,
        pbx: str,
        id: str,
        trunk_name: str | None,
        called: str | None,
        dialler: Caller | None = None,
    ) -> None:
        """Journals what a lookup came to, in time or late; an outgoing call keeps its dialler as caller."""
        first = answer.subscribers[0] if answer.subscribers else None
        known = first or answer.lead
        number = answer.number
        name = known.name if known else trunk_name
        called = self._called(called)
        self._writer.put(
            LookedUp(
                id=id,
                pbx=pbx,
                at=self._clock(),
                lookup=answer.status,
                caller=dialler or Caller(raw=number.raw, e164=number.e164, name=name),
                called=called,
                called_name=self._lines.get(called or ""),
                subscriber=first,
                candidates=answer.subscribers if len(answer.subscribers) > 1 else (),
                lead=answer.lead,
                match=answer.match,
            )
        )


def _printable(change: Observed) -> Observed:
    """Takes control characters out of what a caller or a dialler wrote; AMI passes on line ends of theirs."""
    caller, called = change.caller, change.called
    if caller.raw.isprintable() and (caller.name or "").isprintable() and (called or "").isprintable():
        return change
    caller = replace(caller, raw=_line(caller.raw), name=_line(caller.name) if caller.name else None)
    return replace(change, caller=caller, called=_line(called) if called else None)


def _line(text: str) -> str:
    return text.translate(_CONTROLS)
