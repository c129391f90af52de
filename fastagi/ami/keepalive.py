"""Finds out whether a silent Asterisk is still there.

A frozen or unplugged machine sends no end of stream; only the missing answer to a question tells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from fastagi.ami.messages import Message
from fastagi.ami.protocol import AmiProtocol
from fastagi.ami.waiting import Clock, DelayedCall
from fastagi.errors import CommandRefused, DeadlineExceeded

__all__ = ["Keepalive"]

IDLE_SECONDS: Final = 10.0
"""After so long without a byte Asterisk is asked. Its answer has the limit of every answer."""


class Keepalive:
    """Asks after an Asterisk that says nothing, and ends the connection that stays silent.

    Args:
        ami: the connection.
        clock: tells the time.
        answered: called after each answer, when all is quiet.
    """

    def __init__(self, ami: AmiProtocol, clock: Clock, answered: Callable[[], None]) -> None:
        self._ami = ami
        self._clock = clock
        self._answered = answered
        self._next: DelayedCall | None = None

    def start(self) -> None:
        """Begins; ends by itself with the connection."""
        self._look_later(IDLE_SECONDS)
        self._ami.lost().addCallback(self._stop)

    def _look_later(self, seconds: float) -> None:
        self._next = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        quiet = self._clock.seconds() - self._ami.heard_at
        if quiet < IDLE_SECONDS:
            self._look_later(IDLE_SECONDS - quiet)
            return
        self._next = None
        ping: Deferred[Message] = self._ami.send("Ping")
        ping.addCallbacks(self._alive, self._silent)

    def _alive(self, _: object) -> None:
        self._look_later(IDLE_SECONDS)
        self._answered()

    def _silent(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, CommandRefused):
            self._alive(None)  # whoever refuses is there
        elif isinstance(error, DeadlineExceeded):
            self._ami.abort(f"Asterisk is silent: {error}")

    def _stop(self, _: str) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
