"""The product as its users run it: a process of its own, spoken to over its ports.

Used by the end-to-end tests. Every server listens on a free port of 127.0.0.1 and is stopped by pid.
"""

import contextlib
import copy
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.lab.ports import free_ports
from tests.lab.processes import die_with_parent

LIMIT = 60.0
"""Seconds to wait for anything: these machines are slow at times."""


def until(what, *, limit: float = LIMIT, message: str = "it did not happen"):
    """Waits until `what()` is true and returns its value."""
    end = time.monotonic() + limit
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{message} within {limit:g} s")
        time.sleep(0.02)


class Product:
    """`whocalls serve` in a folder of its own.

    Args:
        folder: for configuration, database, spool and log.
        agi_port: where Asterisk asks; None takes a free one.
        bus: URL of the bus; None takes the one inside the process.
        pbx: TOML text of the [[pbx]] sections.
        more: more TOML text.
        database: URL; None takes SQLite in the folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        pbx: str = "",
        more: str = "",
        database: str | None = None,
        bus: str | None = None,
        agi_port: int | None = None,
    ) -> None:
        self.folder = folder
        self.role = "all"
        free, self.push_port = free_ports(2)
        self.agi_port = agi_port or free
        self.url = f"http://127.0.0.1:{self.push_port}"
        self.config = folder / "whocalls.toml"
        self.log = folder / "serve.log"
        self.process: subprocess.Popen | None = None
        self._log_begins = 0
        self._token: str | None = None
        self.config.write_text(
            f"""
[agi]
listen = "tcp:{self.agi_port}:interface=127.0.0.1"
[push]
listen = "127.0.0.1:{self.push_port}"
[database]
url = "{database or f"sqlite:///{folder / 'whocalls.db'}"}"
spool = "{folder / "spool"}"
[bus]
url = "{bus or "memory://"}"
{more}
{pbx}
""",
            encoding="utf-8",
        )

    def cli(
        self, *arguments: str, check: bool = True, input: str | None = None
    ) -> subprocess.CompletedProcess:
        """Runs `whocalls ARGUMENTS --config …`."""
        done = subprocess.run(
            [sys.executable, "-m", "fastagi", *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            input=input,
            timeout=300,
            env=self._environment(),
        )
        if check and done.returncode:
            raise AssertionError(
                f"whocalls {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("WHOCALLS_")}
        return {**kept, "NO_COLOR": "1", "COLUMNS": "200"}

    # -- the process --------------------------------------------------------------------------------------

    def half(self, role: str) -> "Product":
        """The same product as far as one role goes, "calls" or "push": a process and a log of its own."""
        other = copy.copy(self)
        other.role, other.process = role, None
        other.log = self.folder / f"serve-{role}.log"
        return other

    def start(self, *, healthy: bool = True) -> "Product":
        """Starts it and waits until it answers (and, where asked, says that every part is well)."""
        log = self.log.open("ab")
        self._log_begins = log.tell()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fastagi", "serve", "--role", self.role, "--config", str(self.config)],
            stdout=log,
            stderr=log,
            env=self._environment(),
            preexec_fn=die_with_parent,
        )
        log.close()
        try:
            until(lambda: self._answers(healthy), message="whocalls was not ready")
        except BaseException as error:  # an interrupted test must leave nobody behind either
            self.kill()
            if isinstance(error, AssertionError):
                raise AssertionError(f"{error}\n{self.tail()}") from None
            raise
        return self

    def _answers(self, healthy: bool) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"whocalls ended with {self.process.returncode}")
        if self.role == "calls":  # it has no HTTP port
            said = self.log.read_bytes()[self._log_begins :].decode(errors="replace")
            return "whocalls is ready" in said and (not healthy or "AMI connected" in said)
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.get(f"{self.url}/healthz", timeout=5)
            return answer.status_code == 200 or (not healthy and answer.status_code == 503)
        return False

    def stop(self) -> int | None:
        """Ends it as an administrator does; returns its exit code."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"whocalls did not end on SIGTERM\n{self.tail()}") from None
        self.process = None
        return code

    def kill(self) -> None:
        """Ends it as a crash does."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def signal(self, number: int) -> None:
        """Sends a signal: SIGSTOP freezes, SIGCONT goes on."""
        self.process.send_signal(number)

    def tail(self, lines: int = 30) -> str:
        """The end of its log."""
        return (
            "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""
        )

    # -- its API ------------------------------------------------------------------------------------------

    @property
    def token(self) -> str:
        """A token with the role administrator."""
        if self._token is None:
            out = self.cli("token", "create", f"test-{time.time_ns()}", "--role", "administrator").stdout
            self._token = next(word for word in out.split() if word.startswith("wc_"))
        return self._token

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, path: str, **parameters):
        answer = httpx.get(self.url + path, params=parameters, headers=self.headers, timeout=LIMIT)
        answer.raise_for_status()
        return answer.json()

    def calls(self, **filters) -> list[dict]:
        """All calls in the lists, newest first."""
        found, cursor = [], None
        while True:
            page = self.get("/api/calls", limit=200, **({"cursor": cursor} if cursor else {}), **filters)
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                return found

    def health(self) -> dict:
        return httpx.get(f"{self.url}/healthz", timeout=LIMIT).json()

    def metric(self, name: str, **labels: str) -> float:
        """A number of /metrics, without the prefix "whocalls_" and a counter's "_total"."""
        wanted = ",".join(f'{key}="{value}"' for key, value in labels.items())
        page = httpx.get(f"{self.url}/metrics", timeout=LIMIT).text
        found = re.search(rf"^whocalls_{name}(?:_total)?(?:{{{wanted or '.*'}}})? (\S+)$", page, re.MULTILINE)
        assert found, f"no {name} {labels} in\n{page}"
        return float(found[1])

    def listen(self) -> "Events":
        """Listens to SSE and WebSocket at once."""
        return Events(self)


