"""Puts imported rows into our own tables: subscribers added or updated by id, their phones replaced.

Plain SELECT, DELETE, UPDATE and INSERT, so that it is the same on every database. Columns that the file does not
have stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Table, bindparam, delete, insert, select, update

from fastagi.directory.csvrow import Row
from fastagi.schema import phones, services, subscribers, tariffs

__all__ = ["store"]

AT_ONCE = 500
"""Most values in one IN (…)."""
MAIN = 0
"""Position of the service that the card shows."""


def store(connection: Connection, rows: Sequence[Row]) -> int:
    """Writes rows (at least one, each id once) inside the connection's transaction.

    Returns:
        How many of them were there already and were updated; the others were added.
    """
    known = set(_known(connection, [row.id for row in rows]))
    new = [row for row in rows if row.id not in known]
    old = [row for row in rows if row.id in known]
    _many(connection, subscribers, [row.subscriber for row in new])
    if old:
        _update(connection, old)
    _many(connection, phones, _phones(rows))
    if rows[0].service is not None:
        ids = _tariff_ids(connection, {row.service["tariff"] for row in rows if row.service})
        _many(connection, services, _services(rows, ids))
    return len(old)


def _update(connection: Connection, old: Sequence[Row]) -> None:
    changing = [name for name in old[0].subscriber if name != "id"]
    values: dict[str, BindParameter[str]] = {name: bindparam(f"new_{name}") for name in changing}
    connection.execute(
        update(subscribers).where(subscribers.c.id == bindparam("its_id")).values(values),
        [{"its_id": row.id, **{f"new_{name}": row.subscriber[name] for name in changing}} for row in old],
    )
    for ids in _slices([row.id for row in old]):
        connection.execute(delete(phones).where(phones.c.subscriber_id.in_(ids)))
        if old[0].service is not None:
            main = services.c.position == MAIN
            connection.execute(delete(services).where(services.c.subscriber_id.in_(ids), main))


def _known(connection: Connection, ids: Sequence[str]) -> Iterator[str]:
    for some in _slices(ids):
        yield from connection.scalars(select(subscribers.c.id).where(subscribers.c.id.in_(some)))


def _phones(rows: Iterable[Row]) -> list[dict[str, Any]]:
    return [{"e164": e164, "subscriber_id": row.id, "raw": raw} for row in rows for e164, raw in row.phones]


def _services(rows: Iterable[Row], tariff_ids: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "subscriber_id": row.id,
            "position": MAIN,
            "name": row.service["service"],
            "tariff_id": tariff_ids.get(row.service["tariff"] or ""),
            "status": row.service["service_status"],
        }
        for row in rows
        if row.service and any(row.service.values())
    ]


def _tariff_ids(connection: Connection, names: set[str | None]) -> dict[str, int]:
    """Returns the id of each tariff; new ones are added."""
    wanted = sorted(name for name in names if name)
    ids = _ids_of(connection, wanted)
    missing = [{"name": name} for name in wanted if name not in ids]
    _many(connection, tariffs, missing)
    return _ids_of(connection, wanted) if missing else ids


def _ids_of(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in _slices(names):
        rows = connection.execute(select(tariffs.c.name, tariffs.c.id).where(tariffs.c.name.in_(some)))
        found.update((name, id) for name, id in rows)
    return found


def _many(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _slices(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]
