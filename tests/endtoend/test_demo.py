"""`whocalls demo` as its first user meets it: started, signed in to with a real browser, a card on the screen."""

import re
import subprocess
import sys
import time

import httpx
import pytest
from playwright.sync_api import sync_playwright

from tests.console.browser import CHROMIUM, FLAGS
from tests.lab.ports import free_port
from tests.lab.processes import die_with_parent
from tests.product import LIMIT, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page():
    """A page of a real browser, started before the demo: what is told is the product's time."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(locale="en-GB", viewport={"width": 1440, "height": 900})
        page.set_default_timeout(LIMIT * 1000)
        yield page
        browser.close()


@pytest.fixture
def demo(tmp_path):
    """A running demo: what it printed, and the seconds it took to be ready."""
    log = tmp_path / "demo.log"
    began = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "fastagi", "demo", "--port", str(free_port())],
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
            preexec_fn=die_with_parent,
        )
    try:
        until(lambda: "is ready" in log.read_text() or process.poll() is not None, message="not ready")
        until(lambda: "Ctrl-C" in log.read_text() or process.poll() is not None, message="not ready")
        yield log.read_text(), time.monotonic() - began
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        try:
            process.wait(LIMIT)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 0, log.read_text()
    assert list(tmp_path.iterdir()) == [log]


def test_a_card_is_on_the_screen_soon_after_the_demo_is_ready(page, demo):
    said, started = demo
    ready = time.monotonic()
    address = re.search(r"http://127\.0\.0\.1:\d+/", said)[0]
    login, password = re.search(r"^\s*(olena) / (\S+)", said, re.MULTILINE).groups()
    page.goto(address)
    page.fill("#login", login)
    page.fill("#password", password)
    page.press("#password", "Enter")
    page.locator(".card").first.wait_for()
    print(f"ready after {started:.1f} s, a card {time.monotonic() - ready:.1f} s later", file=sys.stderr)
    # Its calls go on by themselves: a phone rings, somebody answers, the table fills.
    page.locator("tbody tr, [role=row]").nth(8).wait_for()


def test_every_call_of_the_demo_is_journalled_and_settles(demo):
    address = re.search(r"http://127\.0\.0\.1:\d+", demo[0])[0]
    with httpx.Client(base_url=address, timeout=LIMIT) as client:
        signed_in = client.post("/api/session", json={"login": "grace", "password": "demo-demo"})
        assert signed_in.status_code == 200, signed_in.text
        calls = lambda: client.get("/api/calls", params={"limit": 100}).json()["items"]  # noqa: E731
        settled = until(
            lambda: len(done := [call for call in calls() if call["outcome"]]) >= 9 and done,
            message="the first calls were not settled",
        )
        assert {call["outcome"] for call in settled} >= {"answered", "no_answer", "busy", "abandoned"}
        assert any(call["subscriber"] for call in settled)
        health = client.get("/healthz").json()
        assert health["ok"], health