class Events:
    """Events over SSE and over WebSocket, collected by two threads.

    Attributes:
        sse: the events that came over SSE, as they came; `websocket` likewise.
        arrived: when each came over SSE (seconds since the epoch), by its seq.
        resets: how often SSE said that everything is to be read again.
    """

    def __init__(self, product: Product) -> None:
        self.product = product
        self.sse: list[dict] = []
        self.websocket: list[dict] = []
        self.arrived: dict[int | None, float] = {}
        self.resets = 0
        self._open = threading.Barrier(3)
        self._websocket = None
        self._client = httpx.Client(timeout=httpx.Timeout(LIMIT, read=None), headers=product.headers)
        self._threads = [
            threading.Thread(target=self._read_sse, daemon=True),
            threading.Thread(target=self._read_websocket, daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._open.wait(LIMIT)

    def _read_sse(self) -> None:
        with (
            contextlib.suppress(httpx.HTTPError, OSError),
            self._client.stream("GET", f"{self.product.url}/api/events") as answer,
        ):
            self._open.wait(LIMIT)
            for line in answer.iter_lines():
                if line.startswith("data:") and line[5:].strip().startswith("{"):
                    event = json.loads(line[5:])
                    self.resets += event["type"] == "reset"
                    if "call" in event:
                        self.arrived[event["seq"]] = time.time()
                        self.sse.append(event)

    def _read_websocket(self) -> None:
        address = self.product.url.replace("http", "ws") + "/api/ws"
        with (
            contextlib.suppress(ConnectionClosed),
            connect(address, additional_headers=self.product.headers, open_timeout=LIMIT) as self._websocket,
        ):
            self._open.wait(LIMIT)
            for message in self._websocket:
                event = json.loads(message)
                if "call" in event:
                    self.websocket.append(event)

    def of(self, id: str, version: int) -> list[dict]:
        """The events of one call up to a version, once both streams have it; asserts that they agree."""
        for stream in (self.sse, self.websocket):
            until(
                lambda: any(event["call"]["version"] == version for event in _of(stream, id)),  # noqa: B023
                message=f"version {version} of {id} did not arrive",
            )
        assert _of(self.sse, id) == _of(self.websocket, id)
        return _of(self.sse, id)

    def close(self) -> None:
        self._websocket.close()
        self._client.close()

    def __enter__(self) -> "Events":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _of(stream: list[dict], id: str) -> list[dict]:
    return [event for event in stream if event["call"]["id"] == id]
