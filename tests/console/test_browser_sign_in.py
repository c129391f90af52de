"""Signing in and out, languages and themes, in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.console.browser import open_console, sign_in
from tests.console.sample_calls import call, sample_day
from tests.console.stand_in import StandIn
from webhooks.console.words import LANGUAGES, load_words

pytestmark = pytest.mark.browser

Open = Callable[..., Page]


def test_a_wrong_password_is_said_and_the_right_one_opens_the_calls(new_page: Open, back: StandIn) -> None:
    page = new_page()
    page.goto(back.url)
    expect(page).to_have_url(f"{back.url}/sign-in")
    expect(page.locator("#login")).to_be_focused()
    sign_in(page, "olena", "wrong")
    expect(page.get_by_role("alert")).to_have_text("Login or password is wrong.")
    page.keyboard.type("secret")  # the wrong one is selected
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{back.url}/")
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator(".person")).to_contain_text("Olena Koval")
    expect(page.locator(".person")).to_contain_text("SIP 101")


def test_after_too_many_attempts_it_says_how_long_to_wait(new_page: Open, back: StandIn) -> None:
    page = new_page()
    page.goto(back.url)
    for _ in range(6):
        sign_in(page, "olena", "wrong")
        expect(page.locator("button[type=submit]")).to_be_enabled()
        expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_text("Too many attempts. Try again in 5 min.")


def test_a_server_that_is_away_is_said(new_page: Open, back: StandIn) -> None:
    page = new_page()
    page.goto(back.url)
    back.stop()
    sign_in(page, "olena")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")
    back.start()
    page.click("button[type=submit]")
    expect(page.locator("#connection")).to_have_text("Live")


def test_signing_out_ends_on_the_sign_in_page_and_stays_there(console: Open, back: StandIn) -> None:
    page = console()
    page.click(".person")
    page.click("#sign-out")
    expect(page).to_have_url(f"{back.url}/sign-in")
    page.goto(back.url)
    expect(page).to_have_url(f"{back.url}/sign-in")


def test_a_session_that_ends_leads_to_the_sign_in_page(console: Open, back: StandIn) -> None:
    page = console()
    del back.accounts.by_login["olena"]
    expect(page).to_have_url(f"{back.url}/sign-in")


@pytest.mark.parametrize(("locale", "title"), [("ru-RU", "Вход"), ("uk-UA", "Вхід"), ("de-DE", "Sign in")])
def test_the_page_speaks_the_language_of_the_browser(
    new_page: Open, back: StandIn, locale: str, title: str
) -> None:
    page = new_page(locale=locale)
    page.goto(back.url)
    expect(page.get_by_role("heading")).to_have_text(title)


def test_a_language_chosen_stays_chosen(new_page: Open, back: StandIn) -> None:
    page = new_page()
    page.goto(back.url)
    page.get_by_role("button", name="Українська").click()
    expect(page.get_by_role("heading")).to_have_text("Вхід")
    open_console(page, back, "olena")
    expect(page.get_by_role("heading", level=1)).to_have_text("Дзвінки")
    page.click(".person")
    page.get_by_role("button", name="Русский").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Звонки")


def test_a_theme_chosen_stays_chosen(console: Open) -> None:
    page = console(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click(".person")
    page.get_by_text("Dark", exact=True).click()
    dark = page.evaluate(ground)
    page.reload()
    assert light != dark == page.evaluate(ground)
    page.click(".person")
    expect(page.get_by_role("radio", name="Dark")).to_be_checked()


def test_the_theme_follows_the_system_until_one_is_chosen(console: Open) -> None:
    page = console(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.emulate_media(color_scheme="light")
    assert page.evaluate(ground) != dark


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_pages_is_in_their_language(new_page: Open, back: StandIn, language: str) -> None:
    page = new_page(locale=language)
    page.goto(back.url)
    texts = texts_of(page)
    for one in sample_day():
        back.put(one)
    open_console(page, back, "olena")
    back.send("call.ringing", call())
    expect(page.locator(".card")).to_have_count(1)
    texts |= texts_of(page)
    words = load_words()
    keys = set(words["en"])
    assert texts & keys == set()
    here = {str(text) for text in words[language].values()}
    elsewhere = {str(text) for code in LANGUAGES for text in words[code].values()} - here
    assert texts & elsewhere == set()
    assert len(texts & here) > 25


def texts_of(page: Page) -> set[str]:
    """Every text and every label there is on a page, shown or not."""
    texts = page.evaluate(
        """() => {
          const roots = [document, ...[...document.querySelectorAll("template")].map((one) => one.content)];
          const elements = roots.flatMap((root) => [...root.querySelectorAll("*")]);
          const labels = ["aria-label", "placeholder", "title", "alt"];
          return elements.filter((one) => !one.matches("script, noscript"))
            .flatMap((one) => [...[...one.childNodes].filter((node) => node.nodeType === 3)
              .map((node) => node.data.trim()), ...labels.map((name) => one.getAttribute(name))])
            .filter(Boolean);
        }"""
    )
    return set(texts)
