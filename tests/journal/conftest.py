"""Where the journal's contract is tested: SQLite always, PostgreSQL and MariaDB where `networked` runs."""

import asyncio

import pytest
from sqlalchemy import create_engine, insert

from fastagi.database import Database, upgrade
from fastagi.journal.own import SqlJournal
from fastagi.schema import counters, metadata
from tests.servers import MariaDb, Postgres, running

NETWORKED = [pytest.param(name, marks=pytest.mark.networked) for name in ("postgresql", "mariadb")]


@pytest.fixture(scope="session")
def postgresql():
    with running(Postgres()) as server:
        yield _upgraded(server.new_database())


@pytest.fixture(scope="session")
def mariadb():
    with running(MariaDb()) as server:
        yield _upgraded(server.new_database())


def _upgraded(url: str) -> str:
    upgrade(url)
    return url


@pytest.fixture(params=["sqlite", *NETWORKED])
def url(request, tmp_path):
    """An empty database with the newest schema, of each kind."""
    if request.param == "sqlite":
        return _upgraded(f"sqlite:///{tmp_path}/whocalls.db")
    url = request.getfixturevalue(request.param)
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(insert(counters).values(name="seq", value=0))
    engine.dispose()
    return url


@pytest.fixture
def run(url, tmp_path):
    """Runs an `async def test(journal)` or `test(journal, database)` on each kind of database."""

    def run(test) -> None:
        async def main() -> None:
            database = Database(url)
            database.open()
            journal = SqlJournal(database, rejected=tmp_path / "spool" / "rejected.jsonl")
            try:
                await (test(journal) if test.__code__.co_argcount == 1 else test(journal, database))
            finally:
                await database.close()

        asyncio.run(main())

    return run
