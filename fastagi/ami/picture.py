"""The live picture of one PBX: its channels, its calls, and which channel belongs to which call. Pure.

Rules of belonging:

* A channel whose Linkedid is its own Uniqueid opens a call. Any other belongs to the call that its Linkedid
  means, and once it is dialled, to the call of its dialler: Linkedids change under us, diallers don't.
* A Uniqueid that hung up never comes back. The last of them are remembered, so that a late or repeated event
  cannot raise the dead.
* When two calls become one, the customer's row stays: incoming before outgoing before internal, then the
  older one. Two incoming calls stay two, whoever connects them: they are two customers.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from fastagi.ami.bridges import Bridges
from fastagi.ami.channels import Naming, dialled_number, known
from fastagi.ami.livecall import Channel, LiveCall
from fastagi.ami.messages import Message
from fastagi.calls import Caller, Direction, call_id

__all__ = ["MAX_CHANNELS", "Picture", "living"]

MAX_CHANNELS: Final = 20_000
"""Channels at once, several times what one Asterisk carries; beyond it the oldest can only be dead."""
_MAX_GONE: Final = 10_000
"""Uniqueids remembered after their Hangup. Events of a dead channel come within milliseconds; this many end
in 25 s on a PBX with 200 calls a second."""
_MAX_ASKED: Final = 10_000
"""Calls known from AGI alone: what rings up while AMI is away."""
_MAX_TRUNKS: Final = 1_000
"""Endpoints remembered as trunks."""

_DOWN: Final = "0"
_RANK: Final = {Direction.INCOMING: 0, Direction.OUTGOING: 1, Direction.INTERNAL: 2}


def living(channel: Channel) -> LiveCall | None:
    """Returns the call of a channel; None where it has none or that is over."""
    return None if channel.call is None or channel.call.over else channel.call


class Picture:
    """What of a PBX is alive."""

    def __init__(self, pbx: str, naming: Naming) -> None:
        self.pbx = pbx
        self.naming = naming
        self.channels: dict[str, Channel] = {}
        self.calls: dict[str, LiveCall] = {}
        self.bridges = Bridges()
        self.gone: dict[str, str] = {}
        """Uniqueids that hung up, and the id of the call each belonged to ("" for none)."""
        self.asked: dict[str, None] = {}
        """Uniqueids of calls that AGI asked about and AMI has not shown."""
        self.round = 0
        """Counts the readings of live channels."""
        self.ignored = 0
        """Counts events of ours that named no channel we could know."""
        self._links: dict[str, LiveCall] = {}
        self._trunks: set[str] = set()
        self._serial = 0

    def call_of(self, uniqueid: str) -> LiveCall | None:
        """Returns the live call a channel belongs to."""
        channel = self.channels.get(uniqueid)
        return None if channel is None else living(channel)

    def admit(self, message: Message, prefix: str, now: datetime, *, born: bool = False) -> Channel | None:
        """Returns the channel that a message speaks of, and learns of it where it is new.

        Args:
            message: an event or an entry of the list of live channels.
            prefix: which of its channels: "", "Dest" …
            now: when it came.
            born: the channel begins here, so Context and Exten say where it came in.

        Returns:
            None where the message names none, or one that is gone or of no interest.
        """
        uniqueid = message.get(prefix + "Uniqueid")
        channel = self.channels.get(uniqueid)
        if channel is None or not channel.name:
            name = message.get(prefix + "Channel")
            if not uniqueid or not name or uniqueid in self.gone or self.naming.is_own(name):
                self.ignored += 1
                return None
            if channel is None:
                channel = self.channels[uniqueid] = self._new_channel(uniqueid, now)
            self._describe(channel, name, message.get(prefix + "Context"), born=born)
            self._place(channel, message, prefix, now, born=born)
        channel.round, channel.seen = self.round, now
        return channel

    def _new_channel(self, uniqueid: str, now: datetime) -> Channel:
        self._serial += 1
        return Channel(uniqueid, "", self._serial, now, round=self.round)

    def _describe(self, channel: Channel, name: str, context: str, *, born: bool) -> None:
        naming = self.naming
        channel.name = name
        channel.local = naming.is_local(name)
        if not channel.local:
            channel.outside = naming.is_trunk(context)
            if channel.outside:
                self.learn_trunk(name)
            elif not born:
                channel.outside = naming.endpoint(name) in self._trunks
            channel.phone = None if channel.outside else naming.phone(name)
        self.bridges.add(channel)

    def learn_trunk(self, name: str) -> None:
        """Remembers that channels of this endpoint lead outside, wherever they are in the dialplan."""
        if len(self._trunks) < _MAX_TRUNKS:
            self._trunks.add(self.naming.endpoint(name))

    def _place(self, channel: Channel, message: Message, prefix: str, now: datetime, *, born: bool) -> None:
        """Puts a new channel into its call; opens one where it is the first."""
        linkedid = message.get(prefix + "Linkedid") or channel.uniqueid
        call = self._links.get(channel.uniqueid)
        if call is None and linkedid == channel.uniqueid:
            call = self._new_call(channel.uniqueid, now)
        elif call is None:
            call = self._call_of_link(linkedid, now)
        if call is None:
            return
        if channel.uniqueid == call.opener and not call.known:
            self._open(call, channel, message, prefix, born=born)
        self.join(channel, call)

    def _call_of_link(self, linkedid: str, now: datetime) -> LiveCall | None:
        call = self._links.get(linkedid)
        if call is not None:
            return call
        if linkedid in self.gone:
            return None
        other = self.channels.get(linkedid)
        if other is None:
            # Nobody has shown us the opener yet; its own event, or the list of live channels, will.
            return self._new_call(linkedid, now)
        return living(other)

    def _new_call(self, opener: str, now: datetime) -> LiveCall:
        call = LiveCall(call_id(self.pbx, opener), self.pbx, opener, now, now, self.round)
        self.add_call(call)
        return call

    def add_call(self, call: LiveCall) -> None:
        """Takes a call in."""
        self.calls[call.id] = call
        call.links.append(call.opener)
        self._links[call.opener] = call

    def stub(self, call: LiveCall, now: datetime) -> None:
        """Stands in for the opening channel of a call that the journal told of."""
        channel = self.channels[call.opener] = self._new_channel(call.opener, now)
        channel.call = call
        # The journal is no sign of life; only an event or the list of live channels is.
        channel.round = self.round - 1
        call.channels[channel.uniqueid] = channel

    def _open(self, call: LiveCall, channel: Channel, message: Message, prefix: str, *, born: bool) -> None:
        """Learns from the opening channel who calls, where to, and in which direction."""
        number = known(message.get(prefix + "CallerIDNum"))
        exten = message.get(prefix + "Exten")
        call.known, call.guessed = True, not born
        call.caller = Caller(raw=number, name=known(message.get(prefix + "CallerIDName")) or None)
        asked = channel.uniqueid in self.asked
        self.asked.pop(channel.uniqueid, None)
        # A trunk channel that is born Down and without a number is not coming in, somebody dials it.
        dialled = (
            channel.outside and message.get(prefix + "ChannelState") == _DOWN and not dialled_number(exten)
        )
        if dialled and not asked:
            call.direction = Direction.OUTGOING
        elif asked or channel.outside or (not born and not channel.local and number != channel.phone):
            call.direction = Direction.INCOMING
        # Only where it came in its Exten is what was dialled; later it is any place in the dialplan.
        if born or self.naming.is_trunk(message.get(prefix + "Context")):
            call.called = dialled_number(exten)
        elif exten.lstrip("+").isdigit():
            call.place = exten
            call.called = None if call.direction is Direction.INCOMING else exten

    def reopen(self, call: LiveCall, channel: Channel, message: Message) -> None:
        """Names a call after another channel, because the one that opened it left unseen.

        Its own id may be that of a row that was closed long ago.
        """
        del self.calls[call.id]
        call.id, call.opener = call_id(self.pbx, channel.uniqueid), channel.uniqueid
        self.add_call(call)
        self._open(call, channel, message, "", born=False)
        self.join(channel, call)

    def join(self, channel: Channel, call: LiveCall) -> None:
        """A channel belongs to this call from now on."""
        before, channel.call = living(channel), call
        if before is not None:
            before.channels.pop(channel.uniqueid, None)
            if not before.channels and not before.visible:
                self.close(before)
        call.channels[channel.uniqueid] = channel
        if call.known and not call.visible:
            call.visible = any(not other.local for other in call.channels.values())
        if channel.uniqueid == call.opener and not channel.local:
            if call.direction is Direction.INCOMING:
                call.incoming()
            elif call.direction is Direction.OUTGOING and call.operator is None:
                # No phone dialled: Asterisk called the customer, and this is their channel.
                channel.outside, channel.phone = True, None

    def leads_out(self, call: LiveCall) -> None:
        """One of its legs goes through a trunk: it is an outgoing call unless it came in by one."""
        opener = self.channels.get(call.opener)
        if call.guessed and not call.answered and opener is not None and not opener.local:
            if self.naming.endpoint(opener.name) in self._trunks:
                call.incoming()
                return
            opener.outside, opener.phone = False, self.naming.phone(opener.name)
            call.outgoing()
        elif call.direction is Direction.INTERNAL:
            call.outgoing()

    def merge(self, calls: Iterable[LiveCall], now: datetime) -> list[LiveCall]:
        """Makes one call of several and returns those that went into another."""
        ranked = sorted(calls, key=lambda call: (not call.visible, _RANK[call.direction], call.started_at))
        losers = [call for call in ranked[1:] if call.direction is not Direction.INCOMING]
        for loser in losers:
            self._absorb(loser, ranked[0], now)
        return losers

    def _absorb(self, loser: LiveCall, winner: LiveCall, now: datetime) -> None:
        for channel in list(loser.channels.values()):
            channel.call = winner
            winner.channels[channel.uniqueid] = channel
        loser.channels.clear()
        winner.links += loser.links
        for link in loser.links:
            self._links[link] = winner
        loser.links = []
        loser.merge_into(winner, now)
        del self.calls[loser.id]

    def remove(self, channel: Channel) -> None:
        """A channel is gone for good."""
        self.bury(channel.uniqueid, channel.call.id if channel.call else "")
        self.forget(channel)

    def forget(self, channel: Channel) -> None:
        """A channel counts no more; should it show again, it is a new one."""
        self.channels.pop(channel.uniqueid, None)
        self.bridges.remove(channel)
        if channel.call is not None:
            channel.call.channels.pop(channel.uniqueid, None)

    def bury(self, uniqueid: str, call: str = "") -> None:
        """Remembers that a Uniqueid is gone, and the id of its call."""
        self.gone.setdefault(uniqueid, call)
        if len(self.gone) > _MAX_GONE:
            del self.gone[next(iter(self.gone))]

    def close(self, call: LiveCall) -> None:
        """A call is over: nothing leads to it any more. Channels it leaves behind end by their own Hangup."""
        self.calls.pop(call.id, None)
        for link in call.links:
            self._links.pop(link, None)
        for channel in call.channels.values():
            channel.ringing = False

    def resolve(self, uniqueid: str, linkedid: str | None) -> str:
        """Returns the id of the call that an AGI request is about; see `Tracker.resolve`."""
        link = linkedid or uniqueid
        channel = self.channels.get(uniqueid)
        call = channel.call if channel is not None else None
        if call is None:
            buried = self.gone.get(uniqueid) or self.gone.get(link)
            if buried:
                return buried
            call = self._links.get(link)
        if call is None:
            self._remember_asked(link)
            return call_id(self.pbx, link)
        if not call.over and call.direction is not Direction.OUTGOING:
            call.incoming()
        return call.id

    def _remember_asked(self, link: str) -> None:
        self.asked[link] = None
        if len(self.asked) > _MAX_ASKED:
            del self.asked[next(iter(self.asked))]
