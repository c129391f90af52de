"""What every bus does: order, a later turn, a word at each connection. The same cases for memory and Redis."""

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from fastagi.bus.memory import MemoryBus
from fastagi.bus.redis import RedisBus
from fastagi.errors import BusUnavailable
from tests.servers import Redis, running

BUSES = ["memory", pytest.param("redis", marks=pytest.mark.redis)]


@pytest.fixture(scope="module")
def server():
    with running(Redis()) as server:
        yield server


@pytest.fixture(params=BUSES)
def make(request):
    """Makes a bus of each kind; none is started yet."""
    if request.param == "memory":
        return MemoryBus
    url = request.getfixturevalue("server").url
    return lambda: RedisBus(url, channel=f"whocalls:{request.node.name}")


class Listener:
    """A subscriber that remembers what it was told, in order: "connected" and messages."""

    def __init__(self, bus) -> None:
        self.told: list = []
        self.end = bus.subscribe(self.told.append, lambda: self.told.append("connected"))

    async def until(self, count: int, limit: float = 20.0) -> list:
        async with asyncio.timeout(limit):
            while len(self.told) < count:
                await asyncio.sleep(0.001)
        return self.told


@asynccontextmanager
async def started(bus):
    await bus.start()
    try:
        async with asyncio.timeout(20):
            while not bus.health().ok:
                await asyncio.sleep(0.005)
        yield bus
    finally:
        await bus.close()


def test_messages_arrive_in_order_after_the_word_of_the_connection(make):
    async def main() -> None:
        bus = make()
        listener = Listener(bus)
        async with started(bus):
            await listener.until(1)
            messages = [f"сообщение {number}".encode() for number in range(300)]
            for at in range(0, 300, 30):
                await bus.publish(messages[at : at + 30])
            assert await listener.until(301) == ["connected", *messages]

    asyncio.run(main())


def test_a_message_is_never_delivered_inside_publish(make):
    async def main() -> None:
        async with started(make()) as bus:
            delivered_by: list = []
            ready = asyncio.Event()
            bus.subscribe(lambda _: delivered_by.append(asyncio.current_task()), ready.set)
            await asyncio.wait_for(ready.wait(), 10)
            await bus.publish([b"a"])
            async with asyncio.timeout(10):
                while not delivered_by:
                    await asyncio.sleep(0)
            assert delivered_by[0] is not asyncio.current_task()

    asyncio.run(main())


def test_every_subscriber_gets_every_message_and_late_ones_are_told_too(make):
    async def main() -> None:
        async with started(make()) as bus:
            first = Listener(bus)
            await first.until(1)
            second = Listener(bus)
            await second.until(1)
            await bus.publish([b"a", b"b"])
            assert await first.until(3) == await second.until(3) == ["connected", b"a", b"b"]
            assert first.told.count("connected") == 1

    asyncio.run(main())


def test_after_its_end_a_subscriber_gets_nothing(make):
    async def main() -> None:
        async with started(make()) as bus:
            one, other = Listener(bus), Listener(bus)
            await one.until(1)
            await other.until(1)
            await bus.publish([b"a"])
            await one.until(2)
            one.end()
            one.end()
            await bus.publish([b"b"])
            assert await other.until(3) == ["connected", b"a", b"b"]
            assert one.told == ["connected", b"a"]

    asyncio.run(main())


def test_one_subscribers_failure_hurts_nobody(make, capsys):
    def fail(message: bytes) -> None:
        raise RuntimeError("broken page")

    async def main() -> None:
        async with started(make()) as bus:
            bus.subscribe(fail, lambda: fail(b""))
            listener = Listener(bus)
            await listener.until(1)
            await bus.publish([b"a", b"b"])
            assert await listener.until(3) == ["connected", b"a", b"b"]

    asyncio.run(main())
    assert "broken page" in capsys.readouterr().out


def test_a_burst_leaves_the_loop_turns_for_others(make):
    async def main() -> None:
        turn = 0

        async def count_turns() -> None:
            nonlocal turn
            while True:
                turn += 1
                await asyncio.sleep(0)

        async with started(make()) as bus:
            turns, ready = Counter(), asyncio.Event()
            bus.subscribe(lambda _: turns.update([turn]), ready.set)
            await asyncio.wait_for(ready.wait(), 10)
            counting = asyncio.create_task(count_turns())
            for _ in range(5):
                await bus.publish([b"x" * 1000] * 400)
            async with asyncio.timeout(20):
                while turns.total() < 2000:
                    await asyncio.sleep(0)
            counting.cancel()
            assert max(turns.values()) <= 200

    asyncio.run(main())


def test_a_slow_subscriber_holds_up_no_publisher_and_loses_nothing(make):
    seen = []

    def slow(message: bytes) -> None:
        time.sleep(0.001)
        seen.append(message)

    async def main() -> None:
        async with started(make()) as bus:
            ready = asyncio.Event()
            bus.subscribe(slow, ready.set)
            await asyncio.wait_for(ready.wait(), 10)
            messages = [str(number).encode() for number in range(1000)]
            await bus.publish(messages[:500])
            await bus.publish(messages[500:])
            assert len(seen) < 1000
            async with asyncio.timeout(30):
                while len(seen) < 1000:
                    await asyncio.sleep(0.01)
            assert seen == messages

    asyncio.run(main())


def test_health_and_publish_say_when_it_is_not_there(make):
    async def main() -> None:
        bus = make()
        assert not bus.health().ok
        with pytest.raises(BusUnavailable, match="not started"):
            await bus.publish([b"a"])
        async with started(bus):
            await bus.publish([b"nobody listens"])
            await bus.publish([])
        assert not bus.health().ok
        with pytest.raises(BusUnavailable):
            await bus.publish([b"a"])

    asyncio.run(main())
