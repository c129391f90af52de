"""What only the bus in memory has: a limit, and a broken line where it is passed."""

import asyncio

from fastagi.bus import memory
from fastagi.bus.memory import MemoryBus


def test_more_than_the_limit_is_a_broken_line(monkeypatch):
    monkeypatch.setattr(memory, "LIMIT", 10)

    async def main() -> None:
        bus, told = MemoryBus(), []
        bus.subscribe(told.append, lambda: told.append("connected"))
        await bus.start()
        await asyncio.sleep(0)
        await bus.publish([b"a"] * 11)
        await bus.publish([b"b"])
        await asyncio.sleep(0)
        assert told == ["connected", "connected", b"b"]
        await bus.close()

    asyncio.run(main())


def test_nothing_is_kept_for_nobody(monkeypatch):
    async def main() -> None:
        bus = MemoryBus()
        await bus.start()
        await bus.publish([b"a"] * 1000)
        assert bus.health().detail == "memory: 0 messages wait"
        await bus.close()

    asyncio.run(main())
