"""What several commands share: the --config option and the configuration it names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fastagi.config import Config, load

__all__ = ["ConfigFile", "read"]

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
