"""The manager interface of the simulated PBX: logins, actions, events to every client."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import time

from fastagi.lines import LineBuffer
from fastagi.simulator.channels import Headers, SimulatedChannel

__all__ = ["SimulatedManager"]


class SimulatedManager:
    """An AMI server on loopback.

    Args:
        username: the one account.
        secret: its secret.
    """

    def __init__(self, username: str, secret: str) -> None:
        self._username = username
        self._secret = secret
        self._clients: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._began = time.monotonic()
        self.channels: dict[str, SimulatedChannel] = {}

    async def start(self, port: int = 0) -> int:
        """Listens and returns the port; 0 takes a free one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Closes the port and every client."""
        if self._server is not None:
            self._server.close()
        for client in self._clients:
            client.close()

    def emit(self, headers: Headers) -> None:
        """Sends an event to every client that has logged in."""
        data = _encoded(headers)
        for client in self._clients:
            client.write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        session = _Session(self, writer)
        lines = LineBuffer(b"\r\n", 1024)
        block: dict[str, str] = {}
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                lines.feed(data)
                while (line := lines.next_line()) is not None:
                    if line:
                        key, _, value = line.decode("utf-8", "replace").partition(": ")
                        block[key] = value
                    elif block:
                        session.act(block)
                        block = {}
        self._clients.discard(writer)
        writer.close()

    def accept(self, writer: asyncio.StreamWriter) -> None:
        """Counts a client as logged in: events flow from now on."""
        self._clients.add(writer)
        uptime = str(int(time.monotonic() - self._began))
        writer.write(
            _encoded(
                [
                    ("Event", "FullyBooted"),
                    ("Privilege", "system,all"),
                    ("Uptime", uptime),
                    ("LastReload", uptime),
                    ("Status", "Fully Booted"),
                ]
            )
        )

    def key(self, challenge: str) -> str:
        """Returns the MD5 key that proves the secret."""
        return hashlib.md5((challenge + self._secret).encode()).hexdigest()  # noqa: S324 (AMI's own login)

    def knows(self, username: str, secret: str) -> bool:
        """Says whether a plain login is right."""
        return username == self._username and secrets.compare_digest(secret.encode(), self._secret.encode())


class _Session:
    """One client's actions."""

    def __init__(self, manager: SimulatedManager, writer: asyncio.StreamWriter) -> None:
        self._manager = manager
        self._writer = writer
        self._challenge = ""
        self._in = False

    def act(self, action: dict[str, str]) -> None:
        """Answers one action."""
        name = action.get("Action", "").lower()
        if name == "challenge":
            self._challenge = str(secrets.randbelow(10**9))
            self._reply(action, "Success", ("Challenge", self._challenge))
        elif name == "login":
            self._login(action)
        elif not self._in:
            self._reply(action, "Error", ("Message", "Permission denied"))
        elif name == "ping":
            self._reply(action, "Success", ("Ping", "Pong"), ("Timestamp", f"{time.time():.6f}"))
        elif name == "coreshowchannels":
            self._channels(action)
        else:
            self._reply(action, "Error", ("Message", "Invalid/unknown command"))

    def _login(self, action: dict[str, str]) -> None:
        md5 = bool(self._challenge) and action.get("Key") == self._manager.key(self._challenge)
        if md5 or self._manager.knows(action.get("Username", ""), action.get("Secret", "")):
            self._in = True
            self._reply(action, "Success", ("Message", "Authentication accepted"))
            self._manager.accept(self._writer)
        else:
            self._reply(action, "Error", ("Message", "Authentication failed"))
            self._writer.close()

    def _channels(self, action: dict[str, str]) -> None:
        self._reply(action, "Success", ("EventList", "start"), ("Message", "Channels will follow"))
        channels = list(self._manager.channels.values())
        mark = [("ActionID", action["ActionID"])] if "ActionID" in action else []
        for channel in channels:
            extra = [("Application", ""), ("ApplicationData", ""), ("Duration", "00:00:01"), ("BridgeId", "")]
            self._send([("Event", "CoreShowChannel"), *mark, *channel.headers(), *extra])
        count = ("ListItems", str(len(channels)))
        self._send([("Event", "CoreShowChannelsComplete"), *mark, ("EventList", "Complete"), count])

    def _reply(self, action: dict[str, str], response: str, *extra: tuple[str, str]) -> None:
        mark = [("ActionID", action["ActionID"])] if "ActionID" in action else []
        self._send([("Response", response), *mark, *extra])

    def _send(self, headers: Headers) -> None:
        self._writer.write(_encoded(headers))


def _encoded(headers: Headers) -> bytes:
    return ("".join(f"{key}: {value}\r\n" for key, value in headers) + "\r\n").encode("utf-8", "replace")
