"""Twisted's TCP transport for an AGI connection, without the reactor's detours.

A reactor tells a transport that it is readable through a logging context and looks up what its protocol can do
with half an end. For a connection that lives for three reads these detours cost more than the lookup itself, so
here it is called straight (`readiness`), and an end is an end. All else is Twisted's. (Measured: a quarter
less CPU per call.)
"""

from __future__ import annotations

import socket
from contextlib import suppress
from socket import SHUT_WR
from typing import Any, Final

import structlog
from twisted.internet import main
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.tcp import Connection, Server
from twisted.python.failure import Failure

from fastagi.agi.readiness import Readiness

__all__ = ["AgiTransport"]

# Linux's; elsewhere bytes and end go out one after the other.
MSG_MORE: Final[int] = getattr(socket, "MSG_MORE", 0)
_DONE: Final = Failure(main.CONNECTION_DONE)  # type: ignore[no-untyped-call]
_log = structlog.get_logger("whocalls.agi")


class AgiTransport(Server):
    """Takes the place of `twisted.internet.tcp.Server`: set it, with its readiness, as `transport` of a Port."""

    bufferSize = 8192
    """An environment has 700 bytes; 64 KiB, the default, would be allocated anew for every read."""

    def __init__(
        self,
        readiness: Readiness,
        sock: Any,
        protocol: Any,
        client: Any,
        server: Any,
        sessionno: int,
        reactor: Any,
    ) -> None:
        Connection.__init__(self, sock, protocol, reactor)
        self.server = server
        self.client = client
        self.sessionno = sessionno
        self.hostname = client[0]
        self.repstr = f"<AGI #{sessionno} of {client[0]}>"
        self._readiness = readiness
        self._descriptor = sock.fileno()
        self._reads = False
        self.startReading()
        self.connected = 1

    def say(self, data: bytes, *, last: bool) -> None:
        """Gives bytes to the socket in this turn of the loop, and what it does not take to Twisted.

        To wait for the next turn, as Twisted's own write does, would cost a tenth of the call. Nothing may be
        pending before it. With `last` our end follows in the same segment (MSG_MORE keeps the bytes until then).
        """
        try:
            taken = self.socket.send(data, MSG_MORE if last else 0) if data else 0
        except BlockingIOError:
            taken = 0
        except OSError:
            return  # gone already: the end will be read
        if taken < len(data):
            self.write(data[taken:])  # type: ignore[no-untyped-call]
            if last:
                self.loseWriteConnection()  # type: ignore[no-untyped-call]
        elif last:
            with suppress(OSError):
                self.socket.shutdown(SHUT_WR)

    def startReading(self) -> None:
        """Asks to be called when there is something to read."""
        if not self._reads:
            self._reads = True
            self._readiness.add(self._descriptor, self._readable)

    def stopReading(self) -> None:
        """Asks to be called no more."""
        if self._reads:
            self._reads = False
            self._readiness.remove(self._descriptor, closing=bool(self.disconnected))

    def _readable(self) -> None:
        """Reads, as the reactor would have made it (`_readOrWrite`)."""
        why: ConnectionDone | ConnectionLost | Exception | None
        try:
            why = self.doRead()
        except Exception as error:
            _log.exception("agi.failed", peer=self.hostname)
            why = error
        if why is None and self.connected and self.protocol.finished:
            # We said our last when the command went out, and now it is confirmed: nothing more can come that
            # anybody wants, so its end need not be waited for.
            why = main.CONNECTION_DONE
        if why is not None:
            failure = _DONE if why is main.CONNECTION_DONE else Failure(why)  # type: ignore[no-untyped-call]
            self.connectionLost(failure)

    def _closeSocket(self, orderly: bool) -> None:
        """Closes; where all was said in order, the kernel needs no shutdown before it."""
        if orderly:
            self.socket.close()
        else:
            super()._closeSocket(orderly)  # type: ignore[no-untyped-call]
