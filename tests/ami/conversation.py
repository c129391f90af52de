"""Recorded conversations for the tracker's tests: read, timed, played, and cut with a list of live channels.

A capture is played as the service would: the list of live channels is read after FullyBooted and wherever the
recording holds one. Rows come about through `fastagi.changes.apply`, as in the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from fastagi.ami.messages import Message
from fastagi.ami.stream import Banner, Dropped, Item, Stream
from fastagi.ami.tracker import Tracker
from fastagi.calls import Call, EventType, Operator, is_live
from fastagi.changes import Observed, apply
from tests.doubles import feed_three_ways

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
TRUNKS = frozenset({"from-trunk", "from-trunk-ami"})
START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LETTERS = {
    EventType.STARTED: "S",
    EventType.UPDATED: "U",
    EventType.RINGING: "R",
    EventType.ANSWERED: "A",
    EventType.TRANSFERRED: "T",
    EventType.MERGED: "M",
    EventType.ENDED: "E",
}

Timed = tuple[datetime, Message]


def folders() -> list[Path]:
    """All recorded conversations."""
    return sorted(path.parent for path in CAPTURES.glob("*/ami.txt"))


def read(path: Path) -> list[Item]:
    """Reads a file of raw AMI bytes through the real stream, three ways; what it drops keeps its place."""
    items = feed_three_ways(
        lambda: Stream().receive, path.read_bytes(), b"Event: Hangup\r\nPrivilege: call,all\r\nChannel: PJS"
    )
    return [item for item in items if not isinstance(item, Banner)]


def timed(items: list[Item], times: Path, start: datetime = START) -> list[Timed]:
    """Gives each message its recorded time of arrival; a tenth of a second each where none was recorded."""
    if times.exists():
        arrivals = [
            datetime.fromtimestamp(float(line.split()[0]), UTC) for line in times.read_text().splitlines()
        ]
    else:
        arrivals = [start + timedelta(milliseconds=100 * at) for at in range(len(items))]
    heard = [(at, _heard(item)) for at, item in zip(arrivals, items, strict=True)]
    return [(at, message) for at, message in heard if message is not None]


def _heard(item: Item) -> Message | None:
    """What the protocol hands on of it."""
    return item.mended if isinstance(item, Dropped) else item


@cache
def recording(folder: Path) -> list[Timed]:
    """One capture, its reconnection included."""
    first = timed(read(folder / "ami.txt"), folder / "times.txt")
    again = folder / "ami_reconnect.txt"
    if not again.exists():
        return first
    later = first[-1][0] + timedelta(seconds=3)
    return first + timed(read(again), folder / "times_reconnect.txt", later)


@dataclass
class Journal:
    """Rows and events, as the journal would have them."""

    rows: dict[str, Call] = field(default_factory=dict)
    events: list[tuple[str, str]] = field(default_factory=list)

    def write(self, changes: Iterable[Observed]) -> None:
        """Applies changes in order."""
        for change in changes:
            applied = apply(self.rows.get(change.id), change, lambda phone: Operator(sip_phone=phone))
            if applied is None:
                continue
            row, kind = applied
            self.rows[change.id] = row
            self.events.append((change.id, LETTERS[kind]))

    def of(self, id: str) -> str:
        """The types of the events of one call."""
        return "".join(letter for call, letter in self.events if call == id)

    def open_calls(self) -> list[Call]:
        """What `Journal.open_calls` gives."""
        return [row for row in self.rows.values() if is_live(row)]


class Player:
    """Feeds a recording to a tracker as the service does."""

    def __init__(self, tracker: Tracker, journal: Journal) -> None:
        self.tracker = tracker
        self.journal = journal
        self._listed: list[Message] | None = None
        self._booted_at: datetime | None = None

    def play(self, messages: list[Timed]) -> None:
        """Feeds messages."""
        for at, (now, message) in enumerate(messages):
            if message.event == "FullyBooted":
                self._booted_at = now - timedelta(seconds=int(message.get("Uptime") or 0))
                self._begin()
                if not _list_follows(messages[at + 1 :]):
                    self._complete(now)
            elif message.event.startswith("CoreShowChannel"):
                if self._listed is None:
                    self._begin()
                if message.event == "CoreShowChannel":
                    self._listed.append(message)
                else:
                    self._complete(now)
            else:
                self.journal.write(self.tracker.feed(message, now))

    def _begin(self) -> None:
        self.tracker.begin_resync()
        self._listed = []

    def _complete(self, now: datetime) -> None:
        self.journal.write(self.tracker.resync(self._listed or [], now, self._booted_at))
        self._listed = None


def _list_follows(messages: list[Timed]) -> bool:
    events = [message.event for _, message in messages if message.event]
    return bool(events) and events[0].startswith("CoreShowChannel")


def new_tracker() -> Tracker:
    """The tracker of the PBX that all captures come from."""
    return Tracker("main", trunk_contexts=TRUNKS)


_FIELDS = (
    *("Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName", "Context", "Exten"),
    *("Linkedid",),
)


class LiveChannels:
    """The list of live channels that Asterisk would give after the messages seen so far."""

    def __init__(self, application: str = "") -> None:
        """`application`: what an answered opening channel runs, where the recording does not tell."""
        self._application = application
        self._channels: dict[str, dict[str, str]] = {}
        self._born: dict[str, datetime] = {}
        self._listed: set[str] = set()

    def see(self, message: Message, now: datetime) -> None:
        """Follows one message."""
        for prefix in ("", "Dest"):
            uniqueid = message.get(prefix + "Uniqueid")
            known = uniqueid in self._channels or message.event in ("Newchannel", "CoreShowChannel")
            if uniqueid and known:
                entry = self._channels.setdefault(uniqueid, {"BridgeId": "", "Application": ""})
                entry.update({key: message.get(prefix + key) for key in _FIELDS})
                self._born.setdefault(uniqueid, now)
        own = self._channels.get(message.get("Uniqueid"), {})
        match message.event:
            case "FullyBooted":
                self._listed = set()
            case "Newexten":
                own |= {"Application": message.get("Application"), "ApplicationData": message.get("AppData")}
            case "QueueCallerJoin":
                own |= {"Application": "Queue", "ApplicationData": message.get("Queue") + ",tT,,,60"}
            case "BridgeEnter":
                own["BridgeId"] = message.get("BridgeUniqueid")
            case "BridgeLeave":
                own["BridgeId"] = ""
            case "CoreShowChannelsComplete":
                self._channels = {u: entry for u, entry in self._channels.items() if u in self._listed}
            case "CoreShowChannel":
                self._listed.add(message.get("Uniqueid"))
                own |= {key: message.get(key) for key in ("BridgeId", "Application", "ApplicationData")}
            case "Hangup":
                self._channels.pop(message.get("Uniqueid"), None)

    def listed(self, now: datetime) -> list[Message]:
        """Returns the entries."""
        return list(self._entries(now))

    def _entries(self, now: datetime) -> Iterator[Message]:
        for uniqueid, fields in self._channels.items():
            if fields["ChannelState"] == "6" and uniqueid == fields["Linkedid"] and self._application:
                fields = fields | {"Application": self._application}
            duration = timedelta(seconds=int((now - self._born[uniqueid]).total_seconds()))
            yield Message(
                [
                    *(("Event", "CoreShowChannel"), ("ActionID", "a2")),
                    *fields.items(),
                    *(("Uniqueid", uniqueid), ("Duration", f"0{duration}")),
                ]
            )
