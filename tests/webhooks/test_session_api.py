"""Signing in and out, tokens, roles, and pages of other sites."""

import asyncio
from http.cookies import SimpleCookie

import httpx
import pytest

from fastagi.interfaces import Role
from tests.webhooks.fakes import answered_by, make_call
from tests.webhooks.world import World
from webhooks.access import COOKIE, may_see
from webhooks.site import SiteSettings

pytestmark = pytest.mark.anyio

RIGHT = {"login": "olena", "password": "secret"}
WRONG = {"login": "olena", "password": "guess"}
OLENA = {"login": "olena", "name": "Olena", "role": "operator", "sip_phones": ["101"], "language": None}


def cookie_of(response: httpx.Response) -> SimpleCookie:
    return SimpleCookie(response.headers["set-cookie"])


@pytest.mark.parametrize("form", [False, True])
async def test_signing_in_asking_who_and_signing_out(form: bool):
    world = World()
    async with world.client() as client:
        assert (await client.get("/api/session")).status_code == 401
        response = await client.post("/api/session", **({"data": RIGHT} if form else {"json": RIGHT}))
        assert (response.status_code, response.json()) == (200, OLENA)
        who = await client.get("/api/session")
        assert (who.status_code, who.json()) == (200, OLENA)
        gone = await client.delete("/api/session")
        assert (gone.status_code, gone.content) == (204, b"")
        assert COOKIE not in client.cookies
        assert (await client.get("/api/session")).status_code == 401
    assert cookie_of(response)[COOKIE].value not in world.accounts.sessions


@pytest.mark.parametrize("secure", [False, True])
async def test_the_cookie(secure: bool):
    world = World(settings=SiteSettings(secure_cookies=secure))
    async with world.client() as client:
        cookie = cookie_of(await client.post("/api/session", json=RIGHT))[COOKIE]
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], cookie["max-age"]) == ("lax", "/", "")
    assert bool(cookie["secure"]) is secure


async def test_a_session_that_ends_as_it_begins():
    world = World()

    async def gone(secret: str) -> None:
        return None

    world.accounts.session = gone
    async with world.client() as client:
        response = await client.post("/api/session", json=RIGHT)
    assert response.status_code == 401
    assert "set-cookie" not in response.headers


async def test_signing_in_again_ends_the_old_session():
    world = World()
    async with world.client(world.supervisor) as client:
        assert (await client.post("/api/session", json=RIGHT)).status_code == 200
    assert world.supervisor not in world.accounts.sessions


@pytest.mark.parametrize(
    ("request_", "status", "named"),
    [
        ({"json": WRONG}, 401, "login or password"),
        ({"json": {"login": "nobody", "password": "x"}}, 401, "login or password"),
        ({"json": {"login": "olena"}}, 422, "password: "),
        ({"data": {"password": "x"}}, 422, "login: "),
        ({"json": {"login": " ", "password": "x"}}, 422, "login: "),
        ({"json": {"login": "x" * 65, "password": "x"}}, 422, "login: "),
        ({"json": {"login": "x", "password": "x" * 1025}}, 422, "password: "),
        ({"json": []}, 422, "body: "),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, "body: "),
        ({"content": b"x"}, 415, "Content-Type: "),
        ({"files": {"login": b"x"}}, 400, "Too many files"),
        ({"content": b"x" * 70_000, "headers": {"Content-Type": "application/json"}}, 413, "body: "),
    ],
)
async def test_a_wrong_sign_in_is_named(request_: dict, status: int, named: str):
    async with (world := World()).client() as client:
        response = await client.post("/api/session", **request_)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert named in response.json()["detail"]
    assert "set-cookie" not in response.headers
    assert len(world.accounts.sessions) == 2


async def test_five_wrong_attempts_and_no_more():
    world = World()
    async with world.client() as client:
        for _ in range(5):
            assert (await client.post("/api/session", json=WRONG)).status_code == 401
        late = await client.post("/api/session", json=RIGHT)
        other = await client.post("/api/session", json={"login": "boss", "password": "secret"})
    assert late.status_code == 429
    assert 290 < int(late.headers["retry-after"]) <= 300
    assert other.status_code == 200
    assert world.accounts.tried == 6
    async with world.client(client=("192.0.2.9", 1)) as elsewhere:
        assert (await elsewhere.post("/api/session", json=RIGHT)).status_code == 200


