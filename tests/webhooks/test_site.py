"""The rest of the site: lookup, health, metrics, docs, headers, errors, limits."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter

from fastagi.calls import Outcome, Status
from fastagi.errors import DirectoryUnavailable
from fastagi.interfaces import Health, LookupAnswer
from tests.webhooks.fakes import FakeEditor, FakeLookup
from tests.webhooks.world import World
from webhooks.hub import Hub
from webhooks.limits import BodyLimit
from webhooks.site import create_site

pytestmark = pytest.mark.anyio


async def test_a_lookup_says_who_and_why():
    async with (world := World()).client(world.operator) as client:
        found = (await client.get("/api/lookup", params={"number": "+79161234567"})).json()
        unknown = (await client.get("/api/lookup", params={"number": "12"})).json()
        missing = await client.get("/api/lookup")
        long = await client.get("/api/lookup", params={"number": "1" * 121})
    assert found["status"] == "MULTIPLE"
    assert found["caller"] == {"raw": "+79161234567", "e164": "+79161234567", "kind": "e164"}
    assert found["subscriber"]["name"] == "Иванов"
    assert [one["id"] for one in found["candidates"]] == ["1", "2"]
    assert found["match"] == {"rule": "e164", "directory": "own", "stale": False}
    assert found["steps"] == ["own: two people under this number"]
    assert (unknown["status"], unknown["subscriber"], unknown["candidates"]) == ("UNKNOWN", None, [])
    assert (unknown["lead"], unknown["match"]) == (None, None)
    for response in (missing, long):
        assert response.status_code == 422
        assert response.json()["detail"].startswith("number: ")


async def test_a_lookup_whose_directory_is_away(monkeypatch: pytest.MonkeyPatch):
    async def away(self: FakeLookup, raw: str) -> LookupAnswer:
        raise DirectoryUnavailable("billing", "it does not answer")

    monkeypatch.setattr(FakeLookup, "explain", away)
    async with (world := World()).client(world.operator) as client:
        response = await client.get("/api/lookup?number=1")
    assert response.status_code == 503
    assert "billing" in response.json()["detail"]


async def test_health_needs_no_sign_in_and_tells_the_truth():
    world = World()
    async with world.client() as client:
        well = await client.get("/healthz")
        world.parts["ami main"] = Health(ok=False, detail="connection refused")
        ill = await client.get("/healthz")
    assert (well.status_code, well.json()) == (
        200,
        {"ok": True, "parts": {"journal": {"ok": True, "detail": "up"}}},
    )
    assert (ill.status_code, ill.json()["ok"]) == (503, False)
    assert ill.json()["parts"]["ami main"] == {"ok": False, "detail": "connection refused"}


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.7", {}, 401),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 401),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 401),
        ("192.0.2.7", {"Authorization": "Bearer token-of-crm"}, 200),
        ("192.0.2.7", {"Authorization": "Bearer wrong"}, 401),
        ("a unix socket", {}, 401),
    ],
)
async def test_metrics_are_for_this_machine_and_for_tokens(peer: str, headers: dict[str, str], status: int):
    async with World().client(client=(peer, 1)) as client:
        response = await client.get("/metrics", headers=headers)
    assert response.status_code == status
    if status == 200:
        assert response.text == "whocalls_up 1\n"
        assert response.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("peer", "headers", "told"),
    [
        ("127.0.0.1", {}, True),
        ("192.0.2.7", {}, False),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, False),
        ("192.0.2.7", {"Authorization": "Bearer token-of-crm"}, True),
        ("192.0.2.7", {"Authorization": "Bearer wrong"}, False),
    ],
)
async def test_strangers_are_not_told_why_a_part_is_ill(peer: str, headers: dict[str, str], told: bool):
    world = World()
    world.parts["ami main"] = Health(ok=False, detail="10.0.0.5:5038 refused")
    async with world.client(client=(peer, 1)) as client:
        response = await client.get("/healthz", headers=headers)
    assert response.status_code == 503
    parts = response.json()["parts"]
    assert {name: part["ok"] for name, part in parts.items()} == {"journal": True, "ami main": False}
    assert ("10.0.0.5" in response.text) == told
    assert all(("detail" in part) == told for part in parts.values())


async def test_health_is_told_while_nobody_can_be_known():
    world = World()
    world.accounts.away = True
    world.parts["journal"] = Health(ok=False, detail="db.example is away")
    async with world.client(world.operator, client=("192.0.2.7", 1)) as client:
        response = await client.get("/healthz")
    assert response.json() == {"ok": False, "parts": {"journal": {"ok": False}}}


async def test_the_schema_says_who_may_ask_and_how_errors_look():
    async with World().client() as client:
        schema = (await client.get("/api/openapi.json")).json()
    schemes = schema["components"]["securitySchemes"]
    assert (schemes["session"]["in"], schemes["session"]["name"]) == ("cookie", "whocalls_session")
    assert (schemes["token"]["type"], schemes["token"]["scheme"]) == ("http", "bearer")
    assert not {"HTTPValidationError", "ValidationError"} & set(schema["components"]["schemas"])
    assert {"type", "title", "status", "detail", "errors"} == set(
        schema["components"]["schemas"]["ProblemModel"]["properties"]
    )
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemModel"}}}
    errors, open_to_all = {}, set()
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            found = {int(status) for status in operation["responses"] if status >= "400"}
            if name != "GET /healthz":
                assert all(operation["responses"][str(status)]["content"] == problem for status in found)
            errors[name] = found
            if "security" not in operation:
                open_to_all.add(name)
            else:
                assert operation["security"][:2] == [{"session": []}, {"token": []}]
    assert open_to_all == {"POST /api/session", "DELETE /api/session"}
    assert errors == {
        "POST /api/session": {401, 403, 413, 415, 422, 429, 503},
        "GET /api/session": {401, 503},
        "DELETE /api/session": {403, 503},
        "GET /api/calls": {401, 422, 503},
        "GET /api/calls/{id}": {401, 404, 422, 503},
        "PATCH /api/calls/{id}": {401, 403, 404, 422, 503},
        "GET /api/calls/{id}/history": {401, 404, 422, 503},
        "GET /api/lookup": {401, 422, 503},
        "GET /api/operators": {401, 503},
        "GET /api/events": {401, 422, 503},
        "GET /healthz": {503},
        "GET /metrics": {401, 503},
    }
    assert "HealthModel" in str(schema["paths"]["/healthz"]["get"]["responses"]["503"])


async def test_every_reference_in_the_schema_leads_somewhere():
    schema = World().site.openapi()
    names = set(re.findall(r"#/components/schemas/([A-Za-z_]+)", json.dumps(schema)))
    assert names <= set(schema["components"]["schemas"])
    assert "FieldError" in names


async def test_the_docs_list_the_values_that_are_allowed():
    async with World().client() as client:
        page = (await client.get("/api/docs")).text
    assert ", ".join(one.value for one in Status) in page
    assert ", ".join(one.value for one in Outcome) in page
    changes = ", ".join((Status.IN_PROCESSING, Status.PROCESSED, Status.NOT_PROCESSED))
    assert f"<code>status</code>: one of <code>{changes}</code>" in page
    assert "One of <code>json, csv</code>" in page


async def test_the_docs_have_no_script_and_name_every_route():
    async with World().client() as client:
        page = await client.get("/api/docs")
        css = await client.get("/api/docs.css")
        schema = (await client.get("/api/openapi.json")).json()
    assert page.status_code == css.status_code == 200
    assert "<script" not in page.text
    assert "style=" not in page.text
    for path in schema["paths"]:
        assert path in page.text
    assert {"/api/calls", "/api/calls/{id}", "/api/calls/{id}/history", "/api/session"} <= set(
        schema["paths"]
    )
    assert {"/api/lookup", "/api/operators", "/api/events", "/healthz", "/metrics"} <= set(schema["paths"])
    assert "PATCH /api/calls/{id}" in page.text
    assert "status, note" in page.text
    assert "Last-Event-ID" in page.text
    assert "4008" in page.text
    assert css.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/api/calls", "/api/docs"])
async def test_every_answer_has_the_security_headers(path: str):
    async with World().client() as client:
        headers = (await client.get(path)).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/nothing", 404),
        ("PUT", "/api/calls", 405),
        ("DELETE", "/api/calls/main:1.1", 405),
        ("POST", "/api/lookup", 405),
    ],
)
async def test_errors_of_the_framework_are_problem_documents(method: str, path: str, status: int):
    async with (world := World()).client(world.supervisor) as client:
        response = await client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert (document["type"], document["status"]) == ("about:blank", status)
    assert document["title"]
    assert document["detail"]


async def test_a_mistake_of_ours_is_a_problem_document_that_tells_nothing():
    world = World()

    async def broken(login: str, password: str) -> str | None:
        raise RuntimeError("the secret is 42")

    world.accounts.sign_in = broken
    async with world.client(raise_app_exceptions=False) as client:
        response = await client.post("/api/session", json={"login": "a", "password": "b"})
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "42" not in response.text


async def test_a_wrong_value_is_not_repeated_in_the_answer():
    async with (world := World()).client(world.supervisor) as client:
        evil = "<script>alert(1)</script>"
        response = await client.get("/api/calls", params={"status": evil, "\x1b[31mname" + "x" * 200: "1"})
    assert response.status_code == 422
    assert "alert" not in response.text
    assert "\x1b" not in response.json()["detail"]
    assert "x" * 70 not in response.json()["detail"]


async def test_a_body_without_a_length_is_limited_too():
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 1000

    async with (world := World()).client(world.supervisor) as client:
        headers = {"Content-Type": "application/json"}
        session = await client.post("/api/session", content=endless(), headers=headers)
        patch = await client.patch("/api/calls/main:1.1", content=endless(), headers=headers)
    for response in (session, patch):
        assert response.status_code == 413
        assert response.headers["content-type"] == "application/problem+json"


async def test_a_length_that_is_none():
    async with World().client() as client:
        response = await client.post("/api/session", headers={"Content-Length": "9" * 50})
        odd = await client.post("/api/session", headers={"Content-Length": "-1"})
    assert (response.status_code, odd.status_code) == (413, 413)


async def test_a_body_that_does_not_come_is_given_up():
    world = World()

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    transport = httpx.ASGITransport(BodyLimit(world.site, patience=0.02), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://calls.example") as client:
        headers = {"Content-Type": "application/json"}
        response = await client.post("/api/session", content=never(), headers=headers)
    assert response.status_code == 408


async def test_answers_are_compressed():
    async with (world := World()).client(world.supervisor) as client:
        response = await client.get("/api/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert response.json()["info"]["title"] == "whocalls"


async def test_the_console_is_plugged_in():
    pages = APIRouter()

    @pages.get("/")
    async def page() -> str:
        return "a page"

    world = World()
    site = create_site(
        journal=world.journal,
        accounts=world.accounts,
        editor=FakeEditor(world.journal, world.bus),
        lookup=FakeLookup(),
        hub=Hub(),
        health=dict,
        metrics=bytes,
        console_router=pages,
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(site), base_url="http://calls.example"
    ) as client:
        response = await client.get("/")
    assert response.json() == "a page"
    assert "content-security-policy" in response.headers
