"""Operators, their phones and tokens as rows, and the values that may stand there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Select, insert, select, update

from fastagi.errors import BadInput
from fastagi.interfaces import Account, Role
from fastagi.schema import operator_phones, operators

__all__ = [
    "LOGIN",
    "TOKEN_NAME",
    "existing",
    "give_phones",
    "matching",
    "nobody",
    "people_of",
    "program_of",
    "update_operator",
    "valid_language",
    "valid_name",
    "valid_phones",
]

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SIP_PHONE = re.compile(r"[A-Za-z0-9._+*#@-]{1,64}")
LANGUAGES = ("en", "ru", "uk")


def people_of(connection: Connection, query: Select[*tuple[object, ...]]) -> list[Account]:
    """Returns the accounts of a query over operators, each with its phones."""
    rows = connection.execute(query).mappings().all()
    theirs: dict[str, list[str]] = {row["login"]: [] for row in rows}
    phones = (
        select(operator_phones.c.login, operator_phones.c.sip_phone)
        .where(operator_phones.c.login.in_(theirs))
        .order_by(operator_phones.c.sip_phone)
    )
    for login, phone in connection.execute(phones):
        theirs[login].append(phone)
    return [
        Account(
            login=row["login"],
            name=row["name"],
            role=Role(row["role"]),
            sip_phones=tuple(theirs[row["login"]]),
            language=row["language"],
        )
        for row in rows
    ]


def program_of(name: str, role: str) -> Account:
    """Returns the account of a token's program."""
    return Account(login=f"token:{name}", name=name, role=Role(role))


def give_phones(connection: Connection, login: str, phones: Sequence[str], since: datetime) -> None:
    """Inserts phones that are an operator's from now on."""
    if phones:
        rows = [{"login": login, "sip_phone": phone, "since": since} for phone in phones]
        connection.execute(insert(operator_phones), rows)


def update_operator(connection: Connection, login: str, values: dict[str, object]) -> None:
    """Changes an operator.

    Raises:
        BadInput: nobody has the login.
    """
    done = connection.execute(update(operators).where(operators.c.login == existing(login)).values(values))
    if not done.rowcount:
        raise nobody(login)


def existing(login: str) -> str:
    """Returns a login that somebody may have, or raises BadInput."""
    if LOGIN.fullmatch(login) is None:
        raise nobody(login)
    return login


def nobody(login: str) -> BadInput:
    """Returns the error for a login that nobody has."""
    return BadInput("login", f"there is no operator {login[:80]!r}")


def matching(what: str, value: str, pattern: re.Pattern[str], right: str) -> str:
    """Returns a value of the right form; `right` says in words what that is.

    Raises:
        BadInput: it has another form.
    """
    if pattern.fullmatch(value) is None:
        raise BadInput(what, f"{value[:80]!r} is not {right}")
    return value


def valid_name(name: str) -> str:
    """Returns a name without blanks around it, or raises BadInput."""
    if not name.strip() or len(name) > 250 or not name.isprintable():
        raise BadInput("name", "needs 1 to 250 printable characters")
    return name.strip()


def valid_phones(given: Sequence[str]) -> list[str]:
    """Returns SIP phones in order, each once, or raises BadInput."""
    right = "a SIP phone: 1 to 64 letters, digits or . _ + * # @ -"
    return sorted({matching("sip_phone", phone, SIP_PHONE, right) for phone in given})


def valid_language(language: str | None) -> str | None:
    """Returns a language there is, or raises BadInput."""
    if language is not None and language not in LANGUAGES:
        raise BadInput("language", f"{language[:80]!r} is not one of {', '.join(LANGUAGES)}")
    return language
