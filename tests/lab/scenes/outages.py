"""The AMI client comes late, or Asterisk dies."""

from ..lab import Lab
from ..leg import Leg
from ..recorder import Recorder
from .scene import pause, scene, talk

__all__: list[str] = []


@scene(
    "79161234567: ANSWERED by 101, cut by the death of Asterisk. 79167654321: rang, end NOT OBSERVED. "
    "No CDR row of either."
)
def kill_in_mid_call(lab: Lab, tape: Recorder) -> None:
    """Caller 79161234567 talks with 101 (rang 1 s, talks 1.5 s). Caller 79167654321 has been ringing the
    group 101, 102, 103 for 0.5 s. kill -9 of Asterisk; 1 s later it is started again and the client
    reconnects (ami_reconnect.txt): no channels. Uniqueids begin anew with another time.
    """
    tape.connect()
    call = lab.trunk_call("one")
    talk(lab.phone("101").wait_call(), call)
    ringing = lab.trunk_call("group", from_user="79167654321")
    lab.phone("102").wait_call().wait("ringing")
    pause(0.5)
    tape.say("kill -9 of Asterisk")
    lab.asterisk.kill()
    pause(1)
    tape.say("Asterisk is started again")
    lab.asterisk.start()
    again = tape.connect("ami_reconnect")
    again.action("CoreShowChannels")
    again.wait_event("CoreShowChannelsComplete")
    _drop(call, ringing, *lab.phone("101").calls, *lab.phone("102").calls, *lab.phone("103").calls)


@scene("ANSWERED by 101, ended by the operator.")
def snapshot_while_ringing(lab: Lab, tape: Recorder) -> None:
    """The AMI client connects while 101 has been ringing for 1 s (CoreShowChannels in ami.txt; a second
    client asks Status instead, ami_status.txt). 101 answers 1 s later, talks 1.5 s and hangs up.
    """
    call = lab.trunk_call("one")
    leg = lab.phone("101").wait_call().wait("ringing")
    pause(1)
    _snapshot(tape)
    pause(1)
    leg.answer()
    call.wait("answered")
    pause(1.5)
    leg.hang_up()
    call.wait("ended")


@scene("ANSWERED by 101, ended by the caller.")
def snapshot_while_answered(lab: Lab, tape: Recorder) -> None:
    """101 rang 1 s and answered; the AMI client connects after 1 s of talk (CoreShowChannels in ami.txt,
    Status in ami_status.txt). 1 s later the caller hangs up.
    """
    call = lab.trunk_call("one")
    leg = lab.phone("101").wait_call()
    talk(leg, call, talking=1)
    _snapshot(tape)
    pause(1)
    call.hang_up()
    leg.wait("ended")


@scene("ANSWERED by 102, ended by the caller.")
def snapshot_in_queue(lab: Lab, tape: Recorder) -> None:
    """The AMI client connects while all three members of Queue(support) have been ringing for 1 s. 102
    answers 1 s later, they talk 1.5 s, the caller hangs up.
    """
    call = lab.trunk_call("queue")
    leg = lab.phone("102").wait_call().wait("ringing")
    pause(1)
    _snapshot(tape)
    pause(1)
    leg.answer()
    lab.phone("101").wait_call().wait("ended")
    pause(1.5)
    call.hang_up()
    leg.wait("ended")


@scene("ANSWERED by 102, ended by the operator.")
def snapshot_local_queue_answered(lab: Lab, tape: Recorder) -> None:
    """Queue(sales) of Local channels: 102 rang 1 s and answered; the AMI client connects after 1 s of
    talk. 1 s later 102 hangs up.
    """
    call = lab.trunk_call("local_queue")
    leg = lab.phone("102").wait_call()
    talk(leg, call, talking=1)
    _snapshot(tape)
    pause(1)
    leg.hang_up()
    call.wait("ended")


@scene("Outgoing, ANSWERED, ended by the operator.")
def snapshot_outgoing_answered(lab: Lab, tape: Recorder) -> None:
    """101 dialled 79161234567 through the trunk, it was answered after 1 s; the AMI client connects after
    1 s of talk. 1 s later 101 hangs up.
    """
    call = lab.phone("101").call("79161234567")
    leg = lab.trunk.wait_call()
    talk(leg, call, talking=1)
    _snapshot(tape)
    pause(1)
    call.hang_up()
    leg.wait("ended")


@scene("ANSWERED by 101, ended by the caller; the end was not seen over AMI, the CDR has it.")
def away_when_it_ended(lab: Lab, tape: Recorder) -> None:
    """101 rings 1 s, answers; after 1 s of talk the AMI connection is lost (ami.txt ends). The caller hangs up
    1 s later; the client comes back 0.5 s after that (ami_reconnect.txt) and finds no channels.
    """
    client = tape.connect()
    call = lab.trunk_call("one")
    leg = lab.phone("101").wait_call()
    talk(leg, call, talking=1)
    client.stop()
    tape.say("the AMI connection is lost")
    pause(1)
    call.hang_up()
    leg.wait("ended")
    lab.asterisk.wait_idle()
    pause(0.5)
    _come_back(tape)


@scene("ANSWERED by 102, ended by the operator; the answer was not seen over AMI.")
def away_when_it_was_answered(lab: Lab, tape: Recorder) -> None:
    """The group 101, 102, 103 rings; after 1 s the AMI connection is lost (ami.txt ends). 1 s later 102 answers;
    1 s later the client comes back (ami_reconnect.txt) and finds the two talking. 1 s later 102 hangs up.
    """
    client = tape.connect()
    call = lab.trunk_call("group")
    leg = lab.phone("102").wait_call().wait("ringing")
    pause(1)
    client.stop()
    tape.say("the AMI connection is lost")
    talk(leg, call, talking=1)
    _come_back(tape)
    pause(1)
    leg.hang_up()
    call.wait("ended")


def _come_back(tape: Recorder) -> None:
    again = tape.connect("ami_reconnect")
    again.action("CoreShowChannels")
    again.wait_event("CoreShowChannelsComplete")
    tape.say("the AMI client is back and has read the live channels")


def _snapshot(tape: Recorder) -> None:
    for name, action in (("ami", "CoreShowChannels"), ("ami_status", "Status")):
        client = tape.connect(name)
        client.action(action)
        client.wait_event(f"{action}Complete")
    tape.say("the AMI client has connected and read the live channels")


def _drop(*legs: Leg) -> None:
    for leg in legs:
        leg.hang_up()
