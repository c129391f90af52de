"""What can happen to a call, and what it changes in the row. Pure.

Each change owns some fields of the row and touches no others (DESIGN.md section 4): a lookup owns caller,
subscriber, candidates, lead and match; AMI owns the rest; a person owns status and note once they set them.
Whoever comes first starts the call, the other updates it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fastagi.calls import (
    Call,
    Caller,
    Direction,
    EventType,
    Lead,
    LookupStatus,
    Match,
    Operator,
    Outcome,
    Status,
    Subscriber,
)

__all__ = ["Change", "Edited", "LookedUp", "Observed", "apply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """A lookup came to a result; `called` is used only where it opens the row.

    `hostile` says that the session which asked turned out to be forged: what it told before is void.
    """

    id: str
    pbx: str
    at: datetime
    lookup: LookupStatus
    caller: Caller
    called: str | None = None
    called_name: str | None = None
    direction: Direction = Direction.INCOMING
    subscriber: Subscriber | None = None
    candidates: tuple[Subscriber, ...] = ()
    lead: Lead | None = None
    match: Match | None = None
    hostile: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """All that AMI knows of a call now: a snapshot of the fields AMI owns, and the event it means.

    `operator` is the SIP phone. `caller` is the channel's own number and name; it is written only while no
    lookup has said who it is.
    """

    id: str
    pbx: str
    at: datetime
    type: EventType
    direction: Direction
    status: Status
    started_at: datetime
    caller: Caller
    outcome: Outcome | None = None
    called: str | None = None
    called_name: str | None = None
    queue: str | None = None
    waiting_seconds: int | None = None
    ringing: tuple[str, ...] = ()
    operator: str | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    talk_seconds: int | None = None
    hangup_cause: int | None = None
    merged_into: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A person changed the call; None means: left as it was."""

    id: str
    pbx: str
    at: datetime
    by: str
    status: Status | None = None
    note: str | None = None


Change = LookedUp | Observed | Edited

# A lookup that failed tells nothing; it never replaces one that told something.
_TELLS_NOTHING = (LookupStatus.TIMEOUT, LookupStatus.ERROR)


def apply(
    call: Call | None, change: Change, operator_of: Callable[[str], Operator]
) -> tuple[Call, EventType] | None:
    """Returns the row after the change and the event to send.

    Args:
        call: the row as it is, or None where there is none.
        change: what happened.
        operator_of: SIP phone to operator.

    Returns:
        The new row with its version grown by one, and the type of its event; None where the change
        changes nothing (an edit of a call nobody knows, a late failure of a lookup, what nobody saw of a
        call that is settled, anything of one that was merged).
    """
    match change:
        case LookedUp():
            return _looked_up(call, change)
        case Observed():
            return _observed(call, change, operator_of)
        case Edited():
            return _edited(call, change)


def _looked_up(call: Call | None, change: LookedUp) -> tuple[Call, EventType] | None:
    if call is None:
        call = Call(
            id=change.id,
            pbx=change.pbx,
            direction=change.direction,
            called=change.called,
            called_name=change.called_name,
            started_at=change.at,
        )
    elif call.lookup is not None and change.lookup in _TELLS_NOTHING and not change.hostile:
        return None
    kind = EventType.STARTED if call.version == 0 else EventType.UPDATED
    nameless = change.hostile or (change.lookup in _TELLS_NOTHING and not change.caller.raw)
    return call.with_(
        version=call.version + 1,
        caller=Caller(raw=call.caller.raw) if nameless else change.caller,
        lookup=change.lookup,
        subscriber=change.subscriber,
        candidates=change.candidates,
        lead=change.lead,
        match=change.match,
    ), kind


def _observed(
    call: Call | None, change: Observed, operator_of: Callable[[str], Operator]
) -> tuple[Call, EventType] | None:
    if call is not None and call.merged_into is not None:
        # What became of it stands in the other row. A process that began after the merging may see its
        # opening channel for a moment and take it for a call.
        return None
    if call is not None and call.outcome is not None and _saw_nothing(change):
        # Whoever settles what nobody saw may come while the true end is on its way to the row.
        return None
    first = call is None
    if call is None:
        call = Call(id=change.id, pbx=change.pbx, started_at=change.started_at)
    kind = EventType.STARTED if first else change.type
    if kind is EventType.STARTED and not first:
        kind = EventType.UPDATED
    return call.with_(
        version=call.version + 1,
        direction=change.direction,
        status=change.status if call.status_by is None else call.status,
        outcome=change.outcome,
        caller=call.caller if call.lookup and call.caller.raw else change.caller,
        called=change.called or call.called,
        called_name=change.called_name or call.called_name,
        queue=change.queue,
        waiting_seconds=change.waiting_seconds,
        ringing=change.ringing,
        operator=_operator(call.operator, change.operator, operator_of),
        started_at=min(call.started_at, change.started_at),
        answered_at=change.answered_at,
        ended_at=change.ended_at,
        talk_seconds=change.talk_seconds,
        hangup_cause=change.hangup_cause,
        merged_into=change.merged_into,
    ), kind


def _saw_nothing(change: Observed) -> bool:
    return change.outcome is Outcome.NOT_OBSERVED and change.ended_at is None


def _operator(
    known: Operator | None, sip_phone: str | None, operator_of: Callable[[str], Operator]
) -> Operator | None:
    """Keeps who it was when they answered: the phone may be somebody else's by the end of the call."""
    if sip_phone is None:
        return None
    if known is not None and known.sip_phone == sip_phone:
        return known
    return operator_of(sip_phone)


def _edited(call: Call | None, change: Edited) -> tuple[Call, EventType] | None:
    if call is None:
        return None
    return call.with_(
        version=call.version + 1,
        status=call.status if change.status is None else change.status,
        status_by=call.status_by if change.status is None else change.by,
        note=call.note if change.note is None else change.note,
        edited_by=change.by,
    ), EventType.UPDATED
