"""Who listens to a bus in this process: called one after the other, none hurt by another's mistake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

__all__ = ["Subscribers"]

log = structlog.get_logger("whocalls.bus")


@dataclass(eq=False, slots=True)
class _Subscriber:
    on_message: Callable[[bytes], None]
    on_connect: Callable[[], None]
    connected: bool = False


class Subscribers:
    """The subscribers of a bus. Each is told of the connection before it gets its first message."""

    def __init__(self) -> None:
        self._all: list[_Subscriber] = []

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, on_message: Callable[[bytes], None], on_connect: Callable[[], None]) -> Callable[[], None]:
        """Adds one and returns the function that removes it; after that it is not called again."""
        subscriber = _Subscriber(on_message, on_connect)
        self._all.append(subscriber)

        def remove() -> None:
            if subscriber in self._all:
                self._all.remove(subscriber)

        return remove

    def connected(self, *, again: bool) -> None:
        """Tells of a connection: all (`again`), or those only that were not told yet."""
        for subscriber in list(self._all):
            if (again or not subscriber.connected) and subscriber in self._all:
                subscriber.connected = True
                _call(subscriber.on_connect)

    def deliver(self, message: bytes) -> None:
        """Gives a message to all who know that they are connected."""
        for subscriber in list(self._all):
            if subscriber.connected and subscriber in self._all:
                _call(subscriber.on_message, message)


def _call(function: Callable[..., None], *arguments: bytes) -> None:
    try:
        function(*arguments)
    except Exception:
        log.exception("a subscriber of the bus failed", subscriber=repr(function))
