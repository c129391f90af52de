"""Comparing the picture with the list of live channels, and with the rows of the journal. Pure.

Events flow before the list is asked for, and Asterisk sends both down one connection. So what an event said
since the asking is at least as true as the list: a channel heard of since then lives although the list lacks
it, and one that hung up is dead although the list has it. All else the list decides.

A list says less than events do: not when somebody answered, not which phones rang before. That is left open,
never invented: such an answer has no time, such a call is judged as seen in part (`Trail.complete`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from fastagi.ami.livecall import Channel, LiveCall
from fastagi.ami.messages import Message
from fastagi.ami.outcome import Trail
from fastagi.ami.picture import Picture, living
from fastagi.ami.talk import meet
from fastagi.calls import Call, Direction, Status, call_id

__all__ = ["restored", "take_stock"]

# Down, Dialing, Ringing: what a dialled channel is before it is answered.
_UNANSWERED: Final = frozenset({"0", "3", "5"})
_QUEUE: Final = "Queue"
# A caller in one of these leaves a message: nobody answered, or nobody was to.
_MAILBOX: Final = frozenset({"VoiceMail", "MiniVMRecord", "Record"})
# Asterisk tells its uptime in whole seconds, so the time of its start may come out so much too late.
_UPTIME_STEP: Final = timedelta(seconds=1)


def restored(row: Call, now: datetime) -> LiveCall:
    """Returns a live call as the journal knows it."""
    answered = row.answered_at is not None or (row.status is Status.IN_PROCESSING and row.status_by is None)
    call = LiveCall(
        id=row.id,
        pbx=row.pbx,
        opener=row.id.removeprefix(call_id(row.pbx, "")),
        started_at=row.started_at,
        seen=now,
        direction=row.direction,
        caller=row.caller,
        called=row.called,
        known=True,
        visible=True,
        unread=True,
        trail=Trail(dialled=bool(row.ringing), queued=row.queue is not None, complete=False),
        queue=row.queue,
        in_queue=row.queue is not None and not answered,
        operator=row.operator.sip_phone if row.operator else None,
        answered=answered,
        answered_at=row.answered_at,
    )
    call.told = call.state()._replace(ringing=row.ringing)
    return call


def take_stock(
    picture: Picture, listed: Sequence[Message], now: datetime, booted_at: datetime | None
) -> list[LiveCall]:
    """Puts the picture right by the list of live channels; see `Tracker.resync`.

    Returns:
        Every call that may have changed, ended ones first.
    """
    heard = {channel.uniqueid for channel in picture.channels.values() if channel.round == picture.round}
    for call in picture.calls.values():
        call.trail.complete = call.trail.complete and call.round == picture.round
    _admit_all(picture, listed, now)
    for entry in listed:
        channel = picture.channels.get(entry.get("Uniqueid"))
        if channel is not None and channel.uniqueid not in heard:
            _set_state(picture, channel, entry)
    heard.update(entry.get("Uniqueid") for entry in listed)
    changed = dict.fromkeys(_vanish(picture, heard, booted_at))
    _name_headless(picture, listed)
    in_each_bridge = {channel.bridge: channel for channel in picture.channels.values() if channel.bridge}
    for channel in in_each_bridge.values():
        changed.update(dict.fromkeys(meet(picture, channel, None, now)))
    for call in picture.calls.values():
        call.unread = False
        changed[call] = None
    return list(changed)


def _admit_all(picture: Picture, listed: Sequence[Message], now: datetime) -> None:
    """Learns of the channels in the list, those first that open a call."""
    naming = picture.naming
    for entry in listed:
        if naming.is_trunk(entry.get("Context")) and not naming.is_local(entry.get("Channel")):
            picture.learn_trunk(entry.get("Channel"))
    for entry in sorted(listed, key=lambda entry: entry.get("Uniqueid") != entry.get("Linkedid")):
        new = entry.get("Uniqueid") not in picture.channels
        channel = picture.admit(entry, "", now)
        call = None if channel is None else living(channel)
        if not new or channel is None or call is None:
            continue
        call.trail.complete = False
        if channel.uniqueid == call.opener:
            call.started_at = _started(entry, now)
        elif channel.outside:
            picture.leads_out(call)


def _started(entry: Message, now: datetime) -> datetime:
    """Returns when a listed channel began; a Duration that is none ("00:01:15") counts as nothing."""
    parts = entry.get("Duration").split(":")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return now
    hours, minutes, seconds = (min(int(part), 10_000) for part in parts)
    return now - timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _set_state(picture: Picture, channel: Channel, entry: Message) -> None:
    """Believes the list about a channel of which nothing was heard since it was asked for."""
    bridge = entry.get("BridgeId")
    if bridge != channel.bridge:
        picture.bridges.enter(channel, bridge, "")
    call = living(channel)
    if call is None or channel.local:
        return
    if channel.uniqueid == call.opener:
        _set_place(call, entry, talks=bool(bridge))
        if call.direction is Direction.INCOMING:
            return
    rings = not bridge and entry.get("ChannelState") in _UNANSWERED and not channel.result
    channel.ringing = rings and channel.phone is not None
    if rings:
        channel.dialled = call.trail.dialled = True


def _set_place(call: LiveCall, entry: Message, *, talks: bool) -> None:
    """Learns from the application that the opening channel is in where its caller waits."""
    application = entry.get("Application")
    call.in_queue = application == _QUEUE and not talks
    if application == _QUEUE:
        call.queue = entry.get("ApplicationData").partition(",")[0] or call.queue
        call.trail.queued = True
    if application in _MAILBOX:
        call.trail.dialled = True


def _vanish(picture: Picture, alive: set[str], booted_at: datetime | None) -> list[LiveCall]:
    """Removes the channels that ended while nobody looked; returns the calls that ended with them."""
    for channel in [channel for channel in picture.channels.values() if channel.uniqueid not in alive]:
        picture.remove(channel)
    ended = [call for call in picture.calls.values() if _is_over(call)]
    for call in ended:
        call.end_unseen(died=booted_at is not None and call.started_at < booted_at - _UPTIME_STEP)
        picture.close(call)
    return ended


def _is_over(call: LiveCall) -> bool:
    """Says whether none of its channels is left, or only what a caller left behind."""
    left = call.known and call.direction is Direction.INCOMING and call.opener not in call.channels
    return left or not call.channels


def _name_headless(picture: Picture, listed: Sequence[Message]) -> None:
    """Gives a name to calls that go on without the channel that opened them, and that nobody has told us of:
    two parties who talk. One party alone is only on its way out."""
    entries = {entry.get("Uniqueid"): entry for entry in listed}
    for call in [call for call in picture.calls.values() if not call.known]:
        for channel in [channel for channel in call.channels.values() if not channel.local]:
            talking = [c for c in picture.bridges.connected(channel)[0] if c.call is call]
            if len(talking) > 1 and channel.uniqueid in entries:
                picture.reopen(call, channel, entries[channel.uniqueid])
                call.started_at = _started(entries[channel.uniqueid], call.seen)
                break
