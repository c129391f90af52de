"""Who may do what: operators with their SIP phones, their sign-ins, and the tokens of programs.

Secrets are random (256 bits) and stored as SHA-256 only; passwords as argon2id. A session ends 14 days after
its sign-in, however much it is used, and at once when its password changes or its operator is removed. Who a
session or token belongs to is remembered for 5 seconds: in this process an end counts at once, in others
within that time.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TypeVar

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from fastagi.accounts_rows import (
    LOGIN,
    TOKEN_NAME,
    existing,
    give_phones,
    matching,
    nobody,
    people_of,
    program_of,
    update_operator,
    valid_language,
    valid_name,
    valid_phones,
)
from fastagi.database import Database
from fastagi.errors import BadInput
from fastagi.interfaces import Account, Role
from fastagi.passwords import Passwords
from fastagi.recent import Recent
from fastagi.schema import operator_phones, operators, sessions, tokens

__all__ = ["SqlAccounts"]

T = TypeVar("T")

SESSION = timedelta(days=14)
REMEMBERED = 5.0
"""Seconds."""


def _now() -> datetime:
    return datetime.now(UTC)


class SqlAccounts:
    """Implements interfaces.Accounts, and what an administrator does with them.

    Args:
        database: opened by whoever made it.
        passwords: hashes and compares.
        clock: the time now, UTC.
        seconds: a clock that never goes back, for what is remembered.
    """

    def __init__(
        self,
        database: Database,
        *,
        passwords: Passwords | None = None,
        clock: Callable[[], datetime] = _now,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._passwords = passwords or Passwords()
        self._clock = clock
        self._recent: Recent[Account] = Recent(REMEMBERED, seconds)

    async def close(self) -> None:
        """Ends the thread that compares passwords."""
        self._passwords.close()

    # -- signing in ---------------------------------------------------------------------------------------

    async def sign_in(self, login: str, password: str) -> str | None:
        """Returns the secret of a new session, or None where login or password are wrong. A wrong login
        takes as long as a wrong password.

        Raises:
            DatabaseUnavailable: the database is away.
            DeadlineExceeded: too many try at once.
        """
        login = login.lower()
        known = LOGIN.fullmatch(login) is not None
        query = select(operators.c.password_hash).where(
            operators.c.login == (login if known else ""), operators.c.active
        )
        stored = await self._database.read(lambda connection: connection.scalar(query))
        if not await self._passwords.fits(password, stored):
            return None
        secret, now = secrets.token_urlsafe(32), self._clock()

        def begin(connection: Connection) -> None:
            connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            connection.execute(
                insert(sessions).values(
                    secret_hash=_hash(secret), login=login, created_at=now, expires_at=now + SESSION
                )
            )

        try:
            await self._database.write(begin)
        except IntegrityError:  # the operator was removed in this moment
            return None
        return secret

    async def session(self, secret: str) -> Account | None:
        """Returns whose session it is; None where it ended, expired or never was."""
        key = _hash(secret)
        query = (
            select(operators)
            .join(sessions, sessions.c.login == operators.c.login)
            .where(sessions.c.secret_hash == key, operators.c.active, sessions.c.expires_at > self._clock())
        )

        async def ask() -> Account | None:
            found = await self._database.read(lambda connection: people_of(connection, query))
            return found[0] if found else None

        return await self._recent.get(f"session {key}", ask)

    async def sign_out(self, secret: str) -> None:
        """Ends a session."""
        await self._change(
            lambda connection: (
                connection.execute(delete(sessions).where(sessions.c.secret_hash == _hash(secret))).rowcount
            )
        )

    async def token(self, secret: str) -> Account | None:
        """Returns whose token it is."""
        key = _hash(secret)
        query = select(tokens.c.name, tokens.c.role).where(tokens.c.secret_hash == key)

        async def ask() -> Account | None:
            row = await self._database.read(lambda connection: connection.execute(query).first())
            return None if row is None else program_of(*row)

        return await self._recent.get(f"token {key}", ask)

    # -- operators ----------------------------------------------------------------------------------------

    async def operators(self) -> Sequence[Account]:
        """Returns all operators by login; those that were deactivated are left out."""
        query = select(operators).where(operators.c.active).order_by(operators.c.login)
        return await self._database.read(lambda connection: people_of(connection, query))

    async def add_operator(
        self,
        login: str,
        *,
        name: str,
        role: Role = Role.OPERATOR,
        sip_phones: Sequence[str] = (),
        password: str | None = None,
        language: str | None = None,
    ) -> None:
        """Adds an operator. Without a password they cannot sign in.

        Raises:
            BadInput: one of the values is wrong, or the login exists.
        """
        values = {
            "login": matching("login", login, LOGIN, "1 to 64 small letters, digits, dot, dash, underscore"),
            "name": valid_name(name),
            "role": role.value,
            "language": valid_language(language),
            "active": True,
        }
        phones = valid_phones(sip_phones)
        values["password_hash"] = None if password is None else await self._passwords.hashed(password)

        def add(connection: Connection) -> None:
            connection.execute(insert(operators).values(values))
            give_phones(connection, login, phones, self._clock())

        try:
            await self._change(add)
        except IntegrityError:
            raise BadInput("login", f"{login} exists already") from None

    async def set_password(self, login: str, password: str) -> None:
        """Sets a password and ends the sessions of the old one.

        Raises:
            BadInput: the password is too short, or nobody has the login.
        """
        stored = await self._passwords.hashed(password)

        def change(connection: Connection) -> None:
            update_operator(connection, login, {"password_hash": stored})
            connection.execute(delete(sessions).where(sessions.c.login == login))

        await self._change(change)

    async def set_phones(self, login: str, sip_phones: Sequence[str]) -> None:
        """Says which SIP phones are theirs from now on; a phone of several is the latest one's.

        Raises:
            BadInput: a phone is none, or nobody has the login.
        """
        phones = valid_phones(sip_phones)

        def change(connection: Connection) -> None:
            update_operator(connection, login, {"login": login})
            connection.execute(delete(operator_phones).where(operator_phones.c.login == login))
            give_phones(connection, login, phones, self._clock())

        await self._change(change)

    async def set_active(self, login: str, active: bool) -> None:
        """Lets an operator in or keeps them out; being kept out ends their sessions.

        Raises:
            BadInput: nobody has the login.
        """

        def change(connection: Connection) -> None:
            update_operator(connection, login, {"active": active})
            connection.execute(delete(sessions).where(sessions.c.login == login))

        await self._change(change)

    async def remove_operator(self, login: str) -> None:
        """Removes an operator; their calls stay, with login and name.

        Raises:
            BadInput: nobody has the login.
        """

        existing(login)

        def remove(connection: Connection) -> None:
            connection.execute(delete(sessions).where(sessions.c.login == login))
            connection.execute(delete(operator_phones).where(operator_phones.c.login == login))
            if not connection.execute(delete(operators).where(operators.c.login == login)).rowcount:
                raise nobody(login)

        await self._change(remove)

    # -- tokens -------------------------------------------------------------------------------------------

    async def tokens(self) -> Sequence[Account]:
        """Returns the programs that have a token, by name."""
        query = select(tokens.c.name, tokens.c.role).order_by(tokens.c.name)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [program_of(*row) for row in rows]

    async def create_token(self, name: str, role: Role) -> str:
        """Makes a token and returns its secret, which is stored nowhere: it cannot be shown again.

        Raises:
            BadInput: the name is wrong or exists.
        """
        matching("name", name, TOKEN_NAME, "1 to 64 letters, digits, dot, dash, underscore")
        secret = f"wc_{secrets.token_urlsafe(32)}"
        row = insert(tokens).values(
            name=name, secret_hash=_hash(secret), role=role.value, created_at=self._clock()
        )
        try:
            await self._change(lambda connection: connection.execute(row).rowcount)
        except IntegrityError:
            raise BadInput("name", f"a token {name} exists already; revoke it first") from None
        return secret

    async def revoke_token(self, name: str) -> None:
        """Ends a token.

        Raises:
            BadInput: there is none of this name.
        """
        gone = delete(tokens).where(tokens.c.name == name)
        if TOKEN_NAME.fullmatch(name) is None or not await self._change(
            lambda connection: connection.execute(gone).rowcount
        ):
            raise BadInput("name", f"there is no token {name[:80]!r}")

    async def _change(self, work: Callable[[Connection], T]) -> T:
        """Writes, and forgets what was remembered, also what was read again while it was written."""
        self._recent.forget()
        try:
            return await self._database.write(work)
        finally:
            self._recent.forget()


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
