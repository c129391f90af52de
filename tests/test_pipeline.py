"""The pipeline: an AGI request becomes variables and a change; AMI's observations become changes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from fastagi.agi.requests import Request
from fastagi.calls import Caller, Direction, EventType, Lead, LookupStatus, Match, Outcome, Status, Subscriber
from fastagi.changes import LookedUp, Observed
from fastagi.errors import DirectoryUnavailable
from fastagi.interfaces import Found
from fastagi.lookup import Lookup
from fastagi.numbers import Numbers
from fastagi.pipeline import Pbx, Pipeline
from fastagi.unobserved import Unobserved
from tests.fakes import MemoryJournal

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
IVAN = Subscriber(id="4711", name="Иванов Иван", login="ivanov", operator="101")
MATCH = Match(rule="e164", directory="own")


class FakeDirectory:
    """Answers what it is told to, or waits until it is let go."""

    name = "own"

    def __init__(self) -> None:
        self.found = Found(subscribers=(IVAN,), match=MATCH)
        self.failure = None
        self.gate = None
        self.asked = []

    async def find(self, number):
        self.asked.append(number.value)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure:
            raise self.failure
        return self.found


class FakeTracking:
    """Knows some channels and some calls."""

    def __init__(self) -> None:
        self.channels, self.live, self.expired = {}, set(), []

    def resolve(self, uniqueid, linkedid):
        return self.channels.get(uniqueid) or f"main:{linkedid or uniqueid}"

    def knows(self, id):
        return id in self.live

    def expire(self, now):
        return self.expired


class Writer(list):
    """Takes changes."""

    put = list.append


class Bench:
    def __init__(self, *, deadline=0.3, lookup_by_ami=False) -> None:
        self.directory, self.tracking, self.writer = FakeDirectory(), FakeTracking(), Writer()
        self.followed = True
        numbers = Numbers("RU", r"^\d{2,4}$")
        self.pbxs = {
            "main": Pbx(
                name="main",
                lookup_by_ami=lookup_by_ami,
                tracking=self.tracking,
                followed=lambda: self.followed,
            ),
            "old": Pbx(name="old"),
        }
        self.pipeline = Pipeline(
            pbxs=self.pbxs,
            lookup=Lookup(numbers, [self.directory], deadline=deadline),
            numbers=numbers,
            writer=self.writer,
            clock=lambda: NOW,
            lines={"+74951230001": "Support"},
            extra={"SUBSCRIBER_COMPANY": "company"},
            prefix="",
        )

    def ask(self, **changes):
        return asyncio.run(self.asked(**changes))

    async def asked(self, **changes):
        return dict(await self.pipeline.ask(replace(REQUEST, **changes), "127.0.0.1"))


REQUEST = Request(
    script="lookup",
    pbx="main",
    channel="PJSIP/trunk-00000001",
    uniqueid="1795423013.178",
    linkedid="1795423013.178",
    callerid="8 (916) 123-45-67",
    calleridname="TRUNK",
    callingpres=0,
    dnid="74951230001",
    rdnis=None,
    context="from-trunk",
    extension="s",
    language="en",
)


def observed(**changes) -> Observed:
    values = {
        "id": "main:7.1",
        "pbx": "main",
        "at": NOW,
        "type": EventType.STARTED,
        "direction": Direction.INCOMING,
        "status": Status.RINGING,
        "started_at": NOW,
        "caller": Caller(raw="89161234567", name="TRUNK"),
        "called": "74951230001",
    }
    return Observed(**(values | changes))


def test_a_known_caller_is_told_to_the_dialplan_and_journalled():
    bench = Bench()
    variables = bench.ask()
    assert variables["LOOKUP_STATUS"] == "FOUND"
    assert variables["CALLERID(name)"] == "Иванов Иван"
    assert variables["SUBSCRIBER_OPERATOR"] == "101"
    assert variables["CALLER_E164"] == "+79161234567"
    assert variables["SUBSCRIBER_COMPANY"] == ""
    (change,) = bench.writer
    assert change == LookedUp(
        id="main:1795423013.178",
        pbx="main",
        at=NOW,
        lookup=LookupStatus.FOUND,
        caller=Caller(raw="8 (916) 123-45-67", e164="+79161234567", name="Иванов Иван"),
        called="+74951230001",
        called_name="Support",
        subscriber=IVAN,
        match=MATCH,
    )


def test_line_ends_that_a_caller_smuggles_into_ami_become_blanks():
    bench = Bench()
    bench.pipeline.observed(
        "main", [observed(caller=Caller(raw="7\nagi_x: 1", name="A\r\nB"), called="8\x7f9")]
    )
    (change,) = bench.writer
    assert change.caller == Caller(raw="7 agi_x: 1", name="A  B")
    assert change.called == "8 9"


def test_a_miss_leaves_the_name_of_the_trunk():
    bench = Bench()
    bench.directory.found = None
    variables = bench.ask()
    assert "CALLERID(name)" not in variables
    assert variables["LOOKUP_STATUS"] == "UNKNOWN"
    assert bench.writer[0].caller.name == "TRUNK"


def test_several_subscribers_are_candidates_and_the_first_is_shown():
    bench = Bench()
    other = Subscriber(id="4712", name="Иванова Анна")
    bench.directory.found = Found(subscribers=(IVAN, other), match=MATCH)
    assert bench.ask()["LOOKUP_STATUS"] == "MULTIPLE"
    assert (bench.writer[0].subscriber, bench.writer[0].candidates) == (IVAN, (IVAN, other))


def test_a_lead_is_shown_as_one():
    bench = Bench()
    bench.directory.found = Found(lead=Lead(id="9", name="Новый"), match=MATCH)
    variables = bench.ask()
    assert (variables["LOOKUP_STATUS"], variables["LEAD_ID"]) == ("LEAD", "9")
    assert variables["CALLERID(name)"] == bench.writer[0].caller.name == "Новый"


def test_the_call_is_the_one_the_tracker_knows_the_channel_in():
    bench = Bench()
    bench.tracking.channels["1795423013.178"] = "main:1795423000.1"
    bench.ask()
    assert bench.writer[0].id == "main:1795423000.1"


@pytest.mark.parametrize(("linkedid", "id"), [("5.1", "old:5.1"), (None, "old:1795423013.178")])
def test_without_ami_the_linkedid_is_the_call(linkedid, id):
    bench = Bench()
    bench.ask(pbx="old", linkedid=linkedid)
    assert bench.writer[0].id == id


def test_an_unknown_pbx_is_answered_with_error_and_journals_nothing():
    bench = Bench()
    assert bench.ask(pbx="elsewhere")["LOOKUP_STATUS"] == "ERROR"
    assert bench.writer == []
    assert bench.pipeline.unknown_pbx == 1


def test_a_directory_that_is_away_is_an_error_and_the_call_is_journalled():
    bench = Bench()
    bench.directory.failure = DirectoryUnavailable("own", "locked")
    assert bench.ask()["LOOKUP_STATUS"] == "ERROR"
    assert bench.writer[0].lookup is LookupStatus.ERROR


def test_past_the_deadline_asterisk_is_answered_and_the_late_result_is_journalled():
    bench = Bench(deadline=0.01)

    async def main():
        bench.directory.gate = asyncio.Event()
        variables = await bench.asked()
        bench.directory.gate.set()
        async with asyncio.timeout(10):
            while len(bench.writer) < 2:
                await asyncio.sleep(0.001)
        return variables

    assert asyncio.run(main())["LOOKUP_STATUS"] == "TIMEOUT"
    assert [change.lookup for change in bench.writer] == [LookupStatus.TIMEOUT, LookupStatus.FOUND]
    assert bench.writer[1].subscriber is IVAN


def test_a_hostile_session_is_journalled_without_a_match():
    bench = Bench()
    bench.pipeline.refused("main", "7.1", hostile=True)
    (change,) = bench.writer
    assert (change.id, change.lookup, change.hostile, change.subscriber) == (
        "main:7.1",
        LookupStatus.ERROR,
        True,
        None,
    )
    bench.pipeline.refused(None, "7.1", hostile=True)
    bench.pipeline.refused("main", None, hostile=True)
    assert len(bench.writer) == 1


def test_what_ami_observed_is_written_with_readable_numbers():
    bench = Bench()
    bench.pipeline.observed("main", [observed()])
    (change,) = bench.writer
    assert change.caller == Caller(raw="89161234567", e164="+79161234567", name="TRUNK")
    assert (change.called, change.called_name) == ("+74951230001", "Support")
    assert bench.directory.asked == []


def test_ami_looks_callers_up_where_agi_does_not_and_only_once():
    bench = Bench(lookup_by_ami=True)

    async def main():
        bench.pipeline.observed("main", [observed()])
        bench.pipeline.observed("main", [observed(type=EventType.RINGING)])
        async with asyncio.timeout(10):
            while len(bench.writer) < 3:
                await asyncio.sleep(0.001)

    asyncio.run(main())
    assert bench.directory.asked == ["+79161234567"]
    (looked_up,) = [change for change in bench.writer if isinstance(change, LookedUp)]
    assert (looked_up.id, looked_up.subscriber, looked_up.caller.name) == ("main:7.1", IVAN, "Иванов Иван")


def test_an_outgoing_call_is_looked_up_by_the_called_number_and_keeps_its_dialler():
    bench = Bench()
    dialler = Caller(raw="101", name="Operator One")

    async def main():
        outgoing = observed(direction=Direction.OUTGOING, caller=dialler, called="79161234567")
        bench.pipeline.observed("main", [outgoing])
        async with asyncio.timeout(10):
            while len(bench.writer) < 2:
                await asyncio.sleep(0.001)

    asyncio.run(main())
    assert bench.directory.asked == ["+79161234567"]
    assert bench.writer[1].caller == dialler
    assert bench.writer[1].subscriber is IVAN


def test_an_outgoing_call_is_looked_up_once_its_number_is_known_and_forgotten_when_it_is_merged():
    bench = Bench()

    async def main():
        outgoing = partial(observed, direction=Direction.OUTGOING)
        bench.pipeline.observed("main", [outgoing(called=None)])
        bench.pipeline.observed("main", [outgoing(called="79161234567", type=EventType.UPDATED)])
        async with asyncio.timeout(10):
            while len(bench.writer) < 3:
                await asyncio.sleep(0.001)
        bench.pipeline.observed("main", [outgoing(called="79161234567", type=EventType.MERGED)])

    asyncio.run(main())
    assert bench.directory.asked == ["+79161234567"]
    assert not bench.pipeline._looked


class TestUnobserved:
    """Calls of which nobody saw the end."""

    def settle(self, bench, *, pbx="main", age, live=()):
        journal = MemoryJournal()
        bench.tracking.live = set(live)

        async def main():
            await journal.write(
                [
                    observed(id=f"{pbx}:1.1", pbx=pbx, started_at=NOW - age),
                    observed(id=f"{pbx}:2.1", pbx=pbx, started_at=NOW - age, answered_at=NOW - age),
                ]
            )
            return await Unobserved(bench.pbxs, journal, bench.pipeline, lambda: NOW).settle_all()

        return asyncio.run(main())

    def test_a_row_whose_channel_is_gone_is_settled_as_not_observed(self):
        bench = Bench()
        assert self.settle(bench, age=timedelta(minutes=1)) == 2
        assert [(change.status, change.outcome, change.ended_at) for change in bench.writer] == [
            (Status.NOT_PROCESSED, Outcome.NOT_OBSERVED, None),
            (Status.PROCESSED, Outcome.NOT_OBSERVED, None),
        ]

    def test_a_live_call_is_left(self):
        assert self.settle(Bench(), age=timedelta(minutes=1), live=["main:1.1", "main:2.1"]) == 0

    def test_a_young_row_is_left(self):
        assert self.settle(Bench(), age=timedelta(seconds=5)) == 0

    def test_while_ami_is_out_of_reach_only_an_old_row_is_settled(self):
        bench = Bench()
        bench.followed = False
        assert self.settle(bench, age=timedelta(minutes=4)) == 0
        assert self.settle(bench, age=timedelta(minutes=6), live=["main:2.1"]) == 1

    def test_without_ami_a_row_is_settled_when_it_is_old(self):
        assert self.settle(Bench(), pbx="old", age=timedelta(minutes=4)) == 0
        assert self.settle(Bench(), pbx="old", age=timedelta(minutes=6)) == 2

    def test_what_can_no_longer_end_is_ended(self):
        bench = Bench()
        bench.tracking.expired = [observed(type=EventType.ENDED, outcome=Outcome.NOT_OBSERVED)]
        self.settle(bench, age=timedelta(seconds=5))
        assert [change.outcome for change in bench.writer] == [Outcome.NOT_OBSERVED]
