"""Operators, sign-ins and tokens, on each kind of database."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, insert, select

from fastagi import passwords
from fastagi.accounts import SqlAccounts
from fastagi.database import Database
from fastagi.errors import BadInput, DatabaseUnavailable, DeadlineExceeded
from fastagi.interfaces import Account, Role
from fastagi.passwords import Passwords
from fastagi.recent import Recent
from fastagi.schema import operator_phones, operators, sessions, tokens
from tests.databases import mariadb, postgresql, sqlite_template, url  # noqa: F401 (fixtures)

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
OLENA = Account(login="olena", name="Олена", role=Role.SUPERVISOR, sip_phones=("101", "102"), language="uk")


class CountingHasher(PasswordHasher):
    """A cheap argon2 that counts its comparisons and remembers its threads."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.compared = 0
        self.threads: set[int] = set()

    def verify(self, hash, password):
        self.compared += 1
        self.threads.add(threading.get_ident())
        return super().verify(hash, password)


class Bench:
    """Accounts with clocks that stand still until they are moved."""

    def __init__(self, database: Database) -> None:
        self.now, self.seconds = NOW, 1000.0
        self.hasher = CountingHasher()
        self.database = database
        self.accounts = self.other_process()

    def other_process(self) -> SqlAccounts:
        return SqlAccounts(
            self.database,
            passwords=Passwords(self.hasher),
            clock=lambda: self.now,
            seconds=lambda: self.seconds,
        )

    async def add_olena(self) -> None:
        await self.accounts.add_operator(
            "olena",
            name="Олена",
            role=Role.SUPERVISOR,
            sip_phones=["102", "101"],
            password="correct horse",
            language="uk",
        )

    async def count(self, table) -> int:
        return await self.database.read(
            lambda connection: connection.scalar(select(func.count()).select_from(table))
        )


@pytest.fixture
def run(url):  # noqa: F811
    def run(test) -> None:
        async def main() -> None:
            database = Database(url)
            database.open()
            bench = Bench(database)
            try:
                await test(bench)
            finally:
                await bench.accounts.close()
                await database.close()

        asyncio.run(main())

    return run


# -- signing in -------------------------------------------------------------------------------------------


def test_who_signs_in_is_known_by_their_session_until_they_sign_out(run):
    async def test(bench: Bench) -> None:
        await bench.add_olena()
        secret = await bench.accounts.sign_in("Olena", "correct horse")
        assert secret is not None and len(secret) >= 40
        assert await bench.accounts.session(secret) == OLENA
        assert await bench.accounts.session(secret + "x") is None
        assert await bench.accounts.token(secret) is None
        await bench.accounts.sign_out(secret)
        assert await bench.accounts.session(secret) is None
        await bench.accounts.sign_out(secret)

    run(test)


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("olena", "wrong horse"),
        ("olena", ""),
        ("olena", "x" * 100_000),
        ("olena", "\ud800"),
        ("nobody", "correct horse"),
        ("", "correct horse"),
        ("ol\0ena", "correct horse"),
        ("a" * 5000, "correct horse"),
        ("' OR 1=1 --", "correct horse"),
        ("silent", "correct horse"),
        ("gone", "correct horse"),
    ],
)
def test_every_wrong_sign_in_costs_one_comparison(run, login, password):
    async def test(bench: Bench) -> None:
        await bench.add_olena()
        await bench.accounts.add_operator("silent", name="No password")
        await bench.accounts.add_operator("gone", name="Gone", password="correct horse")
        await bench.accounts.set_active("gone", False)
        assert await bench.accounts.sign_in(login, password) is None
        assert bench.hasher.compared == 1
        assert await bench.count(sessions) == 0

    run(test)


def test_passwords_are_compared_off_the_loop_one_at_a_time(run):
    async def test(bench: Bench) -> None:
        await bench.add_olena()
        await asyncio.gather(*(bench.accounts.sign_in("olena", "wrong") for _ in range(8)))
        assert len(bench.hasher.threads) == 1
        assert threading.get_ident() not in bench.hasher.threads

    run(test)


