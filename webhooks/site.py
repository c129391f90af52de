"""The site: API, live streams and console in one FastAPI app, with what guards them. No global state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from fastagi.interfaces import Accounts, Editor, Health, Journal, NumberLookup
from webhooks import problems, sse, websocket
from webhooks.access import SameSiteGuard
from webhooks.api import calls, docs, health, lookup, operators, session
from webhooks.api.schema import Site
from webhooks.attempts import Attempts
from webhooks.hub import Hub
from webhooks.limits import BodyLimit, SecurityHeaders
from webhooks.parts import Parts, SiteSettings

__all__ = ["SiteSettings", "create_site"]

_REPLAYS: Final = 2
"""Replays that read the events table at a time: the pool of the database has four threads for everybody."""


def create_site(
    *,
    journal: Journal,
    accounts: Accounts,
    editor: Editor,
    lookup: NumberLookup,
    hub: Hub,
    health: Callable[[], Mapping[str, Health]],
    metrics: Callable[[], bytes],
    settings: SiteSettings | None = None,
    console_router: APIRouter | None = None,
) -> FastAPI:
    """Returns the app that serves everything on the push port.

    Args:
        journal: calls and events.
        accounts: sessions, tokens and operators.
        editor: how people change calls.
        lookup: the lookup behind /api/lookup.
        hub: where live events come from; a `Subscription` feeds it.
        health: how each part is, by its name.
        metrics: the text for Prometheus.
        settings: what the configuration says.
        console_router: the pages; None serves the API alone.
    """
    settings = settings or SiteSettings()
    app = Site(
        title="whocalls",
        version=settings.version,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        middleware=_middleware(settings),
    )
    app.state.parts = Parts(
        journal=journal,
        accounts=accounts,
        editor=editor,
        lookup=lookup,
        hub=hub,
        health=health,
        metrics=metrics,
        settings=settings,
        attempts=Attempts(),
        replays=asyncio.Semaphore(_REPLAYS),
    )
    problems.install(app)
    for router in _routers(console_router):
        app.include_router(router)
    return app


def _routers(console: APIRouter | None) -> list[APIRouter]:
    rooms: tuple[Any, ...] = (session, calls, lookup, operators, sse, websocket, health, docs)
    return [room.router() for room in rooms] + ([console] if console else [])


def _middleware(settings: SiteSettings) -> list[Middleware]:
    """From the outside in: what a guard answers gets the headers too."""
    return [
        Middleware(SecurityHeaders),
        Middleware(_Compressed),
        Middleware(SameSiteGuard, origins=settings.origins),
        Middleware(BodyLimit),
    ]


class _Compressed:
    """ASGI middleware: gzip for everything but the live stream, which it would only hold up."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._gzip = GZipMiddleware(app, minimum_size=1024, compresslevel=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Chooses by the path."""
        app = self._plain if scope.get("path") == sse.PATH else self._gzip
        await app(scope, receive, send)
