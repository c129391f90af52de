"""`whocalls-agi` as Asterisk runs it: a process between two pipes and the server."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastagi.agi import script
from fastagi.agi.session import Asked, Event, Next, Refused, Session
from tests.agi.conversations import environment

pytestmark = pytest.mark.slow

ANSWER = [("CALLERID(name)", 'Иванов "И", \\'), ("LOOKUP_STATUS", "FOUND")]
COMMAND = 'EXEC MSet "CALLERID(name)=Иванов \\\\\\"И\\\\\\"\\\\, \\\\\\\\,LOOKUP_STATUS=FOUND"\n'
LINKEDID = "1795423013.170"
LIMIT = 1.5
"""Seconds the script may take, as it promises; tests allow the start of an interpreter on a busy machine."""


class Server:
    """The product's own session behind a blocking socket; `events` are what it made of the script."""

    def __init__(self, pairs: list[tuple[str, str]], *, speaks: bool = True) -> None:
        self.events: list[Event] = []
        self._pairs = pairs
        self._speaks = speaks
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def wait(self) -> list[Event]:
        assert self._ended.wait(20), "the script never closed its connection"
        return self.events

    def stop(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                self._talk(connection)
        self._ended.set()

    def _talk(self, connection: socket.socket) -> None:
        session = Session()
        connection.settimeout(20)
        while data := connection.recv(8192):
            for event in session.receive(data) if self._speaks else ():
                self.events.append(event)
                if isinstance(event, Refused):
                    return
                command = self._command(session, event)
                if command:
                    connection.sendall(command)
                if session.is_last and command is not None:
                    connection.shutdown(socket.SHUT_WR)
        self.events.extend(session.end_of_stream())

    def _command(self, session: Session, event: Event) -> bytes | None:
        if isinstance(event, Asked):
            return session.answer(self._pairs)
        return event.command if isinstance(event, Next) else None


@pytest.fixture
def start() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **variables: str) -> "subprocess.Popen[str]":
        code = "from fastagi.agi.script import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", **variables},
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def serve(pairs: list[tuple[str, str]] = ANSWER, *, speaks: bool = True) -> Server:
        servers.append(Server(pairs, speaks=speaks))
        return servers[-1]

    yield serve
    for server in servers:
        server.stop()


def plain(data: bytes | None = None) -> str:
    """An environment as a plain AGI script gets it: without the two lines of the network."""
    lines = (data or environment()).decode("utf-8", "surrogateescape").split("\n")
    return "\n".join(["agi_request: /usr/local/bin/whocalls-agi", *lines[3:]])


def tell(process: "subprocess.Popen[str]", text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()


def hear(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def ended(process: "subprocess.Popen[str]") -> str:
    """Wait for the end, check its code, and return what the script said to the console."""
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    return errors


def test_it_carries_question_command_and_reply(start, serve) -> None:  # type: ignore[no-untyped-def]
    server = serve()
    process = start(LINKEDID, server.address, "second pbx")
    tell(process, plain())
    assert hear(process) == COMMAND
    tell(process, "200 result=0\n")
    assert ended(process) == ""
    asked, done = server.wait()
    request = asked.request
    assert (request.pbx, request.uniqueid, request.linkedid) == ("second pbx", "1795423013.178", LINKEDID)
    assert type(done).__name__ == "Done"


def test_address_and_pbx_may_come_from_the_environment(start, serve) -> None:  # type: ignore[no-untyped-def]
    server = serve()
    process = start(LINKEDID, WHOCALLS_AGI_SERVER=server.address, WHOCALLS_AGI_PBX="kyiv")
    tell(process, plain())
    assert hear(process) == COMMAND
    tell(process, "200 result=0\n")
    ended(process)
    assert server.wait()[0].request.pbx == "kyiv"


def test_a_long_answer_is_several_commands(start, serve) -> None:  # type: ignore[no-untyped-def]
    server = serve([("A", "x" * 8000), ("B", "y" * 8000), ("LOOKUP_STATUS", "FOUND")])
    process = start(LINKEDID, server.address)
    tell(process, plain())
    for name in ("A", "B"):
        assert hear(process).startswith(f'EXEC MSet "{name}=')
        tell(process, "200 result=0\n")
    ended(process)
    assert [type(event).__name__ for event in server.wait()] == ["Asked", "Next", "Done"]


@pytest.mark.parametrize(
    "reply",
    [
        "510 Invalid or unknown command\n",
        "520-Invalid command syntax.\n Usage: x\n520 End of proper usage.\n",
        "200 result=-1\n",
    ],
)
def test_a_refusal_reaches_the_server(start, serve, reply: str) -> None:  # type: ignore[no-untyped-def]
    server = serve()
    process = start(LINKEDID, server.address)
    tell(process, plain())
    hear(process)
    tell(process, reply)
    ended(process)
    assert [type(event).__name__ for event in server.wait()] == ["Asked", "Denied"]


def test_without_a_server_the_status_is_error(start) -> None:  # type: ignore[no-untyped-def]
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    process = start(LINKEDID, address)
    tell(process, plain())
    command = hear(process)
    assert command.startswith('EXEC MSet "SUBSCRIBER_ID=,')
    assert command.endswith('LOOKUP_STATUS=ERROR"\n')
    tell(process, "200 result=0\n")
    assert address in ended(process)


@pytest.mark.parametrize("address", ["127.0.0.1:", "127.0.0.1:x", "::1", "no such host:1"])
def test_a_wrong_address_does_not_hurt_the_call(start, address: str) -> None:  # type: ignore[no-untyped-def]
    process = start(LINKEDID, address)
    tell(process, plain())
    assert hear(process).endswith('LOOKUP_STATUS=ERROR"\n')
    tell(process, "200 result=0\n")
    assert address in ended(process)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", ("192.0.2.7", 4573)),
        ("pbx.example:4574", ("pbx.example", 4574)),
        ("[::1]", ("::1", 4573)),
        ("[::1]:4574", ("::1", 4574)),
    ],
)
def test_the_port_may_be_left_out(address: str, expected: tuple[str, int]) -> None:
    assert script._host_and_port(address) == expected


