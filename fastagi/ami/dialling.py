"""Channels that begin, dial, ring and wait: what the events before an answer change. Pure.

Each function takes one kind of event and returns the calls it may have changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from fastagi.ami.channels import dialled_number
from fastagi.ami.livecall import Channel, LiveCall
from fastagi.ami.messages import Message
from fastagi.ami.picture import Picture, living
from fastagi.calls import Direction

__all__ = ["dial_begin", "dial_end", "newchannel", "queue_join", "queue_leave"]

_UP: Final = "6"
_DOWN: Final = "0"


def newchannel(picture: Picture, message: Message, now: datetime) -> Iterable[LiveCall]:
    """Newchannel: a call begins, or one of its legs."""
    return _of(picture.admit(message, "", now, born=True))


def dial_begin(picture: Picture, message: Message, now: datetime) -> Iterable[LiveCall]:
    """DialBegin: a phone rings, or a Local channel leads on."""
    # An originated channel is dialled by nobody.
    dialler = picture.admit(message, "", now) if message.get("Uniqueid") else None
    leg = picture.admit(message, "Dest", now)
    if leg is None:
        return _of(dialler)
    _follow_dialler(picture, leg, dialler)
    call = living(leg)
    if call is None or leg.result or leg.bridge:
        return ()
    leg.dialled = True
    if not leg.local:
        call.trail.dialled = True
        leg.ringing = leg.phone is not None
    if dialler is None:
        _originated(call, leg, message)
    elif leg.outside and leg.uniqueid != call.opener:
        _note_number(call, message)
        picture.leads_out(call)
    return (call,)


def _note_number(call: LiveCall, message: Message) -> None:
    """Learns which number is dialled outside, where the opening channel could not tell.

    A channel that Asterisk originated was born without one, or (Local) with that of the operator's phone.
    The dialler's Exten says it, unless the dialplan dials from a macro.
    """
    opener = call.channels.get(call.opener)
    if call.direction is Direction.INCOMING:
        return
    if call.called is None or (opener is not None and opener.local):
        call.called = dialled_number(message.get("Exten")) or _number_in(message) or call.called


def _number_in(message: Message) -> str | None:
    """Reads the number from the DialString: "79161234567@trunk" or "trunk/79161234567"."""
    number = message.get("DialString").partition("@")[0].rpartition("/")[2]
    return number if number.isdigit() else None


def _of(channel: Channel | None) -> Iterable[LiveCall]:
    call = None if channel is None else living(channel)
    return () if call is None else (call,)


def _follow_dialler(picture: Picture, leg: Channel, dialler: Channel | None) -> None:
    """Puts a leg into the call of its dialler, wherever its Linkedid put it."""
    target = None if dialler is None else living(dialler)
    own = living(leg)
    opens_its_own = own is not None and own.opener == leg.uniqueid
    if target is not None and own is not target and not opens_its_own:
        picture.join(leg, target)


def _originated(call: LiveCall, leg: Channel, message: Message) -> None:
    """Asterisk dials a trunk first and an operator after that: it is no incoming call."""
    if leg.uniqueid == call.opener and leg.outside:
        call.direction = Direction.OUTGOING
        call.called = _number_in(message) or call.called


def dial_end(picture: Picture, message: Message, _now: datetime) -> Iterable[LiveCall]:
    """DialEnd: what became of a leg."""
    leg = picture.channels.get(message.get("DestUniqueid"))
    call = None if leg is None else living(leg)
    if leg is None or call is None:
        return ()
    if message.get("Uniqueid") == call.opener:
        call.trail.up_before = message.get("ChannelState") == _UP
    # app_queue ends a leg twice; the first end is the true one.
    if not leg.dialled or leg.result:
        return ()
    leg.result = status = message.get("DialStatus")
    results = call.trail.link_results if leg.local else call.trail.results
    results.add(_result(leg, status, message.get("DestChannelState")))
    # A phone picked up is still on its way to the caller; where none waits (Originate), it rings no more.
    leg.ringing = leg.ringing and status == "ANSWER" and _caller_waits(call, leg)
    return (call,)


def _caller_waits(call: LiveCall, leg: Channel) -> bool:
    opener = call.channels.get(call.opener)
    return opener is not None and opener is not leg and not opener.local


def _result(leg: Channel, status: str, state: str) -> str:
    """Returns the result of a leg, told apart from that of a phone which is off.

    Asterisk says NOANSWER of a phone that never replied too (tests/captures/20_switched_off_phone). Such a
    one was never Ringing, nor did it hang up. A trunk may ring by early media alone, so it is believed.
    """
    silent = status == "NOANSWER" and leg.phone is not None and state == _DOWN and not leg.replied
    return "CHANUNAVAIL" if silent else status


def queue_join(picture: Picture, message: Message, now: datetime) -> Iterable[LiveCall]:
    """QueueCallerJoin: the caller waits in a queue; the row names the last one."""
    calls = _of(picture.admit(message, "", now))
    for call in calls:
        call.queue = message.get("Queue") or call.queue
        call.in_queue = call.trail.queued = True
    return calls


def queue_leave(picture: Picture, message: Message, _now: datetime) -> Iterable[LiveCall]:
    """QueueCallerLeave: the caller waits no longer, whatever came of it."""
    calls = _of(picture.channels.get(message.get("Uniqueid")))
    for call in calls:
        call.in_queue = False
    return calls
