"""The FastAGI server over real sockets: each bad peer is closed with one line, and the others are served."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from tests.agi.conversations import environment
from tests.lab.agi_process import AgiProcess
from tests.lab.ports import free_port
from tests.lab.waiting import eventually

pytestmark = pytest.mark.slow

PAIRS = [("SUBSCRIBER_ID", "4711"), ("LOOKUP_STATUS", "FOUND")]
COMMAND = b'EXEC MSet "SUBSCRIBER_ID=4711,LOOKUP_STATUS=FOUND"\n'


@pytest.fixture(scope="module")
def running() -> Iterator[AgiProcess]:
    process = AgiProcess(free_port(), PAIRS).start()
    yield process
    process.stop()


@pytest.fixture
def server(running: AgiProcess) -> AgiProcess:
    """The one server of all tests here, with nothing to tell."""
    for told in (running.asked, running.refused, running.log):
        told.clear()
    return running


def connect(server: AgiProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def served(server: AgiProcess) -> None:
    """Ask as Asterisk does, and be answered."""
    with connect(server) as connection:
        connection.sendall(environment())
        assert read(connection) == COMMAND
        connection.sendall(b"200 result=0\nHANGUP\n")


def read(connection: socket.socket) -> bytes:
    """Everything until the server's end; a reset is an end."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while more := connection.recv(65536):
            data += more
    return data


def lines(server: AgiProcess) -> list[str]:
    return [line for line in server.log if "agi.refused" in line]


def test_the_answer_comes_at_once_and_is_half_closed(server: AgiProcess) -> None:
    with connect(server) as connection:
        for line in environment().splitlines(keepends=True):
            connection.sendall(line)
        begun = time.monotonic()
        assert read(connection) == COMMAND
        assert time.monotonic() - begun < 8  # before the end of the server's patience with a peer
        connection.sendall(b"200 result=0\n")
    served(server)
    assert not server.log


@pytest.mark.parametrize(
    "bad",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\n",
        environment({"agi_callerid": "7\n\nSET"}),
        environment() + b"200 result=0\n",
        environment().split(b"agi_callerid")[0] + b"agi_v: x\n" * 10_000,
    ],
    ids=["HTTP", "TLS", "forged end", "early reply", "10,000 variables"],
)
def test_an_offence_is_closed_with_one_line(server: AgiProcess, bad: bytes) -> None:
    with connect(server) as silent, connect(server) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(bad)
        assert read(connection) == b""
        served(server)
        address, port = connection.getsockname()
        [line] = eventually(lambda: lines(server), "the line about it")
        assert f"{address}:{port}" in line
        silent.sendall(environment())
        assert read(silent) == COMMAND


def test_bytes_without_a_line_end_are_not_taken(server: AgiProcess) -> None:
    sent = 0  # the buffers of the kernel alone may hold ten megabytes
    with connect(server) as connection, contextlib.suppress(ConnectionError):
        while sent < 50_000_000:
            sent += connection.send(b"A" * 65536)
    assert sent < 50_000_000
    served(server)
    assert len(eventually(lambda: lines(server), "the line about it")) == 1


def test_the_silent_and_the_hasty_do_not_stop_the_others(server: AgiProcess) -> None:
    silent = [connect(server) for _ in range(20)]
    for _ in range(20):
        connect(server).close()
    for _ in range(20):
        served(server)
    begun = time.monotonic()
    for connection in silent:
        assert read(connection) == b""
        connection.close()
    assert time.monotonic() - begun < 10
    eventually(lambda: len(server.refused) == 40, "all to be reported")
    reasons = {refusal["reason"] for refusal in server.refused}
    assert reasons == {"closed before the empty line", "no complete environment within 2 s"}
    assert len(lines(server)) == 40
    assert len(server.asked) == 20


def test_a_caller_who_leaves_is_nothing_special(server: AgiProcess) -> None:
    for ending in (b"", b"HANGUP\n"):
        with connect(server) as connection:
            connection.sendall(environment() + ending)
    served(server)
    eventually(lambda: len(server.asked) == 3, "all to be asked")
    assert not server.refused
    assert not server.log
