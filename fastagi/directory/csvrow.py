"""One row of the subscribers' CSV: checked, cleaned, its phones read. Pure.

Only `name` and `phones` are required. A row without `id` takes its login for one, and without either a digest of
name and phones: the same row imported again is then the same subscriber, one with other phones a new one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, String

from fastagi.directory.money import money
from fastagi.errors import BadInput
from fastagi.numbers import Kind, Numbers
from fastagi.schema import phones, services, subscribers, tariffs

__all__ = ["COLUMNS", "Header", "Row"]

PHONES_LIMIT = 50
"""Most phones of one subscriber."""

_COLUMNS = {
    "id": subscribers.c.id,
    "login": subscribers.c.login,
    "name": subscribers.c.name,
    "company": subscribers.c.company,
    "phones": None,
    "deposit": subscribers.c.deposit,
    "address": subscribers.c.address,
    "tariff": tariffs.c.name,
    "service": services.c.name,
    "service_status": services.c.status,
    "language": subscribers.c.language,
    "operator": subscribers.c.operator,
    "url": subscribers.c.url,
}
COLUMNS = tuple(_COLUMNS)
_REQUIRED = ("name", "phones")


def _length(column: Column[Any]) -> int:
    """Returns how many characters a column of the table takes."""
    return column.type.length or 0 if isinstance(column.type, String) else 0


_LIMITS = {name: _length(column) for name, column in _COLUMNS.items() if column is not None}
_RAW_LIMIT = _length(phones.c.raw)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Row:
    """A row that goes in.

    `subscriber` and `service` hold the columns that the file has, empty ones as None; `service` is None where the
    file has none of tariff, service and service_status. `remark` says what was left out.
    """

    line: int
    subscriber: dict[str, str | None]
    service: dict[str, str | None] | None
    phones: tuple[tuple[str, str], ...]
    remark: str | None

    @property
    def id(self) -> str:
        """The subscriber's id."""
        id = self.subscriber["id"]
        assert id is not None
        return id


class Header:
    """The columns of a file, in its order.

    Args:
        names: the first record.
        numbers: reads the phones.

    Raises:
        BadInput: a column is unknown, twice there or missing.
    """

    def __init__(self, names: Sequence[str], numbers: Numbers) -> None:
        self._names = [name.strip().lower() for name in names]
        self._numbers = numbers
        self._check()
        self._has_service = not {"tariff", "service", "service_status"}.isdisjoint(self._names)
        self._subscriber = [
            name
            for name, column in _COLUMNS.items()
            if name in self._names and column is not None and column.table is subscribers
        ]

    def _check(self) -> None:
        if len(self._names) == 1 and ";" in self._names[0]:
            raise BadInput("header", "columns are parted by semicolons; save the file with commas")
        for name in self._names:
            if name not in _COLUMNS:
                raise BadInput("header", f'unknown column "{name[:40]}"; columns are {", ".join(COLUMNS)}')
            if self._names.count(name) > 1:
                raise BadInput("header", f'column "{name}" is there twice')
        for name in _REQUIRED:
            if name not in self._names:
                raise BadInput("header", f'column "{name}" is missing')

    def row(self, line: int, fields: Sequence[str]) -> Row:
        """Reads a row.

        Raises:
            BadInput: names the column and what is wrong with it.
        """
        if len(fields) != len(self._names):
            raise BadInput("row", f"has {len(fields)} fields, the header has {len(self._names)}")
        values = {name: _clean(field) for name, field in zip(self._names, fields, strict=True)}
        numbers, remark = self._phones(values["phones"])
        _check(values)
        subscriber: dict[str, str | None] = {name: values[name] or None for name in self._subscriber}
        subscriber["id"] = values.get("id") or _id(values, numbers)
        if values.get("deposit"):
            subscriber["deposit"] = _deposit(values["deposit"])
        service = None
        if self._has_service:
            service = {name: values.get(name) or None for name in ("tariff", "service", "service_status")}
        return Row(line, subscriber, service, numbers, remark)

    def _phones(self, text: str) -> tuple[tuple[tuple[str, str], ...], str | None]:
        """Returns every full number once, with how it was written, and what was left out."""
        written = [one for one in map(str.strip, text.split(";")) if one]
        if len(written) > PHONES_LIMIT:
            raise BadInput("phones", f"{len(written)} are more than {PHONES_LIMIT}")
        found: dict[str, str] = {}
        left_out = []
        for raw in written:
            number = self._numbers.parse(raw)
            if number.kind is Kind.E164:
                found.setdefault(number.value, raw[:_RAW_LIMIT])
            else:
                left_out.append(raw[:40])
        if not found:
            raise BadInput("phones", f'no full telephone number in "{text[:80]}"' if text else "is empty")
        return tuple(found.items()), f"phones: left out {'; '.join(left_out[:5])}" if left_out else None


def _check(values: dict[str, str]) -> None:
    if not values["name"]:
        raise BadInput("name", "is empty")
    for name, value in values.items():
        if name in _LIMITS and len(value) > _LIMITS[name]:
            raise BadInput(name, f"{len(value)} characters are more than {_LIMITS[name]}")
    url = values.get("url")
    if url and not url.startswith(("https://", "http://", "/")):
        raise BadInput("url", "must begin with https://, http:// or /")


def _deposit(text: str) -> str:
    amount = money(text)
    if amount is None:
        raise BadInput("deposit", f'"{text}" is no amount; write it like -12.50')
    return amount


def _clean(field: str) -> str:
    """Takes blanks off both ends, and makes blanks of line ends and other control characters."""
    return (field if field.isprintable() else _CONTROL.sub(" ", field)).strip()


def _id(values: dict[str, str], numbers: tuple[tuple[str, str], ...]) -> str:
    login = values.get("login")
    if login and len(login) <= _LIMITS["id"]:
        return login
    known = "\n".join((login or "", values["name"].casefold(), *sorted(e164 for e164, _ in numbers)))
    return "csv-" + hashlib.sha256(known.encode()).hexdigest()[:24]
