"""The caller card, in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.console.sample_calls import answered, call, changed, ended, subscriber
from tests.console.stand_in import StandIn

pytestmark = pytest.mark.browser

Open = Callable[..., Page]


def card(page: Page) -> Locator:
    return page.locator(".card")


def fact(page: Page, name: str) -> Locator:
    return card(page).locator(f"[data-slot={name}]")


def test_a_card_comes_when_my_phone_rings_and_says_who_it_is(console: Open, back: StandIn) -> None:
    page = console()
    who = subscriber(deposit="-12.50", login="ivanov")
    back.send("call.ringing", call(who=who, queue="support"))
    expect(card(page)).to_have_count(1)
    title = card(page).get_by_role("link", name="Иванов Иван")
    expect(title).to_have_attribute("href", "https://billing.example/?uid=4711")
    expect(title).to_have_attribute("target", "_blank")
    expect(title).to_have_attribute("rel", "noopener")
    expect(fact(page, "number")).to_have_text("+79161234567")
    expect(fact(page, "who")).to_have_text("ID 4711 · ivanov")
    expect(fact(page, "state")).to_have_text("Ringing")
    expect(fact(page, "via")).to_have_text("Support")
    expect(fact(page, "address")).to_have_text("Москва, Садовая 1, кв. 2")
    expect(fact(page, "tariff")).to_have_text("Home 100")
    expect(fact(page, "service")).to_have_text("Internet: on")
    expect(page).to_have_title("Ringing: Иванов Иван")


def test_a_negative_deposit_is_red_and_bold_with_sign_and_currency(console: Open, back: StandIn) -> None:
    page = console(locale="ru-RU")
    back.send("call.ringing", call(who=subscriber(deposit="-12.50")))
    expect(fact(page, "deposit")).to_have_text("−12,50 ₽")
    expect(fact(page, "deposit")).to_have_css("color", "rgb(185, 28, 28)")
    expect(fact(page, "deposit")).to_have_css("font-weight", "600")


def test_a_deposit_that_is_not_negative_is_neither(console: Open, back: StandIn) -> None:
    page = console(locale="uk-UA")
    for deposit, currency, shown in [
        ("120.00", "UAH", "+120,00 ₴"),
        ("0.00", "RUB", "0,00 ₽"),
        ("-0.00", "RUB", "0,00 ₽"),
        ("18250.5", "грн", "+18 250,50 грн"),
        ("7", None, "+7,00"),
        ("lots", "RUB", "lots"),
        (None, "RUB", "–"),
    ]:
        back.send("call.ringing", call(who=subscriber(deposit=deposit, currency=currency)))
        newest = fact(page, "deposit").first
        expect(newest).to_have_text(shown)
        expect(newest).to_have_css("font-weight", "400")


def test_no_card_comes_when_another_phone_rings_or_i_call_out(console: Open, back: StandIn) -> None:
    page = console()
    back.send("call.ringing", call(ringing=["102"]))
    back.send("call.answered", {**answered(call(), "101"), "direction": "outgoing"})
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(card(page)).to_have_count(0)


def test_who_answers_keeps_the_card_and_the_others_learn_who_it_was(console: Open, back: StandIn) -> None:
    olena, ivan = console("olena"), console("ivan")
    ring = call(ringing=["101", "102"])
    back.send("call.ringing", ring)
    expect(card(olena)).to_have_count(1)
    expect(card(ivan)).to_have_count(1)
    talk = answered(ring, "102")
    back.send("call.answered", talk)
    expect(fact(olena, "state")).to_have_text("Answered by Ivan Petrov")
    expect(fact(ivan, "state")).to_have_text("Talking")
    expect(card(olena)).to_have_count(0)  # after a few seconds
    expect(card(ivan)).to_have_count(1)
    back.send("call.ended", ended(talk))
    expect(fact(ivan, "state")).to_have_text("Call ended")
    expect(card(ivan)).to_have_count(0)


def test_a_call_that_nobody_answered_says_so_and_goes(console: Open, back: StandIn) -> None:
    page = console()
    ring = call()
    back.send("call.ringing", ring)
    back.send("call.ended", ended(ring, "abandoned"))
    expect(fact(page, "state")).to_have_text("Not answered")
    expect(card(page)).to_have_count(0)


def test_a_queue_that_rings_on_elsewhere_and_comes_back_is_one_card(console: Open, back: StandIn) -> None:
    page = console()
    ring = call()
    back.send("call.ringing", ring)
    elsewhere = changed(ring, ringing=["102"])
    back.send("call.ringing", elsewhere)
    expect(fact(page, "state")).to_have_text("Rings elsewhere")
    back.send("call.ringing", changed(elsewhere, ringing=["101"]))
    expect(fact(page, "state")).to_have_text("Ringing")
    expect(card(page)).to_have_count(1)


def test_a_transfer_moves_the_card_to_the_other_operator(console: Open, back: StandIn) -> None:
    olena, ivan = console("olena"), console("ivan")
    talk = answered(call(), "101")
    back.send("call.answered", talk)
    expect(fact(olena, "state")).to_have_text("Talking")
    moved = changed(talk, operator={"sip_phone": "102", "login": "ivan", "name": "Ivan Petrov"})
    back.send("call.transferred", moved)
    expect(fact(olena, "state")).to_have_text("Answered by Ivan Petrov")
    expect(fact(ivan, "state")).to_have_text("Talking")


def test_a_merged_call_takes_its_card_and_its_row_along(console: Open, back: StandIn) -> None:
    page = console()
    ring = call()
    back.send("call.ringing", ring)
    expect(card(page)).to_have_count(1)
    back.send("call.merged", changed(ring, merged_into="main:1.1", ended_at=ring["started_at"]))
    expect(card(page)).to_have_count(0)
    expect(page.locator("tbody tr")).to_have_count(0)


def test_old_news_changes_nothing(console: Open, back: StandIn) -> None:
    page = console()
    ring = call()
    talk = answered(ring, "101")
    back.send("call.answered", talk)
    expect(fact(page, "state")).to_have_text("Talking")
    back.send("call.ringing", ring)
    back.send("call.ringing", call("+79160000000", who={}))  # the stream is past it once this one shows
    expect(card(page)).to_have_count(2)
    expect(page.locator(f"[data-call='{ring['id']}'] [data-slot=state]")).to_have_text("Talking")


def test_a_card_survives_a_reload_folded_as_it_was(console: Open, back: StandIn) -> None:
    page = console()
    back.send("call.ringing", call())
    back.send("call.answered", answered(call(who=subscriber("904", "Кузнецов Пётр")), "101"))
    expect(card(page)).to_have_count(2)
    page.locator(".card", has_text="Кузнецов").get_by_role("button").click()
    page.reload()
    expect(card(page)).to_have_count(2)
    expect(page.locator(".card.folded")).to_have_count(1)
    expect(page.locator(".card.folded")).to_contain_text("Кузнецов Пётр")


def test_the_card_of_a_call_transferred_to_my_phone_survives_a_reload(console: Open, back: StandIn) -> None:
    page = console()
    talk = answered(call(), "102")
    back.send("call.ringing", changed(talk, ringing=["101"]))
    expect(fact(page, "state")).to_have_text("Ringing")
    page.reload()
    expect(fact(page, "state")).to_have_text("Ringing")
    expect(page.locator("tbody tr")).to_have_count(1)


COUNT = """() => {
  window.begun = [];
  const note = (changes) => changes.forEach(({ addedNodes }) =>
    addedNodes.forEach((one) => window.begun.push(one.dataset.call)));
  new MutationObserver(note).observe(document.querySelector("#cards .stack"), { childList: true });
}"""


def test_after_a_break_only_calls_that_go_on_get_a_card(console: Open, back: StandIn) -> None:
    page = console()
    back.send("call.ringing", call("+79160000000", who={}))  # so that there is an id to come back with
    expect(card(page)).to_have_count(1)
    page.evaluate(COUNT)
    back.stop()
    ring, waiting = call(ago=60), call("+79161111111", ago=50, who={})
    back.send("call.ringing", ring, ago=60)
    back.send("call.ringing", waiting, ago=50)
    talk = answered(ring, "101")
    back.send("call.answered", talk, ago=40)
    back.send("call.ended", ended(talk), ago=30)
    back.start()
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(card(page)).to_have_count(2)
    fresh = call("+79162222222", who={})
    back.send("call.ringing", fresh)
    expect(card(page)).to_have_count(3)
    assert page.evaluate("window.begun") == [waiting["id"], fresh["id"]]


def test_a_clock_that_is_wrong_delays_a_card_and_does_not_lose_it(console: Open, back: StandIn) -> None:
    page = console()
    back.send("call.ringing", call(), ago=600)
    expect(fact(page, "state")).to_have_text("Ringing")


def test_a_call_that_ended_while_the_page_was_not_listening_leaves_no_card(
    console: Open, back: StandIn
) -> None:
    page = console()
    ring = call()
    back.send("call.ringing", ring)
    expect(card(page)).to_have_count(1)
    back.put(ended(ring, "abandoned"))
    back.reset()
    expect(fact(page, "state")).to_have_text("Not answered")
    expect(card(page)).to_have_count(0)


def test_escape_folds_the_card_and_its_button_unfolds_it(console: Open, back: StandIn) -> None:
    page = console()
    back.send("call.ringing", call())
    button = card(page).get_by_role("button", name="Fold the card")
    expect(button).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(fact(page, "address")).to_be_hidden()
    expect(fact(page, "title")).to_be_visible()
    button.focus()
    page.keyboard.press("Enter")
    expect(fact(page, "address")).to_be_visible()


def test_a_card_never_takes_the_focus(console: Open, back: StandIn) -> None:
    page = console()
    page.keyboard.press("/")
    page.keyboard.type("9")
    back.send("call.ringing", call())
    expect(card(page)).to_have_count(1)
    page.keyboard.type("16")
    expect(page.locator("#search input")).to_be_focused()
    expect(page.locator("#search input")).to_have_value("916")


def test_up_to_four_cards_are_shown_my_talk_among_them_and_the_rest_are_counted(
    console: Open, back: StandIn
) -> None:
    page = console()
    back.send("call.answered", answered(call(who=subscriber("1", "My Talk")), "101"))
    for number in range(5):
        expect(card(page)).to_have_count(min(number + 1, 4))
        back.send("call.ringing", call(f"+7916000000{number}", who=subscriber("2", f"Caller {number}")))
    expect(card(page)).to_have_count(4)
    expect(page.locator(".rest")).to_have_text("and 2 more calls")
    expect(fact(page, "title")).to_have_text(["Caller 4", "Caller 3", "Caller 2", "My Talk"])
    expect(page.locator(".card:not(.folded) [data-slot=title]")).to_have_text(["Caller 4", "My Talk"])
    box = page.locator(".cards").bounding_box()
    assert box["y"] >= 48
    assert box["width"] == 360


def test_my_talk_takes_the_place_of_one_card_wherever_it_stands(console: Open, back: StandIn) -> None:
    page = console()
    for number in range(4):
        back.send("call.ringing", call(f"+7916000000{number}", who=subscriber("2", f"Caller {number}")))
        expect(card(page)).to_have_count(number + 1)
    back.send("call.answered", answered(call(who=subscriber("1", "My Talk")), "101"))
    expect(fact(page, "title")).to_have_text(["My Talk", "Caller 3", "Caller 2", "Caller 1"])
    expect(page.locator(".card:not(.folded) [data-slot=title]")).to_have_text(["My Talk", "Caller 3"])
    expect(page.locator(".rest")).to_have_text("and 1 more call")


def test_what_rings_is_open_beside_several_talks(console: Open, back: StandIn) -> None:
    page = console()
    for name in ("First Talk", "Second Talk"):
        back.send("call.answered", answered(call(who=subscriber("1", name)), "101"))
        expect(page.locator(".card", has_text=name)).to_be_visible()
    back.send("call.ringing", call(who=subscriber("2", "Caller")))
    expect(fact(page, "title")).to_have_text(["Caller", "Second Talk", "First Talk"])
    expect(page.locator(".card:not(.folded) [data-slot=title]")).to_have_text(["Caller", "Second Talk"])


def test_several_subscribers_are_listed_with_what_tells_them_apart(console: Open, back: StandIn) -> None:
    page = console()
    found = [
        subscriber("4711", "Иванов Иван", deposit="-12.50"),
        subscriber("5120", "Иванова Мария", address="Лесная 20", url="javascript:alert(1)"),
    ]
    back.send("call.ringing", call(who=found[0], candidates=found))
    expect(fact(page, "title").first).to_have_text("+79161234567")
    expect(fact(page, "number")).to_have_text("2 subscribers have this number")
    items = card(page).get_by_role("listitem")
    expect(items).to_have_count(2)
    expect(items.nth(0)).to_contain_text("−₽12.50")
    expect(items.nth(0).get_by_role("link")).to_have_attribute("href", "https://billing.example/?uid=4711")
    expect(items.nth(1)).to_contain_text("ID 5120 · Лесная 20 · Home 100")
    expect(items.nth(1).get_by_role("link")).to_have_count(0)


def test_an_unknown_caller_has_the_number_as_title(console: Open, back: StandIn) -> None:
    page = console()
    back.send("call.ringing", call("+442071838750", who={}))
    expect(fact(page, "title")).to_have_text("+442071838750")
    expect(card(page).get_by_role("link")).to_have_count(0)
    expect(card(page)).to_contain_text("Not among the subscribers")
    expect(fact(page, "address")).to_be_hidden()


def test_a_withheld_number_is_said(console: Open, back: StandIn) -> None:
    page = console()
    back.send("call.ringing", call(None, who={}))
    expect(fact(page, "title")).to_have_text("Number withheld")
    expect(card(page)).not_to_contain_text("anonymous")


def test_a_lead_is_called_one(console: Open, back: StandIn) -> None:
    page = console()
    url = "/leads/18"
    lead = {"id": "18", "name": "Мельник Тарас", "phone": None, "address": "Лісова 4", "url": url}
    back.send("call.ringing", call("+380501112233", who={}, lead=lead))
    expect(card(page).get_by_role("link")).to_have_attribute("href", f"{back.url}{url}")
    expect(fact(page, "who")).to_have_text("Lead")
    expect(fact(page, "address")).to_have_text("Лісова 4")
    expect(fact(page, "deposit")).to_be_hidden()


def test_data_from_a_copy_is_said_to_be_old(console: Open, back: StandIn) -> None:
    page = console()
    back.send("call.ringing", call(match={"rule": "e164", "directory": "own", "stale": True}))
    expect(card(page).locator(".stale")).to_be_visible()


def test_only_addresses_of_the_web_become_links(console: Open, back: StandIn) -> None:
    page = console()
    urls = [
        "javascript:document.title='bad'",
        " JaVa\tScript:document.title='bad'",
        "data:text/html,<script>document.title='bad'</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:http://x/1",
        "http://",
        None,
        "",
    ]
    for number, url in enumerate(urls):
        back.send("call.ringing", call(who=subscriber(name=f"Caller {number}", url=url)))
        expect(fact(page, "title").first).to_have_text(f"Caller {number}")
        expect(page.locator("tbody a[href], .card a[href]")).to_have_count(0)
    expect(page.locator("tbody tr")).to_have_count(len(urls))


def test_whatever_a_name_holds_is_shown_as_text(console: Open, back: StandIn) -> None:
    page = console()
    nasty = "<img src=x onerror=\"document.title='bad'\">"
    # Every text of a call that somebody outside could have written, each different so that each is found.
    texts = [f"{nasty}{number}" for number in range(12)]
    who = subscriber(texts[0], texts[1], login=texts[2], company=texts[3], address=texts[4], tariff=texts[5])
    who.update(service=texts[6], service_status=texts[7], deposit=texts[8])
    name = {"sip_phone": "101", "login": texts[10], "name": texts[11]}
    back.send("call.ringing", call(who=who, called_name=texts[9]))
    back.send("call.answered", {**answered(call("<b>8</b>", who={}), "101"), "operator": name})
    expect(card(page)).to_have_count(2)
    shown = page.locator("body").inner_text()
    for number in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11):
        assert texts[number] in shown, number
    assert page.locator("img, b").count() == 0
    assert "bad" not in page.title().replace(texts[1], "")


def test_a_screen_reader_is_told_of_each_turn(console: Open, back: StandIn) -> None:
    page = console()
    region = page.locator("#announcer")
    expect(region).to_have_attribute("aria-live", "assertive")
    ring = call(ringing=["101", "102"])
    back.send("call.ringing", ring)
    expect(region).to_have_text("Incoming call: Иванов Иван")
    back.send("call.answered", answered(ring, "102"))
    expect(region).to_have_text("Answered by Ivan Petrov")


def test_the_line_moves_while_it_rings_unless_the_system_asks_for_rest(console: Open, back: StandIn) -> None:
    page = console()
    ring = call()
    back.send("call.ringing", ring)
    moving = "getComputedStyle(document.querySelector('.tape'), '::before').animationName"
    expect(card(page)).to_have_count(1)
    assert page.evaluate(moving) == "run"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == "none"
