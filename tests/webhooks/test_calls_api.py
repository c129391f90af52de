"""/api/calls: filters, pages, one call, edits, history, and what an operator may see of them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fastagi.calls import Caller, EventType, Outcome, Status, Subscriber
from fastagi.events import CallModel
from fastagi.interfaces import Account, Role
from fastagi.numbers import Numbers
from tests.webhooks.fakes import NOON, FakeEditor, answered_by, make_call
from tests.webhooks.world import World
from webhooks.api.calls import CallFilter
from webhooks.site import SiteSettings

pytestmark = pytest.mark.anyio


def filled() -> World:
    """Ten calls: 0-3 nobody's, 4-6 answered on 101 (olena), 7-9 on 102 (petro)."""
    world = World()
    for number in range(10):
        call = make_call(number, caller=Caller(raw="8916", e164=f"+791600000{number:02}"))
        if number >= 4:
            call = answered_by(call, "101" if number < 7 else "102", "olena" if number < 7 else "petro")
        world.journal.write(EventType.STARTED, call)
    return world


def numbers(page: dict) -> list[int]:
    return [int(item["id"].split(":")[1].split(".")[0]) for item in page["items"]]


async def test_the_whole_call_in_a_list():
    world = World()
    person = Subscriber(id="7", name="Иванов", deposit="-12.50")
    call = make_call(1, subscriber=person, caller=Caller(raw="8", e164="+7"), note="so")
    world.journal.write(EventType.STARTED, call)
    async with world.client(world.supervisor) as client:
        page = (await client.get("/api/calls")).json()
        one = (await client.get("/api/calls/main:1.1")).json()
    assert page == {"items": [one], "total": 1, "total_exact": True, "next": None}
    assert one == CallModel.model_validate(call).model_dump(mode="json")
    assert one["subscriber"]["name"] == "Иванов"


async def test_a_supervisor_sees_all_newest_first():
    async with (world := filled()).client(world.supervisor) as client:
        assert numbers((await client.get("/api/calls")).json()) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]


async def test_an_operator_sees_theirs_and_nobodys():
    async with (world := filled()).client(world.operator) as client:
        assert numbers((await client.get("/api/calls")).json()) == [6, 5, 4, 3, 2, 1, 0]
        assert numbers((await client.get("/api/calls", params={"operator": "petro"})).json()) == []


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"status": "in_processing"}, [9, 8, 7, 6, 5, 4]),
        ({"outcome": "busy"}, []),
        ({"operator": "olena"}, [6, 5, 4]),
        ({"operator": "102"}, [9, 8, 7]),
        ({"number": "0003"}, [3]),
        ({"id": "main:5.1"}, [5]),
        ({"from": "2026-11-23T12:00:08Z"}, [9, 8]),
        ({"from": "2026-11-23T15:00:08+03:00"}, [9, 8]),
        ({"to": "2026-11-23T12:00:02Z"}, [1, 0]),
        ({"recognised": "true"}, []),
        ({"recognised": "false", "to": "2026-11-23T12:00:01Z"}, [0]),
    ],
)
async def test_filters(parameters: dict[str, str], expected: list[int]):
    async with (world := filled()).client(world.supervisor) as client:
        response = await client.get("/api/calls", params=parameters)
    assert response.status_code == 200
    assert numbers(response.json()) == expected


