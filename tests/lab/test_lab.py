"""The lab itself: every scenario of the office rings the phones it should, and ends as it should."""

from pathlib import Path

import pytest

from tests.lab.agi import AgiServer
from tests.lab.asterisk import Asterisk, LabMissing
from tests.lab.lab import OPERATORS, TRUNK_AMI, Lab
from tests.lab.ports import free_port
from tests.lab.recorder import Recorder
from tests.lab.sipp import Caller

pytestmark = pytest.mark.lab

NASTY_NAME = 'Жуков "Ж" \\ (ООО), <b>;tag=1'


@pytest.fixture
def agi(lab: Lab) -> AgiServer:
    return lab.agi_server({"CALLERID(name)": NASTY_NAME, "LOOKUP_STATUS": "FOUND"}).start()


# -- one phone ------------------------------------------------------------------------------------------


def test_the_phone_shows_the_name_that_the_agi_server_gave(lab: Lab, agi: AgiServer) -> None:
    call = lab.call("one")
    leg = lab.phone("101").wait_call()
    assert (leg.name, leg.number) == (NASTY_NAME, "79161234567")
    leg.answer()
    call.wait_answered()
    leg.hang_up()
    assert call.wait().ended_by == "them"
    assert agi.requests[0]["agi_dnid"] == "74951230001"
    assert agi.requests[0]["agi_arg_1"] == agi.requests[0]["agi_uniqueid"]


def test_the_caller_hangs_up(lab: Lab) -> None:
    lab.phone("101").answers(after=0.1)
    call = lab.call("one", hangs_up_after=0.2).wait()
    assert (call.final, call.ended_by) == (200, "us")
    assert lab.phone("101").calls[0].wait("ended").ended_by == "them"


def test_the_office_works_without_anybody_at_the_agi_port(lab: Lab) -> None:
    call = lab.trunk_call("one", name="As the trunk gave it")
    assert lab.phone("101").wait_call().name == "As the trunk gave it"
    call.hang_up()
    assert call.wait("ended").final == 487


def test_nobody_answers(lab: Lab) -> None:
    call = lab.call("one_short").wait()
    assert (call.statuses, call.ended_by) == ([100, 180, 603], "them")


def test_busy(lab: Lab) -> None:
    lab.phone("101").busy()
    assert lab.call("one").wait().final == 486


def test_declined(lab: Lab) -> None:
    lab.phone("101").declines()
    assert lab.call("one").wait().final == 403


def test_the_caller_gives_up(lab: Lab) -> None:
    call = lab.call("one", gives_up_after=1).wait()
    assert (call.final, call.ended_by) == (487, "us")
    assert lab.phone("101").calls[0].wait("ended").final == 487


@pytest.mark.parametrize(
    ("did", "final"), [("unregistered", 404), ("switched_off", 603), ("congestion", 503)]
)
def test_out_of_reach(lab: Lab, did: str, final: int) -> None:
    assert lab.call(did).wait().final == final
    assert not lab.phone("101").calls


# -- several phones -------------------------------------------------------------------------------------


def test_ring_group(lab: Lab, agi: AgiServer) -> None:
    call = lab.trunk_call("group")
    legs = [lab.phone(name).wait_call() for name in OPERATORS]
    assert {leg.name for leg in legs} == {NASTY_NAME}
    legs[1].answer()
    call.wait("answered")
    assert [leg.wait("ended").final for leg in (legs[0], legs[2])] == [487, 487]
    call.hang_up()
    assert legs[1].wait("ended").ended_by == "them"


@pytest.mark.parametrize(
    ("did", "phones"), [("queue", OPERATORS), ("local_queue", ("101", "102")), ("ivr_queue", OPERATORS)]
)
def test_queues(lab: Lab, agi: AgiServer, did: str, phones: tuple[str, ...]) -> None:
    call = lab.trunk_call(did)
    legs = [lab.phone(name).wait_call() for name in phones]
    assert {leg.name for leg in legs} == {NASTY_NAME}
    assert call.wait("answered").times["answered"] < legs[0].times["new"], "a queue answers before any phone"
    legs[1].answer()
    legs[0].wait("ended")
    legs[1].hang_up()
    assert call.wait("ended").ended_by == "them"


