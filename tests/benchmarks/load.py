"""A load of FastAGI calls: N connections in flight, each spoken like Asterisk 22 does, line by line.

It answers every command the server sends with `200 result=0` (EXEC) or `200 result=1` (the others), in order,
and counts a call as done when the server closed after at least one command.
"""

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Result", "environment", "run"]


def environment(number: str, uniqueid: str, script: str = "lookup?pbx=main") -> list[bytes]:
    """The environment of a trunk call, one line an element, the empty line last."""
    pairs = (
        ("network", "yes"),
        ("network_script", script),
        ("request", f"agi://127.0.0.1:4573/{script}"),
        ("channel", f"PJSIP/trunk-{uniqueid.split('.')[1]:0>8}"),
        ("language", "en"),
        ("type", "PJSIP"),
        ("uniqueid", uniqueid),
        ("version", "22.10.1"),
        ("callerid", number),
        ("calleridname", "unknown"),
        ("callingpres", "0"),
        ("callingani2", "0"),
        ("callington", "0"),
        ("callingtns", "0"),
        ("dnid", "74951230001"),
        ("rdnis", "unknown"),
        ("context", "from-trunk"),
        ("extension", "74951230001"),
        ("priority", "2"),
        ("enhanced", "0.0"),
        ("accountcode", ""),
        ("threadid", "140379369133760"),
        ("arg_1", uniqueid),
    )
    return [*(f"agi_{key}: {value}\n".encode() for key, value in pairs), b"\n"]


@dataclass
class Result:
    """What a load came to: calls done, those with LOOKUP_STATUS FOUND, seconds per call."""

    done: int = 0
    found: int = 0
    failed: int = 0
    latencies: list[float] = field(default_factory=list)


class _Call:
    def __init__(self, port: int, lines: list[bytes]) -> None:
        self.began = time.perf_counter()
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.commands = 0
        self.found = False
        self._rest = b""
        for line in lines:
            self.socket.send(line)

    def read(self) -> bool:
        """Takes what came; returns True at the end."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            return True
        if not data:
            return True
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.commands += 1
            self.found = self.found or b"FOUND" in line
            self._reply(b"200 result=0\n" if line.startswith(b"EXEC") else b"200 result=1\n")
        return False

    def _reply(self, reply: bytes) -> None:
        try:
            self.socket.send(reply)
        except ConnectionError:
            self.commands += 0


def run(port: int, numbers: Callable[[int], str], calls: int, *, in_flight: int = 64) -> Result:
    """Makes `calls` calls, `in_flight` at a time; `numbers` gives the i-th caller."""
    result = Result()
    poll = select.epoll()
    open_calls: dict[int, _Call] = {}
    began = 0

    def open_one() -> None:
        nonlocal began
        call = _Call(port, environment(numbers(began), f"1795423013.{began}"))
        began += 1
        open_calls[call.socket.fileno()] = call
        poll.register(call.socket.fileno(), select.EPOLLIN)

    while began < min(in_flight, calls):
        open_one()
    while open_calls:
        for descriptor, _ in poll.poll():
            call = open_calls[descriptor]
            if not call.read():
                continue
            poll.unregister(descriptor)
            del open_calls[descriptor]
            call.socket.close()
            result.latencies.append(time.perf_counter() - call.began)
            result.done += bool(call.commands)
            result.failed += not call.commands
            result.found += call.found
            if began < calls:
                open_one()
    return result
