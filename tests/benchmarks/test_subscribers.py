"""The many subscribers of benchmarks and end-to-end tests are who the functions say."""

import asyncio
from pathlib import Path

from fastagi.database import Database
from fastagi.directory.own import OwnDirectory
from fastagi.numbers import Kind, Numbers
from tests.benchmarks.subscribers import (
    address_of,
    deposit_of,
    id_of,
    login_of,
    make,
    name_of,
    phone_of,
    phones_of,
)

COUNT = 300


def test_everybody_is_found_under_every_number(tmp_path: Path) -> None:
    file = tmp_path / "subscribers.db"
    make(COUNT + 1, file)
    make(COUNT, file)  # replaces it
    numbers = Numbers("RU", r"^\d{2,4}$")

    async def main() -> None:
        database = Database(f"sqlite:///{file}")
        database.open()
        directory = OwnDirectory(database, "own", subscriber_url=None, currency=None)
        for i in range(COUNT):
            for phone in phones_of(i):
                found = await directory.find(numbers.parse(phone))
                assert found is not None
                (one,) = found.subscribers
                assert (one.id, one.login, one.name) == (id_of(i), login_of(i), name_of(i))
                assert (one.deposit, one.address) == (deposit_of(i), address_of(i))
        assert await directory.find(numbers.parse(phone_of(COUNT))) is None
        await database.close()

    asyncio.run(main())


def test_no_number_comes_twice_and_all_are_valid() -> None:
    phones = [phone for i in range(3_000_000, 3_010_000) for phone in phones_of(i)]
    assert len(set(phones)) == len(phones) == 15_000
    assert phone_of(0) == phones_of(0)[0]
    numbers = Numbers("RU", r"^\d{2,4}$")
    for phone in phones[:500]:
        number = numbers.parse(phone)
        assert (number.kind, number.value, number.region) == (Kind.E164, phone, "RU")
