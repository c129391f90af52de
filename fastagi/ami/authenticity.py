"""Which AMI messages can be Asterisk's own. Pure.

Asterisk writes a caller's number and the dialled number into its events without escaping, and SIP lets both
hold line ends (FACTS.md B6, "Event injection"). So one real event may arrive torn into pieces: its head, what
the caller forged, and its tail. A piece gives itself away:

* A forged event that is to swallow the tail repeats keys of the tail, or lacks those before it. Asterisk cuts
  a SIP number at 79 bytes, and the keys a channel event begins with need 92; so an event is believed only
  when all its usual keys are there exactly once.
* A forged event that is complete by itself, or a head completed by a forged tail, leaves the true tail
  behind as a piece that begins with no message's first key. `stream` drops what came right before such a
  piece.
* Answers and list entries carry the ActionID of our action, which nobody can guess; `protocol` drops others.

A torn event is not lost with its pieces. What is Asterisk's own at both ends of it proves itself by its length:
the keys from Event to CallerIDNum and those from ConnectedLineName to Linkedid come in one order, and neither row
of them fits into a number. So kind, channel and Uniqueid can be told, and the call is followed to its end,
without its numbers.

The table was derived from the recorded conversations in tests/captures and names every event that call
tracking may use. More keys than these may come (channelvars, timestamps, a newer Asterisk). An event that the
table does not name is believed when nothing speaks against it; nothing may depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fastagi.ami.messages import Header, Message

__all__ = ["USUAL_KEYS", "UsualKeys", "flaw", "is_beginning", "mended"]

_CHANNEL: Final = (
    *("Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName", "ConnectedLineNum"),
    *("ConnectedLineName", "Language", "AccountCode", "Context", "Exten", "Priority", "Uniqueid", "Linkedid"),
)
_HEAD: Final = _CHANNEL[: _CHANNEL.index("CallerIDNum") + 1]
_TAIL: Final = _CHANNEL[_CHANNEL.index("ConnectedLineName") :]
# A bridge comes before its channel.
_HEAD_LIMIT: Final = 20
_SECOND: Final = ("Privilege", "ActionID")
_BRIDGE: Final = (
    *("BridgeUniqueid", "BridgeType", "BridgeTechnology", "BridgeCreator", "BridgeName"),
    "BridgeNumChannels",
)
# What says who an event is about: never there twice, whatever the event.
_IDENTITY: Final = ("Event", "Privilege", "ActionID", "Channel", "Uniqueid", "Linkedid")


@dataclass(frozen=True, slots=True)
class UsualKeys:
    """The keys of one kind of event beside Event and Privilege (or ActionID, for entries of lists).

    Attributes:
        always: each is there exactly once.
        together: groups of which all keys are there once, or none (a dial without a dialler, an agent whose
            channel is gone).
        short: True for the few events without a whole channel, which would fit into a number. They have no
            Linkedid; the tail of a torn event always has one.
    """

    always: frozenset[str]
    together: tuple[frozenset[str], ...] = ()
    short: bool = False


def _keys(*groups: tuple[str, ...] | str, prefixes: str = "", maybe: str = "") -> UsualKeys:
    """Builds an entry: groups of plain keys, prefixes of whole channels, prefixes of channels that may lack.

    A prefix is written as a word; "-" stands for the channel without a prefix.
    """
    always = [key for group in groups for key in ((group,) if isinstance(group, str) else group)]
    always += [key for prefix in prefixes.split() for key in _channel(prefix)]
    return UsualKeys(frozenset(always), tuple(frozenset(_channel(prefix)) for prefix in maybe.split()))


def _channel(prefix: str) -> tuple[str, ...]:
    return tuple(prefix.removeprefix("-") + key for key in _CHANNEL)


_PLAIN: Final = _keys(prefixes="-")
_IN_BRIDGE: Final = _keys(_BRIDGE, prefixes="-")
_OF_BRIDGE: Final = _keys(_BRIDGE)
_AGENT: Final = ("Queue", "Interface", "MemberName")

USUAL_KEYS: Final[Mapping[str, UsualKeys]] = {
    "Newchannel": _PLAIN,
    "Newstate": _PLAIN,
    "Newexten": _keys("Extension", "Application", "AppData", prefixes="-"),
    "NewCallerid": _keys("CID-CallingPres", prefixes="-"),
    "NewConnectedLine": _PLAIN,
    "Rename": UsualKeys(frozenset({"Channel", "Newname", "Uniqueid"}), short=True),
    "Hold": _PLAIN,
    "Unhold": _PLAIN,
    "MusicOnHoldStart": _keys("Class", prefixes="-"),
    "MusicOnHoldStop": _PLAIN,
    "HangupRequest": _PLAIN,
    "SoftHangupRequest": _PLAIN,
    "Hangup": _keys("Cause", "Cause-txt", prefixes="-"),
    "DialBegin": _keys("DialString", prefixes="Dest", maybe="-"),
    "DialState": _keys("DialStatus", prefixes="Dest", maybe="-"),
    "DialEnd": _keys("DialStatus", prefixes="Dest", maybe="-"),
    "BridgeCreate": _OF_BRIDGE,
    "BridgeDestroy": _OF_BRIDGE,
    "BridgeEnter": _IN_BRIDGE,
    "BridgeLeave": _IN_BRIDGE,
    "LocalBridge": _keys("Context", "Exten", "LocalOptimization", prefixes="LocalOne LocalTwo"),
    "LocalOptimizationBegin": _keys(prefixes="LocalOne LocalTwo"),
    "LocalOptimizationEnd": _keys(prefixes="LocalOne LocalTwo"),
    "Pickup": _keys(prefixes="- Target"),
    "BlindTransfer": _keys(
        *("Result", "IsExternal", "Context", "Extension"), prefixes="Transferer", maybe="Transferee"
    ),
    "AttendedTransfer": _keys(
        *("Result", "IsExternal", "DestType"),
        prefixes="OrigTransferer SecondTransferer",
        maybe="Transferee TransferTarget",
    ),
    "QueueCallerJoin": _keys("Queue", "Position", "Count", prefixes="-"),
    "QueueCallerLeave": _keys("Queue", "Position", "Count", prefixes="-"),
    "QueueCallerAbandon": _keys("Queue", "Position", "OriginalPosition", "HoldTime", prefixes="-"),
    "AgentCalled": _keys(_AGENT, prefixes="-", maybe="Dest"),
    "AgentRingNoAnswer": _keys(_AGENT, "RingTime", prefixes="-", maybe="Dest"),
    "AgentConnect": _keys(_AGENT, "HoldTime", "RingTime", prefixes="-", maybe="Dest"),
    "AgentComplete": _keys(_AGENT, "HoldTime", "TalkTime", "Reason", prefixes="-", maybe="Dest"),
    "CoreShowChannel": _keys("Application", "ApplicationData", "Duration", prefixes="-"),
    "FullyBooted": UsualKeys(frozenset({"Status"}), short=True),
    "Shutdown": UsualKeys(frozenset({"Shutdown", "Restart"}), short=True),
}


def is_beginning(block: bytes) -> bool:
    """Says whether a block of lines begins as every message of Asterisk does."""
    return block.startswith((b"Event: ", b"Response: "))


def flaw(message: Message) -> str | None:
    """Returns why a message that begins well cannot be Asterisk's own; None: nothing speaks against it."""
    headers = message.headers
    if headers[0][0] == "Response":
        return "an answer with a Linkedid" if "Linkedid" in message else None
    if len(headers) < 2 or headers[1][0] not in _SECOND:
        return "neither Privilege nor ActionID comes second"
    usual = USUAL_KEYS.get(message.event, _UNNAMED)
    keys = [key for key, _ in headers]
    present = set(keys)
    return _wrong_presence(usual, present) or (_repetition(usual, keys) if len(present) < len(keys) else None)


