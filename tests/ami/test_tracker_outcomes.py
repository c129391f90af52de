"""Every row of the outcome table of DESIGN.md section 6, in small conversations."""

from datetime import timedelta

import pytest

from fastagi.calls import Outcome, Status

from .scene import Line, Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


def operator(scene: Scene, line: Line) -> str | None:
    row = scene.row(line)
    return row.operator.sip_phone if row.operator else None


def settled(scene: Scene, line: Line) -> tuple[Status, Outcome | None, str | None, bool]:
    row = scene.row(line)
    assert scene.left[0] == 0, "a call is left"
    return row.status, row.outcome, operator(scene, line), row.answered_at is not None


def missed(outcome: Outcome) -> tuple[Status, Outcome, None, bool]:
    return Status.NOT_PROCESSED, outcome, None, False


def answered(phone: str | None) -> tuple[Status, Outcome, str | None, bool]:
    return Status.PROCESSED, Outcome.ANSWERED, phone, True


def refuse(scene: Scene, dialler: Line, leg: Line, status: str, cause: int) -> None:
    scene.hangs_up(leg, str(cause))
    scene.dialled(dialler, leg, status)
    scene.gone(leg, cause=cause)


# -- answered ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["operator", "caller"])
def test_an_operator_answered_and_either_side_ended_it(scene: Scene, who: str) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.wait(7)
    scene.answer(caller, leg)
    assert scene.row(caller).status is Status.IN_PROCESSING
    scene.wait(60)
    scene.hangs_up(leg if who == "operator" else caller)
    scene.gone(*((leg, caller) if who == "operator" else (caller, leg)))
    assert settled(scene, caller) == answered("101")
    row = scene.row(caller)
    assert (row.waiting_seconds, row.hangup_cause) == (8, 16)
    assert row.talk_seconds == round((row.ended_at - row.answered_at).total_seconds())
    assert scene.events(caller) == "SRAE"


