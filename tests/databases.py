"""Empty databases of each kind: SQLite always, PostgreSQL and MariaDB where `networked` tests run."""

import shutil

import pytest
from sqlalchemy import create_engine, insert

from fastagi.database import upgrade
from fastagi.schema import counters, metadata
from tests.servers import MariaDb, Postgres, running

__all__ = ["mariadb", "postgresql", "sqlite_template", "url"]

NETWORKED = [pytest.param(name, marks=pytest.mark.networked) for name in ("postgresql", "mariadb")]


@pytest.fixture(scope="session")
def postgresql():
    with running(Postgres()) as server:
        yield _upgraded(server.new_database())


@pytest.fixture(scope="session")
def mariadb():
    with running(MariaDb()) as server:
        yield _upgraded(server.new_database())


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    file = tmp_path_factory.mktemp("template") / "whocalls.db"
    _upgraded(f"sqlite:///{file}")
    return file


def _upgraded(url: str) -> str:
    upgrade(url)
    return url


@pytest.fixture(params=["sqlite", *NETWORKED])
def url(request, tmp_path):
    """An empty database with the newest schema, of each kind."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "whocalls.db")
        return f"sqlite:///{tmp_path}/whocalls.db"
    url = request.getfixturevalue(request.param)
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(insert(counters).values(name="seq", value=0))
    engine.dispose()
    return url
