"""Each kind of call through a real Asterisk: the name on the phone, the one row, the events in order."""

import time

import pytest

from tests.lab.lab import OPERATORS
from tests.product import until

pytestmark = pytest.mark.lab

IVAN = "Иванов Иван (ООО «Ромашка»)"


def settled(product, events, count: int = 1) -> list[dict]:
    """Waits until the calls of this test are settled; returns their rows, oldest first.

    Asserts that the lists have each call once and none besides, and that both streams told the same story.
    """
    ids = lambda: list(dict.fromkeys(event["call"]["id"] for event in events.sse))  # noqa: E731

    def rows():
        found = [product.get(f"/api/calls/{id}") for id in ids()]
        done = [row for row in found if row["outcome"] is not None or row["merged_into"]]
        return sorted(done, key=lambda row: row["started_at"]) if len(done) == len(found) >= count else None

    result = until(rows, message=f"not settled: {[event['type'] for event in events.sse]}")
    assert len(result) == count, [row["id"] for row in result]
    for row in result:
        story = events.of(row["id"], row["version"])
        assert [event["call"]["version"] for event in story] == list(range(1, row["version"] + 1))
        assert [event["seq"] for event in story] == sorted(event["seq"] for event in story)
        assert story[0]["type"] == "call.started"
        assert story[-1]["call"] == row
    return result


def listed(product, ids) -> list[str]:
    """The ids among all calls in the lists."""
    return [call["id"] for call in product.calls() if call["id"] in ids]


def kinds(events, row) -> list[str]:
    """The types of a call's events without the updates between them."""
    return [
        event["type"].removeprefix("call.")
        for event in events.of(row["id"], row["version"])
        if event["type"] != "call.updated"
    ]


def assert_row(row, *, status, outcome, operator=None, answered=None):
    assert (row["status"], row["outcome"]) == (status, outcome)
    assert (row["operator"] or {}).get("sip_phone") == operator
    assert (row["answered_at"] is not None) is (operator is not None if answered is None else answered)
    assert row["ringing"] == []
    assert row["ended_at"] is not None
    assert (row["subscriber"]["id"], row["subscriber"]["deposit"]) == ("4711", "-12.50")
    assert row["caller"] == {"raw": "79161234567", "e164": "+79161234567", "name": IVAN}
    assert row["match"] == {"rule": "e164", "directory": "own", "stale": False}
    assert row["direction"] == "incoming"


def test_answered(lab, product, events):
    call = lab.call("one")
    leg = lab.phone("101").wait_call()
    assert leg.name == IVAN
    until(lambda: [event for event in events.sse if event["call"]["ringing"] == ["101"]], message="no ring")
    leg.answer()
    call.wait_answered()
    lab.asterisk.wait_bridged()
    time.sleep(1.1)  # a talk of over a second, so that its length can be told
    leg.hang_up()
    (row,) = settled(product, events)
    assert_row(row, status="processed", outcome="answered", operator="101")
    assert row["operator"] == {"sip_phone": "101", "login": "olena", "name": "Olena"}
    assert (row["called"], row["called_name"]) == ("+74951230001", "Support")
    assert row["talk_seconds"] in (1, 2)
    assert row["hangup_cause"] == 16
    assert kinds(events, row) == ["started", "ringing", "answered", "ended"]
    assert listed(product, [row["id"]]) == [row["id"]]


def test_no_answer(lab, product, events):
    lab.call("one_short").wait()
    assert lab.phone("101").calls[0].name == IVAN
    (row,) = settled(product, events)
    assert_row(row, status="not_processed", outcome="no_answer")
    assert kinds(events, row)[-1] == "ended"


def test_busy(lab, product, events):
    lab.phone("101").busy()
    lab.call("one").wait()
    assert lab.phone("101").calls[0].name == IVAN
    (row,) = settled(product, events)
    assert_row(row, status="not_processed", outcome="busy")


def test_declined(lab, product, events):
    lab.phone("101").declines()
    lab.call("one").wait()
    (row,) = settled(product, events)
    assert_row(row, status="not_processed", outcome="no_answer")


def test_abandoned(lab, product, events):
    call = lab.trunk_call("one")
    assert lab.phone("101").wait_call().name == IVAN
    call.hang_up()
    (row,) = settled(product, events)
    assert_row(row, status="not_processed", outcome="abandoned")


def test_ring_group(lab, product, events):
    call = lab.trunk_call("group")
    legs = [lab.phone(name).wait_call() for name in OPERATORS]
    assert {leg.name for leg in legs} == {IVAN}
    until(
        lambda: [event for event in events.sse if event["call"]["ringing"] == ["101", "102", "103"]],
        message="not all three ring",
    )
    legs[1].answer()
    call.wait("answered")
    lab.asterisk.wait_bridged()
    call.hang_up()
    (row,) = settled(product, events)
    assert_row(row, status="processed", outcome="answered", operator="102")


@pytest.mark.parametrize(
    ("did", "phones", "queue"), [("queue", OPERATORS, "support"), ("local_queue", ("101", "102"), "sales")]
)
def test_queues(lab, product, events, did, phones, queue):
    call = lab.trunk_call(did)
    legs = [lab.phone(name).wait_call() for name in phones]
    assert {leg.name for leg in legs} == {IVAN}
    legs[1].answer()
    until(lambda: [event for event in events.sse if event["type"] == "call.answered"], message="no answer")
    legs[1].hang_up()
    call.wait("ended")
    (row,) = settled(product, events)
    assert_row(row, status="processed", outcome="answered", operator="102")
    assert row["queue"] == queue


