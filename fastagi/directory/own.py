"""Our own tables as a directory: one indexed statement for a subscriber, a second one only for a lead.

SQLite is asked on the loop's own thread over the kept connection, through the driver's cursor: 8 µs a lookup
among a thousand subscribers and 15 µs among a million, where SQLAlchemy's own execution adds 12 µs and a thread
100 µs (measured). Other databases are asked on a thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, bindparam, literal_column, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError

from fastagi.calls import Lead, Match, Subscriber
from fastagi.database import Database
from fastagi.directory.money import money
from fastagi.engines import told
from fastagi.errors import DatabaseUnavailable, DirectoryUnavailable
from fastagi.interfaces import Found
from fastagi.numbers import Kind, Number
from fastagi.schema import leads, phones, services, subscribers, tariffs

__all__ = ["ACTIVE", "OwnDirectory"]

ACTIVE = frozenset(
    {"active", "enabled", "on", "активен", "активна", "включен", "включена", "активний", "увімкнено"}
)
"""States of a service that rank its subscriber first among several under one number, in lower case."""
CANDIDATES = 20
"""Most subscribers under one number."""
READ = 100
"""Most rows read to rank them; it keeps a number that thousands share from holding the loop."""

# The number is the only parameter (SQLite's dialect would add one for an offset left out), so that the same text
# serves the driver's own cursor.
_PEOPLE = (
    select(
        subscribers.c.id,
        subscribers.c.name,
        subscribers.c.login,
        subscribers.c.company,
        subscribers.c.deposit,
        subscribers.c.address,
        tariffs.c.name,
        services.c.name,
        services.c.status,
        subscribers.c.language,
        subscribers.c.url,
        subscribers.c.operator,
    )
    .select_from(
        phones.join(subscribers, subscribers.c.id == phones.c.subscriber_id)
        .outerjoin(
            services,
            (services.c.subscriber_id == subscribers.c.id) & (services.c.position == literal_column("0")),
        )
        .outerjoin(tariffs, tariffs.c.id == services.c.tariff_id)
    )
    .where(phones.c.e164 == bindparam("e164"))
    .order_by(phones.c.subscriber_id.desc())
    .limit(literal_column(str(READ)))
    .offset(literal_column("0"))
)
_LEADS = (
    select(leads.c.id, leads.c.name, leads.c.phone, leads.c.address, leads.c.url)
    .where(leads.c.e164 == bindparam("e164"))
    .order_by(leads.c.created_at.desc())
    .limit(literal_column("1"))
    .offset(literal_column("0"))
)
_PEOPLE_SQLITE = str(_PEOPLE.compile(dialect=sqlite.dialect()))
_LEADS_SQLITE = str(_LEADS.compile(dialect=sqlite.dialect()))

Rows = Sequence[Sequence[Any]]


class OwnDirectory:
    """The subscribers and leads of our own database (interfaces.Directory).

    Args:
        database: where they are.
        name: in the configuration and in `match.directory`.
        subscriber_url: link to a subscriber's page, "{id}" stands for the identifier.
        currency: of every deposit.
    """

    def __init__(
        self, database: Database, name: str, *, subscriber_url: str | None, currency: str | None
    ) -> None:
        self._database = database
        self._name = name
        self._subscriber_url = subscriber_url
        self._currency = currency
        self._match = Match(rule="e164", directory=name)

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self._name

    async def find(self, number: Number) -> Found | None:
        """Returns who has the number: active services first, then the newest id; a lead where it is nobody's.

        Raises:
            DirectoryUnavailable: the database is away or locked, or did not answer in time.
        """
        if number.kind is not Kind.E164:
            return None
        kept = self._database.keyed()
        try:
            if kept is not None:
                people, candidates = _read_kept(kept, number.value)
            else:
                people, candidates = await self._database.read(partial(_read, number.value))
        except DatabaseUnavailable as error:
            raise DirectoryUnavailable(self._name, str(error)) from error
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise DirectoryUnavailable(self._name, told(error)) from error
        if people:
            return Found(subscribers=tuple(map(self._subscriber, _ranked(people))), match=self._match)
        return Found(lead=_lead(candidates[0]), match=self._match) if candidates else None

    def _subscriber(self, row: Sequence[Any]) -> Subscriber:
        id, name, login, company, deposit, address, tariff, service, status, language, url, operator = row
        amount = money(deposit) if deposit else None
        return Subscriber(
            id=id,
            name=name,
            login=login or None,
            company=company or None,
            deposit=amount,
            currency=self._currency if amount is not None else None,
            address=address or None,
            tariff=tariff or None,
            service=service or None,
            service_status=status or None,
            language=language or None,
            url=_link(url) or self._page(id),
            operator=operator or None,
        )

    def _page(self, id: str) -> str | None:
        # Most ids are plain digits, and quoting costs as much as reading a row.
        plain = id if id.isascii() and id.isalnum() else quote(id, safe="")
        return self._subscriber_url.replace("{id}", plain) if self._subscriber_url else None


def _read_kept(kept: Connection, e164: str) -> tuple[Rows, Rows]:
    cursor = kept.connection.cursor()
    people = cursor.execute(_PEOPLE_SQLITE, (e164,)).fetchall()
    return people, () if people else cursor.execute(_LEADS_SQLITE, (e164,)).fetchall()


def _read(e164: str, connection: Connection) -> tuple[Rows, Rows]:
    people = connection.execute(_PEOPLE, {"e164": e164}).fetchall()
    return people, () if people else connection.execute(_LEADS, {"e164": e164}).fetchall()


def _ranked(people: Rows) -> Rows:
    return people if len(people) == 1 else sorted(people, key=_rank, reverse=True)[:CANDIDATES]


def _rank(row: Sequence[Any]) -> tuple[bool, int, str]:
    id, status = row[0], row[8]
    newest = int(id) if id.isascii() and id.isdigit() else 0  # "10" is newer than "9"
    return (status or "").casefold() in ACTIVE, newest, id


def _lead(row: Sequence[Any]) -> Lead:
    id, name, phone, address, url = row
    return Lead(id=id, name=name, phone=phone or None, address=address or None, url=_link(url))


def _link(url: str | None) -> str | None:
    """Drops what a browser must not open, such as javascript:."""
    return url if url and url.startswith(("https://", "http://", "/")) else None
