"""The one event loop: asyncio (uvloop where there is one) under Twisted's reactor.

`install` must run before anything imports `twisted.internet.reactor`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["install", "run"]

GC_THRESHOLD = (10_000, 20, 20)
SWITCH_INTERVAL = 0.0005
"""Seconds a busy database thread may keep the interpreter from the loop; Python's own 5 ms is our whole limit."""


def install() -> asyncio.AbstractEventLoop:
    """Makes the loop and puts Twisted's reactor on it."""
    from twisted.internet import asyncioreactor

    loop = asyncio.new_event_loop()
    with contextlib.suppress(ImportError):
        import uvloop

        loop.close()
        loop = uvloop.new_event_loop()
    sys.setswitchinterval(SWITCH_INTERVAL)
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)  # type: ignore[no-untyped-call]
    return loop


def run(start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> None:
    """Runs the reactor until SIGTERM or SIGINT.

    Args:
        start: awaited first; what it raises ends the run and is raised here.
        stop: awaited last, also after a start that failed.
    """
    import twisted.internet.reactor

    from fastagi.bridge import as_deferred

    reactor: Any = twisted.internet.reactor
    failures: list[BaseException] = []

    async def begin() -> None:
        try:
            await start()
            # What lives now lives as long as the process: the garbage collector need not look at it again,
            # and need not look after every 700 objects of a service that makes thousands per call.
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLD)
        except Exception as error:
            failures.append(error)
            reactor.stop()

    async def end() -> None:
        try:
            await stop()
        except Exception as error:
            failures.append(error)

    # Not by callWhenRunning: that comes a moment before the loop itself runs.
    reactor.callLater(0, lambda: as_deferred(begin()))
    reactor.addSystemEventTrigger("before", "shutdown", lambda: as_deferred(end()))
    reactor.run()
    if failures:
        raise failures[0]
