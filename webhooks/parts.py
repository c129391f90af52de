"""What the site is made of: the collaborators every route may need, handed in once and never looked up.

They travel in `app.state.parts`; `parts_of(connection)` gets them back in a route. Nothing is global, so two
sites can live in one process (tests do that).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from fastagi.interfaces import Accounts, Editor, Health, Journal, NumberLookup
from fastagi.numbers import Numbers
from webhooks.attempts import Attempts
from webhooks.hub import Hub

__all__ = ["Parts", "SiteSettings", "parts_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """What the configuration says about the site.

    `origins` are more addresses ("https://calls.example") whose pages may change things with the session
    cookie; the site's own address always may. Needed only behind a proxy that changes the Host header.
    """

    language: str = "en"
    currency: str | None = None
    secure_cookies: bool = False
    origins: tuple[str, ...] = ()
    version: str = "0"
    heartbeat: float = 15.0
    """Seconds between heartbeats of a stream, at each of which the session is looked at again."""
    numbers: Numbers | None = None
    """Reads the numbers that people search for as they write them; None takes them as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The collaborators of the routes."""

    journal: Journal
    accounts: Accounts
    editor: Editor
    lookup: NumberLookup
    hub: Hub
    health: Callable[[], Mapping[str, Health]]
    metrics: Callable[[], bytes]
    settings: SiteSettings
    attempts: Attempts
    replays: asyncio.Semaphore
    """Replays that may read the events table at a time."""


def parts_of(connection: HTTPConnection) -> Parts:
    """Returns the parts of the site a request came to."""
    parts = connection.app.state.parts
    assert isinstance(parts, Parts)
    return parts
