"""One Asterisk is followed for ever, whatever it does, and trouble is told in words."""

from collections.abc import Sequence
from datetime import UTC, datetime

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fastagi.ami.messages import Message
from fastagi.ami.service import AmiService
from fastagi.ami.sign_in import Account

from .fake_asterisk import FakeAsterisk, channel

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
BOOTED_AT = datetime(2026, 11, 23, 11, 59, 0, tzinfo=UTC)


class Recorder:
    """The listener: one list of what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.error: Exception | None = None

    def snapshot_begins(self) -> None:
        self.told.append("begins")

    def event(self, message: Message) -> None:
        self.told.append(message.event)

    def snapshot(self, channels: Sequence[Message], booted_at: datetime | None) -> None:
        if self.error is not None:
            raise self.error
        self.told.append(([entry.get("Uniqueid") for entry in channels], booted_at))

    def lost(self, reason: str) -> None:
        self.told.append(f"lost: {reason}")


class ServiceTestCase(SynchronousTestCase):
    """A service, an Asterisk in memory and a clock; at the end nothing may be left on the clock."""

    challenge = True

    def setUp(self) -> None:
        self.clock = Clock()
        self.pbx = FakeAsterisk()
        self.listener = Recorder()
        tokens = iter(f"t{number}" for number in range(1000))
        account = Account(
            pbx="main",
            host="192.0.2.1",
            port=5038,
            username="whocalls",
            secret="secret",
            challenge=self.challenge,
        )
        self.service = AmiService(
            account,
            self.listener,
            endpoint=self.pbx,
            clock=self.clock,
            now=lambda: NOW,
            jitter=lambda: 0.0,
            token=lambda: next(tokens),
        )
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.stop)

    def stop(self) -> None:
        self.successResultOf(self.service.stopService())

    def start(self) -> None:
        """Start, and let Asterisk answer all there is to answer."""
        self.service.startService()
        self.pbx.answer()

    def retry(self, seconds: float) -> None:
        """The next attempt comes after so many seconds, and not before."""
        count = len(self.pbx.connections)
        self.clock.advance(seconds - 0.01)
        self.assertEqual(len(self.pbx.connections), count)
        self.clock.advance(0.02)
        self.assertEqual(len(self.pbx.connections), count + 1)
        self.pbx.answer()

    def told(self) -> list[object]:
        """What the listener was told since it was last asked."""
        told, self.listener.told = self.listener.told, []
        return told

    def assert_followed(self) -> None:
        self.assertTrue(self.service.followed)
        self.assertTrue(self.service.health().ok)

    def assert_trouble(self, *words: str) -> None:
        health = self.service.health()
        self.assertFalse(self.service.followed)
        self.assertFalse(health.ok)
        for word in ("PBX main", *words):
            self.assertIn(word, health.detail)


class SigningInTests(ServiceTestCase):
    """From the connection to the picture."""

    def test_it_signs_in_without_sending_the_secret(self) -> None:
        self.assert_trouble("connecting to 192.0.2.1:5038")
        self.start()
        self.assertEqual(
            [asked["Action"] for asked in self.pbx.asked], ["Challenge", "Login", "CoreShowChannels"]
        )
        self.assertEqual(self.pbx.asked[0]["AuthType"], "MD5")
        self.assertEqual(self.pbx.asked[1]["Events"], "system,call,agent")
        self.assertNotIn("Secret", self.pbx.asked[1])
        self.assert_followed()

    def test_where_the_challenge_is_unknown_the_secret_is_sent(self) -> None:
        self.pbx.knows_challenge = False
        self.start()
        self.assertEqual(self.pbx.asked[1]["Secret"], "secret")
        self.assert_followed()

    def test_events_flow_before_the_list_of_channels_is_read(self) -> None:
        self.pbx.is_booted = False
        self.pbx.channels = ["1.1", "1.2"]
        self.start()
        self.assertEqual(self.told(), ["begins"])
        self.pbx.event("Newchannel", channel("1.2"))
        self.assertEqual(self.told(), ["Newchannel"])
        self.pbx.booted()
        self.pbx.event("Hangup", channel("1.1") + b"\r\nCause: 16\r\nCause-txt: Normal")
        self.pbx.answer()
        self.assertEqual(self.told(), ["FullyBooted", "Hangup", (["1.1", "1.2"], BOOTED_AT)])
        self.assert_followed()
        self.assertEqual(self.service.counters.events, 3)

    def test_an_old_asterisk_does_not_say_when_it_started(self) -> None:
        for uptime in (None, "", "soon", "9" * 30):
            self.pbx.uptime = uptime
            self.start()
            self.assertEqual(self.told()[-1], ([], None))
            self.stop()

    def test_an_asterisk_that_still_starts_is_waited_for(self) -> None:
        self.pbx.is_booted = False
        self.start()
        self.clock.advance(29)
        self.assertEqual(len(self.pbx.asked), 2)
        self.pbx.booted()
        self.assertEqual(self.pbx.answer(), ["CoreShowChannels"])
        self.assert_followed()


class PlainSigningInTests(ServiceTestCase):
    """An account that is set to send its secret."""

    challenge = False

    def test_the_secret_is_sent(self) -> None:
        self.start()
        self.assertEqual([asked["Action"] for asked in self.pbx.asked], ["Login", "CoreShowChannels"])
        self.assertEqual(self.pbx.asked[0]["Secret"], "secret")
        self.assert_followed()


class AccountAtFaultTests(ServiceTestCase):
    """What manager.conf must say is told, and tried again slowly."""

    def test_a_wrong_secret(self) -> None:
        self.pbx.secret = "another"
        self.start()
        self.assert_trouble("192.0.2.1:5038", "[whocalls] secret", "Authentication failed")
        self.assertEqual(self.told(), [])
        self.retry(30)
        self.pbx.secret = "secret"
        self.retry(30)
        self.assert_followed()

    def test_no_right_to_list_channels(self) -> None:
        self.pbx.may_report = False
        self.start()
        self.assert_trouble("write = reporting", "CoreShowChannels", "Permission denied")
        self.assertEqual(self.told()[0], "begins")
        self.assertEqual(len(self.pbx.connections), 1)
        self.assertFalse(self.pbx.transport.connected)
        self.pbx.may_report = True
        self.retry(30)
        self.assert_followed()

    def test_no_right_to_hear_of_the_system(self) -> None:
        self.pbx.is_booted = False
        self.start()
        self.clock.advance(30)
        self.assert_trouble("read = system,call,agent", "FullyBooted")
        self.pbx.is_booted = True
        self.retry(30)
        self.assert_followed()

    def test_no_right_to_hear_of_calls(self) -> None:
        self.pbx.channels = ["1.1"]
        self.start()
        self.clock.advance(10)
        self.assertEqual(self.pbx.answer(), ["Ping", "CoreShowChannels"])
        self.pbx.channels = ["1.1", "1.2"]
        self.clock.advance(10)
        self.assertEqual(self.pbx.answer(), ["Ping", "CoreShowChannels"])
        self.assert_followed()  # an event may be on its way
        self.clock.advance(10)
        self.pbx.answer()
        self.assert_trouble("read = system,call,agent", "no event of a call is heard")
        self.retry(30)
        self.assert_followed()

    def test_one_event_of_a_call_proves_that_calls_are_heard(self) -> None:
        self.start()
        self.pbx.channels = ["1.1"]
        self.clock.advance(10)
        self.pbx.answer()
        self.pbx.event("Newchannel", channel("1.1"))
        for _ in range(3):
            self.clock.advance(10)
            self.assertEqual(self.pbx.answer(), ["Ping"])
        self.assert_followed()


class ReconnectingTests(ServiceTestCase):
    """The connection ends."""

    def test_the_delays_grow_from_half_a_second_to_half_a_minute(self) -> None:
        self.pbx.refuses_connections = True
        self.start()
        self.assert_trouble("Connection refused")
        delays = []
        for _ in range(9):
            call = self.clock.getDelayedCalls()[0]
            delays.append(call.getTime() - self.clock.seconds())
            self.clock.advance(delays[-1])
        self.assertEqual(delays, [0.5, 1, 2, 4, 8, 16, 30, 30, 30])
        self.pbx.refuses_connections = False
        self.retry(30)
        self.assert_followed()

    def test_a_part_of_the_delay_is_left_to_chance(self) -> None:
        self.service._jitter = lambda: 1.0
        self.pbx.refuses_connections = True
        self.start()
        self.assertAlmostEqual(self.clock.getDelayedCalls()[0].getTime(), 0.4)

    def test_after_a_loss_the_picture_is_read_anew(self) -> None:
        self.pbx.channels = ["1.1"]
        self.start()
        self.told()
        self.pbx.end()
        self.assertIn("End of file", self.told()[0])
        self.assert_trouble("connection lost", "End of file")
        self.pbx.channels = []
        self.retry(0.5)
        self.assert_followed()
        told = self.told()
        self.assertEqual((told[0], told[-1]), ("begins", ([], BOOTED_AT)))
        self.assertEqual(self.service.counters.reconnects, 1)
        self.pbx.end()
        self.retry(0.5)  # a success makes the delays begin anew
        self.assertEqual(self.service.counters.reconnects, 2)

    def test_a_restart_is_told_by_name(self) -> None:
        self.start()
        self.pbx.event("Shutdown", b"Shutdown: Cleanly\r\nRestart: True", b"system,all")
        self.assert_followed()  # the event alone ends nothing
        self.pbx.end()
        self.assertIn("lost: Asterisk restarts; ", self.told()[-1])
        self.retry(0.5)
        self.pbx.event("Shutdown", b"Shutdown: Cleanly\r\nRestart: False", b"system,all")
        self.pbx.end()
        self.assertIn("lost: Asterisk was stopped; ", self.told()[-1])
        self.retry(0.5)
        self.pbx.end()
        self.assertNotIn("Asterisk was stopped", self.told()[-1])

    def test_a_connection_reset_before_the_banner_is_a_failed_attempt(self) -> None:
        self.pbx.greets = False
        self.start()
        self.pbx.end("Connection reset by peer")
        self.assert_trouble("the banner", "Connection reset by peer")
        self.retry(0.5)
        self.pbx.greets = True
        self.pbx.end("Connection reset by peer")
        self.retry(1)
        self.assert_followed()
        self.assertEqual(self.told()[0], "begins")

    def assert_loss_during(self, action: str) -> None:
        setattr(self.pbx, f"_{action.lower()}", lambda asked: self.pbx.end())
        self.start()
        self.assert_trouble(action, "End of file")
        delattr(self.pbx, f"_{action.lower()}")
        self.retry(0.5)
        self.assert_followed()

    def test_a_loss_during_the_challenge(self) -> None:
        self.assert_loss_during("Challenge")

    def test_a_loss_during_the_login(self) -> None:
        self.assert_loss_during("Login")

    def test_a_loss_during_the_list_of_channels(self) -> None:
        self.assert_loss_during("CoreShowChannels")

    def test_a_peer_that_says_nothing_is_left(self) -> None:
        self.pbx.greets = False
        self.start()
        self.clock.advance(5)
        self.assert_trouble("the banner took longer than 5 s")
        self.assertFalse(self.pbx.transport.connected)
        self.pbx.greets = True
        self.retry(0.5)
        self.assert_followed()

    def test_a_peer_that_is_no_asterisk_is_left(self) -> None:
        self.pbx.greets = False
        self.start()
        self.pbx.say(b"220 mail.example ESMTP\r\n")
        self.assert_trouble("220 mail.example")
        self.assertFalse(self.pbx.transport.connected)

    def test_a_listener_that_cannot_merge_the_picture_gets_another(self) -> None:
        self.listener.error = KeyError("a bug of the listener")
        self.start()
        self.assert_trouble("a bug of the listener")
        self.listener.error = None
        self.retry(0.5)
        self.assert_followed()


class KeepaliveTests(ServiceTestCase):
    """A silent Asterisk is asked; a frozen one is left."""

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.pbx.event("Newchannel", channel("1.1"))

    def test_it_is_asked_after_ten_seconds_of_silence(self) -> None:
        self.clock.advance(9.9)
        self.pbx.event("Newstate", channel("1.1"))
        self.clock.advance(9.9)
        self.assertEqual(self.pbx.answer(), [])
        self.clock.advance(0.1)
        self.assertEqual(self.pbx.answer(), ["Ping"])
        self.clock.advance(10)
        self.assertEqual(self.pbx.answer(), ["Ping"])
        self.assert_followed()

    def test_without_an_answer_the_connection_is_left(self) -> None:
        self.pbx.is_frozen = True
        self.clock.advance(10)
        self.pbx.answer()
        self.clock.advance(4.9)
        self.assert_followed()
        self.clock.advance(0.1)
        self.assert_trouble("Asterisk is silent", "Ping took longer than 5 s")
        self.assertFalse(self.pbx.transport.connected)
        self.pbx.is_frozen = False
        self.retry(0.5)
        self.assert_followed()

    def test_a_ping_that_is_refused_is_an_answer(self) -> None:
        self.pbx._ping = lambda asked: self.pbx._reply(asked, "Error", "Message: Permission denied")
        for _ in range(3):
            self.clock.advance(10)
            self.assertEqual(self.pbx.answer(), ["Ping"])
        self.assert_followed()

    def test_a_loss_while_it_is_asked(self) -> None:
        self.clock.advance(10)
        self.pbx.end()
        self.retry(0.5)
        self.assert_followed()


class ForgedTests(ServiceTestCase):
    """What callers forge is counted, and only counted; what Asterisk said around it is followed."""

    def test_pieces_of_torn_events_are_counted_and_mended(self) -> None:
        self.start()
        self.told()
        torn = channel("1.1").replace(b"79161234567", b"7\r\n\r\nEvent: Hangup\r\nUniqueid: 1.1")
        for _ in range(3):
            self.pbx.say(b"Event: Newchannel\r\nPrivilege: call,all\r\n" + torn + b"\r\n\r\n")
        self.assertEqual(self.told(), ["Newchannel"] * 3)
        self.assertEqual(self.service.counters.dropped, 6)
        self.assert_followed()

    def test_nothing_is_believed_before_the_login(self) -> None:
        self.pbx.is_frozen = True
        self.start()
        self.pbx.event("Newchannel", channel("1.1"))
        self.assertEqual((self.told(), self.service.counters.events), ([], 0))
        self.pbx.end()


class StoppingTests(ServiceTestCase):
    """`stopService` ends it in every state, and at once."""

    def test_while_it_waits_for_the_connection(self) -> None:
        cancelled = []
        self.pbx.pending = Deferred(cancelled.append)
        self.start()
        self.stop()
        self.assertEqual(len(cancelled), 1)

    def test_while_it_signs_in(self) -> None:
        self.pbx.is_frozen = True
        self.start()
        self.stop()
        self.assertFalse(self.pbx.transport.connected)
        self.assertEqual(self.told(), [])

    def test_while_it_waits_for_the_picture(self) -> None:
        self.pbx.is_booted = False
        self.start()
        self.stop()
        self.assertFalse(self.pbx.transport.connected)
        self.assertEqual(self.told(), ["begins", "lost: whocalls stops"])

    def test_while_the_picture_is_handed_over(self) -> None:
        stopped: list[Deferred[None]] = []
        self.listener.snapshot = lambda channels, booted_at: stopped.append(self.service.stopService())
        self.start()
        self.successResultOf(stopped[0])
        self.assertFalse(self.pbx.transport.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_while_it_waits_to_try_again(self) -> None:
        self.pbx.refuses_connections = True
        self.start()
        self.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_while_all_is_well(self) -> None:
        self.start()
        self.told()
        self.stop()
        self.assertFalse(self.pbx.transport.connected)
        self.assertEqual(self.told(), ["lost: whocalls stops"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_can_be_started_again(self) -> None:
        self.start()
        self.stop()
        self.start()
        self.assert_followed()
        self.assertEqual(len(self.pbx.connections), 2)
