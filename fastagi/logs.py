"""Logs: one line per event on standard error, keys after words, whatever a caller wrote made harmless."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TextIO

import structlog

__all__ = ["CarefulLogger", "configure_logs"]


def configure_logs(*, quiet: bool = False) -> None:
    """Sets structlog up: colours on a terminal, logfmt lines elsewhere; `quiet` shows warnings and worse."""
    terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if terminal
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _harmless,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        logger_factory=lambda *_: CarefulLogger(sys.stderr),
        cache_logger_on_first_use=True,
    )


class CarefulLogger:
    """Prints lines, and loses one rather than fail: a full disk under the log must not stop a call."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def msg(self, message: str) -> None:
        """Prints a line."""
        with contextlib.suppress(OSError, ValueError):
            print(message, file=self._file, flush=True)

    log = debug = info = warn = warning = error = critical = fatal = exception = msg


def _harmless(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Keeps a caller's control characters from forging log lines or steering a terminal (rule 6)."""
    for key, value in event.items():
        if isinstance(value, str) and key != "exception" and not value.isprintable():
            event[key] = "".join(
                one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in value
            )
    return event
