"""The journal's queries: pages of calls by key, history, and what the events table holds.

A page begins behind the last call of the page before (started_at, id), never at a number of rows, so that the
thousandth page costs what the first does. Totals are counted to 10,000 and then said to be more.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Text, and_, cast, func, or_, select

from fastagi.calls import Call, Status
from fastagi.errors import BadInput
from fastagi.events import Event, decode
from fastagi.interfaces import CallPage, CallQuery, EventRange, StatusChange
from fastagi.journal.rows import DEFAULT, clean, from_row, reversed_digits
from fastagi.schema import calls, counters, events, status_history

__all__ = ["call", "event_range", "events_after", "history", "open_calls", "page"]

EXACT = 10_000
"""Totals are exact up to here."""
LIMIT = 1000
"""Most calls on a page, and most events at once."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Condition = ColumnElement[bool]

log = structlog.get_logger("whocalls.journal")


def call(connection: Connection, id: str) -> Call | None:
    """Returns one call, merged ones too."""
    row = connection.execute(select(calls).where(calls.c.id == clean(id, len(id)))).mappings().first()
    return None if row is None else from_row(row)


def open_calls(connection: Connection, pbx: str) -> list[Call]:
    """Returns the live calls of a PBX, oldest first."""
    query = (
        select(calls)
        .where(
            calls.c.outcome.is_(None),
            calls.c.ended_at.is_(None),
            calls.c.merged_into.is_(None),
            calls.c.pbx == pbx,
        )
        .order_by(calls.c.started_at, calls.c.id)
    )
    return [from_row(row) for row in connection.execute(query).mappings()]


def history(connection: Connection, id: str) -> list[StatusChange]:
    """Returns who changed the status of a call, oldest first."""
    query = (
        select(status_history)
        .where(status_history.c.call_id == clean(id, len(id)))
        .order_by(status_history.c.id)
    )
    return [
        StatusChange(
            at=row["at"],
            by=row["by"],
            before=Status(row["before"]) if row["before"] else None,
            after=Status(row["after"]),
        )
        for row in connection.execute(query).mappings()
    ]


# -- events -----------------------------------------------------------------------------------------------


def events_after(connection: Connection, seq: int, limit: int) -> list[Event]:
    """Returns events with a higher seq, lowest first, at most 1000."""
    query = (
        select(events.c.seq, events.c.body)
        .where(events.c.seq > seq)
        .order_by(events.c.seq)
        .limit(max(0, min(limit, LIMIT)))
    )
    return [event for at, body in connection.execute(query) if (event := _decoded(at, body))]


def _decoded(seq: int, body: str) -> Event | None:
    try:
        return decode(body.encode())
    except BadInput as error:
        # As after a step back to an older whocalls: the others must not wait for it.
        log.error("an event of the table cannot be read", seq=seq, reason=str(error))
        return None


def event_range(connection: Connection) -> EventRange:
    """Returns the lowest and highest seq there is, in one statement: both belong to one moment."""
    lowest = select(func.min(events.c.seq)).scalar_subquery()
    highest = select(func.max(events.c.seq)).scalar_subquery()
    given = select(counters.c.value).where(counters.c.name == "seq").scalar_subquery()
    first, last, counter = connection.execute(select(lowest, highest, given)).one()
    return EventRange(first=first or 0, last=last or counter or 0)


# -- pages ------------------------------------------------------------------------------------------------


def page(connection: Connection, query: CallQuery) -> CallPage:
    """Returns a page of calls, newest first; merged ones are left out.

    Raises:
        BadInput: the cursor is not one of ours, the number has no digit, a time has no zone.
    """
    limit = max(1, min(query.limit, LIMIT))
    behind = [] if query.cursor is None else [_behind(query.cursor)]
    counted = connection.scalar(_count(_conditions(query, by_index=True))) or 0
    # What more than EXACT calls have in common is soon met by walking from the newest; the index of an OR
    # would fetch and sort all of them.
    conditions = _conditions(query, by_index=counted <= EXACT)
    statement = (
        select(calls)
        .where(*conditions, *behind)
        .order_by(calls.c.started_at.desc(), calls.c.id.desc())
        .limit(limit + 1)
    )
    rows = connection.execute(statement).mappings().all() if counted else []
    return CallPage(
        items=tuple(from_row(row) for row in rows[:limit]),
        total=min(counted, EXACT),
        total_exact=counted <= EXACT,
        next=_cursor(rows[limit - 1]) if len(rows) > limit else None,
    )


