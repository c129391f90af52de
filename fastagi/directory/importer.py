"""Reads subscribers from a CSV file into the own directory, in the process that calls it.

Columns: id, login, name, company, phones, deposit, address, tariff, service, service_status, language, operator, url,
in any order; only name and phones are required (csvrow.py says what becomes of a row without id). Several phones are
parted by semicolons. A subscriber with the same id is updated: the file's columns replace the stored ones, its phones
all stored phones. Bad rows are listed, good rows go in, 2,000 to a transaction.

Memory does not grow with the file: a batch of rows, the first thousand bad ones, and what was seen, which lies in a
temporary file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError

from fastagi.directory.csvfile import Broken, Record, check_utf8, records
from fastagi.directory.csvrow import Header, Row
from fastagi.directory.storing import store
from fastagi.engines import told, writing_engine
from fastagi.errors import BadInput, DatabaseUnavailable
from fastagi.numbers import Numbers

__all__ = ["ImportReport", "import_csv"]

BATCH = 2_000
"""Rows in one transaction: SQLite's write lock is held for a tenth of a second, and a running `serve`, whose journal
waits for it, hardly notices. Larger ones are not quicker."""
MOST = 10_000
"""Most rows in one transaction."""
LISTED = 1_000
"""Most bad rows, and most remarks, that the report lists; the others are counted."""
LOCK = 30.0
"""Seconds to wait for SQLite's write lock, or for another database to answer."""

PAGES = 65_536
"""KiB of the SQLite file kept in memory: less is written several times within one transaction."""

Progress = Callable[[int, int], None]
"""Gets the bytes of the file that are done and all its bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of a file: `read` rows, `added` and `updated` subscribers.

    `rejected` lists the first bad rows by line, `rejected_total` counts them all. `remarks` lists rows that went in
    without some of their phones.
    """

    read: int
    added: int
    updated: int
    rejected: tuple[tuple[int, str], ...]
    rejected_total: int
    remarks: tuple[tuple[int, str], ...] = ()
    remarks_total: int = 0


def _silent(done: int, total: int) -> None:
    """Tells nobody."""


def import_csv(
    path: Path,
    database_url: str,
    numbers: Numbers,
    *,
    progress: Progress = _silent,
    batch: int = BATCH,
) -> ImportReport:
    """Imports a file; what went in before an error stays in, and importing it again goes on.

    Args:
        path: a file that can be read twice (no pipe).
        database_url: our own database, already upgraded.
        numbers: reads the phones.
        progress: called after each batch.
        batch: rows in one transaction, at most 10,000.

    Raises:
        BadInput: no such file, no UTF-8, or a header that is wrong. Nothing was changed.
        DatabaseUnavailable: the database cannot be reached or written.
    """
    if not path.is_file():
        raise BadInput(str(path), "there is no such file")
    engine = _engine(database_url)
    try:
        check_utf8(path)
        with path.open("rb") as file, closing(_Seen()) as seen:
            reading = _Reading(path, records(file), numbers, seen)
            total = path.stat().st_size
            return _import(reading, engine, min(batch, MOST), lambda done: progress(done, total))
    except OSError as error:
        raise BadInput(str(path), error.strerror or str(error)) from None
    finally:
        engine.dispose()


def _engine(url: str) -> Engine:
    engine = writing_engine(url, limit=LOCK)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _keep_pages)
    return engine


def _keep_pages(connection: Any, _record: object) -> None:
    connection.execute(f"PRAGMA cache_size = {-PAGES}")


def _import(reading: _Reading, engine: Engine, batch: int, progress: Callable[[int], None]) -> ImportReport:
    added = updated = 0
    while rows := reading.rows(batch):
        try:
            with engine.begin() as connection:
                known = store(connection, rows)
        except SQLAlchemyError as error:
            raise DatabaseUnavailable(
                f"the import stopped before line {rows[0].line}: {told(error)}"
            ) from error
        added, updated = added + len(rows) - known, updated + known
        progress(reading.done)
    progress(reading.done)
    return ImportReport(
        read=reading.read,
        added=added,
        updated=updated,
        rejected=tuple(reading.rejected.listed),
        rejected_total=reading.rejected.total,
        remarks=tuple(reading.remarks.listed),
        remarks_total=reading.remarks.total,
    )


@dataclass(slots=True)
class _Listed:
    """The first of many, and how many there are."""

    listed: list[tuple[int, str]] = field(default_factory=list)
    total: int = 0

    def add(self, line: int, words: str) -> None:
        self.total += 1
        if self.total <= LISTED:
            self.listed.append((line, words))


class _Reading:
    """Turns records into rows and keeps account of those that are none."""

    def __init__(self, path: Path, source: Iterator[Record], numbers: Numbers, seen: _Seen) -> None:
        self._records = source
        self._seen = seen
        self.read = 0
        self.done = 0
        self.rejected = _Listed()
        self.remarks = _Listed()
        first = next(source, None)
        if first is None:
            raise BadInput(str(path), "is empty; its first line must name the columns")
        try:
            if isinstance(first, Broken):
                raise BadInput("header", first.reason)
            self._header = Header(first, numbers)
        except BadInput as error:
            raise BadInput(f"{path}, line {first.line}", str(error)) from None

    def rows(self, most: int) -> list[Row]:
        """Returns the next rows; none at the end of the file."""
        rows: list[Row] = []
        for record in self._records:
            self.done = record.done
            self.read += 1
            if row := self._row(record):
                rows.append(row)
                if len(rows) == most:
                    break
        return rows

    def _row(self, record: Record) -> Row | None:
        if isinstance(record, Broken):
            self.rejected.add(record.line, record.reason)
            return None
        try:
            row = self._header.row(record.line, record)
        except BadInput as error:
            self.rejected.add(record.line, str(error))
            return None
        before = self._seen.before(row)
        if before is not None:
            self.rejected.add(row.line, f'id: "{row.id}" was on line {before} already')
            return None
        if row.remark:
            self.remarks.add(row.line, row.remark)
        return row


class _Seen:
    """The ids of the file so far and their lines, in a temporary database of SQLite that spills to a file."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def before(self, row: Row) -> int | None:
        """Remembers a row's id; returns the line where it was before."""
        added = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (row.id, row.line))
        if added.rowcount:
            return None
        line: int = self._database.execute("SELECT line FROM seen WHERE id = ?", (row.id,)).fetchone()[0]
        return line

    def close(self) -> None:
        """Removes it."""
        self._database.close()
