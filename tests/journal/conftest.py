"""The journal on each kind of database."""

import asyncio

import pytest

from fastagi.database import Database
from fastagi.journal.own import SqlJournal
from tests.databases import mariadb, postgresql, sqlite_template, url  # noqa: F401 (fixtures)


@pytest.fixture
def run(url, tmp_path):  # noqa: F811
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
