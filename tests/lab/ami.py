"""A plain AMI client for the lab: it keeps every byte, and waits for events."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable

from .waiting import eventually

__all__ = ["AmiClient"]

Message = dict[str, str]


class AmiClient:
    """Connects and logs in on ``start``; reads on a thread of its own until ``stop`` or the end.

    Attributes:
        raw: everything that came, byte for byte, the banner first.
        arrivals: (seconds since the epoch, bytes received until then), one per read.
    """

    def __init__(self, port: int, user: str = "watcher", secret: str = "watcher") -> None:
        self.port = port
        self.raw = bytearray()
        self.arrivals: list[tuple[float, int]] = []
        self._user = user
        self._secret = secret
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._count = 0
        self.ended = False

    def start(self) -> "AmiClient":
        """Connect and log in.

        Raises:
            OSError: nobody listens.
            TimeoutError: the login was not accepted within 10 seconds.
        """
        self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._read, args=(self._socket,), daemon=True)
        self._thread.start()
        self.action("Login", Username=self._user, Secret=self._secret)
        return self

    def stop(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # Asterisk may have closed it first
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self._socket = None
        if self._thread is not None:
            self._thread.join(timeout=5)

    def action(self, name: str, **keys: str) -> Message:
        """Send an action and wait for its response."""
        if self._socket is None:
            raise RuntimeError("the AMI client is not connected")
        self._count += 1
        number = f"a{self._count}"
        lines = [
            f"Action: {name}",
            f"ActionID: {number}",
            *(f"{key}: {value}" for key, value in keys.items()),
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        return self.wait_message(
            lambda message: message.get("ActionID") == number and "Response" in message, f"reply to {name}"
        )

    def messages(self) -> list[Message]:
        """Every complete message so far; of repeated keys the first one."""
        blocks = bytes(self.raw).decode("utf-8", "surrogateescape").split("\r\n\r\n")[:-1]
        return [_message(block) for block in blocks]

    def events(self, *names: str) -> list[Message]:
        """The events with one of these names (all, without names), in order."""
        found = [message for message in self.messages() if "Event" in message]
        return [event for event in found if not names or event["Event"] in names]

    def wait_event(self, name: str, timeout: float = 10.0, **values: str) -> Message:
        """Wait for an event of this name with these values (prefixes of values will do)."""
        return self.wait_message(
            lambda message: (
                message.get("Event") == name
                and all(message.get(key, "").startswith(value) for key, value in values.items())
            ),
            f"AMI event {name} {values}",
            timeout,
        )

    def wait_message(self, wanted: Callable[[Message], bool], what: str, timeout: float = 10.0) -> Message:
        """Wait until a message is there for which ``wanted`` is true, and return it."""
        return eventually(
            lambda: next((message for message in self.messages() if wanted(message)), {}),
            what,
            timeout=timeout,
            every=0.02,
            details=lambda: "the last events: " + ", ".join(e["Event"] for e in self.events()[-15:]),
        )

    def _read(self, stream: socket.socket) -> None:
        try:
            while data := stream.recv(65_536):
                self.raw += data
                self.arrivals.append((time.time(), len(self.raw)))
        except OSError:
            pass  # closed by stop(), or reset by a dying Asterisk
        self.ended = True


def _message(block: str) -> Message:
    message: Message = {}
    for line in block.split("\r\n"):
        key, found, value = line.partition(":")
        if found:
            message.setdefault(key, value.strip())
    return message
