"""From the bus to the hub: every event once, in order, without a gap. The one place that judges gaps.

`Sequencer` decides; this is its asyncio shell: it listens to the bus, keeps the time and reads the events table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from fastagi.errors import BadInput, LookupServiceError
from fastagi.events import decode
from fastagi.interfaces import Bus, EventRange, Health, Journal
from webhooks.hub import Hub
from webhooks.sequencer import Delivery, Reset, Sequencer

__all__ = ["Subscription"]

_POLL: Final = 5.0
"""Seconds between readings of the table while nothing seems to be missing."""

_PAGE: Final = 20
"""Rows read at once: with 500 clients one page is passed on in under 5 ms."""

_PATIENCE: Final = 2.0
"""Seconds a reading may take; what is held meanwhile waits no longer than this."""

_REMEMBERED: Final = 500
"""Events before the start which the hub is given to remember."""

_COMPLAIN: Final = 10.0
"""Seconds between two log lines about messages that are no events."""

_log = structlog.get_logger("webhooks.subscription")


class Subscription:
    """Feeds the hub.

    Args:
        bus: where events come from.
        journal: its events table is the truth.
        hub: where they go.
        sequencer: puts them in order.
        poll: seconds between two readings of the table.
        patience: seconds a reading may take.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        journal: Journal,
        hub: Hub,
        sequencer: Sequencer | None = None,
        poll: float = _POLL,
        patience: float = _PATIENCE,
    ) -> None:
        self._bus = bus
        self._journal = journal
        self._hub = hub
        self._sequencer = sequencer or Sequencer()
        self._poll = poll
        self._patience = patience
        self._wake = asyncio.Event()
        self._asked = False
        self._next_poll = 0.0
        self._complained = float("-inf")
        self._unsubscribe: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._trouble = "has not been read yet"
        self.repaired = 0
        """Events that the bus did not bring and the table did."""
        self.resets = 0
        self.refused = 0
        """Messages on the bus that were no events of ours."""

    @property
    def last(self) -> int | None:
        """The seq passed on last."""
        return self._sequencer.last

    @property
    def duplicates(self) -> int:
        """Events that came more than once."""
        return self._sequencer.duplicates

    async def start(self) -> None:
        """Begins at the end of the events table. Never raises because the database is away."""
        # Subscribed first: what is published while the table is asked is held, not lost.
        self._unsubscribe = self._bus.subscribe(self._on_message, self._on_connect)
        await self._catch_up()
        self._task = asyncio.create_task(self._watch(), name="subscription")

    async def close(self) -> None:
        """Stops listening."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def health(self) -> Health:
        """Says whether events are complete: the events table can be read."""
        if self._task is None or self._task.done():
            return Health(ok=False, detail="is not running")
        if self._trouble:
            return Health(ok=False, detail=f"the events table {self._trouble}; events may be missing")
        return Health(ok=True, detail=f"passed on up to event {self.last}")

    def _on_message(self, message: bytes) -> None:
        try:
            event = decode(message)
        except BadInput as error:
            self._refuse(error)
            return
        due = self._sequencer.due
        self._deliver(self._sequencer.received(event, self._now()))
        if self._sequencer.due != due:
            self._wake.set()

    def _on_connect(self) -> None:
        """The bus may have lost anything before it connected: the table knows."""
        self._asked = True
        self._wake.set()

    def _refuse(self, error: BadInput) -> None:
        self.refused += 1
        if self._now() - self._complained >= _COMPLAIN:
            self._complained = self._now()
            _log.warning("bus message refused", reason=str(error), refused=self.refused)

    async def _watch(self) -> None:
        while True:
            await self._wait()
            if self._sequencer.blind and not self._asked and self._now() < self._next_poll:
                # The table could not be read a moment ago; nobody's card waits for it to be tried again.
                self._deliver(self._sequencer.unreadable())
            else:
                await self._catch_up()

    async def _wait(self) -> None:
        """Waits until the table is to be read: an order is overdue, the bus has connected, or it is time."""
        while not self._asked:
            self._wake.clear()
            until = self._next_poll
            if (due := self._sequencer.due) is not None:
                until = min(until, due)
            if until <= self._now():
                return
            try:
                async with asyncio.timeout(until - self._now()):
                    await self._wake.wait()
            except TimeoutError:
                return

    async def _catch_up(self) -> None:
        """Reads the table to its end."""
        self._asked = False
        try:
            await self._read_all()
        except (LookupServiceError, TimeoutError) as error:
            self._lost(str(error) or f"took longer than {self._patience:g} s")
        except Exception as error:
            # A mistake of ours or of a driver: it must not end the stream of everybody.
            _log.exception("reading the events table failed")
            self._lost(f"failed: {type(error).__name__}")
        else:
            if self._trouble:
                _log.info("events table is read", last=self.last)
            self._trouble = ""
        self._next_poll = self._now() + self._poll

    def _lost(self, why: str) -> None:
        if not self._sequencer.blind:
            _log.warning("events table cannot be read", reason=why)
        self._trouble = f"cannot be read ({why})"
        self._deliver(self._sequencer.unreadable())

    async def _read_all(self) -> None:
        before = self._sequencer.last
        async with asyncio.timeout(self._patience):
            stands = await self._journal.event_range()
        if before is None:
            await self._begin(stands)
        elif stands.last < before:
            _log.warning("events table went back", last=before, table=stands.last)
            self._deliver(self._sequencer.rewound(stands.last))
        while not await self._read_page(stands.last):
            pass

    async def _begin(self, stands: EventRange) -> None:
        """Takes up the stream at the end of the table, and lets the hub remember what came just before."""
        if self._sequencer.last is None:
            first = max(stands.first - 1, stands.last - _REMEMBERED, 0)
            async with asyncio.timeout(self._patience):
                events = await self._journal.events_after(first, _REMEMBERED)
            self._hub.begin(stands.last, [event for event in events if (event.seq or 0) <= stands.last])
            self._deliver(self._sequencer.begin(stands.last))

    async def _read_page(self, end: int) -> bool:
        """Reads the next rows; says whether they were the last, where the table is known to go on to `end`.

        A page may be short for another reason: the journal leaves out what it cannot decode.
        """
        asked, last = self._now(), self._sequencer.last
        assert last is not None
        async with asyncio.timeout(self._patience):
            rows = await self._journal.events_after(last, _PAGE)
        complete = not rows or (len(rows) < _PAGE and (rows[-1].seq or 0) >= end)
        self.repaired += sum(1 for row in rows if row.seq is not None and row.seq > (self.last or 0))
        self._deliver(self._sequencer.read(rows, complete=complete, asked=asked))
        return complete

    def _deliver(self, deliveries: Iterable[Delivery]) -> None:
        for one in deliveries:
            if isinstance(one, Reset):
                self.resets += 1
                self._hub.reset(one.seq)
            else:
                self._hub.publish(one)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
