"""The tracker's picture: identity, direction, who rings, Local channels, originated calls, bridges of all kinds."""

import pytest

from fastagi.ami.authenticity import USUAL_KEYS
from fastagi.ami.tracker import EVENTS, Tracker
from fastagi.calls import Caller, Direction, Outcome, Status

from .scene import Line, Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


def operator(scene: Scene, line: Line) -> str | None:
    row = scene.row(line)
    return row.operator.sip_phone if row.operator else None


# -- who calls, where to, in which direction --------------------------------------------------------------


def test_a_call_that_comes_in(scene: Scene) -> None:
    caller = scene.line(
        "PJSIP/trunk", "from-trunk", "+74951230001", state="4", number="8 (916)", caller_name="Пётр"
    )
    row = scene.row(caller)
    assert row.id == f"main:{caller.uniqueid}"
    assert row.direction is Direction.INCOMING
    assert row.caller == Caller(raw="8 (916)", name="Пётр")
    assert row.called == "+74951230001"
    assert (row.status, row.started_at) == (Status.RINGING, scene.now)


def test_what_asterisk_does_not_know_is_not_known(scene: Scene) -> None:
    caller = scene.line("PJSIP/trunk", "from-trunk", "s", state="4")
    assert scene.row(caller).caller == Caller()
    assert scene.row(caller).called is None


def test_a_name_given_later_is_not_the_trunks(scene: Scene) -> None:
    caller = scene.caller()
    caller.number, caller.caller_name = "000", "Somebody"
    assert scene.say("NewCallerid", *caller.keys()) == []
    scene.ring(caller, "101")
    assert scene.row(caller).caller == Caller(raw="79161234567")


def test_an_internal_call(scene: Scene) -> None:
    phone = scene.phone("101", "102")
    leg = scene.ring(phone, "102")
    scene.answer(phone, leg)
    scene.gone(phone, leg)
    row = scene.row(phone)
    assert (row.direction, row.caller.raw, row.called) == (Direction.INTERNAL, "101", "102")
    assert operator(scene, phone) == "102"
    assert scene.events(phone) == "SRAE"
    assert scene.left == (0, 0)


def dial_out(scene: Scene, number: str = "79161234567") -> tuple[Line, Line]:
    phone = scene.phone("101", number)
    leg = scene.line("PJSIP/trunk", "from-trunk", of=phone)
    scene.dial(phone, leg)
    return phone, leg


def test_a_call_that_goes_out_has_its_dialler_for_operator(scene: Scene) -> None:
    phone, leg = dial_out(scene)
    row = scene.row(phone)
    assert (row.direction, row.called, row.ringing) == (Direction.OUTGOING, "79161234567", ())
    assert operator(scene, phone) == "101"
    scene.answer(phone, leg)
    scene.gone(leg, phone)
    assert scene.events(phone) == "SUAE"
    assert scene.row(phone).outcome is Outcome.ANSWERED


def test_the_dialler_of_an_outgoing_call_transfers_it_and_leaves(scene: Scene) -> None:
    phone, leg = dial_out(scene)
    scene.answer(phone, leg)
    scene.leave("b1", phone, leg)
    scene.gone(phone)
    second = scene.ring(leg, "102")
    assert scene.row(phone).ringing == ("102",)
    scene.answer(leg, second, "b2")
    assert operator(scene, phone) == "102"
    scene.gone(second)
    assert scene.row(phone).outcome is None
    scene.gone(leg)
    assert (scene.row(phone).outcome, operator(scene, phone)) == (Outcome.ANSWERED, "102")
    assert scene.left == (0, 0)


def test_an_internal_call_goes_on_without_its_opener(scene: Scene) -> None:
    phone = scene.phone("101", "102")
    second = scene.ring(phone, "102")
    scene.answer(phone, second)
    scene.leave("b1", phone, second)
    scene.gone(phone)
    third = scene.ring(second, "103")
    scene.answer(second, third, "b2")
    scene.gone(second, third)
    assert operator(scene, phone) == "103"
    assert scene.left == (0, 0)


