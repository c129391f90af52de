"""The FastAGI server in the service tree: listening, saying how it is, leaving in order."""

import errno
from ipaddress import ip_network
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from fastagi.agi.protocol import AgiFactory
from fastagi.agi.service import AgiService
from fastagi.errors import ConfigError
from tests.agi.conversations import environment
from tests.agi.test_protocol import Transport


class TakenReactor(MemoryReactorClock):
    """Another program has the port."""

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        raise CannotListenError(interface, port, OSError(errno.EADDRINUSE, "Address already in use"))


class ServiceTests(SynchronousTestCase):
    def make(self, reactor: MemoryReactorClock, endpoint: str = "tcp:4573:interface=127.0.0.1") -> AgiService:
        def ask(request: object, peer: str) -> "Deferred[Any]":
            return Deferred()

        factory = AgiFactory(ask, clock=reactor, allow=[ip_network("127.0.0.0/8")])
        return AgiService(endpoint, factory, reactor, source="whocalls.toml")

    def connect(self, service: AgiService, reactor: MemoryReactorClock) -> Transport:
        service.factory.startFactory()  # the port in memory does not
        self.addCleanup(service.factory.stopFactory)
        protocol = service.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 40001))
        transport = Transport(protocol)
        protocol.makeConnection(transport)
        return transport

    def test_it_listens_with_room_for_many_calls_at_once(self) -> None:
        reactor = MemoryReactorClock()
        service = self.make(reactor)
        self.assertFalse(service.health().ok)
        self.assertEqual(service.port, 0)
        service.startService()
        self.assertEqual(reactor.tcpServers, [(4573, service.factory, 1024, "127.0.0.1")])
        self.assertTrue(service.health().ok)
        self.assertIn("tcp:4573:interface=127.0.0.1", service.health().detail)

    def test_a_configured_backlog_stays(self) -> None:
        reactor = MemoryReactorClock()
        self.make(reactor, "tcp:4573:backlog=7").startService()
        self.assertEqual(reactor.tcpServers[0][2], 7)

    def test_listening_twice_is_listening_once(self) -> None:
        reactor = MemoryReactorClock()
        service = self.make(reactor)
        self.successResultOf(service.listen())
        service.startService()
        self.assertEqual(len(reactor.tcpServers), 1)

    def test_a_port_in_use_is_named(self) -> None:
        service = self.make(TakenReactor())
        with self.assertRaises(ConfigError) as caught:
            service.startService()
        error = caught.exception
        self.assertEqual((error.file, error.key), ("whocalls.toml", "agi.listen"))
        self.assertIn("tcp:4573:interface=127.0.0.1", error.reason)
        self.assertIn("already in use", error.reason)
        self.assertFalse(service.health().ok)

    def test_a_wrong_endpoint_is_named(self) -> None:
        for endpoint in ("4573", "tcp:port=x", "nothing:1"):
            failure = self.failureResultOf(self.make(MemoryReactorClock(), endpoint).listen(), ConfigError)
            self.assertIn(repr(endpoint), failure.value.reason)

    def test_leaving_with_nobody_connected(self) -> None:
        reactor = MemoryReactorClock()
        service = self.make(reactor)
        service.startService()
        self.successResultOf(service.stopService())
        self.assertFalse(service.health().ok)

    def test_leaving_lets_dialogues_end(self) -> None:
        reactor = MemoryReactorClock()
        service = self.make(reactor)
        service.startService()
        transport = self.connect(service, reactor)
        transport.protocol.dataReceived(environment())
        left = service.stopService()
        reactor.advance(0.2)
        self.assertNoResult(left)
        transport.end()
        reactor.advance(0.1)
        self.successResultOf(left)
        self.assertFalse(transport.disconnected)

    def test_leaving_does_not_wait_for_ever(self) -> None:
        reactor = MemoryReactorClock()
        service = self.make(reactor)
        service.startService()
        transport = self.connect(service, reactor)
        left = service.stopService()
        reactor.pump([0.05] * 22)
        self.successResultOf(left)
        self.assertTrue(transport.disconnected)

    def test_leaving_without_having_begun(self) -> None:
        self.successResultOf(self.make(MemoryReactorClock()).stopService())
