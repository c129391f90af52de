"""Calls as CSV."""

import csv
import io
from dataclasses import replace
from datetime import timedelta

import pytest

from fastagi.calls import Caller, EventType, Operator, Subscriber
from fastagi.errors import JournalUnavailable
from fastagi.interfaces import CallPage, CallQuery
from tests.webhooks.fakes import NOON, answered_by, make_call
from tests.webhooks.world import World
from webhooks.api.export import COLUMNS, csv_row, guarded

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_what_looks_like_a_formula_gets_an_apostrophe(start: str):
    assert guarded(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("cell", ["", "Иванов", "1=1", " =1", "8 (916) 123"])
def test_other_cells_stay(cell: str):
    assert guarded(cell) == cell


def test_the_cells_of_a_call():
    call = make_call(
        1,
        caller=Caller(raw="8916", e164="+79161234567", name='=HYPERLINK("http://evil")'),
        subscriber=Subscriber(id="7", name="Иванов", deposit="-12.50"),
        operator=Operator(sip_phone="101", login="olena", name="Olena"),
        answered_at=NOON + timedelta(seconds=4),
        talk_seconds=12,
    )
    row = dict(zip(COLUMNS, csv_row(call), strict=True))
    assert row["caller_number"] == "'+79161234567"
    assert row["caller_name"] == '\'=HYPERLINK("http://evil")'
    assert row["subscriber_deposit"] == "'-12.50"
    assert row["answered_at"] == "2026-11-23T12:00:04Z"
    assert (row["ended_at"], row["talk_seconds"], row["operator_login"]) == ("", "12", "olena")


def test_a_number_that_is_none_comes_as_the_trunk_gave_it():
    row = dict(zip(COLUMNS, csv_row(make_call(1, caller=Caller(raw="anonymous"))), strict=True))
    assert row["caller_number"] == "anonymous"
    assert row["subscriber_id"] == ""


def many(count: int) -> World:
    world = World()
    for number in range(count):
        call = make_call(number, caller=Caller(raw="8", name=f'"Name", {number}\r\n=x'))
        world.journal.write(EventType.STARTED, call if number % 2 else answered_by(call, "102"))
    return world


def read(body: bytes) -> list[dict[str, str]]:
    text = body.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    ("parameters", "headers"),
    [({"format": "csv"}, {}), ({}, {"Accept": "text/csv"}), ({}, {"Accept": "text/csv; q=1, */*;q=0.1"})],
)
async def test_all_pages_of_the_query(parameters: dict[str, str], headers: dict[str, str]):
    async with (world := many(450)).client(world.supervisor) as client:
        response = await client.get("/api/calls", params={**parameters, "limit": 3}, headers=headers)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="calls.csv"'
    assert response.content.startswith(b"\xef\xbb\xbfid,pbx,")
    rows = read(response.content)
    assert [row["id"] for row in rows] == [f"main:{number}.1" for number in reversed(range(450))]
    assert rows[0]["caller_name"] == '"Name", 449\r\n=x'


async def test_an_operator_exports_what_they_may_see():
    async with (world := many(10)).client(world.operator) as client:
        rows = read((await client.get("/api/calls", params={"format": "csv"})).content)
    assert [row["id"] for row in rows] == [f"main:{number}.1" for number in (9, 7, 5, 3, 1)]


async def test_json_is_what_browsers_get():
    async with (world := many(1)).client(world.supervisor) as client:
        for accept in ("*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json"):
            response = await client.get("/api/calls", headers={"Accept": accept})
            assert response.headers["content-type"] == "application/json"
        both = await client.get("/api/calls?format=json", headers={"Accept": "text/csv"})
        assert both.headers["content-type"] == "application/json"


async def test_no_rows_is_a_head():
    async with (world := World()).client(world.supervisor) as client:
        assert read((await client.get("/api/calls?format=csv")).content) == []


async def test_an_export_that_breaks_off_does_not_pass_for_a_whole_one():
    world = many(450)
    whole = world.journal.calls

    async def breaking(query: CallQuery) -> CallPage:
        if query.cursor is not None:
            raise JournalUnavailable("gone in the middle")
        return await whole(replace(query))

    world.journal.calls = breaking
    async with world.client(world.supervisor) as client:
        with pytest.raises(RuntimeError, match="response already started"):
            await client.get("/api/calls", params={"format": "csv"})
