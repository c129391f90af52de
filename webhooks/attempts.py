"""How often somebody may try a password: pure counting, time is an argument.

An attempt counts as wrong from its begin until it is known to be right, so that a burst of parallel attempts
is worth no more than the same attempts one after another.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

__all__ = ["Attempts"]

_MOST: Final = 5
_WINDOW: Final = 300.0
_KEYS: Final = 10_000
"""Keys remembered; the one used longest ago goes first, so that inventing logins cannot fill the memory."""


class Attempts:
    """Counts wrong attempts per key (login and address).

    Args:
        most: wrong attempts allowed within the window.
        window: its length in seconds.
        keys: how many keys are remembered.
    """

    def __init__(self, *, most: int = _MOST, window: float = _WINDOW, keys: int = _KEYS) -> None:
        self._most = most
        self._window = window
        self._keys = keys
        self._tried: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def begin(self, key: tuple[str, str], now: float) -> float:
        """Begins an attempt: returns 0, or in how many seconds the next one is allowed."""
        times = self._tried.setdefault(key, deque())
        self._tried.move_to_end(key)
        while times and times[0] <= now - self._window:
            times.popleft()
        if len(times) >= self._most:
            return times[0] + self._window - now
        times.append(now)
        while len(self._tried) > self._keys:
            self._tried.popitem(last=False)
        return 0.0

    def succeeded(self, key: tuple[str, str]) -> None:
        """The attempt was right: what was wrong before is forgotten."""
        self._tried.pop(key, None)

    def abandoned(self, key: tuple[str, str]) -> None:
        """The attempt could not be judged (the database is away): it does not count."""
        times = self._tried.get(key)
        if times:
            times.pop()
