"""Follows an Asterisk with the product's AMI service, in a process of its own, and prints what it learns.

``python -m tests.lab.follower PORT USER SECRET md5|plain``: one JSON line for each thing the service tells its
listener, and for each change of its health. ``Follower`` starts that and reads it.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .waiting import eventually

__all__ = ["Follower"]

CHECKOUT = Path(__file__).resolve().parents[2]
Line = dict[str, Any]


class Follower:
    """The process. ``stop`` it whatever happens.

    Attributes:
        lines: what it printed so far.
    """

    def __init__(self, port: int, user: str, secret: str, *, login: str = "md5") -> None:
        self.lines: list[Line] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.follower", str(port), user, secret, login],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self._noise: list[str] = []

    def wait(self, what: str, found: Callable[[Line], Any], *, timeout: float = 20, after: int = 0) -> Line:
        """Wait for a line, and return it.

        Args:
            what: what is waited for, in words.
            found: says whether a line is the one.
            timeout: seconds until it fails.
            after: how many lines to pass over, from the first.
        """
        return eventually(
            lambda: next((line for line in self.lines[after:] if found(line)), None),
            what,
            timeout=timeout,
            details=self.story,
        )

    def wait_followed(self, *, timeout: float = 20, after: int = 0) -> Line:
        """Wait until it follows."""
        return self.wait("the service to follow", lambda line: line.get("ok"), timeout=timeout, after=after)

    def wait_trouble(self, words: str, *, timeout: float = 20, after: int = 0) -> Line:
        """Wait until it says what is wrong."""
        return self.wait(
            f"the service to say {words!r}",
            lambda line: line.get("ok") is False and words in line["detail"],
            timeout=timeout,
            after=after,
        )

    def events(self, name: str) -> list[Line]:
        """The events of that name so far."""
        return [line for line in self.lines if line.get("event") == name]

    def story(self) -> str:
        """What it printed, for failure messages."""
        return "\n".join([*map(str, self.lines[-60:]), *self._noise[-30:]])

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=10)
        self._thread.join(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            if text.startswith("{"):
                self.lines.append(json.loads(text))
            else:
                self._noise.append(text.rstrip())


def _tell(**line: object) -> None:
    print(json.dumps(line), flush=True)


class _Printer:
    """Implements ami.service.AmiListener."""

    def snapshot_begins(self) -> None:
        _tell(told="snapshot_begins")

    def event(self, message: Any) -> None:
        _tell(told="event", event=message.event, headers=dict(message.headers[::-1]))

    def snapshot(self, channels: Sequence[Any], booted_at: datetime | None) -> None:
        names = [channel.get("Channel") for channel in channels]
        _tell(told="snapshot", channels=names, booted_at=booted_at and booted_at.timestamp())

    def lost(self, reason: str) -> None:
        _tell(told="lost", reason=reason)


def main(port: str, user: str, secret: str, login: str) -> None:
    """Follow until SIGTERM."""
    from fastagi.loop import install

    install()
    from twisted.internet import reactor
    from twisted.internet.endpoints import HostnameEndpoint
    from twisted.internet.task import LoopingCall

    from fastagi.ami.service import AmiService
    from fastagi.ami.sign_in import Account

    account = Account(
        pbx="lab",
        host="127.0.0.1",
        port=int(port),
        username=user,
        secret=secret,
        challenge=login == "md5",
    )
    service = AmiService(
        account,
        _Printer(),
        endpoint=HostnameEndpoint(reactor, account.host, account.port, timeout=5),
        clock=reactor,
        now=lambda: datetime.now(UTC),
    )
    said: list[tuple[object, ...]] = [()]

    def watch() -> None:
        health = service.health()
        state = (health.ok, health.detail, service.counters.dropped)
        if state != said[-1]:
            said.append(state)
            _tell(ok=health.ok, detail=health.detail, dropped=service.counters.dropped)

    service.startService()
    LoopingCall(watch).start(0.02)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
