"""What every journal keeps and gives back, whatever database it lies in."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text, update

from fastagi.calls import Caller, EventType, Lead, LookupStatus, Operator, Outcome, Status, Subscriber
from fastagi.database import Database
from fastagi.errors import BadInput, JournalUnavailable
from fastagi.events import decode, encode
from fastagi.interfaces import CallQuery, EventRange
from fastagi.journal.encoding import decode_change
from fastagi.journal.own import SqlJournal
from fastagi.journal.spool import Batch
from fastagi.schema import counters, events, operator_phones, operators, status_history
from tests.fakes import MemoryJournal
from tests.journal.samples import IVANOV, LEAD, NOW, PETROVA, edited, ended, looked_up, observed
from tests.who_sees import CASES, PHONES

# -- writing ----------------------------------------------------------------------------------------------


def test_a_call_comes_back_as_it_was_written(run):
    async def test(journal):
        events = await journal.write([looked_up(), observed(), ended(), edited(note="Перезвонить")])
        assert await journal.call("main:1.0") == events[-1].call
        assert events[-1].call.candidates == (IVANOV, PETROVA)
        assert events[-1].call.version == 4

    run(test)


def test_the_rows_are_those_of_the_pure_rules(run):
    changes = [looked_up(), looked_up(2, lookup=LookupStatus.UNKNOWN, subscriber=None, candidates=())]
    changes += [observed(3), observed(), ended(2), ended(), edited(status=Status.NOT_PROCESSED), edited(3)]
    changes += [looked_up(lookup=LookupStatus.TIMEOUT), edited(99), observed(2, merged_into="main:1.0")]

    async def test(journal):
        memory = MemoryJournal()
        for at in range(0, len(changes), 4):
            batch = changes[at : at + 4]
            assert list(await journal.write(batch)) == list(await memory.write(batch))
        for id, call in memory.rows.items():
            assert await journal.call(id) == call

    run(test)


def test_events_carry_a_seq_without_gaps_and_can_be_read_again(run):
    async def test(journal):
        assert await journal.event_range() == EventRange(first=0, last=0)
        written = [*await journal.write([looked_up(), observed()]), *await journal.write([ended()])]
        assert [event.seq for event in written] == [1, 2, 3]
        assert [event.type for event in written] == [EventType.STARTED, EventType.RINGING, EventType.ENDED]
        as_sent = [decode(encode(event)) for event in written]
        assert list(await journal.events_after(0, 10)) == as_sent
        assert list(await journal.events_after(1, 1)) == as_sent[1:2]
        assert list(await journal.events_after(3, 10)) == []
        assert await journal.event_range() == EventRange(first=1, last=3)

    run(test)


def test_a_change_that_changes_nothing_gives_no_event(run):
    async def test(journal):
        assert list(await journal.write([])) == []
        assert list(await journal.write([edited()])) == []
        assert await journal.call("main:1.0") is None
        assert await journal.event_range() == EventRange(first=0, last=0)

    run(test)


def test_the_history_says_who_changed_the_status(run):
    async def test(journal):
        await journal.write([looked_up(), observed(), observed(status=Status.IN_PROCESSING)])
        await journal.write([ended(), edited(status=Status.NOT_PROCESSED), edited(note="only a note")])
        history = [(one.by, one.before, one.after) for one in await journal.history("main:1.0")]
        assert history == [
            (None, None, Status.RINGING),
            (None, Status.RINGING, Status.IN_PROCESSING),
            (None, Status.IN_PROCESSING, Status.PROCESSED),
            ("olena", Status.PROCESSED, Status.NOT_PROCESSED),
        ]
        assert (await journal.history("main:1.0"))[3].at == edited().at
        assert list(await journal.history("main:2.0")) == []

    run(test)


def test_times_keep_their_milliseconds(run):
    async def test(journal):
        at = NOW.replace(microsecond=987_654)
        await journal.write([observed(started_at=at)])
        assert (await journal.call("main:1.0")).started_at == NOW.replace(microsecond=987_000)

    run(test)


def test_the_operator_is_whose_the_phone_is_since_last(run):
    async def give(database, login, phone, since, active=True):
        def work(connection):
            if not connection.scalar(select(operators.c.login).where(operators.c.login == login)):
                connection.execute(
                    insert(operators).values(login=login, name=login.title(), role="operator", active=active)
                )
            connection.execute(insert(operator_phones).values(login=login, sip_phone=phone, since=since))

        await database.write(work)

    async def test(journal, database):
        await give(database, "olena", "102", NOW)
        await give(database, "ivan", "102", NOW + timedelta(hours=1))
        await give(database, "gone", "102", NOW + timedelta(hours=2), active=False)
        await give(database, "ivan", "101", NOW - timedelta(hours=2))
        written = await journal.write([ended(), ended(2, operator="101"), ended(3, operator="999")])
        assert [event.call.operator for event in written] == [
            Operator(sip_phone="102", login="ivan", name="Ivan"),
            Operator(sip_phone="101", login="ivan", name="Ivan"),
            Operator(sip_phone="999"),
        ]

    run(test)


def test_a_thousand_changes_of_as_many_calls_are_one_transaction(run):
    async def test(journal):
        written = await journal.write([observed(number) for number in range(1100)])
        assert [event.seq for event in written] == list(range(1, 1101))
        again = await journal.write([ended(number) for number in range(1100)])
        assert {event.call.version for event in again} == {2}
        assert (await journal.calls(CallQuery(outcome=Outcome.ANSWERED))).total == 1100

    run(test)


# -- an attacker's values ---------------------------------------------------------------------------------

NASTY = [
    "\0",
    "a\0b" * 300,
    "Ж" * 600,
    "😀" * 600,
    "\ud800 half \udfff",
    "'; DROP TABLE calls; --",
    '"\\%_\r\n\t\x1b[31m',
    "%s %(id)s :id ?",
    "{}[]\u2028\u202e",
    "e\u0301" * 300,
]


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_no_text_makes_a_write_fail(run, nasty):
    subscriber = Subscriber(
        id=nasty or "x", name=nasty, address=nasty, login=nasty, tariff=nasty, operator=nasty
    )
    changes = [
        looked_up(
            caller=Caller(raw=nasty, e164=nasty, name=nasty),
            called=nasty,
            called_name=nasty,
            subscriber=subscriber,
            candidates=(subscriber,) * 30,
            lead=Lead(id=nasty, name=nasty, phone=nasty),
        ),
        observed(queue=nasty, operator=nasty, ringing=(nasty,) * 100, called=nasty, hangup_cause=10**12),
        edited(by=nasty, note=nasty * 100, status=Status.PROCESSED),
        observed(2, id="main:" + nasty * 10, merged_into=nasty),
    ]

    async def test(journal):
        written = await journal.write(changes)
        assert len(written) == 4
        assert journal.rejections == 0
        call = await journal.call("main:1.0")
        assert call == written[2].call
        assert len(call.caller.name) <= 250
        assert "\0" not in call.caller.name
        assert call.caller.name.startswith(nasty[:1].replace("\0", "").replace("\ud800", "\ufffd"))
        assert list(await journal.events_after(0, 10)) == [decode(encode(event)) for event in written]
        await journal.calls(CallQuery(operator=nasty, id=nasty, sip_phones=(nasty,)))

    run(test)


def test_one_change_the_database_refuses_is_kept_aside_and_holds_up_nobody(run, tmp_path, capsys):
    bad = [looked_up(3, caller=Caller(raw=None)), observed(6, started_at=NOW.replace(tzinfo=None))]
    changes = [looked_up(1), observed(1), bad[0], ended(1), looked_up(4), looked_up(5), bad[1], ended(5)]

    async def test(journal):
        written = await journal.write(changes)
        assert [event.seq for event in written] == [1, 2, 3, 4, 5, 6]
        assert [event.call.id for event in written] == ["main:1.0"] * 3 + ["main:4.0"] + ["main:5.0"] * 2
        assert (await journal.call("main:1.0")).outcome is Outcome.ANSWERED
        assert await journal.call("main:3.0") is None
        assert journal.rejections == 2
        assert [event.seq for event in await journal.write([ended(4)])] == [7]

    run(test)
    lines = (tmp_path / "spool" / "rejected.jsonl").read_bytes().splitlines()
    assert len(lines) == 2
    assert b'"main:3.0"' in lines[0]
    assert decode_change(lines[1]).id == "main:6.0"
    assert (tmp_path / "spool" / "rejected.jsonl").stat().st_mode & 0o777 == 0o600
    assert "main:3.0" in capsys.readouterr().out


def test_a_table_that_is_missing_rejects_nothing(run, tmp_path):
    async def test(journal, database):
        await database.write(lambda connection: connection.execute(text("ALTER TABLE events RENAME TO away")))
        with pytest.raises(JournalUnavailable, match="run `whocalls db upgrade`"):
            await journal.write([looked_up(), observed()])
        await database.write(lambda connection: connection.execute(text("ALTER TABLE away RENAME TO events")))
        assert await journal.call("main:1.0") is None
        assert [event.seq for event in await journal.write([looked_up()])] == [1]
        assert journal.rejections == 0

    run(test)
    assert not (tmp_path / "spool").exists()


def test_a_counter_that_was_lost_goes_on_behind_the_last_event(run):
    async def test(journal, database):
        await journal.write([looked_up(), observed()])
        await database.write(lambda connection: connection.execute(counters.delete()))
        assert [event.seq for event in await journal.write([ended()])] == [3]

    run(test)


def test_a_counter_that_lags_behind_the_events_moves_on_and_refuses_nobody(run):
    async def test(journal, database):
        await journal.write([looked_up(), observed(), observed()])
        await database.write(lambda connection: connection.execute(update(counters).values(value=1)).rowcount)
        assert [event.seq for event in await journal.write([ended(), observed(2)])] == [4, 5]
        assert [event.seq for event in await journal.write([ended(2)])] == [6]
        assert journal.rejections == 0

    run(test)


def test_a_file_of_refused_changes_that_cannot_be_written_holds_up_nobody(run, tmp_path, capsys):
    (tmp_path / "spool").write_text("a file where the folder should be")

    async def test(journal):
        assert len(await journal.write([looked_up(3, caller=Caller(raw=None)), looked_up()])) == 1

    run(test)
    out = capsys.readouterr().out
    assert "main:3.0" in out and "cannot be kept in their file" in out


def test_a_change_that_is_no_json_is_kept_as_python_shows_it(run, tmp_path):
    async def test(journal):
        assert len(await journal.write([edited(at="yesterday"), looked_up(at=object()), observed()])) == 1

    run(test)
    assert b"LookedUp(id='main:1.0'" in (tmp_path / "spool" / "rejected.jsonl").read_bytes()


# -- a spool that is replayed -----------------------------------------------------------------------------


def test_what_a_replayed_batch_brings_twice_is_written_once(run):
    batch = Batch.of([looked_up(), observed(), ended()], "1795423013178-9f3a1c2e", (100, 250, 400))
    longer = Batch.of([observed(), ended(), looked_up(2)], "1795423013178-9f3a1c2e", (250, 400, 500))
    other = Batch.of([edited(note="a")], "1795423013179-00000000", (90,))

    async def test(journal):
        assert [event.seq for event in await journal.write(batch)] == [1, 2, 3]
        assert list(await journal.write(batch)) == []
        assert [event.call.id for event in await journal.write(longer)] == ["main:2.0"]
        assert len(await journal.write(other)) == 1
        assert list(await journal.write(other)) == []
        assert (await journal.call("main:1.0")).version == 4

    run(test)


def test_a_refused_change_of_a_batch_is_not_tried_again(run):
    batch = Batch.of([looked_up(3, caller=Caller(raw=None)), looked_up()], "1795423013178-9f3a1c2e", (10, 20))

    async def test(journal):
        assert len(await journal.write(batch)) == 1
        assert list(await journal.write(batch)) == []
        assert journal.rejections == 1

    run(test)


# -- pages ------------------------------------------------------------------------------------------------


async def ids(journal, **query) -> list[str]:
    page = await journal.calls(CallQuery(**query))
    assert page.total == len(page.items)
    return [call.id.removeprefix("main:").removesuffix(".0") for call in page.items]


async def fill(journal) -> None:
    missed = {"status": Status.NOT_PROCESSED, "outcome": Outcome.NO_ANSWER, "operator": None}
    unknown = {"lookup": LookupStatus.UNKNOWN, "subscriber": None, "candidates": (), "match": None}
    await journal.write(
        [
            *(looked_up(1), ended(1)),
            *(looked_up(2, **unknown, caller=Caller(raw="anonymous")), ended(2, **missed)),
            *(looked_up(3, **unknown, lead=LEAD, caller=Caller(raw="79167654321")), ended(3, operator="101")),
            observed(4, called="+74951239999", caller=Caller(raw="380441234567")),
            *(looked_up(5), observed(5, merged_into="main:4.0")),
        ]
    )


def test_filters_find_what_they_name(run):
    async def test(journal):
        await fill(journal)
        assert await ids(journal) == ["4", "3", "2", "1"]
        assert await ids(journal, status=Status.PROCESSED) == ["3", "1"]
        assert await ids(journal, outcome=Outcome.NO_ANSWER) == ["2"]
        assert await ids(journal, operator="101") == ["3"]
        assert await ids(journal, id="main:2.0") == ["2"]
        assert await ids(journal, recognised=True) == ["1"]
        assert await ids(journal, recognised=False) == ["4", "3", "2"]
        assert await ids(journal, since=NOW + timedelta(seconds=2)) == ["4", "3", "2"]
        assert await ids(journal, until=NOW + timedelta(seconds=2)) == ["1"]
        assert await ids(journal, sip_phones=("102",)) == ["4", "2", "1"]
        assert await ids(journal, sip_phones=()) == ["4", "2"]
        assert await ids(journal, operator="102", status=Status.PROCESSED, recognised=True) == ["1"]
        assert await ids(journal, operator="nobody") == []

    run(test)


def test_an_operator_finds_a_live_call_that_is_transferred_to_their_phone(run):
    """An answered call that rings elsewhere too; the names of the others only look like the one asked for."""
    rings = {"4": ("103",), "3": ("101", 'a"%_b'), "2": ("1011", "x101"), "1": ("Ab",)}

    async def test(journal):
        for number, ringing in rings.items():
            moving = observed(int(number), status=Status.IN_PROCESSING, operator="109", ringing=ringing)
            await journal.write([moving])
        await journal.write([ended(5, operator="109", ringing=("101",))])
        assert await ids(journal, sip_phones=("101",)) == ["3"]
        assert await ids(journal, sip_phones=("103", "1011")) == ["4", "2"]
        assert await ids(journal, sip_phones=('a"%_b',)) == ["3"]
        assert await ids(journal, sip_phones=("%", "_", "", "10", "ab", "null")) == []
        assert await ids(journal, sip_phones=("109",)) == ["5", "4", "3", "2", "1"]

    run(test)


def test_the_list_of_an_operator_has_what_the_rule_says(run):
    async def test(journal):
        changes = [
            observed(number, status=Status.IN_PROCESSING, operator=phone, ringing=ringing)
            for number, (phone, ringing, _) in enumerate(CASES)
        ]
        await journal.write(changes)
        seen = [str(number) for number, (*_, sees) in enumerate(CASES) if sees]
        assert await ids(journal, sip_phones=PHONES) == seen[::-1]

    run(test)


def test_a_number_is_found_by_its_end_in_caller_or_called(run):
    async def test(journal):
        await fill(journal)
        assert await ids(journal, number="1234567") == ["4", "1"]
        assert await ids(journal, number="+7 (916) 123-45-67") == ["1"]
        assert await ids(journal, number="9999") == ["4"]
        assert await ids(journal, number="0001") == ["3", "2", "1"]
        assert await ids(journal, number="79161234567890") == []
        with pytest.raises(BadInput, match="number: needs at least one digit"):
            await journal.calls(CallQuery(number="anonymous"))

    run(test)


def test_an_operator_is_found_by_login_and_by_phone(run):
    async def test(journal, database):
        values = {"login": "olena", "name": "Olena", "role": "operator", "active": True}
        await database.write(lambda connection: connection.execute(insert(operators).values(values)))
        phone = {"login": "olena", "sip_phone": "102", "since": NOW}
        await database.write(lambda connection: connection.execute(insert(operator_phones).values(phone)))
        await fill(journal)
        assert await ids(journal, operator="olena") == await ids(journal, operator="102") == ["1"]

    run(test)


def test_pages_follow_each_other_without_gap_or_repetition(run):
    async def test(journal):
        same = NOW
        await journal.write([observed(number, started_at=same) for number in range(10)])
        await journal.write([observed(number) for number in range(10, 23)])
        seen, cursor = [], None
        while True:
            page = await journal.calls(CallQuery(limit=5, cursor=cursor))
            assert (page.total, page.total_exact) == (23, True)
            seen += [call.id for call in page.items]
            cursor = page.next
            await journal.write([observed(1000 + len(seen))])  # newer ones do not move what is being read
            await journal.write([observed(1000 + len(seen), merged_into="main:1.0")])
            if cursor is None:
                break
            assert len(page.items) == 5
        assert len(seen) == len(set(seen)) == 23
        assert seen[:13] == [f"main:{number}.0" for number in range(22, 9, -1)]

    run(test)


@pytest.mark.parametrize(
    "cursor", ["", "x", "не наш", "MTIzNDU", "OTk5OTk5OTk5OTk5OTk5OTk5OTk6bWFpbjox", "=", "a" * 500]
)
def test_a_cursor_that_is_not_ours_is_bad_input(run, cursor):
    async def test(journal):
        with pytest.raises(BadInput, match="cursor: is not one that a page gave"):
            await journal.calls(CallQuery(cursor=cursor))

    run(test)


def test_a_time_without_a_zone_is_bad_input(run):
    async def test(journal):
        with pytest.raises(BadInput, match="until: needs a time zone"):
            await journal.calls(CallQuery(until=NOW.replace(tzinfo=None)))

    run(test)


def test_open_calls_are_the_live_ones_of_a_pbx_oldest_first(run):
    async def test(journal):
        other = observed(9, id="other:9.0", pbx="other")
        await journal.write([observed(3), observed(1), ended(2), other, observed(4, merged_into="main:1.0")])
        assert [call.id for call in await journal.open_calls("main")] == ["main:1.0", "main:3.0"]
        assert [call.id for call in await journal.open_calls("other")] == ["other:9.0"]
        assert list(await journal.open_calls("none")) == []

    run(test)


# -- keeping it small -------------------------------------------------------------------------------------


def test_events_are_kept_for_a_day_and_the_range_says_what_is_left(run, monkeypatch):
    monkeypatch.setattr("fastagi.journal.own.PRUNED_AT_ONCE", 7)

    async def test(journal, database):
        await journal.write([observed(number, at=NOW) for number in range(30)])
        await journal.write([ended(1, at=NOW + timedelta(hours=3))])
        await journal.write([ended(2, at=NOW - timedelta(hours=9))])  # a spool that came late: no hole for it
        assert await journal.prune(NOW + timedelta(hours=23)) == 0
        assert await journal.prune(NOW + timedelta(hours=25)) == 30
        assert await journal.event_range() == EventRange(first=31, last=32)
        assert await journal.prune(NOW + timedelta(days=3)) == 2
        assert await journal.event_range() == EventRange(first=0, last=32)
        assert await journal.prune(NOW + timedelta(days=3)) == 0
        assert [event.seq for event in await journal.write([ended(3)])] == [33]
        assert await database.read(lambda c: c.scalar(select(status_history.c.id).limit(1)))

    run(test)


def test_what_is_known_of_a_spool_is_forgotten_after_months(run):
    batch = Batch.of([looked_up()], f"{int(NOW.timestamp() * 1000):013d}-9f3a1c2e", (10,))

    async def test(journal, database):
        await journal.write(batch)
        names = select(counters.c.name).order_by(counters.c.name)
        await journal.prune(NOW + timedelta(days=89))
        assert len(await database.read(lambda c: c.scalars(names).all())) == 2
        await journal.prune(NOW + timedelta(days=91))
        assert await database.read(lambda c: c.scalars(names).all()) == ["seq"]

    run(test)


def test_an_event_of_a_newer_version_does_not_hide_the_others(run, capsys):
    async def test(journal, database):
        await journal.write([looked_up(), observed(), ended()])
        newer = update(events).where(events.c.seq == 2).values(body='{"v":2,"seq":2}')
        await database.write(lambda connection: connection.execute(newer))
        assert [event.seq for event in await journal.events_after(0, 10)] == [1, 3]

    run(test)
    assert "cannot be read" in capsys.readouterr().out


def test_a_journal_whose_database_is_not_open_is_unavailable():
    async def main():
        journal = SqlJournal(Database("sqlite:///nowhere.db"))
        for ask in (
            lambda: journal.write([looked_up()]),
            lambda: journal.call("x"),
            lambda: journal.calls(CallQuery()),
            lambda: journal.open_calls("main"),
            lambda: journal.events_after(0, 1),
            journal.event_range,
            lambda: journal.history("x"),
            lambda: journal.prune(NOW),
        ):
            with pytest.raises(JournalUnavailable, match="not open"):
                await ask()

    asyncio.run(main())
