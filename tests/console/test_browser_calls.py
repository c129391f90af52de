"""The live table of calls, in a real browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from fastagi.interfaces import Role
from tests.console.browser import open_console
from tests.console.sample_calls import answered, call, ended, sample_day, subscriber
from tests.console.stand_in import StandIn, operator
from tests.who_sees import CASES, PHONES

pytestmark = pytest.mark.browser

Open = Callable[..., Page]


def rows(page: Page) -> Locator:
    return page.locator("tbody tr")


def cell(row: Locator, name: str) -> Locator:
    return row.locator(f"td.{name}")


def fill(back: StandIn, count: int, *, begun: float = 100) -> None:
    for number in range(count):
        made = answered(call(f"+7916{number:07}", ago=begun + number * 60, who={}), "101")
        back.put(ended(made))


def test_a_row_says_who_called_when_and_what_became_of_it(console: Open, back: StandIn) -> None:
    back.put({**ended(answered(call(ago=300), "101", ago=290), talk=132), "queue": "vip"})
    page = console()
    row = rows(page)
    expect(row).to_have_count(1)
    expect(cell(row, "subscriber").get_by_role("link")).to_have_text("Иванов Иван")
    expect(cell(row, "id")).to_have_text("4711")
    expect(cell(row, "phone")).to_have_text("+79161234567")
    expect(cell(row, "status")).to_have_text("Processed")
    expect(cell(row, "line")).to_have_text("Support · vip")
    expect(cell(row, "operator")).to_have_text("Olena Koval")
    expect(cell(row, "talk")).to_have_text("2:12")
    expect(cell(row, "date").get_by_role("time")).to_have_attribute("datetime", back_time(back))
    expect(page.locator("[data-slot=total]")).to_have_text("1 call")
    assert row.bounding_box()["height"] == 36


def back_time(back: StandIn) -> str:
    (one,) = back.journal.rows.values()
    return one.started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_a_phone_number_is_spaced_on_the_screen_and_copied_without_spaces(
    console: Open, back: StandIn
) -> None:
    back.put(ended(call()))
    page = console()
    phone = cell(rows(page), "phone").locator("[data-slot=phone]")
    expect(phone).to_have_attribute("title", "+7 916 123-45-67")
    copied = page.evaluate(
        "() => { getSelection().selectAllChildren(document.querySelector('td.phone [data-slot=phone]'));"
        " return getSelection().toString(); }"
    )
    assert copied == "+79161234567"


def test_numbers_are_spaced_as_their_country_does(console: Open) -> None:
    spaced = {
        "+79161234567": "+7 916 123-45-67",
        "+380671234567": "+380 67 123-45-67",
        "+375291234567": "+375 29 123-45-67",
        "+12125550123": "+1 212 555-0123",
        "+442071838750": "+44 207 183 8750",
        "+4930123456": "+49 301 234 56",
        "+35312345678": "+353 123 456 78",
        "+7916": "+7916",
        "101": "101",
        "sip:<b>x</b>": "sip:<b>x</b>",
        "": "",
    }
    ask = """async (numbers) => {
      const main = document.querySelector("script[type=module]").src;
      const { spaced } = await import(main.replace("main.js", "phone.js"));
      return Object.fromEntries(numbers.map((number) => [number, spaced(number)]));
    }"""
    assert console().evaluate(ask, list(spaced)) == spaced


def test_an_outgoing_call_shows_whom_it_went_to(console: Open, back: StandIn) -> None:
    out = ended(answered(call(), "101"))
    back.put({**out, "direction": "outgoing", "called": "+380671234567", "called_name": None})
    page = console()
    expect(cell(rows(page), "phone")).to_have_text("+380671234567")
    expect(page.get_by_role("img", name="Outgoing")).to_be_visible()
    expect(cell(rows(page), "line")).to_have_text("")


def test_how_a_call_failed_stands_beside_its_status_and_how_long_it_waited(
    console: Open, back: StandIn
) -> None:
    for outcome in ("no_answer", "busy", "abandoned", "failed", "not_observed"):
        back.put({**ended(call(ago=60), outcome), "waiting_seconds": 14})
    page = console()
    words = ["no answer", "busy", "caller hung up", "failed", "end not seen"]
    shown = cell(rows(page), "status").all_inner_texts()
    assert sorted(shown) == sorted(f"Not processed {word}" for word in words)
    expect(cell(rows(page).first, "talk")).to_have_text("0:14")


def test_an_empty_list_says_what_will_come(console: Open) -> None:
    page = console()
    expect(page.get_by_role("heading", name="No calls yet")).to_be_visible()
    expect(page.get_by_role("table")).to_be_hidden()


def test_a_call_comes_and_changes_by_itself(console: Open, back: StandIn) -> None:
    fill(back, 3)
    page = console()
    ring = call(ringing=["101"])
    back.send("call.started", ring)
    expect(rows(page)).to_have_count(4)
    first = rows(page).first
    expect(cell(first, "status")).to_have_text("Ringing")
    expect(page.locator("[data-slot=total]")).to_have_text("4 calls")
    talk = answered(ring, "101")
    back.send("call.answered", talk)
    expect(cell(first, "status")).to_have_text("In processing")
    expect(cell(first, "talk")).to_have_text(re.compile(r"^0:(0[2-9]|[1-5]\d)$"))  # it counts
    back.send("call.ended", ended(talk, talk=65))
    expect(cell(first, "status")).to_have_text("Processed")
    expect(cell(first, "talk")).to_have_text("1:05")
    expect(rows(page)).to_have_count(4)


def test_a_row_begun_earlier_takes_its_place_by_time(console: Open, back: StandIn) -> None:
    fill(back, 3)
    page = console()
    back.send("call.updated", ended(call("+380501112233", ago=130)))
    expect(rows(page)).to_have_count(4)
    expect(cell(rows(page).nth(1), "phone")).to_have_text("+380501112233")


@pytest.mark.parametrize(
    ("locale", "one", "few", "many"),
    [
        ("en-GB", "1 new call", "3 new calls", "5 new calls"),
        ("ru-RU", "1 новый звонок", "3 новых звонка", "5 новых звонков"),
        ("uk-UA", "1 новий дзвінок", "3 нові дзвінки", "5 нових дзвінків"),
    ],
)
def test_while_the_list_is_scrolled_new_calls_wait(
    console: Open, back: StandIn, locale: str, one: str, few: str, many: str
) -> None:
    fill(back, 45)
    page = console(locale=locale)
    expect(rows(page)).to_have_count(45)
    page.evaluate("document.querySelector('.scroll').scrollTop = 400")
    pill = page.locator(".arrivals")
    for count, text in ((1, one), (2, few), (2, many)):
        for _ in range(count):
            back.send("call.started", call(ringing=["102"]))
        expect(pill).to_have_text(text)
    expect(rows(page)).to_have_count(45)
    pill.click()
    expect(pill).to_be_hidden()
    expect(rows(page)).to_have_count(50)
    assert page.evaluate("document.querySelector('.scroll').scrollTop") == 0


def test_older_calls_come_by_a_button_and_stay_after_reading_anew(console: Open, back: StandIn) -> None:
    fill(back, 120)
    page = console()
    expect(rows(page)).to_have_count(50)
    more = page.get_by_role("button", name="Show older calls")
    more.click()
    expect(rows(page)).to_have_count(100)
    page.evaluate("document.querySelector('.scroll').scrollTop = 0")
    back.send("call.updated", call("+79990000000", ago=200))
    expect(rows(page)).to_have_count(101)
    with page.expect_response("**/api/calls?limit=101"):
        back.reset()
    expect(rows(page)).to_have_count(101)
    more.click()
    expect(rows(page)).to_have_count(121)
    expect(more).to_be_hidden()
    phones = cell(rows(page), "phone").all_inner_texts()
    assert len(phones) == len(set(phones)) == 121


def test_news_of_a_call_on_a_page_not_yet_read_does_not_put_it_here(console: Open, back: StandIn) -> None:
    fill(back, 60)
    page = console()
    expect(rows(page)).to_have_count(50)
    back.send("call.updated", ended(call("+79990000000", ago=99_999)))
    back.send("call.started", call("+79990000001"))
    expect(rows(page)).to_have_count(51)
    expect(page.get_by_text("+79990000000")).to_have_count(0)


def test_search_by_number_is_in_the_address_and_holds_for_live_calls(console: Open, back: StandIn) -> None:
    for one in sample_day():
        back.put({**one, "operator": None})
    page = console()
    page.keyboard.press("/")
    page.keyboard.type("4567")
    expect(rows(page)).to_have_count(2)
    expect(page).to_have_url(f"{back.url}/?number=4567")
    back.send("call.started", call("+79990001111", ringing=[]))
    back.send("call.started", call("+79990004567", ringing=[]))
    # What the number was read as counts, as it does for the server.
    read = {"raw": "+79990001111;ext=4567", "e164": "+79990001111", "name": None}
    back.send("call.started", {**call(ringing=[]), "caller": read})
    back.send("call.started", call("+79990014567", ringing=[]))
    expect(rows(page)).to_have_count(4)
    page.reload()
    expect(page.locator("#search input")).to_have_value("4567")
    expect(rows(page)).to_have_count(4)
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{back.url}/")
    expect(rows(page)).to_have_count(27)


def test_a_search_that_finds_nothing_says_so_and_leads_back(console: Open, back: StandIn) -> None:
    fill(back, 2)
    page = console()
    page.fill("#search input", "5550000")
    expect(page.get_by_role("heading", name="No calls with 5550000")).to_be_visible()
    page.get_by_role("button", name="Show all calls").click()
    expect(rows(page)).to_have_count(2)
    expect(page.locator("#search input")).to_have_value("")


def test_a_search_without_a_digit_asks_for_one(console: Open, back: StandIn) -> None:
    fill(back, 2)
    page = console()
    asked = len(back.journal.asked)
    page.fill("#search input", "abc")
    page.keyboard.press("Enter")
    assert (
        page.evaluate("document.querySelector('#search input').validationMessage")
        == "Type at least one digit"
    )
    page.fill("#search input", "0000001")
    expect(rows(page)).to_have_count(1)
    assert len(back.journal.asked) == asked + 1


def test_calls_that_cannot_be_read_are_a_problem_said_and_mended(console: Open, back: StandIn) -> None:
    fill(back, 2)
    page = console()
    back.journal.away = True
    back.reset()
    expect(page.get_by_role("alert")).to_contain_text(
        "The calls could not be read: the database does not answer"
    )
    expect(rows(page)).to_have_count(2)
    fill(back, 1)
    back.journal.away = False
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(rows(page)).to_have_count(3)


def test_a_search_that_fails_is_said_and_made_good_once_the_server_is_back(
    console: Open, back: StandIn
) -> None:
    fill(back, 3)
    page = console()
    expect(rows(page)).to_have_count(3)
    back.stop()
    page.fill("#search input", "0000001")
    expect(page.get_by_role("alert")).to_contain_text("The calls could not be read")
    back.start()
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator("#connection")).to_have_text("Live")
    expect(rows(page)).to_have_count(1)


def test_a_search_that_fails_while_the_stream_lives_is_tried_again(console: Open, back: StandIn) -> None:
    fill(back, 3)
    page = console()
    back.journal.away = True
    page.fill("#search input", "0000001")
    expect(page.get_by_role("alert")).to_be_visible()
    back.journal.away = False
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_resets_one_after_the_other_do_not_put_the_reading_off(new_page: Open, back: StandIn) -> None:
    page = new_page()
    page.add_init_script("Math.random = () => 0.999")  # the longest wait there is
    open_console(page, back, "olena")
    seen = len(back.journal.asked)
    for _ in range(50):
        back.reset()
        page.wait_for_timeout(200)
        if len(back.journal.asked) > seen:
            return
    pytest.fail("nothing was read in 10 s of resets")


SHORTEN = """async (call) => {
  const main = document.querySelector("script[type=module]").src;
  const { CallList } = await import(main.replace("main.js", "list.js"));
  const { KnownCalls } = await import(main.replace("main.js", "known.js"));
  const view = { isScrolled: () => false, setBusy() {}, showProblem() {}, show() {} };
  const account = { role: "supervisor", sip_phones: [] };
  return new Promise((failed) => {
    const list = new CallList(new KnownCalls(), view, account, (error) => failed(error.name + error.status));
    for (let number = 0; number <= 500; number += 1) list.take({ ...call, id: `main:${number}.1` });
  });
}"""


def test_a_list_that_became_too_long_and_cannot_be_read_anew_says_so(console: Open) -> None:
    page = console()
    page.route("**/api/calls?*", lambda route: route.abort())
    assert page.evaluate(SHORTEN, call()) == "Error0"


def test_it_tries_again_by_itself(console: Open, back: StandIn) -> None:
    page = console()
    back.journal.away = True
    back.reset()
    expect(page.get_by_role("alert")).to_be_visible()
    back.journal.away = False
    expect(page.get_by_role("alert")).to_be_hidden()


def test_an_operator_loses_sight_of_a_call_that_somebody_else_answered(console: Open, back: StandIn) -> None:
    page = console()
    ring = call(ringing=["102"])
    back.send("call.ringing", ring)
    expect(rows(page)).to_have_count(1)
    back.send("call.answered", answered(ring, "102"))
    expect(rows(page)).to_have_count(0)
    expect(page.locator("[data-slot=total]")).to_have_text("0 calls")


BELONG = """async ([calls, phones]) => {
  const main = document.querySelector("script[type=module]").src;
  const { CallList } = await import(main.replace("main.js", "list.js"));
  const { KnownCalls } = await import(main.replace("main.js", "known.js"));
  let shown = [];
  const view = { isScrolled: () => false, show: ({ calls }) => { shown = calls; } };
  const list = new CallList(new KnownCalls(), view, { role: "operator", sip_phones: phones }, console.error);
  for (const call of calls) list.take(call);
  return shown.map(({ id }) => id);
}"""


def test_the_table_of_an_operator_has_what_the_rule_says(console: Open) -> None:
    calls = []
    for phone, ringing, _ in CASES:
        who = {"sip_phone": phone, "login": None, "name": None} if phone else None
        calls.append({**call(), "operator": who, "ringing": list(ringing)})
    seen = {one["id"] for one, (*_, sees) in zip(calls, CASES, strict=True) if sees}
    assert set(console().evaluate(BELONG, [calls, list(PHONES)])) == seen


def test_a_supervisor_sees_all_calls_to_their_end(new_page: Open, back: StandIn) -> None:
    back.accounts.by_login["boss"] = operator("boss", "Boss", role=Role.SUPERVISOR)
    page = new_page()
    open_console(page, back, "boss")
    expect(page.locator(".person")).to_contain_text("No SIP phone")
    talk = answered(call(ringing=["102"]), "102")
    back.send("call.answered", talk)
    back.send("call.ended", ended(talk))
    expect(cell(rows(page), "status")).to_have_text("Processed")
    expect(cell(rows(page), "operator")).to_have_text("Ivan Petrov")
    expect(page.locator(".card")).to_have_count(0)


def test_several_candidates_and_a_lead_are_told_apart_in_the_table(console: Open, back: StandIn) -> None:
    found = [subscriber("1", "First"), subscriber("2", "Second"), subscriber("3", "Third")]
    lead = {"id": "18", "name": "Maybe", "phone": None, "address": None, "url": None}
    back.put(ended(call(ago=50, who=found[0], candidates=found)))
    back.put(ended(call(ago=60, who={}, lead=lead)))
    page = console()
    expect(cell(rows(page), "subscriber")).to_have_text(["First +2", "Maybe"])
    expect(cell(rows(page), "id")).to_have_text(["1", "Lead"])


@pytest.mark.parametrize("language", ["en", "ru", "uk"])
def test_nothing_has_to_be_scrolled_sideways(console: Open, back: StandIn, language: str) -> None:
    for one in sample_day():
        back.put({**one, "operator": None})
    page = console(locale=language)
    back.send("call.ringing", call(who=subscriber(name="Wolfeschlegelsteinhausenbergerdorff" * 3)))
    expect(page.locator(".card")).to_have_count(1)
    for width in (320, 390, 768, 1024, 1280, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(TOO_WIDE) == [], width
        box = page.locator(".card").bounding_box()
        assert box["x"] >= 0, width
        assert box["x"] + box["width"] <= width


TOO_WIDE = """[document.documentElement, ...document.querySelectorAll(".scroll, .bar, .rail, .card")]
  .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.className)"""


def test_at_phone_width_a_row_has_two_lines_and_the_rail_is_at_the_bottom(
    console: Open, back: StandIn
) -> None:
    fill(back, 2)
    page = console(viewport={"width": 390, "height": 844})
    row = rows(page).first
    name, date = cell(row, "subscriber").bounding_box(), cell(row, "date").bounding_box()
    phone, status = cell(row, "phone").bounding_box(), cell(row, "status").bounding_box()
    assert name["y"] == date["y"] < phone["y"] == status["y"]
    rail = page.locator(".rail").bounding_box()
    assert rail["y"] + rail["height"] == 844
    assert rail["width"] == 390


def test_everything_can_be_reached_by_keyboard_and_shows_where_one_is(console: Open, back: StandIn) -> None:
    back.put(ended(call(ago=60)))
    page = console()
    back.send("call.ringing", call(who=subscriber("5", "Another")))
    expect(page.locator(".card")).to_have_count(1)
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "(({ outlineStyle, outlineWidth }, one) => [(one.getAttribute('aria-label') ?? one.innerText)"
                ".split('\\n')[0], outlineStyle === 'solid' && parseFloat(outlineWidth) > 0])"
                "(getComputedStyle(document.activeElement), document.activeElement)"
            )
        )
    names = [name for name, _ in reached]
    assert names[:4] == ["whocalls", "Calls", "Search by number", "Olena Koval"]
    assert names.index("Another") < names.index("Иванов Иван")
    assert names.index("Fold the card") < names.index("Иванов Иван")
    assert [name for name, outlined in reached if not outlined] == []


def test_the_page_fetches_nothing_from_elsewhere(console: Open, back: StandIn, new_page: Open) -> None:
    page = new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_console(page, back, "olena")
    back.send("call.ringing", call())
    expect(page.locator(".card")).to_have_count(1)
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith(back.url)] == []