def test_too_many_at_once_are_refused(run, monkeypatch):
    monkeypatch.setattr(passwords, "WAITING", 3)
    compared, compare = threading.Event(), passwords.Passwords._compare

    def compare_at_last(self, password, stored):
        assert compared.wait(60)
        return compare(self, password, stored)

    async def test(bench: Bench) -> None:
        await bench.add_olena()
        monkeypatch.setattr(passwords.Passwords, "_compare", compare_at_last)
        tries = [asyncio.create_task(bench.accounts.sign_in("olena", "wrong")) for _ in range(40)]
        async with asyncio.timeout(60):
            while sum(one.done() for one in tries) < 37:
                await asyncio.sleep(0.01)
        compared.set()
        results = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(result, DeadlineExceeded) for result in results) == 37
        assert results.count(None) == 3
        assert await bench.accounts.sign_in("olena", "correct horse")

    run(test)


def test_secrets_and_passwords_are_stored_as_hashes_only(run):
    async def test(bench: Bench) -> None:
        await bench.add_olena()
        session = await bench.accounts.sign_in("olena", "correct horse")
        token = await bench.accounts.create_token("crm", Role.OPERATOR)
        rows = await bench.database.read(
            lambda connection: [
                [str(value) for row in connection.execute(select(table)) for value in row]
                for table in (operators, sessions, tokens)
            ]
        )
        everything = " ".join(value for row in rows for value in row)
        assert "$argon2id$" in everything
        for secret in (session, token, "correct horse"):
            assert secret not in everything

    run(test)


def test_a_session_ends_after_fourteen_days_and_is_swept_away(run):
    async def test(bench: Bench) -> None:
        await bench.add_olena()
        secret = await bench.accounts.sign_in("olena", "correct horse")
        bench.now += timedelta(days=14) - timedelta(seconds=1)
        bench.seconds += 60
        assert await bench.accounts.session(secret) == OLENA
        bench.now += timedelta(seconds=1)
        bench.seconds += 60
        assert await bench.accounts.session(secret) is None
        await bench.accounts.sign_in("olena", "correct horse")
        assert await bench.count(sessions) == 1

    run(test)


# -- what is remembered -----------------------------------------------------------------------------------


def test_a_session_is_not_read_again_within_five_seconds(run):
    async def test(bench: Bench) -> None:
        await bench.add_olena()
        secret = await bench.accounts.sign_in("olena", "correct horse")
        assert await bench.accounts.session(secret) == OLENA
        await bench.database.close()
        assert await bench.accounts.session(secret) == OLENA
        bench.seconds += 5
        with pytest.raises(DatabaseUnavailable):
            await bench.accounts.session(secret)

    run(test)


def test_an_end_counts_at_once_here_and_within_five_seconds_elsewhere(run):
    async def test(bench: Bench) -> None:
        await bench.add_olena()
        here, elsewhere = bench.accounts, bench.other_process()
        secret = await here.sign_in("olena", "correct horse")
        assert await here.session(secret) == await elsewhere.session(secret) == OLENA
        await here.sign_out(secret)
        assert await here.session(secret) is None
        assert await elsewhere.session(secret) == OLENA
        bench.seconds += 5
        assert await elsewhere.session(secret) is None
        await elsewhere.close()

    run(test)


@pytest.mark.parametrize(
    "end",
    [
        lambda accounts: accounts.set_password("olena", "another horse"),
        lambda accounts: accounts.set_active("olena", False),
        lambda accounts: accounts.remove_operator("olena"),
    ],
    ids=["password", "deactivated", "removed"],
)
def test_what_ends_an_operators_sessions(run, end):
    async def test(bench: Bench) -> None:
        await bench.add_olena()
        secret = await bench.accounts.sign_in("olena", "correct horse")
        assert await bench.accounts.session(secret)
        await end(bench.accounts)
        assert await bench.accounts.session(secret) is None
        assert await bench.count(sessions) == 0
        assert await bench.accounts.sign_in("olena", "correct horse") is None

    run(test)


