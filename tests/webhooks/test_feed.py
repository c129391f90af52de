"""One client's stream: the seam between what it missed and what happens, heartbeats, pauses, the end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from fastagi.calls import EventType
from fastagi.errors import JournalUnavailable
from fastagi.events import encode
from tests.webhooks.fakes import FakeBus, FakeJournal, answered_by, event, make_call
from tests.webhooks.world import until
from webhooks import feed as module
from webhooks.feed import Feed, Slices
from webhooks.frames import RESET, Frame, Scope
from webhooks.hub import Client, Ending, Hub
from webhooks.subscription import Subscription

pytestmark = pytest.mark.anyio


class Paper:
    """An outlet that remembers what was written, chunk by chunk, and when."""

    def __init__(self) -> None:
        self.chunks: list[tuple[float, list[Frame]]] = []
        self.beats: list[int | None] = []
        self.free = asyncio.Event()
        self.free.set()

    async def frames(self, frames: Sequence[Frame]) -> None:
        await self.free.wait()
        self.chunks.append((asyncio.get_running_loop().time(), list(frames)))

    async def beat(self, position: int | None) -> None:
        self.beats.append(position)

    @property
    def seqs(self) -> list[object]:
        flat = [frame for _, frames in self.chunks for frame in frames]
        return [(RESET, frame.seq) if frame.kind == RESET else frame.seq for frame in flat]


class Room:
    """A hub fed by a subscription, and feeds on it."""

    def __init__(self, memory: int = 5) -> None:
        self.journal, self.bus = FakeJournal(), FakeBus()
        self.hub = Hub(Slices(), memory=memory)
        self.subscription = Subscription(bus=self.bus, journal=self.journal, hub=self.hub, poll=60)
        self.scope: Scope | None = Scope()
        self.tasks: list[asyncio.Task[Ending]] = []

    def happen(self, times: int = 1) -> None:
        for _ in range(times):
            self.bus.deliver(encode(self.journal.write(EventType.UPDATED, make_call(1))))

    def feed(self, paper: Paper, *, most: int = 10_000, heartbeat: float = 60, **options: object) -> Feed:
        """Start a feed."""

        async def scope_now() -> Scope | None:
            return self.scope

        feed = Feed(
            hub=self.hub,
            journal=self.journal,
            outlet=paper,
            scope=options.pop("scope", Scope()),
            scope_now=options.pop("scope_now", scope_now),
            after=options.pop("after", None),
            most=most,
            turn=asyncio.Semaphore(2),
            heartbeat=heartbeat,
        )
        assert not options
        self.tasks.append(asyncio.create_task(feed.run()))
        return feed


@asynccontextmanager
async def running(memory: int = 5, before: int = 0) -> AsyncIterator[Room]:
    room = Room(memory)
    await room.subscription.start()
    room.happen(before)
    try:
        yield room
    finally:
        room.hub.close()
        await asyncio.wait_for(asyncio.gather(*room.tasks), 10)
        await room.subscription.close()


async def test_live_events():
    async with running(before=3) as room:
        paper = Paper()
        room.feed(paper)
        await until(lambda: room.hub.clients)
        room.happen()
        await until(lambda: paper.seqs == [4])
    assert [task.result() for task in room.tasks] == [Ending.SHUTDOWN]


async def test_what_was_missed_comes_from_the_table_and_from_memory():
    async with running(memory=5, before=200) as room:
        paper = Paper()
        room.feed(paper, after=20)
        await until(lambda: paper.seqs == list(range(21, 201)))
        room.happen(2)
        await until(lambda: paper.seqs == list(range(21, 203)))


async def test_nothing_is_lost_or_doubled_while_events_go_on():
    """The seam: events happen at every moment of the replay, and some readings are slow."""
    async with running(memory=50, before=300) as room:
        whole = room.journal.events_after

        async def slow(seq: int, limit: int) -> Sequence[object]:
            rows = await whole(seq, limit)
            room.happen(3)
            await asyncio.sleep(0.001)
            room.happen(3)
            return rows

        room.journal.events_after = slow
        papers = [Paper() for _ in range(5)]
        for paper, after in zip(papers, (0, 100, 290, 299, 300), strict=True):
            room.feed(paper, after=after)
        await until(lambda: room.hub.clients == 5)
        room.journal.events_after = whole
        room.happen()
        last = room.journal.last
        for paper, after in zip(papers, (0, 100, 290, 299, 300), strict=True):
            await until(lambda paper=paper: paper.seqs and paper.seqs[-1] == last)
            assert paper.seqs == list(range(after + 1, last + 1))


async def test_a_replay_keeps_to_the_filter():
    async with running(memory=1, before=60) as room:
        paper = Paper()
        room.feed(paper, after=0, scope=Scope(kinds=frozenset({"call.ended"})))
        await until(lambda: room.hub.clients)
        room.bus.deliver(encode(room.journal.write(EventType.ENDED, make_call(1))))
        await until(lambda: paper.seqs == [61])


@pytest.mark.parametrize("after", [-1, 3, 250])
async def test_what_is_gone_or_none_of_ours_is_a_reset(after: int):
    """Not one of ours; older than the table; of another table."""
    async with running(before=200) as room:
        room.journal.forget_events(10)
        paper = Paper()
        room.feed(paper, after=after)
        await until(lambda: paper.seqs == [(RESET, 200)])
        room.happen()
        await until(lambda: paper.seqs == [(RESET, 200), 201])


async def test_the_oldest_that_is_just_there_is_no_reset():
    async with running(before=20) as room:
        room.journal.forget_events(10)
        paper = Paper()
        room.feed(paper, after=10)
        await until(lambda: paper.seqs == list(range(11, 21)))


async def test_an_empty_table_and_an_id_before_its_end_is_a_reset():
    async with running(memory=2, before=20) as room:
        room.journal.forget_events(20)
        old, new = Paper(), Paper()
        room.feed(old, after=5)
        room.feed(new, after=20)
        await until(lambda: room.hub.clients == 2)
        room.happen()
        await until(lambda: old.seqs == [(RESET, 20), 21] and new.seqs == [21])


@pytest.mark.parametrize("kind", [EventType.TRANSFERRED, EventType.MERGED])
async def test_of_a_call_whose_past_nobody_knows_a_replay_tells_only_those_it_is_of(kind: EventType):
    """102 hands a call over to 103; that 102 had it stands before the place where the replay begins."""
    async with running(memory=2, before=10) as room:
        room.bus.deliver(encode(room.journal.write(kind, answered_by(make_call(2), "103"))))
        room.happen(20)
        scopes = [Scope(phones=frozenset({phone})) for phone in ("101", "103")]
        others, theirs, boss = Paper(), Paper(), Paper()
        for paper, scope in zip((others, theirs, boss), (*scopes, Scope()), strict=True):
            room.feed(paper, after=5, scope=scope)
        await until(lambda: others.seqs == [(RESET, 31)])
        await until(lambda: theirs.seqs == boss.seqs == list(range(6, 32)))


async def test_of_a_call_whose_past_the_hub_does_not_know_others_get_a_reset():
    async with running(before=1) as room:
        old, live = Paper(), Paper()
        scope = Scope(phones=frozenset({"101"}))
        room.feed(live, scope=scope)
        await until(lambda: room.hub.clients)
        room.bus.deliver(encode(room.journal.write(EventType.TRANSFERRED, answered_by(make_call(2), "103"))))
        room.happen()
        room.feed(old, after=1, scope=scope)
        await until(lambda: live.seqs == old.seqs == [(RESET, 2), 3])


async def test_a_table_cleaned_in_the_middle_of_a_replay_is_a_reset():
    async with running(memory=2, before=300) as room:
        whole = room.journal.events_after

        async def cleaned(seq: int, limit: int) -> Sequence[object]:
            rows = await whole(seq, limit)
            room.journal.forget_events(200)
            return rows

        room.journal.events_after = cleaned
        paper = Paper()
        room.feed(paper, after=0)
        await until(lambda: paper.seqs == [*range(1, 51), (RESET, 300)])


async def test_a_row_that_cannot_be_decoded_is_a_reset():
    async with running(memory=2, before=80) as room:
        room.journal.undecodable = {60}
        paper = Paper()
        room.feed(paper, after=0)
        await until(lambda: paper.seqs == [*range(1, 51), (RESET, 80)])


async def test_an_id_of_another_push_process_that_is_ahead():
    async with running(before=5) as room:
        room.bus.losing = True
        room.happen(2)
        paper = Paper()
        room.feed(paper, after=6)
        await until(lambda: room.hub.clients)
        room.bus.losing = False
        room.bus.connect()
        await until(lambda: paper.seqs == [7])


async def test_people_who_missed_too_much_read_everything_again():
    async with running(memory=2, before=100) as room:
        paper = Paper()
        room.feed(paper, after=20, most=50)
        await until(lambda: paper.seqs == [(RESET, 100)])


async def test_without_the_table_live_events_come_after_a_reset():
    async with running(memory=2, before=100) as room:
        room.journal.away = True
        paper = Paper()
        room.feed(paper, after=20)
        await until(lambda: paper.seqs == [(RESET, 100)])
        room.bus.deliver(encode(event(None)))
        await until(lambda: paper.seqs == [(RESET, 100), None])


def crowd(hub: Hub, count: int = 500) -> None:
    """Join clients who make the hub busy and see nothing."""
    for _ in range(count):
        hub.join(Client(Scope(kinds=frozenset()), lambda: None))


async def test_an_idle_client_gets_an_event_at_once_and_a_busy_one_a_chunk_in_a_while(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 1.0)
    monkeypatch.setattr(module, "_PAUSE", 1)
    async with running() as room:
        paper = Paper()
        room.feed(paper)
        await until(lambda: room.hub.clients)
        room.happen()
        await until(lambda: paper.seqs == [1])
        room.happen(2)
        await until(lambda: paper.seqs == [1, 2, 3])
        assert [len(frames) for _, frames in paper.chunks] == [1, 2]
        assert paper.chunks[1][0] - paper.chunks[0][0] >= 0.999


async def test_where_there_are_few_clients_nobody_waits_long(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 3600)
    async with running() as room:
        paper = Paper()
        room.feed(paper)
        await until(lambda: room.hub.clients)
        for count in range(1, 21):
            room.happen()
            await until(lambda count=count: len(paper.seqs) == count)


async def test_what_concerns_the_own_phone_does_not_wait(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 3600)
    monkeypatch.setattr(module, "_PAUSE", 3600)
    async with running() as room:
        paper = Paper()
        room.feed(paper, scope=Scope(phones=frozenset({"101"})))
        await until(lambda: room.hub.clients)
        room.happen()
        await until(lambda: paper.seqs == [1])
        room.happen()
        await asyncio.sleep(0.01)
        assert paper.seqs == [1]
        ringing = make_call(2, ringing=("101",))
        room.bus.deliver(encode(room.journal.write(EventType.RINGING, ringing)))
        await until(lambda: paper.seqs == [1, 2, 3])


async def test_heartbeats_tell_the_position_when_all_is_written():
    async with running(before=4) as room:
        paper = Paper()
        room.feed(paper, heartbeat=0.02, scope=Scope(kinds=frozenset({"call.ended"})))
        room.scope = Scope(kinds=frozenset({"call.ended"}))
        await until(lambda: 4 in paper.beats)
        room.happen()
        await until(lambda: 5 in paper.beats)
        assert paper.seqs == []


async def test_a_heartbeat_before_anybody_knows_the_position():
    room, paper = Room(), Paper()
    room.feed(paper, heartbeat=0.02)
    await until(lambda: len(paper.beats) > 1)
    assert set(paper.beats) == {None}
    room.hub.close()
    assert await asyncio.wait_for(room.tasks[0], 10) is Ending.SHUTDOWN


async def test_a_busy_client_has_heartbeats_too():
    async with running() as room:
        paper = Paper()
        room.feed(paper, heartbeat=0.12)
        await until(lambda: room.hub.clients)
        async with asyncio.timeout(10):
            while len(paper.beats) < 2:
                room.happen()
                await asyncio.sleep(0.005)
        assert len(paper.chunks) > 2


async def test_the_scope_is_looked_at_again_at_each_heartbeat():
    async with running() as room:
        paper = Paper()
        room.scope = Scope(kinds=frozenset())
        room.feed(paper, heartbeat=0.02)
        await until(lambda: paper.beats)
        room.happen()
        beats = len(paper.beats)
        await until(lambda: len(paper.beats) > beats)
        assert paper.seqs == []


async def test_a_session_that_ended_ends_the_stream():
    async with running() as room:
        room.scope = None
        feed = room.feed(Paper(), heartbeat=0.02)
        assert await asyncio.wait_for(room.tasks[0], 10) is Ending.SIGNED_OUT
        assert feed.client.ending is Ending.SIGNED_OUT
        assert room.hub.clients == 0


async def test_a_session_that_nobody_can_look_at_goes_on():
    async with running() as room:

        async def away() -> Scope | None:
            raise JournalUnavailable("away")

        paper = Paper()
        room.feed(paper, heartbeat=0.02, scope_now=away)
        await until(lambda: len(paper.beats) > 1)
        room.happen()
        await until(lambda: paper.seqs == [1])


async def test_a_client_that_does_not_take_is_dropped():
    async with running() as room:
        paper = Paper()
        paper.free.clear()
        room.feed(paper)
        await until(lambda: room.hub.clients)
        for _ in range(1100):
            room.happen()
            if not room.hub.clients:
                break
            await asyncio.sleep(0)
        assert room.hub.dropped == 1
        paper.free.set()
        assert await asyncio.wait_for(room.tasks[0], 10) is Ending.SLOW


async def test_the_client_leaves():
    async with running() as room:
        feed = room.feed(Paper())
        await until(lambda: room.hub.clients)
        feed.end(Ending.LEFT)
        assert await asyncio.wait_for(room.tasks[0], 10) is Ending.LEFT
        assert room.hub.clients == 0


async def test_the_server_stops_in_the_middle_of_a_replay():
    async with running(memory=2, before=300) as room:
        whole = room.journal.events_after

        async def closing(seq: int, limit: int) -> Sequence[object]:
            room.hub.close()
            return await whole(seq, limit)

        room.journal.events_after = closing
        room.feed(Paper(), after=0)
        assert await asyncio.wait_for(room.tasks[0], 10) is Ending.SHUTDOWN


async def test_clients_are_woken_a_slice_at_a_time():
    woken: list[int] = []
    clients = [Client(Scope(), lambda at=at: woken.append(at)) for at in range(5)]
    slices = Slices(size=2)
    slices(clients[:4])
    slices(clients[4:])
    assert woken == []
    turns = []
    while len(woken) < 5:
        await asyncio.sleep(0)
        turns.append(len(woken))
    assert turns == [2, 4, 5]
    assert woken == [0, 1, 2, 3, 4]
