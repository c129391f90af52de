"""Driving the browser: how Chromium is started and how a test signs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.console.stand_in import PASSWORD, StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["CHROMIUM", "FLAGS", "open_console", "sign_in"]

CHROMIUM = "/usr/bin/chromium"

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def sign_in(page: Page, login: str, password: str = PASSWORD) -> None:
    """Fills the form in and sends it."""
    page.fill("#login", login)
    page.fill("#password", password)
    page.click("button[type=submit]")


def open_console(page: Page, back: StandIn, login: str) -> None:
    """Signs in and waits until the page is live and has read the calls."""
    page.goto(back.url)
    sign_in(page, login)
    page.wait_for_selector("[data-connection=live]")
    page.wait_for_selector("#calls[aria-busy=false]")
