"""The live connection: broken, made again, told to read anew. In a real browser."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.browser import open_console
from tests.console.sample_calls import answered, call, ended
from tests.console.stand_in import StandIn

pytestmark = pytest.mark.browser

Open = Callable[..., Page]


def test_after_a_restart_of_the_server_it_knows_what_happened_meanwhile(console: Open, back: StandIn) -> None:
    page = console()
    ring = call()
    back.send("call.ringing", ring)
    expect(page.locator(".card")).to_have_count(1)
    back.stop()
    connection = page.locator("#connection")
    expect(connection).to_have_attribute("data-state", "reconnecting")
    expect(connection).to_contain_text("Reconnecting, no data since ")
    talk = answered(ring, "101")
    back.send("call.answered", talk)
    back.send("call.ended", ended(talk))
    other = call("+79990000000", who={})
    back.send("call.ringing", other)
    back.start()
    expect(connection).to_have_text("Live")
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page.locator(f"[data-call='{other['id']}'] [data-slot=state]")).to_have_text("Ringing")
    expect(page.locator(f"[data-call='{ring['id']}']")).to_have_count(0)


def test_live_parts_are_grey_while_nothing_is_heard(console: Open, back: StandIn) -> None:
    page = console()
    back.send("call.ringing", call())
    dot = page.locator("tbody tr .dot")
    expect(dot).to_have_css("background-color", "rgb(224, 134, 0)")
    back.stop()
    expect(dot).to_have_css("background-color", "rgb(138, 148, 157)")


def test_a_page_opened_while_the_stream_is_refused_still_shows_the_calls(
    new_page: Open, console: Open, back: StandIn
) -> None:
    page = console()
    back.put(ended(call()))
    page.route("**/api/events", lambda route: route.fulfill(status=503))
    page.reload()
    expect(page.locator("#connection")).to_have_attribute("data-state", "reconnecting")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.unroute("**/api/events")
    expect(page.locator("#connection")).to_have_text("Live")


def test_reset_reads_everything_again(console: Open, back: StandIn) -> None:
    page = console()
    back.put(ended(call("+79990000000", who={})))
    back.put(call())
    back.reset()
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page.locator(".card")).to_have_count(1)


def test_it_comes_back_with_the_id_of_the_last_event_even_of_one_it_did_not_see(
    console: Open, back: StandIn
) -> None:
    page = console()
    asked: list[str | None] = []
    page.on(
        "request",
        lambda request: (
            request.url.endswith("/api/events") and asked.append(request.headers.get("last-event-id"))
        ),
    )
    back.send("call.ringing", call(ringing=["101"]))
    talk = answered(call(ringing=["102"]), "102")
    back.send("call.answered", talk)
    back.send("call.updated", talk)  # none of an operator's business; a heartbeat brings its id
    with page.expect_request("**/api/events", timeout=20_000):
        seen = back.accounts.looked_up
        end = time.monotonic() + 30
        while back.accounts.looked_up < seen + 2:  # at each heartbeat; the first is written before the second
            assert time.monotonic() < end, "no heartbeat looked at the session"
            page.wait_for_timeout(50)
        back.stop()
        back.start()
    expect(page.locator("#connection")).to_have_text("Live")
    assert asked[-1] == "3"


READER = """async (pieces) => {
  const main = document.querySelector("script[type=module]").src;
  const { EventReader } = await import(main.replace("main.js", "stream.js"));
  const reader = new EventReader();
  const events = pieces.flatMap((piece) => reader.take(piece));
  return [events, reader.id];
}"""

STREAM = (
    ": hello\n\nretry: 2000\nid: 4\n\nid: 5\nevent: call.ringing\ndata: {}\n\n"
    "data: one\ndata:two\ndata\nother: x\n\n:\nevent: reset\r\ndata: 3\r\n\r\nid: 6\rdata: last\r\r"
)
EVENTS = [
    {"type": "call.ringing", "data": "{}"},
    {"type": "message", "data": "one\ntwo\n"},
    {"type": "reset", "data": "3"},
    {"type": "message", "data": "last"},
]


@pytest.mark.parametrize(
    "pieces",
    [[STREAM + ":"], [*STREAM, ":"], [STREAM, ":", "id: 9\ndata: half"]],
    ids=["whole", "sign by sign", "with a tail"],
)
def test_a_stream_is_cut_into_events_however_it_comes(console: Open, pieces: list[str]) -> None:
    assert console().evaluate(READER, pieces) == [EVENTS, "6"]


def test_an_event_without_end_is_given_up(console: Open) -> None:
    with pytest.raises(Exception, match="an event without an end"):
        console().evaluate(READER, ["data: " + "x" * 1_000_001])


def test_an_event_that_cannot_be_read_is_not_asked_for_again(chromium: Browser, back: StandIn) -> None:
    page = chromium.new_page()
    errors: list[str] = []
    page.on("console", lambda said: said.type == "error" and errors.append(said.text))
    bad = "id: 7\nevent: call.ringing\ndata: no JSON\n\n"
    page.route(
        "**/api/events",
        lambda route: (
            route.fulfill(body=bad, content_type="text/event-stream")
            if route.request.headers.get("last-event-id") is None
            else route.continue_()
        ),
    )
    with page.expect_request(lambda request: request.headers.get("last-event-id") == "7"):
        open_console(page, back, "olena")
    expect(page.locator("#connection")).to_have_text("Live")
    assert any("JSON" in text for text in errors)
    page.close()
