"""`whocalls operator …` and `whocalls token …`: who may sign in, and which programs may ask."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fastagi.accounts import SqlAccounts
from fastagi.cli.options import ConfigFile, opened, read
from fastagi.errors import BadInput
from fastagi.interfaces import Role

__all__ = ["operators", "tokens"]

T = TypeVar("T")
say = Console(highlight=False, emoji=False).print

operators = typer.Typer(help="People who sign in to the console.", no_args_is_help=True)
tokens = typer.Typer(help="Tokens of programs that use the API.", no_args_is_help=True)

Login = Annotated[str, typer.Argument(help="Small letters, digits, dot, dash, underscore.")]
Phones = Annotated[list[str], typer.Option("--sip-phone", help="The SIP phone; give it again for more.")]
RoleOption = Annotated[Role, typer.Option("--role", help="What they may do.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@operators.command("add")
def add(
    login: Login,
    name: Annotated[str, typer.Option("--name", help="The name others see.")],
    sip_phone: Phones = [],  # noqa: B006 (typer copies it)
    role: RoleOption = Role.OPERATOR,
    language: Annotated[str | None, typer.Option(help="en, ru or uk.")] = None,
    password_stdin: FromStdin = False,
    config: ConfigFile = None,
) -> None:
    """Adds an operator."""
    password = _password(password_stdin)
    _with_accounts(
        config,
        lambda accounts: accounts.add_operator(
            login, name=name, role=role, sip_phones=sip_phone, password=password, language=language
        ),
    )
    say(escape(f"operator {login} added; SIP phones: {', '.join(sip_phone) or 'none'}"))


@operators.command("phones")
def phones(
    login: Login,
    sip_phone: Phones = [],  # noqa: B006 (typer copies it)
    none: Annotated[bool, typer.Option("--none", help="They have no SIP phone any more.")] = False,
    config: ConfigFile = None,
) -> None:
    """Says which SIP phones are an operator's from now on; those they had before are no longer theirs."""
    if bool(sip_phone) == none:
        raise BadInput("--sip-phone", "give each SIP phone they have from now on, or --none alone")
    _with_accounts(config, lambda accounts: accounts.set_phones(login, sip_phone))
    say(escape(f"operator {login}: SIP phones: {', '.join(sip_phone) or 'none'}"))


@operators.command("disable")
def disable(login: Login, config: ConfigFile = None) -> None:
    """Keeps an operator out and ends their sessions; they leave the list until they are enabled again."""
    _with_accounts(config, lambda accounts: accounts.set_active(login, False))
    say(escape(f"operator {login} is disabled; `whocalls operator enable {login}` lets them in again"))


@operators.command("enable")
def enable(login: Login, config: ConfigFile = None) -> None:
    """Lets a disabled operator in again."""
    _with_accounts(config, lambda accounts: accounts.set_active(login, True))
    say(escape(f"operator {login} is enabled"))


@operators.command("password")
def password(login: Login, password_stdin: FromStdin = False, config: ConfigFile = None) -> None:
    """Sets an operator's password."""
    secret = _password(password_stdin)
    _with_accounts(config, lambda accounts: accounts.set_password(login, secret))
    say(escape(f"the password of {login} is set"))


@operators.command("remove")
def remove(login: Login, config: ConfigFile = None) -> None:
    """Removes an operator; their calls stay."""
    _with_accounts(config, lambda accounts: accounts.remove_operator(login))
    say(escape(f"operator {login} removed"))


@operators.command("list")
def list_operators(config: ConfigFile = None) -> None:
    """Lists all operators."""
    table = Table("login", "name", "role", "SIP phones", "language")
    for one in _with_accounts(config, lambda accounts: accounts.operators()):
        cells = (one.login, one.name, one.role, ", ".join(one.sip_phones), one.language or "")
        table.add_row(*map(escape, cells))
    say(table)


@tokens.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    role: RoleOption = Role.SUPERVISOR,
    config: ConfigFile = None,
) -> None:
    """Creates a token and prints it, this once."""
    secret = _with_accounts(config, lambda accounts: accounts.create_token(name, role))
    say(escape(secret), soft_wrap=True)


@tokens.command("revoke")
def revoke(name: str, config: ConfigFile = None) -> None:
    """Ends a token."""
    _with_accounts(config, lambda accounts: accounts.revoke_token(name))
    say(escape(f"token {name} is revoked"))


@tokens.command("list")
def list_tokens(config: ConfigFile = None) -> None:
    """Lists all tokens, without their secrets."""
    table = Table("name", "role")
    for one in _with_accounts(config, lambda accounts: accounts.tokens()):
        table.add_row(escape(one.name), one.role)
    say(table)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise BadInput("password", "there is no terminal to ask on; use --password-stdin")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _with_accounts(config: Path | None, work: Callable[[SqlAccounts], Awaitable[T]]) -> T:
    async def run() -> T:
        async with opened(read(config)) as database:
            return await work(SqlAccounts(database))

    return asyncio.run(run())
