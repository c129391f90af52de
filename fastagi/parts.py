"""The parts of the service, each made from its section of the configuration."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fastagi.bus.memory import MemoryBus
from fastagi.bus.redis import RedisBus
from fastagi.config import Config
from fastagi.database import Database
from fastagi.directory.own import OwnDirectory
from fastagi.errors import ConfigError
from fastagi.interfaces import Bus, Directory
from fastagi.lookup import Lookup
from fastagi.migrations import needs_upgrade, upgrade
from fastagi.numbers import Numbers

__all__ = ["make_bus", "make_database", "make_directories", "make_lookup", "make_numbers", "make_ready"]


def make_ready(config: Config) -> None:
    """Creates and upgrades an SQLite file; asks of the others that somebody did.

    Raises:
        ConfigError: the tables are not up to date.
        DatabaseUnavailable: the database cannot be asked.
    """
    url = config.database.url
    if url.startswith("sqlite"):
        upgrade(url)
    elif needs_upgrade(url):
        raise ConfigError(
            "database", "database.url", "its tables are not up to date; run `whocalls db upgrade`"
        )


def make_database(config: Config) -> Database:
    """Returns the database, not opened."""
    return Database(config.database.url, threads=config.database.threads)


def make_numbers(config: Config) -> Numbers:
    """Returns what reads raw numbers."""
    numbers = config.numbers
    return Numbers(numbers.region, numbers.internal, numbers.prefixes, numbers.skip)


def make_directories(config: Config, database: Database) -> list[Directory]:
    """Returns the directories in the order they are asked."""
    console = config.console
    return [
        OwnDirectory(database, one.name, subscriber_url=console.subscriber_url, currency=console.currency)
        for one in config.directory
    ]


def make_lookup(config: Config, numbers: Numbers, directories: list[Directory]) -> Lookup:
    """Returns the use case."""
    agi = config.agi
    return Lookup(numbers, directories, deadline=agi.deadline, lookup_withheld=agi.lookup_withheld)


def make_bus(config: Config) -> Bus:
    """Returns the bus, not started."""
    return MemoryBus() if config.bus.url.startswith("memory://") else RedisBus(config.bus.url)


def make_spool_folder(config: Config) -> Path:
    """Returns the folder where changes wait.

    Raises:
        ConfigError: it cannot be made or written.
    """
    folder = config.database.spool
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError("configuration", "database.spool", f"{folder}: {error.strerror}") from None
    return folder
