"""The call tracker of one PBX: AMI messages in, what became of each call out. Pure: no clock, no I/O.

It is the door to a few rooms: `picture` (which channel belongs to which call), `bridges` (who hears whom),
`dialling`, `talk` and `ending` (what each event means), `outcome` (how a call ended, with the rules for it),
`stocktaking` (the list of live channels) and `livecall` (what a row should hold).

Choices, kept in all of them:

* A phone rings from DialBegin, not from its 180: the operator's card should be there before the bell. It
  rings until its first DialEnd other than ANSWER, its Hangup, its pickup, or until the caller hears it. A leg
  through a trunk never rings: it is no operator's phone.
* Answered means that the caller (for an outgoing call: the called party) and somebody else hear each other.
  Up alone, a queue, a menu, music and Local channels are not. Somebody outside, on a mobile phone behind a
  trunk, answers a call too, but names no operator.
* An outgoing call has the dialler for its operator from the first, answered or not: they made it.
* A call that came in ends with the Hangup of the channel that opened it. Any other ends with its last
  channel: the dialler of an outgoing call may transfer it and leave.
* Two calls become one when their parties meet in a bridge of two, by Pickup, or by AttendedTransfer. The
  bridge alone says it too, so a lost transfer event changes nothing.
* A call that Asterisk opens by itself (Originate) has a row as soon as a device takes part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from fastagi.ami.channels import Naming
from fastagi.ami.dialling import dial_begin, dial_end, newchannel, queue_join, queue_leave
from fastagi.ami.ending import give_up, hangup, hangup_request, shed, shutdown, soft_hangup
from fastagi.ami.livecall import LiveCall
from fastagi.ami.messages import Message
from fastagi.ami.picture import MAX_CHANNELS, Picture, living
from fastagi.ami.stocktaking import restored, take_stock
from fastagi.ami.talk import attended_transfer, bridge_enter, bridge_leave, pickup
from fastagi.calls import Call
from fastagi.changes import Observed

__all__ = ["EVENTS", "ROWLESS_SILENCE", "SILENCE", "Tracker"]

SILENCE: Final = timedelta(hours=24)
"""After so long without a word from any channel of it, a call can no longer end: its Hangup was lost. No talk
in a call centre lasts a day."""
ROWLESS_SILENCE: Final = timedelta(minutes=10)
"""The same for what has no row: legs whose opening channel never showed (its events were forged, or it was on
its way out), and channels that a call left behind. A queue's longest ring is a few minutes."""

_ROUTES: Final[Mapping[str, Callable[[Picture, Message, datetime], Iterable[LiveCall]]]] = {
    "Newchannel": newchannel,
    "DialBegin": dial_begin,
    "DialEnd": dial_end,
    "QueueCallerJoin": queue_join,
    "QueueCallerLeave": queue_leave,
    "BridgeEnter": bridge_enter,
    "BridgeLeave": bridge_leave,
    "AttendedTransfer": attended_transfer,
    "Pickup": pickup,
    "HangupRequest": hangup_request,
    "SoftHangupRequest": soft_hangup,
    "Hangup": hangup,
    "Shutdown": shutdown,
}

EVENTS: Final = frozenset({"FullyBooted", *_ROUTES})
"""What the manager account must let through: all that the tracker uses, and FullyBooted, which says when the
live channels can be read."""


class Tracker:
    """Follows the calls of one PBX.

    Args:
        pbx: its name in the configuration.
        trunk_contexts: where incoming calls begin.
        operator_pattern: see `channels.Naming`.
    """

    def __init__(
        self, pbx: str, *, trunk_contexts: Collection[str], operator_pattern: str | None = None
    ) -> None:
        self._picture = Picture(pbx, Naming(trunk_contexts, operator_pattern))

    @property
    def calls(self) -> int:
        """Calls that go on."""
        return len(self._picture.calls)

    @property
    def channels(self) -> int:
        """Channels that live."""
        return len(self._picture.channels)

    def knows(self, id: str) -> bool:
        """Says whether the call goes on here; a row that is open and unknown here has ended unseen.

        A call of which only other legs were seen is not known: nothing here will ever tell its end.
        """
        call = self._picture.calls.get(id)
        return call is not None and call.visible

    @property
    def ignored(self) -> int:
        """Events of ours, so far, that named no channel we could know; they changed nothing."""
        return self._picture.ignored

    def feed(self, message: Message, now: datetime) -> list[Observed]:
        """Takes a message in the order of arrival.

        Args:
            message: any; those the tracker does not use change nothing.
            now: when it came.

        Returns:
            One snapshot for each call that it changed.
        """
        route = _ROUTES.get(message.event)
        if route is None:
            return []
        told = _tell(route(self._picture, message, now), now)
        if len(self._picture.channels) > MAX_CHANNELS:
            told += _tell(shed(self._picture), now)
        return told

    def restore(self, calls: Sequence[Call], now: datetime) -> None:
        """Takes the open rows of the journal in, before the first reading of live channels.

        Nothing is told of such a call before that reading, unless it ends.
        """
        for row in calls:
            if row.id not in self._picture.calls:
                call = restored(row, now)
                self._picture.add_call(call)
                self._picture.stub(call, now)

    def begin_resync(self) -> None:
        """The live channels are about to be read; what is heard of from now on is younger than the list."""
        self._picture.round += 1

    def resync(
        self, channels: Sequence[Message], now: datetime, booted_at: datetime | None
    ) -> list[Observed]:
        """Compares the picture with the list of live channels and puts it right.

        Args:
            channels: the CoreShowChannel entries, when the list is complete.
            now: when it was.
            booted_at: when Asterisk started; None where that is not known.
        """
        return _tell(take_stock(self._picture, channels, now, booted_at), now)

    def resolve(self, uniqueid: str, linkedid: str | None) -> str:
        """Returns the id of the call an AGI request is about, whether or not AMI has shown it yet.

        A call that AGI asks about counts as incoming. `knows` it only once AMI has shown it.

        Args:
            uniqueid: agi_uniqueid.
            linkedid: what the dialplan gave for it; None or "" where it gave nothing.
        """
        return self._picture.resolve(uniqueid, linkedid)

    def expire(self, now: datetime) -> list[Observed]:
        """Forgets what can no longer end; see `SILENCE` and `ROWLESS_SILENCE`. To be called now and then."""
        silent = [
            call
            for call in self._picture.calls.values()
            if call.seen < now - (SILENCE if call.visible else ROWLESS_SILENCE)
        ]
        told = _tell(give_up(self._picture, silent), now)
        for channel in list(self._picture.channels.values()):
            if channel.seen < now - ROWLESS_SILENCE and living(channel) is None:
                self._picture.forget(channel)
        return told


def _tell(calls: Iterable[LiveCall], now: datetime) -> list[Observed]:
    told = []
    for call in calls:
        call.seen = now
        if call.visible and (call.over or not call.unread):
            observed = call.tell(now)
            if observed is not None:
                told.append(observed)
    return told
