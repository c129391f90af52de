"""Who talks with whom: answers, transfers and pickups, told by bridges. Pure.

The event functions take one kind of event and return the calls it may have changed, those that stay before
those that went into another.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from fastagi.ami.livecall import Channel, LiveCall
from fastagi.ami.messages import Message
from fastagi.ami.picture import Picture, living
from fastagi.calls import Direction

__all__ = ["attended_transfer", "bridge_enter", "bridge_leave", "meet", "pickup"]

_ATTENDED: Final = ("OrigTransferer", "SecondTransferer", "Transferee", "TransferTarget")


def bridge_enter(picture: Picture, message: Message, now: datetime) -> Iterable[LiveCall]:
    """BridgeEnter: somebody may hear somebody else from now on."""
    channel = picture.admit(message, "", now)
    if channel is None:
        return ()
    picture.bridges.enter(channel, message.get("BridgeUniqueid"), message.get("BridgeType"))
    return meet(picture, channel, now, now)


def bridge_leave(picture: Picture, message: Message, now: datetime) -> Iterable[LiveCall]:
    """BridgeLeave: of three parties two stay, and another phone may be the one who talks now."""
    channel = picture.channels.get(message.get("Uniqueid"))
    if channel is None or channel.bridge != message.get("BridgeUniqueid"):
        return ()
    stay = picture.bridges.leave(channel)
    return meet(picture, stay[0], now, now) if len(stay) > 1 else ()


def attended_transfer(picture: Picture, message: Message, now: datetime) -> Iterable[LiveCall]:
    """AttendedTransfer: all the calls it names become one, also where no bridge shows it (a phone that still
    rings, an application)."""
    if message.get("Result") != "Success":
        return ()
    named = [picture.call_of(message.get(prefix + "Uniqueid")) for prefix in _ATTENDED]
    calls = list(dict.fromkeys(call for call in named if call is not None))
    merged = picture.merge(calls, now)
    stay = [call for call in calls if not call.over]
    for call in stay:
        _settle(picture, call, now)
    return stay + merged


def pickup(picture: Picture, message: Message, now: datetime) -> Iterable[LiveCall]:
    """Pickup: a phone takes what rings at another. The one that rang gets no DialEnd any more."""
    picker = picture.admit(message, "", now)
    target = picture.admit(message, "Target", now)
    call = None if target is None else living(target)
    if picker is None or target is None or call is None:
        return ()
    target.ringing, target.result = False, "PICKUP"
    own = living(picker)
    merged = [] if own is None or own is call else picture.merge([call, own], now)
    # Whichever row stays: of an internal call that was picked up it may be either.
    return [*(party for party in (call, own) if party is not None and not party.over), *merged]


def meet(picture: Picture, channel: Channel, at: datetime | None, now: datetime) -> list[LiveCall]:
    """Looks who hears whom around a channel, makes one call of two that meet, and notes who talks.

    Args:
        picture: tells who hears whom.
        channel: half of a Local channel or a device.
        at: when the bridge came about; None where that was not seen.
        now: the time of merging.
    """
    connected, two_parties = picture.bridges.connected(channel)
    calls = list(dict.fromkeys(call for member in connected if (call := living(member)) is not None))
    merged = picture.merge(calls, now) if two_parties and len(calls) > 1 else []
    stay = [call for call in calls if not call.over]
    for call in stay:
        _settle(picture, call, at)
    return stay + merged


def _settle(picture: Picture, call: LiveCall, at: datetime | None) -> None:
    """Notes in a call who talks with its caller now, if anybody does."""
    anchors = _anchors(call)
    heard: dict[str, Channel] = {}
    for anchor in anchors:
        for member in picture.bridges.connected(anchor)[0]:
            heard[member.uniqueid] = member
    for anchor in anchors:
        heard.pop(anchor.uniqueid, None)
    if heard:
        for anchor in anchors:
            anchor.ringing = False
        call.talk(list(heard.values()), at)


def _anchors(call: LiveCall) -> list[Channel]:
    """Returns the channels that stand for the caller; for the called party where the call goes out.

    A call whose opener has left or is a Local channel is anchored in its oldest device.
    """
    devices = [channel for channel in call.channels.values() if not channel.local]
    if call.direction is Direction.OUTGOING:
        return [channel for channel in devices if channel.outside]
    opener = call.channels.get(call.opener)
    if opener is not None and not opener.local:
        return [opener]
    return devices[:1]
