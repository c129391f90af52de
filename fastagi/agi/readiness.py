"""Which AGI connections have something to read: one epoll for all of them, itself watched by the loop.

To watch a socket and let it go costs libuv nine system calls, and a connection of ours lives for two reads;
here it is one (measured: a tenth of the CPU of a call). Where the system has no epoll, the loop watches.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["EpollReadiness", "LoopReadiness", "Readiness", "make_readiness"]

AT_ONCE: Final = 64
"""Most connections served in one turn of the loop; the others come in the next."""


class Readiness(Protocol):
    """Calls back while a descriptor has something to read."""

    def add(self, descriptor: int, readable: Callable[[], None]) -> None:
        """Begins to watch; on the loop's thread, while it runs."""

    def remove(self, descriptor: int, *, closing: bool) -> None:
        """Ends it; `closing` says that the descriptor is closed next."""

    def close(self) -> None:
        """Ends all of it."""


class EpollReadiness:
    """Watches by an epoll of its own."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readable: dict[int, Callable[[], None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, descriptor: int, readable: Callable[[], None]) -> None:
        """Begins to watch."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._epoll.fileno(), self._serve)
        self._readable[descriptor] = readable
        self._epoll.register(descriptor, select.EPOLLIN)

    def remove(self, descriptor: int, *, closing: bool) -> None:
        """Ends it; the kernel itself forgets a descriptor that is closed."""
        del self._readable[descriptor]
        if not closing:
            self._epoll.unregister(descriptor)

    def close(self) -> None:
        """Lets the loop watch no more."""
        if self._loop is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._loop = None
        self._epoll.close()

    def _serve(self) -> None:
        for descriptor, _ in self._epoll.poll(0, AT_ONCE):
            readable = self._readable.get(descriptor)
            if readable is not None:  # else one served before it has closed it
                readable()


class LoopReadiness:
    """Lets the loop watch."""

    def add(self, descriptor: int, readable: Callable[[], None]) -> None:
        """Begins to watch."""
        asyncio.get_running_loop().add_reader(descriptor, readable)

    def remove(self, descriptor: int, *, closing: bool) -> None:
        """Ends it."""
        asyncio.get_running_loop().remove_reader(descriptor)

    def close(self) -> None:
        """Has nothing of its own."""


def make_readiness() -> Readiness:
    """Returns the quickest that the system has."""
    return EpollReadiness() if hasattr(select, "epoll") else LoopReadiness()
