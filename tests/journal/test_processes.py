"""Several processes at one journal, and processes that die in mid-write."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fastagi.interfaces import CallQuery
from tests.journal.samples import observed

pytestmark = pytest.mark.slow

WRITE = """
import asyncio, sys
from fastagi.database import Database
from fastagi.journal.own import SqlJournal
from tests.journal.samples import observed

async def main(url, first, count, calls):
    database = Database(url, limit=60)
    database.open()
    journal = SqlJournal(database)
    for number in range(first, first + count):
        events = await journal.write([observed(number % calls), observed(number % calls, queue=str(number))])
        print(events[-1].seq, events[-1].call.id, flush=True)
    await database.close()

asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
"""


def writer(url: str, *, first: int, count: int, calls: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, url, str(first), str(count), str(calls)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


async def all_events(journal) -> list:
    found: list = []
    while some := await journal.events_after(found[-1].seq if found else 0, 1000):
        found += some
    return found


def test_two_processes_that_write_the_same_calls_leave_no_gap(run, url):
    processes = [writer(url, first=0, count=60, calls=2) for _ in range(2)]
    told = [
        int(line.split()[0])
        for process in processes
        for line in process.communicate(timeout=120)[0].splitlines()
    ]
    assert [process.returncode for process in processes] == [0, 0]

    async def test(journal):
        events = await all_events(journal)
        assert [event.seq for event in events] == list(range(1, 241))
        assert sorted(told) == list(range(2, 241, 2))
        for id in ("main:0.0", "main:1.0"):
            versions = [event.call.version for event in events if event.call.id == id]
            assert versions == list(range(1, 121))
            assert (await journal.call(id)).version == 120

    run(test)


def test_kill_9_in_mid_write_loses_nothing_that_was_acknowledged(run, url):
    process = writer(url, first=0, count=100_000, calls=100_000)
    acknowledged = [process.stdout.readline() for _ in range(40)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.communicate()[0].splitlines()
    ids = [line.split()[1] for line in acknowledged if line.count(" ") == 1]
    assert len(ids) >= 40

    async def test(journal):
        events = await all_events(journal)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        written = {event.call.id: event.call.version for event in events}
        assert set(ids) <= set(written)
        assert len(written) - len(ids) <= 1  # the one it died in
        assert set(written.values()) == {2}  # both changes of a transaction or none
        assert (await journal.calls(CallQuery())).total == len(written)
        assert (await journal.write([observed(999_999)]))[0].seq == len(events) + 1

    run(test)
