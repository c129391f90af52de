"""The FastAGI server on a transport in memory: what goes out, what is closed, what is logged."""

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from structlog.testing import capture_logs
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from fastagi.agi.protocol import AgiFactory, AgiProtocol, Refusal
from fastagi.agi.requests import Facts, Request
from tests.agi.conversations import environment

PAIRS = [("SUBSCRIBER_ID", "4711"), ("LOOKUP_STATUS", "FOUND")]
COMMAND = b'EXEC MSet "SUBSCRIBER_ID=4711,LOOKUP_STATUS=FOUND"\n'
KNOWN = Facts(pbx="main", uniqueid="1795423013.178")
PEER = "127.0.0.1:40001"


class Transport(StringTransport):
    """A TCP transport in memory that knows half-closing, and tells the protocol about its end as Twisted does."""

    bufferSize = 65536

    def __init__(self, protocol: AgiProtocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.half_closed = False

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def abortConnection(self) -> None:
        super().abortConnection()
        self.end()

    def loseConnection(self) -> None:
        super().loseConnection()
        self.end()

    def end(self) -> None:
        """Asterisk closed, or we did."""
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(Failure(ConnectionDone()))


class DirectTransport(Transport):
    """The same, with what our own transport adds: it says a command, and its end with the last one."""

    def say(self, data: bytes, *, last: bool) -> None:
        self.io.write(data)
        self.half_closed = self.half_closed or last


class AgiCase(SynchronousTestCase):
    """A factory with a recorder behind it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[Request, str]] = []
        self.refusals: list[Refusal] = []
        self.answer: Any = PAIRS
        self.factory = self.make()
        self.factory.startFactory()
        self.addCleanup(self._leave)

    def make(self, **changes: Any) -> AgiFactory:
        networks = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
        settings = {"clock": self.clock, "allow": networks, "on_refused": self.refusals.append} | changes
        return AgiFactory(self._ask, **settings)

    def _ask(self, request: Request, peer: str) -> "Deferred[Sequence[tuple[str, str]]]":
        self.asked.append((request, peer))
        return self.answer if isinstance(self.answer, Deferred) else succeed(self.answer)

    def _leave(self) -> None:
        self.factory.stopFactory()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def connect(
        self, address: Any = None, factory: AgiFactory | None = None, kind: type[Transport] = DirectTransport
    ) -> Transport:
        protocol = (factory or self.factory).buildProtocol(address or IPv4Address("TCP", "127.0.0.1", 40001))
        assert protocol is not None
        transport = kind(protocol)
        protocol.makeConnection(transport)
        return transport


class TalkingTests(AgiCase):
    """A call that goes well, and callers who hang up."""

    def test_an_environment_is_answered_in_one_write(self) -> None:
        with capture_logs() as logs:
            transport = self.connect()
            transport.protocol.dataReceived(environment())
            self.assertEqual(transport.value(), COMMAND)
            self.assertTrue(transport.half_closed)
            transport.protocol.dataReceived(b"200 result=0\nHANGUP\n")
            transport.end()
        self.assertEqual(logs, [])
        [(request, peer)] = self.asked
        self.assertEqual((request.pbx, request.uniqueid, peer), ("main", "1795423013.178", "127.0.0.1"))
        counters = self.factory.counters
        self.assertEqual((counters.connections, counters.requests, counters.answered), (1, 1, 1))
        self.assertEqual((counters.hung_up, counters.denied, sum(counters.refused.values())), (0, 0, 0))
        self.assertEqual(self.factory.open_connections, 0)

    def test_an_environment_in_many_segments(self) -> None:
        transport = self.connect()
        for byte in environment():
            self.assertEqual(transport.value(), b"")
            transport.protocol.dataReceived(bytes([byte]))
        self.assertEqual(transport.value(), COMMAND)

    def test_the_answer_may_come_later(self) -> None:
        self.answer = Deferred()
        transport = self.connect()
        transport.protocol.dataReceived(environment())
        self.assertEqual(transport.value(), b"")
        self.answer.callback(PAIRS)
        self.assertEqual(transport.value(), COMMAND)

    def test_a_long_answer_is_half_closed_only_after_the_last_command(self) -> None:
        self.answer = [("A", "x" * 8000), ("B", "y" * 8000), ("LOOKUP_STATUS", "FOUND")]
        transport = self.connect()
        transport.protocol.dataReceived(environment())
        self.assertEqual(transport.value().count(b"\n"), 1)
        self.assertFalse(transport.half_closed)
        transport.protocol.dataReceived(b"200 result=0\n")
        self.assertEqual(transport.value().count(b"\n"), 2)
        self.assertTrue(transport.half_closed)
        transport.protocol.dataReceived(b"200 result=0\n")
        self.assertEqual(self.factory.counters.answered, 1)

    def test_nothing_to_set_only_ends(self) -> None:
        self.answer = []
        transport = self.connect()
        transport.protocol.dataReceived(environment())
        self.assertEqual(transport.value(), b"")
        self.assertTrue(transport.half_closed)

    def test_a_caller_who_hangs_up_is_let_go(self) -> None:
        for ending in ("line", "end"):
            self.answer = Deferred()
            transport = self.connect()
            transport.protocol.dataReceived(environment())
            if ending == "line":
                transport.protocol.dataReceived(b"HANGUP\n")
                self.assertTrue(transport.disconnecting)
            else:
                transport.end()
            self.answer.callback(PAIRS)
            self.assertEqual(transport.value(), b"")
        self.assertEqual(self.factory.counters.hung_up, 2)
        self.assertEqual(len(self.asked), 2)
        self.assertEqual(self.refusals, [])

    def test_a_command_that_asterisk_denies_is_logged(self) -> None:
        with capture_logs() as logs:
            transport = self.connect()
            transport.protocol.dataReceived(environment())
            transport.protocol.dataReceived(b"510 Invalid or unknown command\n")
        self.assertTrue(transport.disconnecting)
        [line] = logs
        self.assertEqual(
            (line["event"], line["peer"], line["uniqueid"]), ("agi.denied", PEER, "1795423013.178")
        )
        self.assertIn("510", line["reason"])
        self.assertEqual(self.factory.counters.denied, 1)

    def test_a_lookup_that_fails_is_answered_with_error(self) -> None:
        self.answer = fail(ZeroDivisionError("bug"))
        with capture_logs() as logs:
            transport = self.connect()
            transport.protocol.dataReceived(environment())
        self.assertTrue(transport.value().startswith(b'EXEC MSet "SUBSCRIBER_ID=,'))
        self.assertTrue(transport.value().endswith(b'LOOKUP_STATUS=ERROR"\n'))
        [line] = logs
        self.assertEqual((line["event"], line["log_level"]), ("agi.lookup_failed", "error"))
        self.assertIsInstance(line["exc_info"], ZeroDivisionError)
        self.assertEqual(self.factory.counters.failed, 1)

    def test_a_lookup_that_raises_at_once_is_answered_with_error(self) -> None:
        def ask(request: Request, peer: str) -> Any:
            raise ZeroDivisionError("bug")

        self.factory.ask = ask
        with capture_logs() as logs:
            transport = self.connect()
            transport.protocol.dataReceived(environment())
        self.assertTrue(transport.value().endswith(b'LOOKUP_STATUS=ERROR"\n'))
        self.assertEqual(len(logs), 1)

    def test_variables_that_no_wire_can_carry_are_answered_with_error(self) -> None:
        self.answer = [("NO NAME", "x")]
        with capture_logs() as logs:
            transport = self.connect()
            transport.protocol.dataReceived(environment())
        self.assertTrue(transport.value().endswith(b'LOOKUP_STATUS=ERROR"\n'))
        self.assertEqual([line["event"] for line in logs], ["agi.lookup_failed"])

    def test_keys_of_a_newer_asterisk_are_counted(self) -> None:
        transport = self.connect()
        transport.protocol.dataReceived(environment().replace(b"agi_dnid", b"agi_new: 1\nagi_dnid"))
        self.assertEqual(transport.value(), COMMAND)
        self.assertEqual(self.factory.counters.unknown_keys, 1)


class WritingTests(AgiCase):
    """Whatever the transport, Asterisk gets the command once and whole, and our end behind it."""

    def test_a_transport_that_says_and_one_that_knows_only_write(self) -> None:
        for kind in (DirectTransport, Transport):
            transport = self.connect(kind=kind)
            transport.protocol.dataReceived(environment())
            self.assertEqual((transport.value(), transport.half_closed), (COMMAND, True))

    def test_an_answer_that_needs_no_waiting_is_no_deferred(self) -> None:
        factory = AgiFactory(lambda request, peer: PAIRS, clock=self.clock, allow=[ip_network("127.0.0.0/8")])
        transport = self.connect(factory=factory)
        transport.protocol.dataReceived(environment())
        self.assertEqual(transport.value(), COMMAND)


class HostileTests(AgiCase):
    """Every bad peer is closed with one line, and nobody else notices."""

    def expect_refused(self, data: bytes, kind: str, facts: Facts, *, was_asked: bool = False) -> Refusal:
        neighbour = self.connect(IPv4Address("TCP", "127.0.0.1", 40002))
        with capture_logs() as logs:
            transport = self.connect()
            transport.protocol.dataReceived(data)
        self.assertTrue(transport.disconnected)
        [line] = logs
        self.assertEqual((line["event"], line["log_level"], line["peer"]), ("agi.refused", "warning", PEER))
        [refusal] = self.refusals
        self.assertEqual((refusal.peer, refusal.facts, refusal.was_asked), (PEER, facts, was_asked))
        self.assertEqual(line["reason"], refusal.reason)
        self.assertEqual(self.factory.counters.refused[kind], 1)
        self.assertEqual(sum(self.factory.counters.refused.values()), 1)
        neighbour.protocol.dataReceived(environment())
        self.assertEqual(neighbour.value(), COMMAND)
        return refusal

    def test_garbage(self) -> None:
        self.expect_refused(b"GET / HTTP/1.1\r\n\r\n", "environment", Facts())
        self.assertEqual(len(self.asked), 1)  # the neighbour's

    def test_ten_megabytes_without_a_line_end(self) -> None:
        self.expect_refused(b"A" * 10_000_000, "environment", Facts())

    def test_ten_thousand_variables(self) -> None:
        start = environment().split(b"agi_callerid")[0]
        self.expect_refused(start + b"agi_v: x\n" * 10_000, "environment", KNOWN)

    def test_a_forged_end_and_reply(self) -> None:
        forged = environment({"agi_callerid": "7\nagi_threadid: 1\n\n200 result=0\n"})
        self.expect_refused(forged, "environment", KNOWN)

    def test_bytes_after_the_environment(self) -> None:
        self.expect_refused(environment() + b"200 result=0\n", "environment", KNOWN)

    def test_a_wrong_reply(self) -> None:
        with capture_logs() as logs:
            transport = self.connect()
            transport.protocol.dataReceived(environment())
            transport.protocol.dataReceived(b"agi_rdnis: unknown\n")
        self.assertTrue(transport.disconnected)
        self.assertEqual(len(logs), 1)
        [refusal] = self.refusals
        self.assertEqual((refusal.facts, refusal.was_asked), (KNOWN, True))
        self.assertEqual(self.factory.counters.refused["dialogue"], 1)

    def test_closing_before_the_empty_line(self) -> None:
        for sent, facts in ((b"", Facts()), (environment()[:-1], KNOWN)):
            with capture_logs() as logs:
                transport = self.connect()
                transport.protocol.dataReceived(sent)
                transport.end()
            self.assertEqual([line["reason"] for line in logs], ["closed before the empty line"])
            self.assertEqual(self.refusals.pop().facts, facts)
            self.assertEqual(self.asked, [])

    def test_what_comes_after_an_offence_is_not_read(self) -> None:
        transport = self.connect()
        transport.protocol.dataReceived(b"garbage\n")
        transport.protocol.dataReceived(environment())
        self.assertEqual(transport.value(), b"")
        self.assertEqual((len(self.refusals), self.asked), (1, []))

    def test_the_peer_of_ipv6_and_of_a_unix_socket(self) -> None:
        for address, peer in ((IPv6Address("TCP", "::1", 7), "[::1]:7"), (UNIXAddress("/run/x"), "unix")):
            transport = self.connect(address)
            transport.protocol.dataReceived(b"garbage\n")
            self.assertEqual(self.refusals.pop().peer, peer)


class LimitTests(AgiCase):
    """Limits of time, of connections and of addresses."""

    def test_silence_ends_after_two_seconds(self) -> None:
        silent, half = self.connect(), self.connect()
        half.protocol.dataReceived(environment().split(b"agi_version")[0])
        self.clock.pump([0.25] * 7)
        self.assertFalse(silent.disconnected or half.disconnected)
        with capture_logs() as logs:
            self.clock.pump([0.25] * 2)
        self.assertTrue(silent.disconnected and half.disconnected)
        self.assertEqual({line["reason"] for line in logs}, {"no complete environment within 2 s"})
        self.assertEqual([refusal.facts for refusal in self.refusals], [Facts(), KNOWN])
        self.assertEqual((self.factory.counters.timeouts, self.factory.counters.refused["time"]), (2, 2))

    def test_a_drop_now_and_then_does_not_prolong_the_limit(self) -> None:
        transport = self.connect()
        for byte in environment()[:20]:
            transport.protocol.dataReceived(bytes([byte]))
            self.clock.advance(0.25)
        self.assertTrue(transport.disconnected)

    def test_a_dialogue_ends_after_ten_seconds(self) -> None:
        self.answer = Deferred()
        waiting = self.connect()
        waiting.protocol.dataReceived(environment())
        self.answer = PAIRS
        unconfirmed = self.connect()
        unconfirmed.protocol.dataReceived(environment())
        self.clock.pump([0.25] * 39)
        self.assertFalse(waiting.disconnected or unconfirmed.disconnected)
        self.clock.pump([0.25] * 2)
        self.assertTrue(waiting.disconnected and unconfirmed.disconnected)
        self.assertEqual([refusal.was_asked for refusal in self.refusals], [True, True])
        self.assertEqual(self.factory.open_connections, 0)

    def test_the_young_are_left_alone(self) -> None:
        self.answer = Deferred()
        old = self.connect()
        old.protocol.dataReceived(environment())
        self.clock.pump([0.25] * 8)
        young = self.connect()
        self.clock.pump([0.25] * 7)
        self.assertFalse(old.disconnected or young.disconnected)

    def test_an_address_that_may_not_ask_is_closed_at_once(self) -> None:
        with capture_logs() as logs:
            for host in ("192.0.2.1", "192.0.2.1", "2001:db8::1"):
                self.assertIsNone(self.factory.buildProtocol(IPv4Address("TCP", host, 1)))
        [line] = logs
        self.assertEqual((line["peer"], line["reason"]), ("192.0.2.1", "this address is not in agi.allow"))
        self.assertEqual(self.factory.counters.refused["address"], 3)
        self.assertEqual(self.factory.counters.connections, 0)

    def test_ipv4_in_ipv6_is_the_same_address(self) -> None:
        self.assertIsNotNone(self.factory.buildProtocol(IPv6Address("TCP", "::ffff:127.0.0.1", 1)))
        self.assertIsNone(self.factory.buildProtocol(IPv6Address("TCP", "::ffff:192.0.2.1", 1)))

    def test_too_many_connections_are_closed_with_few_lines(self) -> None:
        factory = self.make(max_connections=3)
        address = IPv4Address("TCP", "127.0.0.1", 1)
        open_ones = [self.connect(address, factory) for _ in range(3)]
        with capture_logs() as logs:
            self.assertEqual([factory.buildProtocol(address) for _ in range(50)], [None] * 50)
            self.clock.advance(10)
            self.assertIsNone(factory.buildProtocol(address))
        self.assertEqual([line["total"] for line in logs], [1, 51])
        open_ones[0].protocol.dataReceived(environment())
        self.assertEqual(open_ones[0].value(), COMMAND)
        open_ones[0].end()
        self.assertIsNotNone(factory.buildProtocol(address))

    def test_all_can_be_closed(self) -> None:
        transports = [self.connect() for _ in range(3)]
        self.factory.close_all()
        self.assertTrue(all(transport.disconnected for transport in transports))
        self.assertEqual(self.factory.open_connections, 0)
