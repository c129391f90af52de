"""A call while it lives, and the channels it is made of. Pure.

`LiveCall` gathers what was seen and says, after each change, what the row of the journal should hold now. It
decides nothing about Asterisk: `picture` says which channel belongs to which call, `tracker` what happened.

Seconds are whole, rounded to the nearest. Waiting counts from the beginning of the call, time in menus and
several queues included, to the first answer or the end; talk from the first answer to the end. Where one of
the two moments was not seen, there is no number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from fastagi.ami.outcome import Trail, judge, judge_unseen
from fastagi.calls import Caller, Direction, EventType, Outcome, Status
from fastagi.changes import Observed

__all__ = ["Channel", "LiveCall"]


@dataclass(slots=True, eq=False)
class Channel:
    """One channel of Asterisk.

    Attributes:
        uniqueid: its name for life; "" never.
        name: as Asterisk shows it; "" where only the journal told of it.
        serial: grows with each channel.
        seen: when it was last heard of.
        local: half of a Local channel, which only links others.
        outside: it leads to the world outside (a trunk).
        phone: the SIP phone of an operator; None for all others.
        call: the call it belongs to; None where that is over or was never ours.
        bridge: the bridge it is in, "" for none.
        dialled: somebody dials it or did.
        result: of its first DialEnd, "" before.
        ringing: a phone that somebody dials and nobody has answered yet.
        replied: it hung up by itself (declined, busy), so it can be reached.
        round: the reading of live channels in which it was last heard of.
    """

    uniqueid: str
    name: str
    serial: int
    seen: datetime
    local: bool = False
    outside: bool = False
    phone: str | None = None
    call: LiveCall | None = None
    bridge: str = ""
    dialled: bool = False
    result: str = ""
    ringing: bool = False
    replied: bool = False
    round: int = 0

    @property
    def pending(self) -> bool:
        """Somebody dials it and has no result yet."""
        return self.dialled and not self.result and not self.local


class _State(NamedTuple):
    """The fields of `Observed` that a change shows in, by the same names."""

    direction: Direction
    status: Status
    started_at: datetime
    caller: Caller
    outcome: Outcome | None
    called: str | None
    queue: str | None
    waiting_seconds: int | None
    ringing: tuple[str, ...]
    operator: str | None
    answered_at: datetime | None
    ended_at: datetime | None
    talk_seconds: int | None
    hangup_cause: int | None
    merged_into: str | None


@dataclass(slots=True, eq=False)
class LiveCall:
    """One call that goes on.

    Attributes:
        opener: Uniqueid of the channel that opened it, the tail of its id.
        known: that channel was seen, so its caller and direction are known.
        guessed: its direction was concluded from a channel in mid-call.
        place: the number of the extension where that channel was; None where it was no number.
        visible: it has a row. A call of Local channels alone has none, nor has one whose opening channel was
            never seen (what a caller who hung up leaves behind looks like that).
        unread: it comes from the journal and the live channels have not been read since.
        links: the Linkedids that mean it: its opener, and those of calls merged into it.
        in_queue: the caller waits in a queue now.
        answered: an operator's phone was bridged with the caller. `answered_at` is None where the moment was
            not seen.
        seen: when anything was last heard of it.
        round: the reading of live channels after which it was first heard of.
    """

    id: str
    pbx: str
    opener: str
    started_at: datetime
    seen: datetime
    round: int = 0
    direction: Direction = Direction.INTERNAL
    caller: Caller = field(default_factory=Caller)
    called: str | None = None
    known: bool = False
    guessed: bool = False
    place: str | None = None
    visible: bool = False
    unread: bool = False
    channels: dict[str, Channel] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    trail: Trail = field(default_factory=Trail)
    queue: str | None = None
    in_queue: bool = False
    operator: str | None = None
    answered: bool = False
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    settled: tuple[Status, Outcome] | None = None
    merged_into: str | None = None
    told: _State | None = None

    @property
    def over(self) -> bool:
        """Its end was seen or settled."""
        return self.settled is not None

    @property
    def pending(self) -> bool:
        """A phone is being dialled now, or was picked up and is still on its way to the caller."""
        return any(
            channel.pending or (channel.result == "ANSWER" and channel.uniqueid != self.opener)
            for channel in self.channels.values()
            if not channel.local
        )

    def incoming(self) -> None:
        """The call came from outside: its opener is no operator's phone."""
        self.direction = Direction.INCOMING
        self.operator = self.operator if self.answered else None
        opener = self.channels.get(self.opener)
        if opener is not None and not opener.local:
            opener.outside, opener.phone = True, None

    def outgoing(self) -> None:
        """The call goes outside; its operator is the dialler, whether anybody answers or not."""
        self.direction = Direction.OUTGOING
        self.called = self.called or self.place
        if self.operator is None:
            phones = (channel.phone for channel in self.channels.values())
            self.operator = next((phone for phone in phones if phone is not None), None)

    def talk(self, others: list[Channel], at: datetime | None) -> None:
        """Somebody is bridged with the caller.

        Args:
            others: the channels the caller hears, at least one. Those outside answer the call too (a
                colleague's mobile phone), but are no operator's phone.
            at: when it began; None where that was not seen.
        """
        if not self.answered:
            self.answered, self.answered_at = True, at
        for channel in others:
            channel.ringing = False
        phones = [channel for channel in others if channel.phone is not None]
        if phones and self.operator not in [channel.phone for channel in phones]:
            self.operator = max(phones, key=lambda channel: channel.serial).phone

    def end(self, now: datetime) -> None:
        """Its end was seen."""
        self.ended_at = now
        self.settled = judge(self.trail, answered=self.answered)

    def end_unseen(self, *, died: bool, ended_at: datetime | None = None) -> None:
        """It is over, and nobody saw how.

        Args:
            died: Asterisk stopped or died in mid-call; else we were away.
            ended_at: the moment where that is known.
        """
        self.ended_at = ended_at
        self.settled = judge_unseen(answered=self.answered, died=died)

    def merge_into(self, other: LiveCall, now: datetime) -> None:
        """What becomes of it stands in the other call's row from now on.

        Its own row is closed as processed and answered: nobody has to care for it any more, whether its
        phone was answered (a consultation) or never meant to be (the picker's `*8`).
        """
        self.merged_into = other.id
        self.ended_at = now
        self.settled = (Status.PROCESSED, Outcome.ANSWERED)

    def tell(self, now: datetime) -> Observed | None:
        """Returns what changed since it was last told; None where nothing did."""
        state = self.state()
        before = self.told
        if state == before:
            return None
        self.told = state
        kind = EventType.STARTED if before is None else _kind(before, state)
        return Observed(id=self.id, pbx=self.pbx, at=now, type=kind, **state._asdict())

    def state(self) -> _State:
        """Returns what the row should hold now."""
        status, outcome = self.settled or (
            Status.IN_PROCESSING if self.answered else Status.RINGING,
            None,
        )
        answered_at, ended_at = self.answered_at, self.ended_at
        return _State(
            direction=self.direction,
            status=status,
            started_at=self.started_at,
            caller=self.caller,
            outcome=outcome,
            called=self.called,
            queue=self.queue,
            waiting_seconds=_seconds(self.started_at, answered_at if self.answered else ended_at),
            ringing=() if self.over else self._ringing(),
            operator=self.operator,
            answered_at=answered_at,
            ended_at=ended_at,
            talk_seconds=_seconds(answered_at, ended_at),
            hangup_cause=self.trail.cause if self.over else None,
            merged_into=self.merged_into,
        )

    def _ringing(self) -> tuple[str, ...]:
        phones = {c.phone for c in self.channels.values() if c.ringing and c.phone is not None}
        return tuple(sorted(phones))


def _seconds(since: datetime | None, until: datetime | None) -> int | None:
    if since is None or until is None:
        return None
    return max(0, int((until - since).total_seconds() + 0.5))


def _kind(before: _State, after: _State) -> EventType:
    """Returns which event a change is; the weightiest thing that changed names it."""
    if after.merged_into is not None:
        return EventType.MERGED
    if after.outcome is not None:
        return EventType.ENDED
    if after.status is not before.status:
        return EventType.ANSWERED
    if after.operator != before.operator and after.status is Status.IN_PROCESSING:
        return EventType.TRANSFERRED
    return EventType.RINGING if after.ringing != before.ringing else EventType.UPDATED