@pytest.mark.parametrize("did", ["queue_short", "local_queue_short"])
def test_queue_time_runs_out(lab: Lab, did: str) -> None:
    call = lab.call(did).wait()
    assert (call.final, call.ended_by) == (200, "them")
    assert [leg.wait("ended").final for leg in lab.phone("101").calls] == [487]


def test_follow_me(lab: Lab, agi: AgiServer) -> None:
    call = lab.trunk_call("follow_me")
    assert lab.phone("101").wait_call().wait("ended").final == 487
    leg = lab.phone("102").wait_call()
    assert leg.name == NASTY_NAME
    leg.answer()
    call.wait("answered").hang_up()
    leg.wait("ended")


def test_local_channels_are_optimized_away_once_people_speak(lab: Lab) -> None:
    for phone in (lab.trunk, lab.phone("102")):
        phone.speaks = True
    client = lab.ami().start()
    call = lab.trunk_call("queue_optimized")
    lab.phone("102").wait_call().answer()
    client.wait_event("LocalOptimizationEnd")
    client.wait_event("Hangup", Channel="Local/102")
    lab.asterisk.wait_bridged()
    assert sorted(name.partition("-")[0] for name in lab.asterisk.channels()) == ["PJSIP/102", "PJSIP/trunk"]
    call.hang_up()


# -- no person at the other end --------------------------------------------------------------------------


def test_voicemail(lab: Lab) -> None:
    call = lab.trunk_call("voicemail")
    call.wait("answered")
    assert lab.phone("101").calls[0].wait("ended").final == 487
    lab.asterisk.wait_application("VoiceMail")
    call.hang_up()


def test_announcement(lab: Lab) -> None:
    call = lab.call("announcement_short").wait()
    assert (call.final, call.ended_by) == (200, "them")


def test_menu_that_the_caller_leaves(lab: Lab) -> None:
    call = lab.call("ivr_wait", hangs_up_after=0.3).wait()
    assert (call.final, call.ended_by) == (200, "us")


# -- what the lookup's variables and the two trunks do -----------------------------------------------------


def test_routed_to_the_operator_of_the_subscriber(lab: Lab, agi: AgiServer) -> None:
    agi.answer = {"SUBSCRIBER_OPERATOR": "103", "LOOKUP_STATUS": "FOUND"}
    call = lab.trunk_call("routed")
    lab.phone("103").wait_call().answer()
    call.wait("answered")
    assert not lab.phone("101").calls


def test_routed_to_the_queue_without_an_operator(lab: Lab, agi: AgiServer) -> None:
    agi.answer = {"SUBSCRIBER_OPERATOR": "", "LOOKUP_STATUS": "UNKNOWN"}
    lab.trunk_call("routed")
    for name in OPERATORS:
        lab.phone(name).wait_call()


def test_variables_are_read_back(lab: Lab, agi: AgiServer) -> None:
    agi.answer = {"SUBSCRIBER_NAME": NASTY_NAME, "LOOKUP_STATUS": "FOUND"}
    reader = lab.variable_reader("SUBSCRIBER_NAME", "LOOKUP_STATUS", "NEVER_SET").start()
    lab.trunk_call("read_back")
    lab.phone("101").wait_call()
    assert reader.values == [{"SUBSCRIBER_NAME": NASTY_NAME, "LOOKUP_STATUS": "FOUND", "NEVER_SET": ""}]


def test_the_dialplan_asks_where_it_is_told(lab: Lab, agi: AgiServer) -> None:
    other = AgiServer(free_port(), {"CALLERID(name)": "From elsewhere", "LOOKUP_STATUS": "FOUND"}).start()
    try:
        lab.asterisk.ask_agi_at(other.port)
        lab.trunk_call("one")
        assert lab.phone("101").wait_call().name == "From elsewhere"
    finally:
        other.stop()
    assert not agi.requests


