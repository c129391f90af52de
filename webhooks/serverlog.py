"""What uvicorn says, in our log and in moderation.

Much of it is written by whoever connects (garbage instead of a request makes a line), so each message is logged
once in a while, with how many like it were left out.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import structlog

__all__ = ["ServerLog"]

_PAUSE: Final = 10.0
"""Seconds between two lines with the same message."""

_MESSAGES: Final = 100
"""Messages remembered."""

_NAME: Final = "uvicorn"
"""The logger above all of uvicorn's."""

_log = structlog.get_logger("webhooks.server")


class ServerLog(logging.Handler):
    """Takes what uvicorn's loggers say to structlog; the root logger hears nothing of it meanwhile.

    Args:
        pause: seconds between two lines with the same message.
        now: a clock, in seconds.
    """

    def __init__(self, *, pause: float = _PAUSE, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._pause = pause
        self._now = now
        self._said: OrderedDict[tuple[str, str], _Said] = OrderedDict()

    def open(self) -> None:
        """Begins to listen."""
        logger = logging.getLogger(_NAME)
        logger.addHandler(self)
        logger.propagate = False

    def close(self) -> None:
        """Listens no longer. May be called twice."""
        logger = logging.getLogger(_NAME)
        logger.removeHandler(self)
        logger.propagate = not any(isinstance(one, ServerLog) for one in logger.handlers)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Logs the record, or counts it."""
        try:
            left_out = self._left_out(_key(record))
            if left_out is None:
                return
            more: dict[str, Any] = {"left_out": left_out} if left_out else {}
            if record.exc_info:
                more["exc_info"] = record.exc_info
            _log.log(record.levelno, record.getMessage().strip(), **more)
        except Exception:
            self.handleError(record)

    def _left_out(self, key: tuple[str, str]) -> int | None:
        """Returns how many like it were left out since the last line; None where this one is left out too."""
        now = self._now()
        said = self._said.get(key)
        if said is not None and now < said.at + self._pause:
            said.left_out += 1
            return None
        self._said[key] = _Said(now)
        self._said.move_to_end(key)
        if len(self._said) > _MESSAGES:
            self._said.popitem(last=False)
        return said.left_out if said else 0


class _Said:
    """When a message was logged, and how many like it came since."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.left_out = 0


def _key(record: logging.LogRecord) -> tuple[str, str]:
    """Tells messages apart by their text before anything is filled in, and by the kind of exception."""
    kind = record.exc_info[0] if record.exc_info else None
    return str(record.msg), kind.__name__ if kind else ""