def test_a_call_answered_outside_names_no_operator(scene: Scene) -> None:
    caller = scene.caller()
    mobile = scene.line("PJSIP/trunk", "from-trunk", of=caller)
    scene.dial(caller, mobile)
    assert scene.row(caller).ringing == ()
    scene.answer(caller, mobile)
    scene.gone(caller, mobile)
    row = scene.row(caller)
    assert (row.direction, row.outcome, row.operator) == (Direction.INCOMING, Outcome.ANSWERED, None)


def test_a_transfer_outside_keeps_the_operator_who_talked_last(scene: Scene) -> None:
    caller = scene.caller()
    first = scene.ring(caller, "101")
    scene.answer(caller, first)
    scene.leave("b1", caller, first)
    scene.gone(first)
    mobile = scene.line("PJSIP/trunk", "from-trunk", of=caller)
    scene.dial(caller, mobile)
    scene.answer(caller, mobile, "b2")
    scene.gone(caller, mobile)
    assert operator(scene, caller) == "101"


# -- phones -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "name", "phone"),
    [
        (None, "PJSIP/101", "101"),
        (None, "SIP/my-phone", "my-phone"),
        (None, "DAHDI/i1/101", "i1/101"),
        (r"^PJSIP/op(\d+)-", "PJSIP/op101", "101"),
        (r"^PJSIP/\d+", "PJSIP/101", "PJSIP/101"),
        (r"^PJSIP/op(\d+)-", "PJSIP/door", None),
    ],
)
def test_the_phone_is_in_the_name_of_the_channel(pattern: str | None, name: str, phone: str | None) -> None:
    scene = Scene(Tracker("main", trunk_contexts=["from-trunk"], operator_pattern=pattern))
    caller = scene.caller()
    leg = scene.line(name, of=caller)
    scene.dial(caller, leg)
    assert scene.row(caller).ringing == (() if phone is None else (phone,))
    scene.answer(caller, leg)
    assert operator(scene, caller) == phone
    assert scene.row(caller).status is Status.IN_PROCESSING


def test_ringing_phones_are_sorted_and_told_once(scene: Scene) -> None:
    caller = scene.caller()
    last = scene.ring(caller, "103")
    scene.ring(caller, "101")
    # Two registrations of one phone are one phone.
    scene.ring(caller, "101")
    assert scene.row(caller).ringing == ("101", "103")
    scene.dialled(caller, last, "NOANSWER")
    assert scene.row(caller).ringing == ("101",)
    assert scene.events(caller) == "SRRR"


