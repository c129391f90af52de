"""A hundred calls a second for a minute through the real Asterisk: none fails, each is journalled once and settled.

SIPp calls and SIPp answers; each call has a subscriber of its own, so that the name at the phone, the row and the
answer in the dialplan can be held against the one caller they belong to. The numbers of a run are printed
(`pytest -s -k load`).
"""

import contextlib
import json
import os
import re
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from tests.benchmarks.measuring import cpu_seconds, percentile
from tests.benchmarks.subscribers import make, name_of, phone_of
from tests.endtoend.conftest import add_dialplan, pbx_section
from tests.lab.processes import go_first
from tests.lab.sipp import Caller
from tests.product import Product, until

pytestmark = [pytest.mark.lab, pytest.mark.slow]

RATE, SECONDS = 100, 60
CALLS = RATE * SECONDS
TALK = 0.4
PHONES = ("101", "102", "103")
KEPT_RATE = 0.95
"""Part of the rate below which a run proves nothing: SIPp did not get the processor it needs."""

# The caller's number chooses the phone. How long Asterisk waited for the answer, and what it got, is written down.
DIALPLAN = """
[from-trunk](+)
exten => 74951239101,1,Set(begun=${STRFTIME(,,%s.%6q)})
 same => n,Gosub(whocalls,s,1)
 same => n,Verbose(0,WCLOAD ${begun} ${STRFTIME(,,%s.%6q)} ${LOOKUP_STATUS} ${SUBSCRIBER_ID})
 same => n,Dial(PJSIP/$[101 + ${CALLERID(num)} % 3],20)
 same => n,Hangup()
"""
ASKED = re.compile(r"WCLOAD ([\d.]+) ([\d.]+) (\w*) (\w*)")


@pytest.fixture
def product(lab, tmp_path):
    """A product of this test alone, with a subscriber for each call."""
    make(CALLS, tmp_path / "whocalls.db")
    made = Product(tmp_path, pbx=pbx_section(lab), agi_port=lab.ports.agi)
    made.start()
    yield made
    made.stop()


def callers():
    """Each call's own, by its number as the trunk sends it."""
    return {phone_of(i).lstrip("+"): name_of(i) for i in range(CALLS)}


def stored(product, query: str):
    file = f"file:{product.folder / 'whocalls.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(file, uri=True)) as database:
        return database.execute(query).fetchall()


def test_load(lab, product):
    add_dialplan(lab, DIALPLAN)
    phones = [lab.sipp_answers(name, after=0.1) for name in PHONES]
    used, idle = cpu_seconds(product.process.pid), idle_seconds()
    load = lab.load("74951239101", map(Caller, callers()), rate=RATE, calls=CALLS, talks=TALK)
    for process in (lab.asterisk, product.process, load.process, *(phone.process for phone in phones)):
        go_first(process.pid)
    said = load.wait(timeout=SECONDS + 120)
    used, idle = cpu_seconds(product.process.pid) - used, idle_seconds() - idle
    lab.asterisk.wait_idle(timeout=30)
    until(lambda: product.metric("calls_live") == 0, message="calls are left in the tracker")
    until(lambda: product.metric("journal_waiting") == 0, message="the journal did not catch up")
    report(lab, product, said, used=used, idle=idle)

    assert (int(said["FailedCall(C)"]), int(said["SuccessfulCall(C)"])) == (0, CALLS), said
    assert_names(phones)
    assert_answers(lab)
    assert_rows(product)
    assert_events(product)
    assert product.metric("spool_bytes") == product.metric("changes_spooled") == 0
    assert product.metric("events_unpublished") == 0
    # Last, for it says nothing of the product: a run at a lower rate is no proof.
    assert rate(product) >= RATE * KEPT_RATE, (
        f"this machine is too busy: SIPp made only {rate(product):.0f} calls a second. Everything else held."
    )


def assert_names(phones) -> None:
    """Each caller rang one phone once, under the subscriber's name."""
    seen = Counter((invite.caller.user, invite.caller.name) for phone in phones for invite in phone.invites)
    assert seen == Counter(callers().items())