def test_the_other_trunk_asks_no_agi_server(lab: Lab, agi: AgiServer) -> None:
    call = lab.trunk_call("one", trunk=TRUNK_AMI, name="Пётр")
    assert lab.phone("101").wait_call().name == "Пётр"
    assert not agi.requests
    call.hang_up()


def test_callers_as_they_come(lab: Lab, agi: AgiServer) -> None:
    agi.answer = {"LOOKUP_STATUS": "UNKNOWN"}
    lab.phone("101").busy()
    hidden = {"name": "Anonymous", "from_host": "anonymous.invalid", "header": "Privacy: id"}
    lab.call("one", "anonymous", **hidden).wait()
    lab.call("one", "").wait()
    lab.call("one", "+79161234567", name="Пётр").wait()
    lab.call("one", "7%0aagi_x%3a%201").wait()
    seen = [(request["agi_callerid"], request["agi_calleridname"]) for request in agi.requests]
    assert seen[:3] == [("anonymous", "Anonymous"), ("unknown", "unknown"), ("+79161234567", "Пётр")]
    assert "agi_x" not in agi.requests[3], "the dialplan strips line ends before it asks"


# -- outgoing, pick-up, transfers ------------------------------------------------------------------------


def test_outgoing(lab: Lab) -> None:
    call = lab.phone("101").call("79161234567")
    leg = lab.trunk.wait_call()
    assert leg.number == "74951230001"
    leg.answer()
    call.wait("answered")
    leg.hang_up()
    assert call.wait("ended").ended_by == "them"


@pytest.mark.parametrize("code", ["**101", "*8"])
def test_pick_up(lab: Lab, code: str) -> None:
    call = lab.trunk_call("one")
    leg = lab.phone("101").wait_call().wait("ringing")
    picker = lab.phone("102").call(code)
    picker.wait("answered")
    call.wait("answered")
    assert leg.wait("ended").final == 487
    picker.hang_up()
    assert call.wait("ended").ended_by == "them"


def test_blind_transfer(lab: Lab, agi: AgiServer) -> None:
    call = lab.trunk_call("one")
    leg = lab.phone("101").wait_call()
    leg.answer()
    call.wait("answered")
    lab.asterisk.wait_bridged()
    leg.transfer("102")
    second = lab.phone("102").wait_call()
    assert second.name == NASTY_NAME
    second.answer()
    assert leg.wait_transferred() == 200
    call.hang_up()
    assert second.wait("ended").ended_by == "them"


def test_attended_transfer(lab: Lab) -> None:
    call = lab.trunk_call("one")
    leg = lab.phone("101").wait_call()
    leg.answer()
    call.wait("answered")
    consultation = lab.phone("101").call("102")
    second = lab.phone("102").wait_call()
    second.answer()
    consultation.wait("answered")
    lab.asterisk.wait_bridged(4)
    leg.transfer_to_call(consultation)
    assert leg.wait_transferred() == 200
    consultation.wait("ended")
    second.hang_up()
    assert call.wait("ended").ended_by == "them"


def test_attended_transfer_into_an_older_call(lab: Lab) -> None:
    client = lab.ami().start()
    older = lab.phone("101").call("102")
    second = lab.phone("102").wait_call()
    second.answer()
    older.wait("answered")
    call = lab.trunk_call("one")
    leg = lab.phone("101").wait_call()
    leg.answer()
    call.wait("answered")
    lab.asterisk.wait_bridged(4)
    leg.transfer_to_call(older)
    assert leg.wait_transferred() == 200
    begun = client.events("Newchannel")[0]["Linkedid"]
    client.wait_event("BridgeEnter", Channel="PJSIP/trunk", Linkedid=begun)
    call.hang_up()
    second.wait("ended")


# -- SIPp phones and load ----------------------------------------------------------------------------------


def test_sipp_phone_answers_and_hangs_up(lab: Lab, agi: AgiServer) -> None:
    phone = lab.sipp_answers("101", after=0.2, hangs_up_after=0.3)
    call = lab.call("one").wait()
    assert (call.final, call.ended_by) == (200, "them")
    assert phone.wait_invite().caller.name == NASTY_NAME


