"""The simulated PBX: calls that ring, are answered, end, with the events a real Asterisk 22 sends."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Sequence

from fastagi.simulator.agi import ask
from fastagi.simulator.channels import (
    Bridge,
    Headers,
    SimulatedChannel,
    bridge_event,
    channel_event,
    dial_event,
    queue_event,
)
from fastagi.simulator.manager import SimulatedManager

__all__ = ["SimulatedPbx"]


class SimulatedPbx:
    """Places calls from a trunk to phones.

    Args:
        manager: sends the events.
        agi_port: where the lookup is asked; None asks nobody.
        name: the PBX's name in the configuration.
        phones: SIP phone to the name of its endpoint.
    """

    def __init__(
        self, manager: SimulatedManager, *, agi_port: int | None, name: str, phones: dict[str, str]
    ) -> None:
        self._manager = manager
        self._agi_port = agi_port
        self._name = name
        self._phones = phones
        self._numbers = itertools.count(1)

    async def incoming(self, number: str, called: str, trunk_name: str = "") -> IncomingCall:
        """Opens a call from the trunk: Newchannel and the lookup."""
        trunk = self._channel("trunk", "from-trunk", called, number, trunk_name)
        trunk.state = 4
        self._emit(channel_event("Newchannel", trunk))
        variables = {}
        if self._agi_port is not None:
            variables = await ask(self._agi_port, self._name, trunk)
            trunk.priority = 2
            if "CALLERID(name)" in variables:
                trunk.caller_name = variables["CALLERID(name)"]
                self._emit(channel_event("NewCallerid", trunk))
        return IncomingCall(self, trunk, variables)

    def phone(self, sip_phone: str, linkedid: str) -> SimulatedChannel:
        """Returns a new channel of a phone."""
        channel = self._channel(sip_phone, "from-internal", "s", sip_phone, self._phones[sip_phone])
        channel.linkedid = linkedid
        self._emit(channel_event("Newchannel", channel))
        return channel

    def emit(self, headers: Headers) -> None:
        """Sends an event."""
        self._emit(headers)

    def hang_up(self, channel: SimulatedChannel, cause: int) -> None:
        """Ends a channel."""
        self._emit(channel_event("Hangup", channel, cause=cause))
        self._manager.channels.pop(channel.uniqueid, None)

    def _emit(self, headers: Headers) -> None:
        self._manager.emit(headers)

    def _channel(self, endpoint: str, context: str, exten: str, number: str, name: str) -> SimulatedChannel:
        count = next(self._numbers)
        uniqueid = f"{int(time.time())}.{count}"
        channel = SimulatedChannel(
            name=f"PJSIP/{endpoint}-{count:08x}",
            uniqueid=uniqueid,
            linkedid=uniqueid,
            context=context,
            exten=exten,
            number=number,
            caller_name=name,
        )
        self._manager.channels[uniqueid] = channel
        return channel


class IncomingCall:
    """One call from the trunk, step by step; each step sends its events."""

    def __init__(self, pbx: SimulatedPbx, trunk: SimulatedChannel, variables: dict[str, str]) -> None:
        self._pbx = pbx
        self._trunk = trunk
        self._ringing: dict[str, SimulatedChannel] = {}
        self._talking: SimulatedChannel | None = None
        self._bridge = Bridge(uniqueid=str(uuid.uuid4()))
        self._queue: tuple[str, float] | None = None
        self.variables = variables

    def queue(self, name: str) -> None:
        """Lets the caller wait in a queue."""
        self._trunk.state = 6
        self._queue = name, time.monotonic()
        self._emit_queue("QueueCallerJoin", [("Position", "1"), ("Count", "1")])

    def ring(self, sip_phones: Sequence[str]) -> None:
        """Dials phones, all at once."""
        self._trunk.context, self._trunk.exten, self._trunk.priority = "ops", "group", 1
        for sip_phone in sip_phones:
            phone = self._pbx.phone(sip_phone, self._trunk.uniqueid)
            phone.connect(self._trunk)
            phone.exten = self._trunk.exten
            self._pbx.emit(channel_event("NewConnectedLine", phone))
            self._ringing[sip_phone] = phone
        for phone in self._ringing.values():
            self._pbx.emit(dial_event("DialBegin", self._trunk, phone))
        for phone in self._ringing.values():
            phone.state = 5

    def answer(self, sip_phone: str) -> None:
        """Lets one phone answer; the others stop ringing."""
        winner = self._ringing.pop(sip_phone)
        winner.state = 6
        winner.exten = ""
        losers = list(self._ringing.values())
        for loser in losers:
            self._pbx.emit(dial_event("DialEnd", self._trunk, loser, "CANCEL"))
        self._trunk.connect(winner)
        self._pbx.emit(dial_event("DialEnd", self._trunk, winner, "ANSWER"))
        for loser in losers:
            self._pbx.hang_up(loser, 26)
        self._ringing.clear()
        self._leave_queue()
        self._trunk.state = 6
        self._talking = winner
        for channel in (winner, self._trunk):
            self._bridge.channels += 1
            self._pbx.emit(bridge_event("BridgeEnter", self._bridge, channel))

    def no_answer(self) -> None:
        """Lets the dial time run out and the dialplan hang up."""
        self._give_up("NOANSWER", 0)
        self._leave_queue()
        self._pbx.emit(channel_event("SoftHangupRequest", self._trunk, cause=16))
        self._pbx.hang_up(self._trunk, 16)

    def busy(self) -> None:
        """Lets every phone say it is busy."""
        for phone in self._ringing.values():
            phone.tech_cause = 486
            self._pbx.emit(channel_event("HangupRequest", phone, cause=17))
        self._give_up("BUSY", 17)
        self._pbx.emit(channel_event("SoftHangupRequest", self._trunk, cause=16))
        self._trunk.tech_cause = 486
        self._pbx.hang_up(self._trunk, 17)

    def abandon(self) -> None:
        """Lets the caller hang up before anybody answers."""
        self._trunk.tech_cause = 487
        for phone in self._ringing.values():
            phone.tech_cause = 500
        self._pbx.emit(channel_event("HangupRequest", self._trunk, cause=127))
        self._give_up("CANCEL", 127)
        if self._queue is not None:
            held = [("Position", "1"), ("OriginalPosition", "1"), ("HoldTime", str(self._waited()))]
            self._emit_queue("QueueCallerAbandon", held)
        self._leave_queue()
        self._pbx.emit(channel_event("SoftHangupRequest", self._trunk, cause=16))
        self._pbx.hang_up(self._trunk, 127)

    def hang_up(self, *, by_operator: bool) -> None:
        """Ends the talk."""
        phone = self._talking
        if phone is None:
            raise RuntimeError("nobody talks")
        first, second = (phone, self._trunk) if by_operator else (self._trunk, phone)
        self._pbx.emit(channel_event("HangupRequest", first, cause=16))
        for channel in (first, second):
            self._bridge.channels -= 1
            self._pbx.emit(bridge_event("BridgeLeave", self._bridge, channel))
        self._pbx.emit(channel_event("SoftHangupRequest", self._trunk, cause=16))
        for channel in (phone, self._trunk):
            self._pbx.hang_up(channel, 16)

    def _give_up(self, status: str, cause: int) -> None:
        for phone in self._ringing.values():
            self._pbx.emit(dial_event("DialEnd", self._trunk, phone, status))
        for phone in self._ringing.values():
            self._pbx.hang_up(phone, cause)
        self._ringing.clear()

    def _leave_queue(self) -> None:
        if self._queue is not None:
            self._emit_queue("QueueCallerLeave", [("Position", "1"), ("Count", "0")])
            self._queue = None

    def _waited(self) -> int:
        return int(time.monotonic() - self._queue[1]) if self._queue else 0

    def _emit_queue(self, name: str, extra: Headers) -> None:
        if self._queue is not None:
            self._pbx.emit(queue_event(name, self._trunk, self._queue[0], extra))
