"""What a change does to a row, where it is not plain: rows that are settled, and rows that were merged."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fastagi.calls import Call, Caller, Direction, EventType, Operator, Outcome, Status
from fastagi.changes import Observed, apply

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SEEN = Observed(
    id="main:1.1",
    pbx="main",
    at=NOW,
    type=EventType.ENDED,
    direction=Direction.INCOMING,
    status=Status.PROCESSED,
    started_at=NOW,
    caller=Caller(raw="7916"),
    outcome=Outcome.ANSWERED,
    operator="101",
    answered_at=NOW,
    ended_at=NOW + timedelta(seconds=5),
)
UNSEEN = replace(SEEN, outcome=Outcome.NOT_OBSERVED, ended_at=None)
LIVE = replace(SEEN, type=EventType.UPDATED, status=Status.IN_PROCESSING, outcome=None, ended_at=None)


def written(*changes: Observed) -> tuple[Call, list[EventType]]:
    row, kinds = None, []
    for change in changes:
        if (applied := apply(row, change, lambda phone: Operator(sip_phone=phone))) is not None:
            row, kind = applied
            kinds.append(kind)
    assert row is not None
    return row, kinds


def test_an_end_that_was_seen_is_not_undone_by_one_that_was_not() -> None:
    row, kinds = written(LIVE, SEEN, UNSEEN)
    assert (row.outcome, row.ended_at, row.version) == (Outcome.ANSWERED, SEEN.ended_at, 2)
    assert kinds == [EventType.STARTED, EventType.ENDED]


def test_an_end_that_nobody_saw_gives_way_to_one_that_was_seen() -> None:
    row, _ = written(LIVE, UNSEEN, SEEN)
    assert (row.outcome, row.ended_at) == (Outcome.ANSWERED, SEEN.ended_at)


def test_a_call_settled_too_soon_goes_on() -> None:
    row, _ = written(LIVE, UNSEEN, replace(LIVE, ringing=("102",)))
    assert (row.outcome, row.status, row.ringing) == (None, Status.IN_PROCESSING, ("102",))


def test_an_outage_of_asterisk_is_an_end_that_was_seen() -> None:
    stopped = replace(UNSEEN, ended_at=NOW + timedelta(seconds=3))
    assert written(LIVE, stopped)[0].outcome is Outcome.NOT_OBSERVED


@pytest.mark.parametrize("later", [LIVE, SEEN, UNSEEN])
def test_a_merged_row_stays_merged(later: Observed) -> None:
    merged = replace(SEEN, type=EventType.MERGED, merged_into="main:2.2")
    row, kinds = written(LIVE, merged, later)
    assert (row.merged_into, row.version) == ("main:2.2", 2)
    assert kinds == [EventType.STARTED, EventType.MERGED]
