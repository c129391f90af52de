"""The database: its file, its threads, its limits, and the schema that the migrations make (SQLite)."""

import asyncio
import sqlite3
import threading
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from fastagi.database import Database, needs_upgrade, upgrade
from fastagi.errors import ConfigError, DatabaseUnavailable
from fastagi.schema import counters, metadata

SLOW = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT max(i) FROM n"
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/whocalls.db"
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


def slow(connection) -> int:
    return connection.scalar(SLOW)


async def until_it_answers(database: Database, limit: float = 10.0) -> int:
    async with asyncio.timeout(limit):
        while True:
            try:
                return await database.read(seq)
            except DatabaseUnavailable:
                await asyncio.sleep(0.02)


# -- schema -----------------------------------------------------------------------------------------------


def test_the_migrations_make_the_schema_that_the_code_uses(url):
    with create_engine(url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert seq(connection) == 0


def test_upgrade_says_whether_it_is_needed_and_may_be_repeated(tmp_path):
    url = f"sqlite:///{tmp_path}/new.db"
    assert needs_upgrade(url)
    assert not (tmp_path / "new.db").exists()
    upgrade(url)
    assert not needs_upgrade(url)
    upgrade(url)
    assert not needs_upgrade(url)


def test_a_new_file_belongs_to_its_owner_only_and_is_in_wal_mode(url, tmp_path):
    assert (tmp_path / "whocalls.db").stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(tmp_path / "whocalls.db") as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    raw.close()


def test_two_processes_may_upgrade_at_once(tmp_path):
    url, failures = f"sqlite:///{tmp_path}/both.db", []

    def run() -> None:
        try:
            upgrade(url)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not needs_upgrade(url)


def test_a_database_of_a_newer_whocalls_is_refused(url):
    with create_engine(url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="'9999' of a newer whocalls"):
        upgrade(url)
    with pytest.raises(ConfigError, match="newer"):
        needs_upgrade(url)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DatabaseUnavailable, match=r"missing/x\.db: No such file"):
        upgrade(f"sqlite:///{tmp_path}/missing/x.db")


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "text.db").write_text("this is a text file, not a database, and it is long enough\n" * 40)
    with pytest.raises(DatabaseUnavailable, match="file is not a database"):
        upgrade(f"sqlite:///{tmp_path}/text.db")


# -- reading and writing ----------------------------------------------------------------------------------


def test_what_is_written_is_read_by_all_three_ways(url):
    async def main() -> None:
        async with opened(url) as database:
            assert database.dialect == "sqlite"
            await database.write(lambda c: c.execute(insert(counters).values(name="x", value=7)).rowcount)
            assert (
                await database.read(lambda c: c.scalar(text("SELECT value FROM counters WHERE name = 'x'")))
                == 7
            )
            assert seq(database.keyed()) == 0
            assert database.health().ok

    asyncio.run(main())


def test_an_error_in_the_work_rolls_all_of_it_back_and_reaches_the_caller(url):
    def work(connection) -> None:
        connection.execute(insert(counters).values(name="x", value=7))
        connection.execute(insert(counters).values(name="x", value=8))

    async def main() -> None:
        async with opened(url) as database:
            with pytest.raises(IntegrityError):
                await database.write(work)
            assert await database.read(lambda c: c.scalar(text("SELECT count(*) FROM counters"))) == 1
            assert database.health().ok

    asyncio.run(main())


def test_readers_cannot_write(url):
    write = text("UPDATE counters SET value = 9")

    async def main() -> None:
        async with opened(url) as database:
            with pytest.raises(DatabaseUnavailable, match="readonly"):
                await database.read(lambda c: c.execute(write))
            with pytest.raises(OperationalError, match="readonly"):
                database.keyed().execute(write)

    asyncio.run(main())


def test_readers_see_the_last_commit_while_another_process_writes(url, tmp_path):
    async def main() -> None:
        async with opened(url, limit=0.3) as database:
            other = sqlite3.connect(tmp_path / "whocalls.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            other.execute("UPDATE counters SET value = 5")
            assert seq(database.keyed()) == await database.read(seq) == 0
            with pytest.raises(DatabaseUnavailable, match=r"locked|no answer"):
                await database.write(lambda c: None)
            other.execute("COMMIT")
            other.close()
            assert seq(database.keyed()) == await database.read(seq) == 5

    asyncio.run(main())


def test_a_locked_database_fails_the_kept_connection_at_once(url, tmp_path):
    async def main() -> None:
        other = sqlite3.connect(tmp_path / "whocalls.db", isolation_level=None)
        other.execute("PRAGMA journal_mode = DELETE")  # in WAL mode nothing locks a reader out
        async with opened(url) as database:
            other.execute("BEGIN EXCLUSIVE")
            assert database.keyed().scalar(text("PRAGMA busy_timeout")) == 0
            with pytest.raises(OperationalError, match="locked"):
                seq(database.keyed())
            other.execute("ROLLBACK")
            other.close()
            assert seq(database.keyed()) == 0

    asyncio.run(main())


def test_opening_waits_for_a_lock_that_another_process_holds_for_a_moment(url, tmp_path):
    other = sqlite3.connect(tmp_path / "whocalls.db", isolation_level=None, check_same_thread=False)
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.3, other.execute, ["ROLLBACK"])

    async def main() -> None:
        release.start()
        async with opened(url) as database:
            assert seq(database.keyed()) == 0

    asyncio.run(main())
    release.join()
    other.close()


