"""The one place where Twisted's Deferreds meet asyncio.

The telephony edges speak Deferreds, everything behind them is ``async def``, and both live on one loop. A
coroutine takes its first steps at once (`eager`), so one that finishes without waiting costs neither a task
nor a turn of the loop, and needs no running loop at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from fastagi.eager import Done, first_step

__all__ = ["as_deferred", "as_future", "eager", "now_or_deferred"]

T = TypeVar("T")

# asyncio itself holds tasks by weak references only; one that nobody else holds could vanish half-way.
_running: set[asyncio.Task[Any]] = set()


def eager(coroutine: Coroutine[Any, Any, T]) -> Done[T] | asyncio.Task[T]:
    """Runs a coroutine until it first has to wait; the rest becomes a task of the running loop.

    Until then it has no current task, so `asyncio.timeout` must not be entered there.

    Returns:
        Done with its result, or the task. The task is kept until it ended.

    Raises:
        Whatever the coroutine raises in its first step.
        RuntimeError: it has to wait, and no loop runs.
    """
    step = first_step(coroutine)
    if isinstance(step, Done):
        return step
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        step.close()
        raise
    task = loop.create_task(step)
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task


def now_or_deferred(coroutine: Coroutine[Any, Any, T]) -> T | Deferred[T]:
    """Runs a coroutine and returns its result where it did not have to wait, else a Deferred of it.

    Raises:
        Whatever the coroutine raises in its first step.
    """
    step = eager(coroutine)
    return step.value if isinstance(step, Done) else _deferred(step)


def as_deferred(coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
    """Runs a coroutine for Twisted.

    Returns:
        A Deferred with its result or its exception; it has already fired where the coroutine did not have to
        wait. Cancelling it cancels the coroutine.
    """
    try:
        step = eager(coroutine)
    except asyncio.CancelledError:
        return defer.fail(defer.CancelledError())
    except Exception as error:
        return defer.fail(error)
    return defer.succeed(step.value) if isinstance(step, Done) else _deferred(step)


def _deferred(task: asyncio.Task[T]) -> Deferred[T]:
    """Returns a Deferred that fires as the task ends."""

    def cancel(_: Deferred[T]) -> None:
        task.cancel()

    deferred: Deferred[T] = Deferred(cancel)
    task.add_done_callback(lambda _: _settle(deferred, task))
    return deferred


def _settle(deferred: Deferred[T], task: asyncio.Task[T]) -> None:
    """Fires the Deferred with what became of the task."""
    if deferred.called:  # it was cancelled, and whoever cancelled it has been told
        _report(task)
    elif task.cancelled():
        deferred.errback(defer.CancelledError())
    elif (error := task.exception()) is not None:
        deferred.errback(error)
    else:
        deferred.callback(task.result())


def _report(task: asyncio.Task[Any]) -> None:
    """Logs what a cancelled coroutine failed with, since its Deferred can no longer carry it."""
    if not task.cancelled() and (error := task.exception()) is not None:
        task.get_loop().call_exception_handler(
            {"message": "a cancelled coroutine failed", "exception": error, "task": task}
        )


async def as_future(deferred: Deferred[T]) -> T:
    """Waits for a Deferred in a coroutine.

    It takes the Deferred's result for itself. One that has fired already is not waited for, so that works
    without a loop. Cancelling the coroutine cancels the Deferred.

    Raises:
        Whatever the Deferred failed with.
    """
    outcome: list[T | Failure] = []
    deferred.addBoth(outcome.append)
    if not outcome:
        future = asyncio.get_running_loop().create_future()
        # The one before stored the outcome; this one wakes the coroutine, unless it was cancelled meanwhile.
        deferred.addBoth(lambda _: None if future.done() else future.set_result(None))
        try:
            await future
        except asyncio.CancelledError:
            deferred.cancel()
            raise
    result = outcome[0]
    if isinstance(result, Failure):
        result.raiseException()
    return result
