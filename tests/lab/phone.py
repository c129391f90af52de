"""A SIP phone of our own (UDP). It also plays the trunk: the provider is a phone with outside numbers.

SIPp plays what runs by itself (trunk, load, phones with fixed timing; see ``sipp``). This phone exists for
what one SIPp scenario cannot do: two dialogs that know each other (attended transfer), and acting at the
moment a test wants it ("answer now"), without guessing seconds.
"""

import heapq
import itertools
import socket
import threading
import time
from collections.abc import Callable

from .leg import Leg
from .sip import NameAddress, SipMessage, new_branch, new_tag, quoted, session_description

__all__ = ["Phone"]

Behaviour = Callable[[Leg], None]

_REASONS = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    202: "Accepted",
    486: "Busy Here",
    487: "Request Terminated",
}
_REASONS |= {480: "Temporarily Unavailable", 603: "Decline"}
_FIRST_RESEND, _LAST_RESEND = 0.5, 4.0


class Phone:
    """One phone on one UDP port; ``start`` it, ``stop`` it. It rings and waits until told otherwise.

    Attributes:
        calls: incoming calls, oldest first.
        placed: outgoing calls, oldest first.
        speaks: whether it sends RTP (silence) in answered calls.
        lock: held while a leg changes; tests need it only for several looks at one moment.
    """

    def __init__(
        self, name: str, host: str, port: int, server: tuple[str, int], *, log: list[str] | None = None
    ):
        self.name = name
        self.host = host
        self.port = port
        self.calls: list[Leg] = []
        self.placed: list[Leg] = []
        self.speaks = False
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._server = server
        self._log: list[str] = [] if log is None else log
        self._trace: list[str] = []
        self._legs: dict[str, Leg] = {}
        self._replies: dict[tuple[str, str], bytes] = {}
        self._unanswered: dict[tuple[str, str], float] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._behaviour: Behaviour = Leg.ring
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    # -- life -----------------------------------------------------------------------------------------

    def start(self) -> "Phone":
        """Open the port and listen. Does nothing when it listens already."""
        if self._socket is not None:
            return self
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((self.host, self.port))
        self._thread = threading.Thread(target=self._run, name=f"phone {self.name}", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Hang up what is left and close the port."""
        if self._socket is None:
            return
        for leg in [*self.calls, *self.placed]:
            leg.hang_up()
        opened, self._socket = self._socket, None
        if self._thread is not None:
            self._thread.join(timeout=5)
        opened.close()

    def forget(self) -> None:
        """Forget the calls of the test before."""
        with self.lock:
            self.calls.clear()
            self.placed.clear()
            self._trace.clear()
            self._legs.clear()
            self._replies.clear()
            self._unanswered.clear()
            self._timers.clear()
            self.speaks = False
            self.rings()

    # -- behaviours: what happens to the next calls -----------------------------------------------------

    def rings(self) -> "Phone":
        """Ring until told otherwise (the default)."""
        return self._behaves(Leg.ring)

    def answers(self, after: float = 0.3, hangs_up_after: float | None = None) -> "Phone":
        """Ring ``after`` seconds, answer, hang up after ``hangs_up_after`` seconds of talk (None: never)."""

        def behaviour(leg: Leg) -> None:
            leg.ring()
            self.later(after, leg.answer)
            if hangs_up_after is not None:
                self.later(after + hangs_up_after, lambda: leg.hang_up() if leg.state == "answered" else None)

        return self._behaves(behaviour)

    def busy(self) -> "Phone":
        """Refuse with 486 Busy Here."""
        return self._behaves(lambda leg: leg.reject(486))

    def declines(self, after: float = 0.0) -> "Phone":
        """Ring for ``after`` seconds, then refuse with 603 Decline (the operator's red key)."""

        def behaviour(leg: Leg) -> None:
            leg.ring()
            self.later(after, lambda: leg.reject(603))

        return self._behaves(behaviour)

    def _behaves(self, behaviour: Behaviour) -> "Phone":
        self._behaviour = behaviour
        return self

    # -- calls ----------------------------------------------------------------------------------------

    def call(
        self,
        number: str,
        *,
        from_user: str | None = None,
        name: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Leg:
        """Dial. ``from_user`` and ``name`` go into the From header as they are (percent codes included)."""
        user = self.name if from_user is None else from_user
        at = f"{user}@" if user else ""
        display = f"{quoted(name)} " if name is not None else ""
        invite = SipMessage(
            f"INVITE sip:{number}@{self._server[0]}:{self._server[1]} SIP/2.0",
            (
                ("Via", self.via(new_branch())),
                ("Max-Forwards", "70"),
                ("From", f"{display}<sip:{at}{self.host}>;tag={new_tag()}"),
                ("To", f"<sip:{number}@{self._server[0]}>"),
                ("Call-ID", new_tag()),
                ("CSeq", "1 INVITE"),
                ("Contact", f"<{self.contact}>"),
                *headers,
                ("Content-Type", "application/sdp"),
            ),
            session_description(self.host, 9),
        )
        with self.lock:
            leg = Leg(self, invite, incoming=False)
            self._legs[leg.call_id] = leg
            self.placed.append(leg)
            self.note(f"{self.name}: dials {number}")
            self.send(invite, leg)
        return leg

    def wait_call(self, count: int = 1, timeout: float = 10.0) -> Leg:
        """Wait for the ``count``-th incoming call since the phone was started (or forgot) and return it."""
        self.wait_for(lambda: len(self.calls) >= count, f"call {count} at phone {self.name}", timeout)
        return self.calls[count - 1]

    def wait_for(self, condition: Callable[[], bool], what: str, timeout: float) -> None:
        """Wait until a condition holds that depends on the calls of this phone.

        Raises:
            TimeoutError: with the messages this phone sent and got.
        """
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                trace = "\n".join(self._trace[-12:])
                raise TimeoutError(f"waited {timeout:g} s for {what}; SIP at {self.name}:\n{trace}")

    # -- for legs ---------------------------------------------------------------------------------------

    @property
    def server_host(self) -> str:
        return f"{self._server[0]}:{self._server[1]}"

    @property
    def contact(self) -> str:
        return f"sip:{self.name}@{self.host}:{self.port}"

    def via(self, branch: str) -> str:
        return f"SIP/2.0/UDP {self.host}:{self.port};branch={branch};rport"

    def note(self, text: str) -> None:
        """Add a line to the log shared by the phones of a lab."""
        self._log.append(f"{time.time():.3f} {text}")

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something on the phone's thread after some seconds."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._count), action))

    def reply(self, request: SipMessage, status: int, *, body: str = "", tag: str = "") -> None:
        """Answer a request."""
        to = request.get("To")
        to = f"{to};tag={tag}" if tag and not NameAddress.parse(to).tag else to
        copied = [("Via", value) for value in request.all("Via")]
        copied += [("From", request.get("From")), ("To", to), ("Call-ID", request.call_id)]
        copied += [("CSeq", request.get("CSeq")), ("Contact", f"<{self.contact}>")]
        copied += [("Content-Type", "application/sdp")] if body else []
        response = SipMessage(f"SIP/2.0 {status} {_REASONS.get(status, 'Lab')}", tuple(copied), body)
        self._replies[request.branch, request.method] = response.encode()
        self._transmit(response)

    def send(self, request: SipMessage, leg: Leg) -> None:
        """Send a request, again and again until it is answered (an ACK is not)."""
        self._transmit(request)
        if request.method != "ACK":
            key = (request.branch, request.method)
            self._unanswered[key] = _FIRST_RESEND
            self.later(_FIRST_RESEND, lambda: self._resend(key, request, leg))

    # -- the thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (sock := self._socket) is not None:
            due = self._timers[0][0] - time.monotonic() if self._timers else 0.05
            try:
                sock.settimeout(min(max(due, 0.001), 0.05))
                data = sock.recv(65_535)
            except TimeoutError:
                data = b""
            except OSError:
                continue  # an ICMP refusal of something sent before
            with self._changed:
                if data.strip():
                    self._take(SipMessage.parse(data), data)
                self._run_timers()
                self._changed.notify_all()

    def _run_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def _take(self, message: SipMessage, data: bytes) -> None:
        self._trace.append(f"{time.time():.3f} <- {message.start} | {message.get('CSeq')}")
        leg = self._legs.get(message.call_id)
        if not message.is_request:
            self._unanswered.pop((message.branch, message.method), None)
            if leg is not None:
                leg.take_response(message)
        elif (message.branch, message.method) in self._replies:
            self._transmit_bytes(self._replies[message.branch, message.method])
        elif leg is not None:
            leg.take_request(message)
        elif message.method == "INVITE":
            self._take_invite(message)
        elif message.method != "ACK":
            self.reply(message, 200 if message.method == "OPTIONS" else 481)

    def _take_invite(self, invite: SipMessage) -> None:
        leg = Leg(self, invite, incoming=True)
        self._legs[leg.call_id] = leg
        self.calls.append(leg)
        self._behaviour(leg)

    def _resend(self, key: tuple[str, str], request: SipMessage, leg: Leg) -> None:
        wait = self._unanswered.get(key)
        if wait is None:
            return
        if wait >= _LAST_RESEND:
            del self._unanswered[key]
            leg.no_reply(request.method)
            return
        self._transmit(request)
        self._unanswered[key] = wait * 2
        self.later(wait * 2, lambda: self._resend(key, request, leg))

    def _transmit(self, message: SipMessage) -> None:
        self._trace.append(f"{time.time():.3f} -> {message.start} | {message.get('CSeq')}")
        self._transmit_bytes(message.encode())

    def _transmit_bytes(self, data: bytes) -> None:
        if self._socket is not None:
            self._socket.sendto(data, self._server)
