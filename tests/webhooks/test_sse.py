"""Server-Sent Events over real sockets."""

import asyncio
import contextlib
import socket

import httpx
import pytest
from structlog.testing import capture_logs

from fastagi.calls import EventType
from fastagi.events import encode
from fastagi.interfaces import Role
from tests.webhooks.fakes import answered_by, event, make_call
from tests.webhooks.reader import EventReader, reading, request_head
from tests.webhooks.world import World, until
from webhooks import server as server_module
from webhooks.access import COOKIE
from webhooks.site import SiteSettings

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_the_head_of_the_stream():
    world = World()
    world.happen(EventType.STARTED, make_call(1))
    async with world.serving() as server, reading(server.port, session=world.supervisor) as stream:
        assert stream.response.status_code == 200
        headers = stream.response.headers
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["cache-control"] == "no-cache, no-store"
        assert headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in headers
        assert "content-length" not in headers
        assert await stream.block() == {"retry": "2000", "id": "1"}


async def test_live_events():
    world = World()
    async with world.serving() as server, reading(server.port, token=world.token) as stream:
        await stream.block()
        call = make_call(1, ringing=("101",))
        world.happen(EventType.RINGING, call)
        kind, data = await stream.event()
        assert kind == "call.ringing"
        assert (data["v"], data["seq"], data["call"]["ringing"]) == (1, 1, ["101"])
        world.bus.deliver(encode(event(None)))
        assert (await stream.event())[1]["seq"] is None
        assert stream.id == "1"


async def test_coming_back_loses_nothing_and_doubles_nothing():
    """Events happen before, between and after the connections, and at each moment of them."""
    world = World()
    seen: list[int] = []
    async with world.serving() as server:
        last = "0"
        happening = asyncio.create_task(_keep_happening(world, 600))
        while len(seen) < 600:
            async with reading(server.port, session=world.supervisor, last=last) as stream:
                seen += await stream.seqs(min(47, 600 - len(seen)))
                last = stream.id
        await happening
    assert seen == list(range(1, 601))


async def _keep_happening(world: World, times: int) -> None:
    for number in range(times):
        world.happen(EventType.UPDATED, make_call(number))
        await asyncio.sleep(0)


async def test_a_bus_that_loses_is_made_good():
    world = World()
    async with world.serving(poll=0.05) as server, reading(server.port, session=world.supervisor) as stream:
        await stream.block()
        for number in range(30):
            world.bus.losing = number % 3 != 0
            world.happen(EventType.UPDATED, make_call(number))
        assert await stream.seqs(30) == list(range(1, 31))


async def test_after_in_the_address_and_the_header_before_it():
    world = World()
    async with world.serving() as server:
        for number in range(5):
            world.happen(EventType.UPDATED, make_call(number))
        async with reading(server.port, "/api/events?after=2", session=world.supervisor) as stream:
            assert await stream.block() == {"retry": "2000"}
            assert await stream.seqs(3) == [3, 4, 5]
        async with reading(server.port, "/api/events?after=2", session=world.supervisor, last="4") as stream:
            assert await stream.seqs(1) == [5]


@pytest.mark.parametrize("last", ["1", "99", "none-of-ours", "9" * 19, "9" * 40, "²"])
async def test_a_reset(last: str):
    world = World()
    for number in range(8):
        world.journal.write(EventType.UPDATED, make_call(number))
    world.journal.forget_events(4)
    async with world.serving() as server:
        headers = {"Cookie": f"{COOKIE}={world.supervisor}", "Last-Event-ID": last.encode()}
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client,
            client.stream("GET", "/api/events", headers=headers) as response,
        ):
            stream = EventReader(response)
            assert await stream.event() == ("reset", {"v": 1, "seq": 8, "type": "reset"})
            world.happen(EventType.UPDATED, make_call(9))
            assert await stream.seqs(1) == [9]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"types": "call.ringing,call.x"}, "types"),
        ({"types": ""}, "types"),
        ({"after": "-1"}, "after"),
        ({"after": "x"}, "after"),
        ({"after": str(2**63)}, "after"),
        ({"operator": ""}, "operator"),
        ({"token": "secret"}, "token"),
    ],
)
async def test_a_wrong_parameter_is_named(parameters: dict[str, str], field: str):
    async with (world := World()).client(world.supervisor) as client:
        response = await client.get("/api/events", params=parameters)
    assert response.status_code == 422
    assert response.json()["detail"].startswith(f"{field}: ")


async def test_filters_and_what_a_role_may_see():
    world = World()
    petro = world.accounts.add("petro", Role.OPERATOR, "102")
    paths = {
        "boss": ("/api/events", world.supervisor),
        "olena": ("/api/events", world.operator),
        "petro": ("/api/events", petro),
        "answers": ("/api/events?types=call.answered,call.ended", world.supervisor),
        "by login": ("/api/events?operator=petro", world.supervisor),
        "by phone": ("/api/events?operator=101", world.supervisor),
        "of another": ("/api/events?operator=101", petro),
    }
    async with world.serving() as server, contextlib.AsyncExitStack() as stack:
        streams = {
            name: await stack.enter_async_context(reading(server.port, path, session=session))
            for name, (path, session) in paths.items()
        }
        await until(lambda: world.hub.clients == len(paths))
        ringing = make_call(1, ringing=("101",))
        answered = answered_by(ringing, "101", "olena")
        world.happen(EventType.RINGING, ringing)  # 1
        world.happen(EventType.ANSWERED, answered)  # 2
        world.happen(EventType.UPDATED, answered)  # 3
        world.happen(EventType.RINGING, make_call(2, ringing=("102",)))  # 4
        world.happen(EventType.ENDED, answered)  # 5
        world.journal.write(EventType.STARTED, make_call(3))  # 6, lost: a reset follows it to all
        world.journal.forget_events(6)
        world.journal.write(EventType.STARTED, make_call(4))  # 7
        world.bus.connect()
        seen = {}
        for name, stream in streams.items():
            seen[name] = [data["seq"] async for data in _until_reset(stream)]
    assert seen == {
        "boss": [1, 2, 3, 4, 5],
        "olena": [1, 2, 3, 4, 5],
        "petro": [1, 2, 4],
        "answers": [2, 5],
        "by login": [4],
        "by phone": [1, 2, 3, 5],
        "of another": [1, 2],
    }