@pytest.mark.parametrize("address", ["", ":4573", "::1", "a:b", "a:65536", "a:1:2", "[::1", "a b:1", "a:-1"])
def test_no_address_is_told(address: str) -> None:
    with pytest.raises(ValueError, match="HOST or HOST:PORT"):
        script._host_and_port(address)


def test_a_server_that_hangs_is_a_timeout(start, serve) -> None:  # type: ignore[no-untyped-def]
    server = serve(speaks=False)
    begun = time.monotonic()
    process = start(LINKEDID, server.address)
    tell(process, plain())
    assert hear(process).endswith('LOOKUP_STATUS=TIMEOUT"\n')
    tell(process, "200 result=0\n")
    ended(process)
    assert time.monotonic() - begun < LIMIT + 3


def test_it_ends_even_when_asterisk_says_nothing(start, serve) -> None:  # type: ignore[no-untyped-def]
    begun = time.monotonic()
    silent = start(LINKEDID, serve().address)
    unanswered = start(LINKEDID, serve().address)
    tell(unanswered, plain())
    for process in (silent, unanswered):
        process.wait(timeout=20)
        assert process.returncode == 0
    assert time.monotonic() - begun < LIMIT + 3


def test_a_forged_environment_is_refused_by_the_server(start, serve) -> None:  # type: ignore[no-untyped-def]
    server = serve()
    process = start(LINKEDID, server.address)
    tell(process, plain(environment({"agi_callerid": "7\nagi_threadid: 1\n\n200 result=0\n"})))
    ended(process)
    [refused] = server.wait()
    assert (refused.reason, refused.facts.uniqueid) == ("agi_threadid is misplaced", "1795423013.178")


def test_wrong_encoding_goes_through(start, serve) -> None:  # type: ignore[no-untyped-def]
    server = serve()
    process = start(LINKEDID, server.address)
    tell(process, plain(environment({"agi_calleridname": "\udcc8\udce2"})))
    assert hear(process) == COMMAND
    tell(process, "200 result=0\n")
    ended(process)
    assert server.wait()[0].request.calleridname == "��"


def test_a_caller_who_hangs_up_ends_it(start, serve) -> None:  # type: ignore[no-untyped-def]
    server = serve()
    process = start(LINKEDID, server.address)
    tell(process, plain())
    hear(process)
    process.send_signal(signal.SIGHUP)
    process.stdout.close()
    tell(process, "200 result=0\n")
    process.stdin.close()
    assert process.wait(timeout=20) == 0
    assert type(server.wait()[0]).__name__ == "Asked"


def test_closed_pipes_end_it(start, serve) -> None:  # type: ignore[no-untyped-def]
    process = start(LINKEDID, serve().address)
    process.stdin.close()
    process.stdout.close()
    assert process.wait(timeout=20) == 0
