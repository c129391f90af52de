"""whocalls' own database: who may read it how, and the one thread that writes it.

    keyed()  SQLite only: one kept read-only connection for the loop's thread. An indexed read costs about
             20 µs there, a hop to a thread 100 µs more. It never waits: a locked database raises at once.
    read()   everything else that reads: a small pool of threads, AUTOCOMMIT.
    write()  the one writing thread, one transaction for each piece of work.

Each query has a limit of time (see lanes.py). The tables are in schema.py, their creation in migrations/.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from fastagi.engines import dialect_of, keyed_engine, reading_engine, sqlite_file, told, writing_engine
from fastagi.errors import DatabaseUnavailable
from fastagi.interfaces import Health
from fastagi.lanes import Lane
from fastagi.migrations import needs_upgrade, upgrade

__all__ = ["Database", "needs_upgrade", "upgrade"]

T = TypeVar("T")

READS_WAITING = 64
"""Most reads that wait for a thread; more than this is a database that does not keep up."""
WRITES_WAITING = 64
"""Most pieces of work that wait for the writing thread."""


class Database:
    """The database of this process.

    Args:
        url: SQLAlchemy's, as in the configuration.
        threads: how many read at once.
        limit: seconds a query may take where it names no limit of its own.
    """

    def __init__(self, url: str, *, threads: int = 4, limit: float = 5.0) -> None:
        self._url = url
        self._threads = threads
        self._limit = limit
        self._reads: Lane | None = None
        self._writes: Lane | None = None
        self._engine: Engine | None = None
        self._keyed: Connection | None = None

    @property
    def dialect(self) -> str:
        """Returns "sqlite", "postgresql" or "mysql" (MariaDB too)."""
        return dialect_of(self._url)

    @property
    def name(self) -> str:
        """Returns the address without its password, for people."""
        return make_url(self._url).render_as_string(hide_password=True)

    def open(self) -> None:
        """Makes ready to work; call it on the loop's thread. A server that is away is met by the queries.

        Raises:
            DatabaseUnavailable: the SQLite file is not there or cannot be opened.
        """
        reading = reading_engine(self._url, threads=self._threads, limit=self._limit)
        writing = writing_engine(self._url, limit=self._limit)
        if self.dialect == "sqlite":
            self._open_file()
        self._reads = Lane("read", reading, threads=self._threads, waiting=READS_WAITING, transaction=False)
        self._writes = Lane("write", writing, threads=1, waiting=WRITES_WAITING, transaction=True)

    def _open_file(self) -> None:
        file = Path(sqlite_file(self._url) or "")
        if not file.is_file():
            raise DatabaseUnavailable(f"{file}: there is no such database; `whocalls db upgrade` makes it")
        self._engine = keyed_engine(self._url)
        try:
            self._keyed = self._engine.connect()
        except SQLAlchemyError as error:
            raise DatabaseUnavailable(f"{file}: {told(error)}") from error

    def keyed(self) -> Connection | None:
        """Returns the kept connection for reads by key on the loop's thread; None where it is no SQLite.

        It raises SQLAlchemy's errors as they come: at once where the database is locked.
        """
        return self._keyed

    async def read(self, query: Callable[[Connection], T], *, limit: float | None = None) -> T:
        """Runs a query on a reading thread. It must be one that may run twice: a connection that died
        while it was kept is replaced in silence.

        Args:
            query: gets the connection and returns plain values, no cursor.
            limit: seconds, waiting for a thread included; None takes the database's.

        Raises:
            DatabaseUnavailable: no database, no thread or no time.
        """
        return await self._opened(self._reads).run(query, self._limit if limit is None else limit)

    async def write(self, work: Callable[[Connection], T], *, limit: float | None = None) -> T:
        """Runs work on the writing thread in one transaction; an exception in it rolls back.

        Args:
            work: gets the connection in its transaction and returns plain values.
            limit: seconds, waiting for the thread included; None takes the database's.

        Raises:
            DatabaseUnavailable: nothing was written, or (only where the connection was lost or shut down
                in the commit itself) it is not known whether it was.
        """
        return await self._opened(self._writes).run(work, self._limit if limit is None else limit)

    def _opened(self, lane: Lane | None) -> Lane:
        if lane is None:
            raise DatabaseUnavailable("the database is not open")
        return lane

    def health(self) -> Health:
        """Says how the last queries went; it asks nothing."""
        if self._reads is None or self._writes is None:
            return Health(ok=False, detail="not open")
        failure = self._writes.failure or self._reads.failure
        if failure is not None:
            return Health(ok=False, detail=f"{self.dialect}: {failure}")
        return Health(
            ok=True, detail=f"{self.dialect}: {self._reads.busy} reads and {self._writes.busy} writes now"
        )

    async def close(self) -> None:
        """Lets what runs end (at most 5 s) and closes every connection."""
        for lane in (self._writes, self._reads):
            if lane is not None:
                await lane.close()
        if self._keyed is not None:
            self._keyed.close()
            self._keyed = None
        if self._engine is not None:
            self._engine.dispose()
