"""The files of this folder as texts, with an administrator's settings filled in."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Final

from fastagi.errors import BadInput

__all__ = [
    "GLOBALS",
    "MANAGER",
    "SUBROUTINE",
    "Settings",
    "examples",
    "files",
    "new_secret",
    "render",
    "secret_in",
]

SUBROUTINE: Final = "extensions_whocalls.conf"
GLOBALS: Final = "extensions_whocalls_globals.conf"
MANAGER: Final = "manager_whocalls.conf"

PUBLISHED: Final = "change-me"
"""Stands in the file as it lies here; nobody should keep it."""

_FOLDER: Final = Path(__file__).parent
_ADDRESS = re.compile(r"([0-9A-Za-z.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}\Z")
_WORD = re.compile(r"[0-9A-Za-z_.-]{1,64}\Z")
# What Asterisk would read as something else in a configuration line: a comment, a line end, surrounding blanks.
_SECRET = re.compile(r"[!-:<-~]{1,128}\Z")
_SECRET_LINE = re.compile(r"^secret\s*=>?\s*(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What differs between PBXs.

    Args:
        agi: where the server answers, as Asterisk reaches it: one literal address and port.
        pbx: the name of this PBX in whocalls.toml.
        timeout: seconds until a call goes on without an answer, 0.1 to 2.
        username: of the manager account.
        secret: of the manager account; without `;`, blanks and characters beyond ASCII.
        permit: the address whocalls connects from.

    Raises:
        BadInput: one of them cannot stand in Asterisk's configuration; the message says which and why.
    """

    agi: str = "127.0.0.1:4573"
    pbx: str = "main"
    timeout: float = 1.5
    username: str = "whocalls"
    secret: str = PUBLISHED
    permit: str = "127.0.0.1"

    def __post_init__(self) -> None:
        _need(_ADDRESS.match(self.agi), "AGI address", self.agi, "address:port, such as 127.0.0.1:4573")
        _need(_WORD.match(self.pbx), "PBX name", self.pbx, "letters, digits and . _ -")
        _need(_WORD.match(self.username), "user name", self.username, "letters, digits and . _ -")
        _need(
            _SECRET.match(self.secret), "secret", "(hidden)", "1 to 128 ASCII characters without blanks and ;"
        )
        _need(0.1 <= self.timeout <= 2, "timeout", f"{self.timeout:g}", "0.1 to 2 seconds")
        try:
            ip_address(self.permit)
        except ValueError:
            raise BadInput("permit", f"{self.permit!r} is no IP address") from None


def files() -> tuple[str, ...]:
    """Returns the names of the files to install."""
    return (SUBROUTINE, GLOBALS, MANAGER)


def examples() -> tuple[str, ...]:
    """Returns the names of the examples and the manual; they are for reading."""
    return ("README.md", *sorted(f"examples/{path.name}" for path in (_FOLDER / "examples").glob("*.conf")))


def render(name: str, settings: Settings | None = None) -> str:
    """Returns the text of a file, with the settings filled in.

    Args:
        name: one of `files()` or `examples()`.
        settings: None leaves it as it lies in the folder.

    Raises:
        BadInput: there is no such file.
    """
    if name not in (*files(), *examples()):
        raise BadInput(name, f"there is no such file; there are {', '.join((*files(), *examples()))}")
    text = (_FOLDER / name).read_text(encoding="utf-8")
    if settings is None:
        return text
    if name == GLOBALS:
        text = _assigned(text, "WHOCALLS_AGI", settings.agi)
        text = _assigned(text, "WHOCALLS_PBX", settings.pbx)
        return _assigned(text, "WHOCALLS_TIMEOUT", f"{settings.timeout:g}")
    if name == MANAGER:
        text = text.replace("\n[whocalls]\n", f"\n[{settings.username}]\n")
        text = _assigned(text, "secret", settings.secret)
        return _assigned(text, "permit", _with_mask(settings.permit))
    return text


def new_secret() -> str:
    """Returns a secret that nobody can guess."""
    return secrets.token_urlsafe(24)


def secret_in(text: str) -> str | None:
    """Returns the secret that a manager file has, or None where it has none or still the published one."""
    found = _SECRET_LINE.search(text)
    return found[1] if found and found[1] != PUBLISHED else None


def _need(holds: object, what: str, value: str, wanted: str) -> None:
    if not holds:
        raise BadInput(what, f"{value!r} is not possible: {wanted}")


def _assigned(text: str, key: str, value: str) -> str:
    return re.sub(rf"^{key} = .*$", lambda _: f"{key} = {value}", text, count=1, flags=re.MULTILINE)


def _with_mask(address: str) -> str:
    return f"{address}/255.255.255.255" if isinstance(ip_address(address), IPv4Address) else f"{address}/128"
