"""A PBX to write small conversations with: it keeps what every AMI event repeats about its channels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastagi.ami.messages import Message
from fastagi.ami.tracker import Tracker
from fastagi.calls import Call
from fastagi.changes import Observed

from .conversation import START, Journal

EPOCH = 1795423000


@dataclass
class Line:
    """One channel. Whoever speaks of it says its values as they are now."""

    name: str
    uniqueid: str
    linkedid: str
    context: str
    exten: str
    state: str
    number: str
    caller_name: str

    def keys(self, prefix: str = "") -> list[tuple[str, str]]:
        """What an event says of it."""
        values = {
            "Channel": self.name,
            "ChannelState": self.state,
            "CallerIDNum": self.number or "<unknown>",
            "CallerIDName": self.caller_name or "<unknown>",
            "Context": self.context,
            "Exten": self.exten,
            "Uniqueid": self.uniqueid,
            "Linkedid": self.linkedid,
        }
        return [(prefix + key, value) for key, value in values.items()]


class Scene:
    """Conversations of one tracker. Every event comes a tenth of a second after the one before."""

    def __init__(self, tracker: Tracker | None = None) -> None:
        self.tracker = tracker or Tracker("main", trunk_contexts=["from-trunk"])
        self.journal = Journal()
        self.now = START
        self._count = 0

    # -- what happens ------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Lets time pass."""
        self.now += timedelta(seconds=seconds)

    def say(self, event: str, *keys: tuple[str, str]) -> list[Observed]:
        """Feeds an event."""
        self.now += timedelta(milliseconds=100)
        told = self.tracker.feed(Message([("Event", event), ("Privilege", "call,all"), *keys]), self.now)
        self.journal.write(told)
        return told

    def line(
        self,
        name: str,
        context: str = "from-internal",
        exten: str = "s",
        *,
        of: Line | None = None,
        state: str = "0",
        number: str = "",
        caller_name: str = "",
        unseen: bool = False,
    ) -> Line:
        """A channel begins: one of its own, or one more of another's call."""
        self._count += 1
        uniqueid = f"{EPOCH}.{self._count}"
        full = name if name.startswith("Local/") else f"{name}-{self._count:08x}"
        linkedid = of.linkedid if of else uniqueid
        line = Line(full, uniqueid, linkedid, context, exten, state, number, caller_name)
        if not unseen:
            self.say("Newchannel", *line.keys())
        return line

    def caller(self, exten: str = "74951230001", *, number: str = "79161234567") -> Line:
        """Somebody calls in."""
        line = self.line("PJSIP/trunk", "from-trunk", exten, state="4", number=number)
        line.context = "office"
        return line

    def phone(self, number: str, exten: str) -> Line:
        """An operator dials."""
        return self.line(f"PJSIP/{number}", exten=exten, state="4", number=number)

    def local(self, exten: str, context: str, of: Line | None = None) -> tuple[Line, Line]:
        """A Local channel begins: both its halves."""
        name = f"Local/{exten}@{context}-{self._count:08x}"
        one = self.line(f"{name};1", context, exten, of=of)
        two = self.line(f"{name};2", context, exten, of=of or one, state="4")
        return one, two

    def dial(self, dialler: Line | None, *legs: Line, string: str = "") -> None:
        """Legs are dialled; by nobody, where Asterisk originates them."""
        for leg in legs:
            own = dialler.keys() if dialler else []
            self.say("DialBegin", *own, *leg.keys("Dest"), ("DialString", string))

    def ring(self, dialler: Line, phone: str) -> Line:
        """A phone rings for somebody."""
        leg = self.line(f"PJSIP/{phone}", of=dialler, number=phone)
        self.dial(dialler, leg)
        leg.state = "5"
        return leg

    def dialled(self, dialler: Line | None, leg: Line, status: str) -> None:
        """What became of a leg."""
        leg.state = "6" if status == "ANSWER" else leg.state
        own = dialler.keys() if dialler else []
        self.say("DialEnd", *own, *leg.keys("Dest"), ("DialStatus", status))

    def enter(self, bridge: str, *lines: Line, kind: str = "basic") -> None:
        """Channels enter a bridge."""
        for line in lines:
            line.state = "6"
            self.say("BridgeEnter", ("BridgeUniqueid", bridge), ("BridgeType", kind), *line.keys())

    def leave(self, bridge: str, *lines: Line) -> None:
        """Channels leave a bridge."""
        for line in lines:
            self.say("BridgeLeave", ("BridgeUniqueid", bridge), ("BridgeType", "basic"), *line.keys())

    def answer(self, dialler: Line, leg: Line, bridge: str = "b1") -> None:
        """A phone answers whoever dialled it."""
        self.dialled(dialler, leg, "ANSWER")
        self.enter(bridge, leg, dialler)

    def hangs_up(self, line: Line, cause: str = "") -> None:
        """The far end of a channel hangs up."""
        self.say("HangupRequest", *line.keys(), *([("Cause", cause)] if cause else []))

    def gone(self, *lines: Line, cause: int = 16) -> None:
        """Channels end."""
        for line in lines:
            self.say("Hangup", *line.keys(), ("Cause", str(cause)), ("Cause-txt", "Normal"))

    def queue(self, line: Line, name: str = "support") -> None:
        """A caller joins a queue, which answers the channel."""
        line.state = "6"
        self.say("QueueCallerJoin", *line.keys(), ("Queue", name), ("Position", "1"), ("Count", "1"))

    def unqueue(self, line: Line, name: str = "support") -> None:
        """A caller leaves a queue."""
        self.say("QueueCallerLeave", *line.keys(), ("Queue", name), ("Position", "1"), ("Count", "0"))

    def read_live(self, *lines: Line, booted_at: datetime | None = None, **keys: dict[str, str]) -> None:
        """The list of live channels is read; `keys` adds to an entry by the name of its phone or trunk."""
        self.now += timedelta(milliseconds=100)
        entries = []
        for line in lines:
            endpoint = line.name.partition("/")[2].rpartition("-")[0]
            more = {"Duration": "00:00:05", "BridgeId": ""} | keys.get(endpoint, {})
            entries.append(Message([("Event", "CoreShowChannel"), *line.keys(), *more.items()]))
        self.tracker.begin_resync()
        self.journal.write(self.tracker.resync(entries, self.now, booted_at))

    # -- what came of it ---------------------------------------------------------------------------------

    def row(self, line: Line) -> Call:
        """The row of the call that a channel opened."""
        return self.journal.rows[f"main:{line.uniqueid}"]

    def events(self, line: Line) -> str:
        """The types of its events."""
        return self.journal.of(f"main:{line.uniqueid}")

    @property
    def left(self) -> tuple[int, int]:
        """Calls and channels that go on."""
        return self.tracker.calls, self.tracker.channels
