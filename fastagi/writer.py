"""The one way into journal and bus: in order, in batches, journal before bus, never on the path of a reply.

    put -> queue -> journal -> outbox -> bus
                 \\-> spool (database away) -> journal (database back)

A write that fails is tried again, then goes to the spool and is replayed in order when the database is back.
Meanwhile events go out with `seq` None and what this process knows; the push side sends `reset` afterwards.
The bus has a queue of its own: a frozen Redis must not delay the journal. What the bus loses, the events
table still has.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from fastagi.calls import Call, Operator, is_live
from fastagi.changes import Change, apply
from fastagi.errors import BusUnavailable, JournalUnavailable
from fastagi.events import Event, encode
from fastagi.interfaces import Bus, Health, Journal, Spool

__all__ = ["Writer"]

BATCH = 500
"""Most changes in one transaction."""
QUEUE = 200_000
"""Most changes that wait in memory: minutes of a busy centre, when neither database nor disk moves."""
OUTBOX = 20_000
"""Most events that wait for the bus; older ones are dropped, the events table has them."""
PUBLISHED_AT_ONCE = 100
"""Events encoded in one turn of the loop, about 1.5 ms."""
STUCK = 30.0
"""Seconds; a change that has waited this long means that nothing is written any more."""
RETRIES = (0.05, 0.3)
"""Seconds before the second and third try of a write that failed quickly."""
QUICK = 1.0
"""Seconds; a failure that took longer is a server that hangs."""
BRING_BACK_EVERY = 1.0
"""Seconds between two tries to bring the spool back."""

log = structlog.get_logger("whocalls.writer")


class Writer:
    """Writes changes to the journal and their events to the bus.

    Args:
        journal: where rows and events go.
        bus: where events go afterwards.
        spool: where changes wait while the journal is away.
        clock: the time now, UTC.
    """

    def __init__(self, journal: Journal, bus: Bus, spool: Spool, clock: Callable[[], datetime]) -> None:
        self._journal = journal
        self._bus = bus
        self._spool = spool
        self._clock = clock
        self._queue: deque[tuple[datetime, Change]] = deque()
        self._outbox: deque[Event] = deque(maxlen=OUTBOX)
        self._work = asyncio.Event()
        self._post = asyncio.Event()
        self._away: str | None = None
        self._live: dict[str, Call] = {}
        self._spooling = asyncio.Lock()
        self._stopping = False
        self._closing = False
        self._writing: asyncio.Task[None] | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._returning: asyncio.Task[None] | None = None
        self.written = 0
        self.spooled = 0
        self.published = 0
        self.unpublished = 0

    def put(self, change: Change) -> None:
        """Takes a change; returns at once. Past `QUEUE` a change goes into the log only."""
        if len(self._queue) >= QUEUE:
            log.critical("too many changes wait; this one is only here", change=repr(change))
            return
        self._queue.append((self._clock(), change))
        self._work.set()

    async def write_now(self, change: Change) -> Call | None:
        """Writes one change at once, for a person who waits for it.

        Returns:
            The call afterwards; None where the change changed nothing.

        Raises:
            JournalUnavailable: nothing was changed.
        """
        events = await self._journal.write([change])
        self._send(events)
        return events[-1].call if events else None

    def start(self) -> None:
        """Begins to write; what an earlier run left in the spool goes first."""
        if self._spool.size:
            self._away = "changes of an earlier run wait in the spool"
        self._writing = asyncio.create_task(self._write_all())
        self._publishing = asyncio.create_task(self._publish_all())

    async def stop(self, limit: float = 3.0) -> None:
        """Writes what waits, within `limit` seconds; what is left goes to the spool."""
        self._stopping = True
        self._work.set()
        await _ended(self._writing, limit)
        await _ended(self._returning, 0)
        if self._queue:
            await self._put_aside([change for _, change in self._queue])
            self._queue.clear()
        self._closing = True
        self._post.set()
        await _ended(self._publishing, limit)

    @property
    def depth(self) -> int:
        """How many changes wait in memory."""
        return len(self._queue)

    @property
    def spool_size(self) -> int:
        """Bytes that wait in the spool."""
        return self._spool.size

    def lag(self) -> float:
        """Seconds the oldest change in memory has waited."""
        return (self._clock() - self._queue[0][0]).total_seconds() if self._queue else 0.0

    def health(self) -> Health:
        """Says whether the journal takes what it is given."""
        if self._away is not None:
            return Health(ok=False, detail=f"{self._away}; {self._spool.size} bytes wait in the spool")
        ended = self._writing is not None and self._writing.done() and not self._stopping
        detail = f"{self.depth} changes wait, the oldest for {self.lag():.2f} s"
        return Health(ok=not ended and self.lag() < STUCK, detail=detail)

    # -- journal ------------------------------------------------------------------------------------------

    async def _write_all(self) -> None:
        while self._queue or not self._stopping:
            if self._away is not None and (self._returning is None or self._returning.done()):
                self._returning = asyncio.create_task(self._bring_back())
            await self._wait_for_work()
            if not self._queue:
                continue
            try:
                await self._write_some()
            except Exception:
                # No thread to be had, for one: the changes are still at the head of the queue.
                log.exception("changes could neither be written nor spooled, next try soon")
                await asyncio.sleep(BRING_BACK_EVERY)

    async def _wait_for_work(self) -> None:
        if self._queue or self._stopping:
            return
        self._work.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._work.wait(), None if self._away is None else BRING_BACK_EVERY)

    async def _write_some(self) -> None:
        """Leaves a batch at the head of the queue until it is safe, so that a stop in mid-write keeps it."""
        batch = [change for _, change in itertools.islice(self._queue, BATCH)]
        if self._away is not None:
            await self._put_aside(batch)
        else:
            try:
                events = await self._tried(batch)
            except Exception as error:
                # Whatever it was, these changes are not lost and the next ones must not wait for a person.
                unknown = not isinstance(error, JournalUnavailable)
                log.error("the journal is away, calls go to the spool", error=str(error), exc_info=unknown)
                self._away = str(error)
                await self._put_aside(batch)
            else:
                self.written += len(batch)
                self._send(events)
        for _ in batch:
            self._queue.popleft()

    async def _tried(self, batch: Sequence[Change]) -> Sequence[Event]:
        """Tries again after a quick failure; one that took long would only hold up the spool."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for pause in RETRIES:
            try:
                return await self._journal.write(batch)
            except JournalUnavailable:
                if loop.time() - begun > QUICK:
                    raise
                await asyncio.sleep(pause)
        return await self._journal.write(batch)

    async def _put_aside(self, batch: Sequence[Change]) -> None:
        try:
            async with self._spooling:
                await asyncio.to_thread(self._spool.append, batch)
                self._away = self._away or "changes wait in the spool"
        except OSError as error:
            # The last resort: the log has every change in full, nothing vanishes without a trace.
            for change in batch:
                log.critical("neither journal nor spool took a change", change=repr(change), error=str(error))
        self.spooled += len(batch)
        for change in batch:  # one by one: what a change does depends on the ones before it
            if (event := self._guess(change)) is not None:
                self._send([event])

    async def _bring_back(self) -> None:
        """Replays the spool while new changes still go behind it; away ends only when it is empty."""
        await asyncio.sleep(BRING_BACK_EVERY)
        try:
            while self._away is not None:
                await self._replay()
                async with self._spooling:
                    if not self._spool.size:
                        log.info("the journal is back and the spool is empty")
                        self._away = None
        except Exception as error:
            if not isinstance(error, JournalUnavailable):
                log.exception("the spool cannot be replayed")
            self._away = str(error)

    async def _replay(self) -> None:
        batches = self._spool.replay()
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            self._send(await self._journal.write(batch))
            self.written += len(batch)

    def _guess(self, change: Change) -> Event | None:
        """Returns the event of a change as far as this process knows the call."""
        result = apply(self._live.get(change.id), change, lambda phone: Operator(sip_phone=phone))
        return result and Event(seq=None, type=result[1], at=change.at, call=result[0])

    # -- bus ----------------------------------------------------------------------------------------------

    def _send(self, events: Sequence[Event]) -> None:
        for event in events:
            if is_live(event.call):
                self._live[event.call.id] = event.call
            else:
                self._live.pop(event.call.id, None)
            if len(self._outbox) == OUTBOX:
                self.unpublished += 1
            self._outbox.append(event)
        self._post.set()

    async def _publish_all(self) -> None:
        while self._outbox or not self._closing:
            if not self._outbox:
                self._post.clear()
                await self._post.wait()
                continue
            some = min(PUBLISHED_AT_ONCE, len(self._outbox))
            messages = [encode(self._outbox.popleft()) for _ in range(some)]
            try:
                await self._bus.publish(messages)
            except BusUnavailable:
                self.unpublished += len(messages)
            else:
                self.published += len(messages)


async def _ended(task: asyncio.Task[None] | None, limit: float) -> None:
    """Gives a task `limit` seconds to end by itself, then cancels it."""
    if task is None:
        return
    await asyncio.wait([task], timeout=limit)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
