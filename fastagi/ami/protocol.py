"""One AMI connection on Twisted: actions out, answers and events in.

Answers are paired with actions by an ActionID that begins with a random word, so nothing a caller smuggles
into an event can answer for Asterisk. Whoever waits is told in the end: by the answer, by a limit of time, or
by the loss of the connection. Events are handed on at once, also while a list is being collected; nothing is
stored here. How to sign in, and what the events mean, is not known here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

import structlog
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from fastagi.ami.messages import Message, encode
from fastagi.ami.stream import Banner, Dropped, Item, Stream
from fastagi.ami.waiting import Clock, Waiters
from fastagi.errors import CommandRefused, Disconnected, LocalProtocolError, RemoteProtocolError

__all__ = ["AmiProtocol"]

ANSWER_SECONDS: Final = 5.0
"""For one answer. Asterisk takes 1 s to refuse a wrong secret, milliseconds for all else."""
LIST_SECONDS: Final = 15.0
"""For a whole list: thousands of channels."""
MAX_WAITING: Final = 64
"""Actions that may wait for an answer at once."""
MAX_ENTRIES: Final = 20_000
"""Entries of one list: more live channels than any call centre has."""

_BANNER: Final = "the banner"
_log = structlog.get_logger("whocalls.ami")


class AmiProtocol(Protocol):
    """Speaks with one Asterisk for as long as the connection lasts.

    Args:
        on_event: called with each event.
        on_dropped: called with each message that is not believed.
        clock: keeps the limits of time.
        token: an unguessable word, new for each connection.
    """

    transport: Any

    def __init__(
        self,
        *,
        on_event: Callable[[Message], None],
        on_dropped: Callable[[Dropped], None],
        clock: Clock,
        token: str,
    ) -> None:
        self.heard_at = clock.seconds()
        """When the last bytes came, on the clock."""
        self._on_event = on_event
        self._on_dropped = on_dropped
        self._clock = clock
        self._token = token
        self._numbers = itertools.count(1)
        self._stream = Stream()
        self._banner: Banner | None = None
        self._answers = Waiters(clock)
        self._events = Waiters(clock)
        self._lists: dict[str, list[Message]] = {}
        self._ends: list[Deferred[str]] = []
        self.ended: str | None = None
        """Why the connection has ended; None while it lasts."""

    # -- asking ------------------------------------------------------------------------------------------

    def send(self, action: str, /, **headers: str) -> Deferred[Message]:
        """Sends an action.

        Returns:
            Fires with the answer. Fails with CommandRefused where Asterisk says no, DeadlineExceeded,
            Disconnected, or LocalProtocolError where the action cannot be written or too many wait.
        """
        return self._send(self._next_id(), action, headers, ANSWER_SECONDS)

    def send_list(self, action: str, /, **headers: str) -> Deferred[list[Message]]:
        """Sends an action that is answered by a list.

        Returns:
            Fires with the entries. Fails like `send`, or with RemoteProtocolError where Asterisk breaks the
            list off.
        """
        action_id = self._next_id()
        self._lists[action_id] = []
        deferred: Deferred[list[Message]] = self._send(action_id, action, headers, LIST_SECONDS)
        return deferred.addBoth(self._list_ended, action_id)

    def greeted(self, seconds: float) -> Deferred[Banner]:
        """Fires with the banner; fails with Disconnected or, after so many seconds, DeadlineExceeded."""
        return succeed(self._banner) if self._banner else self._expect(_BANNER, _BANNER, seconds)

    def expect(self, event: str, seconds: float) -> Deferred[Message]:
        """Fires with the next event of that name; fails like `greeted`."""
        return self._expect(event, f"the event {event}", seconds)

    def lost(self) -> Deferred[str]:
        """Fires with the reason when the connection has ended, or has already."""
        if self.ended is not None:
            return succeed(self.ended)
        deferred: Deferred[str] = Deferred()
        self._ends.append(deferred)
        return deferred

    def abort(self, reason: str) -> None:
        """Ends the connection at once and hears no more of it; whoever waits is told the reason."""
        if self.ended is None:
            self._end(reason)
            self.transport.abortConnection()

    # -- waiting -----------------------------------------------------------------------------------------

    def _next_id(self) -> str:
        return f"{self._token}-{next(self._numbers)}"

    def _send(self, action_id: str, action: str, headers: dict[str, str], seconds: float) -> Deferred[Any]:
        if self.ended is not None:
            return fail(Disconnected(action, self.ended))
        if len(self._answers) >= MAX_WAITING:
            return fail(LocalProtocolError(f"AMI action {action}: {MAX_WAITING} others still wait"))
        try:
            written = encode(action, action_id, headers.items())
        except LocalProtocolError as error:
            return fail(error)
        deferred = self._answers.add(action_id, action, seconds)
        self.transport.write(written)
        return deferred

    def _expect(self, event: str, what: str, seconds: float) -> Deferred[Any]:
        if self.ended is not None:
            return fail(Disconnected(what, self.ended))
        return self._events.add(event, what, seconds)

    # -- hearing -----------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        if self.ended is not None:
            return
        self.heard_at = self._clock.seconds()
        try:
            items = self._stream.receive(data)
        except RemoteProtocolError as error:
            self.abort(error.reason)
            return
        for item in items:
            if self.ended is not None:
                return  # somebody gave the connection up while it was heard
            self._hear(item)

    def _hear(self, item: Item) -> None:
        match item:
            case Banner():
                self._banner = item
                self._events.succeed(_BANNER, item)
            case Dropped():
                self._on_dropped(item)
                if item.mended is not None:
                    self._hear(item.mended)
            case Message() if item.headers[0][0] == "Response":
                self._answered(item)
            case Message() if item.action_id in self._lists or item.headers[1][0] == "ActionID":
                self._entered(item)
            case Message():
                self._happened(item)

    def _happened(self, message: Message) -> None:
        self._events.succeed(message.event, message)
        try:
            self._on_event(message)
        except Exception:  # a bug of the listener must cost one event, not the connection
            _log.exception("an AMI event could not be followed", kind=message.event)

    def _answered(self, message: Message) -> None:
        """Passes an answer on; one that came too late, or to an unreadable action, finds nobody."""
        action_id = message.action_id
        if action_id not in self._answers:
            return
        if message.response == "Error":
            refused = CommandRefused(self._answers.what(action_id), 0, message.get("Message"))
            self._answers.fail(action_id, refused)
        elif action_id not in self._lists:
            self._answers.succeed(action_id, message)

    def _entered(self, message: Message) -> None:
        """Collects an entry of a list, or ends it."""
        action_id = message.action_id
        entries = self._lists.get(action_id)
        if entries is None:
            self._on_dropped(Dropped(message.event, "nobody asked for this list"))
            return
        end = message.get("EventList")
        if end == "Complete":
            self._answers.succeed(action_id, entries)
        elif end or len(entries) >= MAX_ENTRIES:
            reason = f"the list was {end}" if end else f"a list of over {MAX_ENTRIES} entries"
            self._answers.fail(action_id, RemoteProtocolError(reason))
        else:
            entries.append(message)

    def _list_ended(self, result: Any, action_id: str) -> Any:
        self._lists.pop(action_id, None)
        return result

    # -- the end -----------------------------------------------------------------------------------------

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.ended is None:
            self._end(reason.getErrorMessage())

    def _end(self, reason: str) -> None:
        """Tells everybody who waits; whatever they ask in return fails at once."""
        self.ended = reason
        self._answers.disconnect(reason)
        self._events.disconnect(reason)
        ends, self._ends = self._ends, []
        for deferred in ends:
            deferred.callback(reason)
