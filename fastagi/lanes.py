"""Threads that run blocking queries, with a limit of time that a blocking driver itself does not keep.

A lane has an engine and some threads. Each query has a limit; past it the connection is shut down from
outside, which frees the thread. Few may wait, and when as many queries in a row as there are threads ran out
of time, the circuit opens: for a second everybody is refused at once, then one query tries again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from fastagi.engines import is_away, shut_down, told
from fastagi.errors import DatabaseUnavailable

__all__ = ["Lane"]

T = TypeVar("T")

OPEN_FOR = 1.0
"""Seconds an open circuit refuses everybody before one query tries again."""
GRACE = 0.5
"""Seconds a transaction that was shut down gets to say how it ended."""
CLOSING = 5.0
"""Seconds running queries get when the lane closes."""


class Lane:
    """Runs queries on threads of its own.

    Args:
        name: what it is for, in errors and thread names: "read" or "write".
        engine: where connections come from.
        threads: how many run at once.
        waiting: how many more may wait for a thread.
        transaction: True runs each query in one transaction; False in AUTOCOMMIT, and tries again once when
            a kept connection turns out to have died.
    """

    def __init__(self, name: str, engine: Engine, *, threads: int, waiting: int, transaction: bool) -> None:
        self._name = name
        self._engine = engine
        self._threads = threads
        self._places = threads + waiting
        self._transaction = transaction
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"database-{name}")
        self._jobs: set[_Job[Any]] = set()
        self._futures: set[asyncio.Future[Any]] = set()
        self._late = 0
        self._refuse_until = 0.0
        self._closed = False
        self.failure: str | None = None
        """What the last query that found no database said; None after one that worked."""

    @property
    def busy(self) -> int:
        """How many queries run or wait."""
        return len(self._futures)

    async def run(self, work: Callable[[Connection], T], limit: float) -> T:
        """Runs a query within `limit` seconds, waiting for a thread included.

        Raises:
            DatabaseUnavailable: no database, no thread or no time.
        """
        loop = asyncio.get_running_loop()
        self._admit(loop.time(), limit)
        job = _Job(self._engine, work, transaction=self._transaction)
        future = loop.run_in_executor(self._pool, job.run)
        self._keep(job, future)
        timer = loop.call_later(limit, job.abort)
        future.add_done_callback(lambda _: timer.cancel())
        done, _ = await asyncio.wait({future}, timeout=limit + (GRACE if self._transaction else 0.0))
        if not done or (job.aborted and future.exception() is not None):
            self._late += 1
            raise self._failed(loop.time(), f"no answer within {limit:g} s")
        error = future.exception()
        if error is not None and is_away(error):
            raise self._failed(loop.time(), told(error)) from error
        self._late = 0
        self.failure = None
        return future.result()

    def _admit(self, now: float, limit: float) -> None:
        if self._closed:
            raise DatabaseUnavailable(f"{self._name}: the database was closed")
        if len(self._futures) >= self._places:
            raise DatabaseUnavailable(
                f"{self._name}: all {self._threads} threads are busy and {self._places - self._threads} wait"
            )
        if self._late >= self._threads:
            if now < self._refuse_until:
                raise DatabaseUnavailable(f"{self._name}: {self.failure}; trying again within {OPEN_FOR:g} s")
            self._refuse_until = now + limit + OPEN_FOR  # this one tries, the others are refused meanwhile

    def _failed(self, now: float, reason: str) -> DatabaseUnavailable:
        self._refuse_until = now + OPEN_FOR
        self.failure = reason
        return DatabaseUnavailable(f"{self._name}: {reason}")

    def _keep(self, job: _Job[Any], future: asyncio.Future[Any]) -> None:
        """Holds what runs until it ended; its error counts as seen even when nobody waits any more."""
        self._jobs.add(job)
        self._futures.add(future)

        def ended(future: asyncio.Future[Any]) -> None:
            self._jobs.discard(job)
            self._futures.discard(future)
            if not future.cancelled():
                future.exception()

        future.add_done_callback(ended)

    async def close(self) -> None:
        """Lets running queries end within 5 s, then shuts them down."""
        self._closed = True
        if self._futures:
            await asyncio.wait(set(self._futures), timeout=CLOSING)
        for job in list(self._jobs):
            job.abort()
        await asyncio.to_thread(self._pool.shutdown)
        self._engine.dispose()


class _Job(Generic[T]):
    """One query on its thread."""

    def __init__(self, engine: Engine, work: Callable[[Connection], T], *, transaction: bool) -> None:
        self._engine = engine
        self._work = work
        self._transaction = transaction
        self._lock = threading.Lock()
        self._driver: Any = None
        self.aborted = False

    def run(self) -> T:
        """Runs it (on the lane's thread)."""
        try:
            return self._once()
        except DBAPIError as error:
            if self._transaction or self.aborted or not error.connection_invalidated:
                raise
        return self._once()  # a kept connection had died, as after a restart of the server

    def _once(self) -> T:
        self._refuse_late()
        with self._engine.connect() as connection, self._held(connection):
            if not self._transaction:
                return self._work(connection)
            with connection.begin():
                return self._work(connection)

    @contextmanager
    def _held(self, connection: Connection) -> Iterator[None]:
        """Makes the connection known to `abort`, and throws it away if it was aborted."""
        with self._lock:
            self._refuse_late()
            self._driver = connection.connection.driver_connection
        try:
            yield
        finally:
            with self._lock:
                self._driver = None
            if self.aborted:
                connection.invalidate()

    def _refuse_late(self) -> None:
        if self.aborted:
            raise DatabaseUnavailable("no thread was free in time")

    def abort(self) -> None:
        """Ends it from outside; does nothing once it ended."""
        with self._lock:
            self.aborted = True
            if self._driver is not None:
                shut_down(self._driver)
