"""The first step of a coroutine, taken at once. Pure: it knows no event loop.

A task costs a turn of the loop before its first line runs. Most of our coroutines finish without waiting for
anything (a keyed read of SQLite, for one), so they are stepped where they are made, and only what has to wait
becomes a task: ``loop.create_task(first_step(coroutine))``.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

__all__ = ["Done", "first_step"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The coroutine finished in its first step."""

    value: T


def first_step(coroutine: Coroutine[Any, Any, T]) -> Done[T] | Coroutine[Any, Any, T]:
    """Runs a coroutine until it first has to wait.

    Until then it belongs to no task, so it must not ask for the current one: ``asyncio.timeout`` does,
    ``asyncio.wait`` does not.

    Returns:
        Done with its result, or what is left of it: a coroutine for ``create_task`` or ``await``.

    Raises:
        Whatever the coroutine raises in its first step.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration as finished:
        return Done(finished.value)
    return _Rest(coroutine, waits_for)


class _Rest(Coroutine[Any, Any, T]):
    """A coroutine that already ran to its first wait; the first ``send`` hands out what it waits for."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], waits_for: object) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for
        self._resumed = False

    def send(self, value: Any) -> Any:
        """Goes on; the first time whoever runs it learns only what it waits for."""
        if self._resumed:
            return self._coroutine.send(value)
        self._resumed = True
        waits_for, self._waits_for = self._waits_for, None
        return waits_for

    def throw(self, kind: Any, value: Any = None, traceback: TracebackType | None = None) -> Any:
        """Raises inside the coroutine, also where it was not resumed yet (an early cancel)."""
        self._resumed = True
        return self._coroutine.throw(value if isinstance(value, BaseException) else kind)

    def close(self) -> None:
        """Ends it."""
        self._coroutine.close()

    # ``await`` drives it through these two, and through ``send`` and ``throw`` above.

    def __await__(self) -> Generator[Any, Any, T]:
        return cast("Generator[Any, Any, T]", self)

    def __next__(self) -> Any:
        return self.send(None)
