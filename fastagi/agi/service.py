"""The FastAGI server as a part of the service tree: listens, says how it is, and leaves in order."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from twisted.internet.tcp import Port
from twisted.python.failure import Failure

from fastagi.agi.protocol import AgiFactory
from fastagi.agi.readiness import make_readiness
from fastagi.agi.transport import AgiTransport
from fastagi.errors import ConfigError
from fastagi.interfaces import Health

__all__ = ["AgiService"]

BACKLOG: Final = 1024
"""Connections the kernel keeps for us. One too many and Asterisk waits 2.0 s for a dropped SYN (FACTS.md B1);
the 50 of Twisted are soon full when a trunk brings a hundred calls at once."""
LEAVE_SECONDS: Final = 1.0
"""For the dialogues under way when we stop; a lookup answers within its deadline of 0.3 s."""


class AgiService(Service):
    """Listens on a Twisted endpoint string.

    Args:
        endpoint: as in `agi.listen`: "tcp:4573:interface=127.0.0.1".
        factory: serves the connections.
        reactor: listens, and gives the time (Twisted's interfaces are no types for mypy).
        source: the configuration file, for the message when it cannot listen.
    """

    def __init__(
        self, endpoint: str, factory: AgiFactory, reactor: Any, *, source: str = "configuration"
    ) -> None:
        self._endpoint = endpoint
        self._factory = factory
        self._reactor = reactor
        self._source = source
        self._port: Any = None
        self._readiness = make_readiness()

    @property
    def factory(self) -> AgiFactory:
        """Serves the connections; has the counters."""
        return self._factory

    @property
    def port(self) -> int:
        """The TCP port it listens on; 0 where it does not."""
        return 0 if self._port is None else int(getattr(self._port.getHost(), "port", 0))

    def listen(self) -> Deferred[None]:
        """Begins to listen; called by `startService` unless it was called before.

        Returns:
            A Deferred that fires once it listens, or fails with ConfigError: the address is taken, is not
            one of this machine's, or the endpoint string is none.
        """
        if self._port is not None:
            return succeed(None)
        listening: Deferred[Any] = maybeDeferred(self._listen)
        return listening.addCallbacks(self._listens, self._cannot_listen)

    def startService(self) -> None:
        """Begins to listen.

        Raises:
            ConfigError: it cannot; see `listen`.
        """
        super().startService()  # type: ignore[no-untyped-call]
        failures: list[Failure] = []
        self.listen().addErrback(failures.append)
        if failures:  # TCP and UNIX sockets fail at once
            failures[0].raiseException()

    def stopService(self) -> Deferred[None]:
        """Stops listening, lets the dialogues under way end, and closes what is left."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._leave())

    async def _leave(self) -> None:
        if self._port is not None:
            port, self._port = self._port, None
            await maybeDeferred(port.stopListening)
        end = self._reactor.seconds() + LEAVE_SECONDS
        while self._factory.open_connections and self._reactor.seconds() < end:
            await deferLater(self._reactor, 0.05)
        self._factory.close_all()
        while self._factory.open_connections:
            await deferLater(self._reactor, 0)
        self._readiness.close()

    def health(self) -> Health:
        """Says whether it listens, and what it saw."""
        if self._port is None:
            return Health(ok=False, detail=f"does not listen on {self._endpoint}")
        counters = self._factory.counters
        return Health(
            ok=True,
            detail=f"listens on {self._endpoint}; {self._factory.open_connections} connections, "
            f"{counters.requests} requests, {sum(counters.refused.values())} refused",
        )

    def _listen(self) -> Any:
        endpoint: Any = serverFromString(  # type: ignore[no-untyped-call]
            self._reactor, _with_backlog(self._endpoint)
        )
        return endpoint.listen(self._factory)

    def _listens(self, port: Any) -> None:
        if isinstance(port, Port):
            port.transport = partial(AgiTransport, self._readiness)  # type: ignore[assignment]
        self._port = port

    def _cannot_listen(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, CannotListenError):
            reason = f"cannot listen on {self._endpoint}: {error.socketError}; is another whocalls running?"
        else:
            reason = f"{self._endpoint!r} is no endpoint like 'tcp:4573:interface=127.0.0.1': {error}"
        raise ConfigError(self._source, "agi.listen", reason) from None


def _with_backlog(endpoint: str) -> str:
    if endpoint.startswith("tcp") and "backlog=" not in endpoint:
        return f"{endpoint}:backlog={BACKLOG}"
    return endpoint
