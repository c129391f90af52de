"""How often somebody may try a password: pure counting, time is an argument.

An attempt counts as wrong from its begin until it is known to be right, so that a burst of parallel attempts
is worth no more than the same attempts one after another. There are two limits: a strict one for a login from one
address, and a looser one for a login from everywhere together, so that having many addresses helps little.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Final

__all__ = ["Attempts"]

_MOST: Final = 5
_MOST_ANYWHERE: Final = 20
_WINDOW: Final = 300.0
_KEYS: Final = 10_000
"""Keys remembered; the one used longest ago goes first, so that inventing logins cannot fill the memory."""


class Attempts:
    """Counts wrong attempts per key (login and address), and per login whatever the address.

    Args:
        most: wrong attempts allowed within the window for a login from one address.
        anywhere: the same for a login from all addresses together.
        window: its length in seconds.
        keys: how many keys are remembered.
    """

    def __init__(
        self,
        *,
        most: int = _MOST,
        anywhere: int = _MOST_ANYWHERE,
        window: float = _WINDOW,
        keys: int = _KEYS,
    ) -> None:
        self._here = _Count(most, window, keys)
        self._anywhere = _Count(anywhere, window, keys)

    def begin(self, key: tuple[str, str], now: float) -> float:
        """Begins an attempt: returns 0, or in how many seconds the next one is allowed."""
        wait = max(self._here.wait(key, now), self._anywhere.wait(key[0], now))
        if wait > 0:
            return wait
        self._here.add(key, now)
        self._anywhere.add(key[0], now)
        return 0.0

    def succeeded(self, key: tuple[str, str]) -> None:
        """The attempt was right: what was wrong before from this address is forgotten.

        What others tried from elsewhere still counts: somebody who guesses gains nothing when the owner signs in.
        """
        self._here.forget(key)
        self._anywhere.take_back(key[0])

    def abandoned(self, key: tuple[str, str]) -> None:
        """The attempt could not be judged (the database is away): it does not count."""
        self._here.take_back(key)
        self._anywhere.take_back(key[0])


class _Count:
    """When each key was tried within the window."""

    def __init__(self, most: int, window: float, keys: int) -> None:
        self._most = most
        self._window = window
        self._keys = keys
        self._tried: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def wait(self, key: Hashable, now: float) -> float:
        """Returns in how many seconds the next attempt is allowed; 0 or less: now."""
        times = self._tried.get(key, deque())
        while times and times[0] <= now - self._window:
            times.popleft()
        if key in self._tried:
            self._tried.move_to_end(key)
        return times[0] + self._window - now if len(times) >= self._most else 0.0

    def add(self, key: Hashable, now: float) -> None:
        """Counts an attempt."""
        self._tried.setdefault(key, deque()).append(now)
        self._tried.move_to_end(key)
        while len(self._tried) > self._keys:
            self._tried.popitem(last=False)

    def take_back(self, key: Hashable) -> None:
        """Counts the latest attempt no longer."""
        times = self._tried.get(key)
        if times:
            times.pop()

    def forget(self, key: Hashable) -> None:
        """Counts none of the attempts any longer."""
        self._tried.pop(key, None)
