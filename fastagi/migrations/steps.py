"""Creates and upgrades whocalls' own database by running Alembic; no alembic.ini is needed."""

from __future__ import annotations

import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from fastagi.engines import sqlite_file, told, writing_engine
from fastagi.errors import ConfigError, DatabaseUnavailable

__all__ = ["needs_upgrade", "upgrade"]

CONNECT = 10.0
"""Seconds to reach the server, or to get SQLite's write lock while another process upgrades."""


def upgrade(url: str) -> None:
    """Brings the database to the newest schema; does nothing where it has it already.

    An SQLite file that is not there is made, readable by its owner only. Several processes may do this to
    one SQLite file at once.

    Raises:
        DatabaseUnavailable: it cannot be reached or changed.
        ConfigError: a newer whocalls upgraded it.
    """
    _make_file(url)
    scripts = _scripts()
    engine = writing_engine(url, limit=CONNECT)
    try:
        with engine.begin() as connection:
            _check_known(scripts, MigrationContext.configure(connection).get_current_revision())
            scripts.attributes["connection"] = connection
            command.upgrade(scripts, "head")
    except SQLAlchemyError as error:
        raise DatabaseUnavailable(f"the database cannot be upgraded: {told(error)}") from error
    finally:
        engine.dispose()


def needs_upgrade(url: str) -> bool:
    """Says whether `upgrade` has something to do.

    Raises:
        DatabaseUnavailable: it cannot be reached.
        ConfigError: a newer whocalls upgraded it.
    """
    file = sqlite_file(url)
    if file is not None and not Path(file).exists():
        return True
    scripts = _scripts()
    current = _revision(writing_engine(url, limit=CONNECT))
    _check_known(scripts, current)
    return current != ScriptDirectory.from_config(scripts).get_current_head()


def _revision(engine: Engine) -> str | None:
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        raise DatabaseUnavailable(f"the database cannot be read: {told(error)}") from error
    finally:
        engine.dispose()


def _scripts() -> Config:
    scripts = Config()
    scripts.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    scripts.set_main_option("path_separator", "os")
    return scripts


def _check_known(scripts: Config, revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(scripts).walk_revisions()}
    if revision is not None and revision not in known:
        reason = f"it has the schema {revision!r} of a newer whocalls; run that version or newer"
        raise ConfigError("database", "database.url", reason)


def _make_file(url: str) -> None:
    file = sqlite_file(url)
    if file is None:
        return
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise DatabaseUnavailable(f"{file}: {error.strerror}") from error
