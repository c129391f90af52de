"""Every recorded conversation gives the row it must, whether heard from the beginning or from the middle."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fastagi.ami.tracker import EVENTS
from fastagi.calls import Call, Outcome

from .conversation import (
    CAPTURES,
    Journal,
    LiveChannels,
    Player,
    folders,
    new_tracker,
    recording,
)
from .expected import EXPECTED, Row

NAMES = sorted(EXPECTED)


def played(name: str) -> tuple[Journal, Player]:
    journal = Journal()
    player = Player(new_tracker(), journal)
    player.play(recording(CAPTURES / name))
    return journal, player


def seen(call: Call, journal: Journal, want: Row) -> Row:
    """What there is, in the terms of what is wanted."""
    return Row(
        id=call.id.removeprefix("main:"),
        events=journal.of(call.id),
        direction=call.direction,
        status=call.status,
        outcome=call.outcome,
        caller=call.caller.raw,
        name=call.caller.name,
        called=call.called,
        queue=call.queue,
        operator=call.operator and call.operator.sip_phone,
        answered=call.answered_at is not None,
        ended=call.ended_at is not None,
        waiting="any" if want.waiting == "any" and call.waiting_seconds is not None else call.waiting_seconds,
        talk="any" if want.talk == "any" and call.talk_seconds is not None else call.talk_seconds,
        cause=call.hangup_cause,
        merged_into=call.merged_into and call.merged_into.removeprefix("main:"),
    )


def test_every_capture_has_its_rows_written_down() -> None:
    assert {folder.name for folder in folders()} == set(EXPECTED)


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_gives_its_rows(name: str) -> None:
    journal, _ = played(name)
    got = [
        seen(call, journal, want) for call, want in zip(journal.rows.values(), EXPECTED[name], strict=True)
    ]
    assert got == EXPECTED[name]
    assert all(call.ringing == () for call in journal.rows.values())


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_after_a_capture(name: str) -> None:
    _, player = played(name)
    assert (player.tracker.calls, player.tracker.channels) == (0, 0)


@pytest.mark.parametrize(
    ("name", "order"),
    [
        # The first row of the capture is 1, the second 2.
        ("10_attended_transfer_101_to_102", "1S 1R 1A 2S 2R 2A 1T 2M 1E"),
        ("20_attended_transfer_into_older_call", "1S 1R 1A 2S 2R 2A 2T 1M 2E"),
        ("11_pickup_102_takes_101", "1S 1R 2S 1R 2M 1A 1E"),
        ("20_kill_in_mid_call", "1S 1R 1A 2S 2R 2R 2R 1E 2E"),
    ],
)
def test_the_events_of_two_calls_come_in_order(name: str, order: str) -> None:
    journal, _ = played(name)
    number = {f"main:{row.id}": at for at, row in enumerate(EXPECTED[name], 1)}
    assert " ".join(f"{number[id]}{letter}" for id, letter in journal.events) == order


# What the list of live channels says of the caller's channel once it is Up.
APPLICATIONS = {"20_voicemail_after_no_answer": "VoiceMail"}


def cuts(name: str) -> list[int]:
    """Every place in a recording between two events that the tracker uses."""
    return [at for at, (_, message) in enumerate(recording(CAPTURES / name)) if message.event in EVENTS]


def resumed(name: str, cut: int) -> Journal:
    """Plays a recording up to a place, and the rest of it to a new process, which reads the journal and the
    list of live channels first."""
    messages = recording(CAPTURES / name)
    journal = Journal()
    Player(new_tracker(), journal).play(messages[:cut])
    live = LiveChannels(APPLICATIONS.get(name, ""))
    for now, message in messages[:cut]:
        live.see(message, now)
    tracker = new_tracker()
    at = messages[cut][0]
    tracker.restore(journal.open_calls(), at)
    tracker.begin_resync()
    journal.write(tracker.resync(live.listed(at), at, at - timedelta(days=1)))
    Player(tracker, journal).play(messages[cut:])
    assert (tracker.calls, tracker.channels) == (0, 0)
    return journal


# What the old process saw and the new one cannot know: an event of the caller's channel that told it, and the
# outcome that comes out without.
UNKNOWABLE = {
    # That the caller hung up, and the cause is the busy phone's.
    "20_group_one_busy_then_abandoned": ("HangupRequest", Outcome.BUSY),
    # That no phone was tried.
    "20_no_such_number": ("Newchannel", Outcome.NO_ANSWER),
    # That the phone never replied.
    "20_switched_off_phone": ("DialEnd", Outcome.NO_ANSWER),
}


def wanted(row: Row, name: str, cut: int) -> tuple[object, ...]:
    event, outcome = UNKNOWABLE.get(name, ("", None))
    before = recording(CAPTURES / name)[:cut]
    if any(message.event == event and message.get("Uniqueid") == row.id for _, message in before):
        row = replace(row, outcome=outcome)
    return row.id, row.direction, row.status, row.outcome, row.operator, row.queue, row.merged_into


def got(call: Call) -> tuple[object, ...]:
    operator = call.operator and call.operator.sip_phone
    merged_into = call.merged_into and call.merged_into.removeprefix("main:")
    id = call.id.removeprefix("main:")
    return id, call.direction, call.status, call.outcome, operator, call.queue, merged_into


@pytest.mark.parametrize("name", NAMES)
def test_a_new_process_takes_over_anywhere(name: str) -> None:
    for cut in cuts(name):
        rows = resumed(name, cut).rows.values()
        assert [got(call) for call in rows] == [wanted(row, name, cut) for row in EXPECTED[name]], cut
