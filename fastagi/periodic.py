"""Work that is done again and again, and whose failure must not end it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

__all__ = ["Periodic"]

log = structlog.get_logger("whocalls.periodic")


class Periodic:
    """Awaits `work` every so many seconds; a failure is logged and the next turn comes all the same.

    Args:
        name: for the log.
        every: seconds between two turns; the first comes after one such time.
        work: what to do.
    """

    def __init__(self, name: str, every: float, work: Callable[[], Awaitable[object]]) -> None:
        self._name = name
        self._every = every
        self._work = work
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Ends, in mid-work too."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await self._work()
            except Exception as error:
                log.warning("periodic work failed, next try soon", work=self._name, error=str(error))
