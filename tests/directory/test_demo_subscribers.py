"""The sample subscribers of `whocalls demo` are what a first look needs to see."""

import csv
from collections import Counter
from importlib.resources import files
from pathlib import Path

import phonenumbers
import pytest

from fastagi.directory.csvrow import COLUMNS
from fastagi.directory.importer import import_csv
from fastagi.numbers import Numbers

FILE = Path(str(files("fastagi") / "demo_subscribers.csv"))


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with FILE.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_all_of_it_goes_in_whatever_the_default_country(file) -> None:
    for region in ("RU", "UA", "GB"):
        report = import_csv(FILE, f"sqlite:///{file}", Numbers(region, r"^\d{2,4}$"))
        assert report.rejected == ()
        assert (report.read, report.remarks) == (59, ())


def test_every_kind_of_subscriber_is_there(rows) -> None:
    assert tuple(rows[0]) == COLUMNS
    assert {row["language"] for row in rows} == {"ru", "uk", "en"}
    assert sum(row["deposit"].startswith("-") for row in rows) >= 10
    assert sum(";" in row["phones"] for row in rows) >= 10
    assert sum(bool(row["company"]) for row in rows) >= 5
    assert {row["operator"] for row in rows} == {"", "101", "102", "103"}


def test_numbers_are_valid_and_two_are_shared(rows) -> None:
    numbers = Numbers("RU", r"^\d{2,4}$")
    e164 = [numbers.parse(phone).e164 for row in rows for phone in row["phones"].split(";")]
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(one)) for one in e164)
    assert sorted(number for number, people in Counter(e164).items() if people == 2) == [
        "+442079460101",
        "+74955550101",
    ]
