"""Databases that freeze, restart, go away and come back: PostgreSQL and MariaDB for real."""

import asyncio
import threading
import time
from contextlib import asynccontextmanager

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, select, text

from fastagi.database import Database, needs_upgrade, upgrade
from fastagi.errors import DatabaseUnavailable, JournalUnavailable
from fastagi.journal.own import SqlJournal
from fastagi.schema import counters, metadata
from tests.journal.samples import ended, looked_up, observed
from tests.servers import MariaDb, Postgres, running

pytestmark = pytest.mark.networked


@pytest.fixture(scope="module", params=[Postgres, MariaDb], ids=["postgresql", "mariadb"])
def server(request):
    with running(request.param()) as server:
        yield server


@pytest.fixture
def url(server):
    url = server.new_database()
    upgrade(url)
    return url


@asynccontextmanager
async def opened(url: str, **options):
    database = Database(url, **options)
    database.open()
    try:
        yield database
    finally:
        await database.close()


def seq(connection) -> int:
    return connection.scalar(select(counters.c.value).where(counters.c.name == "seq"))


async def until_it_answers(ask, limit: float = 60.0):
    async with asyncio.timeout(limit):
        while True:
            try:
                return await ask()
            except DatabaseUnavailable:
                await asyncio.sleep(0.05)


def sleeping(seconds: float):
    def query(connection):
        name = "pg_sleep" if connection.dialect.name == "postgresql" else "sleep"
        return connection.execute(text(f"SELECT {name}({seconds})")).all()

    return query


def test_the_migrations_make_the_schema_that_the_code_uses(server):
    url = server.new_database()
    assert needs_upgrade(url)
    upgrade(url)
    upgrade(url)
    assert not needs_upgrade(url)
    engine = create_engine(url.replace("mariadb", "mysql"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_there_is_no_kept_connection_for_the_loop(url):
    async def main() -> None:
        async with opened(url) as database:
            assert database.keyed() is None
            assert database.dialect in ("postgresql", "mysql")
            assert await database.read(seq) == 0

    asyncio.run(main())


def test_a_query_past_its_limit_is_shut_down_and_its_thread_freed(url):
    async def main() -> None:
        async with opened(url, threads=1) as database:
            began = time.monotonic()
            with pytest.raises(DatabaseUnavailable, match=r"no answer within 0\.3 s"):
                await database.read(sleeping(60), limit=0.3)
            assert time.monotonic() - began < 6
            assert await until_it_answers(lambda: database.read(seq)) == 0
            assert time.monotonic() - began < 30

    asyncio.run(main())


def test_a_frozen_server_holds_up_nobody_beyond_the_limit(server, url):
    async def main() -> None:
        async with opened(url, threads=2, limit=1.0) as database:
            await asyncio.gather(*(database.read(seq) for _ in range(4)))
            server.freeze()
            try:
                began = time.monotonic()
                asked = [database.read(seq) for _ in range(6)] + [database.write(seq) for _ in range(2)]
                results = await asyncio.gather(*asked, return_exceptions=True)
                assert {type(result) for result in results} == {DatabaseUnavailable}
                assert time.monotonic() - began < 6
                tried = []
                with pytest.raises(DatabaseUnavailable, match="trying again within"):
                    await database.read(tried.append)
                assert tried == []
                assert not database.health().ok
                assert len([one for one in threading.enumerate() if "database" in one.name]) <= 3
            finally:
                server.thaw()
            assert await until_it_answers(lambda: database.read(seq)) == 0
            assert await until_it_answers(lambda: database.write(seq)) == 0
            assert database.health().ok

    asyncio.run(main())


def test_after_a_restart_the_kept_connections_are_replaced_in_silence(server, url):
    async def main() -> None:
        async with opened(url, threads=2) as database:
            await asyncio.gather(*(database.read(seq) for _ in range(4)))
            await database.write(seq)
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            assert [await database.read(seq) for _ in range(4)] == [0] * 4
            assert await database.write(seq) == 0

    asyncio.run(main())


def test_a_server_that_is_away_is_told_at_once_and_met_again_when_it_is_back(server, url):
    async def main() -> None:
        server.kill()
        try:
            async with opened(url) as database:
                began = time.monotonic()
                for ask in (database.read, database.write):
                    with pytest.raises(DatabaseUnavailable, match=r"refused|111"):
                        await ask(seq)
                assert time.monotonic() - began < 6
                with pytest.raises(DatabaseUnavailable):
                    needs_upgrade(url)
                await asyncio.to_thread(server.start)
                assert await until_it_answers(lambda: database.read(seq)) == 0
        finally:
            if server._process is None:
                server.start()

    asyncio.run(main())


def test_the_journal_loses_nothing_it_acknowledged_when_the_server_is_killed(server, url):
    """Writes go on through two deaths of the server; what failed is tried again, as the writer does."""

    async def main() -> None:
        async with opened(url) as database:
            journal, written = SqlJournal(database), 0
            writing = asyncio.Event()

            async def write_all() -> None:
                nonlocal written
                for number in range(120):
                    changes = [looked_up(number), observed(number), ended(number)]
                    await until_it_answers(lambda changes=changes: journal.write(changes))
                    written += 1
                    writing.set()

            task = asyncio.create_task(write_all())
            for _ in range(2):
                writing.clear()
                await asyncio.wait_for(writing.wait(), 60)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
            await asyncio.wait_for(task, 120)
            assert written == 120
            calls = [await journal.call(f"main:{number}.0") for number in range(120)]
            assert all(call is not None and call.ended_at for call in calls)
            last = (await journal.event_range()).last
            events, after = [], 0
            while some := await journal.events_after(after, 1000):
                events += some
                after = some[-1].seq
            assert [event.seq for event in events] == list(range(1, last + 1))
            assert journal.rejections == 0

    asyncio.run(main())


def test_a_wrong_password_or_database_is_told_without_the_password(server):
    url = server.new_database().rpartition("/")[0].replace("@", ":geheim@") + "/no_such_database"

    async def main() -> None:
        async with opened(url) as database:
            with pytest.raises(DatabaseUnavailable) as caught:
                await database.read(seq)
            assert "geheim" not in str(caught.value)
            assert "geheim" not in database.name
            with pytest.raises(JournalUnavailable):
                await SqlJournal(database).write([observed()])

    asyncio.run(main())
    with pytest.raises(DatabaseUnavailable):
        upgrade(url)
