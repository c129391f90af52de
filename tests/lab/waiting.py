"""Waiting for what a test expects, with a limit and a message that says what was waited for."""

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["eventually"]

T = TypeVar("T")


def eventually(
    probe: Callable[[], T],
    what: str,
    *,
    timeout: float = 10.0,
    every: float = 0.05,
    details: Callable[[], str] = lambda: "",
) -> T:
    """Call ``probe`` until it returns something true, and return that.

    Args:
        probe: asked again and again.
        what: what is waited for, for the failure message.
        timeout: seconds until it fails.
        every: seconds between two questions.
        details: more for the failure message, for example the tail of a log.

    Raises:
        TimeoutError: ``probe`` never returned anything true.
    """
    end = time.monotonic() + timeout
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() >= end:
            raise TimeoutError(f"waited {timeout:g} s for {what}\n{details()}".rstrip())
        time.sleep(every)
