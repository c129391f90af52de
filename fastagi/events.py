"""The bus contract: what an event looks like as JSON, to the letter of DESIGN.md section 6. Pure (pydantic).

Version 1. A receiver ignores keys it does not know and refuses a version it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer, ValidationError

from fastagi.calls import (
    Call,
    Caller,
    Direction,
    EventType,
    Lead,
    Match,
    Operator,
    Outcome,
    Status,
    Subscriber,
)
from fastagi.errors import BadInput

__all__ = [
    "CHANNEL",
    "VERSION",
    "CallModel",
    "Event",
    "EventModel",
    "LeadModel",
    "MatchModel",
    "SubscriberModel",
    "Time",
    "call_model",
    "decode",
    "encode",
]

VERSION: Final = 1
CHANNEL = "whocalls:events"
"""The Redis channel the events travel on."""


def _milliseconds(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(_milliseconds, return_type=str)]


class _Model(BaseModel):
    model_config = ConfigDict(from_attributes=True, frozen=True, extra="ignore")


class CallerModel(_Model):
    """The caller."""

    raw: str
    e164: str | None
    name: str | None


class SubscriberModel(_Model):
    """A subscriber; money is a decimal string."""

    id: str
    login: str | None
    name: str
    company: str | None
    deposit: str | None
    currency: str | None
    address: str | None
    tariff: str | None
    service: str | None
    service_status: str | None
    language: str | None
    url: str | None


class LeadModel(_Model):
    """A lead."""

    id: str
    name: str
    phone: str | None
    address: str | None
    url: str | None


class MatchModel(_Model):
    """Why the lookup found whom it found."""

    rule: str
    directory: str
    stale: bool


class OperatorModel(_Model):
    """Who answered."""

    sip_phone: str
    login: str | None
    name: str | None


class CallModel(_Model):
    """The whole call."""

    id: str
    version: int
    pbx: str
    direction: Direction
    status: Status
    outcome: Outcome | None
    caller: CallerModel
    called: str | None
    called_name: str | None
    queue: str | None
    waiting_seconds: int | None
    subscriber: SubscriberModel | None
    candidates: tuple[SubscriberModel, ...]
    lead: LeadModel | None
    match: MatchModel | None
    ringing: tuple[str, ...]
    operator: OperatorModel | None
    started_at: Time
    answered_at: Time | None
    ended_at: Time | None
    talk_seconds: int | None
    hangup_cause: int | None
    note: str
    edited_by: str | None
    merged_into: str | None
    recording: str | None


class EventModel(_Model):
    """An event as it travels; `seq` is null while the database is away."""

    v: Literal[1]
    seq: int | None
    type: EventType
    at: Time
    call: CallModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something happened to a call.

    `seq` orders all events of all writers; None where the database was away when it happened.
    """

    seq: int | None
    type: EventType
    at: datetime
    call: Call


def call_model(call: Call) -> CallModel:
    """Returns the call in its public form."""
    return CallModel.model_validate(call)


def encode(event: Event) -> bytes:
    """Returns the event as one line of JSON, UTF-8."""
    model = EventModel(v=VERSION, seq=event.seq, type=event.type, at=event.at, call=call_model(event.call))
    return model.model_dump_json().encode()


def decode(data: bytes) -> Event:
    """Reads an event back.

    Raises:
        BadInput: not an event, or of a version this program does not know.
    """
    try:
        model = EventModel.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "event"
        raise BadInput(f"event: {where}", first["msg"]) from None
    return Event(seq=model.seq, type=model.type, at=model.at, call=_call(model.call))


def _call(model: CallModel) -> Call:
    values = {name: getattr(model, name) for name in CallModel.model_fields}
    values["caller"] = Caller(**model.caller.model_dump())
    values["subscriber"] = model.subscriber and Subscriber(**model.subscriber.model_dump())
    values["candidates"] = tuple(Subscriber(**one.model_dump()) for one in model.candidates)
    values["lead"] = model.lead and Lead(**model.lead.model_dump())
    values["match"] = model.match and Match(**model.match.model_dump())
    values["operator"] = model.operator and Operator(**model.operator.model_dump())
    return Call(**values)
