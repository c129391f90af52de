"""`whocalls demo`: everything at once on this machine, with sample subscribers and a simulated PBX."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fastagi.cli.options import ConfigFile

__all__ = ["demo"]

say = Console(highlight=False, soft_wrap=True).print


def demo(
    port: Annotated[int, typer.Option(help="Port of the console; a free one where it is taken.")] = 8080,
    folder: Annotated[
        Path | None, typer.Option(help="Keep the data here; without it everything goes when it ends.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Runs the service with sample data; a PBX is simulated unless --config names a real one."""
    from fastagi import loop

    loop.install()
    from twisted.internet import reactor

    from fastagi.demo.show import Show
    from fastagi.logs import configure_logs

    configure_logs(quiet=True)
    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="whocalls-demo-")))
        show = Show(place, config, port=port, reactor=reactor, say=say)
        loop.run(show.start, show.stop)
