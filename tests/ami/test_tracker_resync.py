"""Reading the live channels: the first time, after an outage, and over the rows of a process before."""

from datetime import timedelta

import pytest

from fastagi.ami.messages import Message
from fastagi.ami.tracker import ROWLESS_SILENCE, SILENCE, Tracker
from fastagi.calls import Call, Caller, Direction, Operator, Outcome, Status, is_live
from fastagi.changes import apply

from .conversation import START
from .scene import Line, Scene

LONG_AGO = START - timedelta(days=3)
TALKS = {"BridgeId": "b1"}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def successor(scene: Scene) -> Scene:
    """A new process: the same PBX and journal, a tracker that knows only the open rows."""
    scene.tracker = Tracker("main", trunk_contexts=["from-trunk"])
    scene.tracker.restore(scene.journal.open_calls(), scene.now)
    return scene


def operator(scene: Scene, line: Line) -> str | None:
    row = scene.row(line)
    return row.operator.sip_phone if row.operator else None


# -- a first look -----------------------------------------------------------------------------------------


def seen_first(scene: Scene) -> tuple[Line, Line]:
    caller = scene.line("PJSIP/trunk", "office", "74951230001", state="6", number="79161234567", unseen=True)
    leg = scene.line("PJSIP/101", of=caller, state="5", number="101", unseen=True)
    return caller, leg


def test_a_call_that_rings_at_the_first_look(scene: Scene) -> None:
    caller, leg = seen_first(scene)
    scene.read_live(leg, caller, trunk={"Duration": "01:02:03"})
    row = scene.row(caller)
    assert row.direction is Direction.INCOMING
    assert row.started_at == scene.now - timedelta(hours=1, minutes=2, seconds=3)
    assert row.caller == Caller(raw="79161234567")
    assert (row.ringing, row.called) == (("101",), None)
    scene.answer(caller, leg)
    scene.gone(caller, leg)
    assert scene.row(caller).outcome is Outcome.ANSWERED
    assert scene.events(caller) == "SAE"


def test_an_answer_that_was_not_seen_has_no_time(scene: Scene) -> None:
    caller, leg = seen_first(scene)
    leg.state = "6"
    scene.read_live(caller, leg, **{"trunk": TALKS, "101": TALKS})
    row = scene.row(caller)
    assert (row.status, operator(scene, caller), row.answered_at) == (Status.IN_PROCESSING, "101", None)
    scene.gone(leg, caller)
    row = scene.row(caller)
    assert (row.outcome, row.waiting_seconds, row.talk_seconds) == (Outcome.ANSWERED, None, None)
    assert row.ended_at is not None


def test_a_call_still_in_the_trunks_context_says_what_was_dialled(scene: Scene) -> None:
    caller = scene.line("PJSIP/trunk", "from-trunk", "74951230001", state="4", number="101", unseen=True)
    scene.read_live(caller)
    assert (scene.row(caller).direction, scene.row(caller).called) == (Direction.INCOMING, "74951230001")


def test_a_call_of_an_operators_own_number_is_internal(scene: Scene) -> None:
    phone = scene.line("PJSIP/101", "from-internal", "102", state="4", number="101", unseen=True)
    scene.read_live(phone)
    assert (scene.row(phone).direction, scene.row(phone).called) == (Direction.INTERNAL, "102")


def test_a_call_with_a_leg_outside_goes_out(scene: Scene) -> None:
    phone = scene.line("PJSIP/101", "from-internal", "79161234567", state="6", number="7495", unseen=True)
    leg = scene.line("PJSIP/trunk", "from-trunk", of=phone, state="6", unseen=True)
    scene.read_live(leg, phone, **{"trunk": TALKS, "101": TALKS})
    row = scene.row(phone)
    assert (row.direction, row.called, operator(scene, phone)) == (Direction.OUTGOING, "79161234567", "101")


