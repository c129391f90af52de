"""Channels of the simulated PBX and the AMI events about them, header by header like Asterisk 22."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Bridge",
    "Headers",
    "SimulatedChannel",
    "bridge_event",
    "channel_event",
    "dial_event",
    "queue_event",
]

Headers = list[tuple[str, str]]

_STATES = {0: "Down", 4: "Ring", 5: "Ringing", 6: "Up"}
_CAUSES = {
    0: "Unknown",
    16: "Normal Clearing",
    17: "User busy",
    26: "Answered elsewhere",
    127: "Interworking, unspecified",
}
_UNKNOWN = "<unknown>"


@dataclass(slots=True, kw_only=True)
class SimulatedChannel:
    """A channel: what its snapshot in every event shows."""

    name: str
    uniqueid: str
    linkedid: str
    context: str
    exten: str
    number: str = ""
    caller_name: str = ""
    connected_number: str = ""
    connected_name: str = ""
    state: int = 0
    priority: int = 1
    tech_cause: int | None = None
    """The SIP code that ended it, where one did."""

    def connect(self, other: SimulatedChannel) -> None:
        """Takes the other side's number and name as the connected line."""
        self.connected_number, self.connected_name = other.number, other.caller_name

    def headers(self, prefix: str = "") -> Headers:
        """Returns the channel's snapshot; `prefix` is "Dest" for the dialled side."""
        pairs = [
            ("Channel", self.name),
            ("ChannelState", str(self.state)),
            ("ChannelStateDesc", _STATES[self.state]),
            ("CallerIDNum", self.number or _UNKNOWN),
            ("CallerIDName", _escaped(self.caller_name) or _UNKNOWN),
            ("ConnectedLineNum", self.connected_number or _UNKNOWN),
            ("ConnectedLineName", _escaped(self.connected_name) or _UNKNOWN),
            ("Language", "en"),
            ("AccountCode", ""),
            ("Context", self.context),
            ("Exten", self.exten),
            ("Priority", str(self.priority)),
            ("Uniqueid", self.uniqueid),
            ("Linkedid", self.linkedid),
        ]
        return [(prefix + key, value) for key, value in pairs]


@dataclass(slots=True, kw_only=True)
class Bridge:
    """A bridge and who is in it."""

    uniqueid: str
    channels: int = 0

    def headers(self) -> Headers:
        """Returns the bridge's snapshot."""
        return [
            ("BridgeUniqueid", self.uniqueid),
            ("BridgeType", "basic"),
            ("BridgeTechnology", "simple_bridge"),
            ("BridgeCreator", _UNKNOWN),
            ("BridgeName", _UNKNOWN),
            ("BridgeNumChannels", str(self.channels)),
            ("BridgeVideoSourceMode", "none"),
        ]


def channel_event(name: str, channel: SimulatedChannel, *, cause: int | None = None) -> Headers:
    """Returns an event about one channel: Newchannel, NewCallerid, HangupRequest, Hangup …"""
    headers = [*_head(name, "call"), *channel.headers()]
    if name == "NewCallerid":
        headers.append(("CID-CallingPres", "0 (Presentation Allowed, Not Screened)"))
    if cause is not None:
        headers.append(("Cause", str(cause)))
        if name == "Hangup":
            headers.append(("Cause-txt", _CAUSES[cause]))
        if channel.tech_cause is not None:
            headers.append(("TechCause", str(channel.tech_cause)))
    return headers


def dial_event(name: str, caller: SimulatedChannel, phone: SimulatedChannel, status: str = "") -> Headers:
    """Returns DialBegin or DialEnd."""
    last = ("DialStatus", status) if status else ("DialString", phone.name.split("/")[1].rsplit("-", 1)[0])
    return [*_head(name, "call"), *caller.headers(), *phone.headers("Dest"), last]


def bridge_event(name: str, bridge: Bridge, channel: SimulatedChannel) -> Headers:
    """Returns BridgeEnter or BridgeLeave."""
    return [*_head(name, "call"), *bridge.headers(), *channel.headers()]


def queue_event(name: str, channel: SimulatedChannel, queue: str, extra: Headers) -> Headers:
    """Returns QueueCallerJoin, QueueCallerLeave or QueueCallerAbandon."""
    return [*_head(name, "agent"), *channel.headers(), ("Queue", queue), *extra]


def _head(event: str, privilege: str) -> Headers:
    return [("Event", event), ("Privilege", f"{privilege},all")]


def _escaped(name: str) -> str:
    """Escapes as Asterisk does in names (FACTS.md B6)."""
    table = {"\\": "\\\\", '"': '\\"', "'": "\\'", "?": "\\?", "\r": "\\r", "\n": "\\n", "\t": "\\t"}
    return "".join(table.get(character, character) for character in name)
