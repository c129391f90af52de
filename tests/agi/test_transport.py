"""Our TCP transport: real sockets, the reads and writes done by hand."""

import asyncio
import select
import socket

import pytest
from twisted.internet import main
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactor
from twisted.python.failure import Failure

from fastagi.agi.readiness import LoopReadiness, make_readiness
from fastagi.agi.transport import AgiTransport


class ByHand:
    """Watches nothing; the test says what can be read."""

    def __init__(self) -> None:
        self.watched = {}

    def add(self, descriptor, readable) -> None:
        self.watched[descriptor] = readable

    def remove(self, descriptor, *, closing) -> None:
        del self.watched[descriptor]


class FakeProtocol:
    """Remembers what it is told."""

    finished = False

    def __init__(self) -> None:
        self.received, self.ends, self.fails = b"", [], False

    def dataReceived(self, data) -> None:
        if self.fails:
            raise RuntimeError("a fault of ours")
        self.received += data

    def connectionLost(self, reason) -> None:
        self.ends.append(reason.value)


class Bench:
    def __init__(self) -> None:
        ours, self.peer = socket.socketpair()
        self.peer.settimeout(10)
        self.readiness, self.protocol = ByHand(), FakeProtocol()
        self.descriptor = ours.fileno()
        client = ("127.0.0.1", 40001)
        reactor = MemoryReactor()
        self.transport = AgiTransport(self.readiness, ours, self.protocol, client, None, 1, reactor)

    def readable(self) -> None:
        self.readiness.watched[self.descriptor]()

    def all_of_it(self) -> bytes:
        """What the peer gets until our end."""
        data = b""
        while chunk := self.peer.recv(65536):
            data += chunk
        return data


@pytest.fixture
def bench():
    made = Bench()
    yield made
    if made.transport.connected:
        made.transport.connectionLost(Failure(main.CONNECTION_LOST))
    made.peer.close()


def test_the_last_command_brings_our_end_with_it(bench):
    bench.transport.say(b"EXEC MSet\n", last=True)
    assert bench.all_of_it() == b"EXEC MSet\n"


def test_a_command_that_is_not_the_last_leaves_the_way_open(bench):
    bench.transport.say(b"first\n", last=False)
    assert bench.peer.recv(100) == b"first\n"
    bench.transport.say(b"second\n", last=True)
    assert bench.all_of_it() == b"second\n"


def test_nothing_to_say_is_only_our_end(bench):
    bench.transport.say(b"", last=True)
    assert bench.all_of_it() == b""


def test_a_socket_that_takes_only_a_part(bench):
    """The rest goes by Twisted's own way, and our end behind it."""
    large = b"x" * 4_000_000
    bench.transport.say(large, last=True)
    got = b""
    while len(got) < len(large):
        got += bench.peer.recv(1_000_000)
        bench.transport.doWrite()
    bench.transport.doWrite()
    assert got == large
    assert bench.peer.recv(1) == b""


def test_a_full_socket_takes_nothing_and_loses_nothing(bench):
    bench.transport.socket.setblocking(False)
    filled = 0
    try:
        while True:
            filled += bench.transport.socket.send(b"x" * 65536)
    except BlockingIOError:
        pass
    bench.transport.say(b"EXEC MSet\n", last=True)
    got = b""
    while len(got) < filled:
        got += bench.peer.recv(1_000_000)
    bench.transport.doWrite()
    bench.transport.doWrite()
    assert (got + bench.all_of_it()).endswith(b"EXEC MSet\n")


def test_a_peer_who_is_gone_is_no_fault_of_ours(bench):
    bench.peer.close()
    bench.transport.say(b"EXEC MSet\n", last=True)
    bench.readable()
    assert len(bench.protocol.ends) == 1
    assert bench.readiness.watched == {}


def test_the_peers_end_is_an_end(bench):
    bench.peer.send(b"agi_network: yes\n")
    bench.readable()
    bench.peer.shutdown(socket.SHUT_WR)
    bench.readable()
    assert bench.protocol.received == b"agi_network: yes\n"
    assert [type(end) for end in bench.protocol.ends] == [ConnectionDone]
    assert bench.peer.recv(1) == b""


def test_when_all_is_confirmed_we_do_not_wait_for_the_end(bench):
    bench.protocol.finished = True
    bench.peer.send(b"200 result=0\n")
    bench.readable()
    assert [type(end) for end in bench.protocol.ends] == [ConnectionDone]


def test_nothing_to_read_changes_nothing(bench):
    bench.readable()
    assert bench.protocol.ends == []


def test_a_fault_of_ours_ends_this_connection_and_is_logged(bench, capsys):
    bench.protocol.fails = True
    bench.peer.send(b"x")
    bench.readable()
    assert [str(end) for end in bench.protocol.ends] == ["a fault of ours"]
    assert "agi.failed" in capsys.readouterr().out


def test_reading_can_be_paused(bench):
    bench.transport.pauseProducing()
    assert bench.readiness.watched == {}
    bench.transport.resumeProducing()
    assert list(bench.readiness.watched) == [bench.descriptor]


@pytest.mark.parametrize("make", [make_readiness, LoopReadiness])
def test_what_can_be_read_is_told_until_it_is_removed(make):
    async def main() -> int:
        ours, peer = socket.socketpair()
        readiness, told = make(), []
        with ours, peer:
            readiness.add(ours.fileno(), lambda: told.append(ours.recv(1)))
            peer.send(b"ab")
            async with asyncio.timeout(10):
                while len(told) < 2:
                    await asyncio.sleep(0)
            readiness.remove(ours.fileno(), closing=False)
            peer.send(b"c")
            for _ in range(5):
                await asyncio.sleep(0.01)
            readiness.close()
            # What was not read is still there: nobody was told.
            assert select.select([ours], [], [], 0)[0] == [ours]
        return len(told)

    assert asyncio.run(main()) == 2
