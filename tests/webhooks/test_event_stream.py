"""The answer of `GET /api/events` over a connection that misbehaves, without sockets."""

import asyncio

import pytest

from tests.webhooks.fakes import FakeJournal
from webhooks.feed import Feed
from webhooks.frames import Scope
from webhooks.hub import Hub
from webhooks.problems import Problem
from webhooks.sse import EventStream, Writer

pytestmark = pytest.mark.anyio


async def test_a_body_that_was_promised_and_never_comes_ends_the_stream():
    hub, outlet, sent = Hub(), Writer(), []

    async def scope_now() -> Scope:
        return Scope()

    feed = Feed(
        hub=hub,
        journal=FakeJournal(),
        outlet=outlet,
        scope=Scope(),
        scope_now=scope_now,
        after=None,
        most=10,
        turn=asyncio.Semaphore(1),
        heartbeat=60,
    )

    async def receive() -> dict[str, object]:
        raise Problem(408, "body: nothing came for 10 s.")

    async def send(message: dict[str, object]) -> None:
        sent.append(message["type"])

    stream = EventStream(feed, outlet, 0)
    async with asyncio.timeout(10):
        await stream({"type": "http"}, receive, send)
    assert sent[:2] == ["http.response.start", "http.response.body"]
    assert hub.clients == 0
