"""Passwords: hashed and compared by argon2, on a thread of its own, with the same work for every answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fastagi.errors import BadInput, DeadlineExceeded

__all__ = ["Passwords"]

T = TypeVar("T")

SHORTEST = 8
LONGEST = 1024
"""Characters of a password; what is longer only costs memory."""
WAITING = 16
"""Most comparisons that wait: one takes about 50 ms, and nobody waits a second for an attacker's."""


class Passwords:
    """Hashes and compares passwords off the loop, one at a time.

    Args:
        hasher: argon2's; tests take a cheaper one.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._waiting = 0
        self._nobodys: str | None = None

    async def hashed(self, password: str) -> str:
        """Returns what may be stored.

        Raises:
            BadInput: too short or too long.
            DeadlineExceeded: too many wait already.
        """
        if not SHORTEST <= len(password) <= LONGEST:
            raise BadInput("password", f"needs {SHORTEST} to {LONGEST} characters")
        return await self._off_the_loop(lambda: self._hasher.hash(_bytes(password)))

    async def fits(self, password: str, stored: str | None) -> bool:
        """Compares; `stored` None (nobody's, or no password set) costs the same time and fits nothing.

        Raises:
            DeadlineExceeded: too many wait already.
        """
        return await self._off_the_loop(lambda: self._compare(password[:LONGEST], stored))

    def _compare(self, password: str, stored: str | None) -> bool:
        if self._nobodys is None:
            self._nobodys = self._hasher.hash(b"nobody's password")
        try:
            self._hasher.verify(stored or self._nobodys, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    async def _off_the_loop(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING:
            raise DeadlineExceeded(f"a sign-in ({WAITING} others wait already)", 1.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=False)


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
