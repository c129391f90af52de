"""The values everybody speaks in: a call and its parts. Pure; no library, no clock.

Times are timezone-aware UTC datetimes. Money is a decimal string ("-12.50"). A value that is not known is
None, never an empty string that means two things. Names follow DESIGN.md section 6, "Call".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

__all__ = [
    "Call",
    "Caller",
    "Direction",
    "EventType",
    "Lead",
    "LookupStatus",
    "Match",
    "Operator",
    "Outcome",
    "Status",
    "Subscriber",
    "call_id",
    "is_live",
]


class Status(StrEnum):
    """Where a call stands. The PBX sets it until a person does."""

    RINGING = "ringing"
    IN_PROCESSING = "in_processing"
    PROCESSED = "processed"
    NOT_PROCESSED = "not_processed"


class Outcome(StrEnum):
    """How a call ended; a live call has none."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    ABANDONED = "abandoned"
    FAILED = "failed"
    NOT_OBSERVED = "not_observed"


class Direction(StrEnum):
    """Seen from the call centre."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"
    INTERNAL = "internal"


class LookupStatus(StrEnum):
    """What a lookup came to; the value of the channel variable LOOKUP_STATUS."""

    FOUND = "FOUND"
    MULTIPLE = "MULTIPLE"
    LEAD = "LEAD"
    UNKNOWN = "UNKNOWN"
    WITHHELD = "WITHHELD"
    SKIPPED = "SKIPPED"
    TIMEOUT = "TIMEOUT"
    ERROR = "ERROR"


class EventType(StrEnum):
    """The types of events on the bus."""

    STARTED = "call.started"
    RINGING = "call.ringing"
    ANSWERED = "call.answered"
    TRANSFERRED = "call.transferred"
    MERGED = "call.merged"
    ENDED = "call.ended"
    UPDATED = "call.updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who rings, as the trunk said (`raw`), as a number (`e164`) and as the name to show."""

    raw: str = ""
    e164: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A customer as the directory knows them.

    `operator` is the SIP phone of the operator responsible for them. It goes to the dialplan
    (SUBSCRIBER_OPERATOR) and is no part of the events.
    """

    id: str
    name: str
    login: str | None = None
    company: str | None = None
    deposit: str | None = None
    currency: str | None = None
    address: str | None = None
    tariff: str | None = None
    service: str | None = None
    service_status: str | None = None
    language: str | None = None
    url: str | None = None
    operator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """A potential customer, not yet a subscriber."""

    id: str
    name: str
    phone: str | None = None
    address: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Why the lookup found whom it found: the rule ("e164", "internal") and the directory.

    `stale` says the card came from a snapshot because the source was away.
    """

    rule: str
    directory: str
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Who answered. `login` and `name` are None where the SIP phone is nobody's."""

    sip_phone: str
    login: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: one row, one card, from first ring through transfers to the end.

    `version` grows by one with each write; a receiver keeps the highest. Two fields stay in the journal
    and are no part of the events: `lookup`, what the last lookup came to (None where none was made), and
    `status_by`, the login of the person who set the status by hand (then the PBX sets it no more).
    """

    id: str
    pbx: str
    version: int = 0
    direction: Direction = Direction.INCOMING
    status: Status = Status.RINGING
    outcome: Outcome | None = None
    caller: Caller = field(default_factory=Caller)
    called: str | None = None
    called_name: str | None = None
    queue: str | None = None
    waiting_seconds: int | None = None
    subscriber: Subscriber | None = None
    candidates: tuple[Subscriber, ...] = ()
    lead: Lead | None = None
    match: Match | None = None
    lookup: LookupStatus | None = None
    ringing: tuple[str, ...] = ()
    operator: Operator | None = None
    started_at: datetime
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    talk_seconds: int | None = None
    hangup_cause: int | None = None
    note: str = ""
    edited_by: str | None = None
    status_by: str | None = None
    merged_into: str | None = None
    recording: str | None = None

    def with_(self, **changes: object) -> Call:
        """Returns a copy with these fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


def is_live(call: Call) -> bool:
    """Says whether the call still goes on (its end was neither seen nor settled)."""
    return call.ended_at is None and call.outcome is None


def call_id(pbx: str, uniqueid: str) -> str:
    """Returns the identity of a call: PBX name and Uniqueid of the channel that opened it."""
    return f"{pbx}:{uniqueid}"