def test_an_answer_that_was_on_its_way_while_things_changed_is_not_remembered():
    async def main() -> None:
        recent: Recent[str] = Recent(5.0, lambda: 0.0)
        asked = 0

        async def ask() -> str:
            nonlocal asked
            asked += 1
            recent.forget()
            return "from before"

        assert [await recent.get("x", ask) for _ in range(2)] == ["from before"] * 2
        assert asked == 2

    asyncio.run(main())


def test_what_does_not_exist_is_not_remembered_and_the_memory_has_an_end():
    async def main() -> None:
        recent: Recent[str] = Recent(5.0, lambda: 0.0, limit=3)
        asked: list[str] = []

        def asking(key: str, answer: str | None):
            async def ask() -> str | None:
                asked.append(key)
                return answer

            return recent.get(key, ask)

        for _ in range(2):
            assert await asking("nobody", None) is None
        for key in "abcd":
            await asking(key, key)
        for key in "bcda":
            assert await asking(key, key) == key
        assert asked == ["nobody", "nobody", "a", "b", "c", "d", "a"]

    asyncio.run(main())


# -- operators --------------------------------------------------------------------------------------------


def test_operators_are_listed_by_login_with_their_phones(run):
    async def test(bench: Bench) -> None:
        assert list(await bench.accounts.operators()) == []
        await bench.add_olena()
        await bench.accounts.add_operator("ivan", name=" Иван ", sip_phones=["101"])
        ivan = Account(login="ivan", name="Иван", role=Role.OPERATOR, sip_phones=("101",))
        assert list(await bench.accounts.operators()) == [ivan, OLENA]
        await bench.accounts.set_active("ivan", False)
        assert list(await bench.accounts.operators()) == [OLENA]
        await bench.accounts.set_active("ivan", True)
        await bench.accounts.remove_operator("olena")
        assert list(await bench.accounts.operators()) == [ivan]
        assert await bench.count(operator_phones) == 1

    run(test)


def test_phones_are_theirs_from_the_moment_they_are_given(run):
    async def test(bench: Bench) -> None:
        await bench.add_olena()
        bench.now += timedelta(hours=1)
        await bench.accounts.set_phones("olena", ["103", "103", "102"])
        assert (await bench.accounts.operators())[0].sip_phones == ("102", "103")
        since = select(operator_phones.c.since).distinct()
        assert await bench.database.read(lambda connection: connection.scalars(since).all()) == [bench.now]
        await bench.accounts.set_phones("olena", [])
        assert (await bench.accounts.operators())[0].sip_phones == ()

    run(test)


def test_a_password_can_be_changed(run):
    async def test(bench: Bench) -> None:
        await bench.add_olena()
        await bench.accounts.set_password("olena", "another horse")
        assert await bench.accounts.sign_in("olena", "correct horse") is None
        assert await bench.accounts.sign_in("olena", "another horse")

    run(test)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"login": ""}, "login"),
        ({"login": "Olena"}, "login"),
        ({"login": "-olena"}, "login"),
        ({"login": "a" * 65}, "login"),
        ({"login": "ole na\n"}, "login"),
        ({"login": "olena\n"}, "login"),
        ({"login": "оlena"}, "login"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "x" * 251}, "name"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 1025}, "password"),
        ({"sip_phones": ["101", ""]}, "sip_phone"),
        ({"sip_phones": ["1/2"]}, "sip_phone"),
        ({"sip_phones": ["1 2"]}, "sip_phone"),
        ({"sip_phones": ["9" * 65]}, "sip_phone"),
        ({"language": "de"}, "language"),
    ],
)
def test_a_wrong_value_is_named_and_nothing_is_written(run, change, what):
    async def test(bench: Bench) -> None:
        values = {"login": "olena", "name": "Олена", "password": "correct horse", "sip_phones": ["101"]}
        values |= change
        with pytest.raises(BadInput) as caught:
            await bench.accounts.add_operator(values.pop("login"), **values)
        assert caught.value.what == what
        assert await bench.count(operators) == 0

    run(test)