def test_a_call_from_a_trunk_that_leads_outside_again_came_in(scene: Scene) -> None:
    caller = scene.line("PJSIP/trunk", "office", "s", state="6", number="79161234567", unseen=True)
    mobile = scene.line("PJSIP/trunk", "from-trunk", of=caller, state="6", unseen=True)
    scene.read_live(mobile, caller, trunk=TALKS)
    assert scene.row(caller).direction is Direction.INCOMING
    assert scene.row(caller).operator is None
    assert scene.row(caller).status is Status.IN_PROCESSING


def test_a_transfer_outside_by_another_trunk_makes_no_outgoing_call(scene: Scene) -> None:
    caller = scene.line("PJSIP/gate", "office", state="6", number="79161234567", unseen=True)
    leg = scene.line("PJSIP/101", of=caller, state="6", unseen=True)
    scene.read_live(caller, leg, **{"gate": TALKS, "101": TALKS})
    scene.leave("b1", caller, leg)
    scene.gone(leg)
    mobile = scene.line("PJSIP/trunk", "from-trunk", of=caller)
    scene.dial(caller, mobile)
    assert scene.row(caller).direction is Direction.INCOMING


def test_the_queue_is_known_by_the_application(scene: Scene) -> None:
    caller, leg = seen_first(scene)
    scene.read_live(caller, leg, trunk={"Application": "Queue", "ApplicationData": "support,tT,,,60"})
    assert scene.row(caller).queue == "support"
    scene.hangs_up(caller)
    scene.gone(caller, cause=0)
    assert scene.row(caller).outcome is Outcome.ABANDONED


@pytest.mark.parametrize(
    ("application", "outcome"), [("VoiceMail", Outcome.NO_ANSWER), ("Background", Outcome.ABANDONED)]
)
def test_a_caller_alone_is_in_a_mailbox_or_in_a_menu(
    scene: Scene, application: str, outcome: Outcome
) -> None:
    caller, _ = seen_first(scene)
    scene.read_live(caller, trunk={"Application": application})
    scene.hangs_up(caller)
    scene.gone(caller, cause=0)
    assert scene.row(caller).outcome is outcome


@pytest.mark.parametrize(
    ("cause", "state", "outcome"),
    [
        (17, "4", Outcome.BUSY),
        (21, "4", Outcome.NO_ANSWER),
        (127, "4", Outcome.ABANDONED),
        (0, "6", Outcome.ABANDONED),
        (16, "6", Outcome.NO_ANSWER),
        (16, "4", Outcome.NO_ANSWER),
        (34, "4", Outcome.FAILED),
    ],
)
def test_a_call_seen_in_part_is_judged_by_its_cause(
    scene: Scene, cause: int, state: str, outcome: Outcome
) -> None:
    caller, _ = seen_first(scene)
    caller.state = state
    scene.read_live(caller)
    scene.gone(caller, cause=cause)
    assert scene.row(caller).outcome is outcome


def test_local_channels_in_the_list_find_their_other_half(scene: Scene) -> None:
    caller = scene.line("PJSIP/trunk", "office", state="6", number="79161234567", unseen=True)
    lines = []
    for half in ("1", "2"):
        line = scene.line(f"Local/101@from-queue-00000001;{half}", of=caller, state="6", unseen=True)
        lines.append(line)
    leg = scene.line("PJSIP/101", of=caller, state="6", unseen=True)
    entries = []
    for line, bridge in ((leg, "b2"), (lines[1], "b2"), (lines[0], "b1"), (caller, "b1")):
        entries.append(
            Message([("Event", "CoreShowChannel"), *line.keys(), ("BridgeId", bridge), ("Duration", "x")])
        )
    scene.tracker.begin_resync()
    scene.journal.write(scene.tracker.resync(entries, scene.now, None))
    assert operator(scene, caller) == "101"
    assert scene.row(caller).started_at == scene.now


