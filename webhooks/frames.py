"""An event made ready for every client at once: encoded once, with all that a filter needs to judge it. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from fastagi.calls import Call, EventType
from fastagi.events import VERSION, Event, encode

__all__ = ["RESET", "Frame", "Framing", "Reach", "Scope", "reset_frame"]

RESET: Final = "reset"
"""The event that says: something may be missing, read everything again."""

_CALLS: Final = 10_000
"""Live calls whose audience is remembered; the one quiet for longest is forgotten first."""

# What these events tell is that a call changed hands. Where nobody remembers in whose hands it was, it is taken
# to have been nobody's: whoever shows it must learn that it is gone.
_HANDS_OVER: Final = (EventType.ANSWERED, EventType.TRANSFERRED, EventType.MERGED)

# These may have been somebody's all the time, so only `reset` may say to others that something changed.
_ANSWERED_BEFORE: Final = (EventType.TRANSFERRED, EventType.MERGED)


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a call concerns: phones that ring or talk, the login of who answered, or everybody.

    `guessed` says that it may not concern everybody: nobody remembers whose call it was that changed hands.
    """

    phones: frozenset[str]
    logins: frozenset[str] = frozenset()
    unassigned: bool = False
    guessed: bool = False

    def with_(self, other: Reach) -> Reach:
        """Returns whom either concerns."""
        return Reach(
            self.phones | other.phones,
            self.logins | other.logins,
            self.unassigned or other.unassigned,
            self.guessed or other.guessed,
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """One event in the form clients get.

    `sse` is the whole block for Server-Sent Events; `start` is where its JSON begins. `seq` is None for what
    happened while the database was away. `reach` is None for `reset`, which everybody gets.
    """

    seq: int | None
    kind: str
    sse: bytes
    start: int
    reach: Reach | None

    @property
    def text(self) -> str:
        """The JSON alone, as a WebSocket message."""
        return self.sse[self.start : -2].decode()


@dataclass(frozen=True, slots=True)
class Scope:
    """What a client gets: what its role may see, less what it did not ask for; None does not limit.

    Args:
        phones: SIP phones of an operator, who sees their calls and those that are nobody's.
        wanted: SIP phones and login of the one operator whose calls are asked for.
        kinds: event types asked for.
    """

    phones: frozenset[str] | None = None
    wanted: frozenset[str] | None = None
    kinds: frozenset[str] | None = None

    def sees(self, frame: Frame) -> bool:
        """Says whether the client gets this frame."""
        reach = frame.reach
        if reach is None:
            return True
        if self.phones is not None and not reach.unassigned and self.phones.isdisjoint(reach.phones):
            return False
        if self.kinds is not None and frame.kind not in self.kinds:
            return False
        return self.wanted is None or not (
            self.wanted.isdisjoint(reach.phones) and self.wanted.isdisjoint(reach.logins)
        )

    def guesses(self, frame: Frame) -> bool:
        """Says whether an operator would see the frame only because nobody remembers whose call it was."""
        reach = frame.reach
        return reach is not None and reach.guessed and self.phones is not None and not self.own(frame)

    def own(self, frame: Frame) -> bool:
        """Says whether the frame concerns one of an operator's own phones."""
        return (
            self.phones is not None
            and frame.reach is not None
            and not self.phones.isdisjoint(frame.reach.phones)
        )


class Framing:
    """Turns events into frames, in their order.

    An event concerns whom the call concerned before it or concerns after it: the phone that stops ringing
    must hear of it, and so must everybody who saw the call while it was nobody's.
    """

    def __init__(self, *, calls: int = _CALLS) -> None:
        self._calls = calls
        self._before: OrderedDict[str, Reach] = OrderedDict()

    def frame(self, event: Event) -> Frame:
        """Encodes an event and works out whom it concerns."""
        head = f"id: {event.seq}\n" if event.seq is not None else ""
        start = f"{head}event: {event.type}\ndata: ".encode()
        return Frame(
            event.seq, event.type.value, start + encode(event) + b"\n\n", len(start), self._reach(event)
        )

    def _reach(self, event: Event) -> Reach:
        call = event.call
        now = _reach_of(call)
        before = self._before.pop(call.id, None)
        if event.type is not EventType.ENDED and call.ended_at is None:
            self._before[call.id] = now
            if len(self._before) > self._calls:
                self._before.popitem(last=False)
        if before is None:
            before = Reach(
                frozenset(), unassigned=event.type in _HANDS_OVER, guessed=event.type in _ANSWERED_BEFORE
            )
        return now.with_(before)


def reset_frame(seq: int | None) -> Frame:
    """Returns the frame that tells a client to read everything again; the stream goes on after `seq`."""
    head = f"id: {seq}\n" if seq is not None else ""
    start = f"{head}event: {RESET}\ndata: ".encode()
    number = "null" if seq is None else seq
    body = f'{{"v":{VERSION},"seq":{number},"type":"{RESET}"}}'.encode()
    return Frame(seq, RESET, start + body + b"\n\n", len(start), None)


def _reach_of(call: Call) -> Reach:
    operator = call.operator
    if operator is None:
        return Reach(frozenset(call.ringing), unassigned=True)
    logins = frozenset((operator.login,)) if operator.login else frozenset[str]()
    return Reach(frozenset((operator.sip_phone, *call.ringing)), logins)
