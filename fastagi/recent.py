"""What was read a moment ago, for questions that come every few milliseconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ["Recent"]

T = TypeVar("T")


class Recent(Generic[T]):
    """Remembers answers for some seconds.

    Only answers are remembered, never that there was none: whoever asks for what does not exist neither fills
    the memory nor hides what comes to exist.

    Args:
        seconds: how long an answer holds.
        clock: seconds, never going back.
        limit: most answers; the oldest goes first.
    """

    def __init__(self, seconds: float, clock: Callable[[], float], *, limit: int = 10_000) -> None:
        self._seconds = seconds
        self._clock = clock
        self._limit = limit
        self._answers: dict[str, tuple[float, T]] = {}
        self._forgotten = 0

    async def get(self, key: str, ask: Callable[[], Awaitable[T | None]]) -> T | None:
        """Returns what is remembered, or asks.

        An answer that was on its way while something was forgotten may be from before: it is given, but not
        remembered.
        """
        known = self._answers.get(key)
        if known is not None and known[0] > self._clock():
            return known[1]
        forgotten = self._forgotten
        answer = await ask()
        self._answers.pop(key, None)
        if answer is not None and forgotten == self._forgotten:
            while len(self._answers) >= self._limit:
                del self._answers[next(iter(self._answers))]
            self._answers[key] = (self._clock() + self._seconds, answer)
        return answer

    def forget(self) -> None:
        """Forgets everything: what changes is rare, what is asked is not."""
        self._answers.clear()
        self._forgotten += 1
