"""From the bus to the hub: order, gaps, outages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fastagi.calls import EventType
from fastagi.events import Event, encode
from tests.webhooks.fakes import FakeBus, FakeJournal, event, make_call
from tests.webhooks.world import until
from webhooks.frames import RESET, Scope
from webhooks.hub import Client, Hub
from webhooks.sequencer import Sequencer
from webhooks.subscription import Subscription

pytestmark = pytest.mark.anyio


class Room:
    """A subscription, its neighbours, and one client that takes all."""

    def __init__(self, *, hold: float = 0.02, poll: float = 60, patience: float = 2, before: int = 0) -> None:
        self.journal, self.bus, self.hub = FakeJournal(), FakeBus(), Hub()
        for number in range(before):
            self.write(number)
        self.subscription = Subscription(
            bus=self.bus,
            journal=self.journal,
            hub=self.hub,
            sequencer=Sequencer(hold=hold),
            poll=poll,
            patience=patience,
        )
        self.client = Client(Scope(), lambda: None)
        self.got: list[object] = []
        self.hub.join(self.client)

    def write(self, number: int = 1) -> bytes:
        """Write an event, as another process does, and return what it would publish."""
        return encode(self.journal.write(EventType.UPDATED, make_call(number)))

    def seen(self) -> list[object]:
        """All that the client got: seqs, None, and ("reset", seq)."""
        self.got += [(RESET, frame.seq) if frame.kind == RESET else frame.seq for frame in self.client.take()]
        return self.got

    async def until_seen(self, *expected: object) -> None:
        """Wait until this and nothing else came."""
        async with asyncio.timeout(10):
            while self.seen() != list(expected):
                await asyncio.sleep(0.002)


@asynccontextmanager
async def running(**options: float) -> AsyncIterator[Room]:
    room = Room(**options)
    await room.subscription.start()
    try:
        yield room
    finally:
        await room.subscription.close()
        assert room.bus.subscribers == 0


async def test_it_begins_at_the_end_of_the_table_and_lets_the_hub_remember():
    async with running(before=3) as room:
        assert room.subscription.last == 3
        assert (room.hub.position, room.hub.remembers_after) == (3, 0)
        assert room.seen() == []
        room.bus.deliver(room.write())
        assert room.seen() == [4]
        assert room.subscription.health().ok


async def test_events_out_of_order_are_put_in_order():
    async with running(hold=60) as room:
        first, second, third = room.write(), room.write(), room.write()
        for message in (third, first, second, first):
            room.bus.deliver(message)
        assert room.seen() == [1, 2, 3]
        assert room.subscription.duplicates == 1


async def test_a_gap_is_repaired_from_the_table():
    async with running(hold=0.02) as room:
        room.write()
        room.write()
        room.bus.deliver(room.write())
        assert room.seen() == []
        await room.until_seen(1, 2, 3)
        assert room.subscription.repaired == 3
        room.bus.deliver(room.write())
        assert room.seen() == [1, 2, 3, 4]


async def test_a_last_event_that_is_lost_is_found_by_the_poll():
    async with running(poll=0.02) as room:
        room.write()
        await room.until_seen(1)


async def test_a_new_connection_of_the_bus_makes_it_read_the_table():
    async with running() as room:
        room.bus.losing = True
        for _ in range(50):
            room.bus.deliver(room.write())
        room.bus.losing = False
        room.bus.connect()
        await room.until_seen(*range(1, 51))


async def test_events_without_a_seq_and_the_reset_after_them():
    async with running(poll=0.02) as room:
        room.bus.deliver(encode(event(None)))
        assert room.seen() == [None]
        reads = room.journal.reads
        await until(lambda: room.journal.reads > reads + 2)
        assert room.seen() == [None]
        room.bus.deliver(room.write())
        await room.until_seen(None, 1, (RESET, 1))
        assert room.subscription.resets == 1


async def test_an_unreadable_table_holds_nobody_up():
    async with running(hold=0.02, poll=0.1) as room:
        first, second, third = room.write(), room.write(), room.write()
        room.journal.away = True
        room.bus.deliver(first)
        room.bus.deliver(third)
        await room.until_seen(1, 3)
        health = room.subscription.health()
        assert not health.ok
        assert "the database is away" in health.detail
        room.bus.deliver(second)
        room.journal.away = False
        await room.until_seen(1, 3, (RESET, 3))
        assert room.subscription.health().ok


async def test_it_starts_without_the_database():
    room = Room(poll=0.02)
    room.journal.away = True
    await room.subscription.start()
    try:
        assert not room.subscription.health().ok
        room.journal.away = False
        await room.until_seen((RESET, 0))
        room.bus.deliver(room.write())
        assert room.seen() == [(RESET, 0), 1]
    finally:
        await room.subscription.close()


async def test_events_that_come_while_it_starts_without_the_database():
    room = Room(hold=0.02, poll=60)
    for _ in range(7):
        room.write()
    room.journal.away = True
    await room.subscription.start()
    try:
        room.bus.deliver(encode(event(7)))
        await room.until_seen(7)
        room.bus.deliver(encode(event(8)))
        assert room.seen() == [7, 8]
    finally:
        await room.subscription.close()


async def test_a_table_that_went_back_is_noticed():
    async with running(poll=0.02, before=9) as room:
        room.journal.events.clear()
        room.journal.last = 0
        await room.until_seen((RESET, 0))
        room.bus.deliver(room.write())
        assert room.seen() == [(RESET, 0), 1]


async def test_a_table_that_was_cleaned_beyond_us_is_a_reset():
    async with running(poll=60) as room:
        for _ in range(5):
            room.write()
        room.journal.forget_events(3)
        room.bus.connect()
        await room.until_seen((RESET, 3), 4, 5)


async def test_a_row_that_cannot_be_decoded_is_a_reset_and_holds_nothing_up():
    async with running(poll=60) as room:
        for _ in range(100):
            room.write()
        room.journal.undecodable = {5, 30, 31}
        room.bus.connect()
        resets = {5: (RESET, 5), 31: (RESET, 31)}
        expected = [resets.get(seq, seq) for seq in range(1, 101) if seq != 30]
        await room.until_seen(*expected)


async def test_a_page_of_rows_that_cannot_be_decoded_is_passed_over():
    async with running(hold=0.02) as room:
        for _ in range(30):
            room.write()
        room.journal.undecodable = set(range(1, 31))
        room.bus.connect()
        room.bus.deliver(room.write())
        await room.until_seen((RESET, 30), 31)


async def test_what_is_no_event_is_refused_and_counted():
    async with running() as room:
        for message in (b"", b"{}", b"\xff", encode(event(1)).replace(b'"v":1', b'"v":2')):
            room.bus.deliver(message)
        assert room.subscription.refused == 4
        assert room.seen() == []


async def test_a_reading_that_does_not_end_is_given_up():
    async with running(hold=0.02, patience=0.02) as room:

        async def never(seq: int, limit: int) -> list[Event]:
            await asyncio.Event().wait()
            return []

        room.journal.events_after = never
        room.write()
        room.bus.deliver(room.write())
        await room.until_seen(2)
        assert "longer than" in room.subscription.health().detail


async def test_a_mistake_while_reading_does_not_end_the_stream():
    async with running(hold=0.02, poll=0.1) as room:

        async def broken(seq: int, limit: int) -> list[Event]:
            raise RuntimeError("not planned")

        whole = room.journal.events_after
        room.journal.events_after = broken
        room.write()
        room.bus.deliver(room.write())
        await room.until_seen(2)
        assert "RuntimeError" in room.subscription.health().detail
        room.journal.events_after = whole
        await room.until_seen(2, (RESET, 2))


async def test_closed_it_says_so():
    async with running() as room:
        assert room.subscription.health().ok
    assert room.subscription.health().detail == "is not running"
    await room.subscription.close()
