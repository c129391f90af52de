"""Calls that Asterisk opens on command (click-to-call, call-back), transfers by the keys of a phone, refusals."""

from ..ami import AmiClient
from ..lab import TRUNK_AMI, Lab
from ..recorder import Recorder
from .scene import pause, scene, talk

__all__: list[str] = []

CUSTOMER = "79161234567"


def _command(lab: Lab, action: str, **keys: str) -> None:
    """Sends an action from a client of its own, so that the recording holds events only."""
    client = AmiClient(lab.ports.ami).start()
    client.action(action, **keys)
    client.stop()


def _originate(lab: Lab, channel: str, context: str, exten: str, **keys: str) -> None:
    _command(
        lab, "Originate", Channel=channel, Context=context, Exten=exten, Priority="1", Async="true", **keys
    )


def _press(lab: Lab, phone: str, keys: str) -> None:
    """Presses keys as if the phone had sent them; Asterisk reads them one by one."""
    channel = next(name for name in lab.asterisk.channels() if name.startswith(f"PJSIP/{phone}-"))
    for key in keys:
        _command(lab, "PlayDTMF", Channel=channel, Digit=key, Receive="true", Duration="100")
        pause(0.2)


@scene("Outgoing, ANSWERED: 101 talked with the customer, who hung up.")
def originate_phone_first(lab: Lab, tape: Recorder) -> None:
    """Action Originate with PJSIP/101: it rings 0.5 s, answers, and dials 79161234567 through the trunk, which
    rings 1 s, answers, talks 1.5 s and hangs up.
    """
    tape.connect()
    _originate(lab, "PJSIP/101", "from-internal", CUSTOMER, CallerID="101")
    leg = lab.phone("101").wait_call()
    pause(0.5)
    leg.answer()
    talk(lab.trunk.wait_call(), leg)
    lab.trunk.calls[0].hang_up()
    leg.wait("ended")


@scene("Outgoing, ANSWERED: 101 talked with the customer and hung up.")
def originate_local_first(lab: Lab, tape: Recorder) -> None:
    """Action Originate with Local/101@from-internal, as click-to-call does: 101 rings 0.5 s and answers, then
    79161234567 is dialled through the trunk, rings 1 s, answers, talks 1.5 s; 101 hangs up.
    """
    tape.connect()
    _originate(lab, "Local/101@from-internal", "from-internal", CUSTOMER, CallerID="101")
    leg = lab.phone("101").wait_call()
    pause(0.5)
    leg.answer()
    talk(lab.trunk.wait_call(), leg)
    leg.hang_up()
    lab.trunk.calls[0].wait("ended")


@scene("Outgoing, ANSWERED by 101, ended by the customer.")
def originate_customer_first(lab: Lab, tape: Recorder) -> None:
    """Action Originate with PJSIP/79161234567@trunk, as a call-back does: the customer answers after 0.5 s, then
    101 rings 1 s, answers, talks 1.5 s; the customer hangs up.
    """
    tape.connect()
    _originate(lab, f"PJSIP/{CUSTOMER}@trunk", "office", "74951230001")
    customer = lab.trunk.wait_call()
    pause(0.5)
    customer.answer()
    leg = lab.phone("101").wait_call()
    talk(leg, customer)
    customer.hang_up()
    leg.wait("ended")


@scene("Outgoing, NO ANSWER: the phone of the operator rang and was never picked up.")
def originate_phone_does_not_answer(lab: Lab, tape: Recorder) -> None:
    """Action Originate with PJSIP/101 and a time limit of 1.5 s: 101 rings and nobody answers."""
    tape.connect()
    _originate(lab, "PJSIP/101", "from-internal", CUSTOMER, Timeout="1500")
    lab.phone("101").wait_call().wait("ended")


@scene("ANSWERED by 101, attended transfer by keys to 102, ended by the caller.")
def attended_transfer_by_keys(lab: Lab, tape: Recorder) -> None:
    """101 answers after 1 s and presses *2 102; Asterisk calls 102 through a Local channel, the two talk 1 s,
    101 hangs up, caller and 102 talk 1.5 s, the caller hangs up.
    """
    tape.connect()
    call = lab.trunk_call("one")
    leg = lab.phone("101").wait_call()
    talk(leg, call, talking=1)
    _press(lab, "101", "*2102")
    second = lab.phone("102").wait_call()
    pause(0.5)
    second.answer()
    pause(1)
    leg.hang_up()
    pause(1.5)
    call.hang_up()
    second.wait("ended")


@scene("ANSWERED by 101, transferred by keys to 102 while it rang; 102 answered, the caller hung up.")
def attended_transfer_by_keys_while_ringing(lab: Lab, tape: Recorder) -> None:
    """101 answers after 1 s, presses *2 102 and hangs up while 102 rings; 1 s later 102 answers and talks 1.5 s
    with the caller, who hangs up.
    """
    tape.connect()
    call = lab.trunk_call("one")
    leg = lab.phone("101").wait_call()
    talk(leg, call, talking=1)
    _press(lab, "101", "*2102")
    second = lab.phone("102").wait_call()
    pause(0.5)
    leg.hang_up()
    pause(1)
    second.answer()
    pause(1.5)
    call.hang_up()
    second.wait("ended")


@scene("BUSY: the dialplan refused the caller with Busy, no phone was tried.")
def refused_with_busy(lab: Lab, tape: Recorder) -> None:
    """The dialplan says Busy(2) at once."""
    tape.connect()
    lab.asterisk.cli("dialplan add extension 74951230090,1,Busy,2 into from-trunk-ami")
    lab.trunk_call("74951230090", trunk=TRUNK_AMI).wait("ended")


@scene("ANSWERED by 101, ended by the caller in the survey after it.")
def survey_after_the_call(lab: Lab, tape: Recorder) -> None:
    """Dial with option g: 101 rings 1 s, talks 1 s and hangs up; the caller stays in the dialplan and hangs up
    1 s later.
    """
    tape.connect()
    lab.asterisk.cli('dialplan add extension 74951230091,1,Dial,"PJSIP/101,20,g" into from-trunk-ami')
    lab.asterisk.cli("dialplan add extension 74951230091,2,Wait,30 into from-trunk-ami")
    call = lab.trunk_call("74951230091", trunk=TRUNK_AMI)
    leg = lab.phone("101").wait_call()
    talk(leg, call, talking=1)
    leg.hang_up()
    pause(1)
    call.hang_up()