def test_a_login_exists_once(run):
    async def test(bench: Bench) -> None:
        await bench.add_olena()
        with pytest.raises(BadInput, match="login: olena exists already"):
            await bench.add_olena()
        assert list(await bench.accounts.operators()) == [OLENA]

    run(test)


@pytest.mark.parametrize("login", ["nobody", "", "a\0b", "Ж" * 500])
def test_changing_nobody_is_bad_input(run, login):
    async def test(bench: Bench) -> None:
        for change in (
            lambda accounts: accounts.set_password(login, "correct horse"),
            lambda accounts: accounts.set_phones(login, ["101"]),
            lambda accounts: accounts.set_active(login, True),
            lambda accounts: accounts.remove_operator(login),
        ):
            with pytest.raises(BadInput, match="login: there is no operator"):
                await change(bench.accounts)

    run(test)


def test_a_short_new_password_changes_nothing(run):
    async def test(bench: Bench) -> None:
        await bench.add_olena()
        with pytest.raises(BadInput, match="password: needs 8 to 1024"):
            await bench.accounts.set_password("olena", "1234567")
        assert await bench.accounts.sign_in("olena", "correct horse")

    run(test)


def test_a_spoilt_hash_lets_nobody_in(run):
    async def test(bench: Bench) -> None:
        values = {"login": "ivan", "name": "I", "role": "operator", "active": True, "password_hash": "spoilt"}
        await bench.database.write(
            lambda connection: connection.execute(insert(operators).values(values)).rowcount
        )
        assert await bench.accounts.sign_in("ivan", "spoilt") is None

    run(test)


# -- tokens -----------------------------------------------------------------------------------------------


def test_a_token_is_shown_once_and_works_until_it_is_revoked(run):
    async def test(bench: Bench) -> None:
        secret = await bench.accounts.create_token("crm", Role.SUPERVISOR)
        assert secret.startswith("wc_") and len(secret) >= 46
        crm = Account(login="token:crm", name="crm", role=Role.SUPERVISOR)
        assert await bench.accounts.token(secret) == crm
        assert await bench.accounts.session(secret) is None
        assert list(await bench.accounts.tokens()) == [crm]
        await bench.accounts.revoke_token("crm")
        assert await bench.accounts.token(secret) is None
        assert list(await bench.accounts.tokens()) == []

    run(test)


@pytest.mark.parametrize("name", ["", "a b", "ж", "x" * 65, "-x", "a\n"])
def test_a_tokens_name_has_a_form(run, name):
    async def test(bench: Bench) -> None:
        with pytest.raises(BadInput, match=r"name: .* is not 1 to 64 letters"):
            await bench.accounts.create_token(name, Role.OPERATOR)

    run(test)


def test_a_tokens_name_exists_once_and_only_what_exists_is_revoked(run):
    async def test(bench: Bench) -> None:
        await bench.accounts.create_token("crm", Role.OPERATOR)
        with pytest.raises(BadInput, match="a token crm exists already"):
            await bench.accounts.create_token("crm", Role.OPERATOR)
        with pytest.raises(BadInput, match="there is no token 'other'"):
            await bench.accounts.revoke_token("other")
        assert len(await bench.accounts.tokens()) == 1

    run(test)


@pytest.mark.parametrize("secret", ["", "wc_", "\ud800", "\0", "x" * 10_000, "' OR ''='"])
def test_no_other_secret_lets_in(run, secret):
    async def test(bench: Bench) -> None:
        await bench.accounts.create_token("crm", Role.OPERATOR)
        assert await bench.accounts.token(secret) is None
        assert await bench.accounts.session(secret) is None
        await bench.accounts.sign_out(secret)

    run(test)
