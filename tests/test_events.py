"""The bus contract, to the letter: an event as JSON and back, and a clear word about what is none."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastagi.calls import (
    Call,
    Caller,
    Direction,
    EventType,
    Lead,
    LookupStatus,
    Match,
    Operator,
    Outcome,
    Status,
    Subscriber,
)
from fastagi.errors import BadInput
from fastagi.events import CHANNEL, Event, call_model, decode, encode

# The example of DESIGN.md section 6.
DOCUMENT = {
    "id": "main:1795423013.178",
    "version": 5,
    "pbx": "main",
    "direction": "incoming",
    "status": "processed",
    "outcome": "answered",
    "caller": {"raw": "8 (916) 123-45-67", "e164": "+79161234567", "name": "Иванов Иван"},
    "called": "+74951230001",
    "called_name": "Support",
    "queue": "support",
    "waiting_seconds": 7,
    "subscriber": {
        "id": "4711",
        "login": "ivanov",
        "name": "Иванов Иван",
        "company": None,
        "deposit": "-12.50",
        "currency": "RUB",
        "address": "Москва, Садовая 1, кв. 2",
        "tariff": "Home 100",
        "service": "Internet",
        "service_status": "enabled",
        "language": "ru",
        "url": "https://billing.example/?uid=4711",
    },
    "candidates": [],
    "lead": None,
    "match": {"rule": "e164", "directory": "own", "stale": False},
    "ringing": [],
    "operator": {"sip_phone": "102", "login": "olena", "name": "Operator 102"},
    "started_at": "2026-11-23T08:36:53.120Z",
    "answered_at": "2026-11-23T08:37:00.310Z",
    "ended_at": "2026-11-23T08:39:12.004Z",
    "talk_seconds": 132,
    "hangup_cause": 16,
    "note": "",
    "edited_by": None,
    "merged_into": None,
    "recording": None,
}
SUBSCRIBER = Subscriber(
    id="4711",
    login="ivanov",
    name="Иванов Иван",
    deposit="-12.50",
    currency="RUB",
    address="Москва, Садовая 1, кв. 2",
    tariff="Home 100",
    service="Internet",
    service_status="enabled",
    language="ru",
    url="https://billing.example/?uid=4711",
)
CALL = Call(
    id="main:1795423013.178",
    version=5,
    pbx="main",
    direction=Direction.INCOMING,
    status=Status.PROCESSED,
    outcome=Outcome.ANSWERED,
    caller=Caller(raw="8 (916) 123-45-67", e164="+79161234567", name="Иванов Иван"),
    called="+74951230001",
    called_name="Support",
    queue="support",
    waiting_seconds=7,
    subscriber=SUBSCRIBER,
    match=Match(rule="e164", directory="own"),
    operator=Operator(sip_phone="102", login="olena", name="Operator 102"),
    started_at=datetime(2026, 11, 23, 8, 36, 53, 120_000, tzinfo=UTC),
    answered_at=datetime(2026, 11, 23, 8, 37, 0, 310_000, tzinfo=UTC),
    ended_at=datetime(2026, 11, 23, 8, 39, 12, 4_000, tzinfo=UTC),
    talk_seconds=132,
    hangup_cause=16,
)
EVENT = Event(
    seq=1042, type=EventType.ANSWERED, at=datetime(2026, 11, 23, 8, 37, 0, 310_000, tzinfo=UTC), call=CALL
)


def test_an_event_is_the_document_of_the_plan_to_the_letter():
    assert json.loads(encode(EVENT)) == {
        "v": 1,
        "seq": 1042,
        "type": "call.answered",
        "at": "2026-11-23T08:37:00.310Z",
        "call": DOCUMENT,
    }


def test_the_keys_of_the_call_are_those_of_the_plan():
    assert set(json.loads(encode(EVENT))["call"]) == set(DOCUMENT)
    assert json.loads(call_model(CALL).model_dump_json()) == DOCUMENT


def test_an_event_is_one_line_of_utf_8_with_its_letters_as_they_are():
    assert b"\n" not in encode(EVENT)
    assert "Иванов Иван" in encode(EVENT).decode("utf-8")


def test_an_event_comes_back_as_it_was():
    assert decode(encode(EVENT)) == EVENT


def test_while_the_database_is_away_seq_is_null():
    without = Event(seq=None, type=EventType.UPDATED, at=EVENT.at, call=CALL)
    assert json.loads(encode(without))["seq"] is None
    assert decode(encode(without)) == without


def test_what_is_the_journals_own_stays_out_of_events():
    inner = CALL.with_(
        lookup=LookupStatus.FOUND, status_by="olena", subscriber=Subscriber(id="1", name="x", operator="102")
    )
    document = json.loads(encode(Event(seq=1, type=EventType.UPDATED, at=EVENT.at, call=inner)))["call"]
    assert not {"lookup", "status_by"} & set(document)
    assert "operator" not in document["subscriber"]


def test_times_are_milliseconds_of_utc():
    kiev = timezone(timedelta(hours=2))
    at = datetime(2026, 11, 23, 10, 37, 0, 310_999, tzinfo=kiev)
    document = json.loads(encode(Event(seq=1, type=EventType.UPDATED, at=at, call=CALL)))
    assert document["at"] == "2026-11-23T08:37:00.310Z"


@pytest.mark.parametrize("kind", EventType)
def test_every_type_has_its_name(kind):
    names = {"started", "ringing", "answered", "transferred", "merged", "ended", "updated"}
    event = Event(seq=1, type=kind, at=EVENT.at, call=CALL)
    assert json.loads(encode(event))["type"].removeprefix("call.") in names
    assert decode(encode(event)).type is kind


def test_the_channel_is_the_one_of_the_plan():
    assert CHANNEL == "whocalls:events"


def test_keys_that_are_not_known_are_ignored():
    document = json.loads(encode(EVENT))
    document["new"] = document["call"]["newer"] = document["call"]["caller"]["newest"] = {"x": [1]}
    assert decode(json.dumps(document).encode()) == EVENT


def _without(*path):
    document = json.loads(encode(EVENT))
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return json.dumps(document).encode()


def _with(value, *path):
    document = json.loads(encode(EVENT))
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"", "event"),
        (b"null", "event"),
        (b"[]", "event"),
        (b"\xff\xfe", "event"),
        (encode(EVENT)[:-1], "event"),
        (_with(2, "v"), "v"),
        (_without("v"), "v"),
        (_without("seq"), "seq"),
        (_with("x", "seq"), "seq"),
        (_with("call.exploded", "type"), "type"),
        (_with("yesterday", "at"), "at"),
        (_without("call"), "call"),
        (_with("unknown", "call", "status"), r"call\.status"),
        (_with(None, "call", "caller"), r"call\.caller"),
        (_without("call", "caller", "raw"), r"call\.caller\.raw"),
        (_with([{}], "call", "candidates"), r"call\.candidates\.0\.id"),
    ],
)
def test_what_is_no_event_is_bad_input_that_names_the_place(data, where):
    with pytest.raises(BadInput, match=f"event(: {where})?:"):
        decode(data)


texts = st.text(max_size=30)
maybe = st.none() | texts
times = st.datetimes(
    min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)
).map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000))
subscribers = st.builds(
    Subscriber,
    id=texts,
    name=texts,
    **dict.fromkeys(("login", "company", "deposit", "address", "url"), maybe),
)
calls = st.builds(
    Call,
    id=texts,
    pbx=texts,
    version=st.integers(0, 2**31),
    direction=st.sampled_from(Direction),
    status=st.sampled_from(Status),
    outcome=st.none() | st.sampled_from(Outcome),
    caller=st.builds(Caller, raw=texts, e164=maybe, name=maybe),
    subscriber=st.none() | subscribers,
    candidates=st.lists(subscribers, max_size=3).map(tuple),
    lead=st.none() | st.builds(Lead, id=texts, name=texts, phone=maybe),
    match=st.none() | st.builds(Match, rule=texts, directory=texts, stale=st.booleans()),
    ringing=st.lists(texts, max_size=3).map(tuple),
    operator=st.none() | st.builds(Operator, sip_phone=texts, login=maybe, name=maybe),
    started_at=times,
    answered_at=st.none() | times,
    ended_at=st.none() | times,
    note=texts,
    merged_into=maybe,
)


@settings(deadline=None)  # the machine is shared
@given(
    st.builds(
        Event, seq=st.none() | st.integers(1, 2**62), type=st.sampled_from(EventType), at=times, call=calls
    )
)
def test_every_event_comes_back_as_it_was(event):
    assert decode(encode(event)) == event
    assert encode(decode(encode(event))) == encode(event)


@settings(deadline=None)  # the machine is shared
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_rubbish_is_bad_input_and_nothing_else(data):
    with pytest.raises(BadInput):
        decode(data)