def test_sipp_phone_rings_until_the_caller_gives_up(lab: Lab) -> None:
    phone = lab.sipp_rings("101")
    assert lab.call("one", gives_up_after=1).wait().final == 487
    assert len(phone.invites) == 1


@pytest.mark.parametrize(("status", "final"), [("486 Busy Here", 486), ("603 Decline", 403)])
def test_sipp_phone_refuses(lab: Lab, status: str, final: int) -> None:
    lab.sipp_refuses("101", status)
    assert lab.call("one").wait().final == final


def test_sipp_phone_transfers(lab: Lab, agi: AgiServer) -> None:
    lab.sipp_transfers("101", "102", talks=0.5)
    second = lab.sipp_answers("102", after=0.2, hangs_up_after=0.3)
    assert lab.call("one").wait().ended_by == "them"
    assert second.wait_invite().caller.name == NASTY_NAME


def test_sipp_phone_picks_up(lab: Lab) -> None:
    phone = lab.sipp_rings("101")
    call = lab.call("one")
    phone.wait_invite()
    picker = lab.call("**101", "102", host="127.0.0.1", hangs_up_after=1.5).wait()
    assert (picker.final, call.wait().final) == (200, 200)


def test_load(lab: Lab, agi: AgiServer) -> None:
    agi.answer = {"LOOKUP_STATUS": "UNKNOWN"}
    phone = lab.sipp_answers("101", after=0.05)
    callers = [Caller(f"7916{number:07}") for number in range(60)]
    statistics = lab.load("one", callers, rate=40, calls=60, talks=0.2).wait(timeout=30)
    assert (statistics["SuccessfulCall(C)"], statistics["FailedCall(C)"]) == ("60", "0")
    assert {invite.caller.user for invite in phone.invites} == {caller.user for caller in callers}


def test_sipp_cannot_inject_a_semicolon() -> None:
    with pytest.raises(ValueError, match="semicolon"):
        Caller(name="a;b").row("127.0.0.2")


# -- Asterisk's own life -----------------------------------------------------------------------------------


def test_restart_and_kill(lab: Lab) -> None:
    lab.trunk_call("one")
    lab.phone("101").wait_call()
    lab.asterisk.restart()
    assert lab.asterisk.channels() == []
    lab.trunk_call("one")
    lab.phone("101").wait_call(2)
    lab.asterisk.kill()
    assert not lab.asterisk.running
    lab.asterisk.start()
    assert lab.asterisk.channels() == []


def test_two_labs_side_by_side(lab: Lab) -> None:
    other = Lab()
    try:
        other.start()
        for each in (lab, other):
            each.trunk_call("one", name=f"port {each.ports.sip}")
        for each in (lab, other):
            assert each.phone("101").wait_call().name == f"port {each.ports.sip}"
    finally:
        other.stop()


def test_the_product_manager_account_may_log_in(lab: Lab) -> None:
    client = lab.ami(*lab.asterisk.manager_account).start()
    assert client.wait_event("FullyBooted")["Status"] == "Fully Booted"


def test_a_missing_asterisk_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHOCALLS_LAB", str(tmp_path))
    with pytest.raises(LabMissing, match="run scripts/lab"):
        Asterisk().start()


def test_recorder(lab: Lab, agi: AgiServer, tmp_path: Path) -> None:
    tape = Recorder(lab, tmp_path / "20_x", agi.transcript)
    tape.connect()
    lab.trunk_call("one")
    lab.phone("101").wait_call().reject(603)
    tape.finish("101 declines.", "NO ANSWER")
    texts = {file.name: file.read_text() for file in (tmp_path / "20_x").iterdir()}
    assert sorted(texts) == ["agi.txt", "ami.txt", "cdr.csv", "notes.md", "times.txt"]
    assert texts["ami.txt"].startswith("Asterisk Call Manager/")
    assert texts["ami.txt"].count("Event: Hangup\n") == len(lab.phone("101").calls) + 1
    assert "> EXEC MSet" in texts["agi.txt"]
    assert "NO ANSWER" in texts["cdr.csv"] and "101 declines." in texts["notes.md"]