async def _until_reset(stream: EventReader):
    while True:
        kind, data = await stream.event()
        if kind == "reset":
            return
        yield data


async def test_heartbeats_and_the_id_of_a_filtered_stream():
    world = World(settings=SiteSettings(heartbeat=0.05))
    path = "/api/events?types=call.ended"
    async with world.serving() as server, reading(server.port, path, session=world.supervisor) as stream:
        assert await stream.block() == {"retry": "2000", "id": "0"}
        world.happen(EventType.STARTED, make_call(1))
        assert await stream.block() == {"id": "1"}
        world.happen(EventType.ENDED, make_call(1))
        assert (await stream.block())["event"] == "call.ended"
        assert stream.comments


async def test_a_session_that_ends_ends_the_stream():
    world = World(settings=SiteSettings(heartbeat=0.05))
    async with world.serving() as server, reading(server.port, session=world.supervisor) as stream:
        await stream.block()
        await world.accounts.sign_out(world.supervisor)
        with pytest.raises(EOFError):
            await stream.block()
        assert stream.comments[-1] == "the session or token has ended"
        async with reading(server.port, session=world.supervisor, last=stream.id) as again:
            assert again.response.status_code == 401


async def test_a_token_that_is_taken_away_ends_the_stream():
    world = World(settings=SiteSettings(heartbeat=0.05))
    async with world.serving() as server, reading(server.port, token=world.token) as stream:
        await stream.block()
        world.accounts.tokens.clear()
        with pytest.raises(EOFError):
            await stream.block()


async def test_a_phone_that_changes_hands_changes_what_is_seen():
    world = World(settings=SiteSettings(heartbeat=0.05))
    async with world.serving() as server, reading(server.port, session=world.operator) as stream:
        await stream.block()
        call = answered_by(make_call(1), "102")
        world.happen(EventType.UPDATED, call)
        world.accounts.add("olena", Role.OPERATOR, "101", "102")
        await until(lambda: _phones(world) == {"101", "102"})
        world.happen(EventType.UPDATED, call)
        assert await stream.seqs(1) == [2]


def _phones(world: World) -> frozenset[str]:
    return next(iter(world.hub._clients)).scope.phones


async def test_stopping_ends_streams_cleanly_and_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server_module, "_GRACE", 60)
    world = World()
    async with contextlib.AsyncExitStack() as stack:
        async with world.serving() as server:
            stream = await stack.enter_async_context(reading(server.port, session=world.supervisor))
            await stream.block()
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 30  # it waited for no grace to pass
        with pytest.raises(EOFError):
            await stream.block()
    assert stream.comments[-1].startswith("the server is shutting down")


async def test_a_client_that_leaves_is_forgotten():
    world = World()
    async with world.serving() as server:
        async with reading(server.port, session=world.supervisor) as stream:
            await stream.block()
            assert world.hub.clients == 1
        await until(lambda: world.hub.clients == 0)


async def test_a_client_that_never_reads_is_dropped_and_others_are_not():
    world = World()
    call = make_call(1, note="x" * 8000)
    async with world.serving() as server, reading(server.port, session=world.supervisor) as good:
        await good.block()
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", server.port))
            deaf.send(request_head("/api/events", server.port, Cookie=f"{COOKIE}={world.supervisor}"))
            await until(lambda: world.hub.clients == 2)
            seen = 0
            async with asyncio.timeout(60):
                while not world.hub.dropped:
                    for _ in range(100):
                        world.happen(EventType.UPDATED, call)
                    assert await good.seqs(100) == list(range(seen + 1, seen + 101))
                    seen += 100
            assert world.hub.clients == 1
            # Once it reads, it is told why before the end.
            with capture_logs() as logs:
                said = await asyncio.to_thread(_all_of, deaf)
                await until(lambda: logs)
            assert b": too slow" in said[-200:]
            assert logs[0]["event"] == "client dropped"
            assert logs[0]["reason"].startswith("too slow")
        world.happen(EventType.UPDATED, call)
        assert await good.seqs(1) == [seen + 1]


def _all_of(deaf: socket.socket) -> bytes:
    deaf.settimeout(10)
    said = bytearray()
    while not said.endswith(b"0\r\n\r\n"):
        piece = deaf.recv(65536)
        assert piece, "the stream ended without its last chunk"
        said += piece
    return bytes(said)


async def test_without_the_database_a_stream_goes_on_and_resets():
    world = World(settings=SiteSettings(heartbeat=0.05))
    async with world.serving(poll=0.05) as server, reading(server.port, session=world.supervisor) as stream:
        await stream.block()
        world.happen(EventType.STARTED, make_call(1))
        world.journal.away = world.accounts.away = True
        world.bus.deliver(encode(event(None)))
        assert await stream.seqs(2) == [1, None]
        async with reading(server.port, session=world.supervisor) as late:
            assert late.response.status_code == 503
        world.journal.away = world.accounts.away = False
        world.happen(EventType.UPDATED, make_call(1))
        kinds = [(await stream.event())[0] for _ in range(2)]
        assert sorted(kinds) == ["call.updated", "reset"]
