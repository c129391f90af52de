"""The pages and files as they leave the server; no browser."""

import asyncio
import json
import re
from collections.abc import Iterator

import httpx
import pytest

from fastagi.interfaces import Role
from tests.console.stand_in import StandIn, operator
from webhooks.console.assets import load_assets
from webhooks.limits import POLICY

NASTY = '"><img src=x onerror=alert(1)></script><script>alert(2)</script>'


@pytest.fixture(scope="module")
def back() -> Iterator[StandIn]:
    back = StandIn(
        operator("olena", "Olena Koval", "101", language="uk"),
        operator("nobody", "", role=Role.SUPERVISOR),
        operator("nasty", NASTY, "10<2"),
        language="ru",
    )
    yield back
    back.close()


@pytest.fixture
def get(back: StandIn):
    def get(path: str, login: str = "", **cookies: str) -> httpx.Response:
        session = {"whocalls_session": login} if login else {}
        return asyncio.run(ask(back, path, {**session, **cookies}))

    return get


async def ask(back: StandIn, path: str, cookies: dict[str, str]) -> httpx.Response:
    transport = httpx.ASGITransport(back.site())
    async with httpx.AsyncClient(transport=transport, base_url=back.url, cookies=cookies) as client:
        return await client.get(path)


def data_of(page: httpx.Response) -> dict:
    found = re.search(r'<script type="application/json" id="page">(.*?)</script>', page.text, re.S)
    return json.loads(found[1])


def test_who_is_not_signed_in_is_sent_to_the_sign_in_page_and_back(get) -> None:
    assert (get("/").status_code, get("/").headers["location"]) == (303, "/sign-in")
    there = get("/sign-in", "olena")
    assert (there.status_code, there.headers["location"]) == (303, "/")
    assert get("/", "a session that ended").headers["location"] == "/sign-in"


def test_pages_are_never_kept_and_allow_no_foreign_or_inline_script(get) -> None:
    for page in (get("/sign-in"), get("/", "olena")):
        assert page.status_code == 200
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["content-security-policy"] == POLICY
        assert "unsafe" not in POLICY
        assert not re.search(r"<script(?![^>]*(src=|application/json))|\son\w+=|style=|https?://", page.text)


def test_a_page_is_in_the_language_of_the_account_the_choice_or_the_configuration(get) -> None:
    assert '<html lang="uk"' in get("/", "olena").text
    assert '<html lang="en"' in get("/", "olena", whocalls_language="en").text
    assert '<html lang="ru"' in get("/sign-in").text
    assert data_of(get("/", "olena"))["words"]["status.not_processed"] == "Не оброблено"


def test_a_page_is_drawn_in_the_theme_chosen(get) -> None:
    assert 'data-theme="dark"' in get("/", "olena", whocalls_theme="dark").text
    assert 'data-theme="system"' in get("/", "olena", whocalls_theme="x'><b").text


def test_a_name_is_text_in_the_page_and_in_its_data(get) -> None:
    page = get("/", "nasty")
    assert "<img" not in page.text
    assert "alert(2)</script>" not in page.text
    assert data_of(page)["account"] == {
        "login": "nasty",
        "name": NASTY,
        "role": "operator",
        "sip_phones": ["10<2"],
    }


def test_who_has_no_sip_phone_is_told_what_that_means(get) -> None:
    page = get("/", "nobody", whocalls_language="en").text
    assert "No SIP phone is assigned to you" in page
    assert ">nobody</span>" in page


def test_a_database_that_is_away_is_said_in_words(get, back: StandIn) -> None:
    back.accounts.away = True
    try:
        for path in ("/", "/sign-in"):
            page = get(path, "olena", whocalls_language="en")
            assert page.status_code == 503
            assert "The database does not answer" in page.text
    finally:
        back.accounts.away = False


def test_static_files_are_kept_for_ever_under_their_version(get) -> None:
    assets = load_assets()
    for name, body in assets.by_name.items():
        file = get(f"/static/{assets.version}/{name}")
        assert file.content == body
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert file.headers["x-content-type-options"] == "nosniff"
    kinds = {get(f"/static/{assets.version}/{name}").headers["content-type"] for name in assets.by_name}
    assert kinds == {"text/javascript; charset=utf-8", "text/css; charset=utf-8", "image/svg+xml"}


def test_a_page_asks_for_the_files_of_this_version(get) -> None:
    asked = re.findall(r'(?:href|src)="/static/([^/]+)/([^"]+)"', get("/", "olena").text)
    assert {version for version, _ in asked} == {load_assets().version}
    assert {name for _, name in asked} <= set(load_assets().by_name)


def test_a_file_of_another_version_is_served_but_not_kept(get) -> None:
    assert get("/static/000000000000/main.js").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["nothing.js", "..%2fpages.py", "..%2f..%2fsite.py", "%00", "main.js%00"])
def test_what_is_no_static_file_is_not_found(get, name: str) -> None:
    assert get(f"/static/{load_assets().version}/{name}").status_code == 404


def test_static_files_name_nothing_outside_the_site() -> None:
    for name, body in load_assets().by_name.items():
        text = body.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|url\((?![\"']?open\.svg)", text), name


def test_no_script_makes_html_of_text() -> None:
    for name, body in load_assets().by_name.items():
        if name.endswith(".js"):
            forbidden = rb"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function"
            assert not re.search(forbidden, body), name
