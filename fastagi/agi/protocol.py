"""The FastAGI server on Twisted: moves bytes between sockets and `agi.session`, and keeps the limits.

This is the hot path: each call of the PBX passes here once. So there is one write per call, nothing is logged
when all goes well, and the limits of time are kept by one sweep over all connections, not by timers of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final
from typing import Protocol as TypingProtocol

import structlog
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from fastagi.agi.requests import Facts, Request
from fastagi.agi.session import (
    Asked,
    Denied,
    Done,
    Ended,
    Event,
    HungUp,
    Next,
    Refused,
    Session,
    State,
)
from fastagi.agi.variables import variables_for
from fastagi.calls import LookupStatus

__all__ = ["AgiFactory", "AgiProtocol", "Ask", "Counters", "Refusal"]

Network = IPv4Network | IPv6Network
Pairs = Sequence[tuple[str, str]]
Ask = Callable[[Request, str], "Pairs | Deferred[Pairs]"]


class Seconds(TypingProtocol):
    """A reactor or a test's Clock, as far as it is needed to know the time."""

    def seconds(self) -> float:
        """Returns the time in seconds."""


ENVIRONMENT_SECONDS: Final = 2.0
"""For the environment to be complete; Asterisk sends it in under a millisecond."""
DIALOGUE_SECONDS: Final = 10.0
"""For the whole; the dialplan itself waits 1.5 s."""
SWEEP_SECONDS: Final = 0.25
"""Between two looks at the limits, so a limit may be kept this much late."""
LATE_SECONDS: Final = 1.0
"""A sweep that comes this long after the one before says more about us than about our peers."""
QUIET_SECONDS: Final = 10.0
"""At most one line about closed doors per kind in this time."""

