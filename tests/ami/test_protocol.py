"""A conversation with one Asterisk: every question is answered, or fails by name."""

from twisted.internet import defer
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from fastagi.ami import protocol
from fastagi.ami.messages import Message
from fastagi.ami.protocol import AmiProtocol
from fastagi.ami.stream import Banner, Dropped
from fastagi.errors import (
    CommandRefused,
    DeadlineExceeded,
    Disconnected,
    LocalProtocolError,
    RemoteProtocolError,
)

from .captures import read

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
NEWS = b"Event: News\r\nPrivilege: test,all\r\n\r\n"
CHANNEL = read("18_coreshowchannels_3_calls/ami.txt").partition(b"Event: CoreShowChannel\r\n")[2]
CHANNEL = b"Event: CoreShowChannel\r\n" + CHANNEL.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
CHANNEL_ID = CHANNEL.split(b"\r\n")[1]


class AmiTestCase(SynchronousTestCase):
    """A protocol on a transport in memory. At the end nothing may be left on the clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[Message] = []
        self.dropped: list[Dropped] = []
        self.ami = AmiProtocol(
            on_event=self.events.append, on_dropped=self.dropped.append, clock=self.clock, token="t"
        )
        self.transport = StringTransportWithDisconnection()
        self.transport.protocol = self.ami
        self.ami.makeConnection(self.transport)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(lambda: self.ami.abort("the test is over"))

    def sent(self) -> bytes:
        data = self.transport.value()
        self.transport.clear()
        return data

    def hear(self, data: bytes) -> None:
        self.ami.dataReceived(data)

    def lose(self) -> None:
        self.transport.loseConnection()


class AskingTests(AmiTestCase):
    """`send`."""

    def setUp(self) -> None:
        super().setUp()
        self.hear(BANNER)

    def test_an_action_is_written_with_an_id_and_gets_its_answer(self) -> None:
        answer = self.ami.send("Login", Username="u", Secret="s")
        self.assertEqual(self.sent(), b"Action: Login\r\nActionID: t-1\r\nUsername: u\r\nSecret: s\r\n\r\n")
        self.assertNoResult(answer)
        self.hear(b"Response: Success\r\nActionID: t-1\r\nMessage: fine\r\n\r\n")
        self.assertEqual(self.successResultOf(answer).get("Message"), "fine")

    def test_answers_find_their_action_in_any_order_and_among_events(self) -> None:
        one, two = self.ami.send("Ping"), self.ami.send("Ping")
        self.hear(NEWS + b"Response: Success\r\nActionID: t-2\r\n\r\n" + NEWS)
        self.assertNoResult(one)
        self.assertEqual(self.successResultOf(two).action_id, "t-2")
        self.hear(b"Response: Success\r\nActionID: t-1\r\n\r\n")
        self.assertEqual(self.successResultOf(one).action_id, "t-1")
        self.assertEqual([event.event for event in self.events], ["News", "News"])

    def test_a_refusal_names_the_action_and_says_why(self) -> None:
        answer = self.ami.send("Command", Command="core show channels")
        self.hear(b"Response: Error\r\nActionID: t-1\r\nMessage: Permission denied\r\n\r\n")
        error = self.failureResultOf(answer, CommandRefused).value
        self.assertEqual((error.command, error.text), ("Command", "Permission denied"))

    def test_an_answer_has_a_limit_of_time(self) -> None:
        answer = self.ami.send("Ping")
        self.clock.advance(4.9)
        self.assertNoResult(answer)
        self.clock.advance(0.1)
        error = self.failureResultOf(answer, DeadlineExceeded).value
        self.assertEqual(str(error), "Ping took longer than 5 s")
        self.hear(b"Response: Success\r\nActionID: t-1\r\n\r\n")  # too late: nobody is there

    def test_what_cannot_be_written_fails_and_writes_nothing(self) -> None:
        answer = self.ami.send("Login", Secret="x\r\nAction: Originate")
        self.failureResultOf(answer, LocalProtocolError)
        self.assertEqual(self.sent(), b"")

    def test_answers_nobody_asked_for_are_passed_over(self) -> None:
        answer = self.ami.send("Ping")
        self.hear(b"Response: Error\r\nMessage: Missing action in request\r\n\r\n")
        self.hear(b"Response: Success\r\nActionID: x-1\r\n\r\n")
        self.assertNoResult(answer)
        self.hear(b"Response: Goodbye\r\nActionID: t-1\r\n\r\n")
        self.assertEqual(self.successResultOf(answer).response, "Goodbye")

    def test_so_many_may_wait_and_no_more(self) -> None:
        answers = [self.ami.send("Ping") for _ in range(protocol.MAX_WAITING)]
        self.failureResultOf(self.ami.send("Ping"), LocalProtocolError)
        self.hear(b"Response: Success\r\nActionID: t-1\r\n\r\n")
        self.successResultOf(answers[0])
        answers.append(self.ami.send("Ping"))
        self.assertNoResult(answers[-1])
        self.lose()
        for answer in answers[1:]:
            self.failureResultOf(answer, Disconnected)

    def test_who_no_longer_wants_the_answer_is_forgotten(self) -> None:
        answer = self.ami.send("Ping")
        answer.cancel()
        self.failureResultOf(answer, defer.CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.hear(b"Response: Success\r\nActionID: t-1\r\n\r\n")


class ListTests(AmiTestCase):
    """`send_list`."""

    def setUp(self) -> None:
        super().setUp()
        self.hear(BANNER)
        self.listed = self.ami.send_list("CoreShowChannels")
        self.start = b"Response: Success\r\nActionID: t-1\r\nEventList: start\r\n\r\n"
        self.entry = CHANNEL.replace(CHANNEL_ID, b"ActionID: t-1")
        self.end = (
            b"Event: CoreShowChannelsComplete\r\nActionID: t-1\r\nEventList: Complete\r\nListItems: 2\r\n\r\n"
        )

    def test_entries_are_collected_while_events_flow(self) -> None:
        self.hear(self.start + self.entry + NEWS)
        self.assertEqual(len(self.events), 1)
        self.assertNoResult(self.listed)
        self.hear(self.entry + self.end)
        entries = self.successResultOf(self.listed)
        self.assertEqual([entry.event for entry in entries], ["CoreShowChannel"] * 2)
        self.assertEqual(len(self.events), 1)

    def test_an_empty_list(self) -> None:
        self.hear(self.start + self.end)
        self.assertEqual(self.successResultOf(self.listed), [])

    def test_a_refusal(self) -> None:
        self.hear(b"Response: Error\r\nActionID: t-1\r\nMessage: Permission denied\r\n\r\n")
        self.failureResultOf(self.listed, CommandRefused)

    def test_a_list_that_asterisk_breaks_off(self) -> None:
        self.hear(self.start + self.entry + self.end.replace(b"Complete\r\nL", b"cancelled\r\nL"))
        error = self.failureResultOf(self.listed, RemoteProtocolError).value
        self.assertEqual(error.reason, "the list was cancelled")

    def test_a_list_that_never_ends_has_limits(self) -> None:
        self.patch(protocol, "MAX_ENTRIES", 3)
        self.hear(self.start + self.entry * 4)
        error = self.failureResultOf(self.listed, RemoteProtocolError).value
        self.assertEqual(error.reason, "a list of over 3 entries")
        late = self.ami.send_list("CoreShowChannels")
        self.clock.advance(15)
        self.failureResultOf(late, DeadlineExceeded)

    def test_entries_that_a_caller_forged_find_no_list(self) -> None:
        self.hear(
            self.start + CHANNEL + self.entry + CHANNEL.replace(CHANNEL_ID, b"ActionID: t-2") + self.end
        )
        self.assertEqual(len(self.successResultOf(self.listed)), 1)
        self.assertEqual(self.dropped, [Dropped("CoreShowChannel", "nobody asked for this list")] * 2)

    def test_entries_that_look_like_events_belong_to_the_list_all_the_same(self) -> None:
        self.hear(self.start + b"Event: Status\r\nPrivilege: call,all\r\nActionID: t-1\r\n\r\n" + self.end)
        self.assertEqual([entry.event for entry in self.successResultOf(self.listed)], ["Status"])


class WaitingTests(AmiTestCase):
    """`greeted`, `expect` and `lost`."""

    def test_the_banner_is_waited_for_once(self) -> None:
        greeted = self.ami.greeted(5)
        self.assertNoResult(greeted)
        self.hear(BANNER)
        self.assertEqual(self.successResultOf(greeted), Banner("11.0.0"))
        self.assertEqual(self.successResultOf(self.ami.greeted(5)), Banner("11.0.0"))

    def test_a_peer_that_says_nothing(self) -> None:
        greeted = self.ami.greeted(5)
        self.clock.advance(5)
        self.assertEqual(
            str(self.failureResultOf(greeted, DeadlineExceeded).value), "the banner took longer than 5 s"
        )

    def test_an_event_is_expected_and_still_handed_on(self) -> None:
        self.hear(BANNER)
        one, two = self.ami.expect("News", 30), self.ami.expect("News", 30)
        other = self.ami.expect("Other", 30)
        self.hear(NEWS)
        self.assertEqual(self.successResultOf(one), self.events[0])
        self.assertEqual(self.successResultOf(two), self.events[0])
        self.clock.advance(30)
        self.failureResultOf(other, DeadlineExceeded)

    def test_one_of_two_may_stop_waiting(self) -> None:
        self.hear(BANNER)
        one, two = self.ami.expect("News", 30), self.ami.expect("News", 20)
        two.cancel()
        self.failureResultOf(two, defer.CancelledError)
        self.hear(NEWS)
        self.successResultOf(one)

    def test_the_loss_of_the_connection_is_told_to_everybody_by_name(self) -> None:
        self.hear(BANNER)
        ping, listed = self.ami.send("Ping"), self.ami.send_list("CoreShowChannels")
        booted, lost = self.ami.expect("FullyBooted", 30), self.ami.lost()
        self.ami.connectionLost(Failure(ConnectionLost("reset")))
        for deferred, during in ((ping, "Ping"), (listed, "CoreShowChannels")):
            self.assertEqual(self.failureResultOf(deferred, Disconnected).value.during, during)
        error = self.failureResultOf(booted, Disconnected).value
        self.assertEqual(error.during, "the event FullyBooted")
        self.assertIn("reset", error.cause)
        self.assertIn("reset", self.successResultOf(lost))
        self.assertIn("reset", self.successResultOf(self.ami.lost()))

    def test_who_asks_too_late_is_told_as_well(self) -> None:
        self.lose()
        self.failureResultOf(self.ami.send("Ping"), Disconnected)
        self.failureResultOf(self.ami.send_list("CoreShowChannels"), Disconnected)
        self.failureResultOf(self.ami.expect("News", 1), Disconnected)
        self.failureResultOf(self.ami.greeted(1), Disconnected)

    def test_who_asks_again_when_told_of_the_loss_is_told_at_once(self) -> None:
        self.hear(BANNER)
        again = []
        self.ami.send("Ping").addErrback(lambda _: again.append(self.ami.send("Ping")))
        self.lose()
        self.failureResultOf(again[0], Disconnected)


class HearingTests(AmiTestCase):
    """What comes unasked."""

    def test_events_are_handed_on_and_pieces_are_not(self) -> None:
        self.hear(BANNER + NEWS + b"Event: Hangup\r\nUniqueid: 1.1\r\n\r\n" + NEWS)
        self.assertEqual([event.event for event in self.events], ["News", "News"])
        self.assertEqual([dropped.kind for dropped in self.dropped], ["Hangup"])

    def test_a_listener_that_fails_loses_that_event_only(self) -> None:
        def follow(message: Message) -> None:
            self.events.append(message)
            raise KeyError("a bug of the listener")

        self.ami._on_event = follow
        self.hear(BANNER + NEWS + NEWS)
        self.assertEqual(len(self.events), 2)
        self.assertTrue(self.transport.connected)

    def test_a_peer_that_breaks_the_protocol_is_left(self) -> None:
        ping = self.ami.send("Ping")
        self.hear(b"220 mail.example ESMTP\r\n")
        self.assertFalse(self.transport.connected)
        self.assertIn("220 mail.example", self.failureResultOf(ping, Disconnected).value.cause)
        self.hear(BANNER + NEWS)
        self.assertEqual(self.events, [])

    def test_nothing_is_heard_after_giving_up(self) -> None:
        self.hear(BANNER)
        self.ami.expect("News", 5).addCallback(lambda _: self.ami.abort("enough"))
        self.hear(NEWS + NEWS)
        self.assertEqual(len(self.events), 1)
        self.assertEqual(self.successResultOf(self.ami.lost()), "enough")

    def test_when_it_was_last_heard(self) -> None:
        self.clock.advance(3)
        self.assertEqual(self.ami.heard_at, 0)
        self.hear(b"A")
        self.assertEqual(self.ami.heard_at, 3)
