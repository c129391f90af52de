"""Menus, voicemail, announcements, phones out of reach, outgoing calls, two calls at once."""

from ..lab import OPERATORS, TRUNK_AMI, Lab
from ..recorder import Recorder
from .scene import pause, scene, talk

__all__: list[str] = []


@scene("ANSWERED by 103 from the queue support, ended by the operator.")
def ivr_then_queue_answered(lab: Lab, tape: Recorder) -> None:
    """A menu (Answer, Background(beep), WaitExten(1)); no key, so it goes on to Queue(support); all three
    ring for 1 s, 103 answers, talks 1.5 s and hangs up. The channel was Up before any phone rang.
    """
    tape.connect()
    call = lab.trunk_call("ivr_queue")
    call.wait("answered")
    lab.phone("102").wait_call().wait("ringing")
    leg = lab.phone("103").wait_call()
    talk(leg, call)
    leg.hang_up()


@scene("ABANDONED by the caller in the menu, before any phone rang.")
def ivr_caller_hangs_up(lab: Lab, tape: Recorder) -> None:
    """A menu answers the channel and waits; the caller hangs up after 1.5 s. No phone ever rang."""
    tape.connect()
    call = lab.trunk_call("ivr_wait")
    call.wait("answered")
    pause(1.5)
    call.hang_up()


@scene("NO ANSWER: voicemail only.")
def voicemail_after_no_answer(lab: Lab, tape: Recorder) -> None:
    """101 rings for 2 s and does not answer; then Answer and VoiceMail(200): the caller speaks to the
    mailbox for 2.5 s and hangs up. The channel is Up, but no person talked.
    """
    tape.connect()
    call = lab.trunk_call("voicemail")
    lab.phone("101").wait_call().wait("ended")
    call.wait("answered")
    pause(2.5)
    call.hang_up()


@scene("NO ANSWER: an announcement only, which the caller heard to its end.")
def announcement_only(lab: Lab, tape: Recorder) -> None:
    """Answer, Playback of an announcement to its end, Hangup by the dialplan. No phone ever rang."""
    tape.connect()
    call = lab.trunk_call("announcement_short")
    call.wait("answered")
    call.wait("ended", 30)


@scene("FAILED: no phone could be reached.")
def unregistered_phone(lab: Lab, tape: Recorder) -> None:
    """Dial(PJSIP/104): a phone without any contact."""
    tape.connect()
    call = lab.trunk_call("unregistered")
    call.wait("ended")


@scene("FAILED: no phone could be reached (see the DialEnd for what Asterisk makes of it).")
def switched_off_phone(lab: Lab, tape: Recorder) -> None:
    """Dial(PJSIP/105,5): a phone with a contact where nothing listens (the network refuses the packets).
    It never rings.
    """
    tape.connect()
    call = lab.trunk_call("switched_off")
    call.wait("ended", 20)


@scene("FAILED: congestion, no phone was tried.")
def congestion(lab: Lab, tape: Recorder) -> None:
    """The dialplan says Congestion(2) at once."""
    tape.connect()
    call = lab.trunk_call("congestion")
    call.wait("ended")


@scene("FAILED: no route.")
def no_such_number(lab: Lab, tape: Recorder) -> None:
    """A called number that the trunk context takes and the office does not know: the lookup runs, then
    Goto finds no extension and the channel is hung up.
    """
    tape.connect()
    call = lab.trunk_call("74951239999")
    call.wait("ended")


@scene(
    "79161234567: ANSWERED by 101, ended by the caller. 79167654321: ANSWERED by 102, ended by the operator."
)
def two_calls_at_once(lab: Lab, tape: Recorder) -> None:
    """79161234567 calls 101; while it rings, 79167654321 calls the group 101, 102, 103. 101 answers the
    first after 0.8 s, 102 the second 0.4 s later; 1 s later the first caller hangs up, 0.5 s later 102
    hangs up the second.
    """
    tape.connect()
    first = lab.trunk_call("one", from_user="79161234567")
    leg = lab.phone("101").wait_call().wait("ringing")
    second = lab.trunk_call("group", from_user="79167654321", name="Second")
    other = lab.phone("102").wait_call().wait("ringing")
    pause(0.8)
    leg.answer()
    first.wait("answered")
    pause(0.4)
    other.answer()
    second.wait("answered")
    pause(1)
    first.hang_up()
    pause(0.5)
    other.hang_up()
    second.wait("ended")


