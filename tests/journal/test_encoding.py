"""Changes as lines: exact there and back, and a clear word about every line that is no change."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastagi.calls import (
    Caller,
    Direction,
    EventType,
    Lead,
    LookupStatus,
    Match,
    Outcome,
    Status,
    Subscriber,
)
from fastagi.changes import Edited, LookedUp, Observed
from fastagi.errors import BadInput
from fastagi.journal.encoding import decode_change, encode_change
from fastagi.journal.rows import fitted
from tests.journal.samples import edited, ended, looked_up, observed

texts = st.text(max_size=40)
maybe = st.none() | texts
times = st.datetimes(
    min_value=datetime(1971, 1, 1),
    max_value=datetime(2200, 1, 1),
    timezones=st.just(UTC) | st.integers(-840, 840).map(lambda m: timezone(timedelta(minutes=m))),
)
whens = st.none() | times
callers = st.builds(Caller, raw=texts, e164=maybe, name=maybe)
subscribers = st.builds(
    Subscriber, id=texts, name=texts, login=maybe, deposit=maybe, operator=maybe, url=maybe
)
leads = st.builds(Lead, id=texts, name=texts, phone=maybe)
matches = st.builds(Match, rule=texts, directory=texts, stale=st.booleans())
numbers = st.none() | st.integers(-(2**40), 2**40)
common = {"id": texts, "pbx": texts, "at": times}
changes = st.one_of(
    st.builds(
        LookedUp,
        **common,
        lookup=st.sampled_from(LookupStatus),
        caller=callers,
        called=maybe,
        direction=st.sampled_from(Direction),
        subscriber=st.none() | subscribers,
        candidates=st.lists(subscribers, max_size=3).map(tuple),
        lead=st.none() | leads,
        match=st.none() | matches,
    ),
    st.builds(
        Observed,
        **common,
        type=st.sampled_from(EventType),
        direction=st.sampled_from(Direction),
        status=st.sampled_from(Status),
        outcome=st.none() | st.sampled_from(Outcome),
        caller=callers,
        queue=maybe,
        waiting_seconds=numbers,
        ringing=st.lists(texts, max_size=4).map(tuple),
        operator=maybe,
        started_at=times,
        answered_at=whens,
        ended_at=whens,
        hangup_cause=numbers,
        merged_into=maybe,
    ),
    st.builds(Edited, **common, by=texts, status=st.none() | st.sampled_from(Status), note=maybe),
)


@settings(deadline=None)  # the machine is shared
@given(changes)
def test_a_change_comes_back_as_the_journal_would_keep_it(change):
    line = encode_change(change)
    assert b"\n" not in line and b"\r" not in line
    assert decode_change(line) == fitted(change)


@settings(deadline=None)  # the machine is shared
@given(changes)
def test_fitting_twice_is_fitting_once(change):
    assert fitted(fitted(change)) == fitted(change)


@pytest.mark.parametrize("change", [looked_up(), observed(), ended(), edited(status=Status.PROCESSED)])
def test_what_fits_is_not_touched(change):
    assert fitted(change) is change
    assert decode_change(encode_change(change)) == change


def test_times_keep_their_microseconds():
    at = datetime(2026, 11, 23, 8, 36, 53, 123_457, tzinfo=UTC)
    assert decode_change(encode_change(observed(at=at))).at == at


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"null",
        b"not json",
        b'{"observed":',
        b'{"observed":{}}',
        b'{"observed":[]}',
        b'{"deleted":{"id":"x"}}',
        encode_change(observed())[:-3],
        encode_change(observed())[7:],
        encode_change(observed()).replace(b'"ringing"', b'"ringing", "x"', 1),
        encode_change(observed()).replace(b"2026-", b"20x6-", 1),
        encode_change(looked_up()).replace("Иванов".encode(), b"\xff\xfe", 1),
        encode_change(observed()) * 2,
        b"\0" * 100,
    ],
)
def test_a_line_that_is_no_change_is_bad_input(line):
    with pytest.raises(BadInput, match="change"):
        decode_change(line)


def test_keys_of_a_newer_version_are_left_out_and_missing_ones_have_their_default():
    line = encode_change(edited()).replace(b'"by"', b'"mood":"good","by"').replace(b',"note":null', b"")
    assert b"mood" in line and b"note" not in line
    assert decode_change(line) == edited()
