"""Transfers by REFER, blind and attended."""

from ..lab import Lab
from ..recorder import Recorder
from .scene import pause, scene, talk

__all__: list[str] = []


@scene(
    "The outside call: ANSWERED by 101, attended transfer to 102, ended by the caller. The internal "
    "call was merged into it."
)
def attended_transfer_into_older_call(lab: Lab, tape: Recorder) -> None:
    """101 talks with 102 (internal call, the older one). An outside caller rings 101 for 1 s on the second
    line, 101 answers and talks 1 s, then REFERs the caller into the internal call with Replaces. Caller
    and 102 talk 1.5 s, the caller hangs up.
    """
    tape.connect()
    older = lab.phone("101").call("102")
    lab.phone("102").wait_call().wait("ringing")
    pause(0.5)
    lab.phone("102").calls[0].answer()
    older.wait("answered")
    pause(1)
    call = lab.trunk_call("one")
    leg = lab.phone("101").wait_call()
    talk(leg, call, ring=1, talking=1)
    leg.transfer_to_call(older)
    leg.wait_transferred()
    pause(1.5)
    call.hang_up()
    lab.phone("102").calls[0].wait("ended")


@scene("ANSWERED by 101, attended transfer to 102, ended by 102.")
def attended_transfer(lab: Lab, tape: Recorder) -> None:
    """101 answers an outside call after 1 s, talks 1 s, calls 102 on the second line (rings 0.5 s, they
    talk 1 s) and REFERs with Replaces. Caller and 102 talk 1.5 s, 102 hangs up.
    """
    tape.connect()
    call = lab.trunk_call("one")
    leg = lab.phone("101").wait_call()
    talk(leg, call, ring=1, talking=1)
    consultation = lab.phone("101").call("102")
    lab.phone("102").wait_call().wait("ringing")
    talk(lab.phone("102").calls[0], consultation, ring=0.5, talking=1)
    leg.transfer_to_call(consultation)
    leg.wait_transferred()
    pause(1.5)
    lab.phone("102").calls[0].hang_up()
    call.wait("ended")


@scene("ANSWERED by 101; the transfer to 102 was not answered, the caller hung up.")
def blind_transfer_second_does_not_answer(lab: Lab, tape: Recorder) -> None:
    """101 answers after 1 s, talks 1 s and transfers blindly to 102, which rings for 1.5 s until the
    caller hangs up.
    """
    tape.connect()
    call = lab.trunk_call("one")
    leg = lab.phone("101").wait_call()
    talk(leg, call, ring=1, talking=1)
    leg.transfer("102")
    lab.phone("102").wait_call().wait("ringing")
    pause(1.5)
    call.hang_up()


@scene("ANSWERED by 101, transferred blindly to the queue, where 103 answered; ended by 103.")
def blind_transfer_to_queue(lab: Lab, tape: Recorder) -> None:
    """101 answers after 1 s, talks 1 s and transfers blindly to 200, the Queue(support). 102 and 103 ring 1 s
    (101 too, it is free again), 103 answers, talks 1.5 s and hangs up.
    """
    tape.connect()
    call = lab.trunk_call("one")
    leg = lab.phone("101").wait_call()
    talk(leg, call, talking=1)
    leg.transfer("200")
    second = lab.phone("103").wait_call().wait("ringing")
    lab.phone("102").wait_call().wait("ringing")
    pause(1)
    second.answer()
    second.wait("answered")
    pause(1.5)
    second.hang_up()
    call.wait("ended")
