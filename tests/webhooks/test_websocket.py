"""WebSocket over real sockets."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from fastagi.calls import EventType
from fastagi.events import encode
from fastagi.interfaces import Role
from tests.webhooks.fakes import answered_by, event, make_call
from tests.webhooks.world import World, until
from webhooks import server as server_module
from webhooks.access import COOKIE
from webhooks.site import SiteSettings

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@contextlib.asynccontextmanager
async def talking(
    port: int, path: str = "/api/ws", *, session: str = "", token: str = "", **headers: str
) -> AsyncIterator[ClientConnection]:
    if session:
        headers["Cookie"] = f"{COOKIE}={session}"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    async with connect(f"ws://127.0.0.1:{port}{path}", additional_headers=headers) as client:
        yield client


async def seqs(client: ClientConnection, count: int) -> list[object]:
    found = []
    async with asyncio.timeout(10):
        for _ in range(count):
            message = json.loads(await client.recv())
            found.append(message["seq"] if message["type"] != "reset" else ("reset", message["seq"]))
    return found


async def closing(client: ClientConnection) -> tuple[int, str]:
    """Return code and reason of the close that comes."""
    with pytest.raises(ConnectionClosed) as caught:
        async with asyncio.timeout(10):
            while True:
                await client.recv()
    return caught.value.rcvd.code, caught.value.rcvd.reason


async def test_the_same_events():
    world = World()
    async with world.serving() as server, talking(server.port, session=world.supervisor) as client:
        await until(lambda: world.hub.clients)
        happened = world.happen(EventType.RINGING, make_call(1, ringing=("101",)))
        assert (await client.recv()).encode() == encode(happened)
        world.bus.deliver(encode(event(None)))
        for number in range(2, 300):
            world.happen(EventType.UPDATED, make_call(number))
        assert await seqs(client, 299) == [None, *range(2, 300)]


async def test_coming_back_and_what_is_gone():
    world = World()
    for number in range(8):
        world.journal.write(EventType.UPDATED, make_call(number))
    world.journal.forget_events(4)
    async with world.serving() as server:
        async with talking(server.port, "/api/ws?after=5", token=world.token) as client:
            assert await seqs(client, 3) == [6, 7, 8]
        async with talking(server.port, "/api/ws?after=1", token=world.token) as client:
            assert await seqs(client, 1) == [("reset", 8)]
            world.happen(EventType.UPDATED, make_call(9))
            assert await seqs(client, 1) == [9]


async def test_filters_and_what_a_role_may_see():
    world = World()
    petro = world.accounts.add("petro", Role.OPERATOR, "102")
    path = "/api/ws?types=call.ended"
    async with (
        world.serving() as server,
        talking(server.port, session=petro) as own,
        talking(server.port, path, session=world.supervisor) as ends,
        talking(server.port, "/api/ws?operator=olena", session=world.supervisor) as hers,
    ):
        await until(lambda: world.hub.clients == 3)
        call = answered_by(make_call(1), "101", "olena")
        world.happen(EventType.UPDATED, call)
        world.happen(EventType.ENDED, call)
        world.happen(EventType.ENDED, answered_by(make_call(2), "102"))
        assert await seqs(own, 1) == [3]
        assert await seqs(ends, 2) == [2, 3]
        assert await seqs(hers, 2) == [1, 2]


@pytest.mark.parametrize(
    ("path", "headers", "status", "said"),
    [
        ("/api/ws", {}, 401, "Sign in"),
        ("/api/ws", {"Cookie": f"{COOKIE}=wrong"}, 401, "Sign in"),
        ("/api/ws", {"Authorization": "Bearer wrong"}, 401, "Sign in"),
        ("/api/ws?token=token-of-crm", {}, 422, "token: "),
        ("/api/ws?after=x", {"Authorization": "Bearer token-of-crm"}, 422, "after: "),
        ("/api/ws?types=x", {"Authorization": "Bearer token-of-crm"}, 422, "types: "),
        (
            "/api/ws",
            {"Cookie": f"{COOKIE}=session-0-of-olena", "Origin": "http://evil.example"},
            403,
            "Origin",
        ),
        ("/api/ws", {"Origin": "http://evil.example"}, 403, "Origin"),
    ],
)
async def test_a_handshake_that_is_refused(path: str, headers: dict[str, str], status: int, said: str):
    world = World()
    with capture_logs() as logs:
        async with world.serving() as server:
            with pytest.raises(InvalidStatus) as caught:
                async with talking(server.port, path, **headers):
                    pass
    # Anybody can be refused as often as they like: that is no line in the log.
    assert [line["event"] for line in logs if line["log_level"] != "info"] == []
    response = caught.value.response
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert said in json.loads(response.body)["detail"]


async def test_a_page_of_this_site_may():
    world = World()
    async with world.serving() as server:
        origin = f"http://127.0.0.1:{server.port}"
        async with talking(server.port, session=world.operator, Origin=origin):
            await until(lambda: world.hub.clients)


async def test_without_the_database_the_handshake_is_refused():
    world = World()
    world.accounts.away = True
    async with world.serving() as server:
        with pytest.raises(InvalidStatus) as caught:
            async with talking(server.port, session=world.operator):
                pass
    assert caught.value.response.status_code == 503


async def test_a_session_that_ends_closes_it():
    world = World(settings=SiteSettings(heartbeat=0.05))
    async with world.serving() as server, talking(server.port, session=world.operator) as client:
        await world.accounts.sign_out(world.operator)
        assert await closing(client) == (4001, "the session or token has ended")


async def test_what_a_client_says_is_ignored_up_to_a_limit():
    world = World()
    async with world.serving() as server, talking(server.port, token=world.token) as client:
        await until(lambda: world.hub.clients)
        for _ in range(100):
            await client.send("hello")
        world.happen(EventType.STARTED, make_call(1))
        assert await seqs(client, 1) == [1]
        with capture_logs() as logs:
            await client.send(b"once more")
            assert (await closing(client))[0] == 1008
        assert "too many messages" in logs[0]["reason"]


async def test_a_heartbeat_allows_new_messages():
    world = World(settings=SiteSettings(heartbeat=0.03))
    async with world.serving() as server, talking(server.port, token=world.token) as client:
        for number in range(3):
            for _ in range(90):
                await client.send("hello")
            looks = world.accounts.looks
            await until(lambda looks=looks: world.accounts.looks > looks + 1)
            world.happen(EventType.STARTED, make_call(number))
            assert await seqs(client, 1) == [number + 1]


async def test_a_message_that_is_too_large_closes_it():
    world = World()
    async with world.serving() as server, talking(server.port, token=world.token) as client:
        await client.send("x" * 5000)
        assert (await closing(client))[0] == 1009
        await until(lambda: world.hub.clients == 0)


async def test_stopping_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server_module, "_GRACE", 60)
    world = World()
    async with contextlib.AsyncExitStack() as stack:
        async with world.serving() as server:
            client = await stack.enter_async_context(talking(server.port, token=world.token))
            await until(lambda: world.hub.clients)
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 30  # it waited for no grace to pass
        code, reason = await closing(client)
    assert code == 1001
    assert "shutting down" in reason


async def test_a_client_that_leaves_is_forgotten():
    world = World()
    async with world.serving() as server:
        async with talking(server.port, token=world.token):
            await until(lambda: world.hub.clients)
        await until(lambda: world.hub.clients == 0)


async def test_a_client_that_never_reads_is_dropped_and_others_are_not():
    world = World()
    call = make_call(1, note="x" * 8000)
    async with world.serving() as server, talking(server.port, token=world.token) as good:
        with socket.socket() as deaf, capture_logs() as logs:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", server.port))
            deaf.send(_handshake(server.port, world.token))
            await until(lambda: world.hub.clients == 2)
            seen = 0
            async with asyncio.timeout(60):
                while not world.hub.dropped:
                    for _ in range(100):
                        world.happen(EventType.UPDATED, call)
                    assert await seqs(good, 100) == list(range(seen + 1, seen + 101))
                    seen += 100
            assert world.hub.clients == 1
            said = await asyncio.to_thread(_to_the_end, deaf)
            assert b"\x0f\xa8too slow" in said[-200:]  # 4008 as a close frame has it
            await until(lambda: logs)
        assert logs[0]["reason"].startswith("too slow")
        world.happen(EventType.UPDATED, call)
        assert await seqs(good, 1) == [seen + 1]


def _handshake(port: int, token: str) -> bytes:
    lines = [
        "GET /api/ws HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        f"Authorization: Bearer {token}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _to_the_end(deaf: socket.socket) -> bytes:
    deaf.settimeout(10)
    said = bytearray()
    while b"too slow" not in said[-200:]:
        piece = deaf.recv(65536)
        assert piece, "the connection ended without a reason"
        said += piece
    return bytes(said)
