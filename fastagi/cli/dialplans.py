"""`whocalls dialplan …`: the files Asterisk needs."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

__all__ = ["dialplan"]

say = Console(highlight=False, soft_wrap=True, markup=False).print
dialplan = typer.Typer(help="The files Asterisk needs.", no_args_is_help=True)
Pbx = Annotated[str | None, typer.Option("--pbx", help="Which [[pbx]]; not needed where there is one.")]
