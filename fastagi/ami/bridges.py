"""Who hears whom: bridges, and Local channels that tie two of them together. Pure."""

from __future__ import annotations

from fastagi.ami.channels import local_pair
from fastagi.ami.livecall import Channel

__all__ = ["Bridges"]

# A bridge where each hears music and not the others: parking, waiting rooms.
_HOLDING = "holding"
# The bridge of two parties that Dial, Queue and transfers use. Others ("base", "stasis") are conferences and
# applications, where calls meet without becoming one.
_TWO_PARTY = "basic"


class Bridges:
    """Which channels are in which bridge."""

    def __init__(self) -> None:
        self._members: dict[str, dict[str, Channel]] = {}
        self._kinds: dict[str, str] = {}
        self._pairs: dict[str, list[Channel]] = {}

    def __len__(self) -> int:
        return len(self._members)

    def add(self, channel: Channel) -> None:
        """Learns of a channel; the halves of a Local channel find each other by name."""
        if channel.local:
            self._pairs.setdefault(local_pair(channel.name), []).append(channel)

    def enter(self, channel: Channel, bridge: str, kind: str) -> None:
        """A channel is in a bridge now.

        Args:
            channel: it leaves the one it was in.
            bridge: the bridge's id.
            kind: its BridgeType; "" where that is not known (a list of live channels does not say).
        """
        self.leave(channel)
        if kind == _HOLDING or not bridge:
            return
        channel.bridge = bridge
        self._members.setdefault(bridge, {})[channel.uniqueid] = channel
        if kind:
            self._kinds[bridge] = kind

    def leave(self, channel: Channel) -> list[Channel]:
        """A channel left its bridge; returns who stays in it."""
        bridge, channel.bridge = channel.bridge, ""
        members = self._members.get(bridge)
        if members is None:
            return []
        members.pop(channel.uniqueid, None)
        if not members:
            del self._members[bridge]
            self._kinds.pop(bridge, None)
        return list(members.values())

    def remove(self, channel: Channel) -> None:
        """A channel is gone."""
        self.leave(channel)
        if channel.local:
            pair = self._pairs.get(local_pair(channel.name), [])
            pair[:] = [half for half in pair if half is not channel]
            if not pair:
                self._pairs.pop(local_pair(channel.name), None)

    def connected(self, start: Channel) -> tuple[list[Channel], bool]:
        """Returns the device channels that hear each other, and whether they talk as two parties.

        Args:
            start: one of them, or half of a Local channel between them; itself among the answer if a device.
        """
        found: list[Channel] = []
        two_parties = True
        todo, met, entered = [start], {start.uniqueid}, set[str]()
        while todo:
            channel = todo.pop()
            if not channel.local:
                found.append(channel)
            nexts = list(self._pairs.get(local_pair(channel.name), ())) if channel.local else []
            if channel.bridge and channel.bridge not in entered:
                entered.add(channel.bridge)
                two_parties = two_parties and self._is_two_party(channel.bridge)
                nexts += self._members[channel.bridge].values()
            for other in nexts:
                if other.uniqueid not in met:
                    met.add(other.uniqueid)
                    todo.append(other)
        return found, two_parties

    def _is_two_party(self, bridge: str) -> bool:
        kind = self._kinds.get(bridge, "")
        return kind == _TWO_PARTY or (not kind and len(self._members[bridge]) <= 2)
