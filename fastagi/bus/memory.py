"""The bus inside one process: the embedded default, so that a first run needs no Redis."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from fastagi.bus.subscribers import Subscribers
from fastagi.errors import BusUnavailable
from fastagi.interfaces import Health

__all__ = ["MemoryBus"]

AT_ONCE = 100
"""Messages delivered in one turn of the loop; the next ones have the next turn."""
LIMIT = 20_000
"""Most messages that wait for their turn."""


class MemoryBus:
    """Implements interfaces.Bus. Messages are delivered in a later turn of the loop, in order.

    Where more wait than the limit, all of them are lost and every subscriber is told of a new connection,
    as if the line had broken.
    """

    def __init__(self) -> None:
        self._subscribers = Subscribers()
        self._messages: deque[bytes] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._broken = False
        self._planned = False

    async def start(self) -> None:
        """Begins to deliver."""
        self._loop = asyncio.get_running_loop()
        self._plan()

    async def close(self) -> None:
        """Ends delivery; what waits is lost."""
        self._loop = None
        self._messages.clear()

    def health(self) -> Health:
        """Says whether it was started."""
        if self._loop is None:
            return Health(ok=False, detail="memory: not started")
        return Health(ok=True, detail=f"memory: {len(self._messages)} messages wait")

    async def publish(self, messages: Sequence[bytes]) -> None:
        """Sends messages in order.

        Raises:
            BusUnavailable: it is not started, or closed.
        """
        if self._loop is None:
            raise BusUnavailable("memory: not started")
        if not self._subscribers:
            return
        self._messages.extend(messages)
        if len(self._messages) > LIMIT:
            self._messages.clear()
            self._broken = True
        self._plan()

    def subscribe(
        self, on_message: Callable[[bytes], None], on_connect: Callable[[], None]
    ) -> Callable[[], None]:
        """Delivers every message from now on; returns the function that ends it."""
        end = self._subscribers.add(on_message, on_connect)
        self._plan()
        return end

    def _plan(self) -> None:
        if self._loop is not None and not self._planned:
            self._planned = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._planned = False
        if self._loop is None:
            return
        self._subscribers.connected(again=self._broken)
        self._broken = False
        for _ in range(min(AT_ONCE, len(self._messages))):
            self._subscribers.deliver(self._messages.popleft())
        if self._messages:
            self._plan()
