"""The writer: order, journal before bus, nothing lost when one of them is away."""

import asyncio
from datetime import UTC, datetime, timedelta

from fastagi.calls import Caller, Direction, EventType, LookupStatus, Outcome, Status
from fastagi.changes import Edited, LookedUp, Observed
from fastagi.errors import JournalUnavailable
from fastagi.events import decode
from fastagi.writer import Writer
from tests.fakes import MemoryJournal, MemorySpool, RecordingBus

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def looked_up(number: int = 1) -> LookedUp:
    return LookedUp(
        id=f"main:{number}.0",
        pbx="main",
        at=NOW,
        lookup=LookupStatus.UNKNOWN,
        caller=Caller(raw="79161234567", e164="+79161234567"),
    )


def ended(number: int = 1) -> Observed:
    return Observed(
        id=f"main:{number}.0",
        pbx="main",
        at=NOW + timedelta(seconds=9),
        type=EventType.ENDED,
        direction=Direction.INCOMING,
        status=Status.NOT_PROCESSED,
        outcome=Outcome.NO_ANSWER,
        caller=Caller(raw="79161234567"),
        started_at=NOW,
        ended_at=NOW + timedelta(seconds=9),
    )


class Bench:
    """A writer with neighbours in memory."""

    def __init__(self) -> None:
        self.journal, self.bus, self.spool = MemoryJournal(), RecordingBus(), MemorySpool()
        self.writer = Writer(self.journal, self.bus, self.spool, lambda: NOW)

    async def until(self, what, limit: float = 10.0) -> None:
        async with asyncio.timeout(limit):
            while not what():
                await asyncio.sleep(0.005)

    def published(self):
        return [decode(message) for message in self.bus.messages]


def run(test) -> None:
    async def main() -> None:
        bench = Bench()
        try:
            await test(bench)
        finally:
            await bench.writer.stop()

    asyncio.run(main())


def test_changes_reach_journal_and_then_bus_in_order():
    async def test(bench: Bench) -> None:
        bench.writer.start()
        bench.writer.put(looked_up())
        bench.writer.put(ended())
        await bench.until(lambda: len(bench.bus.messages) == 2)
        first, second = bench.published()
        assert (first.seq, first.type) == (1, EventType.STARTED)
        assert (second.seq, second.type, second.call.outcome) == (2, EventType.ENDED, Outcome.NO_ANSWER)

    run(test)


def test_what_waits_goes_into_one_transaction():
    async def test(bench: Bench) -> None:
        for number in range(40):
            bench.writer.put(looked_up(number))
        bench.writer.start()
        await bench.until(lambda: len(bench.journal.rows) == 40)
        assert bench.journal.batches == [40]

    run(test)


def test_a_journal_that_is_away_costs_no_change_and_no_live_event():
    async def test(bench: Bench) -> None:
        bench.writer.start()
        bench.journal.failure = "connection refused"
        bench.writer.put(looked_up())
        await bench.until(lambda: bench.bus.messages)
        assert bench.published()[0].seq is None
        assert bench.spool.size == 1
        assert not bench.writer.health().ok
        bench.writer.put(ended())
        await bench.until(lambda: bench.spool.size == 2)
        bench.journal.failure = None
        await bench.until(lambda: bench.writer.health().ok)
        assert bench.journal.rows["main:1.0"].outcome is Outcome.NO_ANSWER
        assert bench.spool.size == 0
        assert [event.seq for event in bench.published()] == [None, None, 1, 2]

    run(test)


def test_live_events_of_one_batch_build_on_each_other():
    async def test(bench: Bench) -> None:
        bench.journal.failure = "connection refused"
        bench.writer.put(looked_up())
        bench.writer.put(ended())
        bench.writer.start()
        await bench.until(lambda: len(bench.bus.messages) == 2)
        story = [(event.type, event.call.version) for event in bench.published()]
        assert story == [(EventType.STARTED, 1), (EventType.ENDED, 2)]

    run(test)


def test_what_an_earlier_run_left_in_the_spool_is_written_first():
    async def test(bench: Bench) -> None:
        bench.spool.append([looked_up()])
        bench.writer.start()
        bench.writer.put(ended())
        await bench.until(lambda: bench.writer.health().ok)
        assert bench.journal.rows["main:1.0"].version == 2
        assert [event.type for event in bench.journal.events] == [EventType.STARTED, EventType.ENDED]

    run(test)


def test_a_bus_that_is_away_does_not_hold_up_the_journal():
    async def test(bench: Bench) -> None:
        bench.bus.failure = "redis is down"
        bench.writer.start()
        for number in range(3):
            bench.writer.put(looked_up(number))
        await bench.until(lambda: bench.writer.unpublished == 3)
        assert len(bench.journal.rows) == 3
        bench.bus.failure = None
        bench.writer.put(ended(1))
        await bench.until(lambda: bench.bus.messages)
        assert bench.published()[0].seq == 4

    run(test)


def test_a_full_disk_under_a_dead_database_leaves_the_change_in_the_log(capsys):
    async def test(bench: Bench) -> None:
        bench.journal.failure, bench.spool.full = "gone", True
        bench.writer.start()
        bench.writer.put(looked_up())
        await bench.until(lambda: bench.writer.spooled == 1)

    run(test)
    assert "neither journal nor spool" in capsys.readouterr().out


def test_stopping_with_a_dead_journal_puts_the_rest_into_the_spool():
    async def test(bench: Bench) -> None:
        bench.journal.failure = "gone"
        bench.writer.start()
        bench.writer.put(looked_up())
        await bench.writer.stop(limit=0.0)
        assert bench.spool.size == 1

    run(test)


def test_an_edit_is_written_at_once_and_its_failure_is_told():
    async def test(bench: Bench) -> None:
        bench.writer.start()
        bench.writer.put(looked_up())
        await bench.until(lambda: bench.journal.rows)
        edit = Edited(id="main:1.0", pbx="main", at=NOW, by="olena", status=Status.PROCESSED)
        call = await bench.writer.write_now(edit)
        assert call is not None and (call.status, call.edited_by) == (Status.PROCESSED, "olena")
        bench.journal.failure = "gone"
        try:
            await bench.writer.write_now(edit)
        except JournalUnavailable:
            return
        raise AssertionError("an edit that was not written must be told")

    run(test)


def test_an_error_nobody_foresaw_is_survived_and_the_changes_are_kept(capsys):
    async def test(bench: Bench) -> None:
        def no_thread(changes):
            raise RuntimeError("can't start new thread")

        bench.journal.failure = "gone"
        bench.spool.append, append = no_thread, bench.spool.append
        bench.writer.start()
        bench.writer.put(looked_up())
        await bench.until(lambda: "next try soon" in capsys.readouterr().out)
        bench.spool.append = append
        await bench.until(lambda: bench.spool.size == 1)
        bench.journal.failure = None
        await bench.until(lambda: bench.journal.rows)

    run(test)


def test_a_writer_that_writes_no_more_says_so():
    async def test(bench: Bench) -> None:
        bench.writer.start()
        bench.writer._writing.cancel()
        await bench.until(lambda: not bench.writer.health().ok)

    run(test)
