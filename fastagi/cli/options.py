"""What several commands share: the --config option and the configuration it names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from fastagi.config import Config, load
from fastagi.database import Database

__all__ = ["ConfigFile", "opened", "read"]

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="WHOCALLS_CONFIG",
        help="The configuration file (TOML); without it the defaults and WHOCALLS_… variables hold.",
        show_default=False,
    ),
]


def read(file: Path | None) -> Config:
    """Reads the configuration that --config names.

    Raises:
        ConfigError: it is wrong.
    """
    return load(file)


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Database]:
    """Opens the own database, its tables made ready, and closes it again.

    Raises:
        ConfigError: the tables are not up to date.
        DatabaseUnavailable: it is away.
    """
    from fastagi.parts import make_database, make_ready

    make_ready(config)
    database = make_database(config)
    database.open()
    try:
        yield database
    finally:
        await database.close()
