"""Between calls and rows of the table `calls`; and values made to fit their columns.

A caller's name may have any length and any character. Here it is cleaned before a database sees it: NUL and
half surrogates, which PostgreSQL and UTF-8 refuse, and what is longer than its column. So no caller can make
a write fail.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

from sqlalchemy import Column, RowMapping, String

from fastagi.calls import (
    Call,
    Caller,
    Direction,
    Lead,
    LookupStatus,
    Match,
    Operator,
    Outcome,
    Status,
    Subscriber,
)
from fastagi.schema import calls, leads, services, subscribers, tariffs

__all__ = ["clean", "fitted", "from_row", "reversed_digits", "to_row"]

T = TypeVar("T")

NOTE_LIMIT = 10_000
"""Most characters of a note."""
LIST_LIMIT = 20
"""Most candidates, and most phones that ring, which a row keeps."""
BIGGEST = 2**31 - 1
"""What an INTEGER column takes."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_NO_DIGIT = re.compile("[^0-9]+")


def _length(column: Column[Any]) -> int:
    assert isinstance(column.type, String) and column.type.length is not None
    return column.type.length


_CALL = {
    "id": _length(calls.c.id),
    "pbx": _length(calls.c.pbx),
    "called": _length(calls.c.called),
    "called_name": _length(calls.c.called_name),
    "queue": _length(calls.c.queue),
    "operator": _length(calls.c.operator_phone),
    "ringing": _length(calls.c.operator_phone),
    "merged_into": _length(calls.c.merged_into),
    "by": _length(calls.c.edited_by),
    "note": NOTE_LIMIT,
}
# Class of the value to the longest text of each field; a field that is not named has DEFAULT.
_LIMITS: dict[str, dict[str, int]] = {
    "LookedUp": _CALL,
    "Observed": _CALL,
    "Edited": _CALL,
    "Caller": {
        "raw": _length(calls.c.caller_raw),
        "e164": _length(calls.c.caller_e164),
        "name": _length(calls.c.caller_name),
    },
    "Subscriber": {
        "id": _length(calls.c.subscriber_id),
        "tariff": _length(tariffs.c.name),
        "service": _length(services.c.name),
        "service_status": _length(services.c.status),
        **{
            name: _length(subscribers.c[name])
            for name in ("name", "login", "company", "deposit", "address", "language", "url", "operator")
        },
    },
    "Lead": {name: _length(leads.c[name]) for name in ("id", "name", "phone", "address", "url")},
}
DEFAULT = 64


def clean(text: str, limit: int) -> str:
    """Returns the text without what no database stores, cut on a character."""
    if _UNSTORABLE.search(text):
        text = _UNSTORABLE.sub(lambda found: "" if found[0] == "\0" else "\ufffd", text)
    return text[:limit] if len(text) > limit else text


def fitted(value: T) -> T:
    """Returns a change (or a part of one) that every column can take; the same object where it fits."""
    limits = _LIMITS.get(type(value).__name__, {})
    different = {}
    for field in fields(value):  # type: ignore[arg-type]
        old = getattr(value, field.name)
        new = _fit(old, limits.get(field.name, DEFAULT))
        if new is not old:
            different[field.name] = new
    return replace(value, **different) if different else value  # type: ignore[type-var]


def _fit(value: Any, limit: int) -> Any:
    if value is None or isinstance(value, Enum | bool):
        return value
    if isinstance(value, str):
        return clean(value, limit)
    if isinstance(value, int):
        return value if -BIGGEST <= value <= BIGGEST else max(-BIGGEST, min(value, BIGGEST))
    if isinstance(value, tuple):
        new = tuple(_fit(one, limit) for one in value[:LIST_LIMIT])
        return value if new == value else new
    return fitted(value) if is_dataclass(value) else value


def reversed_digits(number: str | None) -> str | None:
    """Returns the digits of a number backwards, its last 32 at most: "ends with" becomes "begins with"."""
    digits = _NO_DIGIT.sub("", number or "")[::-1][: _length(calls.c.caller_reversed)]
    return digits or None


def to_row(call: Call) -> dict[str, Any]:
    """Returns the row of a call; its texts must fit already."""
    operator = call.operator
    return {
        "id": call.id,
        "pbx": call.pbx,
        "version": call.version,
        "direction": call.direction.value,
        "status": call.status.value,
        "outcome": call.outcome and call.outcome.value,
        "caller_raw": call.caller.raw,
        "caller_e164": call.caller.e164,
        "caller_name": call.caller.name,
        "caller_reversed": reversed_digits(call.caller.e164 or call.caller.raw),
        "called": call.called,
        "called_name": call.called_name,
        "called_reversed": reversed_digits(call.called),
        "queue": call.queue,
        "waiting_seconds": call.waiting_seconds,
        "subscriber_id": call.subscriber and call.subscriber.id,
        "subscriber": _known(call.subscriber),
        "candidates": [_known(one) for one in call.candidates] or None,
        "lead": _known(call.lead),
        "match": _known(call.match),
        "lookup": call.lookup and call.lookup.value,
        "ringing": list(call.ringing) or None,
        "operator_phone": operator and operator.sip_phone,
        "operator_login": operator and operator.login,
        "operator_name": operator and operator.name,
        "started_at": call.started_at,
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
        "talk_seconds": call.talk_seconds,
        "hangup_cause": call.hangup_cause,
        "note": call.note,
        "edited_by": call.edited_by,
        "status_by": call.status_by,
        "merged_into": call.merged_into,
        "recording": call.recording,
    }


def from_row(row: RowMapping) -> Call:
    """Returns the call of a row."""
    return Call(
        id=row["id"],
        pbx=row["pbx"],
        version=row["version"],
        direction=Direction(row["direction"]),
        status=Status(row["status"]),
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        caller=Caller(raw=row["caller_raw"], e164=row["caller_e164"], name=row["caller_name"]),
        called=row["called"],
        called_name=row["called_name"],
        queue=row["queue"],
        waiting_seconds=row["waiting_seconds"],
        subscriber=_value(Subscriber, row["subscriber"]),
        candidates=tuple(Subscriber(**_kept(Subscriber, one)) for one in row["candidates"] or ()),
        lead=_value(Lead, row["lead"]),
        match=_value(Match, row["match"]),
        lookup=LookupStatus(row["lookup"]) if row["lookup"] else None,
        ringing=tuple(row["ringing"] or ()),
        operator=_operator(row),
        started_at=row["started_at"],
        answered_at=row["answered_at"],
        ended_at=row["ended_at"],
        talk_seconds=row["talk_seconds"],
        hangup_cause=row["hangup_cause"],
        note=row["note"],
        edited_by=row["edited_by"],
        status_by=row["status_by"],
        merged_into=row["merged_into"],
        recording=row["recording"],
    )


def _operator(row: RowMapping) -> Operator | None:
    phone = row["operator_phone"]
    if phone is None:
        return None
    return Operator(sip_phone=phone, login=row["operator_login"], name=row["operator_name"])


def _known(value: Subscriber | Lead | Match | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {field.name: one for field in fields(value) if (one := getattr(value, field.name)) is not None}


def _value(kind: type[T], stored: dict[str, Any] | None) -> T | None:
    return None if stored is None else kind(**_kept(kind, stored))


def _kept(kind: type[Any], stored: dict[str, Any]) -> dict[str, Any]:
    """Leaves out what a newer whocalls stored and this one does not know."""
    names = {field.name for field in fields(kind)}
    return {name: one for name, one in stored.items() if name in names}
