"""Connections that count as made only when they are ready for use.

Twisted's ClientService can prepare a connection itself, but (in 26.10) its state machine raises NoTransition
when the connection ends while that goes on, as it does whenever Asterisk refuses a login. So the preparation
is part of connecting here: ClientService learns of a connection when it is ready, or of a failed attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, connectionDone

from fastagi.ami.protocol import AmiProtocol
from fastagi.errors import Disconnected

__all__ = ["ReadyEndpoint"]


class ReadyEndpoint:
    """An endpoint (IStreamClientEndpoint) whose connections are AMI, prepared.

    Args:
        endpoint: connects to the manager interface.
        build: makes the protocol of a new connection.
        prepare: makes the connection ready; what it raises makes the attempt fail.
        failed: told why an attempt failed.
    """

    def __init__(
        self,
        endpoint: Any,
        *,
        build: Callable[[], AmiProtocol],
        prepare: Callable[[AmiProtocol], Coroutine[Deferred[Any], Any, None]],
        failed: Callable[[Exception], None],
    ) -> None:
        self._endpoint = endpoint
        self._build = build
        self._prepare = prepare
        self._failed = failed

    def connect(self, factory: Any) -> Deferred[Any]:
        """Connects, prepares, and hands the connection over to a protocol of the factory.

        That protocol is told of the end; it hears no bytes.
        """
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: Any) -> Any:
        try:
            ami: AmiProtocol = await self._endpoint.connect(_Fresh(self._build))
            await self._made_ready(ami)
        except Exception as error:
            self._failed(error)
            raise
        owner = factory.buildProtocol(None)
        owner.makeConnection(ami.transport)
        ami.lost().addCallback(_tell, owner)
        return owner

    async def _made_ready(self, ami: AmiProtocol) -> None:
        try:
            await self._prepare(ami)
        except Exception as error:
            ami.abort(str(error))
            raise
        if ami.ended is not None:
            raise Disconnected("signing in", ami.ended)


def _tell(_: str, owner: Any) -> None:
    """That it ended is all the owner needs to know."""
    owner.connectionLost(connectionDone)


class _Fresh(Factory):
    """Builds one protocol for each connection."""

    noisy = False

    def __init__(self, build: Callable[[], AmiProtocol]) -> None:
        self._build = build

    def buildProtocol(self, addr: object) -> AmiProtocol:
        return self._build()
