"""One client's stream: what it missed, then what happens, until one side ends it. The asyncio side of the hub.

The transports (`sse`, `websocket`) only write. A client that is idle gets an event at once, and an operator gets
what concerns their own phone at once in any case. Otherwise a client gets one write in a while with all that came
meanwhile: the more clients there are, the longer the while, up to 50 ms. That bounds what all of them cost
together, and halves the cost of 500.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from fastagi.errors import LookupServiceError
from fastagi.events import Event
from fastagi.interfaces import Journal
from webhooks.frames import Frame, Framing, Scope
from webhooks.hub import Client, Ending, Hub

__all__ = ["Feed", "Outlet", "Slices"]

_LONGEST_PAUSE: Final = 0.05
"""Seconds between two writes to one client where there are 500 clients or more."""

_PAUSE: Final = 0.0001
"""Seconds of pause for each client there is: a write costs about 30 µs, so writing takes a third of a core at most."""

_PAGE: Final = 50
"""Rows of the table replayed at once: read and encoded in well under 5 ms."""

_SLICE: Final = 50
"""Clients woken in one turn of the loop: about 1.5 ms of writing before calls get their turn."""

_PATIENCE: Final = 5.0
"""Seconds that one reading of the table may take during a replay."""


class Slices:
    """Wakes clients a slice at a time, one slice each turn of the loop; `Hub(announce=Slices())`."""

    def __init__(self, size: int = _SLICE) -> None:
        self._size = size
        self._ready: deque[Client] = deque()

    def __call__(self, clients: Sequence[Client]) -> None:
        """Wakes these clients soon, after those that wait already."""
        if not self._ready:
            asyncio.get_running_loop().call_soon(self._wake)
        self._ready.extend(clients)

    def _wake(self) -> None:
        for _ in range(min(self._size, len(self._ready))):
            self._ready.popleft().notify()
        if self._ready:
            asyncio.get_running_loop().call_soon(self._wake)


class Outlet(Protocol):
    """How a transport writes."""

    async def frames(self, frames: Sequence[Frame]) -> None:
        """Writes events, as one chunk where the transport can."""

    async def beat(self, position: int | None) -> None:
        """Shows a sign of life; the client knows everything up to `position` (None: not known)."""


class Feed:
    """A client's stream.

    Args:
        hub: where live events come from.
        journal: its events table has what the hub no longer remembers.
        outlet: where events go.
        scope: what the client gets.
        scope_now: looks at the session again, at each heartbeat; None ends the stream.
        after: what the client knows already; None begins now, -1 is an id that is none of ours.
        most: events replayed from the table; a client that missed more is told to read everything again.
        turn: lets a few replays read at a time, since a database has few threads for all of them.
        heartbeat: seconds between heartbeats.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        journal: Journal,
        outlet: Outlet,
        scope: Scope,
        scope_now: Callable[[], Awaitable[Scope | None]],
        after: int | None,
        most: int,
        turn: asyncio.Semaphore,
        heartbeat: float,
    ) -> None:
        self._hub = hub
        self._journal = journal
        self._outlet = outlet
        self._scope_now = scope_now
        self._after = after
        self._most = most
        self._turn = turn
        self._heartbeat = heartbeat
        self._ready = asyncio.Event()
        self._written = float("-inf")
        self._beat_at = float("inf")
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.client = Client(scope, self._ready.set)

    def end(self, ending: Ending) -> None:
        """Ends the stream from the client's side or from outside."""
        self.client.end(ending)
        self._ready.set()

    async def run(self) -> Ending:
        """Streams until one side ends it; returns why."""
        client = self.client
        try:
            await self._join()
            self._set_timer()
            while client.ending is None:
                await self._something()
                await self._pause()
                if frames := client.take():
                    self._written = self._loop.time()
                    await self._outlet.frames(frames)
                if self._loop.time() >= self._beat_at and client.ending is None:
                    await self._beat()
                    self._set_timer()
            return client.ending
        finally:
            self._hub.leave(client)
            if self._timer is not None:
                self._timer.cancel()

    async def _join(self) -> None:
        """Joins the hub; what the hub no longer remembers comes from the table first."""
        after = self._after
        if after is None:
            self._hub.join(self.client)
            return
        try:
            whole = await self._replay(after) if after >= 0 else False
        except (LookupServiceError, TimeoutError):
            # Nobody knows what was missed. The client reads everything again, and live events come at once.
            whole = False
        if not whole and self.client.ending is None:
            self._hub.join(self.client, reset=True)

    async def _replay(self, after: int) -> bool:
        """Catches up and joins; False where something the client missed is gone, and it has not joined."""
        position = self._hub.position
        if position is None or position - after > self._most or not await self._has(after):
            return False
        framing = Framing()
        while self._memory_begins() > after and not self._hub.closed:
            async with self._turn, asyncio.timeout(_PATIENCE):
                rows = await self._journal.events_after(after, _PAGE)
            if not rows or rows[-1].seq != after + len(rows) or self.client.ending:
                return False
            after += len(rows)
            if not await self._write(framing, rows):
                return False
        self._hub.join(self.client, after=after)
        return True

    async def _has(self, after: int) -> bool:
        """Says whether the table (or the hub) has all that came after."""
        position = self._hub.position or 0
        if self._memory_begins() <= after <= position:
            return True
        async with self._turn, asyncio.timeout(_PATIENCE):
            stands = await self._journal.event_range()
        return after == stands.last or (after < stands.last and 0 < stands.first <= after + 1)

    def _memory_begins(self) -> int:
        return self._hub.remembers_after or 0

    async def _write(self, framing: Framing, rows: Sequence[Event]) -> bool:
        """Writes what the client gets of a page; False where its past would be needed to tell."""
        frames = [framing.frame(row) for row in rows]
        scope = self.client.scope
        seen = [frame for frame in frames if scope.sees(frame)]
        if any(scope.guesses(frame) for frame in seen):
            return False
        if seen:
            await self._outlet.frames(seen)
        return True

    def _set_timer(self) -> None:
        self._beat_at = self._loop.time() + self._heartbeat
        self._timer = self._loop.call_at(self._beat_at, self._hub.wake, self.client)

    async def _something(self) -> None:
        """Waits until there is an event, it is time for a heartbeat, or the stream is over."""
        client = self.client
        while not client.waiting and client.ending is None and self._loop.time() < self._beat_at:
            self._ready.clear()
            await self._ready.wait()

    async def _pause(self) -> None:
        """Lets events gather, unless the last write was long ago or one of them is urgent."""
        client = self.client
        until = self._written + min(_LONGEST_PAUSE, _PAUSE * self._hub.clients)
        while client.waiting and not client.urgent and client.ending is None and self._loop.time() < until:
            self._ready.clear()
            timer = self._loop.call_at(until, self._hub.wake, client)
            try:
                await self._ready.wait()
            finally:
                timer.cancel()

    async def _beat(self) -> None:
        scope = await self._look_again()
        if scope is None:
            self.end(Ending.SIGNED_OUT)
            return
        self.client.scope = scope
        position = self._hub.position
        if position is None or self.client.waiting:
            await self._outlet.beat(None)
        else:
            await self._outlet.beat(max(position, self.client.after))

    async def _look_again(self) -> Scope | None:
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._scope_now()
        except (LookupServiceError, TimeoutError):
            # The database is away: nobody can tell, and a stream that works is not ended for that.
            return self.client.scope
