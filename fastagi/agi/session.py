"""One AGI dialogue as a machine fed with bytes. Pure: no socket, no clock.

    ENVIRONMENT --(empty line)--> ASKED --(answer)--> COMMANDING --(last reply)--> DONE
         |                          |                     |                          |
         +--------------------------+---------------------+--------------------------+--> CLOSED

The rules:
  * We speak once: an answer is one command, or several where it does not fit, and the next is sent only after
    the reply to the one before; more would stall in Asterisk's stdio (FACTS.md B2). Only after the last command
    may the shell close its sending side.
  * Each reply is held against its command. What answers no command is an offence: between the empty line and our
    first command only HANGUP may come, since a caller who forges the end of the environment leaves its true
    rest behind (FACTS.md B5).
  * After CLOSED every byte is ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from fastagi.agi.commands import clean, mset
from fastagi.agi.replies import HungUpNotice, Replies, Reply
from fastagi.agi.requests import Environment, Facts, Request
from fastagi.errors import CommandRefused, LocalProtocolError, RemoteProtocolError

__all__ = [
    "Asked",
    "Denied",
    "Done",
    "Ended",
    "Event",
    "HungUp",
    "Next",
    "Refused",
    "Session",
    "State",
]

MAX_REPLY_LINE: Final = 8192
"""Bytes. We ask for nothing that brings a value back, so real ones are short."""


class State(Enum):
    """Where the dialogue stands."""

    ENVIRONMENT = "environment"
    ASKED = "asked"
    COMMANDING = "commanding"
    DONE = "done"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Asked:
    """The environment is complete: Asterisk waits for `Session.answer`."""

    request: Request


@dataclass(frozen=True, slots=True)
class Next:
    """The reply was good: send this, the next command."""

    command: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """Asterisk confirmed the last command."""


@dataclass(frozen=True, slots=True)
class Denied:
    """Asterisk understood and said no: the variables of this command are not set. Close."""

    error: CommandRefused


@dataclass(frozen=True, slots=True)
class Refused:
    """The peer broke the protocol: close, and believe nothing of it but `facts`."""

    reason: str
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True, slots=True)
class HungUp:
    """The caller hung up, or the dialplan's time ran out: nobody waits for the answer. Close."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The connection ended in mid-dialogue, as after a HangUp."""


Event = Asked | Next | Done | Denied | Refused | HungUp | Ended


class Session:
    """A dialogue with one Asterisk channel."""

    def __init__(self) -> None:
        self.state = State.ENVIRONMENT
        self._environment = Environment()
        self._replies = Replies()
        self._rest = b""
        self._commands: list[bytes] = []
        self._sent = b""

    @property
    def facts(self) -> Facts:
        """What is known for sure of the call so far."""
        return self._environment.facts

    @property
    def is_last(self) -> bool:
        """Says whether the command last given out has none after it."""
        return not self._commands

    def receive(self, data: bytes) -> Sequence[Event]:
        """Takes bytes as they came and returns what they mean; never raises for what a peer sends."""
        if self.state is State.ENVIRONMENT:
            return self._receive_environment(data)
        if self.state is State.CLOSED:
            return ()
        return self._receive_lines(data)

    def refuse(self, reason: str) -> Refused:
        """Ends the dialogue for this reason: a limit of time, which only the shell can see."""
        self.state = State.CLOSED
        return Refused(reason, self.facts)

    def answer(self, pairs: Sequence[tuple[str, str]]) -> bytes:
        """Returns the first command that sets these variables, to be written at once.

        Args:
            pairs: names and values; the values are cleaned here. None at all gives b"" and ends the dialogue.

        Raises:
            LocalProtocolError: nobody asked, or a name is none.
        """
        if self.state is not State.ASKED:
            raise LocalProtocolError(f"an answer in the state {self.state.value}")
        self._commands = mset([(name, clean(value)) for name, value in pairs])
        if not self._commands:
            self.state = State.DONE
            return b""
        self.state = State.COMMANDING
        return self._next_command()

    def end_of_stream(self) -> Sequence[Event]:
        """Takes the end of the connection and returns what it means."""
        before, self.state = self.state, State.CLOSED
        if before is State.ENVIRONMENT:
            return (Refused("closed before the empty line", self.facts),)
        return (Ended(),) if before in (State.ASKED, State.COMMANDING) else ()

    def _receive_environment(self, data: bytes) -> Sequence[Event]:
        try:
            request = self._environment.feed(data)
        except RemoteProtocolError as error:
            return (self.refuse(error.reason),)
        if request is None:
            return ()
        self.state = State.ASKED
        rest = self._environment.rest
        later = self._receive_lines(rest) if rest else ()
        if any(isinstance(event, Refused) for event in later):
            return later  # a forged end: the question itself is not to be believed
        return (Asked(request), *later)

    def _receive_lines(self, data: bytes) -> Sequence[Event]:
        events: list[Event] = []
        try:
            for line in self._complete_lines(data):
                reply = self._replies.take(line)
                if reply is not None and (event := self._judge(reply)) is not None:
                    events.append(event)
                if self.state is State.CLOSED:
                    return events
            self._check_rest()
        except RemoteProtocolError as error:
            events.append(self.refuse(error.reason))
        return events

    def _complete_lines(self, data: bytes) -> list[bytes]:
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        return lines

    def _check_rest(self) -> None:
        if len(self._rest) > MAX_REPLY_LINE:
            raise RemoteProtocolError(f"a reply of over {MAX_REPLY_LINE} bytes")
        if self.state is State.ASKED and not b"HANGUP".startswith(self._rest):
            raise RemoteProtocolError("bytes after the environment")

    def _judge(self, reply: Reply | HungUpNotice) -> Event | None:
        """Says what a reply means in this state."""
        if isinstance(reply, HungUpNotice):
            if self.state is State.DONE:  # Asterisk says it at the end of every AGI it was half-closed on
                return None
            self.state = State.CLOSED
            return HungUp()
        if self.state is not State.COMMANDING:
            raise RemoteProtocolError("a reply to no command")
        if reply.code == 100:
            return None
        if not reply.is_success:
            self.state = State.CLOSED
            return Denied(_refusal(self._sent, reply))
        if self._commands:
            return Next(self._next_command())
        self.state = State.DONE
        return Done()

    def _next_command(self) -> bytes:
        self._sent = self._commands.pop(0)
        return self._sent + b"\n"


def _refusal(command: bytes, reply: Reply) -> CommandRefused:
    words = reply.text or f"result={reply.result}"
    return CommandRefused(command[:60].decode("utf-8", "replace"), reply.code, words[:200])
