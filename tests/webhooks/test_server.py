"""The push port: listening, stopping, and clients that behave badly."""

import asyncio
import signal
import socket

import httpx
import pytest
from structlog.testing import capture_logs

from fastagi.errors import BadInput
from tests.webhooks.reader import request_head
from tests.webhooks.world import World
from webhooks import server as module
from webhooks.access import COOKIE
from webhooks.server import PushServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_it_serves_on_a_free_port_and_leaves_signals_alone():
    world = World()
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    async with world.serving() as server:
        assert server.port > 0
        assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before
        async with httpx.AsyncClient() as client:
            response = await client.get(f"http://127.0.0.1:{server.port}/healthz")
    assert response.status_code == 200
    assert "server" not in response.headers


@pytest.mark.parametrize("host", ["localhost", "::1"])
async def test_it_listens_on_every_address_of_a_name(host: str):
    world = World()
    server = PushServer(world.site, host, 0)
    await server.start()
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, server.port, type=socket.SOCK_STREAM)
        assert found
        for *_, address in found:
            _, writer = await asyncio.open_connection(address[0], address[1])
            writer.close()
            await writer.wait_closed()
    finally:
        await server.stop()


async def test_a_port_in_use_is_named():
    world = World()
    async with world.serving() as server:
        other = PushServer(World().site, "127.0.0.1", server.port)
        with pytest.raises(BadInput, match=rf"push\.listen: cannot listen on 127\.0\.0\.1:{server.port}: "):
            await other.start()
        await other.stop()


async def test_an_address_that_is_not_ours_is_named():
    with pytest.raises(BadInput, match=r"192\.0\.2\.1:0"):
        await PushServer(World().site, "192.0.2.1", 0).start()


async def test_it_can_be_stopped_twice_and_the_port_is_free_again():
    world = World()
    server = PushServer(world.site, "127.0.0.1", 0)
    await server.start()
    port = server.port
    await server.stop()
    await server.stop()
    again = PushServer(World().site, "127.0.0.1", port)
    await again.start()
    await again.stop()


async def test_inventing_addresses_in_headers_is_no_way_around_the_limit_of_attempts():
    world = World()
    async with world.serving() as server, httpx.AsyncClient() as client:
        answers = [
            await client.post(
                f"http://127.0.0.1:{server.port}/api/session",
                json={"login": "olena", "password": "wrong"},
                headers={"X-Forwarded-For": f"192.0.2.{number}"},
            )
            for number in range(7)
        ]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        return await reader.read()


async def test_garbage_is_answered_and_closed_and_logged_once():
    world = World()
    with capture_logs() as said:
        async with world.serving() as server:
            for garbage in (b"\x00\xff\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"x" * 20_000):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(garbage)
                assert (await read_to_end(reader)).startswith(b"HTTP/1.1 400 ")
                writer.close()
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"http://127.0.0.1:{server.port}/healthz")).status_code == 200
    assert [line["event"] for line in said].count("Invalid HTTP request received.") == 1


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(sent: bytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_HEAD", 0.05)
    async with World().serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(sent)
        assert await read_to_end(reader) == b""
        writer.close()


async def test_a_second_head_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_HEAD", 0.05)
    async with World().serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request_head("/healthz", server.port))
        async with asyncio.timeout(10):
            await reader.readuntil(b"}}}")
        writer.write(b"GET /healthz HTT")
        assert await read_to_end(reader) == b""
        writer.close()


async def test_a_stream_outlives_the_time_for_a_head(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_HEAD", 0.05)
    world = World()
    async with world.serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request_head("/api/events", server.port, Cookie=f"{COOKIE}={world.supervisor}"))
        async with asyncio.timeout(10):
            await reader.readuntil(b"retry: 2000")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read(1 << 16)
                await reader.read(1)
        assert world.hub.clients == 1
        writer.close()


async def test_a_client_that_reads_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch):
    """A stream to a client that never reads: its buffers fill, and the connection does not stay for ever."""
    monkeypatch.setattr(module, "_STALLED", 0.1)
    world = World()

    @world.site.get("/endless")
    async def endless() -> object:
        from starlette.responses import StreamingResponse

        async def parts():
            while True:
                yield b"x" * 65536
                await asyncio.sleep(0)

        return StreamingResponse(parts())

    async with world.serving() as server:
        with socket.socket() as deaf, capture_logs() as logs:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", server.port))
            deaf.send(request_head("/endless", server.port))
            async with asyncio.timeout(10):
                while not any(entry["event"] == "client cut off" for entry in logs):
                    await asyncio.sleep(0.01)
            deaf.settimeout(10)
            assert not (await asyncio.to_thread(_rest_of, deaf)).endswith(b"0\r\n\r\n")


def _rest_of(deaf: socket.socket) -> bytes:
    """Read to the end of the connection, which comes."""
    said = b""
    while piece := deaf.recv(1 << 20):
        said = piece
    return said