async def test_pages():
    seen, cursor = [], None
    async with (world := filled()).client(world.supervisor) as client:
        while True:
            parameters = {"limit": 4, **({"cursor": cursor} if cursor else {})}
            page = (await client.get("/api/calls", params=parameters)).json()
            seen.append(numbers(page))
            if (cursor := page["next"]) is None:
                break
    assert seen == [[9, 8, 7, 6], [5, 4, 3, 2], [1, 0]]
    assert (page["total"], page["total_exact"]) == (10, True)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"status": "answered"}, "status"),
        ({"outcome": "x"}, "outcome"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"from": "2026-11-23T12:00:00"}, "from"),
        ({"to": "yesterday"}, "to"),
        ({"recognised": "perhaps"}, "recognised"),
        ({"number": "1" * 65}, "number"),
        ({"cursor": "none-of-ours"}, "cursor"),
        ({"format": "xml"}, "format"),
        ({"statsu": "ringing"}, "statsu"),
    ],
)
async def test_a_wrong_filter_is_named(parameters: dict[str, str], field: str):
    async with (world := filled()).client(world.supervisor) as client:
        response = await client.get("/api/calls", params=parameters)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"].startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("parameters", "detail"),
    [
        (
            {"from": "2026-11-23T00:00:00 03:00"},
            "from: has a space where its zone begins; in an address write + as %2B",
        ),
        (
            {"to": "2026-11-23T00:00 0300"},
            "to: has a space where its zone begins; in an address write + as %2B",
        ),
        ({"number": ""}, "number: is empty; give a value or leave it out"),
        ({"from": ""}, "from: is empty; give a value or leave it out"),
        ({"status": ""}, "status: is empty; give a value or leave it out"),
    ],
)
async def test_what_is_easily_got_wrong_is_told_how_to_write(parameters: dict[str, str], detail: str):
    async with (world := filled()).client(world.supervisor) as client:
        response = await client.get("/api/calls", params=parameters)
    assert (response.status_code, response.json()["detail"]) == (422, detail)


@pytest.mark.parametrize("time", ["2026-11-23T15:00:05%2B03:00", "2026-11-23 12:00:05Z", "1795435205"])
async def test_times_with_a_zone_in_an_address(time: str):
    async with (world := filled()).client(world.supervisor) as client:
        page = (await client.get(f"/api/calls?from={time}")).json()
    assert numbers(page) == [9, 8, 7, 6, 5]


@pytest.mark.parametrize(
    ("number", "searched"),
    [
        ("89035550199", "+79035550199"),
        (" 8 (903) 555-01-99 ", "+79035550199"),
        ("+79035550199", "+79035550199"),
        ("9035550199", "9035550199"),
        ("903 555-01-99", "903 555-01-99"),
        ("0199", "0199"),
        ("101", "101"),
        ("8", "8"),
        ("anonymous", "anonymous"),
    ],
)
def test_a_number_is_searched_for_as_people_write_it(number: str, searched: str):
    account = Account(login="boss", name="", role=Role.SUPERVISOR)
    chosen = CallFilter(number=number)
    assert chosen.query(account, Numbers("RU", r"^\d{2,4}$")).number == searched
    assert chosen.query(account, None).number == number.strip()


async def test_the_list_reads_numbers_as_it_is_told():
    world = World(settings=SiteSettings(numbers=Numbers("RU", r"^\d{2,4}$")))
    world.journal.write(EventType.STARTED, make_call(1, caller=Caller(raw="8903", e164="+79035550199")))
    async with world.client(world.supervisor) as client:
        assert numbers((await client.get("/api/calls?number=89035550199")).json()) == [1]
        assert numbers((await client.get("/api/calls?number=89035550198")).json()) == []


async def test_a_call_of_another_operator_does_not_exist():
    world = filled()
    ringing_at_ours = replace(answered_by(make_call(20), "102"), ringing=("101",))
    world.journal.write(EventType.RINGING, ringing_at_ours)
    async with world.client(world.operator) as client:
        statuses = {
            id: (await client.get(f"/api/calls/{id}")).status_code
            for id in ("main:0.1", "main:5.1", "main:8.1", "main:20.1", "main:99.1", "x" * 200)
        }
        history = await client.get("/api/calls/main:8.1/history")
        patch = await client.patch("/api/calls/main:8.1", json={"note": "mine now"})
    assert list(statuses.values()) == [200, 200, 404, 200, 404, 404]
    assert (history.status_code, patch.status_code) == (404, 404)
    assert world.journal.rows["main:8.1"].note == ""


