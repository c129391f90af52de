"""The program `whocalls`: its commands joined, and its errors told in one line.

Exit codes: 0 done, 1 failed, 2 wrong arguments or configuration.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from fastagi.cli.databases import db
from fastagi.cli.demo import demo
from fastagi.cli.dialplans import dialplan
from fastagi.cli.people import operators, tokens
from fastagi.cli.serving import check_config, serve
from fastagi.cli.subscribers import import_, lookup
from fastagi.errors import ConfigError, LookupServiceError

__all__ = ["main", "program"]

program = typer.Typer(
    help="Tells an Asterisk call centre who is calling before anyone picks up.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
program.command("serve")(serve)
program.command("demo")(demo)
program.command("check-config")(check_config)
program.command("lookup")(lookup)
program.command("import")(import_)
program.add_typer(operators, name="operator")
program.add_typer(tokens, name="token")
program.add_typer(dialplan, name="dialplan")
program.add_typer(db, name="db")


def main() -> None:
    """Runs the command line and tells errors of ours in one line."""
    try:
        program()
    except ConfigError as error:
        _fail(error, 2)
    except LookupServiceError as error:
        _fail(error, 1)


def _fail(error: LookupServiceError, code: int) -> None:
    Console(stderr=True, soft_wrap=True).print(
        f"whocalls: {error}", style="red", markup=False, highlight=False
    )
    sys.exit(code)
