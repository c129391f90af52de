"""Redis that is away, dies, hangs or cuts us off: publishing fails fast, listening comes back for ever."""

import asyncio
import time

import pytest
from redis.asyncio import Redis as Client

from fastagi.bus import redis as module
from fastagi.bus.redis import RedisBus
from fastagi.errors import BusUnavailable, ConfigError
from tests.bus.test_contract import Listener, started
from tests.servers import Redis, running

pytestmark = pytest.mark.redis


@pytest.fixture
def server():
    with running(Redis()) as server:
        yield server


async def until(what, limit: float = 30.0) -> None:
    async with asyncio.timeout(limit):
        while not what():
            await asyncio.sleep(0.01)


async def until_published(bus: RedisBus, message: bytes) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                return await bus.publish([message])
            except BusUnavailable:
                await asyncio.sleep(0.05)


def test_redis_may_come_later_than_we(server):
    server.stop()

    async def main() -> None:
        bus = RedisBus(server.url)
        listener = Listener(bus)
        await bus.start()
        await until(lambda: "111" in bus.health().detail or "refused" in bus.health().detail)
        began = time.monotonic()
        with pytest.raises(BusUnavailable):
            await bus.publish([b"lost"])
        assert time.monotonic() - began < 2 * module.LIMIT
        await asyncio.to_thread(server.start)
        await until(lambda: bus.health().ok)
        await bus.publish([b"a"])
        assert await listener.until(2) == ["connected", b"a"]
        await bus.close()

    asyncio.run(main())


def test_after_a_restart_subscribers_are_told_and_messages_flow_again(server):
    async def main() -> None:
        bus = RedisBus(server.url)
        listener = Listener(bus)
        async with started(bus):
            await listener.until(1)
            await bus.publish([b"a"])
            await listener.until(2)
            await asyncio.to_thread(server.kill)
            await until(lambda: not bus.health().ok)
            with pytest.raises(BusUnavailable):
                await bus.publish([b"lost"])
            await asyncio.to_thread(server.start)
            await until(lambda: listener.told.count("connected") == 2)
            await until_published(bus, b"b")
            assert await listener.until(4) == ["connected", b"a", "connected", b"b"]
            assert bus.health().ok

    asyncio.run(main())


def test_a_frozen_redis_holds_up_nobody_for_longer_than_the_limit(server):
    async def main() -> None:
        bus = RedisBus(server.url)
        listener = Listener(bus)
        async with started(bus):
            await listener.until(1)
            server.freeze()
            began = time.monotonic()
            results = await asyncio.gather(*(bus.publish([b"x"]) for _ in range(300)), return_exceptions=True)
            assert time.monotonic() - began < 3 * module.LIMIT
            assert {type(result) for result in results} == {BusUnavailable}
            assert any("others wait already" in str(result) for result in results)
            with pytest.raises(BusUnavailable, match="trying again within 1 s"):  # this one asked nobody
                await bus.publish([b"x"])
            await until(lambda: "PING" in bus.health().detail or "Timeout" in bus.health().detail)
            server.thaw()
            await until(lambda: listener.told.count("connected") > 1 and bus.health().ok)
            await until_published(bus, b"after")
            await until(lambda: b"after" in listener.told)

    asyncio.run(main())


def test_a_connection_that_redis_cuts_is_made_again(server):
    async def main() -> None:
        bus, client = RedisBus(server.url), Client.from_url(server.url)
        listener = Listener(bus)
        async with started(bus):
            for count in (1, 2, 3):
                await until(lambda count=count: listener.told.count("connected") == count)
                assert await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub") == 1
            await until(lambda: listener.told.count("connected") == 4)
            await bus.publish([b"a"])
            await until(lambda: listener.told[-1] == b"a")
        await client.aclose()

    asyncio.run(main())


def test_without_subscribers_it_only_watches_and_listens_as_soon_as_there_is_one(server):
    async def main() -> None:
        bus, client = RedisBus(server.url), Client.from_url(server.url)
        async with started(bus):
            assert await client.pubsub_numsub("whocalls:events") == [(b"whocalls:events", 0)]
            listener = Listener(bus)
            await listener.until(1, limit=1.0)
            assert await client.pubsub_numsub("whocalls:events") == [(b"whocalls:events", 1)]
            await asyncio.to_thread(server.kill)
            await until(lambda: not bus.health().ok)
            await asyncio.to_thread(server.start)
        await client.aclose()

    asyncio.run(main())


def test_silence_is_no_failure(server, monkeypatch):
    monkeypatch.setattr(module, "SILENCE", 0.05)

    async def main() -> None:
        bus, client = RedisBus(server.url), Client.from_url(server.url)
        listener = Listener(bus)
        async with started(bus):
            async with asyncio.timeout(20):
                while (await client.info("commandstats")).get("cmdstat_ping", {"calls": 0})["calls"] < 4:
                    await asyncio.sleep(0.02)
            assert listener.told == ["connected"]
            assert bus.health().ok
        await client.aclose()

    asyncio.run(main())


def test_two_processes_worth_of_buses_hear_each_other(server):
    async def main() -> None:
        calls, push = RedisBus(server.url), RedisBus(server.url)
        listener = Listener(push)
        async with started(calls), started(push):
            await listener.until(1)
            await calls.publish([b"a", b"b"])
            assert await listener.until(3) == ["connected", b"a", b"b"]

    asyncio.run(main())


def test_a_redis_that_refuses_is_told_with_its_words(server):
    async def main() -> None:
        client = Client.from_url(server.url)
        await client.config_set("requirepass", "geheim")
        bus = RedisBus(server.url)
        await bus.start()
        with pytest.raises(BusUnavailable, match="Authentication required"):
            await bus.publish([b"a"])
        await until(lambda: "Authentication required" in bus.health().detail)
        await bus.close()
        await client.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("url", ["redis://127.0.0.1:port/0", "http://127.0.0.1"])
def test_a_url_that_is_none_names_its_key(url):
    async def main() -> None:
        with pytest.raises(ConfigError, match=r"bus\.url"):
            await RedisBus(url).start()

    asyncio.run(main())