def test_two_who_talk_without_whoever_called_have_a_row_of_their_own(scene: Scene) -> None:
    phone = scene.phone("101", "102")
    second = scene.ring(phone, "102")
    scene.answer(phone, second)
    scene.leave("b1", phone, second)
    scene.gone(phone)
    third = scene.ring(second, "103")
    scene.answer(second, third)
    scene.journal.rows.clear()
    successor(scene).read_live(second, third, **{"102": TALKS, "103": TALKS})
    assert scene.row(second).status is Status.IN_PROCESSING
    assert operator(scene, second) == "103"
    assert f"main:{phone.uniqueid}" not in scene.journal.rows
    scene.gone(second, third)
    assert scene.left == (0, 0)


def test_what_a_caller_left_behind_opens_no_row_again(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.answer(caller, leg)
    scene.gone(caller)
    before = scene.row(caller)
    successor(scene).read_live(leg, **{"101": TALKS})
    assert scene.row(caller) == before
    scene.gone(leg)
    assert scene.row(caller) == before
    assert scene.left == (0, 0)


# -- the list and the events beside it --------------------------------------------------------------------


def test_what_hung_up_since_the_asking_is_not_raised_by_the_list(scene: Scene) -> None:
    caller = scene.caller()
    entry = Message([("Event", "CoreShowChannel"), *caller.keys(), ("Duration", "00:00:01")])
    scene.tracker.begin_resync()
    scene.gone(caller, cause=127)
    assert scene.tracker.resync([entry], scene.now, LONG_AGO) == []
    assert scene.left == (0, 0)


def test_what_began_since_the_asking_lives_without_the_list(scene: Scene) -> None:
    scene.tracker.begin_resync()
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    assert scene.tracker.resync([], scene.now, LONG_AGO) == []
    scene.answer(caller, leg)
    scene.gone(caller, leg)
    assert scene.row(caller).outcome is Outcome.ANSWERED


def test_what_was_heard_since_the_asking_is_believed_before_the_list(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    old = [Message([("Event", "CoreShowChannel"), *line.keys(), ("BridgeId", "")]) for line in (caller, leg)]
    scene.tracker.begin_resync()
    scene.answer(caller, leg)
    scene.journal.write(scene.tracker.resync(old, scene.now, LONG_AGO))
    scene.leave("b1", leg, caller)
    scene.enter("b2", caller)
    assert scene.row(caller).status is Status.IN_PROCESSING
    assert scene.row(caller).ringing == ()


def test_a_leg_of_an_unknown_call_waits_for_the_list(scene: Scene) -> None:
    caller = scene.line("PJSIP/trunk", "office", state="6", number="79161234567", unseen=True)
    scene.tracker.begin_resync()
    leg = scene.line("PJSIP/101", of=caller)
    assert scene.journal.rows == {}
    entry = Message([("Event", "CoreShowChannel"), *caller.keys(), ("Duration", "00:00:09")])
    scene.journal.write(scene.tracker.resync([entry], scene.now, LONG_AGO))
    assert scene.row(caller).started_at == scene.now - timedelta(seconds=9)
    scene.dial(caller, leg)
    assert scene.row(caller).ringing == ("101",)


# -- after an outage --------------------------------------------------------------------------------------


def test_nothing_is_told_where_nothing_changed(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    leg.state = "5"
    scene.read_live(caller, leg, booted_at=LONG_AGO)
    scene.answer(caller, leg)
    scene.read_live(caller, leg, booted_at=LONG_AGO, **{"trunk": TALKS, "101": TALKS})
    scene.gone(caller, leg)
    assert scene.events(caller) == "SRAE"


def test_it_was_answered_while_we_were_away(scene: Scene) -> None:
    caller = scene.caller()
    scene.ring(caller, "101")
    second = scene.ring(caller, "102")
    second.state = caller.state = "6"
    scene.read_live(caller, second, booted_at=LONG_AGO, **{"trunk": TALKS, "102": TALKS})
    row = scene.row(caller)
    assert (row.status, operator(scene, caller), row.ringing) == (Status.IN_PROCESSING, "102", ())
    assert row.answered_at is None
    scene.gone(second, caller)
    assert scene.events(caller) == "SRRAE"
    assert scene.left == (0, 0)


def test_it_was_transferred_while_we_were_away(scene: Scene) -> None:
    caller = scene.caller()
    first = scene.ring(caller, "101")
    scene.answer(caller, first)
    answered_at = scene.row(caller).answered_at
    second = scene.line("PJSIP/102", of=caller, state="6", unseen=True)
    second_bridge = {"BridgeId": "b2"}
    scene.read_live(caller, second, booted_at=LONG_AGO, **{"trunk": second_bridge, "102": second_bridge})
    assert operator(scene, caller) == "102"
    assert scene.row(caller).answered_at == answered_at
    assert scene.events(caller) == "SRAT"


def test_a_consultation_was_merged_while_we_were_away(scene: Scene) -> None:
    caller = scene.caller()
    first = scene.ring(caller, "101")
    scene.answer(caller, first)
    asking = scene.phone("101", "102")
    second = scene.ring(asking, "102")
    scene.answer(asking, second, "b2")
    both = {"BridgeId": "b2"}
    scene.read_live(caller, second, booted_at=LONG_AGO, **{"trunk": both, "102": both})
    assert operator(scene, caller) == "102"
    assert not is_live(scene.row(asking))
    scene.gone(caller, second)
    assert scene.left == (0, 0)


# -- over the rows of a process before --------------------------------------------------------------------


def test_a_row_is_taken_over_in_silence(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    before = scene.row(caller)
    successor(scene).read_live(caller, leg, booted_at=LONG_AGO)
    assert scene.row(caller) == before
    scene.answer(caller, leg)
    scene.gone(caller, leg)
    row = scene.row(caller)
    assert (row.called, row.outcome, operator(scene, caller)) == ("74951230001", Outcome.ANSWERED, "101")
    assert scene.left == (0, 0)


def test_nothing_is_told_of_a_row_before_the_live_channels_were_read(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    successor(scene).tracker.begin_resync()
    scene.ring(caller, "102")
    assert scene.events(caller) == "SR"
    entries = [Message([("Event", "CoreShowChannel"), *line.keys()]) for line in (caller, leg)]
    scene.journal.write(scene.tracker.resync(entries, scene.now, LONG_AGO))
    assert scene.row(caller).ringing == ("101", "102")


def test_a_row_that_ends_before_the_live_channels_were_read_ends(scene: Scene) -> None:
    caller = scene.caller()
    scene.ring(caller, "101")
    successor(scene).tracker.begin_resync()
    scene.gone(caller, cause=127)
    assert scene.row(caller).outcome is Outcome.ABANDONED
    assert scene.left == (0, 0)


@pytest.mark.parametrize("by_hand", [None, "olena"])
def test_a_row_whose_call_is_gone_is_settled(scene: Scene, by_hand: str | None) -> None:
    caller = scene.caller()
    scene.answer(caller, scene.ring(caller, "101"))
    row = scene.row(caller)
    scene.journal.rows[row.id] = row.with_(status_by=by_hand)
    successor(scene).read_live(booted_at=LONG_AGO)
    row = scene.row(caller)
    assert (row.status, row.outcome) == (
        Status.PROCESSED if by_hand is None else Status.IN_PROCESSING,
        Outcome.NOT_OBSERVED,
    )
    assert (operator(scene, caller), row.ended_at) == ("101", None)


def test_a_row_is_no_sign_of_life_whenever_it_is_taken_in(scene: Scene) -> None:
    caller = scene.caller()
    rows = scene.journal.open_calls()
    scene.tracker = Tracker("main", trunk_contexts=["from-trunk"])
    scene.tracker.begin_resync()
    scene.tracker.restore(rows, scene.now)
    scene.journal.write(scene.tracker.resync([], scene.now, LONG_AGO))
    assert scene.row(caller).outcome is Outcome.NOT_OBSERVED


def test_a_row_that_a_person_closed_is_still_a_call_that_rings(scene: Scene) -> None:
    row = Call(
        id="main:1.1",
        pbx="main",
        status=Status.PROCESSED,
        status_by="olena",
        started_at=START,
        caller=Caller(raw="7916", e164="+7916"),
        queue="support",
    )
    scene.journal.rows[row.id] = row
    successor(scene).read_live(booted_at=LONG_AGO)
    after = scene.journal.rows[row.id]
    assert (after.status, after.outcome) == (Status.PROCESSED, Outcome.NOT_OBSERVED)
    assert after.caller == row.caller


def test_an_outgoing_row_goes_on_without_its_dialler(scene: Scene) -> None:
    phone = scene.phone("101", "79161234567")
    leg = scene.line("PJSIP/trunk", "from-trunk", of=phone)
    scene.dial(phone, leg)
    scene.answer(phone, leg)
    scene.leave("b1", phone, leg)
    scene.gone(phone)
    second = scene.ring(leg, "102")
    successor(scene).read_live(leg, second, booted_at=LONG_AGO)
    assert scene.row(phone).ringing == ("102",)
    scene.answer(leg, second, "b2")
    assert operator(scene, phone) == "102"
    scene.gone(leg, second)
    assert scene.row(phone).outcome is Outcome.ANSWERED
    assert scene.left == (0, 0)


def test_rows_are_taken_in_once(scene: Scene) -> None:
    scene.caller()
    scene.tracker.restore(scene.journal.open_calls(), scene.now)
    assert scene.left == (1, 1)


def test_a_merged_row_stays_merged_whatever_is_seen_of_it() -> None:
    scene = Scene()
    caller = scene.caller()
    rings = scene.ring(caller, "101")
    picker = scene.phone("102", "*8")
    scene.say("Pickup", *picker.keys(), *rings.keys("Target"))
    merged = scene.row(picker)
    successor(scene).read_live(caller, picker, booted_at=LONG_AGO)
    assert scene.row(picker) == merged
    told = scene.tracker.feed(Message([("Event", "Shutdown")]), scene.now)
    assert {change.id for change in told} == {merged.id, scene.row(caller).id}
    late = next(change for change in told if change.id == merged.id)
    assert apply(merged, late, lambda phone: Operator(sip_phone=phone)) is None


# -- what can no longer end -------------------------------------------------------------------------------


def test_a_call_that_is_silent_for_a_day_is_given_up(scene: Scene) -> None:
    caller = scene.caller()
    scene.ring(caller, "101")
    scene.wait(SILENCE.total_seconds() - 60)
    young = scene.caller()
    scene.journal.write(scene.tracker.expire(scene.now))
    assert scene.left[0] == 2
    scene.wait(120)
    scene.journal.write(scene.tracker.expire(scene.now))
    assert scene.row(caller).outcome is Outcome.NOT_OBSERVED
    assert is_live(scene.row(young))
    assert scene.left == (1, 1)
    scene.gone(caller)
    assert scene.events(caller) == "SRE"


def test_what_has_no_row_is_forgotten_sooner_and_may_come_again(scene: Scene) -> None:
    caller = scene.line("PJSIP/trunk", "office", state="6", number="7916", unseen=True)
    leg = scene.line("PJSIP/101", of=caller)
    ended = scene.caller()
    left_behind = scene.ring(ended, "102")
    scene.gone(ended)
    assert scene.left == (1, 2)
    scene.wait(ROWLESS_SILENCE.total_seconds() + 1)
    assert scene.tracker.expire(scene.now) == []
    assert scene.left == (0, 0)
    scene.gone(left_behind)
    scene.dial(caller, leg)
    assert scene.row(caller).ringing == ("101",)
