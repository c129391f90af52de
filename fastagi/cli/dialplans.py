"""`whocalls dialplan …`: the files Asterisk needs, with this configuration filled in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dialplan import Settings, advice, examples, files, install, new_secret, render
from fastagi.cli.options import ConfigFile, read
from fastagi.config import Config, PbxConfig
from fastagi.errors import BadInput

__all__ = ["dialplan"]

say = Console(highlight=False, soft_wrap=True, markup=False, emoji=False).print
dialplan = typer.Typer(help="The files Asterisk needs.", no_args_is_help=True)

PbxName = Annotated[str | None, typer.Option("--pbx", help="Which [[pbx]]; needed where there are several.")]
AgiAddress = Annotated[
    str | None,
    typer.Option("--agi", help="ADDRESS:PORT where that PBX reaches this server, if not agi.listen's."),
]


@dialplan.command("show")
def show(
    name: Annotated[
        str | None, typer.Argument(help="One file; without it all that `install` would write.")
    ] = None,
    pbx: PbxName = None,
    agi: AgiAddress = None,
    config: ConfigFile = None,
) -> None:
    """Prints the files."""
    settings = _settings(read(config), pbx, agi)
    for one in [name] if name else files():
        if name is None:
            say(f"; ---- {one}")
        say(render(one, settings))
    if name is None:
        say(f"; also: {', '.join(examples())}")


@dialplan.command("install")
def install_(
    folder: Annotated[Path, typer.Option(help="Asterisk's configuration folder.")] = Path("/etc/asterisk"),
    pbx: PbxName = None,
    agi: AgiAddress = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    config: ConfigFile = None,
) -> None:
    """Writes the files and says what to add by hand; overwrites nothing of yours."""
    settings = read(config)
    one = _pbx(settings, pbx)
    done = install(folder, _settings(settings, pbx, agi), keep_secret=not one.secret, dry_run=dry_run)
    for step in done.steps:
        say(str(step))
    say(advice(folder))
    if (one.username, one.secret) != (done.settings.username, done.settings.secret):
        say("And in whocalls.toml, so that whocalls can follow the calls of this PBX:")
        say(f'  [[pbx]]\n  name = "{one.name}"\n  username = "{done.settings.username}"')
        say(f'  secret = "{done.settings.secret}"')


def _pbx(config: Config, name: str | None) -> PbxConfig:
    known = {one.name: one for one in config.pbx}
    if name is None and len(known) == 1:
        return config.pbx[0]
    if name not in known:
        raise BadInput("--pbx", f"name one of {', '.join(known)}")
    return known[name]


def _settings(config: Config, pbx: str | None, agi: str | None) -> Settings:
    one = _pbx(config, pbx)
    return Settings(
        agi=agi or _agi_address(config.agi.listen),
        pbx=one.name,
        username=one.username or "whocalls",
        secret=one.secret or new_secret(),
    )


def _agi_address(listen: str) -> str:
    """Returns ADDRESS:PORT of an endpoint string such as "tcp:4573:interface=127.0.0.1"."""
    port = re.match(r"tcp6?:(\d+)", listen)
    if port is None:
        raise BadInput("agi.listen", f"{listen!r} has no address Asterisk could be given; name it with --agi")
    interface = re.search(r"interface=([^:]+)", listen)
    return f"{interface[1] if interface else '127.0.0.1'}:{port[1]}"
