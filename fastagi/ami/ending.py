"""How channels and calls end. Pure.

The event functions take one kind of event and return the calls it may have changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from fastagi.ami.livecall import Channel, LiveCall
from fastagi.ami.messages import Message
from fastagi.ami.outcome import result_of_cause
from fastagi.ami.picture import MAX_CHANNELS, Picture, living
from fastagi.calls import Direction

__all__ = ["give_up", "hangup", "hangup_request", "shed", "shutdown", "soft_hangup"]

_UP: Final = "6"
_BUSY: Final = "7"
_CANCELLED: Final = "487"
# The flag of SoftHangupRequest for "Asterisk is shutting down" (tests/captures/17_restart_mid_call).
_STOPPING: Final = "4"


def hangup_request(picture: Picture, message: Message, now: datetime) -> Iterable[LiveCall]:
    """HangupRequest: the far end of a channel hangs up. Decides whether a caller gave up waiting (rule 3 of
    `outcome`), for only now it is plain what they waited for."""
    channel = _known_or_asked(picture, message, now)
    call = None if channel is None else living(channel)
    if channel is None or call is None:
        return ()
    channel.replied = True
    if channel.uniqueid == call.opener and not (call.answered or channel.pending or _is_refusal(message)):
        call.trail.hangup_seen = True
        call.trail.gave_up = call.in_queue or call.pending or not call.trail.dialled
    return (call,)


def _is_refusal(message: Message) -> bool:
    """Says whether the dialplan refused the caller. The channel is then in state Busy, if it had the time to
    get there before its HangupRequest; the SIP answer is there either way: 487 only where the caller cancelled.
    """
    answer = message.get("TechCause")
    return message.get("ChannelState") == _BUSY or (
        answer.isascii() and answer.isdigit() and answer != _CANCELLED
    )


def soft_hangup(picture: Picture, message: Message, _now: datetime) -> Iterable[LiveCall]:
    """SoftHangupRequest: Asterisk itself ends a channel; of interest where it does so because it stops."""
    call = picture.call_of(message.get("Uniqueid"))
    if call is not None and message.get("Cause") == _STOPPING:
        call.trail.stopped = True
    return ()


def hangup(picture: Picture, message: Message, now: datetime) -> Iterable[LiveCall]:
    """Hangup: a channel is gone, and maybe its call with it."""
    channel = _known_or_asked(picture, message, now)
    if channel is None:
        if message.get("Channel"):
            picture.bury(message.get("Uniqueid"))
        return ()
    call, cause = living(channel), _cause(message)
    if call is None:
        picture.remove(channel)
        return ()
    opened = channel.uniqueid == call.opener
    if opened:
        _opener_hung_up(call, channel, cause, message.get("ChannelState"))
    if channel.pending:
        call.trail.results.add(result_of_cause(cause))
    picture.remove(channel)
    if not call.channels or (opened and call.direction is Direction.INCOMING):
        call.end(now)
        picture.close(call)
    return (call,)


def _opener_hung_up(call: LiveCall, opener: Channel, cause: int | None, state: str) -> None:
    call.trail.cause = cause
    call.trail.up = state == _UP
    if call.trail.complete and not opener.pending and (call.in_queue or call.pending):
        # No request came, but nobody had stopped the ringing before the caller was gone.
        call.trail.gave_up = True


def _known_or_asked(picture: Picture, message: Message, now: datetime) -> Channel | None:
    """Returns the channel of an event that by itself opens no call.

    It does where AGI asked about the channel: then there is a row, and it must come to its end.
    """
    uniqueid = message.get("Uniqueid")
    if uniqueid in picture.asked:
        return picture.admit(message, "", now)
    channel = picture.channels.get(uniqueid)
    if channel is None or not message.get("Channel"):
        picture.ignored += 1
        return None
    return channel


def _cause(message: Message) -> int | None:
    cause = message.get("Cause")
    return int(cause) if cause.isascii() and cause.isdigit() else None


def shutdown(picture: Picture, _message: Message, now: datetime) -> Iterable[LiveCall]:
    """Shutdown: Asterisk stops, and every call it still has ends with it."""
    ended = list(picture.calls.values())
    for call in ended:
        call.end_unseen(died=True, ended_at=now)
        picture.close(call)
    for channel in list(picture.channels.values()):
        picture.remove(channel)
    return ended


def shed(picture: Picture) -> list[LiveCall]:
    """Makes room when there are more channels than can be (`MAX_CHANNELS`): gives up those without a row
    first, then the calls of the oldest."""
    rowless = [channel for channel in picture.channels.values() if not _has_row(channel)]
    for channel in rowless:
        call = living(channel)
        give_up(picture, [] if call is None else [call])
        picture.forget(channel)
    ended: list[LiveCall] = []
    for channel in list(picture.channels.values()):
        if len(picture.channels) <= MAX_CHANNELS * 9 // 10:
            break
        call = living(channel)
        ended += give_up(picture, [] if call is None else [call])
    return ended


def _has_row(channel: Channel) -> bool:
    call = living(channel)
    return call is not None and call.visible


def give_up(picture: Picture, calls: Sequence[LiveCall]) -> Sequence[LiveCall]:
    """Closes calls whose end nobody will see, and forgets their channels."""
    for call in calls:
        call.end_unseen(died=False)
        picture.close(call)
        for channel in list(call.channels.values()):
            # A row that was settled is not opened again by a late event.
            (picture.remove if call.visible else picture.forget)(channel)
    return calls
