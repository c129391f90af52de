"""Queues and follow-me, with members that are devices or Local channels."""

from ..lab import Lab
from ..recorder import Recorder
from .scene import pause, scene, talk

__all__: list[str] = []


@scene("ANSWERED by 102 from the queue sales, ended by the operator.")
def local_queue_answered(lab: Lab, tape: Recorder) -> None:
    """Queue(sales) with the members Local/101@from-queue/n and Local/102@from-queue/n, both phones ring
    for 1 s, 102 answers, talks 1.5 s and hangs up. The queue answers the channel before any phone
    rings.
    """
    tape.connect()
    call = lab.trunk_call("local_queue")
    first, second = lab.phone("101").wait_call(), lab.phone("102").wait_call()
    second.wait("ringing")
    talk(second, call)
    second.hang_up()
    first.wait("ended")


@scene("ANSWERED by 102 from the queue sales, ended by the caller.")
def local_queue_caller_hangs_up(lab: Lab, tape: Recorder) -> None:
    """As local_queue_answered, but the caller hangs up after 1.5 s of talk with 102."""
    tape.connect()
    call = lab.trunk_call("local_queue")
    lab.phone("101").wait_call()
    talk(lab.phone("102").wait_call(), call)
    call.hang_up()


@scene("ABANDONED by the caller in the queue sales. Nobody answered.")
def local_queue_abandoned(lab: Lab, tape: Recorder) -> None:
    """Queue(sales) of Local channels: both phones ring, the caller hangs up after 1.5 s of ringing."""
    tape.connect()
    call = lab.trunk_call("local_queue")
    phones = [lab.phone(name).wait_call().wait("ringing") for name in ("101", "102")]
    pause(1.5)
    call.hang_up()
    for leg in phones:
        leg.wait("ended")


@scene("NO ANSWER: the queue time ran out.")
def local_queue_timeout(lab: Lab, tape: Recorder) -> None:
    """Queue(sales) of Local channels with a queue time of 3 s: both phones ring, nobody answers, the queue
    gives up and the dialplan hangs up.
    """
    tape.connect()
    call = lab.trunk_call("local_queue_short")
    call.wait("ended", 15)


@scene("NO ANSWER: the queue time ran out.")
def queue_timeout(lab: Lab, tape: Recorder) -> None:
    """Queue(support) of three devices with a queue time of 3 s: all ring, nobody answers."""
    tape.connect()
    call = lab.trunk_call("queue_short")
    call.wait("ended", 15)


@scene("ANSWERED by 102, ended by the caller.")
def follow_me_second_answers(lab: Lab, tape: Recorder) -> None:
    """Dial(Local/anna@follow-me/n), which dials 101 for 2 s (no answer) and then 102, who answers after 1
    s and talks 1.5 s; the caller hangs up.
    """
    tape.connect()
    call = lab.trunk_call("follow_me")
    lab.phone("101").wait_call()
    talk(lab.phone("102").wait_call(), call)
    call.hang_up()


@scene("NO ANSWER (the first rang out, the second declined).")
def follow_me_nobody(lab: Lab, tape: Recorder) -> None:
    """Follow-me: 101 does not answer for 2 s, 102 rings for 1 s and declines (603)."""
    tape.connect()
    call = lab.trunk_call("follow_me")
    lab.phone("101").wait_call()
    lab.phone("102").wait_call().wait("ringing")
    pause(1)
    lab.phone("102").calls[0].reject(603)
    call.wait("ended")


def _everyone_speaks(lab: Lab) -> None:
    for phone in (lab.trunk, lab.phone("101"), lab.phone("102")):
        phone.speaks = True


@scene("ANSWERED by 102, ended by the caller.")
def follow_me_optimized(lab: Lab, tape: Recorder) -> None:
    """Dial(Local/anna@follow-me) without /n: 101 rings 2 s, 102 rings 1 s, answers and talks 1.5 s with sound,
    so that Asterisk joins trunk and 102 directly and the Local channels end in mid-call. The caller hangs up.
    """
    _everyone_speaks(lab)
    tape.connect()
    call = lab.trunk_call("follow_me_optimized")
    lab.phone("101").wait_call()
    talk(lab.phone("102").wait_call(), call)
    call.hang_up()


@scene("ANSWERED by 102 from the queue shop, ended by the operator.")
def queue_optimized(lab: Lab, tape: Recorder) -> None:
    """Queue(shop) with the members Local/101@from-queue and Local/102@from-queue without /n: both ring 1 s,
    102 answers and talks 1.5 s with sound, so that the Local channels are optimized away. 102 hangs up.
    """
    _everyone_speaks(lab)
    tape.connect()
    call = lab.trunk_call("queue_optimized")
    lab.phone("101").wait_call()
    leg = lab.phone("102").wait_call()
    talk(leg, call)
    leg.hang_up()
    call.wait("ended")
