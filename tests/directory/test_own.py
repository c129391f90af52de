"""The own directory, over both of its ways to read: the kept SQLite connection and a thread."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from fastagi.calls import Lead, Match, Subscriber
from fastagi.database import Database
from fastagi.directory.own import CANDIDATES, OwnDirectory
from fastagi.errors import DirectoryUnavailable
from fastagi.interfaces import Found
from fastagi.numbers import Kind, Number

NUMBER = Number("89161234567", Kind.E164, "+79161234567", "RU")
NAME = "own"


class NoKept(Database):
    """A database that is asked on a thread, as a networked one is."""

    def keyed(self) -> Connection | None:
        return None


@pytest.fixture(params=[Database, NoKept], ids=["kept connection", "thread"])
def ask(request: pytest.FixtureRequest, file: Path) -> Callable[..., Found | None]:
    def ask(number: Number = NUMBER, url: str | None = None) -> Found | None:
        async def main() -> Found | None:
            database = request.param(f"sqlite:///{file}")
            database.open()
            try:
                directory = OwnDirectory(database, NAME, subscriber_url=url, currency="RUB")
                assert directory.name == NAME
                return await directory.find(number)
            finally:
                await database.close()

        return asyncio.run(main())

    return ask


@pytest.fixture
def rows(file: Path) -> Iterator[Callable[..., None]]:
    def insert(table: str, **values: object) -> None:
        with closing(sqlite3.connect(file)) as database:
            marks = ", ".join("?" * len(values))
            database.execute(
                f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", (*values.values(),)
            )
            database.commit()

    return insert


def person(rows: Callable[..., None], id: str, status: str | None = None, **values: object) -> None:
    """Puts a subscriber with the number, and with a service where it has a status, into the tables."""
    rows("subscribers", id=id, **{"name": f"Person {id}", **values})
    rows("phones", e164=NUMBER.value, subscriber_id=id, raw=NUMBER.raw)
    if status is not None:
        rows("services", subscriber_id=id, position=0, name="Internet", status=status)


def ids(found: Found | None) -> list[str]:
    assert found is not None
    return [one.id for one in found.subscribers]


def test_nobody(ask) -> None:
    assert ask() is None


def test_all_that_is_known_of_a_subscriber(ask, rows) -> None:
    rows("tariffs", id=1, name="Home 100")
    person(
        rows,
        "4711",
        name="Иванов Иван",
        login="ivanov",
        company="ООО «Ромашка»",
        deposit="-12.50",
        address="Москва, Садовая 1, кв. 2",
        language="ru",
        operator="101",
        url="https://billing.example/ivanov",
    )
    rows("services", subscriber_id="4711", position=0, name="Internet", tariff_id=1, status="enabled")
    rows("services", subscriber_id="4711", position=1, name="TV", tariff_id=None, status="disabled")
    subscriber = Subscriber(
        id="4711",
        name="Иванов Иван",
        login="ivanov",
        company="ООО «Ромашка»",
        deposit="-12.50",
        currency="RUB",
        address="Москва, Садовая 1, кв. 2",
        tariff="Home 100",
        service="Internet",
        service_status="enabled",
        language="ru",
        url="https://billing.example/ivanov",
        operator="101",
    )
    assert ask() == Found(subscribers=(subscriber,), match=Match(rule="e164", directory="own"))


def test_what_is_not_known_is_none(ask, rows) -> None:
    person(rows, "1", name="A", login="", address="", url="", deposit="")
    assert ask() == Found(
        subscribers=(Subscriber(id="1", name="A"),), match=Match(rule="e164", directory="own")
    )


@pytest.mark.parametrize(
    ("stored", "shown", "currency"),
    [("12,5", "12.50", "RUB"), ("1 200", "1200.00", "RUB"), ("no money", None, None)],
)
def test_a_deposit_that_others_wrote_is_made_a_decimal_string(ask, rows, stored, shown, currency) -> None:
    person(rows, "1", deposit=stored)
    first = ask().subscribers[0]
    assert (first.deposit, first.currency) == (shown, currency)


@pytest.mark.parametrize(
    ("id", "own", "template", "url"),
    [
        ("4711", None, "https://billing.example/?uid={id}", "https://billing.example/?uid=4711"),
        ("a/b&c ё", None, "/u/{id}?x={id}", "/u/a%2Fb%26c%20%D1%91?x=a%2Fb%26c%20%D1%91"),
        ("4711", "/own/page", "https://billing.example/?uid={id}", "/own/page"),
        (
            "4711",
            "javascript:alert(1)",
            "https://billing.example/?uid={id}",
            "https://billing.example/?uid=4711",
        ),
        ("4711", "javascript:alert(1)", None, None),
        ("4711", None, None, None),
    ],
)
def test_the_link_to_the_page_of_a_subscriber(ask, rows, id, own, template, url) -> None:
    person(rows, id, url=own)
    assert ask(url=template).subscribers[0].url == url


def test_several_on_one_number_active_first_then_the_newest(ask, rows) -> None:
    for id, status in [("9", "enabled"), ("10", "Active"), ("11", "disabled"), ("100", None), ("abc", "off")]:
        person(rows, id, status)
    assert ids(ask()) == ["10", "9", "100", "11", "abc"]


def test_at_most_twenty_of_a_crowd(ask, rows, file) -> None:
    with closing(sqlite3.connect(file)) as database:
        crowd = [(str(id), f"Person {id}") for id in range(100_000, 100_500)]
        database.executemany("INSERT INTO subscribers (id, name) VALUES (?, ?)", crowd)
        database.executemany(
            "INSERT INTO phones (e164, subscriber_id, raw) VALUES (?, ?, '')",
            [(NUMBER.value, id) for id, _ in crowd],
        )
        database.commit()
    assert ids(ask()) == [str(id) for id in range(100_499, 100_499 - CANDIDATES, -1)]


def test_a_lead_where_it_is_no_subscriber(ask, rows) -> None:
    rows("leads", id="6", name="Old", e164=NUMBER.value, created_at=1)
    rows(
        "leads",
        id="7",
        name="Мария",
        phone="8 916 …",
        e164=NUMBER.value,
        address="Тверь",
        url="javascript:alert(1)",
        created_at=2,
    )
    lead = Lead(id="7", name="Мария", phone="8 916 …", address="Тверь")
    assert ask() == Found(lead=lead, match=Match(rule="e164", directory="own"))
    person(rows, "1")
    assert ask().lead is None


@pytest.mark.parametrize("kind", [Kind.INTERNAL, Kind.INVALID, Kind.WITHHELD])
def test_only_full_numbers_are_asked_for(ask, rows, kind) -> None:
    person(rows, "1")
    assert ask(Number("89161234567", kind, "+79161234567")) is None


def test_a_database_without_tables_is_unavailable(ask, file) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("DROP TABLE phones")
    with pytest.raises(
        DirectoryUnavailable, match=r"directory 'own' is unavailable: .*no such table: phones"
    ):
        ask()


def test_a_locked_database_is_unavailable_at_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        database = Database(f"sqlite:///{file}")
        database.open()
        directory = OwnDirectory(database, "own", subscriber_url=None, currency=None)
        assert await directory.find(NUMBER) is None
        # In WAL mode only an exclusive locker shuts readers out.
        with closing(sqlite3.connect(file, isolation_level=None)) as locker:
            locker.execute("PRAGMA locking_mode = EXCLUSIVE")
            await database.close()
            locker.execute("BEGIN EXCLUSIVE")
            database.open()
            # The kept connection waits for no lock, and no thread is asked to.
            monkeypatch.setattr(database, "read", None)
            with pytest.raises(DirectoryUnavailable, match="locked"):
                await directory.find(NUMBER)
        await database.close()

    asyncio.run(main())


def test_a_closed_database_is_unavailable(file: Path) -> None:
    async def main() -> None:
        database = Database(f"sqlite:///{file}")
        directory = OwnDirectory(database, "own", subscriber_url=None, currency=None)
        with pytest.raises(DirectoryUnavailable, match="not open"):
            await directory.find(NUMBER)

    asyncio.run(main())
