"""Whatever dies, hangs or lies, calls go on to their phones; afterwards the journal tells what was seen, and what not.

In each test some calls were there before, some come meanwhile, some end meanwhile and some outlive it.
"""

import contextlib
import signal
import sqlite3
import time

import pytest

from tests.endtoend.conftest import make_product
from tests.endtoend.conversation import Conversation, live_rows, row_of, rows_of, write_subscribers
from tests.lab.cable import Cable
from tests.lab.ports import free_port
from tests.lab.rubbish import Rubbish
from tests.lab.waiting import eventually
from tests.product import until
from tests.servers import Postgres, Redis, running

pytestmark = pytest.mark.lab

SETTLED_WITHIN = 40.0
"""Seconds until a row whose call is gone is settled: unobserved.EVERY, GRACE, and some for a slow machine."""


def make_ready(lab, folder, **options):
    """A product whose directory knows every caller of these tests; the dialplan asks it from now on."""
    product = make_product(lab, folder, agi_port=free_port(), **options)
    lab.asterisk.ask_agi_at(product.agi_port)
    product.cli("import", str(write_subscribers(folder / "subscribers.csv")))
    return product


@pytest.fixture(scope="module")
def cable(lab_for_all_tests):
    """Between the product and Asterisk's manager interface."""
    laid = Cable(lab_for_all_tests.ports.ami)
    yield laid
    laid.stop()


@pytest.fixture(scope="module")
def made(lab_for_all_tests, cable, tmp_path_factory):
    """A product for all tests of this file, on SQLite and one process."""
    folder = tmp_path_factory.mktemp("outages")
    product = make_ready(lab_for_all_tests, folder, ami_port=cable.port)
    yield product
    product.stop()


@pytest.fixture
def product(lab, made):
    """That product, running and following Asterisk."""
    lab.asterisk.ask_agi_at(made.agi_port)
    if made.process is None:
        made.start()
    wait_followed(made)
    yield made
    if made.process is not None:
        made.signal(signal.SIGCONT)


def wait_followed(product) -> None:
    until(lambda: product.health()["parts"]["ami.main"]["ok"], message="Asterisk is not followed")


def outcome(row) -> tuple[str, str | None]:
    return row["status"], row["outcome"]


def wait_live(product, *conversations) -> None:
    """Waits until the lists show these calls as live, and no others."""
    wanted = {one.number for one in conversations}
    until(lambda: live_rows(product) == wanted, limit=SETTLED_WITHIN, message=f"not {wanted} alone are live")


def wait_settled(product, *conversations) -> list[dict]:
    wait_live(product)
    return rows_of(product, *conversations)


def hang_up(lab, *conversations) -> None:
    """All these calls end, and no channel is left behind."""
    for one in conversations:
        one.hang_up()
    lab.asterisk.wait_idle()


class Four:
    """Four calls that are there when something happens, all in the journal."""

    def __init__(self, lab, product) -> None:
        self.talks, self.talked = [Conversation(lab, "101").named().answer() for _ in range(2)]
        self.rings, self.rang = [Conversation(lab, "102").named() for _ in range(2)]
        self.all = (self.talks, self.talked, self.rings, self.rang)
        until(lambda: self._are_journalled(product), message="the four calls are not in the journal")

    def _are_journalled(self, product) -> bool:
        rows = [(row["status"], row["ringing"]) for row in rows_of(product, *self.all)]
        return rows == [("in_processing", [])] * 2 + [("ringing", ["102"])] * 2

    def go_on_unseen(self) -> None:
        """One of each ends, one rings no longer but talks."""
        self.talked.hang_up()
        self.rang.hang_up()
        self.rings.answer()