def test_queue_abandoned(lab, product, events):
    call = lab.trunk_call("local_queue")
    lab.phone("101").wait_call()
    call.hang_up()
    (row,) = settled(product, events)
    assert_row(row, status="not_processed", outcome="abandoned")


def test_blind_transfer(lab, product, events):
    call = lab.trunk_call("one")
    first = lab.phone("101").wait_call()
    assert first.name == IVAN
    first.answer()
    call.wait("answered")
    lab.asterisk.wait_bridged()
    first.transfer("102")
    second = lab.phone("102").wait_call()
    assert second.name == IVAN
    second.answer()
    until(
        lambda: [event for event in events.sse if event["type"] == "call.transferred"], message="no transfer"
    )
    call.hang_up()
    (row,) = settled(product, events)
    assert_row(row, status="processed", outcome="answered", operator="102")
    assert "transferred" in kinds(events, row)


def test_blind_transfer_that_nobody_answers(lab, product, events):
    call = lab.trunk_call("one")
    first = lab.phone("101").wait_call()
    first.answer()
    call.wait("answered")
    lab.asterisk.wait_bridged()
    first.transfer("102")
    lab.phone("102").wait_call()
    call.hang_up()
    (row,) = settled(product, events)
    assert_row(row, status="processed", outcome="answered", operator="101")


def test_attended_transfer(lab, product, events):
    call = lab.trunk_call("one")
    first = lab.phone("101").wait_call()
    assert first.name == IVAN
    first.answer()
    call.wait("answered")
    lab.asterisk.wait_bridged()
    consultation = lab.phone("101").call("102")
    second = lab.phone("102").wait_call()
    second.answer()
    consultation.wait("answered")
    lab.asterisk.wait_bridged(4)
    first.transfer_to_call(consultation)
    until(lambda: [event for event in events.sse if event["type"] == "call.merged"], message="no merge")
    call.hang_up()
    row, merged = settled(product, events, 2)
    assert_row(row, status="processed", outcome="answered", operator="102")
    assert merged["merged_into"] == row["id"]
    assert listed(product, [row["id"], merged["id"]]) == [row["id"]]


def test_pickup(lab, product, events):
    call = lab.trunk_call("one")
    assert lab.phone("101").wait_call().name == IVAN
    lab.phone("102").call("**101")
    call.wait("answered")
    until(lambda: [event for event in events.sse if event["type"] == "call.merged"], message="no merge")
    call.hang_up()
    row, merged = settled(product, events, 2)
    assert_row(row, status="processed", outcome="answered", operator="102")
    assert merged["merged_into"] == row["id"]
    assert listed(product, [row["id"], merged["id"]]) == [row["id"]]


def test_anonymous(lab, product, events):
    lab.phone("101").answers(after=0.1)
    lab.call(
        "one",
        "anonymous",
        name="Anonymous",
        header="Privacy: id",
        from_host="anonymous.invalid",
        hangs_up_after=0.5,
    ).wait()
    assert lab.phone("101").calls[0].name == "Anonymous"
    (row,) = settled(product, events)
    assert (row["status"], row["outcome"], row["subscriber"]) == ("processed", "answered", None)
    assert row["caller"]["e164"] is None


def test_cyrillic_name_from_the_trunk_gives_way_to_the_subscribers(lab, product, events):
    lab.phone("101").answers(after=0.1)
    lab.call("one", "+79161234567", name='Пётр «Ёлкин», "О\'К"', hangs_up_after=0.5).wait()
    assert lab.phone("101").calls[0].name == IVAN
    (row,) = settled(product, events)
    assert row["caller"] == {"raw": "+79161234567", "e164": "+79161234567", "name": IVAN}


def test_a_subscriber_with_a_nasty_name(lab, product, events):
    lab.phone("101").answers(after=0.1)
    lab.call("one", "8%20(916)%20123-45-68", hangs_up_after=0.5).wait()
    assert lab.phone("101").calls[0].name == 'Жуков "Ж" \\ Пётр, <b>'
    (row,) = settled(product, events)
    assert row["subscriber"]["id"] == "4712"


def test_a_stranger_keeps_the_name_of_the_trunk(lab, product, events):
    lab.phone("101").answers(after=0.1)
    lab.call("one", "79035550000", name="As the trunk gave it", hangs_up_after=0.5).wait()
    assert lab.phone("101").calls[0].name == "As the trunk gave it"
    (row,) = settled(product, events)
    assert (row["subscriber"], row["caller"]["name"]) == (None, "As the trunk gave it")


def test_routing_by_the_responsible_operator(lab, product, events):
    lab.phone("102").answers(after=0.1)
    lab.call("routed", hangs_up_after=0.5).wait()
    assert not lab.phone("101").calls
    (row,) = settled(product, events)
    assert_row(row, status="processed", outcome="answered", operator="102")


@pytest.mark.parametrize(
    ("did", "outcome"),
    [
        ("announcement_short", "no_answer"),
        ("voicemail", "no_answer"),
        ("unregistered", "failed"),
        ("congestion", "failed"),
    ],
)
def test_nobody_could_answer(lab, product, events, did, outcome):
    call = lab.call(did, hangs_up_after=8)
    call.wait()
    (row,) = settled(product, events)
    assert_row(row, status="not_processed", outcome=outcome)