def is_head(headers: Sequence[Header]) -> bool:
    """Says whether these begin an event of a channel, up to its number at least, by Asterisk's own hand."""
    keys = [key for key, _ in headers[:_HEAD_LIMIT]]
    if len(keys) < 2 or keys[0] != "Event" or keys[1] not in _SECOND or _HEAD[-1] not in keys:
        return False
    end = keys.index(_HEAD[-1]) + 1
    return tuple(keys[end - len(_HEAD) : end]) == _HEAD


def mended(headers: Sequence[Header]) -> Message | None:
    """Returns a torn event without what lies between its ends: the numbers and names of its channel.

    Args:
        headers: of the block that begins it and of all that came behind, in order.

    Returns:
        None where it is not whole yet, or its ends do not prove themselves.
    """
    keys = [key for key, _ in headers]
    if not is_head(headers) or _TAIL[0] not in keys:
        return None
    head = keys.index(_HEAD[-1])
    tail = len(keys) - 1 - keys[::-1].index(_TAIL[0])
    if tuple(keys[tail : tail + len(_TAIL)]) != _TAIL:
        return None
    hidden = [(key, "") for key in _CHANNEL[len(_HEAD) - 1 : _CHANNEL.index(_TAIL[0])]]
    message = Message([*headers[:head], *hidden, *headers[tail:]])
    return message if message.event in USUAL_KEYS and flaw(message) is None else None


_UNNAMED: Final = UsualKeys(frozenset())


def _wrong_presence(usual: UsualKeys, present: set[str]) -> str | None:
    if not usual.always <= present:
        return f"lacks {min(usual.always - present)}"
    for group in usual.together:
        if not group <= present and not group.isdisjoint(present):
            return f"lacks {min(group - present)}"
    if usual.short and "Linkedid" in present:
        return "has a Linkedid"
    return None


def _repetition(usual: UsualKeys, keys: list[str]) -> str | None:
    once = usual.always.union(_IDENTITY, *usual.together)
    seen: set[str] = set()
    for key in keys:
        if key in seen and key in once:
            return f"repeats {key}"
        seen.add(key)
    return None
