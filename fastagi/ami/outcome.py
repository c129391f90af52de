"""How a call ended: the outcome table of DESIGN.md section 6, and what each row of it rests on. Pure.

The rules, in order; the first that fits decides.

1. An operator's phone was bridged with the caller: **answered**, whatever came later.
2. Asterisk hung up because it was stopped: **not_observed** (nobody knows what would have come of it).
3. The caller hung up while a phone rang, in a queue, or before any phone was tried (lookup, menu,
   announcement): **abandoned**. The sign is a HangupRequest of the channel that opened the call. Asterisk
   writes one too when the dialplan refuses the caller (Congestion, Busy); it comes in state Busy or with a SIP
   answer other than 487 and does not count. Its cause says nothing: that of a busy phone sticks to the caller's channel
   (tests/captures/20_group_one_busy_then_abandoned). Nor does QueueCallerAbandon: a queue that gives up
   sends it as well (tests/captures/20_queue_timeout).
4. Phones were tried, and after that the PBX itself took the call (voicemail, announcement): **no_answer**,
   whoever hung up then. It shows in a channel that is Up at the end and was not when the last phone gave up,
   or in a caller who hangs up although no phone rings.
5. No phone tried could be reached (CHANUNAVAIL, CONGESTION, or one that never rang and never replied):
   **failed**. All that could be were busy: **busy**. Else (rang out, declined, picked up and put down before
   the caller heard anybody): **no_answer**.
6. No phone was tried and the PBX ended the call: after a queue **no_answer** (its time ran out); refused with
   busy **busy**; refused with congestion, no route or the like, or never answered at all **failed**; else it
   was an announcement or a menu that came to its end: **no_answer**.

Where we did not see all of the call (it was read from a list of live channels, or events were missed), the
cause of the caller's Hangup speaks before rules 4 to 6, by the measured table of FACTS.md B6: 17 busy, 21
declined, 127 cancelled by the caller, 0 of an answered channel hung up by the caller, 3, 34 and their like
failed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fastagi.calls import Outcome, Status

__all__ = ["UNREACHED", "Trail", "judge", "judge_unseen", "result_of_cause"]

UNREACHED: Final = frozenset({"CHANUNAVAIL", "CONGESTION", "INVALIDARGS"})
"""Results of a dialled leg that mean: this phone could not be reached."""

_BUSY: Final = 17
_DECLINED: Final = 21
_CANCELLED: Final = 127
# Q.850: unallocated, no route (2), subscriber absent, destination out of order, no circuit, network out of
# order, temporary failure, switch congestion, access discarded, no channel, bearer not available.
_FAILED: Final = frozenset({1, 2, 3, 20, 27, 34, 38, 41, 42, 43, 44, 58})


@dataclass(slots=True)
class Trail:
    """What is known of a call that nobody has answered yet.

    Attributes:
        results: of the dialled phones, each one's first DialEnd.
        link_results: the same of dialled Local channels; they count where no phone was tried.
        dialled: a phone was tried.
        gave_up: the caller hung up as rule 3 says.
        stopped: Asterisk hung up because it stops.
        queued: the caller was in a queue.
        up: the opening channel was Up when it ended.
        up_before: it was Up when the last phone gave up.
        cause: of the opening channel's Hangup; None where there was none.
        hangup_seen: the caller's HangupRequest was seen, and rule 3 applied to it.
        complete: we saw all of it.
    """

    results: set[str] = field(default_factory=set)
    link_results: set[str] = field(default_factory=set)
    dialled: bool = False
    gave_up: bool = False
    stopped: bool = False
    queued: bool = False
    up: bool = False
    up_before: bool = False
    cause: int | None = None
    hangup_seen: bool = False
    complete: bool = True


def judge(trail: Trail, *, answered: bool) -> tuple[Status, Outcome]:
    """Returns status and outcome of a call whose end was seen."""
    if answered:
        return Status.PROCESSED, Outcome.ANSWERED
    return Status.NOT_PROCESSED, _unanswered(trail)


def judge_unseen(*, answered: bool, died: bool) -> tuple[Status, Outcome]:
    """Returns status and outcome of a call that ended while nobody looked.

    Args:
        answered: an operator had answered it.
        died: Asterisk stopped or died in mid-call; else we were away.
    """
    status = Status.PROCESSED if answered else Status.NOT_PROCESSED
    return status, Outcome.ANSWERED if answered and died else Outcome.NOT_OBSERVED


def result_of_cause(cause: int | None) -> str:
    """Returns what a DialEnd would have said of a leg that hung up without one."""
    if cause == _BUSY:
        return "BUSY"
    return "CHANUNAVAIL" if cause in _FAILED else "NOANSWER"


def _unanswered(trail: Trail) -> Outcome:
    if trail.stopped:
        return Outcome.NOT_OBSERVED
    if trail.gave_up:
        return Outcome.ABANDONED
    if not trail.complete and (told := _of_cause(trail)):
        return told
    results = trail.results or trail.link_results
    if not results:
        return _nothing_tried(trail)
    if trail.up and not trail.up_before:
        return Outcome.NO_ANSWER
    reached = results - UNREACHED
    if not reached:
        return Outcome.FAILED
    return Outcome.BUSY if reached == {"BUSY"} else Outcome.NO_ANSWER


def _of_cause(trail: Trail) -> Outcome | None:
    if trail.cause == _BUSY:
        return Outcome.BUSY
    if trail.cause in _FAILED:
        return Outcome.FAILED
    if trail.cause == _DECLINED:
        return Outcome.NO_ANSWER
    if not trail.hangup_seen and _caller_ended(trail):
        return Outcome.ABANDONED
    return None if trail.results or trail.link_results else Outcome.NO_ANSWER


def _caller_ended(trail: Trail) -> bool:
    """Says whether the cause is one of a caller who gave up: a CANCEL, or a BYE to a queue or a menu."""
    waited = trail.queued or not trail.dialled
    return trail.cause == _CANCELLED or (trail.cause == 0 and trail.up and waited)


def _nothing_tried(trail: Trail) -> Outcome:
    if trail.queued:
        return Outcome.NO_ANSWER
    if trail.cause == _BUSY:
        return Outcome.BUSY
    if trail.up and trail.cause not in _FAILED:
        return Outcome.NO_ANSWER
    return Outcome.FAILED
