"""`/api/ws`: the same events as `/api/events`, one JSON text message each.

Browsers prove themselves with the session cookie and must come from a page of this site; programs send
`Authorization: Bearer TOKEN`. A token in the address is not read, because addresses are written into logs. The
filters are those of `/api/events`; `?after=SEQ` gets what was missed since, or `{"type": "reset", …}`. The server
pings every 20 s and closes after 20 s without a pong. A client has nothing to say: its messages are ignored, up
to 100 within a heartbeat.

Close codes: 1001 the server is shutting down; 1008 too many messages; 4001 session or token has ended; 4008 too
slow, come back with the seq of the last event. A handshake that is refused gets a problem document.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from fastagi.errors import LookupServiceError
from webhooks.feed import Feed
from webhooks.frames import Frame
from webhooks.hub import Ending
from webhooks.problems import Problem, problem_response
from webhooks.streams import open_feed, selection_of

__all__ = ["CLOSE_CODES", "PATH", "router"]

PATH: Final = "/api/ws"

CLOSE_CODES: Final = {
    Ending.SHUTDOWN: 1001,
    Ending.CHATTY: 1008,
    Ending.SIGNED_OUT: 4001,
    Ending.SLOW: 4008,
}

_MESSAGES: Final = 100
"""Messages a client may send between two heartbeats."""

_CLOSING: Final = 5.0
"""Seconds that writing the close frame may wait for a client that does not read."""

_log = structlog.get_logger("webhooks.websocket")


def router() -> APIRouter:
    """Returns the route."""
    routes = APIRouter()

    @routes.websocket(PATH)
    async def events(websocket: WebSocket) -> None:
        outlet = _Writer(websocket)
        try:
            selection = selection_of(websocket.query_params)
            feed = await open_feed(websocket, selection, selection.after, outlet)
        except Problem as problem:
            await websocket.send_denial_response(problem_response(problem))
            return
        except (LookupServiceError, TimeoutError) as error:
            await websocket.send_denial_response(problem_response(Problem(503, str(error))))
            return
        await websocket.accept()
        await _stream(websocket, feed, outlet)

    return routes


async def _stream(websocket: WebSocket, feed: Feed, outlet: _Writer) -> None:
    watch = asyncio.create_task(outlet.watch(feed))
    ending = Ending.LEFT
    try:
        ending = await feed.run()
        if ending is not Ending.LEFT:
            async with asyncio.timeout(_CLOSING):
                await websocket.close(CLOSE_CODES[ending], ending.value)
    except (WebSocketDisconnect, TimeoutError):
        pass  # it left while we wrote, or never read: the connection is closed either way
    finally:
        watch.cancel()
    if ending in (Ending.SLOW, Ending.CHATTY):
        _log.warning("client dropped", peer=websocket.client, reason=ending.value)


class _Writer:
    """Writes events to one client, and counts what it says."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._heard = 0

    async def frames(self, frames: Sequence[Frame]) -> None:
        """Writes one message for each event; the loop sends them together."""
        for frame in frames:
            await self._websocket.send_text(frame.text)

    async def beat(self, position: int | None) -> None:
        """Pings are the server's; a new heartbeat allows new messages."""
        self._heard = 0

    async def watch(self, feed: Feed) -> None:
        """Reads, and ignores what it reads, until the client leaves or says too much."""
        while (await self._websocket.receive())["type"] != "websocket.disconnect":
            self._heard += 1
            if self._heard > _MESSAGES:
                feed.end(Ending.CHATTY)
                return
        feed.end(Ending.LEFT)