async def test_attempts_at_the_same_time_count_as_well():
    world = World()
    async with world.client() as client:
        answers = await asyncio.gather(*(client.post("/api/session", json=WRONG) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 15
    assert world.accounts.tried == 5


async def test_a_database_that_is_away_is_no_wrong_password():
    world = World()
    world.accounts.away = True
    async with world.client() as client:
        for _ in range(7):
            assert (await client.post("/api/session", json=RIGHT)).status_code == 503
        world.accounts.away = False
        assert (await client.post("/api/session", json=RIGHT)).status_code == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer token-of-crm", 200),
        ("bearer  token-of-crm ", 200),
        ("Bearer nonsense", 401),
        ("Bearer " + "x" * 600, 401),
        ("Bearer", 401),
        ("Basic dG9rZW4=", 401),
        ("", 401),
    ],
)
async def test_tokens_of_programs(header: str, status: int):
    async with World().client() as client:
        response = await client.get("/api/session", headers={"Authorization": header})
    assert response.status_code == status
    if status == 401:
        assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_wrong_token_is_not_saved_by_a_cookie():
    async with (world := World()).client(world.supervisor) as client:
        assert (await client.get("/api/calls", headers={"Authorization": "Bearer no"})).status_code == 401


async def test_a_session_is_no_token_and_a_token_no_session():
    world = World()
    async with world.client(world.token) as client:
        assert (await client.get("/api/session")).status_code == 401
    async with world.client() as client:
        headers = {"Authorization": f"Bearer {world.supervisor}"}
        assert (await client.get("/api/session", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "http://calls.example"}, True),
        ({"Origin": "HTTP://Calls.Example"}, True),
        ({"Origin": "https://trusted.example"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://calls.example.evil.example"}, False),
        ({"Origin": "http://calls.example:8081"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://[::1"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://calls.example"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        # Behind a proxy that changes the Host header, the browser's own word counts.
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://public.example"}, True),
    ],
)
async def test_changes_only_from_pages_of_this_site(headers: dict[str, str], allowed: bool):
    world = World(settings=SiteSettings(origins=("https://trusted.example/",)))
    async with world.client(world.supervisor) as client:
        change = await client.delete("/api/session", headers=headers)
        sign_in = await client.post("/api/session", json=RIGHT, headers=headers)
        reading = await client.get("/healthz", headers=headers)
    assert change.status_code == (204 if allowed else 403)
    assert sign_in.status_code == (200 if allowed else 403)
    assert reading.status_code == 200
    if not allowed:
        assert change.headers["content-type"] == "application/problem+json"
        assert change.headers["x-frame-options"] == "DENY"


async def test_programs_may_say_any_origin():
    async with (world := World()).client() as client:
        headers = {"Authorization": f"Bearer {world.token}", "Origin": "http://evil.example"}
        response = await client.patch("/api/calls/none", json={"note": ""}, headers=headers)
    assert response.status_code == 404


def test_who_may_see_a_call():
    world = World()
    olena, boss = world.accounts.people["olena"], world.accounts.people["boss"]
    nobodys, own, others = make_call(1), answered_by(make_call(2), "101"), answered_by(make_call(3), "102")
    assert [may_see(olena, call) for call in (nobodys, own, others)] == [True, True, False]
    assert all(may_see(boss, call) for call in (nobodys, own, others))


@pytest.mark.parametrize(
    "path",
    [
        "/api/calls",
        "/api/calls/main:1.1",
        "/api/calls/main:1.1/history",
        "/api/calls?format=csv",
        "/api/lookup?number=1",
        "/api/operators",
        "/api/events",
        "/api/session",
    ],
)
async def test_nobody_reads_anything_without_signing_in(path: str):
    async with World().client() as client:
        response = await client.get(path)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"


async def test_an_operator_sees_only_themselves_in_the_list():
    world = World()
    async with world.client(world.operator) as client:
        own = (await client.get("/api/operators")).json()
    async with world.client(world.supervisor) as client:
        everybody = (await client.get("/api/operators")).json()
    assert own == {"items": [OLENA], "total": 1, "total_exact": True, "next": None}
    assert [one["login"] for one in everybody["items"]] == ["boss", "olena"]


async def test_roles_have_an_order():
    from fastapi import Depends

    from webhooks.access import require

    world = World()
    world.accounts.add("root", Role.ADMINISTRATOR)

    @world.site.get("/only-supervisors", dependencies=[Depends(require(Role.SUPERVISOR))])
    async def only() -> str:
        return "yes"

    statuses = []
    for session in (world.operator, world.supervisor, "session-2-of-root"):
        async with world.client(session) as client:
            statuses.append((await client.get("/only-supervisors")).status_code)
    assert statuses == [403, 200, 200]
