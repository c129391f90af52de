"""`whocalls serve` and `whocalls check-config`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from fastagi.cli.options import ConfigFile, read

__all__ = ["RoleOption", "check_config", "serve"]

say = Console(highlight=False, markup=False, soft_wrap=True).print


class ServeRole(StrEnum):
    """Which half of the service runs in this process."""

    ALL = "all"
    CALLS = "calls"
    PUSH = "push"


RoleOption = Annotated[
    ServeRole, typer.Option("--role", help="calls: FastAGI and AMI; push: console, API and live events.")
]


def serve(role: RoleOption = ServeRole.ALL, config: ConfigFile = None) -> None:
    """Runs the service until SIGTERM."""
    from fastagi import loop

    settings = read(config)
    loop.install()
    from twisted.internet import reactor

    from fastagi.app import Application
    from fastagi.logs import configure_logs

    configure_logs()
    calls, push = role is not ServeRole.PUSH, role is not ServeRole.CALLS
    application = Application(settings, reactor, calls=calls, push=push)
    loop.run(application.start, application.stop)


def check_config(config: ConfigFile = None) -> None:
    """Reads the configuration and says what it means; exit code 2 where it is wrong."""
    settings = read(config)
    say(f"configuration {config or '(defaults and environment)'} is good")
    say(f"  FastAGI     {settings.agi.listen}, answers within {settings.agi.deadline:g} s")
    for pbx in settings.pbx:
        ami = f"AMI {pbx.username}@{pbx.host}:{pbx.port}" if pbx.username else "no AMI: ends are not observed"
        say(f"  PBX {pbx.name:<8}{ami}, lookup by {pbx.lookup}, trunks {', '.join(pbx.trunk_contexts)}")
    for directory in settings.directory:
        say(f"  directory   {directory.name} ({directory.kind})")
    say(f"  push        http://{settings.push.listen}/")
    say(f"  bus         {settings.bus.url.partition('@')[2] or settings.bus.url}")
