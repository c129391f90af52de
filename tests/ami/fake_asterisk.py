"""An Asterisk in memory: an endpoint to connect to, and answers to what is asked."""

import hashlib

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure

__all__ = ["FakeAsterisk", "channel"]

BANNER = b"Asterisk Call Manager/11.0.0\r\n"


def channel(uniqueid: str, kind: str = "Newchannel") -> bytes:
    """The lines of a channel event, as Asterisk 22 writes them."""
    keys = "Channel ChannelState ChannelStateDesc CallerIDNum CallerIDName ConnectedLineNum ConnectedLineName"
    keys += " Language AccountCode Context Exten Priority"
    values = f"PJSIP/trunk-{uniqueid} 4 Ring 79161234567 x x x en x from-trunk 1 1".split()
    lines = [f"{key}: {value}" for key, value in zip(keys.split(), values, strict=True)]
    lines += [f"Uniqueid: {uniqueid}", f"Linkedid: {uniqueid}"]
    if kind == "CoreShowChannel":
        lines += ["Application: ", "ApplicationData: ", "Duration: 00:00:01", "BridgeId: "]
    return "\r\n".join(lines).encode()


class FakeAsterisk:
    """The peer. Settings say how it behaves; `asked` collects what it was asked.

    Call `answer` after each step: it reads what was written and answers.
    """

    def __init__(self) -> None:
        self.secret = "secret"
        self.refuses_connections = False
        self.greets = True
        self.knows_challenge = True
        self.is_booted = True
        self.may_report = True
        self.is_frozen = False
        self.uptime: str | None = "60"
        self.channels: list[str] = []
        self.connections: list[StringTransportWithDisconnection] = []
        self.asked: list[dict[str, str]] = []
        self.pending: Deferred[object] | None = None

    # -- as an endpoint

    def connect(self, factory: object) -> Deferred[object]:
        """Connect, or refuse."""
        if self.refuses_connections:
            return fail(ConnectionRefusedError("Connection refused"))
        if self.pending is not None:
            return self.pending
        protocol = factory.buildProtocol(None)
        transport = StringTransportWithDisconnection()
        transport.protocol = protocol
        self.connections.append(transport)
        protocol.makeConnection(transport)
        if self.greets:
            self.say(BANNER)
        return succeed(protocol)

    # -- as the peer

    @property
    def transport(self) -> StringTransportWithDisconnection:
        """The newest connection."""
        return self.connections[-1]

    def say(self, data: bytes) -> None:
        """Send bytes to the client."""
        if self.transport.connected:
            self.transport.protocol.dataReceived(data)

    def event(self, name: str, lines: bytes = b"", classes: bytes = b"call,all") -> None:
        """Send an event."""
        self.say(b"\r\n".join(filter(None, (b"Event: " + name.encode(), b"Privilege: " + classes, lines))))
        self.say(b"\r\n\r\n")

    def booted(self) -> None:
        """Tell that all modules are loaded."""
        uptime = b"" if self.uptime is None else f"Uptime: {self.uptime}\r\nLastReload: 1\r\n".encode()
        self.event("FullyBooted", uptime + b"Status: Fully Booted", b"system,all")

    def end(self, reason: str = "End of file") -> None:
        """End the connection from this side."""
        self.transport.connected = False
        self.transport.protocol.connectionLost(Failure(ConnectionLost(reason)))

    def answer(self) -> list[str]:
        """Answer all that was written since, and return the names of the actions."""
        names = []
        while self.connections and self.transport.connected and (written := self.transport.value()):
            self.transport.clear()
            for block in written.decode().split("\r\n\r\n")[:-1]:
                asked = dict(line.split(": ", 1) for line in block.split("\r\n"))
                self.asked.append(asked)
                names.append(asked["Action"])
                if not self.is_frozen:
                    getattr(self, f"_{asked['Action'].lower()}")(asked)
        return names

    def _reply(self, asked: dict[str, str], word: str, *lines: str) -> None:
        head = (f"Response: {word}", f"ActionID: {asked['ActionID']}", *lines, "", "")
        self.say("\r\n".join(head).encode())

    def _challenge(self, asked: dict[str, str]) -> None:
        if self.knows_challenge:
            self._reply(asked, "Success", "Challenge: 663461130")
        else:
            self._reply(asked, "Error", "Message: Must specify AuthType")

    def _login(self, asked: dict[str, str]) -> None:
        key = hashlib.md5(f"663461130{self.secret}".encode()).hexdigest()
        if asked.get("Key") != key and asked.get("Secret") != self.secret:
            self._reply(asked, "Error", "Message: Authentication failed")
            self.end()
            return
        self._reply(asked, "Success", "Message: Authentication accepted")
        if self.is_booted:
            self.booted()

    def _coreshowchannels(self, asked: dict[str, str]) -> None:
        if not self.may_report:
            self._reply(asked, "Error", "Message: Permission denied")
            return
        self._reply(asked, "Success", "EventList: start", "Message: Channels will follow")
        head = f"ActionID: {asked['ActionID']}\r\n".encode()
        for uniqueid in self.channels:
            entry = channel(uniqueid, "CoreShowChannel")
            self.say(b"Event: CoreShowChannel\r\n" + head + entry + b"\r\n\r\n")
        end = f"EventList: Complete\r\nListItems: {len(self.channels)}\r\n\r\n".encode()
        self.say(b"Event: CoreShowChannelsComplete\r\n" + head + end)

    def _ping(self, asked: dict[str, str]) -> None:
        self._reply(asked, "Success", "Ping: Pong", "Timestamp: 1795423013.178")
