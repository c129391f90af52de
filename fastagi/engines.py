"""Engines of SQLAlchemy for every kind of database we run on, and how to free a thread one of them holds.

A blocking driver keeps no deadline by itself: psycopg stays blocked on a frozen server in spite of every
time-out option. Whoever watches the time therefore calls `shut_down` on the driver's connection from another
thread; the blocked one wakes with an error at once and its connection is thrown away.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool

__all__ = [
    "dialect_of",
    "is_away",
    "is_poison",
    "keyed_engine",
    "reading_engine",
    "shut_down",
    "sqlite_file",
    "told",
    "writing_engine",
]

FENCE = 60.0
"""Seconds: PyMySQL's own limit for one read or write, behind the limit that `shut_down` enforces."""
KEYED_CACHE = 65536
"""KiB that the kept connection may use to remember pages of the file."""
OPENING_BUSY = 1.0
"""Seconds the kept connection waits for a lock while it is opened, and never again."""
READER_BUSY = 1.0
"""Seconds an SQLite reader waits for a lock; in WAL mode it meets one only while the file is recovered."""

# MariaDB and MySQL report these faults of a value as "operational": wrong string, too long, out of range,
# wrong date, invalid JSON, invalid characters.
_MYSQL_VALUE_CODES = frozenset({1264, 1292, 1300, 1366, 1406, 3140})
_MYSQL_NO_TABLE = 1146
_POSTGRESQL_NO_TABLE = "42P01"


def dialect_of(url: str) -> str:
    """Returns "sqlite", "postgresql" or "mysql" (MariaDB too)."""
    return _plain(url).get_backend_name()


def reading_engine(url: str, *, threads: int, limit: float) -> Engine:
    """Makes the engine of the reading threads: AUTOCOMMIT, one connection per thread.

    Nothing is rolled back when a connection returns: in AUTOCOMMIT there is nothing to roll back, and PyMySQL
    would pay a round trip for it.
    """
    engine = _engine(
        url,
        limit,
        busy=READER_BUSY,
        isolation_level="AUTOCOMMIT",
        pool_size=threads,
        max_overflow=0,
        pool_reset_on_return=None,
        skip_autocommit_rollback=True,
    )
    if dialect_of(url) == "sqlite":
        event.listen(engine, "connect", _only_read)
    return engine


def writing_engine(url: str, *, limit: float) -> Engine:
    """Makes the engine of the one writing thread.

    SQLite transactions take the write lock at their beginning, so none fails half way because another process
    wrote meanwhile. The others run in READ COMMITTED: what is read after the lock is what was committed.
    """
    if dialect_of(url) == "sqlite":
        engine = _engine(url, limit, busy=limit, pool_size=1, max_overflow=0)
        event.listen(engine, "connect", _prepare_to_write)
        event.listen(engine, "begin", _begin_immediate)
        return engine
    return _engine(
        url, limit, isolation_level="READ COMMITTED", pool_size=1, max_overflow=0, pool_pre_ping=True
    )


def keyed_engine(url: str) -> Engine:
    """Makes the engine of the one kept SQLite connection: read-only, AUTOCOMMIT, never waits for a lock."""
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        poolclass=StaticPool,
        pool_reset_on_return=None,
        skip_autocommit_rollback=True,
        connect_args={"timeout": OPENING_BUSY, "check_same_thread": True},
    )
    event.listen(engine, "connect", _only_read)
    event.listen(engine, "connect", _never_wait)
    return engine


def _engine(url: str, limit: float, *, busy: float = 0.0, **options: Any) -> Engine:
    seconds = max(1, round(limit))
    arguments: dict[str, Any]
    match dialect_of(url):
        case "sqlite":
            arguments = {"timeout": busy, "check_same_thread": False}
        case "postgresql":
            arguments = {"connect_timeout": seconds, "application_name": "whocalls"}
        case _:
            arguments = {
                # The greeting of the server is read with the first; `_give_time` sets it for queries.
                "connect_timeout": seconds,
                "read_timeout": seconds,
                "write_timeout": FENCE,
                "charset": "utf8mb4",
            }
    engine = create_engine(_plain(url), connect_args=arguments, pool_timeout=limit, **options)
    if dialect_of(url) == "mysql":
        event.listen(engine, "connect", _give_time)
    return engine


def _give_time(connection: Any, _record: object) -> None:
    connection._read_timeout = FENCE


def _plain(url: str) -> URL:
    """Calls MariaDB by the name of MySQL: what differs, SQLAlchemy asks the server."""
    parsed = make_url(url)
    return parsed.set(drivername="mysql+pymysql") if parsed.get_backend_name() == "mariadb" else parsed


def _only_read(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA query_only = ON")


def _never_wait(connection: Any, _record: object) -> None:
    try:
        # The first look may meet another process that recovers or leaves the file; later ones do not.
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        # The inner pages of the indexes stay at hand: a quarter less CPU per lookup among a million.
        connection.execute(f"PRAGMA cache_size = -{KEYED_CACHE}")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise  # whoever locks it so long is met by the lookups, which say so
    connection.execute("PRAGMA busy_timeout = 0")


def _prepare_to_write(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late; see _begin_immediate
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_size_limit = 67108864")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def shut_down(driver: Any) -> None:
    """Ends what a driver's connection does now, from another thread; the connection is unusable afterwards.

    Args:
        driver: the connection of sqlite3, psycopg or PyMySQL itself.
    """
    if hasattr(driver, "interrupt"):
        driver.interrupt()
        return
    # Already closed from the other side: nothing is left to end.
    with contextlib.suppress(Exception):
        descriptor = driver.fileno() if hasattr(driver, "fileno") else driver._sock.fileno()
        with socket.socket(fileno=os.dup(descriptor)) as twin:
            twin.shutdown(socket.SHUT_RDWR)


def is_away(error: BaseException) -> bool:
    """Says whether the database could not do its work, whatever was asked of it."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    if isinstance(error, OperationalError | InterfaceError | InternalError):
        return _code(error) not in _MYSQL_VALUE_CODES
    return _lacks_table(error)


def is_poison(error: BaseException) -> bool:
    """Says whether the values given are what the database, its driver or an encoder cannot take."""
    if isinstance(error, DBAPIError):
        if isinstance(error, ProgrammingError):
            # sqlite3 says so when it cannot bind a value; the others when our SQL is wrong.
            return type(error.orig).__module__ == "sqlite3"
        return isinstance(error, DataError | IntegrityError) or _code(error) in _MYSQL_VALUE_CODES
    if isinstance(error, StatementError):
        return True
    return isinstance(error, Exception) and not isinstance(error, SQLAlchemyError)


def told(error: BaseException) -> str:
    """Returns what the driver said, on one line, without the statement and its values."""
    words = error.orig if isinstance(error, DBAPIError) else error
    text = " ".join(str(words).split()) or type(words).__name__
    if _lacks_table(error):
        text += "; run `whocalls db upgrade`"
    return text[:500]


def _lacks_table(error: BaseException) -> bool:
    if not isinstance(error, DBAPIError):
        return False
    if "no such table" in str(error.orig):
        return True
    return _code(error) == _MYSQL_NO_TABLE or getattr(error.orig, "sqlstate", None) == _POSTGRESQL_NO_TABLE


def _code(error: DBAPIError) -> int | None:
    """Returns PyMySQL's error number; the other drivers have none."""
    arguments = error.orig.args if error.orig is not None else ()
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def sqlite_file(url: str | URL) -> str | None:
    """Returns the path of an SQLite database, None for other kinds."""
    parsed = make_url(url)
    return parsed.database if parsed.get_backend_name() == "sqlite" else None
