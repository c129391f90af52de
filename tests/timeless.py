"""An asyncio loop whose time passes only when it has nothing to do: tests of deadlines take no time."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["run"]

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Does not wait, but lets the time pass that it would have waited."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "the loop waits for something that never comes"
            self.now += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Selector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that does no I/O to its end; every sleep and limit passes at once, in order."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(coroutine)
