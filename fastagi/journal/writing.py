"""The transaction that writes changes: rows, status history, events and the counter, all or nothing.

It begins by locking the counter's row, so writers of several processes go one after the other. Therefore a
call's versions have no gap, and whoever reads an event has all events with a lower seq before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Insert, bindparam, func, insert, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite

from fastagi.calls import Call, Operator
from fastagi.changes import Change, Edited, Observed, apply
from fastagi.engines import is_poison, told
from fastagi.events import Event, encode
from fastagi.journal.rows import from_row, to_row
from fastagi.journal.spool import Batch
from fastagi.schema import calls, counters, events, operator_phones, operators, status_history

__all__ = ["SPOOL", "Rejected", "write", "write_what_goes_in"]

SEQ = "seq"
SPOOL = "spool:"
"""Counters of this prefix say how far the journal has a file of the spool; the file's name follows."""
CHUNK = 500
"""Most values in one IN list."""

# Statements are built once: building costs as much as running them.
_LAST_SEQ = select(counters.c.value).where(counters.c.name == SEQ).with_for_update()
_MOVE_SEQ = update(counters).where(counters.c.name == SEQ).values(value=bindparam("last"))
_ROWS = select(calls).where(calls.c.id.in_(bindparam("ids", expanding=True)))
_OPERATORS = (
    select(operator_phones.c.sip_phone, operators.c.login, operators.c.name)
    .join(operators, operators.c.login == operator_phones.c.login)
    .where(operator_phones.c.sip_phone.in_(bindparam("phones", expanding=True)), operators.c.active)
    .order_by(operator_phones.c.since, operators.c.login)
)
_INSERT_EVENTS = insert(events)
_INSERT_HISTORY = insert(status_history)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A change that the database cannot take, and what it said."""

    change: Change
    reason: str


def write(connection: Connection, changes: Sequence[Change]) -> list[Event]:
    """Writes changes in order and returns their events. Of a `Batch`, what the journal has is left out.

    Args:
        connection: in its transaction.
        changes: fitted ones.
    """
    last = _lock(connection)
    written = _write(connection, _not_yet_written(connection, changes), last)
    _remember(connection, changes, written)
    return written


def write_what_goes_in(
    connection: Connection, changes: Sequence[Change]
) -> tuple[list[Event], list[Rejected]]:
    """Writes changes like `write`, but without those that the database refuses.

    Halves are tried behind savepoints until each refused change is alone; one costs about twenty statements.
    A counter that lags behind the events (somebody restored one of the tables) is moved on first: it would
    make every change look refused.
    """
    last = max(_lock(connection), _highest(connection))
    written, rejected = _halve(connection, _not_yet_written(connection, changes), last)
    _remember(connection, changes, written)
    return written, rejected


def _halve(
    connection: Connection, changes: Sequence[Change], last: int
) -> tuple[list[Event], list[Rejected]]:
    try:
        with connection.begin_nested():
            return _write(connection, changes, last), []
    except Exception as error:
        if not is_poison(error):
            raise
        if len(changes) == 1:
            return [], [Rejected(changes[0], told(error))]
    middle = len(changes) // 2
    first, rejected_first = _halve(connection, changes[:middle], last)
    second, rejected_second = _halve(connection, changes[middle:], last + len(first))
    return first + second, rejected_first + rejected_second


# -- counters ---------------------------------------------------------------------------------------------


def _lock(connection: Connection) -> int:
    """Locks the counter until the transaction ends and returns the last seq given."""
    last: int | None = connection.scalar(_LAST_SEQ)
    if last is None:
        # Somebody emptied the table. Two writers at once: the second meets the first's row and tries again.
        last = _highest(connection)
        connection.execute(insert(counters).values(name=SEQ, value=last))
    return last


def _highest(connection: Connection) -> int:
    return connection.scalar(select(func.max(events.c.seq))) or 0


def _not_yet_written(connection: Connection, changes: Sequence[Change]) -> Sequence[Change]:
    if not isinstance(changes, Batch):
        return changes
    query = select(counters.c.value).where(counters.c.name == SPOOL + changes.file)
    have = connection.scalar(query) or 0
    return [change for change, at in zip(changes, changes.positions, strict=True) if at > have]


def _remember(connection: Connection, changes: Sequence[Change], written: Sequence[Event]) -> None:
    """Moves the counters on, to the last seq given and to the end of a batch."""
    if written:
        connection.execute(_MOVE_SEQ, {"last": written[-1].seq})
    if isinstance(changes, Batch):
        name = SPOOL + changes.file
        moved = update(counters).where(counters.c.name == name).values(value=changes.positions[-1])
        if not connection.execute(moved).rowcount:
            connection.execute(insert(counters).values(name=name, value=changes.positions[-1]))


# -- rows, history, events --------------------------------------------------------------------------------


@dataclass(slots=True)
class _Written:
    """What a group of changes comes to, before any of it is sent to the database."""

    rows: dict[str, Call]
    changed: dict[str, None] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)


def _write(connection: Connection, changes: Sequence[Change], last: int) -> list[Event]:
    if not changes:
        return []
    result = _fold(
        changes,
        rows=_rows(connection, {change.id for change in changes}),
        people=_operators(connection, changes),
        last=last,
    )
    if result.events:
        connection.execute(
            _upsert(connection.dialect.name), [to_row(result.rows[id]) for id in result.changed]
        )
        connection.execute(_INSERT_EVENTS, [_event_row(event) for event in result.events])
    if result.history:
        connection.execute(_INSERT_HISTORY, result.history)
    return result.events


def _fold(
    changes: Sequence[Change], *, rows: dict[str, Call], people: Mapping[str, Operator], last: int
) -> _Written:
    result = _Written(rows)

    def operator_of(phone: str) -> Operator:
        return people.get(phone) or Operator(sip_phone=phone)

    for change in changes:
        before = rows.get(change.id)
        applied = apply(before, change, operator_of)
        if applied is None:
            continue
        call, kind = applied
        rows[change.id] = call
        result.changed[change.id] = None
        last += 1
        result.events.append(Event(seq=last, type=kind, at=change.at, call=call))
        if before is None or before.status is not call.status:
            result.history.append(_history_row(before, call, change))
    return result


def _history_row(before: Call | None, call: Call, change: Change) -> dict[str, Any]:
    return {
        "call_id": call.id,
        "at": change.at,
        "by": change.by if isinstance(change, Edited) else None,
        "before": None if before is None else before.status.value,
        "after": call.status.value,
    }


def _event_row(event: Event) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "at": event.at,
        "type": event.type.value,
        "call_id": event.call.id,
        "body": encode(event).decode(),
    }


def _rows(connection: Connection, ids: Iterable[str]) -> dict[str, Call]:
    found: dict[str, Call] = {}
    for chunk in _chunks(sorted(ids)):
        for row in connection.execute(_ROWS, {"ids": chunk}).mappings():
            found[row["id"]] = from_row(row)
    return found


def _operators(connection: Connection, changes: Sequence[Change]) -> dict[str, Operator]:
    """Returns whose each phone is; a phone of several operators is the latest one's."""
    phones = {change.operator for change in changes if isinstance(change, Observed) and change.operator}
    people: dict[str, Operator] = {}
    for chunk in _chunks(sorted(phones)):
        for phone, login, name in connection.execute(_OPERATORS, {"phones": chunk}):
            people[phone] = Operator(sip_phone=phone, login=login, name=name)
    return people


def _chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[at : at + CHUNK] for at in range(0, len(values), CHUNK))


@lru_cache
def _upsert(dialect: str) -> Insert:
    """Returns the statement that inserts a row or replaces all of it."""
    names = [column.name for column in calls.c if not column.primary_key]
    if dialect == "mysql":
        into = mysql.insert(calls)
        return into.on_duplicate_key_update({name: into.inserted[name] for name in names})
    other = postgresql.insert(calls) if dialect == "postgresql" else sqlite.insert(calls)
    return other.on_conflict_do_update(
        index_elements=[calls.c.id], set_={name: other.excluded[name] for name in names}
    )
