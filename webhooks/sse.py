"""`GET /api/events`: live events as Server-Sent Events.

Each event is `id: SEQ`, `event: TYPE`, `data: JSON` (no `id` while the database is away). The stream begins with
`retry: 2000` and the id where it stands, so that even a client that never got an event comes back to the right
place. A client that comes back (`Last-Event-ID`, or `?after=SEQ`) gets what it missed; where that is gone, it gets
the event `reset`: read everything again (browsers best after a random moment of up to 2 s, since all of them are
told at once). A comment every 15 s shows that the stream lives; a block with an `id` alone moves the id of a
filtered stream on. The session is looked at as often.

A browser opens at most six HTTP/1.1 connections to a site: one stream per tab is the limit to keep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from webhooks.feed import Feed
from webhooks.frames import Frame
from webhooks.hub import Ending
from webhooks.parts import parts_of
from webhooks.problems import Problem
from webhooks.streams import HIGHEST_SEQ, Selection, open_feed

__all__ = ["PATH", "EventStream", "Writer", "router"]

PATH: Final = "/api/events"

_HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-store",
    "X-Accel-Buffering": "no",  # or nginx keeps events until its buffer is full
}

_log = structlog.get_logger("webhooks.sse")


def router() -> APIRouter:
    """Returns the route."""
    routes = APIRouter(tags=["events"])

    @routes.get(
        PATH,
        summary="Live events (Server-Sent Events)",
        response_class=Response,
        responses={200: {"content": {"text/event-stream": {}}, "description": "A stream that does not end."}},
    )
    async def events(
        request: Request,
        selection: Annotated[Selection, Query()],
        last_event_id: Annotated[str | None, Header(description="The id of the last event known.")] = None,
    ) -> EventStream:
        outlet = Writer()
        after = selection.after if last_event_id is None else _seq(last_event_id)
        # A client that knows nothing begins where the stream stands, as if it had said so.
        position = parts_of(request).hub.position if after is None else None
        feed = await open_feed(request, selection, position if after is None else after, outlet)
        return EventStream(feed, outlet, position)

    return routes


class EventStream(Response):
    """The answer that does not end by itself.

    Args:
        feed: what to stream.
        outlet: through which the feed writes.
        position: the id where the stream begins; None where the client has one.
    """

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, outlet: Writer, position: int | None) -> None:
        super().__init__(headers=_HEADERS)
        # A stream has no length; Response counted an empty body.
        del self.headers["content-length"]
        self._feed = feed
        self._outlet = outlet
        self._position = position

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Streams until the client leaves or the feed ends."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await self._outlet.begin(send, self._position)
        watch = asyncio.create_task(self._watch(receive))
        try:
            ending = await self._feed.run()
            if ending is not Ending.LEFT:
                await self._outlet.end(ending)
        finally:
            watch.cancel()
        if ending is Ending.SLOW:
            _log.warning("client dropped", peer=scope.get("client"), reason=ending.value)

    async def _watch(self, receive: Receive) -> None:
        # A client that promised a body and sends none is refused here, where nobody can be told any more.
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        except Problem:
            pass
        finally:
            self._feed.end(Ending.LEFT)


class Writer:
    """Writes events to one client."""

    def __init__(self) -> None:
        self._send: Send | None = None
        self._id: int | None = None

    async def begin(self, send: Send, position: int | None) -> None:
        """Writes the first block."""
        self._send = send
        self._id = position
        await self._write(b"retry: 2000\n" + (b"\n" if position is None else b"id: %d\n\n" % position))

    async def frames(self, frames: Sequence[Frame]) -> None:
        """Writes events as one chunk."""
        self._id = next((frame.seq for frame in reversed(frames) if frame.seq is not None), self._id)
        await self._write(b"".join(frame.sse for frame in frames))

    async def beat(self, position: int | None) -> None:
        """Writes a comment, with an id where the client's is no longer the last."""
        if position is None or position == self._id:
            # No empty line after it: it would make careless readers see an event without data.
            await self._write(b":\n")
        else:
            self._id = position
            await self._write(b": %d\nid: %d\n\n" % (position, position))

    async def end(self, ending: Ending) -> None:
        """Says why the stream ends, and ends it."""
        await self._write(f": {ending.value}\n\n".encode(), more=False)

    async def _write(self, data: bytes, *, more: bool = True) -> None:
        assert self._send is not None
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


def _seq(text: str) -> int:
    """Reads an id that a client sends back; -1 where it cannot be one of ours."""
    seq = int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else -1
    return seq if seq <= HIGHEST_SEQ else -1
