"""Measures how late the event loop runs what it promised: the truth about "nothing holds the loop"."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["LoopLag"]

EVERY = 0.1
"""Seconds between two measurements."""
KEPT = 600
"""Measurements remembered: the last minute."""


class LoopLag:
    """Wakes every 0.1 s and notes how late it was."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque(maxlen=KEPT)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to measure."""
        self._task = asyncio.create_task(self._measure())

    async def stop(self) -> None:
        """Ends measuring."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def worst(self) -> float:
        """The longest lag of the last minute, in seconds."""
        return max(self._lags, default=0.0)

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY
            await asyncio.sleep(EVERY)
            self._lags.append(max(0.0, loop.time() - due))
