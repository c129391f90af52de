"""Checks of single values, so that `check-config` refuses what `serve` could not use. Each raises ValueError."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

__all__ = ["bus_url", "database_url", "endpoint", "pattern"]

_HIGHEST_PORT: Final = 65535
_ENDPOINTS: Final[Mapping[str, tuple[str, ...]]] = {
    "tcp": ("port", "interface", "backlog"),
    "tcp6": ("port", "interface", "backlog"),
    "ssl": (
        *("port", "privateKey", "certKey", "sslmethod", "interface", "backlog"),
        *("extraCertChain", "dhParameters"),
    ),
    "unix": ("address", "mode", "backlog", "lockfile"),
    "systemd": ("domain", "index", "name"),
}
"""Each kind of Twisted server endpoint with its arguments, in the order in which they come without their names."""
_DATABASES: Final = ("sqlite:///", "postgresql+psycopg://", "mysql+pymysql://", "mariadb+pymysql://")
_BUSES: Final = ("memory://", "redis://", "rediss://", "unix://")


def endpoint(value: str) -> str:
    """Returns a Twisted endpoint string that a server can listen on.

    Not asked is what only that moment can tell: whether the address is ours and free, whether files are there.
    """
    kind, *arguments = re.split(r"(?<!\\):", value)
    if kind not in _ENDPOINTS or not arguments:
        kinds = ", ".join(f"{one}:" for one in _ENDPOINTS)
        raise ValueError(f'must begin with one of {kinds}; for example "tcp:4573:interface=127.0.0.1"')
    given = _arguments(kind, arguments)
    if "port" in _ENDPOINTS[kind] and not _is_port(given.get("port", "")):
        raise ValueError(f'{kind}: needs a port number from 0 to {_HIGHEST_PORT}, for example "{kind}:4573"')
    if kind == "unix" and not given.get("address"):
        raise ValueError('unix: needs the path of the socket, for example "unix:/run/whocalls.sock"')
    if not re.fullmatch("[0-9]+", given.get("backlog", "50")):
        raise ValueError("backlog must be a number")
    if not re.fullmatch("[0-7]+", given.get("mode", "666")):
        raise ValueError("mode must be an octal number such as 660")
    return value


def _arguments(kind: str, arguments: Sequence[str]) -> dict[str, str]:
    """Returns an endpoint's arguments by name."""
    known = _ENDPOINTS[kind]
    unnamed = iter(known)
    given = {}
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals:
            key, text = next(unnamed, ""), argument
        if key not in known:
            raise ValueError(f"{kind}: has no argument {argument!r}; it has {', '.join(known)}")
        given[key] = text
    return given


def bus_url(value: str) -> str:
    """Returns a URL of the bus."""
    if not value.startswith(_BUSES):
        raise ValueError('must be "memory://" or begin with redis://, rediss:// or unix://')
    try:
        urlsplit(value).port  # noqa: B018 (reading it is the check)
    except ValueError as error:
        raise ValueError(f"is no URL: {error}") from None
    return value


def database_url(value: str) -> str:
    """Returns a URL of the own database."""
    if not value.startswith(_DATABASES):
        raise ValueError(f"must begin with one of {', '.join(_DATABASES)}")
    try:
        make_url(value)
    except (ArgumentError, ValueError):  # neither says more, and the first would tell the password
        raise ValueError("is no URL of a database; its port must be a number") from None
    return value


def pattern(value: str) -> re.Pattern[str]:
    """Returns a regular expression, compiled."""
    try:
        return re.compile(value)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= _HIGHEST_PORT
