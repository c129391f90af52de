"""`whocalls-agi`: the lookup as a plain AGI script, for an Asterisk that cannot use `agi://`.

    same => n,AGI(/usr/local/bin/whocalls-agi,${CHANNEL(linkedid)},127.0.0.1:4573,main)

It relays: the environment from its standard input goes to the running FastAGI server as if Asterisk itself had
connected, the server's commands go to Asterisk, the replies back. So the server judges both ways of asking by the
same rules. The environment is passed on as it came: what a caller forged is for the server to refuse.

Arguments: linkedid, then optionally the server's address, HOST or HOST:PORT (else the environment variable
WHOCALLS_AGI_SERVER, else 127.0.0.1; the port is 4573 where none is given), then the name of the PBX (else
WHOCALLS_AGI_PBX, else main). It ends within 1.5 s whatever happens, always with exit code 0.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote

from asterisk.agi import AGI, AGIException

from fastagi.agi.commands import MAX_LINE, mset
from fastagi.agi.variables import variables_for
from fastagi.calls import LookupStatus

__all__ = ["main"]

SERVER_SECONDS: Final = 0.9
"""For the server, from the connection to its last command."""
SCRIPT_SECONDS: Final = 1.2
"""For everything; the interpreter itself needs some of the 1.5 s to start."""
DEFAULT_ADDRESS: Final = "127.0.0.1"
DEFAULT_PORT: Final = 4573
HIGHEST_PORT: Final = 65535
DEFAULT_PBX: Final = "main"

_ADDRESS = re.compile(r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")


class Lines:
    """Asterisk's side of the pipe as pyst2 reads it, with what was read kept for the server."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._read: list[bytes] = []

    def readline(self) -> str:
        """Returns the next line; invalid UTF-8 survives the way through str."""
        line = self._pipe.readline(MAX_LINE + 2)
        self._read.append(line)
        return line.decode("utf-8", "surrogateescape")

    def taken(self) -> bytes:
        """Returns what was read since the last time."""
        read, self._read = b"".join(self._read), []
        return read


class Server:
    """The connection to the FastAGI server; all of it within a limit of time.

    Raises:
        OSError: the server is away. TimeoutError, one of them, says that it did not answer in time.
    """

    def __init__(self, address: tuple[str, int], seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._rest = b""
        self._socket = socket.create_connection(address, timeout=seconds)

    def send(self, data: bytes) -> None:
        """Sends bytes."""
        self._socket.settimeout(self._left())
        self._socket.sendall(data)

    def line(self) -> bytes:
        """Returns the next line without its end; b"" at the end of the stream."""
        while b"\n" not in self._rest and len(self._rest) <= MAX_LINE:
            self._socket.settimeout(self._left())
            data = self._socket.recv(8192)
            if not data:
                return b""
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the server did not answer in time")
        return left


def main() -> None:
    """Runs the script; never returns."""
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, SCRIPT_SECONDS)
    try:
        with contextlib.suppress(AGIException, BrokenPipeError):  # the caller hung up, or Asterisk said no
            _run(*_settings(sys.argv[1:], os.environ), Lines(sys.stdin.buffer))
    except Exception as error:  # whatever it is, the call goes on
        sys.stderr.write(f"whocalls-agi: {type(error).__name__}: {error}\n")
    # No sys.exit: a broken pipe to Asterisk would make the exit code 120.
    os._exit(0)


def _settings(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[str, str]:
    given = [*arguments[1:3], "", ""]
    address = given[0] or environment.get("WHOCALLS_AGI_SERVER") or DEFAULT_ADDRESS
    return address, given[1] or environment.get("WHOCALLS_AGI_PBX") or DEFAULT_PBX


def _run(address: str, pbx: str, lines: Lines) -> None:
    # What pyst2 would write to its stderr, every line of the dialogue, would fill Asterisk's console.
    with (
        open(sys.stdout.fileno(), "w", encoding="utf-8", errors="surrogateescape", closefd=False) as stdout,
        Path(os.devnull).open("w", encoding="utf-8", errors="surrogateescape") as nowhere,
    ):
        agi = AGI(stdin=lines, stdout=stdout, stderr=nowhere)
        environment = lines.taken()
        if not environment.endswith(b"\n\n"):
            return  # Asterisk left before it had asked
        try:
            answered = _relay(agi, lines, _as_fastagi(environment, address, pbx), address)
            status = None if answered else LookupStatus.ERROR
        except (OSError, ValueError) as error:  # ValueError: no address
            sys.stderr.write(f"whocalls-agi: {address}: {error}\n")
            status = LookupStatus.TIMEOUT if isinstance(error, TimeoutError) else LookupStatus.ERROR
        if status is not None:
            for command in mset(variables_for(status)):
                agi.execute(command.decode())


def _relay(agi: Any, lines: Lines, environment: bytes, address: str) -> bool:
    """Carries the dialogue; returns whether the server gave any command."""
    server = Server(_host_and_port(address), SERVER_SECONDS)
    try:
        server.send(environment)
        answered = False
        while command := server.line():
            answered = True
            try:
                agi.execute(command.decode("utf-8", "surrogateescape"))
            finally:  # also what pyst2 takes for an error is a reply that the server wants to see
                server.send(lines.taken())
        return answered
    finally:
        server.close()


def _host_and_port(address: str) -> tuple[str, int]:
    """Splits HOST, HOST:PORT, [IPv6] and [IPv6]:PORT.

    Raises:
        ValueError: it is none of these.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or int(match["port"] or 0) > HIGHEST_PORT:
        raise ValueError("the server's address must be HOST or HOST:PORT, an IPv6 one in brackets")
    return match["literal"] or match["host"], int(match["port"] or DEFAULT_PORT)


def _as_fastagi(environment: bytes, address: str, pbx: str) -> bytes:
    """Returns the environment of a plain AGI script as FastAGI would have it: three lines begin it differently."""
    script = f"lookup?pbx={quote(pbx, safe='')}"
    _, _, rest = environment.partition(b"\n")  # agi_request: the script's own name
    return (
        f"agi_network: yes\nagi_network_script: {script}\nagi_request: agi://{address}/{script}\n".encode()
        + rest
    )