_log = structlog.get_logger("whocalls.agi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A connection that was closed for what it sent, or did not send.

    `facts` are what came in the right order before the offence; with a uniqueid the call can be journalled
    without a match. `was_asked` says that its request had been passed on before. `hostile` says that somebody
    forged a part of it; False means that it only took too long.
    """

    peer: str
    reason: str
    facts: Facts
    was_asked: bool
    hostile: bool = True


@dataclass(slots=True)
class Counters:
    """What the server saw since it started. `refused` counts by kind: address, connections, environment
    (before the request was complete), dialogue (after it), time (silence)."""

    connections: int = 0
    requests: int = 0
    answered: int = 0
    hung_up: int = 0
    denied: int = 0
    failed: int = 0
    timeouts: int = 0
    unknown_keys: int = 0
    refused: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("address", "connections", "environment", "dialogue", "time"), 0
        )
    )


class AgiProtocol(Protocol):
    """One connection of Asterisk."""

    transport: Any
    """Twisted's TCP transport; its interfaces are no types for mypy."""

    def __init__(self, factory: AgiFactory, host: str, port: int, started: float) -> None:
        self.factory: AgiFactory = factory
        self.started = started
        self.session = Session()
        self._host = host
        self._port = port
        self._was_asked = False
        self._say: Callable[..., None] | None = None

    @property
    def peer(self) -> str:
        """Address and port of the peer, for logs."""
        if not self._port:
            return self._host
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"

    @property
    def finished(self) -> bool:
        """Whether Asterisk has confirmed the last command."""
        return self.session.state is State.DONE

    def connectionMade(self) -> None:
        self._say = getattr(self.transport, "say", None)

    def dataReceived(self, data: bytes) -> None:
        for event in self.session.receive(data):
            self._react(event)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.forget(self)
        for event in self.session.end_of_stream():
            self._react(event)

    def expire(self, reason: str) -> None:
        """Ends the connection because a limit of time ran out."""
        if self.session.state is State.DONE:
            self.transport.abortConnection()
            return
        self.factory.counters.timeouts += 1
        self._refused(self.session.refuse(reason), "time")

    def _react(self, event: Event) -> None:
        match event:
            case Asked(request):
                self._ask(request)
            case Done():
                self.factory.counters.answered += 1
            case Next(command):
                self._send(command)
            case HungUp() | Ended():
                self.factory.counters.hung_up += 1
                self.transport.loseConnection()
            case Denied(error):
                self.factory.counters.denied += 1
                _log.warning("agi.denied", peer=self.peer, reason=str(error), **_facts(self.session.facts))
                self.transport.loseConnection()
            case Refused():
                self._refused(event, "dialogue" if self._was_asked else "environment")

    def _ask(self, request: Request) -> None:
        self._was_asked = True
        self.factory.counters.requests += 1
        self.factory.counters.unknown_keys += request.unknown_keys
        try:
            answer = self.factory.ask(request, self._host)
        except Exception:  # whatever it is, the caller must not pay for it
            answer = fail()
        if isinstance(answer, Deferred):
            answer.addCallback(self._answer).addErrback(self._ask_failed)
        else:
            self._answer(answer)

    def _answer(self, pairs: Pairs) -> None:
        if self.session.state is State.ASKED:  # else nobody waits for it any more
            self._send(self.session.answer(pairs))

    def _ask_failed(self, failure: Failure) -> None:
        self.factory.counters.failed += 1
        _log.error("agi.lookup_failed", peer=self.peer, exc_info=failure.value, **_facts(self.session.facts))
        self._answer(variables_for(LookupStatus.ERROR))

    def _send(self, command: bytes) -> None:
        """Writes a command; after the last one Asterisk sees our end at once and goes on in the dialplan, which
        saves the caller a round trip."""
        if self._say is not None:
            self._say(command, last=self.session.is_last)
            return
        if command:
            self.transport.write(command)
        if self.session.is_last:
            self.transport.loseWriteConnection()

    def _refused(self, event: Refused, kind: str) -> None:
        self.factory.refused(
            kind,
            Refusal(
                peer=self.peer,
                reason=event.reason,
                facts=event.facts,
                was_asked=self._was_asked,
                hostile=kind != "time",
            ),
        )
        # Nothing that it still sends is worth reading.
        self.transport.abortConnection()


class AgiFactory(Factory):
    """Makes an `AgiProtocol` for every connection that may be.

    Args:
        ask: gets each request and the peer's address; returns the variables to set, or a Deferred of them where
            it has to wait. It keeps its own deadline, is never cancelled, and is asked once per call.
        clock: gives the time.
        allow: networks that may ask; others are closed at once.
        max_connections: at the same time; more are closed at once.
        on_refused: told of every connection that was closed for what it sent.
    """

    noisy = False

    def __init__(
        self,
        ask: Ask,
        *,
        clock: Seconds,
        allow: Sequence[Network],
        max_connections: int = 1000,
        on_refused: Callable[[Refusal], None] = lambda _: None,
    ) -> None:
        self.ask = ask
        self.counters = Counters()
        self._clock = clock
        self._may_ask = lru_cache(maxsize=1024)(lambda host: _is_allowed(host, allow))
        self._max_connections = max_connections
        self._on_refused = on_refused
        self._open: dict[AgiProtocol, None] = {}
        self._sweep = LoopingCall(self._expire)
        self._sweep.clock = clock  # type: ignore[assignment]
        self._swept = clock.seconds()
        self._quiet_until: dict[str, float] = {}

    @property
    def open_connections(self) -> int:
        """How many connections there are now."""
        return len(self._open)

    def startFactory(self) -> None:
        self._swept = self._clock.seconds()
        self._sweep.start(SWEEP_SECONDS, now=False)

    def stopFactory(self) -> None:
        self._sweep.stop()

    def buildProtocol(self, addr: IAddress | None) -> AgiProtocol | None:  # type: ignore[override]
        host, port = getattr(addr, "host", ""), getattr(addr, "port", 0)
        # A UNIX socket has no host: who may use it is a matter of the file's rights.
        if host and not self._may_ask(host):
            self._closed_door("address", host, "this address is not in agi.allow")
            return None
        if len(self._open) >= self._max_connections:
            self._closed_door("connections", host, f"{self._max_connections} connections are open already")
            return None
        self.counters.connections += 1
        protocol = AgiProtocol(self, host or "unix", port, self._clock.seconds())
        self._open[protocol] = None
        return protocol

    def forget(self, protocol: AgiProtocol) -> None:
        """Drops a connection that ended."""
        self._open.pop(protocol, None)

    def refused(self, kind: str, refusal: Refusal) -> None:
        """Counts and logs a connection that is being closed for what it sent, and tells the owner."""
        self.counters.refused[kind] += 1
        _log.warning("agi.refused", peer=refusal.peer, reason=refusal.reason, **_facts(refusal.facts))
        self._on_refused(refusal)

    def close_all(self) -> None:
        """Ends every connection now; Asterisk goes on in its dialplan at once."""
        for protocol in tuple(self._open):
            protocol.transport.abortConnection()

    def _expire(self) -> None:
        now = self._clock.seconds()
        late, self._swept = now - self._swept > LATE_SECONDS, now
        if late:
            return  # we were stopped or starved: what came meanwhile is read before anybody is judged
        for protocol in tuple(self._open):
            age = now - protocol.started
            if age < ENVIRONMENT_SECONDS:
                return  # they are in the order of their age
            if protocol.session.state is State.ENVIRONMENT:
                protocol.expire(f"no complete environment within {ENVIRONMENT_SECONDS:g} s")
            elif age >= DIALOGUE_SECONDS:
                protocol.expire(f"the dialogue took over {DIALOGUE_SECONDS:g} s")

    def _closed_door(self, kind: str, host: str, reason: str) -> None:
        self.counters.refused[kind] += 1
        now = self._clock.seconds()
        if now >= self._quiet_until.get(kind, 0.0):
            self._quiet_until[kind] = now + QUIET_SECONDS
            _log.warning("agi.refused", peer=host, reason=reason, total=self.counters.refused[kind])


def _facts(facts: Facts) -> dict[str, Any]:
    return {"pbx": facts.pbx, "uniqueid": facts.uniqueid}


def _is_allowed(host: str, allow: Sequence[Network]) -> bool:
    address = ip_address(host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in allow)
