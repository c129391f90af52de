"""Makes pictures of every page in every language, width and theme:

    python -m tests.console.screenshots FOLDER [name …]

They are looked at by people, not compared by machines. The picture in the README, webhooks/console/screenshot.png,
is readme-en-1440-light.png.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from fastagi.interfaces import Role
from tests.console.browser import FLAGS, open_console, sign_in
from tests.console.sample_calls import answered, call, ended, sample_day, subscriber
from tests.console.stand_in import StandIn, operator

LANGUAGES = {"en": "en-GB", "ru": "ru-RU", "uk": "uk-UA"}
WIDTHS = {1440: 900, 390: 844}


def one_card(back: StandIn, page: Page) -> None:
    """A subscriber who owes money rings."""
    who = subscriber("4711", "Иванов Иван", deposit="-12.50", login="ivanov")
    back.send("call.ringing", call(who=who))


def for_readme(back: StandIn, page: Page) -> None:
    """As one card, once the new row's tint is gone."""
    one_card(back, page)
    page.wait_for_timeout(3000)


def several_cards(back: StandIn, page: Page) -> None:
    """I talk with one; five more ring."""
    back.send(
        "call.answered", answered(call(ago=75, who=subscriber("904", "Кузнецов Пётр Алексеевич")), "101")
    )
    for number, (id, name) in enumerate(
        [
            ("640", "Бондаренко Ірина"),
            ("3004", "Ткаченко Юрій"),
            ("88", "Козлов Сергей"),
            ("415", "Павлова Ольга"),
        ]
    ):
        page.wait_for_timeout(30)
        back.send("call.ringing", call(f"+38067777880{number}", who=subscriber(id, name), ago=9 - number))
    page.wait_for_timeout(30)
    back.send(
        "call.ringing", call("+79261119900", who=subscriber("2291", "Морозов Андрей", deposit="-340.00"))
    )


def unknown_card(back: StandIn, page: Page) -> None:
    """Nobody we know rings."""
    back.send("call.ringing", call("+442071838750", who={}, queue="sales"))


def candidates_card(back: StandIn, page: Page) -> None:
    """Three subscribers share the number."""
    found = [
        subscriber("4711", "Иванов Иван", deposit="-12.50"),
        subscriber(
            "5120", "Иванова Мария Александровна", address="Москва, Садовая 1, кв. 14", tariff="Home 300"
        ),
        subscriber("77", "ООО «Ромашка»", deposit="18250.00", address="Москва, Лесная 20", tariff="Office"),
    ]
    back.send("call.ringing", call(who=found[0], candidates=found))


def lead_card(back: StandIn, page: Page) -> None:
    """A lead rings, and a card says that somebody else answered."""
    other = call("+380671234567", who=subscriber("1187", "Шевченко Оксана Петрівна"))
    back.send("call.ringing", other)
    page.wait_for_timeout(50)
    url = "https://billing.example/?lead=18"
    lead = {"id": "18", "name": "Мельник Тарас", "phone": None, "address": "Київ, вул. Лісова 4", "url": url}
    back.send("call.ringing", call("+380501112233", who={}, lead=lead, called_name="Sales"))
    back.send("call.answered", answered(other, "102"))


def after_card(back: StandIn, page: Page) -> None:
    """My own talk has ended; another call was missed."""
    mine = answered(call(ago=75), "101", ago=66)
    back.send("call.answered", mine)
    page.wait_for_timeout(50)
    missed = call(None, who={})
    back.send("call.ringing", missed)
    page.wait_for_timeout(300)
    back.send("call.ended", ended(mine))
    back.send("call.ended", ended(missed, "abandoned"))


def menu(back: StandIn, page: Page) -> None:
    """The menu is open."""
    page.click(".person")


def nothing_found(back: StandIn, page: Page) -> None:
    """A search without a result."""
    page.fill("#search input", "5550000")


def offline(back: StandIn, page: Page) -> None:
    """The server went away in mid-call."""
    one_card(back, page)
    page.wait_for_selector(".card")
    back.stop()
    page.wait_for_selector("[data-connection=reconnecting]")


def trouble(back: StandIn, page: Page) -> None:
    """The database is away."""
    back.journal.away = True
    back.reset()
    page.wait_for_selector(".problem-bar:not([hidden])")


def arrivals(back: StandIn, page: Page) -> None:
    """New calls while the list is scrolled."""
    page.evaluate("document.querySelector('.scroll').scrollTop = 200")
    page.wait_for_timeout(100)
    for _ in range(3):
        back.send("call.started", call(ringing=["102"]))


def nothing(back: StandIn, page: Page) -> None:
    """The page as it is."""


SCENES: dict[str, Callable[[StandIn, Page], None]] = {
    "calls": nothing,
    "card": one_card,
    "several": several_cards,
    "unknown": unknown_card,
    "candidates": candidates_card,
    "lead": lead_card,
    "after": after_card,
    "menu": menu,
    "none-found": nothing_found,
    "offline": offline,
    "trouble": trouble,
    "arrivals": arrivals,
    "empty": nothing,
    "sign-in": nothing,
    "sign-in-wrong": nothing,
    "readme": for_readme,
}


@contextmanager
def back_end(scene: str) -> Iterator[StandIn]:
    """A back end with a day of calls, or none."""
    back = StandIn(operator("olena", "Olena Koval", "101", role=Role.SUPERVISOR))
    for one in [] if scene == "empty" else sample_day():
        back.put(one)
    back.start()
    try:
        yield back
    finally:
        back.close()


def take(browser: Browser, scene: str, path: Path, **view: Any) -> None:
    """Makes one picture."""
    with back_end(scene) as back:
        context = browser.new_context(**view)
        page = context.new_page()
        if scene.startswith("sign-in"):
            page.goto(back.url)
            if scene == "sign-in-wrong":
                sign_in(page, "olena", "wrong")
                page.wait_for_selector(".problem:not([hidden])")
        else:
            open_console(page, back, "olena")
        SCENES[scene](back, page)
        page.wait_for_timeout(700)
        page.screenshot(path=path)
        context.close()


def main(folder: Path, wanted: list[str]) -> None:
    """Makes all pictures, or those of the scenes named."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for scene in wanted or SCENES:
            for language, locale in LANGUAGES.items():
                for width, height in WIDTHS.items():
                    for theme in ("light", "dark"):
                        path = folder / f"{scene}-{language}-{width}-{theme}.png"
                        size = {"width": width, "height": height}
                        take(browser, scene, path, locale=locale, viewport=size, color_scheme=theme)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
