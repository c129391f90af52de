"""Measures how late the event loop runs what it promised: the truth about "nothing holds the loop"."""

from __future__ import annotations

import asyncio
from collections import deque

from fastagi.interfaces import Health

__all__ = ["LoopLag"]

EVERY = 0.1
"""Seconds between two measurements."""
KEPT = 600
"""Measurements remembered: the last minute."""
UNWELL = 1.0
"""Seconds; a loop this late keeps calls waiting."""


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

    def health(self) -> Health:
        """Says how late the loop was; a loop that stood for over a second is not well."""
        return Health(
            ok=self.worst < UNWELL, detail=f"at worst {self.worst * 1000:.1f} ms late in the last minute"
        )

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY
            await asyncio.sleep(EVERY)
            self._lags.append(max(0.0, loop.time() - due))