def assert_answers(lab) -> None:
    """The dialplan got the answer to each call, in time."""
    answers = asked(lab)
    assert Counter(status for _, status, _ in answers) == {"FOUND": CALLS}
    assert len({id for _, _, id in answers}) == CALLS


def assert_rows(product) -> None:
    """The lists have each call once, settled, under its caller's name; none rings or talks any more."""
    rows = product.calls()
    assert len({row["id"] for row in rows}) == len(rows) == CALLS
    names = Counter((row["caller"]["raw"], row["caller"]["name"]) for row in rows)
    assert names == Counter(callers().items())
    assert Counter((row["status"], row["outcome"], len(row["ringing"])) for row in rows) == {
        ("processed", "answered", 0): CALLS
    }
    assert all(row["answered_at"] and row["ended_at"] and row["subscriber"] for row in rows)
    assert {row["operator"]["sip_phone"] for row in rows} == set(PHONES)
    assert stored(product, "SELECT lookup, count(*) FROM calls GROUP BY 1") == [("FOUND", CALLS)]


def assert_events(product) -> None:
    """Numbered without a gap; of each call from its start to its end, each version once."""
    events = stored(product, "SELECT seq, call_id, type, body FROM events ORDER BY seq")
    assert [event[0] for event in events] == list(range(1, len(events) + 1))
    stories: dict[str, list] = {}
    for _, id, kind, body in events:
        stories.setdefault(id, []).append((kind, json.loads(body)["call"]["version"]))
    assert len(stories) == CALLS
    for story in stories.values():
        assert (story[0][0], story[-1][0]) == ("call.started", "call.ended")
        assert [version for _, version in story] == list(range(1, len(story) + 1))


def asked(lab) -> list[tuple[float, str, str]]:
    """What the dialplan wrote of each call: seconds in the subroutine, LOOKUP_STATUS, SUBSCRIBER_ID."""
    text = lab.asterisk.log_file.read_text(errors="replace")
    lines = [line for line in text.splitlines() if "app_verbose.c" in line]
    found = [match for line in lines if (match := ASKED.search(line))]
    return [(float(one[2]) - float(one[1]), one[3], one[4]) for one in found]


def rate(product) -> float:
    """Calls a second, by when they began in Asterisk."""
    ((first, last),) = stored(product, "SELECT min(started_at), max(started_at) FROM calls")
    return (CALLS - 1) / (last - first) * 1000


def idle_seconds() -> float:
    """How long the processors of this machine had nothing to do, together."""
    return int(Path("/proc/stat").read_text().split()[4]) / os.sysconf("SC_CLK_TCK")


def report(lab, product, said, *, used: float, idle: float) -> None:
    """Prints the numbers of a run; pytest shows them where it failed. No idle processor means: too busy a machine."""
    waits = [seconds * 1000 for seconds, _, _ in asked(lab)]
    print(
        f"\n{CALLS} calls, {rate(product):.1f} a second; SIP retransmissions {said['Retransmissions(C)']}"
        f"\nin the subroutine (Asterisk's clock): p50 {percentile(waits, 0.5):.2f} ms,"
        f" p99 {percentile(waits, 0.99):.1f} ms, worst {max(waits):.1f} ms"
        f"\nINVITE to 180 Ringing: {_seconds(said['ResponseTime1(C)']) * 1000:.1f} ms on average"
        f"\nloop lag, worst of the last minute: {product.metric('loop_lag_seconds') * 1000:.1f} ms"
        f"\nCPU of whocalls serve: {used / CALLS * 1000:.2f} ms per call, {used / SECONDS:.0%} of one core;"
        f" this machine was idle for {idle / SECONDS / (os.cpu_count() or 1):.0%} of the time"
        f"\nchanges written: {product.metric('changes_written'):.0f}"
    )


def _seconds(text: str) -> float:
    hours, minutes, seconds, microseconds = map(int, text.split(":"))
    return hours * 3600 + minutes * 60 + seconds + microseconds / 1e6