# -- the product ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_the_product_goes_and_comes_back(lab, product, how):
    before = Four(lab, product)
    asking = [Conversation(lab) for _ in range(3)]  # under way when it happens
    product.stop() if how == "stopped" else product.kill()
    for one in asking:
        one.in_time().answer()
    missed = Conversation(lab).unnamed().answer()
    missed.hang_up()
    began = Conversation(lab).unnamed().answer()
    before.go_on_unseen()

    product.start()
    wait_live(product, before.talks, before.rings, began, *asking)
    talked, rang = rows_of(product, before.talked, before.rang)
    assert outcome(talked) == ("processed", "not_observed")
    assert talked["operator"]["sip_phone"] == "101"
    assert outcome(rang) == ("not_processed", "not_observed")
    assert product.calls(number=missed.number) == [], "whom nobody saw is not invented"

    hang_up(lab, before.talks, before.rings, began, *asking)
    rows = wait_settled(product, before.talks, before.rings, began, *asking)
    assert [outcome(row) for row in rows] == [("processed", "answered")] * 6
    assert [row["operator"]["sip_phone"] for row in rows] == ["101", "102", *["101"] * 4]
    assert rows[0]["talk_seconds"] is not None
    assert rows[1]["answered_at"] is None, "nobody saw when it was answered"


def test_the_product_freezes_and_goes_on(lab, product):
    """What Asterisk said meanwhile waits in the sockets: nothing is missed, all is late."""
    before = Four(lab, product)
    product.signal(signal.SIGSTOP)
    missed = Conversation(lab).unnamed().answer()
    missed.hang_up()
    began = Conversation(lab).unnamed().answer()
    before.go_on_unseen()

    product.signal(signal.SIGCONT)
    wait_live(product, before.talks, before.rings, began)
    rows = rows_of(product, before.talked, before.rang, missed, began)
    assert [outcome(row) for row in rows] == [
        ("processed", "answered"),
        ("not_processed", "abandoned"),
        ("processed", "answered"),
        ("in_processing", None),
    ]
    assert rows[2]["caller"]["name"] == rows[2]["subscriber"]["name"] == missed.name
    hang_up(lab, before.talks, before.rings, began)
    rows = wait_settled(product, before.talks, before.rings, began)
    assert [outcome(row) for row in rows] == [("processed", "answered")] * 3


def test_the_product_dies_while_calls_wait_for_its_answer(lab, product):
    product.signal(signal.SIGSTOP)
    gives_up, *asking = [Conversation(lab) for _ in range(4)]
    lab.asterisk.wait_application("AGI")
    gives_up.call.hang_up()
    assert gives_up.call.wait("ended").final == 487
    product.kill()
    for one in asking:
        one.unnamed().answer()
    product.start()
    wait_live(product, *asking)
    hang_up(lab, *asking)
    assert [outcome(row) for row in wait_settled(product, *asking)] == [("processed", "answered")] * 3


