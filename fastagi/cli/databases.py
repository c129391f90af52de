"""`whocalls db …`: the schema of the own database."""

from __future__ import annotations

import typer
from rich import print as say

from fastagi.cli.options import ConfigFile, read

__all__ = ["db"]

db = typer.Typer(help="The own database.", no_args_is_help=True)


@db.callback()
def _group() -> None:
    """The own database."""


@db.command("upgrade")
def upgrade(config: ConfigFile = None) -> None:
    """Creates the tables or brings them up to date. An SQLite file is upgraded by `serve` itself."""
    from fastagi.migrations import upgrade as run

    url = read(config).database.url
    run(url)
    say("the database is up to date")
