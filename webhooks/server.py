"""The push port: uvicorn on the loop that is already running, with limits of our own on every connection.

Signals stay with whoever runs the loop. HTTP is read by h11, which limits the size of a request's head; what
uvicorn leaves open is closed here: a client must send a whole head within 20 s, and one that does not read what
we write is cut off after 20 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from fastagi.errors import BadInput
from webhooks.parts import Parts
from webhooks.serverlog import ServerLog

__all__ = ["PushServer"]

_HEAD: Final = 20.0
"""Seconds for a request's head."""

_STALLED: Final = 20.0
"""Seconds for which a client may read nothing of what we write."""

_CONNECTIONS: Final = 4000
_LARGEST_HEAD: Final = 16 * 1024
_LARGEST_MESSAGE: Final = 4096
_PING: Final = 20.0
_GRACE: Final = 3
"""Seconds that requests may go on when the server stops."""

_log = structlog.get_logger("webhooks.server")


class PushServer:
    """Serves a site.

    Args:
        site: what `create_site` made.
        host: address or name to listen on.
        port: port to listen on; 0 takes a free one.
    """

    def __init__(self, site: FastAPI, host: str, port: int) -> None:
        self._site = site
        self._host = host
        self._port = port
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._said = ServerLog()

    @property
    def port(self) -> int:
        """The port listened on, once started."""
        return self._port

    async def start(self) -> None:
        """Listens; returns when requests are taken.

        Raises:
            BadInput: the address cannot be listened on.
        """
        sockets = await self._listen()
        self._port = sockets[0].getsockname()[1]
        self._said.open()
        self._server = _Server(_config(self._site))
        self._task = asyncio.create_task(self._server.serve(sockets), name="push server")
        await self._server.up.wait()
        _log.info("push server listens", host=self._host, port=self._port)

    async def stop(self) -> None:
        """Ends the live streams, lets requests finish for a moment, closes all connections."""
        parts = self._site.state.parts
        assert isinstance(parts, Parts)
        parts.hub.close()
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
            self._server = self._task = None
        self._said.close()

    async def _listen(self) -> list[socket.socket]:
        """Binds every address of the host, so that "localhost" is found by IPv4 and IPv6 alike."""
        sockets: list[socket.socket] = []
        try:
            for family, address in await self._addresses():
                port = sockets[0].getsockname()[1] if sockets else self._port
                sockets.append(socket.create_server((address, port), family=family, backlog=512))
        except OSError as error:
            for one in sockets:
                one.close()
            reason = error.strerror or str(error)
            raise BadInput(
                "push.listen",
                f"cannot listen on {self._host}:{self._port}: {reason}; is another program using it?",
            ) from None
        return sockets

    async def _addresses(self) -> list[tuple[socket.AddressFamily, str]]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        return [(family, str(address[0])) for family, _, _, _, address in found]


class _Server(uvicorn.Server):
    """Uvicorn that leaves signals alone and says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, then says so."""
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none: they are the reactor's."""
        yield


def _config(site: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        site,
        http=_Http,
        ws=_WebSocket,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Who connects is who connects: a header's word for it would get around the limit of sign-in attempts.
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        h11_max_incomplete_event_size=_LARGEST_HEAD,
        ws_max_size=_LARGEST_MESSAGE,
        ws_ping_interval=_PING,
        ws_ping_timeout=_PING,
        # 500 clients times a compressor each would cost more than the bytes they save.
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=_GRACE,
    )


class _Reading(asyncio.Protocol):
    """A protocol that cuts off a client which does not read: mixed in before uvicorn's own."""

    transport: asyncio.Transport
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Lets the kernel give up too: after we close, what is left in its buffer is its own to send."""
        super().connection_made(transport)
        peer = transport.get_extra_info("socket")
        if peer is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_STALLED * 1000))

    def pause_writing(self) -> None:
        """The client's buffers are full."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = asyncio.get_running_loop().call_later(_STALLED, self._cut_off)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self._forget_stall()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._forget_stall()
        super().connection_lost(exc)

    def _cut_off(self) -> None:
        peer = self.transport.get_extra_info("peername")
        _log.warning("client cut off", peer=peer, reason=f"it has read nothing for {_STALLED:g} s")
        self.transport.abort()

    def _forget_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


class _Http(_Reading, H11Protocol):
    """HTTP; a request's head has to be whole in time."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Waits for the first request."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Waits for the rest of a head, or no longer."""
        super().data_received(data)
        if self.transport.get_protocol() is not self:
            return
        if self.cycle is None or self.cycle.response_complete:
            self._expect_head()
        else:
            self._forget_head()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """From here on the connection is another protocol's."""
        self._forget_head()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._forget_head()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(_HEAD, self.transport.close)

    def _forget_head(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class _WebSocket(_Reading, WebSocketsSansIOProtocol):
    """WebSocket; a handshake that was refused with an answer is over, which uvicorn takes for a mistake."""

    async def send(self, message: Any) -> None:
        """Sends, and takes note of the end of a refusal."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True
