"""The pages: sign-in and calls. Nothing here reads the journal; the scripts of a page fetch /api/…

Language and theme are cookies that the page's own scripts set (a page must be drawn in the right theme at
once, and the Content-Security-Policy allows no inline script that could do it later).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import HTTPConnection

from fastagi.errors import JournalUnavailable
from fastagi.interfaces import Account
from webhooks.console.assets import load_assets
from webhooks.console.words import LANGUAGES, Text, Words, choose_language, load_words

__all__ = ["ConsoleSettings", "router"]

SignedIn = Callable[[HTTPConnection], Awaitable[Account | None]]

_THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """What the configuration says about the console: the language where a browser asks for none of ours."""

    language: str = "en"


def router(settings: ConsoleSettings, signed_in: SignedIn) -> APIRouter:
    """Returns the routes of the console.

    Args:
        settings: how pages are shown.
        signed_in: returns whose session cookie came along, or None; may raise JournalUnavailable.
    """
    assets = load_assets()
    render = _Pages(settings, load_words(), _environment(), assets.version)
    routes = APIRouter(include_in_schema=False)

    async def for_person(request: Request, answer: Callable[[Account | None], Response]) -> Response:
        try:
            return answer(await signed_in(request))
        except JournalUnavailable:
            return render.page("away.html", request, None, 503)

    @routes.get("/")
    async def calls(request: Request) -> Response:
        return await for_person(
            request,
            lambda person: render.page("calls.html", request, person) if person else _redirect("/sign-in"),
        )

    @routes.get("/sign-in")
    async def sign_in(request: Request) -> Response:
        return await for_person(
            request,
            lambda person: _redirect("/") if person else render.page("sign_in.html", request, None),
        )

    @routes.get("/static/{version}/{name}")
    async def static(version: str, name: str) -> Response:
        return assets.response(version, name)

    return routes


def _redirect(to: str) -> Response:
    return RedirectResponse(to, 303, headers={"Cache-Control": "no-store"})


@dataclass(frozen=True, slots=True)
class _Pages:
    settings: ConsoleSettings
    words: Mapping[str, Words]
    environment: Environment
    version: str

    def page(
        self, template: str, request: Request, account: Account | None, status: int = 200
    ) -> HTMLResponse:
        """Draws a page in the person's language and theme."""
        language = choose_language(
            chosen=request.cookies.get("whocalls_language"),
            own=account.language if account else None,
            accepted=request.headers.get("accept-language", ""),
            default=self.settings.language,
        )
        theme = request.cookies.get("whocalls_theme")
        words = self.words[language]
        html = self.environment.get_template(template).render(
            language=language,
            languages=LANGUAGES,
            theme=theme if theme in _THEMES else "system",
            account=account,
            static=f"/static/{self.version}",
            say=partial(_say, words),
            page=_for_scripts(language, words, account),
        )
        return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})


def _for_scripts(language: str, words: Words, account: Account | None) -> dict[str, object]:
    """What the scripts of a page need to know; it goes into the page as JSON."""
    person = account and {
        "login": account.login,
        "name": account.name,
        "role": account.role.value,
        "sip_phones": account.sip_phones,
    }
    return {"language": language, "words": words, "account": person}


def _say(words: Words, key: str, **values: str) -> str:
    text: Text = words[key]
    if isinstance(text, dict):
        raise TypeError(f"{key}: counted texts are for scripts only")
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("webhooks.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