def test_a_missing_file_is_not_made_in_silence(tmp_path):
    with pytest.raises(DatabaseUnavailable, match="db upgrade"):
        Database(f"sqlite:///{tmp_path}/none.db").open()
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_was_never_upgraded_says_what_to_do(tmp_path):
    (tmp_path / "empty.db").touch()

    async def main() -> None:
        async with opened(f"sqlite:///{tmp_path}/empty.db") as database:
            with pytest.raises(
                DatabaseUnavailable, match="no such table: counters; run `whocalls db upgrade`"
            ):
                await database.read(seq)
            assert not database.health().ok

    asyncio.run(main())


def test_a_database_that_is_not_open_or_closed_says_so(url):
    async def main() -> None:
        database = Database(url)
        with pytest.raises(DatabaseUnavailable, match="not open"):
            await database.read(seq)
        assert not database.health().ok
        database.open()
        await database.close()
        with pytest.raises(DatabaseUnavailable, match="closed"):
            await database.read(seq)

    asyncio.run(main())


# -- limits -----------------------------------------------------------------------------------------------


def test_a_query_past_its_limit_is_ended_and_its_thread_is_free_again(url):
    async def main() -> None:
        async with opened(url, threads=1) as database:
            began = time.monotonic()
            with pytest.raises(DatabaseUnavailable, match=r"no answer within 0\.1 s"):
                await database.read(slow, limit=0.1)
            assert time.monotonic() - began < 30  # the query itself would take minutes
            assert "no answer" in database.health().detail
            assert await until_it_answers(database) == 0
            assert database.health().ok

    asyncio.run(main())


def test_a_transaction_past_its_limit_leaves_nothing(url):
    def work(connection) -> None:
        connection.execute(insert(counters).values(name="x", value=7))
        slow(connection)

    async def main() -> None:
        async with opened(url) as database:
            with pytest.raises(DatabaseUnavailable, match=r"write: no answer within 0\.2 s"):
                await database.write(work, limit=0.2)
            assert await database.read(lambda c: c.scalar(text("SELECT count(*) FROM counters"))) == 1

    asyncio.run(main())


def test_the_limit_counts_the_wait_for_a_thread(url):
    async def main() -> None:
        async with opened(url, threads=1) as database:
            holding = asyncio.create_task(database.read(slow, limit=1.0))
            await asyncio.sleep(0)
            with pytest.raises(DatabaseUnavailable, match=r"no answer within 0\.1 s"):
                await database.read(seq, limit=0.1)
            with pytest.raises(DatabaseUnavailable):
                await holding

    asyncio.run(main())


def test_when_every_thread_ran_out_of_time_all_are_refused_at_once_then_one_tries(url):
    async def main() -> None:
        async with opened(url, threads=2) as database:
            stuck = [database.read(slow, limit=0.1) for _ in range(2)]
            assert all(
                isinstance(e, DatabaseUnavailable)
                for e in await asyncio.gather(*stuck, return_exceptions=True)
            )
            asked = []
            with pytest.raises(DatabaseUnavailable, match="trying again within"):
                await database.read(asked.append)
            assert asked == []
            assert await until_it_answers(database) == 0

    asyncio.run(main())


def test_no_more_than_so_many_may_wait(url, monkeypatch):
    monkeypatch.setattr("fastagi.database.READS_WAITING", 2)

    async def main() -> None:
        async with opened(url, threads=1) as database:
            tasks = [asyncio.create_task(database.read(slow, limit=0.3)) for _ in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(DatabaseUnavailable, match="all 1 threads are busy and 2 wait"):
                await database.read(seq)
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


def test_a_caller_who_gave_up_leaves_a_query_that_still_ends_at_its_limit(url):
    async def main() -> None:
        async with opened(url, threads=1) as database:
            task = asyncio.create_task(database.read(slow, limit=0.3))
            await asyncio.sleep(0.05)
            task.cancel()
            assert await database.read(seq, limit=5.0) == 0

    asyncio.run(main())


def test_the_loop_goes_on_while_queries_run(url):
    async def main() -> None:
        async with opened(url, threads=2) as database:
            tasks = [asyncio.create_task(database.read(slow, limit=0.5)) for _ in range(2)]
            turns = 0
            while not any(task.done() for task in tasks):
                await asyncio.sleep(0.001)
                turns += 1
            assert turns > 10  # a query that held the loop up would let it turn once or twice
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
