"""The product's FastAGI server alone, as a process of its own, which tests freeze and kill.

The process prints a JSON line for every request (`asked`) and every refusal (`refused`).
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .processes import die_with_parent
from .waiting import eventually

__all__ = ["AgiProcess"]

CHECKOUT = Path(__file__).resolve().parents[2]


class AgiProcess:
    """``start`` it and ``stop`` it.

    Args:
        port: on 127.0.0.1.
        pairs: what to answer; None answers with the values of `nasty`, chosen by the caller's number.

    Attributes:
        asked: the requests, oldest first, as dicts.
        refused: the refusals.
        log: what it wrote to its log.
    """

    def __init__(self, port: int, pairs: Sequence[tuple[str, str]] | None = None) -> None:
        self.port = port
        self.asked: list[dict[str, Any]] = []
        self.refused: list[dict[str, Any]] = []
        self.log: list[str] = []
        self._pairs = pairs
        self._ready = False
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> "AgiProcess":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.agi_process", str(self.port), json.dumps(self._pairs)],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=die_with_parent,
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        eventually(
            lambda: self._ready, "the AGI server to listen", timeout=30, details=lambda: "".join(self.log)
        )
        return self

    def stop(self) -> None:
        """Ends it, however it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None

    def freeze(self) -> None:
        """SIGSTOP: the kernel still takes its connections."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT after ``freeze``."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                if line.startswith("{"):
                    self._take(json.loads(line))
                else:
                    self.log.append(line)

    def _take(self, told: dict[str, Any]) -> None:
        self._ready = self._ready or "listening" in told
        if "asked" in told:
            self.asked.append(told["asked"])
        if "refused" in told:
            self.refused.append(told["refused"])


def main(port: str, answer: str) -> None:
    """Serves until it is killed."""
    from dataclasses import asdict
    from ipaddress import ip_network

    from twisted.internet import asyncioreactor

    asyncioreactor.install()
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred, succeed

    from fastagi.agi.protocol import AgiFactory, Refusal
    from fastagi.agi.requests import Request
    from fastagi.agi.service import AgiService

    from . import nasty

    fixed = json.loads(answer)

    def say(**told: Any) -> None:
        print(json.dumps(told), flush=True)

    def ask(request: Request, peer: str) -> "Deferred[Sequence[tuple[str, str]]]":
        say(asked=asdict(request))
        return succeed(fixed if fixed is not None else nasty.pairs(int((request.callerid or "0")[4:])))

    def refused(refusal: Refusal) -> None:
        say(refused=asdict(refusal))

    factory = AgiFactory(ask, clock=reactor, allow=[ip_network("127.0.0.0/8")], on_refused=refused)
    AgiService(f"tcp:{port}:interface=127.0.0.1", factory, reactor).startService()
    reactor.callWhenRunning(lambda: say(listening=True))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
