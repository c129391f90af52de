"""Events lost, doubled, out of order, forged and far too many: nothing raises, nothing is left, memory has an end."""

import random
import time
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastagi.ami.messages import Message
from fastagi.ami.picture import MAX_CHANNELS
from fastagi.ami.tracker import EVENTS, ROWLESS_SILENCE
from fastagi.calls import Outcome, is_live

from .conversation import CAPTURES, START, Journal, folders, new_tracker, recording
from .scene import Scene

CONVERSATIONS = [
    [message for _, message in recording(folder) if message.event in EVENTS - {"Shutdown"}]
    for folder in folders()
]


def feed(messages: list[Message]) -> tuple[Journal, object]:
    tracker, journal = new_tracker(), Journal()
    for at, message in enumerate(messages):
        journal.write(tracker.feed(message, START + timedelta(milliseconds=at)))
    return journal, tracker


def hangups(messages: list[Message]) -> list[Message]:
    """A last Hangup of every channel that any message names."""
    channels = {}
    for message in messages:
        for prefix in ("", "Dest", "Target", "Transferee", "OrigTransferer", "SecondTransferer"):
            if uniqueid := message.get(prefix + "Uniqueid"):
                channels[uniqueid] = message.get(prefix + "Channel")
    return [
        Message([("Event", "Hangup"), ("Channel", name), ("Uniqueid", uniqueid), ("Cause", "16")])
        for uniqueid, name in channels.items()
    ]


@given(st.integers(0, len(CONVERSATIONS) - 1), st.randoms(use_true_random=False), st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_of_events_comes_to_its_end(at: int, dice: random.Random, data: st.DataObject) -> None:
    messages = list(CONVERSATIONS[at])
    other = data.draw(st.integers(0, len(CONVERSATIONS) - 1))
    messages += CONVERSATIONS[other]
    messages = [message for message in messages if dice.random() > 0.1]
    messages += dice.sample(messages, len(messages) // 5)
    if dice.random() < 0.7:
        dice.shuffle(messages)
    journal, tracker = feed(messages + hangups(messages))
    assert tracker.channels == 0
    assert tracker.calls == 0
    assert [row.id for row in journal.rows.values() if is_live(row)] == []


ODD_KEYS = [
    *("Channel", "Uniqueid", "Linkedid", "DestChannel", "DestUniqueid", "DestLinkedid", "TargetChannel"),
    *("TargetUniqueid", "TransfereeUniqueid", "OrigTransfererUniqueid", "BridgeUniqueid", "BridgeType"),
    *("Context", "Exten", "ChannelState", "Cause", "DialStatus", "Result", "Queue", "CallerIDNum"),
]
ODD_VALUES = [
    *("1.1", "1.2", "1.3", "PJSIP/1-1", "PJSIP/2-2", "Local/1@x-1;1", "Local/1@x-1;2", "from-trunk", "s"),
    *("6", "16", "-1", "٣", "ANSWER", "BUSY", "Success", "basic", "base", "holding"),
]
KEYS = st.lists(st.tuples(st.sampled_from(ODD_KEYS), st.sampled_from(ODD_VALUES)), max_size=14)


@given(st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), KEYS), max_size=40))
@settings(max_examples=200, deadline=None)
def test_no_event_however_odd_raises(events: list[tuple[str, list[tuple[str, str]]]]) -> None:
    messages = [Message([("Event", event), *keys]) for event, keys in events]
    _, tracker = feed(messages)
    tracker.begin_resync()
    tracker.resync(messages, START + timedelta(hours=1), None)
    tracker.begin_resync()
    tracker.resync([], START + timedelta(hours=2), START)
    assert (tracker.calls, tracker.channels) == (0, 0)


def test_forged_events_change_nothing() -> None:
    scene = Scene()
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.answer(caller, leg)
    before = scene.row(caller)
    # What a caller's number can hold: no Channel, or one that is not there.
    for event in sorted(EVENTS - {"Shutdown"}):
        scene.say(event, ("Uniqueid", caller.uniqueid), ("Linkedid", caller.uniqueid))
    assert scene.row(caller) == before
    assert scene.left == (1, 2)


def call_after_call(scene: Scene, count: int) -> None:
    for _ in range(count):
        caller = scene.caller()
        leg = scene.ring(caller, "101")
        scene.answer(caller, leg)
        scene.gone(leg, caller)
        scene.journal.events.clear()
        scene.journal.rows.clear()


@pytest.mark.slow
def test_a_storm_of_calls_leaves_nothing_that_grows() -> None:
    scene = Scene()
    call_after_call(scene, 12_500)
    picture = scene.tracker._picture
    assert scene.left == (0, 0)
    assert len(picture.bridges) == 0
    assert len(picture.gone) == 10_000
    assert not picture._links
    assert not picture.bridges._kinds
    assert not picture.bridges._pairs


@pytest.mark.slow
def test_a_storm_of_channels_that_never_end_has_a_limit() -> None:
    scene = Scene()
    first = scene.caller()
    for _ in range(MAX_CHANNELS):
        scene.caller()
    assert scene.row(first).outcome is Outcome.NOT_OBSERVED
    assert scene.tracker.channels <= MAX_CHANNELS
    assert scene.tracker.calls == scene.tracker.channels
    assert len(scene.journal.open_calls()) == scene.tracker.calls


@pytest.mark.slow
def test_a_storm_of_legs_of_nobody_drives_no_call_out() -> None:
    scene = Scene()
    caller = scene.caller()
    for at in range(MAX_CHANNELS + 100):
        nobody = scene.line("PJSIP/trunk", unseen=True)
        nobody.linkedid = f"9.{at}"
        scene.line("PJSIP/101", of=nobody)
    assert scene.tracker.channels <= MAX_CHANNELS
    assert is_live(scene.row(caller))
    scene.wait(ROWLESS_SILENCE.total_seconds() * 2)
    assert scene.tracker.expire(scene.now) == []
    assert scene.left == (1, 1)


def test_agi_requests_for_calls_that_never_show_have_a_limit() -> None:
    tracker = new_tracker()
    for at in range(10_100):
        tracker.resolve(f"1.{at}", None)
    assert len(tracker._picture.asked) == 10_000


def test_tens_of_thousands_of_events_a_second() -> None:
    messages = [message for _, message in recording(CAPTURES / "20_queue_optimized")]
    rounds = 40
    tracker = new_tracker()
    began = time.process_time()
    for _ in range(rounds):
        tracker._picture.gone.clear()
        for message in messages:
            tracker.feed(message, START)
    each = (time.process_time() - began) / (rounds * len(messages))
    # Measured: 2 µs, 5 µs for those it uses; the limit only catches what would be another order of cost.
    assert each < 100e-6