def test_seconds_are_rounded_to_the_nearest(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.now = scene.row(caller).started_at + timedelta(seconds=7.19 - 0.3)
    scene.answer(caller, leg)
    scene.now = scene.row(caller).answered_at + timedelta(seconds=131.694 - 0.1)
    scene.gone(caller)
    assert (scene.row(caller).waiting_seconds, scene.row(caller).talk_seconds) == (7, 132)


def test_up_alone_is_no_answer_to_anybody(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.dialled(caller, leg, "ANSWER")
    scene.enter("b1", leg)
    assert scene.row(caller).status is Status.RINGING
    assert scene.row(caller).ringing == ("101",)
    scene.enter("b1", caller)
    assert scene.row(caller).status is Status.IN_PROCESSING
    assert scene.row(caller).ringing == ()


# -- nobody answered --------------------------------------------------------------------------------------


def test_the_dial_time_ran_out(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.dialled(caller, leg, "NOANSWER")
    scene.gone(caller, leg)
    assert settled(scene, caller) == missed(Outcome.NO_ANSWER)
    assert scene.events(caller) == "SRRE"


def test_the_queue_time_ran_out_without_a_phone(scene: Scene) -> None:
    caller = scene.caller()
    scene.queue(caller)
    scene.unqueue(caller)
    scene.gone(caller)
    assert settled(scene, caller) == missed(Outcome.NO_ANSWER)
    assert scene.row(caller).queue == "support"


def test_every_phone_declined(scene: Scene) -> None:
    caller = scene.caller()
    for phone in ("101", "102"):
        leg = scene.ring(caller, phone)
        leg.state = "0"
        refuse(scene, caller, leg, "NOANSWER", 21)
    scene.gone(caller, cause=21)
    assert settled(scene, caller) == missed(Outcome.NO_ANSWER)


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        (["BUSY"], Outcome.BUSY),
        (["BUSY", "BUSY"], Outcome.BUSY),
        (["BUSY", "CHANUNAVAIL"], Outcome.BUSY),
        (["BUSY", "NOANSWER"], Outcome.NO_ANSWER),
        (["CHANUNAVAIL", "NOANSWER"], Outcome.NO_ANSWER),
        (["CHANUNAVAIL", "CONGESTION"], Outcome.FAILED),
        (["CONGESTION"], Outcome.FAILED),
        (["DONTCALL"], Outcome.NO_ANSWER),
    ],
)
def test_the_results_of_several_phones_make_one_outcome(
    scene: Scene, statuses: list[str], outcome: Outcome
) -> None:
    caller = scene.caller()
    for at, status in enumerate(statuses):
        refuse(scene, caller, scene.ring(caller, f"10{at}"), status, 17)
    scene.gone(caller, cause=17)
    assert settled(scene, caller) == missed(outcome)


def test_a_phone_that_never_replies_cannot_be_reached(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "105")
    leg.state = "0"
    scene.dialled(caller, leg, "NOANSWER")
    scene.gone(leg, caller)
    assert settled(scene, caller) == missed(Outcome.FAILED)


def test_a_trunk_that_only_plays_early_media_is_believed_to_ring(scene: Scene) -> None:
    phone = scene.phone("101", "79161234567")
    leg = scene.line("PJSIP/trunk", "from-trunk", of=phone)
    scene.dial(phone, leg)
    scene.dialled(phone, leg, "NOANSWER")
    scene.gone(leg, phone)
    row = scene.row(phone)
    assert (row.outcome, operator(scene, phone)) == (Outcome.NO_ANSWER, "101")


def test_an_operator_who_refuses_the_call_after_picking_up(scene: Scene) -> None:
    """ "Press 1 to take the call": the phone is Up, the caller still hears it ring."""
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.dialled(caller, leg, "ANSWER")
    scene.hangs_up(leg)
    scene.gone(leg, caller)
    assert settled(scene, caller) == missed(Outcome.NO_ANSWER)


def test_a_caller_who_leaves_before_the_phone_that_was_picked_up_is_theirs(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.dialled(caller, leg, "ANSWER")
    scene.hangs_up(caller, "127")
    scene.gone(caller, leg, cause=127)
    assert settled(scene, caller) == missed(Outcome.ABANDONED)


def test_the_first_end_of_a_leg_counts(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.dialled(caller, leg, "BUSY")
    scene.dialled(caller, leg, "CANCEL")
    scene.gone(leg, caller, cause=17)
    assert settled(scene, caller) == missed(Outcome.BUSY)


def test_a_leg_without_an_end_is_judged_by_its_cause(scene: Scene) -> None:
    caller = scene.caller()
    scene.gone(scene.ring(caller, "101"), cause=17)
    scene.gone(caller, cause=17)
    assert settled(scene, caller) == missed(Outcome.BUSY)


# -- the caller hung up -----------------------------------------------------------------------------------


def test_the_caller_hung_up_while_it_rang(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.hangs_up(caller, "127")
    scene.dialled(caller, leg, "CANCEL")
    scene.gone(leg, caller, cause=127)
    assert settled(scene, caller) == missed(Outcome.ABANDONED)


def test_no_request_is_needed_where_the_phone_still_rings(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.gone(caller, leg, cause=127)
    assert settled(scene, caller) == missed(Outcome.ABANDONED)


def test_the_caller_hung_up_in_the_queue(scene: Scene) -> None:
    caller = scene.caller()
    scene.queue(caller)
    refuse(scene, caller, scene.ring(caller, "101"), "NOANSWER", 0)
    scene.hangs_up(caller)
    scene.unqueue(caller)
    scene.gone(caller, cause=0)
    assert settled(scene, caller) == missed(Outcome.ABANDONED)


@pytest.mark.parametrize("state", ["4", "6"])
def test_the_caller_hung_up_before_any_phone_rang(scene: Scene, state: str) -> None:
    caller = scene.caller()
    caller.state = state
    scene.hangs_up(caller)
    scene.gone(caller, cause=0)
    assert settled(scene, caller) == missed(Outcome.ABANDONED)


def test_a_busy_phone_beside_those_that_ring_changes_nothing(scene: Scene) -> None:
    caller = scene.caller()
    first, second = scene.ring(caller, "101"), scene.ring(caller, "102")
    refuse(scene, caller, first, "BUSY", 17)
    scene.hangs_up(caller, "17")
    scene.dialled(caller, second, "CANCEL")
    scene.gone(second, caller, cause=17)
    assert settled(scene, caller) == missed(Outcome.ABANDONED)


# -- nothing and nobody -----------------------------------------------------------------------------------


def test_no_route(scene: Scene) -> None:
    caller = scene.caller()
    scene.gone(caller, cause=0)
    assert settled(scene, caller) == missed(Outcome.FAILED)


@pytest.mark.parametrize(("cause", "outcome"), [(34, Outcome.FAILED), (17, Outcome.BUSY)])
def test_the_dialplan_refused_the_caller(scene: Scene, cause: int, outcome: Outcome) -> None:
    caller = scene.caller()
    caller.state = "7"
    scene.hangs_up(caller, str(cause))
    scene.gone(caller, cause=cause)
    assert settled(scene, caller) == missed(outcome)


def test_an_unreachable_phone_after_a_menu(scene: Scene) -> None:
    caller = scene.caller()
    caller.state = "6"
    scene.gone(caller, cause=20)
    assert settled(scene, caller) == missed(Outcome.FAILED)


def test_an_announcement_to_its_end(scene: Scene) -> None:
    caller = scene.caller()
    caller.state = "6"
    scene.gone(caller)
    assert settled(scene, caller) == missed(Outcome.NO_ANSWER)


@pytest.mark.parametrize("status", ["NOANSWER", "BUSY", "CHANUNAVAIL"])
@pytest.mark.parametrize("who", ["caller", "pbx"])
def test_voicemail_took_it(scene: Scene, status: str, who: str) -> None:
    caller = scene.caller()
    refuse(scene, caller, scene.ring(caller, "101"), status, 16)
    caller.state = "6"
    if who == "caller":
        scene.hangs_up(caller)
    scene.gone(caller)
    assert settled(scene, caller) == missed(Outcome.NO_ANSWER)


def test_busy_tone_after_a_menu_is_still_busy(scene: Scene) -> None:
    caller = scene.caller()
    caller.state = "6"
    refuse(scene, caller, scene.ring(caller, "101"), "BUSY", 17)
    scene.hangs_up(caller)
    scene.gone(caller, cause=17)
    assert settled(scene, caller) == missed(Outcome.BUSY)


# -- transfers and pickups --------------------------------------------------------------------------------


def blind_transfer(scene: Scene) -> tuple[Line, Line]:
    caller = scene.caller()
    first = scene.ring(caller, "101")
    scene.answer(caller, first)
    scene.leave("b1", caller, first)
    scene.gone(first)
    caller.context, caller.exten = "from-internal", "102"
    return caller, scene.ring(caller, "102")


def test_blind_transfer_and_the_second_phone_answers(scene: Scene) -> None:
    caller, second = blind_transfer(scene)
    first_answer = scene.row(caller).answered_at
    scene.answer(caller, second, "b2")
    scene.gone(caller, second)
    assert settled(scene, caller) == answered("102")
    assert scene.row(caller).answered_at == first_answer
    assert scene.events(caller) == "SRARTE"


def test_blind_transfer_and_the_second_phone_does_not_answer(scene: Scene) -> None:
    caller, second = blind_transfer(scene)
    scene.dialled(caller, second, "NOANSWER")
    scene.gone(second, caller)
    assert settled(scene, caller) == answered("101")


def test_attended_transfer(scene: Scene) -> None:
    caller = scene.caller()
    first = scene.ring(caller, "101")
    scene.answer(caller, first)
    asking = scene.phone("101", "102")
    second = scene.ring(asking, "102")
    scene.answer(asking, second, "b2")
    scene.leave("b1", caller)
    scene.leave("b2", asking)
    scene.enter("b2", caller)
    scene.gone(first, asking)
    scene.wait(5)
    second.linkedid = caller.linkedid
    scene.gone(second, caller)
    assert settled(scene, caller) == answered("102")
    merged = scene.row(asking)
    assert merged.merged_into == scene.row(caller).id
    assert (merged.status, merged.outcome, merged.ended_at is not None) == (
        Status.PROCESSED,
        Outcome.ANSWERED,
        True,
    )
    assert (scene.events(caller), scene.events(asking)) == ("SRATE", "SRAM")


def test_a_transfer_to_a_phone_that_still_rings(scene: Scene) -> None:
    caller = scene.caller()
    first = scene.ring(caller, "101")
    scene.answer(caller, first)
    asking = scene.phone("101", "102")
    second = scene.ring(asking, "102")
    scene.leave("b1", caller, first)
    scene.say(
        "AttendedTransfer",
        ("Result", "Success"),
        *first.keys("OrigTransferer"),
        *asking.keys("SecondTransferer"),
        *caller.keys("Transferee"),
        ("DestType", "App"),
    )
    assert scene.row(asking).merged_into == scene.row(caller).id
    assert scene.row(caller).ringing == ("102",)
    scene.gone(first, asking)
    scene.dialled(caller, second, "ANSWER")
    scene.enter("b2", second, caller)
    scene.gone(caller, second)
    assert settled(scene, caller) == answered("102")


def test_a_transfer_that_fails_merges_nothing(scene: Scene) -> None:
    caller = scene.caller()
    first = scene.ring(caller, "101")
    scene.answer(caller, first)
    asking = scene.phone("101", "102")
    scene.say(
        "AttendedTransfer",
        ("Result", "Fail"),
        *first.keys("OrigTransferer"),
        *asking.keys("SecondTransferer"),
        *caller.keys("Transferee"),
    )
    scene.gone(asking, first, caller)
    assert scene.row(asking).merged_into is None
    assert settled(scene, caller) == answered("101")


@pytest.mark.parametrize("event", [True, False])
def test_picked_up_by_another(scene: Scene, event: bool) -> None:
    caller = scene.caller()
    rings = scene.ring(caller, "101")
    picker = scene.phone("102", "*8")
    if event:
        scene.say("Pickup", *picker.keys(), *rings.keys("Target"))
        assert scene.row(caller).ringing == ()
    scene.dialled(caller, picker, "ANSWER")
    scene.gone(rings, cause=26)
    scene.enter("b1", picker, caller)
    scene.gone(picker, caller)
    assert settled(scene, caller) == answered("102")
    assert scene.row(picker).merged_into == scene.row(caller).id
    assert scene.row(picker).status is Status.PROCESSED


# -- Asterisk died, or we were away -----------------------------------------------------------------------


def died(scene: Scene, how: str, caller: Line, leg: Line) -> None:
    """Asterisk ends in mid-call: by a restart that hangs up first, one that does not, or without a word."""
    if how == "hangups":
        scene.say("SoftHangupRequest", *caller.keys(), ("Cause", "4"))
        scene.gone(leg, caller)
    if how != "kill":
        scene.say("Shutdown", ("Shutdown", "Cleanly"), ("Restart", "True"))
    scene.wait(5)
    scene.read_live(booted_at=scene.now - timedelta(seconds=2))


@pytest.mark.parametrize("how", ["hangups", "shutdown", "kill"])
def test_asterisk_died_after_an_answer(scene: Scene, how: str) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.answer(caller, leg)
    died(scene, how, caller, leg)
    assert settled(scene, caller) == answered("101")
    assert (scene.row(caller).ended_at is None) == (how == "kill")


@pytest.mark.parametrize("how", ["hangups", "shutdown", "kill"])
def test_asterisk_died_before_an_answer(scene: Scene, how: str) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    died(scene, how, caller, leg)
    assert settled(scene, caller) == missed(Outcome.NOT_OBSERVED)
    assert (scene.row(caller).ended_at is None) == (how == "kill")


def test_we_were_away_when_it_ended(scene: Scene) -> None:
    talking, ringing = scene.caller(), scene.caller()
    scene.answer(talking, scene.ring(talking, "101"))
    scene.ring(ringing, "102")
    scene.wait(30)
    scene.read_live(booted_at=scene.now - timedelta(days=3))
    assert settled(scene, ringing) == missed(Outcome.NOT_OBSERVED)
    assert settled(scene, talking) == (Status.PROCESSED, Outcome.NOT_OBSERVED, "101", True)
    assert scene.row(talking).ended_at is None
    assert scene.row(talking).talk_seconds is None
    assert scene.row(ringing).ringing == ()
    assert scene.left == (0, 0)


def test_a_call_that_began_with_asterisk_itself_was_not_cut_by_its_start(scene: Scene) -> None:
    caller = scene.caller()
    scene.answer(caller, scene.ring(caller, "101"))
    # Uptime comes in whole seconds: the time of the start may come out almost one too late.
    scene.read_live(booted_at=scene.row(caller).started_at + timedelta(seconds=0.9))
    assert scene.row(caller).outcome is Outcome.NOT_OBSERVED


@pytest.mark.parametrize(
    ("answer", "cause", "outcome"),
    [("503", 34, Outcome.FAILED), ("486", 17, Outcome.BUSY), ("487", 127, Outcome.ABANDONED)],
)
def test_a_refusal_that_is_heard_before_the_channel_is_busy(
    scene: Scene, answer: str, cause: int, outcome: Outcome
) -> None:
    """The SIP answer tells who ended it, whatever state the channel had reached (seen with a real Asterisk)."""
    caller = scene.caller()
    scene.say("HangupRequest", *caller.keys(), ("Cause", str(cause)), ("TechCause", answer))
    scene.gone(caller, cause=cause)
    assert scene.row(caller).outcome is outcome