def test_nothing_is_told_twice(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.answer(caller, leg)
    before = list(scene.journal.events)
    scene.enter("b1", leg, caller)
    scene.dial(caller, leg)
    scene.dialled(caller, leg, "ANSWER")
    scene.say("Newchannel", *caller.keys())
    assert scene.journal.events == before
    assert scene.row(caller).ringing == ()


def test_the_queue_is_the_last_one(scene: Scene) -> None:
    caller = scene.caller()
    scene.queue(caller, "sales")
    scene.unqueue(caller, "sales")
    scene.queue(caller, "support")
    assert scene.row(caller).queue == "support"
    assert scene.events(caller) == "SUU"


# -- Local channels ---------------------------------------------------------------------------------------


def through_local(scene: Scene, caller: Line, phone: str) -> tuple[Line, Line, Line]:
    one, two = scene.local(phone, "from-queue", of=caller)
    scene.dial(caller, one)
    return one, two, scene.ring(two, phone)


def test_local_channels_neither_ring_nor_answer(scene: Scene) -> None:
    caller = scene.caller()
    one, two, leg = through_local(scene, caller, "101")
    assert scene.row(caller).ringing == ("101",)
    scene.dialled(two, leg, "ANSWER")
    scene.enter("b1", leg)
    scene.dialled(caller, one, "ANSWER")
    scene.enter("b2", one, caller)
    assert scene.row(caller).status is Status.RINGING
    scene.enter("b1", two)
    assert (scene.row(caller).status, operator(scene, caller)) == (Status.IN_PROCESSING, "101")
    scene.gone(leg, two, one, caller)
    assert scene.events(caller) == "SRAE"
    assert scene.left == (0, 0)


def test_local_channels_that_lead_to_voicemail_are_no_answer(scene: Scene) -> None:
    caller = scene.caller()
    one, two = scene.local("200", "mailboxes", of=caller)
    scene.dial(caller, one)
    scene.dialled(caller, one, "ANSWER")
    scene.enter("b1", one, caller)
    scene.gone(two, one, caller)
    assert scene.row(caller).outcome is Outcome.NO_ANSWER


@pytest.mark.parametrize(("status", "outcome"), [("CONGESTION", "failed"), ("BUSY", "busy")])
def test_where_no_phone_was_tried_the_result_of_the_local_channel_counts(
    scene: Scene, status: str, outcome: str
) -> None:
    caller = scene.caller()
    one, two = scene.local("104", "from-queue", of=caller)
    scene.dial(caller, one)
    scene.dialled(caller, one, status)
    scene.gone(two, one, caller, cause=17)
    assert scene.row(caller).outcome == outcome


def test_a_transfer_by_a_key_keeps_the_first_phone_until_the_second_has_the_caller(scene: Scene) -> None:
    """Asterisk's own attended transfer: 101 asks 102 through a Local channel while the caller hears music."""
    caller = scene.caller()
    first = scene.ring(caller, "101")
    scene.answer(caller, first)
    scene.leave("b1", first)
    one, two = scene.local("102", "from-internal", of=first)
    second = scene.ring(two, "102")
    scene.dialled(two, second, "ANSWER")
    scene.enter("b2", second, two)
    scene.enter("b3", one, first)
    assert operator(scene, caller) == "101"
    scene.leave("b3", first)
    scene.leave("b1", caller)
    scene.enter("b3", caller)
    assert operator(scene, caller) == "102"
    scene.gone(first, caller, one, two, second)
    assert scene.events(caller) == "SRARTE"
    assert scene.left == (0, 0)


# -- calls that Asterisk opens itself ---------------------------------------------------------------------


def test_click_to_call_that_rings_the_phone_first(scene: Scene) -> None:
    phone = scene.line("PJSIP/101", number="101")
    scene.dial(None, phone)
    assert scene.row(phone).ringing == ("101",)
    scene.dialled(None, phone, "ANSWER")
    assert scene.row(phone).ringing == ()
    phone.exten = "79161234567"
    leg = scene.line("PJSIP/trunk", "from-trunk", of=phone)
    scene.dial(phone, leg, string="79161234567@trunk")
    row = scene.row(phone)
    assert (row.direction, row.called, operator(scene, phone)) == (Direction.OUTGOING, "79161234567", "101")
    scene.answer(phone, leg)
    scene.gone(phone, leg)
    assert scene.row(phone).outcome is Outcome.ANSWERED
    assert scene.left == (0, 0)


@pytest.mark.parametrize(("status", "outcome"), [("BUSY", Outcome.BUSY), ("NOANSWER", Outcome.NO_ANSWER)])
def test_click_to_call_that_the_phone_refuses(scene: Scene, status: str, outcome: Outcome) -> None:
    phone = scene.line("PJSIP/101", number="101")
    scene.dial(None, phone)
    scene.hangs_up(phone, "21")
    scene.dialled(None, phone, status)
    scene.gone(phone, cause=21)
    assert scene.row(phone).outcome is outcome
    assert scene.left == (0, 0)


@pytest.mark.parametrize(
    ("exten", "string"),
    [("79161234567", ""), ("s", "79161234567@trunk"), ("s", "trunk/79161234567")],
)
def test_click_to_call_through_a_local_channel(scene: Scene, exten: str, string: str) -> None:
    one, two = scene.local("101", "from-internal")
    assert scene.journal.rows == {}
    leg = scene.ring(two, "101")
    assert scene.row(one).ringing == ("101",)
    scene.dialled(two, leg, "ANSWER")
    scene.enter("b1", leg, two)
    one.exten = exten
    outside = scene.line("PJSIP/trunk", "from-trunk", of=one)
    scene.dial(one, outside, string=string)
    scene.answer(one, outside, "b2")
    row = scene.row(one)
    assert (row.direction, row.called, operator(scene, one)) == (Direction.OUTGOING, "79161234567", "101")
    assert row.status is Status.IN_PROCESSING
    scene.gone(outside, one, two, leg)
    assert scene.row(one).outcome is Outcome.ANSWERED
    assert scene.left == (0, 0)


def test_click_to_call_that_is_given_up_while_the_customer_rings(scene: Scene) -> None:
    phone = scene.line("PJSIP/101", number="101")
    scene.dial(None, phone)
    scene.dialled(None, phone, "ANSWER")
    phone.exten = "79161234567"
    leg = scene.line("PJSIP/trunk", "from-trunk", of=phone)
    scene.dial(phone, leg)
    scene.hangs_up(phone)
    scene.dialled(phone, leg, "CANCEL")
    scene.gone(leg, phone)
    assert scene.row(phone).outcome is Outcome.ABANDONED


def test_a_call_back_that_rings_the_customer_first(scene: Scene) -> None:
    customer = scene.line("PJSIP/trunk", "from-trunk")
    scene.dial(None, customer, string="79161234567@trunk")
    assert scene.row(customer).direction is Direction.OUTGOING
    scene.dialled(None, customer, "ANSWER")
    scene.queue(customer)
    assert scene.row(customer).status is Status.RINGING
    leg = scene.ring(customer, "101")
    assert scene.row(customer).ringing == ("101",)
    scene.answer(customer, leg)
    assert operator(scene, customer) == "101"
    scene.gone(customer, leg)
    assert scene.row(customer).outcome is Outcome.ANSWERED
    assert scene.left == (0, 0)


def test_a_driver_that_is_born_with_a_number_is_corrected_when_it_is_dialled(scene: Scene) -> None:
    customer = scene.line("SIP/trunk", "from-trunk", "79161234567")
    assert scene.row(customer).direction is Direction.INCOMING
    scene.dial(None, customer)
    assert scene.row(customer).direction is Direction.OUTGOING


def test_local_channels_alone_are_no_call(scene: Scene) -> None:
    one, two = scene.local("s", "night-job")
    scene.enter("b1", two)
    scene.gone(two, one)
    assert scene.journal.rows == {}
    assert scene.left == (0, 0)


@pytest.mark.parametrize("name", ["Message/ast_msg_queue", "CBAnn/conf", "Surrogate/PJSIP/101", "Recorder/x"])
def test_channels_that_asterisk_makes_for_itself_are_no_calls(scene: Scene, name: str) -> None:
    scene.line(name)
    assert scene.left == (0, 0)
    assert scene.journal.rows == {}


# -- bridges of other kinds -------------------------------------------------------------------------------


def test_parked_callers_hear_music_and_not_each_other(scene: Scene) -> None:
    first, second = scene.caller(), scene.caller()
    scene.enter("park", first, second, kind="holding")
    assert scene.row(first).status is Status.RINGING
    scene.leave("park", first, second)
    scene.gone(first, second)
    assert scene.left == (0, 0)


def test_a_parked_caller_is_fetched_by_another_phone(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.answer(caller, leg)
    scene.leave("b1", caller, leg)
    scene.gone(leg)
    scene.enter("park", caller, kind="holding")
    fetcher = scene.phone("102", "701")
    scene.leave("park", caller)
    scene.enter("b2", fetcher, caller)
    scene.gone(caller, fetcher)
    assert operator(scene, caller) == "102"
    assert scene.row(fetcher).merged_into == scene.row(caller).id


def test_a_conference_answers_but_merges_nothing(scene: Scene) -> None:
    caller, other, phone = scene.caller(), scene.caller(), scene.phone("101", "800")
    scene.enter("conf", caller, other, phone, kind="base")
    assert operator(scene, caller) == operator(scene, other) == "101"
    assert scene.row(phone).merged_into is None
    scene.gone(caller, other, phone)
    assert scene.left == (0, 0)


def test_two_customers_who_are_connected_stay_two_rows(scene: Scene) -> None:
    first, second = scene.caller(), scene.caller(number="79167654321")
    for caller, bridge in ((first, "b1"), (second, "b2")):
        scene.answer(caller, scene.ring(caller, "101"), bridge)
    scene.leave("b1", first)
    scene.enter("b2", first)
    assert scene.row(first).merged_into is scene.row(second).merged_into is None
    assert operator(scene, first) == "101"


def test_a_consultation_outside_goes_into_the_customers_row(scene: Scene) -> None:
    caller = scene.caller()
    first = scene.ring(caller, "101")
    scene.answer(caller, first)
    asking, expert = dial_out(scene, "79990001122")
    scene.answer(asking, expert, "b2")
    scene.leave("b2", asking)
    scene.leave("b1", caller)
    scene.enter("b2", caller)
    assert scene.row(asking).merged_into == scene.row(caller).id
    assert operator(scene, caller) == "101"


def test_an_outgoing_call_is_transferred_with_a_consultation(scene: Scene) -> None:
    phone, customer = dial_out(scene)
    scene.answer(phone, customer)
    asking = scene.phone("101", "102")
    second = scene.ring(asking, "102")
    scene.answer(asking, second, "b2")
    scene.leave("b1", customer)
    scene.leave("b2", asking)
    scene.enter("b2", customer)
    scene.gone(phone, asking)
    assert operator(scene, phone) == "102"
    assert scene.row(asking).merged_into == scene.row(phone).id
    scene.gone(second, customer)
    assert (scene.events(phone), scene.events(asking)) == ("SUATE", "SRAM")
    assert scene.left == (0, 0)


def test_of_two_internal_calls_the_older_one_stays(scene: Scene) -> None:
    older = scene.phone("101", "102")
    second = scene.ring(older, "102")
    scene.answer(older, second)
    asking = scene.phone("102", "103")
    third = scene.ring(asking, "103")
    scene.answer(asking, third, "b2")
    scene.leave("b2", asking)
    scene.leave("b1", older)
    scene.enter("b2", older)
    assert scene.row(asking).merged_into == scene.row(older).id
    assert operator(scene, older) == "103"


def test_of_three_who_talk_one_leaves(scene: Scene) -> None:
    caller = scene.caller()
    first, second = scene.ring(caller, "101"), scene.ring(caller, "102")
    scene.answer(caller, first)
    scene.enter("b1", second)
    assert operator(scene, caller) == "101"
    scene.leave("b1", first)
    assert operator(scene, caller) == "102"
    assert scene.events(caller) == "SRRART"


def test_a_leg_belongs_to_its_dialler_whatever_its_linkedid_says(scene: Scene) -> None:
    first, second = scene.caller(), scene.caller()
    leg = scene.line("PJSIP/101", of=first)
    scene.dial(second, leg)
    assert scene.row(first).ringing == ()
    assert scene.row(second).ringing == ("101",)


def test_a_call_that_only_a_linkedid_announced_is_dropped_when_its_leg_has_another(scene: Scene) -> None:
    caller, nobody = scene.caller(), scene.line("PJSIP/102", unseen=True)
    leg = scene.line("PJSIP/101", of=nobody)
    assert scene.left == (2, 2)
    scene.dial(caller, leg)
    assert scene.left == (1, 2)
    assert scene.row(caller).ringing == ("101",)


def test_a_linkedid_may_be_that_of_a_leg(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    other = scene.line("PJSIP/102", of=caller, unseen=True)
    other.linkedid = leg.uniqueid
    scene.dial(leg, other)
    assert scene.row(caller).ringing == ("101", "102")


def test_an_incoming_call_ends_with_its_opener(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.answer(caller, leg)
    scene.gone(caller)
    assert scene.row(caller).ended_at == scene.now
    assert scene.left == (0, 1)
    scene.leave("b1", leg)
    scene.gone(leg)
    assert scene.left == (0, 0)
    assert scene.events(caller) == "SRAE"


# -- AGI --------------------------------------------------------------------------------------------------


def test_agi_and_ami_mean_the_same_call_whoever_comes_first(scene: Scene) -> None:
    assert scene.tracker.resolve("1.5", "1.5") == scene.tracker.resolve("1.5", None) == "main:1.5"
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    id = f"main:{caller.uniqueid}"
    assert scene.tracker.resolve(caller.uniqueid, None) == id
    assert scene.tracker.resolve(leg.uniqueid, None) == id
    assert scene.tracker.resolve("1.9", caller.uniqueid) == id
    assert scene.tracker.resolve("1.9", "") == "main:1.9"
    assert scene.tracker.knows(id)
    scene.gone(leg, caller)
    assert not scene.tracker.knows(id)
    assert scene.tracker.resolve(caller.uniqueid, caller.uniqueid) == id
    assert scene.tracker.resolve(leg.uniqueid, "9.9") == id


def test_a_call_of_which_only_a_leg_was_seen_is_not_known(scene: Scene) -> None:
    """Whoever tore the events of the opening channel: AGI has a row of it, which nothing here will end."""
    caller = scene.line("PJSIP/trunk", "from-trunk", "74951230001", unseen=True)
    id = scene.tracker.resolve(caller.uniqueid, None)
    scene.line("PJSIP/101", of=caller)
    assert not scene.tracker.knows(id)
    scene.dial(caller, scene.line("PJSIP/102", of=caller))
    assert scene.tracker.knows(id)


def test_a_merged_leg_means_the_call_it_went_into(scene: Scene) -> None:
    caller = scene.caller()
    rings = scene.ring(caller, "101")
    picker = scene.phone("102", "*8")
    scene.say("Pickup", *picker.keys(), *rings.keys("Target"))
    assert scene.tracker.resolve(picker.uniqueid, picker.uniqueid) == f"main:{caller.uniqueid}"


@pytest.mark.parametrize("asked", ["before", "after"])
def test_a_call_that_agi_asks_about_came_in(scene: Scene, asked: str) -> None:
    if asked == "before":
        scene.tracker.resolve("1795423000.1", "1795423000.1")
    caller = scene.line("PJSIP/gate", "some-context", "74951230001", state="4", number="79161234567")
    if asked == "after":
        scene.tracker.resolve(caller.uniqueid, None)
    leg = scene.ring(caller, "101")
    scene.answer(caller, leg)
    assert scene.row(caller).direction is Direction.INCOMING
    assert operator(scene, caller) == "101"


def test_a_call_only_agi_knows_comes_to_its_end_all_the_same(scene: Scene) -> None:
    """The events of a caller with line ends in his number are not believed until the dialplan cleaned it."""
    caller = scene.line("PJSIP/trunk", "office", state="4", unseen=True)
    scene.tracker.resolve(caller.uniqueid, caller.uniqueid)
    scene.hangs_up(caller, "127")
    scene.gone(caller, cause=127)
    row = scene.row(caller)
    assert (row.direction, row.outcome) == (Direction.INCOMING, Outcome.ABANDONED)
    assert scene.left == (0, 0)


def test_a_call_whose_beginning_was_not_believed_is_known_by_its_dial(scene: Scene) -> None:
    caller = scene.line("PJSIP/trunk", "office", state="4", number="79161234567", unseen=True)
    leg = scene.line("PJSIP/101", of=caller)
    assert scene.journal.rows == {}
    scene.dial(caller, leg)
    row = scene.row(caller)
    assert (row.direction, row.caller.raw, row.ringing) == (Direction.INCOMING, "79161234567", ("101",))
    scene.answer(caller, leg)
    scene.gone(caller, leg)
    assert scene.row(caller).outcome is Outcome.ANSWERED


# -- what is of no use ------------------------------------------------------------------------------------


def test_events_of_no_use_change_nothing(scene: Scene) -> None:
    caller = scene.caller()
    before = list(scene.journal.events)
    for event in ("VarSet", "Newexten", "DeviceStateChange", "Nonsense", ""):
        assert scene.say(event, *caller.keys()) == []
    assert scene.journal.events == before
    assert scene.tracker.ignored == 0


def test_events_that_name_no_channel_are_counted(scene: Scene) -> None:
    caller = scene.caller()
    own = ("Uniqueid", caller.uniqueid)
    assert scene.say("Hangup", own) == []
    assert scene.say("HangupRequest", own) == []
    assert scene.say("Newchannel", ("Channel", "PJSIP/101-1")) == []
    assert scene.say("Hangup", ("Uniqueid", "9.9"), ("Channel", "PJSIP/101-1")) == []
    assert scene.tracker.ignored == 4
    assert scene.left == (1, 1)


def test_a_dead_channel_stays_dead(scene: Scene) -> None:
    caller = scene.caller()
    leg = scene.ring(caller, "101")
    scene.gone(leg, caller)
    scene.say("Newchannel", *caller.keys())
    scene.dial(caller, leg)
    scene.enter("b1", caller, leg)
    scene.queue(caller)
    assert scene.left == (0, 0)
    assert scene.events(caller) == "SRRE"


def test_every_event_the_tracker_believes_is_checked_for_forgery() -> None:
    assert set(USUAL_KEYS) >= EVENTS
