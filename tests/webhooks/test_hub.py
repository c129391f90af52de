"""The fan-out, without a loop."""

from fastagi.calls import EventType
from tests.webhooks.fakes import event, make_call
from webhooks.frames import RESET, Scope
from webhooks.hub import Client, Ending, Hub


class Listener:
    """A client that counts how often it was woken."""

    def __init__(self, scope: Scope | None = None, limit: int = 1000) -> None:
        self.woken = 0
        self.client = Client(scope or Scope(), self._notify, limit=limit)

    def _notify(self) -> None:
        self.woken += 1

    def take(self) -> list[object]:
        return [frame.seq if frame.kind != RESET else (RESET, frame.seq) for frame in self.client.take()]


def started(last: int = 0, **options: int) -> Hub:
    hub = Hub(**options)
    hub.begin(last)
    return hub


def joined(hub: Hub, **options: object) -> Listener:
    listener = Listener()
    hub.join(listener.client, **options)
    return listener


def test_every_client_gets_every_event_in_order_encoded_once():
    hub = started()
    first, second = joined(hub), joined(hub)
    for seq in (1, 2, 3):
        hub.publish(event(seq))
    one, two = first.client.take(), second.client.take()
    assert [frame.seq for frame in one] == [1, 2, 3]
    assert all(mine is yours for mine, yours in zip(one, two, strict=True))
    assert hub.position == 3
    assert hub.published == 3


def test_a_client_is_woken_once_until_it_takes():
    hub = started()
    listener = joined(hub)
    hub.publish(event(1))
    hub.publish(event(2))
    assert listener.woken == 1
    assert listener.take() == [1, 2]
    hub.publish(event(3))
    assert listener.woken == 2


def test_what_concerns_the_own_phone_is_urgent_and_wakes_again():
    hub = started()
    listener = Listener(Scope(phones=frozenset({"101"})))
    hub.join(listener.client)
    hub.publish(event(1))
    assert (listener.woken, listener.client.urgent) == (1, False)
    for seq in (2, 3):
        hub.publish(event(seq, EventType.RINGING, make_call(9, ringing=("101",))))
    assert (listener.woken, listener.client.urgent) == (2, True)
    assert listener.take() == [1, 2, 3]
    assert not listener.client.urgent


def test_taking_has_a_limit():
    hub = started()
    listener = joined(hub)
    for seq in (1, 2, 3):
        hub.publish(event(seq))
    assert [frame.seq for frame in listener.client.take(2)] == [1, 2]
    assert listener.take() == [3]
    assert listener.take() == []


def test_filters_are_the_clients():
    hub = started()
    listener = Listener(Scope(kinds=frozenset({"call.ended"})))
    hub.join(listener.client)
    hub.publish(event(1))
    hub.publish(event(2, EventType.ENDED))
    assert listener.take() == [2]
    listener.client.scope = Scope()
    hub.publish(event(3))
    assert listener.take() == [3]


def test_a_slow_client_is_dropped_and_others_are_not():
    hub = started()
    slow, quick = Listener(limit=3), Listener(limit=3)
    hub.join(slow.client)
    hub.join(quick.client)
    for seq in range(1, 6):
        hub.publish(event(seq))
        assert quick.take() == [seq]
    assert slow.client.ending is Ending.SLOW
    assert slow.client.waiting == 0
    assert slow.woken == 2
    assert (hub.clients, hub.dropped) == (1, 1)


def test_whoever_comes_back_soon_gets_what_was_missed_from_memory():
    hub = started(10)
    for seq in (11, 12, 13):
        hub.publish(event(seq))
    assert hub.remembers_after == 10
    listener = joined(hub, after=11)
    assert listener.woken == 1
    hub.publish(event(14))
    assert listener.take() == [12, 13, 14]


def test_whoever_missed_nothing_is_not_woken():
    hub = started(10)
    listener = joined(hub, after=10)
    assert listener.woken == 0


def test_a_client_that_is_ahead_gets_only_what_it_does_not_know():
    hub = started(10)
    listener = joined(hub, after=12)
    for seq in (11, 12, 13):
        hub.publish(event(seq))
    assert listener.take() == [13]


def test_memory_has_a_limit_and_says_how_far_it_reaches():
    hub = started(memory=2)
    for seq in (1, 2, 3):
        hub.publish(event(seq))
    assert hub.remembers_after == 1


def test_memory_may_begin_with_what_was_before_the_start():
    hub = Hub()
    assert hub.remembers_after is None
    hub.begin(12, [event(11), event(12)])
    assert hub.remembers_after == 10
    assert joined(hub, after=10).take() == [11, 12]


def test_events_without_a_seq_are_passed_on_and_not_remembered():
    hub = started(5)
    listener = joined(hub)
    hub.publish(event(None))
    assert listener.take() == [None]
    assert hub.position == 5
    assert joined(hub, after=5).take() == []


def test_a_reset_reaches_everybody_and_forgets():
    hub = started(5)
    listener, ahead = joined(hub), joined(hub, after=90)
    hub.publish(event(6))
    hub.reset(3)
    assert listener.take() == [6, (RESET, 3)]
    assert ahead.take() == [(RESET, 3)]
    hub.publish(event(4))
    assert (listener.take(), ahead.take()) == ([4], [4])
    assert hub.remembers_after == 3


def test_joining_with_a_reset():
    hub = started(5)
    assert joined(hub, reset=True).take() == [(RESET, 5)]


def test_waking_one_by_its_own_clock():
    hub = started()
    first, second = joined(hub), joined(hub)
    hub.wake(first.client)
    assert (first.woken, second.woken) == (1, 0)


def test_leaving():
    hub = started()
    listener = joined(hub)
    hub.leave(listener.client)
    hub.leave(listener.client)
    hub.publish(event(1))
    assert (listener.take(), hub.clients) == ([], 0)


def test_closing_ends_those_who_are_there_and_those_who_come():
    hub = started()
    early = joined(hub)
    hub.close()
    late = joined(hub)
    assert early.client.ending is late.client.ending is Ending.SHUTDOWN
    assert (early.woken, late.woken) == (1, 1)


def test_the_first_reason_counts():
    client = Listener().client
    client.end(Ending.LEFT)
    client.end(Ending.SHUTDOWN)
    assert client.ending is Ending.LEFT