# What it says, and whether it then closes. Half a command that stays open would hold Asterisk itself, and no
# dialplan can help it (dialplan/README.md says so); one that is cut off does not.
RUBBISH = (
    (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", False),
    (b"\x16\x03\x01\x00\xff\xfe\n\n", False),
    (b"EXEC MSet", True),
    (b"", False),
    (b"", True),
)


def test_another_server_lies(lab, product):
    talks = Conversation(lab).named().answer()
    row_of(product, talks)
    product.kill()
    liar = Rubbish(product.agi_port)
    try:
        for says, closes in RUBBISH:
            liar.says, liar.closes = says, closes
            Conversation(lab).unnamed().answer().hang_up()
            eventually(lambda: len(lab.asterisk.channels()) == 2, "the channels of the call to be gone")
    finally:
        liar.stop()
    product.start()
    wait_live(product, talks)
    hang_up(lab, talks)
    assert outcome(wait_settled(product, talks)[0]) == ("processed", "answered")


# -- Asterisk ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["killed", "restarted"])
def test_asterisk_ends_in_mid_call(lab, product, how):
    before = Four(lab, product)
    begun = before.rang.call.times["new"]
    # Asterisk tells its uptime in whole seconds; only of a call older than that it is sure that it died with it.
    until(lambda: time.monotonic() - begun > 2.5)
    if how == "killed":
        lab.asterisk.kill()
        lab.asterisk.start()
    else:
        lab.asterisk.restart()
    rows = wait_settled(product, *before.all)
    assert [outcome(row) for row in rows] == [("processed", "answered")] * 2 + [
        ("not_processed", "not_observed")
    ] * 2
    wait_followed(product)
    lab.asterisk.ask_agi_at(product.agi_port)  # a new Asterisk has read its own file
    after = Conversation(lab).named().answer()
    wait_live(product, after)
    after.hang_up()
    assert outcome(wait_settled(product, after)[0]) == ("processed", "answered")


def test_the_ami_connection_is_cut(lab, product, cable):
    before = Four(lab, product)
    cable.cut()
    until(lambda: not product.health()["parts"]["ami.main"]["ok"], message="the cut was not noticed")
    missed = Conversation(lab).named().answer()
    missed.hang_up()
    began = Conversation(lab).named().answer()
    before.go_on_unseen()

    cable.mend()
    wait_live(product, before.talks, before.rings, began)
    rows = rows_of(product, before.talked, before.rang, missed)
    assert [outcome(row) for row in rows] == [
        ("processed", "not_observed"),
        ("not_processed", "not_observed"),
        ("not_processed", "not_observed"),
    ]
    assert rows[2]["caller"]["name"] == missed.name
    hang_up(lab, before.talks, before.rings, began)
    rows = wait_settled(product, before.talks, before.rings, began)
    assert [outcome(row) for row in rows] == [("processed", "answered")] * 3
    assert rows[2]["caller"]["name"] == began.name


# -- the database -----------------------------------------------------------------------------------------


class Recording:
    """The events of some calls, as a browser gets them."""

    def __init__(self, events) -> None:
        self.events = events

    def of(self, conversation) -> list[dict]:
        return [event for event in self.events.sse if event["call"]["caller"]["raw"] == conversation.number]

    def wait(self, conversation, kind: str, *, written: bool) -> None:
        """Waits for an event of a call, with or without the place it has in the journal."""
        eventually(
            lambda: any(
                event["type"] == kind and (event["seq"] is not None) is written
                for event in self.of(conversation)
            ),
            f"{kind} of {conversation.number}",
            timeout=60,
            details=lambda: str([(event["seq"], event["type"]) for event in self.of(conversation)]),
        )


def assert_whole_stories(product, *conversations) -> None:
    """The journal has each call once and every change of it, in order."""
    rows = rows_of(product, *conversations)
    assert [outcome(row) for row in rows] == [("processed", "answered")] * len(rows)
    for row, one in zip(rows, conversations, strict=True):
        history = product.get(f"/api/calls/{row['id']}/history")["items"]
        assert [step["after"] for step in history] == ["ringing", "in_processing", "processed"], one.number


def test_the_database_is_locked(lab, product):
    """Somebody else holds SQLite's write lock for ten seconds: names come, rows wait, nothing is lost."""
    file = product.folder / "whocalls.db"
    with product.listen() as events, contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        seen = Recording(events)
        talks, rings = Conversation(lab).named().answer(), Conversation(lab, "102").named()
        seen.wait(talks, "call.answered", written=True)
        other.execute("BEGIN EXCLUSIVE")
        locked_at = time.monotonic()
        short = Conversation(lab).named().answer()
        short.hang_up()
        rings.answer()
        until(lambda: product.metric("spool_bytes") > 0, message="nothing went to the spool")
        stays = Conversation(lab).named().answer()
        seen.wait(short, "call.ended", written=False)
        seen.wait(stays, "call.answered", written=False)
        talks.hang_up()
        until(lambda: time.monotonic() - locked_at > 10)
        other.execute("ROLLBACK")
        until(lambda: product.metric("spool_bytes") == 0, message="the spool did not drain")
        until(lambda: events.resets, message="nobody was told to read again")
        after = Conversation(lab).named().answer()
        seen.wait(after, "call.answered", written=True)
        hang_up(lab, rings, stays, after)
        seen.wait(after, "call.ended", written=True)
    assert_whole_stories(product, talks, rings, short, stays, after)
    assert product.metric("changes_spooled") > 0


@pytest.mark.networked
def test_postgresql_freezes_dies_and_comes_back(lab, cable, tmp_path):
    with running(Postgres()) as server:
        product = make_ready(lab, tmp_path, database=server.new_database())
        try:
            product.start()
            with product.listen() as events:
                seen = Recording(events)
                talks, rings = Conversation(lab).named().answer(), Conversation(lab, "102").named()
                seen.wait(talks, "call.answered", written=True)
                server.freeze()
                waits = Conversation(lab).unnamed().answer()
                server.thaw()
                server.kill()
                short = Conversation(lab).unnamed().answer()
                short.hang_up()
                rings.answer()
                stays = Conversation(lab).unnamed().answer()
                talks.hang_up()
                seen.wait(stays, "call.answered", written=False)
                until(lambda: product.metric("spool_bytes") > 0, message="nothing went to the spool")
                server.start()
                until(lambda: product.metric("spool_bytes") == 0, message="the spool did not drain")
                until(lambda: events.resets, message="nobody was told to read again")
                after = Conversation(lab).named().answer()
                seen.wait(after, "call.answered", written=True)
                hang_up(lab, waits, rings, stays, after)
                seen.wait(after, "call.ended", written=True)
            assert_whole_stories(product, talks, waits, rings, short, stays, after)
        finally:
            product.stop()


# -- the bus, and the two halves --------------------------------------------------------------------------


@pytest.fixture
def halves(lab, tmp_path):
    """Calls and browsers in two processes that meet over Redis and the database; Redis comes later."""
    with running(Redis()) as server:
        server.stop()
        push = make_ready(lab, tmp_path, bus=server.url).half("push")
        calls = push.half("calls")
        try:
            calls.start()
            push.start(healthy=False)
            yield server, calls, push
        finally:
            push.stop()
            calls.stop()


def goes_on(lab, push, change) -> list[Conversation]:
    """Two calls, with a change in the midst of the first; the journal has them at once."""
    first = Conversation(lab).named()
    change()
    first.answer()
    second = Conversation(lab).named().answer()
    hang_up(lab, first, second)
    wait_live(push)
    assert_whole_stories(push, first, second)
    return [first, second]


@pytest.mark.redis
def test_redis_goes_and_comes_back(lab, halves):
    """Calls go on, the journal goes on, and browsers get every event in order."""
    server, _, push = halves
    with push.listen() as events:
        seen = Recording(events)
        made = goes_on(lab, push, lambda: None)
        for change in (server.start, server.freeze, server.thaw, server.kill, server.start):
            made += goes_on(lab, push, change)
        for one in made:
            seen.wait(one, "call.ended", written=True)
            versions = [event["call"]["version"] for event in seen.of(one)]
            assert versions == list(range(1, len(versions) + 1))
        assert not events.resets, "the table had it all"

        def is_carried() -> bool:
            """Whether Redis brings every event of a call, and none has to be read from the table."""
            repaired = push.metric("push_repaired")
            last = goes_on(lab, push, lambda: None)[-1]
            seen.wait(last, "call.ended", written=True)
            return push.metric("push_repaired") == repaired

        until(is_carried, message="Redis carried no call")


@pytest.mark.redis
def test_each_half_dies_and_comes_back(lab, halves):
    server, calls, push = halves
    server.start()
    talks = Conversation(lab).named().answer()
    wait_live(push, talks)
    calls.kill()
    missed = Conversation(lab).unnamed().answer()
    calls.start()
    wait_live(push, talks, missed)
    push.kill()
    hang_up(lab, talks, missed)
    push.start()
    rows = wait_settled(push, talks, missed)
    assert [outcome(row) for row in rows] == [("processed", "answered")] * 2