def _count(conditions: Sequence[_Condition]) -> Any:
    found = select(calls.c.id).where(*conditions).limit(EXACT + 1).subquery()
    return select(func.count()).select_from(found)


def _conditions(query: CallQuery, *, by_index: bool) -> list[_Condition]:
    """Returns what a call must meet, and steers the planner, which knows nothing of our values.

    Args:
        query: the filters.
        by_index: True lets operator or number find the rows, where one is asked for; everything else is then
            only looked at. False walks from the newest or follows status or outcome.
    """
    narrow = by_index and (query.operator is not None or query.number is not None)
    conditions: list[_Condition] = [calls.c.merged_into.is_(None)]
    if query.status is not None:
        conditions.append(_column("status", not narrow) == query.status.value)
    if query.outcome is not None:
        conditions.append(_column("outcome", not narrow) == query.outcome.value)
    if query.id is not None:
        conditions.append(calls.c.id == clean(query.id, len(query.id)))
    if query.since is not None:
        conditions.append(_column("started_at", not narrow) >= _zoned("since", query.since))
    if query.until is not None:
        conditions.append(_column("started_at", not narrow) < _zoned("until", query.until))
    if query.recognised is not None:
        known = _column("subscriber_id", not narrow)
        conditions.append(known.is_not(None) if query.recognised else known.is_(None))
    if query.operator is not None:
        who = clean(query.operator, DEFAULT)
        columns = ("operator_login", "operator_phone")
        conditions.append(or_(*(_column(name, by_index) == who for name in columns)))
    if query.number is not None:
        low, high = _ending(query.number)
        columns = ("caller_reversed", "called_reversed")
        conditions.append(or_(*(_column(name, by_index).between(low, high) for name in columns)))
    if query.sip_phones is not None:
        # Calls that nobody answered are many: whatever else is asked for finds the rows better.
        phones = [clean(phone, DEFAULT) for phone in query.sip_phones]
        theirs = func.coalesce(calls.c.operator_phone, "").in_(["", *phones])
        conditions.append(or_(theirs, *(_rings_at(phone) for phone in phones)))
    return conditions


def _rings_at(phone: str) -> _Condition:
    """Says whether a live call rings at this phone, as one does that somebody transfers there.

    The phones are looked for as the text that the JSON list has. Taking the phone out and asking whether the text
    became shorter tells letters' case on every database, and no sign in it is special; LIKE offers neither.
    """
    ringing = cast(calls.c.ringing, Text)
    without = func.replace(ringing, json.dumps(phone), "")
    return and_(
        calls.c.ended_at.is_(None), calls.c.outcome.is_(None), func.length(without) < func.length(ringing)
    )


def _column(name: str, by_index: bool) -> ColumnElement[Any]:
    """Returns a column as it is, or in a form that no index serves."""
    column: ColumnElement[Any] = calls.c[name]
    return column if by_index else func.coalesce(column, column)


def _ending(number: str) -> tuple[str, str]:
    """Returns the least and the greatest reversed number that end like this one.

    Strings of digits sort alike in every collation, so this serves every database; LIKE would not use an
    index on PostgreSQL.
    """
    digits = reversed_digits(number)
    if digits is None:
        raise BadInput("number", "needs at least one digit")
    longest = 32
    return digits, digits + "9" * (longest - len(digits))


def _zoned(name: str, value: datetime) -> datetime:
    if value.tzinfo is None:
        raise BadInput(name, "needs a time zone, for example 2026-11-23T08:00:00Z")
    return value


def _cursor(row: Any) -> str:
    """Returns where the next page begins: opaque, fit for an address."""
    moment = (row["started_at"] - _EPOCH) // timedelta(milliseconds=1)
    return urlsafe_b64encode(f"{moment}:{row['id']}".encode()).decode().rstrip("=")


def _behind(cursor: str) -> _Condition:
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, id = text.split(":", 1)
        started = _EPOCH + timedelta(milliseconds=int(moment))
    except (ValueError, OverflowError, binascii.Error):
        raise BadInput("cursor", "is not one that a page gave; ask for the first page again") from None
    earlier = calls.c.started_at < started
    return and_(calls.c.started_at <= started, or_(earlier, calls.c.id < clean(id, len(id))))
