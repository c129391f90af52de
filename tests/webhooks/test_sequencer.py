"""Order and gaps, judged with time as an argument."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fastagi.events import Event
from tests.webhooks.fakes import event
from webhooks.sequencer import Delivery, Reset, Sequencer


def started(last: int = 0, **options: float) -> Sequencer:
    sequencer = Sequencer(hold=0.2, **options)
    assert sequencer.begin(last) == []
    return sequencer


def seqs(deliveries: list[Delivery]) -> list[object]:
    """Return seqs, with resets as ("reset", seq)."""
    return [one.seq if isinstance(one, Event) else ("reset", one.seq) for one in deliveries]


def rows(*numbers: int) -> list[Event]:
    return [event(seq) for seq in numbers]


def test_what_comes_in_order_is_passed_on_at_once():
    sequencer = started(10)
    assert seqs(sequencer.received(event(11), 0)) == [11]
    assert seqs(sequencer.received(event(12), 0)) == [12]
    assert sequencer.due is None
    assert sequencer.last == 12


def test_duplicates_are_dropped():
    sequencer = started(10)
    sequencer.received(event(11), 0)
    sequencer.received(event(13), 0)
    assert sequencer.received(event(11), 0) == []
    assert sequencer.received(event(9), 0) == []
    assert sequencer.received(event(13), 0) == []
    assert sequencer.duplicates == 3


def test_an_early_event_waits_for_the_one_before_it():
    sequencer = started(10)
    assert sequencer.received(event(12), 5.0) == []
    assert sequencer.due == 5.2
    assert seqs(sequencer.received(event(11), 5.1)) == [11, 12]
    assert sequencer.due is None


def test_the_moment_counts_from_the_oldest_that_waits():
    sequencer = started(10)
    sequencer.received(event(12), 5.0)
    sequencer.received(event(15), 5.15)
    assert seqs(sequencer.received(event(11), 5.16)) == [11, 12]
    assert sequencer.due == 5.15 + 0.2


def test_the_table_closes_a_gap():
    sequencer = started(10)
    sequencer.received(event(13), 0)
    assert seqs(sequencer.read(rows(11, 12, 13, 14), complete=True, asked=0.3)) == [11, 12, 13, 14]
    assert sequencer.due is None


def test_what_the_bus_brought_during_a_reading_is_not_passed_on_twice():
    sequencer = started(10)
    sequencer.received(event(11), 0.1)
    sequencer.received(event(12), 0.1)
    assert seqs(sequencer.read(rows(11, 12, 13), complete=True, asked=0)) == [13]


def test_a_gap_that_came_during_a_reading_waits_for_the_next_one():
    sequencer = started(10)
    sequencer.received(event(13), 0.5)
    assert seqs(sequencer.read(rows(11), complete=True, asked=0.4)) == [11]
    assert sequencer.due == 0.7
    assert seqs(sequencer.read(rows(12, 13), complete=True, asked=0.8)) == [12, 13]


def test_a_hole_in_the_table_itself_is_a_reset():
    sequencer = started(10)
    assert seqs(sequencer.read(rows(11, 15), complete=True, asked=0)) == [11, ("reset", 14), 15]


def test_what_the_table_will_never_have_is_a_reset():
    sequencer = started(10)
    for seq in (13, 15, 16):
        sequencer.received(event(seq), 0)
    passed = sequencer.read(rows(11), complete=True, asked=0.3)
    assert seqs(passed) == [11, ("reset", 12), 13, ("reset", 14), 15, 16]
    assert sequencer.due is None


def test_a_page_that_is_not_the_last_gives_up_on_nothing():
    sequencer = started(10)
    sequencer.received(event(14), 0)
    assert seqs(sequencer.read(rows(11, 12), complete=False, asked=0.3)) == [11, 12]
    assert seqs(sequencer.read(rows(13, 14), complete=True, asked=0.4)) == [13, 14]


def test_an_event_without_a_seq_is_passed_on_at_once_and_a_reset_follows():
    sequencer = started(10)
    sequencer.received(event(12), 0)
    assert seqs(sequencer.received(event(None), 0)) == [None]
    # As long as nothing is written again, nothing has recovered.
    assert sequencer.read([], complete=False, asked=1) == []
    assert seqs(sequencer.received(event(11), 2)) == [11, 12]
    assert seqs(sequencer.read([], complete=True, asked=3)) == [("reset", 12)]
    assert sequencer.read([], complete=True, asked=4) == []


def test_no_reset_before_something_is_written_again():
    sequencer = started(10)
    sequencer.received(event(None), 0)
    assert sequencer.read([], complete=True, asked=1) == []
    assert seqs(sequencer.read(rows(11), complete=True, asked=2)) == [11, ("reset", 11)]


def test_without_the_table_events_are_passed_on_in_order_and_a_reset_follows():
    sequencer = started(10)
    for seq in (14, 12):
        sequencer.received(event(seq), 0)
    assert seqs(sequencer.unreadable()) == [12, 14]
    assert sequencer.blind
    assert seqs(sequencer.received(event(15), 1)) == [15]
    assert seqs(sequencer.read([], complete=True, asked=2)) == [("reset", 15)]
    assert not sequencer.blind


def test_a_table_that_went_back_begins_anew():
    sequencer = started(100)
    sequencer.received(event(103), 0)
    assert seqs(sequencer.rewound(7)) == [("reset", 7)]
    assert seqs(sequencer.received(event(8), 1)) == [8]


def test_what_comes_before_the_table_was_asked_is_held():
    sequencer = Sequencer()
    assert sequencer.received(event(5), 0) == []
    assert sequencer.received(event(7), 0) == []
    assert sequencer.received(event(6), 0) == []
    assert seqs(sequencer.begin(5)) == [6, 7]


def test_begun_without_the_table_then_found():
    sequencer = Sequencer()
    sequencer.received(event(5), 0)
    assert seqs(sequencer.unreadable()) == [5]
    assert sequencer.last == 5
    nothing = Sequencer()
    assert nothing.unreadable() == []
    assert seqs(nothing.begin(40)) == [("reset", 40)]


def test_no_more_than_the_limit_is_held_and_the_table_is_asked_at_once():
    sequencer = started(0, limit=3)
    for seq in (2, 3, 4, 5, 6):
        sequencer.received(event(seq), 1)
    assert sequencer.due == float("-inf")
    assert seqs(sequencer.read(rows(1, 2, 3, 4, 5, 6), complete=True, asked=1)) == [1, 2, 3, 4, 5, 6]
    assert sequencer.due is None


@settings(deadline=None)  # the machine is shared
@given(st.data())
def test_whatever_the_bus_does_every_event_is_passed_on_once_and_in_order(data: st.DataObject):
    """Any order, any loss, any repetition, readings at any moment: the table makes it whole."""
    total = data.draw(st.integers(1, 30))
    sequencer, table, passed, now = started(0, limit=4), [], [], 0.0
    bus: list[int] = []
    written = 0
    while written < total or bus:
        now += data.draw(st.sampled_from([0.0, 0.05, 0.3]))
        step = data.draw(st.sampled_from(["write", "deliver", "read"]))
        if step == "write" and written < total:
            written += 1
            table.append(event(written))
            bus += [written] * data.draw(st.sampled_from([0, 1, 1, 2]))
        elif step == "deliver" and bus:
            chosen = bus.pop(data.draw(st.integers(0, len(bus) - 1)))
            passed += sequencer.received(event(chosen), now)
        elif step == "read":
            passed += _read(sequencer, table, now)
    passed += _read(sequencer, table, now + 1)
    assert seqs(passed) == list(range(1, total + 1))


def _read(sequencer: Sequencer, table: list[Event], now: float) -> list[Delivery]:
    passed, complete = [], False
    while not complete:
        page = [one for one in table if one.seq > sequencer.last][:3]
        complete = len(page) < 3
        passed += sequencer.read(page, complete=complete, asked=now)
    return passed


def test_a_reset_is_a_value():
    assert Reset(3) == Reset(3)
