"""What every request has to keep to, and what every answer carries: limits of bodies, security headers.

The policy allows scripts and styles from this site's own files only, and no page of another site to frame ours.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webhooks.problems import Problem, problem_response

__all__ = ["POLICY", "BodyLimit", "SecurityHeaders"]

POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)

_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # The subscriber's page in the billing system need not learn where the operator came from.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_LARGEST: Final = 64 * 1024
"""Bytes of a request's body; the largest of ours is a note of 4000 characters."""

_PATIENCE: Final = 20.0
"""Seconds within which each next piece of a body has to come."""


class SecurityHeaders:
    """ASGI middleware that adds the security headers, and `Cache-Control: no-store` where an answer says none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and completes the answer's headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, complete)


class BodyLimit:
    """ASGI middleware: 413 for a body that is too large, 408 for one that does not come."""

    def __init__(self, app: ASGIApp, largest: int = _LARGEST, patience: float = _PATIENCE) -> None:
        self._app = app
        self._largest = largest
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts what comes; a length that says too much is refused at once."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdigit() or int(length[:20]) > self._largest:
            await problem_response(self._too_large())(scope, receive, send)
            return
        await self._app(scope, _Counted(receive, self._largest, self._patience).receive, send)

    def _too_large(self) -> Problem:
        return Problem(413, f"body: must be at most {self._largest} bytes.")


class _Counted:
    def __init__(self, receive: Receive, largest: int, patience: float) -> None:
        self._receive = receive
        self._left = largest
        self._largest = largest
        self._patience = patience
        self._whole = False

    async def receive(self) -> Message:
        """Receives the next piece; once the body is whole, only the end of the connection is waited for."""
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(self._patience):
                message = await self._receive()
        except TimeoutError:
            raise Problem(408, f"body: nothing came for {self._patience:g} s.") from None
        self._left -= len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._left < 0:
            raise Problem(413, f"body: must be at most {self._largest} bytes.")
        return message
