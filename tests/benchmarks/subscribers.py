"""Makes a database of many subscribers in seconds, for benchmarks and the lab's end-to-end tests.

    python -m tests.benchmarks.subscribers 1000000 FILE.db

Everything about subscriber `i` (from 0) is a function of `i` alone: the same database each time, and a test
knows whom it must find. Numbers are Russian mobile ones; no two subscribers share one.
"""

# ruff: noqa: SIM905 (words read better in a line)

import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from fastagi.migrations import upgrade

__all__ = ["address_of", "deposit_of", "id_of", "login_of", "make", "name_of", "phone_of", "phones_of"]

SURNAMES = (
    "Иванов Петров Сидоров Смирнов Кузнецов Попов Васильев Соколов Михайлов Новиков Фёдоров Морозов Волков "
    "Алексеев Лебедев Семёнов Егоров Павлов Козлов Степанов Николаев Орлов Андреев Макаров Никитин Захаров"
).split()
NAMES = (
    "Иван Пётр Алексей Сергей Андрей Дмитрий Николай Михаил Александр Владимир Олег Юрий Виктор Игорь Павел"
).split()
FATHERS = (
    "Иванович Петрович Алексеевич Сергеевич Андреевич Дмитриевич Николаевич Михайлович Александрович "
    "Владимирович Олегович Юрьевич Викторович Игоревич Павлович"
).split()
STREETS = "Садовая Лесная Школьная Советская Молодёжная Центральная Новая Мира Набережная Заречная".split()
TARIFFS = tuple(f"Дом {speed}" for speed in (50, 100, 200, 300, 500, 1000))
STATES = ("enabled", "enabled", "enabled", "enabled", "disabled")

MOST_PHONES = 3
SPACE = 10**9  # nine digits after +79
STEP = 618_033_989  # has no factor in common with SPACE, so that every number comes once, and spread out


def id_of(i: int) -> str:
    """The subscriber's id."""
    return str(i + 1)


def login_of(i: int) -> str:
    """The subscriber's login."""
    return f"user{i + 1}"


def name_of(i: int) -> str:
    """The subscriber's name."""
    surname, rest = SURNAMES[i % len(SURNAMES)], i // len(SURNAMES)
    return f"{surname} {NAMES[rest % len(NAMES)]} {FATHERS[rest // len(NAMES) % len(FATHERS)]}"


def phone_of(i: int, which: int = 0) -> str:
    """One of the subscriber's numbers, in E.164; the first is there for everybody."""
    return f"+79{(i * MOST_PHONES + which) * STEP % SPACE:09d}"


def phones_of(i: int) -> list[str]:
    """All numbers of the subscriber: six in ten have one, three have two, one has three."""
    return [phone_of(i, which) for which in range(_phones(i))]


def deposit_of(i: int) -> str:
    """The subscriber's deposit; a third is in debt."""
    kopecks = i * 7919 % 300_000 - 100_000
    return f"{kopecks / 100:.2f}"


def address_of(i: int) -> str:
    """The subscriber's address."""
    return f"Москва, {STREETS[i % len(STREETS)]} {i % 97 + 1}, кв. {i % 211 + 1}"


def _phones(i: int) -> int:
    return 1 if i % 10 < 6 else 2 if i % 10 < 9 else MOST_PHONES


def make(count: int, file: Path) -> None:
    """Makes the database; a file that is there already is replaced."""
    for old in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
        old.unlink(missing_ok=True)
    upgrade(f"sqlite:///{file}")
    database = sqlite3.connect(file)
    # Nothing but this file is lost if the machine stops half way.
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -300000"):
        database.execute(f"PRAGMA {pragma}")
    indexes = _drop_indexes(database, "phones")
    database.executemany("INSERT INTO tariffs (id, name) VALUES (?, ?)", enumerate(TARIFFS, 1))
    database.executemany(
        "INSERT INTO subscribers (id, login, name, deposit, address, language, operator)"
        " VALUES (?, ?, ?, ?, ?, 'ru', ?)",
        _subscribers(count),
    )
    database.executemany(
        "INSERT INTO services (subscriber_id, position, name, tariff_id, status)"
        " VALUES (?, 0, 'Internet', ?, ?)",
        ((id_of(i), i % len(TARIFFS) + 1, STATES[i % len(STATES)]) for i in range(count)),
    )
    database.executemany(
        "INSERT INTO phones (e164, subscriber_id, raw) VALUES (?1, ?2, ?1)", _phones_in_order(count)
    )
    for index in indexes:
        database.execute(index)
    database.commit()
    database.execute("PRAGMA journal_mode = WAL")
    database.close()


def _subscribers(count: int) -> Iterator[tuple[str, ...]]:
    for i in range(count):
        yield id_of(i), login_of(i), name_of(i), deposit_of(i), address_of(i), str(101 + i % 3)


def _phones_in_order(count: int) -> Iterator[tuple[str, str]]:
    """Yields numbers in the order of their index, so that it is written once from front to back."""
    codes = sorted(
        (code * STEP % SPACE << 32) | code
        for i in range(count)
        for code in range(i * MOST_PHONES, i * MOST_PHONES + _phones(i))
    )
    for packed in codes:
        yield f"+79{packed >> 32:09d}", id_of((packed & 0xFFFFFFFF) // MOST_PHONES)


def _drop_indexes(database: sqlite3.Connection, table: str) -> list[str]:
    rows = database.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
        (table,),
    ).fetchall()
    for name, _ in rows:
        database.execute(f'DROP INDEX "{name}"')
    return [sql for _, sql in rows]


if __name__ == "__main__":
    started = time.monotonic()
    make(int(sys.argv[1]), Path(sys.argv[2]))
    print(f"{sys.argv[1]} subscribers in {time.monotonic() - started:.1f} s: {sys.argv[2]}")
