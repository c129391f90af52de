"""The program `whocalls`: its commands joined, and its errors told in one line.

Exit codes: 0 done, 1 failed, 2 wrong arguments or configuration.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from fastagi.cli import databases, demo, dialplans, people, serving, subscribers
from fastagi.errors import ConfigError, LookupServiceError

__all__ = ["main", "program"]

program = typer.Typer(
    help="Tells an Asterisk call centre who is calling before anyone picks up.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
program.command("serve")(serving.serve)
program.command("demo")(demo.demo)
program.command("check-config")(serving.check_config)
program.command("lookup")(subscribers.lookup)
program.command("import")(subscribers.import_)
program.add_typer(people.operators, name="operator")
program.add_typer(people.tokens, name="token")
program.add_typer(dialplans.dialplan, name="dialplan")
program.add_typer(databases.db, name="db")


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