@scene("Outgoing, not answered: the operator gave up while it rang.")
def outgoing_unanswered(lab: Lab, tape: Recorder) -> None:
    """101 dials 79161234567 through the trunk; it rings for 1.5 s, 101 gives up."""
    tape.connect()
    call = lab.phone("101").call("79161234567")
    lab.trunk.wait_call().wait("ringing")
    call.wait("ringing")
    pause(1.5)
    call.hang_up()
    lab.trunk.calls[0].wait("ended")


@scene("Outgoing, busy.")
def outgoing_busy(lab: Lab, tape: Recorder) -> None:
    """101 dials 79161234567 through the trunk, which answers 486."""
    tape.connect()
    lab.trunk.busy()
    call = lab.phone("101").call("79161234567")
    call.wait("ended")


@scene("Outgoing, ANSWERED, ended by the far side.")
def outgoing_answered(lab: Lab, tape: Recorder) -> None:
    """101 dials 79161234567 through the trunk; it rings 1 s, is answered, they talk 1.5 s, the far side
    hangs up.
    """
    tape.connect()
    call = lab.phone("101").call("79161234567")
    leg = lab.trunk.wait_call()
    talk(leg, call)
    leg.hang_up()
    call.wait("ended")


@scene("ANSWERED by 101, ended by the operator.")
def ami_lookup_answered(lab: Lab, tape: Recorder) -> None:
    """The call enters at from-trunk-ami, which has no AGI line; 101 rings 1 s, answers, talks 1.5 s, hangs
    up. The trunk sent the name Пётр.
    """
    tape.connect()
    call = lab.trunk_call("one", trunk=TRUNK_AMI, name="Пётр")
    leg = lab.phone("101").wait_call()
    talk(leg, call)
    leg.hang_up()
    call.wait("ended")


@scene("BUSY: every phone was busy.")
def group_all_busy(lab: Lab, tape: Recorder) -> None:
    """Dial(PJSIP/101&PJSIP/102&PJSIP/103): all three answer 486."""
    for name in OPERATORS:
        lab.phone(name).busy()
    tape.connect()
    lab.trunk_call("group").wait("ended")


@scene("NO ANSWER: every phone declined.")
def group_all_declined(lab: Lab, tape: Recorder) -> None:
    """Dial(PJSIP/101&PJSIP/102&PJSIP/103): all three ring 1 s and decline (603)."""
    for name in OPERATORS:
        lab.phone(name).declines(after=1)
    tape.connect()
    lab.trunk_call("group").wait("ended")


@scene("ABANDONED by the caller; one phone was busy, two rang.")
def group_one_busy_then_abandoned(lab: Lab, tape: Recorder) -> None:
    """Dial(PJSIP/101&PJSIP/102&PJSIP/103): 101 is busy, 102 and 103 ring; the caller hangs up after 1.5 s."""
    lab.phone("101").busy()
    tape.connect()
    call = lab.trunk_call("group")
    lab.phone("103").wait_call().wait("ringing")
    pause(1.5)
    call.hang_up()
    call.wait("ended")


@scene("ANSWERED by 102 (picked up), ended by 102.")
def pickup_by_group(lab: Lab, tape: Recorder) -> None:
    """101 rings; after 1 s 102 dials *8 (group pick-up), talks 1.5 s and hangs up."""
    tape.connect()
    call = lab.trunk_call("one")
    lab.phone("101").wait_call().wait("ringing")
    pause(1)
    picker = lab.phone("102").call("*8")
    picker.wait("answered")
    call.wait("answered")
    pause(1.5)
    picker.hang_up()
    call.wait("ended")


@scene(
    "The honest call: ANSWERED by 101, ended by the operator 2 s after the forged Hangup. The attacker's call: "
    "BUSY, nothing of it may touch the other."
)
def forged_hangup_in_number(lab: Lab, tape: Recorder) -> None:
    """79161234567 talks with 101. After 1 s an attacker calls 102 (busy) through the trunk without AGI; his From
    user holds CR LF CR LF "Event: Hangup" CR LF "Uniqueid: " and the Uniqueid of the honest call, so that the
    AMI stream shows a message that Asterisk never meant. 2 s later 101 hangs up.
    """
    client = tape.connect()
    call = lab.trunk_call("one")
    leg = lab.phone("101").wait_call()
    talk(leg, call, talking=1)
    victim = client.wait_event("Newchannel")["Uniqueid"]
    lab.phone("102").busy()
    forged = f"7%0d%0a%0d%0aEvent%3a%20Hangup%0d%0aUniqueid%3a%20{victim}"
    lab.trunk_call("102_direct", from_user=forged, trunk=TRUNK_AMI).wait("ended")
    pause(2)
    leg.hang_up()
    call.wait("ended")
