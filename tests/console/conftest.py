"""A Chromium for each module, a back end for each test, and pages that must not complain."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.console.browser import CHROMIUM, FLAGS, open_console
from tests.console.stand_in import StandIn, operator

LIMIT = 20_000
"""Milliseconds that anything may take: the machine is shared."""

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium; that there is none is a failure, as of any other part."""
    expect.set_options(timeout=LIMIT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def back() -> Iterator[StandIn]:
    """A running back end with two operators and no calls."""
    back = StandIn(operator("olena", "Olena Koval", "101"), operator("ivan", "Ivan Petrov", "102"))
    back.start()
    yield back
    back.close()


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[Open]:
    """Opens pages, each with cookies of its own. After the test none may have complained."""
    pages: list[Page] = []
    complaints: list[str] = []

    def open_page(**view: object) -> Page:
        context = chromium.new_context(**{"locale": "en-GB", **view})
        context.set_default_timeout(LIMIT)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: _complains(said) and complaints.append(said.text))
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
    assert complaints == []


def _complains(said: object) -> bool:
    # That a request failed or was refused is what some tests are about; the page shows it.
    return said.type in ("error", "warning") and "Failed to load resource" not in said.text


@pytest.fixture
def console(new_page: Open, back: StandIn) -> Open:
    """Opens the console for an operator."""

    def open_for(login: str = "olena", **view: object) -> Page:
        page = new_page(**view)
        open_console(page, back, login)
        return page

    return open_for
