"""Whom an event concerns, and how it looks on the wire."""

import json
from dataclasses import replace

import pytest

from fastagi.calls import EventType, Operator
from fastagi.events import decode
from tests.webhooks.fakes import answered_by, event, make_call
from webhooks.frames import Frame, Framing, Scope, reset_frame

OLENA = Scope(phones=frozenset({"101"}))
PETRO = Scope(phones=frozenset({"102"}))
NOBODY = Scope(phones=frozenset())
ALL = Scope()


def fields(frame: Frame) -> dict[str, str]:
    """Read a block of Server-Sent Events."""
    lines = frame.sse.decode().removesuffix("\n\n").split("\n")
    return dict(line.split(": ", 1) for line in lines)


def test_the_block_of_an_event():
    frame = Framing().frame(event(42, EventType.RINGING))
    block = fields(frame)
    assert block["id"] == "42"
    assert block["event"] == "call.ringing"
    assert decode(block["data"].encode()) == event(42, EventType.RINGING)
    assert frame.text == block["data"]


def test_an_event_without_a_seq_has_no_id():
    assert "id" not in fields(Framing().frame(event(None)))


def test_line_ends_in_a_name_do_not_end_the_block():
    call = make_call(1, note="one\ntwo\r\n\n\u2028event: call.ended")
    frame = Framing().frame(event(1, call=call))
    assert frame.sse.count(b"\n") == 4
    assert b"\r" not in frame.sse
    assert json.loads(frame.text)["call"]["note"] == call.note


def test_the_block_of_a_reset():
    assert json.loads(reset_frame(7).text) == {"v": 1, "seq": 7, "type": "reset"}
    assert fields(reset_frame(7))["id"] == "7"
    assert json.loads(reset_frame(None).text)["seq"] is None
    assert "id" not in fields(reset_frame(None))
    for scope in (OLENA, Scope(kinds=frozenset({"call.ended"}), wanted=frozenset({"9"}))):
        assert scope.sees(reset_frame(7))


def see(frame: Frame, *scopes: Scope) -> list[bool]:
    return [scope.sees(frame) for scope in scopes]


def test_operators_see_what_is_nobodys_and_what_is_theirs():
    framing = Framing()
    call = make_call(1, ringing=("101", "102"))
    assert see(framing.frame(event(1, EventType.RINGING, call)), OLENA, NOBODY, ALL) == [True, True, True]
    call = answered_by(call, "101")
    # The answer itself is for all who saw it ring: the card of 102 closes.
    assert see(framing.frame(event(2, EventType.ANSWERED, call)), OLENA, PETRO, ALL) == [True, True, True]
    assert see(framing.frame(event(3, EventType.UPDATED, call)), OLENA, PETRO, ALL) == [True, False, True]
    assert see(framing.frame(event(4, EventType.ENDED, call)), OLENA, PETRO, ALL) == [True, False, True]
    # A note of later is still the business of who answered only.
    assert see(framing.frame(event(5, EventType.UPDATED, call)), OLENA, PETRO, ALL) == [True, False, True]


def test_a_transfer_is_for_both_sides():
    framing = Framing()
    call = answered_by(make_call(1), "101")
    framing.frame(event(1, EventType.ANSWERED, call))
    ringing = replace(call, ringing=("102",))
    assert see(framing.frame(event(2, EventType.RINGING, ringing)), OLENA, PETRO, NOBODY) == [
        True,
        True,
        False,
    ]
    moved = answered_by(call, "102")
    frame = framing.frame(event(3, EventType.TRANSFERRED, moved))
    assert see(frame, OLENA, PETRO, NOBODY) == [True, True, False]
    assert see(framing.frame(event(4, EventType.ENDED, moved)), OLENA, PETRO) == [False, True]


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        (EventType.ANSWERED, True),
        (EventType.TRANSFERRED, True),
        (EventType.MERGED, True),
        (EventType.UPDATED, False),
        (EventType.ENDED, False),
        (EventType.STARTED, False),
    ],
)
def test_where_nobody_remembers_what_was_before(kind: EventType, seen: bool):
    frame = Framing().frame(event(1, kind, answered_by(make_call(1), "101")))
    assert PETRO.sees(frame) is seen


@pytest.mark.parametrize(
    ("kind", "past", "guessed"),
    [
        (EventType.TRANSFERRED, False, True),
        (EventType.MERGED, False, True),
        (EventType.ANSWERED, False, False),
        (EventType.TRANSFERRED, True, False),
    ],
)
def test_what_may_have_been_somebody_elses_all_the_time_is_guessed(
    kind: EventType, past: bool, guessed: bool
):
    framing = Framing()
    if past:
        framing.frame(event(1, EventType.ANSWERED, answered_by(make_call(1), "103")))
    frame = framing.frame(event(2, kind, answered_by(make_call(1), "101")))
    assert [scope.guesses(frame) for scope in (PETRO, OLENA, ALL)] == [guessed, False, False]


def test_calls_are_forgotten_when_they_end_and_beyond_the_limit():
    framing = Framing(calls=2)
    mine = answered_by(make_call(1), "101")
    for call in (mine, make_call(2), make_call(3)):
        framing.frame(event(1, EventType.RINGING, call))
    assert len(framing._before) == 2
    framing.frame(event(4, EventType.ENDED, make_call(3)))
    framing.frame(event(5, EventType.UPDATED, make_call(2, ended_at=make_call(2).started_at)))
    assert not framing._before


def test_the_filter_for_an_operator_knows_phones_and_login():
    framing = Framing()
    call = make_call(1, ringing=("101",))
    ringing = framing.frame(event(1, EventType.RINGING, call))
    call = replace(call, ringing=(), operator=Operator(sip_phone="205", login="olena"))
    answered = framing.frame(event(2, EventType.ANSWERED, call))
    ended = framing.frame(event(3, EventType.ENDED, call))
    by_phone, by_login = Scope(wanted=frozenset({"101"})), Scope(wanted=frozenset({"olena"}))
    assert see(ringing, by_phone, by_login) == [True, False]
    assert see(answered, by_phone, by_login) == [True, True]
    assert see(ended, by_phone, by_login) == [False, True]
    assert not by_phone.sees(framing.frame(event(4, EventType.STARTED, make_call(2))))


def test_the_filter_for_types():
    only = Scope(kinds=frozenset({"call.ended"}))
    framing = Framing()
    assert not only.sees(framing.frame(event(1, EventType.RINGING)))
    assert only.sees(framing.frame(event(2, EventType.ENDED)))
