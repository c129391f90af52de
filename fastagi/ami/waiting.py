"""Who waits for something from Asterisk, each with a limit of time. Whatever waits must end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from fastagi.errors import DeadlineExceeded, Disconnected

__all__ = ["Clock", "DelayedCall", "Waiters"]


class DelayedCall(Protocol):
    """A call to come, as Twisted's reactor and its test clock return it."""

    def cancel(self) -> None:
        """Prevents it."""

    def active(self) -> bool:
        """Says whether it is still to come."""


class Clock(Protocol):
    """What we use of a reactor: its time. Implemented by every Twisted reactor and by `task.Clock`."""

    def seconds(self) -> float:
        """Returns the time in seconds."""

    def callLater(self, delay: float, callable: Callable[..., Any], /, *args: Any) -> DelayedCall:
        """Calls a function after `delay` seconds."""


@dataclass(frozen=True, slots=True)
class _Waiter:
    what: str
    deferred: Deferred[Any]
    limit: DelayedCall


class Waiters:
    """Everybody who waits on one connection, by a key: an ActionID, the name of an event.

    Args:
        clock: keeps the limits.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_key: dict[str, list[_Waiter]] = {}

    def add(self, key: str, what: str, seconds: float) -> Deferred[Any]:
        """Returns a Deferred that fires with what comes for the key.

        It fails with DeadlineExceeded after so many seconds, or with Disconnected; both name `what`.
        """
        deferred: Deferred[Any] = Deferred(lambda _: self._forget(key, waiter))
        waiter = _Waiter(what, deferred, self._clock.callLater(seconds, self._late, key, deferred, seconds))
        self._by_key.setdefault(key, []).append(waiter)
        return deferred

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def __len__(self) -> int:
        return len(self._by_key)

    def what(self, key: str) -> str:
        """Returns what the first one waits for."""
        return self._by_key[key][0].what

    def succeed(self, key: str, value: object) -> None:
        """Gives everybody at the key what they wait for."""
        for waiter in self._taken(key):
            waiter.deferred.callback(value)

    def fail(self, key: str, error: Exception) -> None:
        """Tells everybody at the key that it will not come."""
        for waiter in self._taken(key):
            waiter.deferred.errback(error)

    def disconnect(self, cause: str) -> None:
        """Tells everybody that the connection is lost."""
        waiters = [waiter for key in list(self._by_key) for waiter in self._taken(key)]
        for waiter in waiters:
            waiter.deferred.errback(Disconnected(waiter.what, cause))

    def _taken(self, key: str) -> list[_Waiter]:
        waiters = self._by_key.pop(key, [])
        for waiter in waiters:
            if waiter.limit.active():
                waiter.limit.cancel()
        return waiters

    def _late(self, key: str, deferred: Deferred[Any], seconds: float) -> None:
        late = next(waiter for waiter in self._by_key[key] if waiter.deferred is deferred)
        self._forget(key, late)
        deferred.errback(DeadlineExceeded(late.what, seconds))

    def _forget(self, key: str, waiter: _Waiter) -> None:
        if waiter.limit.active():
            waiter.limit.cancel()
        remaining = [other for other in self._by_key.get(key, []) if other is not waiter]
        if remaining:
            self._by_key[key] = remaining
        else:
            self._by_key.pop(key, None)
