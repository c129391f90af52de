"""Who is asking, and what they may see.

**The contract, for the console and for programs**

- *People* sign in with `POST /api/session` (JSON `{"login": …, "password": …}` or a form with the same fields).
  The answer is the account as JSON, `{"login", "name", "role", "sip_phones", "language"}`, and the cookie
  `whocalls_session` (HttpOnly, SameSite=Lax, Path=/, Secure where the setting says so; it ends with the browser
  or when the server ends the session). 401 is a wrong login or password; 429 with `Retry-After` comes after
  5 wrong attempts in 5 minutes for one login from one address, or 20 from all together. `GET /api/session` answers
  the account of whoever asks (401: nobody); `DELETE /api/session` signs out (204).
- *Programs* send `Authorization: Bearer TOKEN`. A token in the address (`?token=`) is never read: addresses end
  up in logs, browser histories and Referer headers.
- *Changes* (everything but GET, HEAD and OPTIONS) that carry no Authorization header must come from a page of
  this site: `Sec-Fetch-Site` must be `same-origin` (or `none`), and where a browser does not send it (plain HTTP),
  `Origin` must name the host asked. Browsers set both by themselves, so **a page needs no token and no extra
  header**: `fetch("/api/…", {method: "PATCH", …})` is enough. A request with neither header is no browser's and
  passes. A WebSocket handshake is checked in the same way.
- Errors are problem documents (`webhooks.problems`): 401 not signed in, 403 role too low or foreign page.

Roles: an operator reads the calls that rang or were answered on their own SIP phones and those nobody answered;
supervisors and administrators read all. What an operator may not read answers 404, as if there were no such call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from fastagi.calls import Call
from fastagi.interfaces import Account, Accounts, Role
from webhooks.parts import parts_of
from webhooks.problems import Problem, problem_response

__all__ = [
    "COOKIE",
    "Credential",
    "SameSiteGuard",
    "credential_of",
    "current_account",
    "current_account_or_none",
    "may_see",
    "require",
    "sees_all",
]

COOKIE: Final = "whocalls_session"

_LONGEST_SECRET: Final = 512
"""Characters of a session or token that are looked at; ours are far shorter."""

_RANK: Final = {Role.OPERATOR: 0, Role.SUPERVISOR: 1, Role.ADMINISTRATOR: 2}


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request proves itself with: a person's session or a program's token."""

    secret: str
    program: bool

    async def account(self, accounts: Accounts) -> Account | None:
        """Returns whose it is; None where it ended or never was.

        Raises:
            JournalUnavailable: the database is away, so that nobody can tell.
        """
        if not self.secret or len(self.secret) > _LONGEST_SECRET:
            return None
        return await (accounts.token if self.program else accounts.session)(self.secret)


def credential_of(connection: HTTPConnection) -> Credential | None:
    """Returns the credential of a request; the Authorization header goes before the cookie."""
    authorization = connection.headers.get("authorization")
    if authorization is not None:
        scheme, _, secret = authorization.partition(" ")
        return Credential(secret.strip() if scheme.lower() == "bearer" else "", program=True)
    session = connection.cookies.get(COOKIE)
    return Credential(session, program=False) if session else None


async def current_account_or_none(connection: HTTPConnection) -> Account | None:
    """Returns who asks; None where nobody is signed in. A FastAPI dependency, and for pages to call."""
    credential = credential_of(connection)
    return await credential.account(parts_of(connection).accounts) if credential else None


async def current_account(connection: HTTPConnection) -> Account:
    """Returns who asks. A FastAPI dependency.

    Raises:
        Problem: 401, nobody is signed in.
    """
    account = await current_account_or_none(connection)
    if account is None:
        detail = "Sign in first (POST /api/session), or send Authorization: Bearer with a valid token."
        raise Problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="whocalls"'})
    return account


def require(role: Role) -> Callable[[HTTPConnection], Awaitable[Account]]:
    """Returns a FastAPI dependency that lets only this role and higher ones through."""

    async def account_of_role(connection: HTTPConnection) -> Account:
        account = await current_account(connection)
        if _RANK[account.role] < _RANK[role]:
            raise Problem(403, f"This needs the role {role}; the role of {account.login} is {account.role}.")
        return account

    return account_of_role


def sees_all(account: Account) -> bool:
    """Says whether the account reads everybody's calls."""
    return account.role is not Role.OPERATOR


def may_see(account: Account, call: Call) -> bool:
    """Says whether the account may read this call."""
    if sees_all(account) or call.operator is None:
        return True
    own = account.sip_phones
    return call.operator.sip_phone in own or any(phone in own for phone in call.ringing)


class SameSiteGuard:
    """ASGI middleware: refuses changes and WebSockets that a page of another site asks for.

    Args:
        app: what is guarded.
        origins: more origins that are allowed.
    """

    def __init__(self, app: ASGIApp, origins: tuple[str, ...] = ()) -> None:
        self._app = app
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the request through, or answers 403."""
        if not _changes(scope) or self._same_site(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        detail = "This request was made by a page of another site (Origin or Sec-Fetch-Site says so)."
        await problem_response(Problem(403, detail))(scope, receive, send)

    def _same_site(self, headers: Headers) -> bool:
        # A page cannot make a browser add an Authorization header without asking us first (CORS), and we
        # answer no such question.
        if "authorization" in headers:
            return True
        origin = headers.get("origin", "").lower()
        if origin in self._origins:
            return True
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        return not origin or _host_of(origin) == headers.get("host", "").lower()


def _changes(scope: Scope) -> bool:
    if scope["type"] == "websocket":
        return True
    return scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS")


def _host_of(origin: str) -> str | None:
    """Returns host and port of an origin; None for "null" and other nonsense, which equals no host."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