async def test_changing_status_and_note():
    async with (world := filled()).client(world.operator) as client:
        first = await client.patch("/api/calls/main:5.1", json={"status": "processed"})
        second = await client.patch("/api/calls/main:5.1", json={"note": "calls back\ntomorrow"})
        history = (await client.get("/api/calls/main:5.1/history")).json()
    assert first.status_code == 200
    assert (first.json()["status"], first.json()["edited_by"]) == ("processed", "olena")
    assert (second.json()["status"], second.json()["note"]) == ("processed", "calls back\ntomorrow")
    assert history["items"] == [
        {"at": "2026-11-23T12:00:00.000Z", "by": "olena", "before": "in_processing", "after": "processed"}
    ]
    assert (history["total"], history["total_exact"], history["next"]) == (1, True, None)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({}, "status or note"),
        ({"status": "ringing"}, "status: "),
        ({"status": "done"}, "status: "),
        ({"note": "x" * 4001}, "note: "),
        ({"note": "a\x00b"}, "note: "),
        ({"note": "a\x1bb"}, "note: "),
        ({"note": "a\x85b"}, "note: "),
        ({"status": "ringing"}, "status: should be 'in_processing', 'processed' or 'not_processed'"),
        ({"note": 7}, "note: "),
        ({"subscriber": "4711"}, "subscriber: "),
        (["status"], "body: "),
    ],
)
async def test_a_wrong_change_is_named(change: object, named: str):
    async with (world := filled()).client(world.supervisor) as client:
        response = await client.patch("/api/calls/main:5.1", json=change)
    assert response.status_code == 422
    assert named in response.json()["detail"]
    assert world.journal.rows["main:5.1"].version == 2


@pytest.mark.parametrize(
    "note", ["5\u00a0000 ₽", "\U0001f469\u200d\U0001f4bb", "a\tb\r\nc", "\u202b\u05d0", "\u2028"]
)
async def test_a_note_may_have_every_sign_that_is_text(note: str):
    async with (world := filled()).client(world.supervisor) as client:
        response = await client.patch("/api/calls/main:5.1", json={"note": note})
    assert (response.status_code, response.json()["note"]) == (200, note)


async def test_a_half_surrogate_is_no_text():
    async with (world := filled()).client(world.supervisor) as client:
        headers = {"Content-Type": "application/json"}
        content = b'{"note": "\\ud83d"}'
        response = await client.patch("/api/calls/main:5.1", content=content, headers=headers)
    assert response.status_code == 422
    assert response.json()["detail"].startswith("note: ")


async def test_a_call_that_is_gone_when_it_is_changed(monkeypatch: pytest.MonkeyPatch):
    async def nobody(self: FakeEditor, id: str, **change: object) -> None:
        return None

    monkeypatch.setattr(FakeEditor, "edit", nobody)
    async with (world := filled()).client(world.supervisor) as client:
        assert (await client.patch("/api/calls/main:5.1", json={"note": "x"})).status_code == 404


async def test_a_body_that_is_no_json():
    async with (world := filled()).client(world.supervisor) as client:
        headers = {"Content-Type": "application/json"}
        response = await client.patch("/api/calls/main:5.1", content=b'{"note": ', headers=headers)
        form = await client.patch("/api/calls/main:5.1", data={"note": "x"})
    assert (response.status_code, response.json()["detail"]) == (422, "body: is not valid JSON")
    assert form.status_code == 422


async def test_without_the_database():
    world = filled()
    world.journal.away = True
    async with world.client(world.supervisor) as client:
        for path in ("/api/calls", "/api/calls?format=csv", "/api/calls/main:5.1"):
            response = await client.get(path)
            assert response.status_code == 503
            assert response.headers["retry-after"] == "5"
            assert response.json()["detail"] == "the database is away"


async def test_values_of_a_caller_come_back_as_they_are():
    world = World()
    nasty = '"><script>\u202e=1+1\x7f'
    world.journal.write(EventType.STARTED, make_call(1, caller=Caller(raw=nasty, name=nasty)))
    async with world.client(world.supervisor) as client:
        response = await client.get("/api/calls")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.json()["items"][0]["caller"] == {"raw": nasty, "e164": None, "name": nasty}


async def test_the_lookup_of_outcomes_and_times():
    world = World()
    ended = make_call(
        1, outcome=Outcome.ANSWERED, status=Status.PROCESSED, ended_at=NOON + timedelta(minutes=5)
    )
    world.journal.write(EventType.ENDED, ended)
    async with world.client(world.supervisor) as client:
        found = (await client.get("/api/calls", params={"outcome": "answered"})).json()
    assert found["items"][0]["ended_at"] == "2026-11-23T12:05:00.000Z"
