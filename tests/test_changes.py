"""What each change does to a row: who owns which field, what is settled, what was merged."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

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
from fastagi.changes import Change, Edited, LookedUp, Observed, apply

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

IVANOV = Subscriber(id="4711", name="Иванов Иван", deposit="-12.50")
FOUND = LookedUp(
    id="main:1.1",
    pbx="main",
    at=NOW - timedelta(seconds=1),
    lookup=LookupStatus.FOUND,
    caller=Caller(raw="7916", e164="+7916", name="Иванов Иван"),
    called="+74951230001",
    called_name="Support",
    subscriber=IVANOV,
    candidates=(IVANOV,),
    match=Match(rule="e164", directory="own"),
)
NOTE = Edited(id="main:1.1", pbx="main", at=NOW + timedelta(minutes=1), by="olena", note="call back")


def written(*changes: Change) -> tuple[Call, list[EventType]]:
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


# -- who owns which field ---------------------------------------------------------------------------------


def test_whoever_comes_first_starts_the_call_and_the_other_updates_it() -> None:
    assert written(FOUND, LIVE)[1] == [EventType.STARTED, EventType.UPDATED]
    assert written(LIVE, FOUND)[1] == [EventType.STARTED, EventType.UPDATED]
    ringing = replace(LIVE, type=EventType.RINGING)
    assert written(FOUND, ringing)[1] == [EventType.STARTED, EventType.RINGING]
    assert written(ringing)[1] == [EventType.STARTED]
    started = replace(LIVE, type=EventType.STARTED)
    assert written(FOUND, started)[1] == [EventType.STARTED, EventType.UPDATED]


@pytest.mark.parametrize("order", [(FOUND, LIVE), (LIVE, FOUND)], ids=["AGI first", "AMI first"])
def test_both_orders_come_to_the_same_row(order: tuple[Change, ...]) -> None:
    row, _ = written(*order)
    assert (row.caller, row.subscriber, row.lookup) == (FOUND.caller, IVANOV, LookupStatus.FOUND)
    assert (row.status, row.operator) == (Status.IN_PROCESSING, Operator(sip_phone="101"))
    assert row.version == 2


def test_a_lookup_opens_a_row_with_what_it_knows() -> None:
    row, _ = written(FOUND)
    assert (row.called, row.called_name, row.started_at) == (FOUND.called, "Support", FOUND.at)
    assert (row.status, row.direction, row.outcome) == (Status.RINGING, Direction.INCOMING, None)


def test_a_lookup_leaves_alone_what_ami_owns() -> None:
    row, _ = written(SEEN, replace(FOUND, called="+70000000000", direction=Direction.OUTGOING))
    assert (row.called, row.direction, row.outcome) == (None, Direction.INCOMING, Outcome.ANSWERED)
    assert row.ended_at == SEEN.ended_at


def test_ami_leaves_alone_what_the_lookup_owns() -> None:
    row, _ = written(FOUND, replace(SEEN, caller=Caller(raw="other", name="other")))
    assert (row.caller, row.subscriber, row.candidates, row.match) == (
        FOUND.caller,
        IVANOV,
        (IVANOV,),
        FOUND.match,
    )


def test_the_channels_own_caller_shows_until_a_lookup_knows_better() -> None:
    row, _ = written(LIVE, replace(SEEN, caller=Caller(raw="7916", name="as the trunk said")))
    assert row.caller.name == "as the trunk said"
    hidden = replace(FOUND, lookup=LookupStatus.ERROR, caller=Caller(), subscriber=None, candidates=())
    assert written(hidden, LIVE)[0].caller == LIVE.caller


def test_names_that_ami_does_not_know_stay() -> None:
    row, _ = written(FOUND, LIVE)
    assert (row.called, row.called_name) == ("+74951230001", "Support")
    row, _ = written(FOUND, replace(LIVE, called="+74951239999"))
    assert row.called == "+74951239999"


def test_the_call_began_when_the_first_of_them_saw_it() -> None:
    assert written(FOUND, LIVE)[0].started_at == FOUND.at
    assert written(FOUND, replace(LIVE, started_at=NOW - timedelta(seconds=9)))[
        0
    ].started_at == NOW - timedelta(seconds=9)


# -- lookups ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [LookupStatus.TIMEOUT, LookupStatus.ERROR])
def test_a_lookup_that_failed_replaces_none_that_told_something(failure: LookupStatus) -> None:
    failed = replace(FOUND, lookup=failure, caller=Caller(raw="7916"), subscriber=None, candidates=())
    row, kinds = written(FOUND, failed)
    assert (row.subscriber, row.lookup, kinds) == (IVANOV, LookupStatus.FOUND, [EventType.STARTED])
    row, kinds = written(failed, FOUND)
    assert (row.subscriber, row.lookup) == (IVANOV, LookupStatus.FOUND)
    assert kinds == [EventType.STARTED, EventType.UPDATED]


def test_a_later_lookup_replaces_all_of_the_earlier() -> None:
    lead = replace(
        FOUND, lookup=LookupStatus.LEAD, subscriber=None, candidates=(), lead=Lead(id="7", name="Сидоров")
    )
    row, _ = written(FOUND, lead)
    assert (row.subscriber, row.candidates, row.lead) == (None, (), lead.lead)


def test_a_forged_session_takes_back_what_it_told() -> None:
    forged = replace(
        FOUND,
        lookup=LookupStatus.ERROR,
        caller=Caller(raw="forged"),
        subscriber=None,
        candidates=(),
        match=None,
    )
    row, _ = written(FOUND, replace(forged, hostile=True))
    assert (row.caller, row.subscriber, row.match) == (Caller(raw="7916"), None, None)
    assert row.lookup is LookupStatus.ERROR


# -- people -----------------------------------------------------------------------------------------------


def test_what_a_person_set_the_machine_does_not_overwrite() -> None:
    row, _ = written(LIVE, replace(NOTE, status=Status.NOT_PROCESSED), SEEN, FOUND)
    assert (row.status, row.status_by, row.edited_by) == (Status.NOT_PROCESSED, "olena", "olena")
    assert (row.note, row.outcome) == ("call back", Outcome.ANSWERED)


def test_a_note_alone_leaves_the_status_to_the_machine() -> None:
    row, kinds = written(LIVE, NOTE, SEEN)
    assert (row.note, row.status, row.status_by) == ("call back", Status.PROCESSED, None)
    assert kinds == [EventType.STARTED, EventType.UPDATED, EventType.ENDED]


def test_a_person_may_take_a_note_away_and_change_their_mind() -> None:
    processed = replace(NOTE, note="", status=Status.PROCESSED, by="ivan")
    row, _ = written(SEEN, replace(NOTE, status=Status.NOT_PROCESSED), processed)
    assert (row.note, row.status, row.status_by, row.edited_by) == ("", Status.PROCESSED, "ivan", "ivan")


def test_an_edit_of_a_call_nobody_knows_makes_no_row() -> None:
    assert apply(None, NOTE, lambda phone: Operator(sip_phone=phone)) is None


def test_the_operator_stays_who_it_was_when_they_answered() -> None:
    people = iter(["olena", "ivan", "petro"])
    row = None
    for change in (LIVE, SEEN, replace(SEEN, operator="102"), replace(SEEN, operator=None)):
        applied = apply(row, change, lambda phone: Operator(sip_phone=phone, login=next(people)))
        assert applied is not None
        row = applied[0]
        if change is SEEN:
            assert row.operator == Operator(sip_phone="101", login="olena")
        if change.operator == "102":
            assert row.operator == Operator(sip_phone="102", login="ivan")
    assert row is not None and row.operator is None
