"""Follows one Asterisk over AMI for ever: connects, signs in, reads the live channels, hands events on.

Subscribe first: events flow to the listener from the login on, the list of live channels comes after, and the
listener merges them, so nothing falls between. When the connection ends, all begins anew, with a back-off
that grows from half a second to half a minute; a refused account waits the half minute at once, for it will
not mend by itself, and programs that watch Asterisk's log lock addresses out. On a restart Asterisk may accept
a connection and reset it before the banner: a failed attempt like any other.
"""

from __future__ import annotations

import contextlib
import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import structlog
from twisted.application.internet import ClientService
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as Owner

from fastagi.ami.connecting import ReadyEndpoint
from fastagi.ami.hearing import Hearing
from fastagi.ami.keepalive import Keepalive
from fastagi.ami.messages import Message
from fastagi.ami.protocol import AmiProtocol
from fastagi.ami.sign_in import Account, authenticate, booted_at, fully_booted, live_channels
from fastagi.ami.stream import Dropped
from fastagi.ami.waiting import Clock
from fastagi.errors import ConfigError, LookupServiceError
from fastagi.interfaces import Health

__all__ = ["AmiCounters", "AmiListener", "AmiService"]

FIRST_DELAY: Final = 0.5
"""Seconds until the first new attempt; a restarting Asterisk is back in one or two."""
LONGEST_DELAY: Final = 30.0
JITTER: Final = 0.2
"""Up to this part of a delay is left out at random, so that several of us don't come at once."""
QUIET_SECONDS: Final = 60.0
"""At most one log line about dropped messages in this time."""

_log = structlog.get_logger("whocalls.ami")


class AmiListener(Protocol):
    """Who follows what happens at one Asterisk. Called on the loop, in this order, again for each connection:
    `snapshot_begins`, any number of `event`, `snapshot`, any number of `event`, `lost`; the last may come
    at any point after the first."""

    def snapshot_begins(self) -> None:
        """Events flow from now on, and a list of all live channels will follow."""

    def event(self, message: Message) -> None:
        """Something happened."""

    def snapshot(self, channels: Sequence[Message], booted_at: datetime | None) -> None:
        """These channels (CoreShowChannel) were live a moment ago. Asterisk started at `booted_at`, to
        the second; None where it does not say. Calls from before that have ended."""

    def lost(self, reason: str) -> None:
        """The connection has ended; nothing is known from now on."""


@dataclass(slots=True)
class AmiCounters:
    """What was seen since the start: events handed on, messages not believed, sign-ins after the first."""

    events: int = 0
    dropped: int = 0
    reconnects: int = 0


class AmiService(Service):
    """Follows one Asterisk.

    Args:
        account: where and who.
        listener: told what happens.
        endpoint: connects to the manager interface (IStreamClientEndpoint).
        clock: the reactor, or its double.
        now: tells the date and time, UTC.
        jitter: returns a number from 0 to 1.
        token: makes an unguessable word for each connection.
    """

    def __init__(
        self,
        account: Account,
        listener: AmiListener,
        *,
        endpoint: Any,
        clock: Clock,
        now: Callable[[], datetime],
        jitter: Callable[[], float] = random.random,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self.counters = AmiCounters()
        self._account = account
        self._listener = listener
        self._clock = clock
        self._now = now
        self._jitter = jitter
        self._token = token
        self._ami: AmiProtocol | None = None
        self._hearing: Hearing | None = None
        self._followed = False
        self._sign_ins = 0
        self._trouble: Exception | None = None
        self._detail = f"connecting to {account.host}:{account.port}"
        self._farewell = ""
        self._warned_at = -QUIET_SECONDS
        ready: Any = ReadyEndpoint(
            endpoint, build=self._build, prepare=self._prepare, failed=self._attempt_failed
        )
        reactor: Any = clock
        owner: Any = Factory.forProtocol(Owner)
        self._client = ClientService(ready, owner, retryPolicy=self._delay, clock=reactor)

    # -- what others ask ---------------------------------------------------------------------------------

    @property
    def followed(self) -> bool:
        """Whether the picture is complete: signed in, and the live channels were read."""
        return self._followed

    def health(self) -> Health:
        """Says how the connection is, naming the PBX."""
        return Health(ok=self._followed, detail=f"PBX {self._account.pbx}: {self._detail}")

    def startService(self) -> None:
        """Begins to connect."""
        super().startService()  # type: ignore[no-untyped-call]
        self._client.startService()

    def stopService(self) -> Deferred[None]:
        """Ends the connection; fires when nothing is left."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._ami is not None:
            self._ami.abort("whocalls stops")
        return self._client.stopService()

    # -- one connection ----------------------------------------------------------------------------------

    def _build(self) -> AmiProtocol:
        return AmiProtocol(
            on_event=self._event, on_dropped=self._dropped, clock=self._clock, token=self._token()
        )

    async def _prepare(self, ami: AmiProtocol) -> None:
        account = self._account
        await authenticate(ami, account)
        self._signed_in(ami)
        booted = await fully_booted(ami, account)
        channels = await live_channels(ami, account)
        self._merge(channels, booted_at(booted, self._now()))
        if ami.ended is not None:
            return  # the listener had enough
        self._hearing = hearing = Hearing(ami, account, channels)
        Keepalive(ami, self._clock, lambda: self._all_is_quiet(ami, hearing)).start()
        self._say(None, f"connected to {account.host}:{account.port}")
        self._followed = True

    def _signed_in(self, ami: AmiProtocol) -> None:
        self.counters.reconnects = self._sign_ins
        self._sign_ins += 1
        self._farewell = ""
        self._ami = ami
        self._listener.snapshot_begins()
        ami.lost().addCallback(self._lost)

    def _merge(self, channels: Sequence[Message], booted: datetime | None) -> None:
        try:
            self._listener.snapshot(channels, booted)
        except Exception:  # a bug of the listener; without its picture the connection is of no use
            _log.exception("the live channels could not be merged", pbx=self._account.pbx)
            raise

    def _lost(self, reason: str) -> None:
        reason = f"{self._farewell}{reason}"
        if self._followed:  # else it is a failed attempt, and told as such
            self._detail = f"connection lost: {reason}"
            _log.warning("AMI connection lost", pbx=self._account.pbx, reason=reason)
        self._ami = self._hearing = None
        self._followed = False
        self._listener.lost(reason)

    def _event(self, message: Message) -> None:
        if self._ami is None:
            return  # before the login nothing is Asterisk's news
        self.counters.events += 1
        if message.event == "Shutdown":
            # Only a remark: the end of the connection is what counts, and that nobody can forge.
            restarts = message.get("Restart") == "True"
            self._farewell = f"Asterisk {'restarts' if restarts else 'was stopped'}; "
        if self._hearing is not None:
            self._hearing.event(message)
        self._listener.event(message)

    def _dropped(self, dropped: Dropped) -> None:
        self.counters.dropped += 1
        if self._clock.seconds() - self._warned_at >= QUIET_SECONDS:
            self._warned_at = self._clock.seconds()
            _log.warning(
                "AMI message not believed: it may be forged by a caller",
                pbx=self._account.pbx,
                kind=dropped.kind,
                reason=dropped.reason,
                so_far=self.counters.dropped,
            )

    def _all_is_quiet(self, ami: AmiProtocol, hearing: Hearing) -> None:
        Deferred.fromCoroutine(self._check_hearing(ami, hearing))

    async def _check_hearing(self, ami: AmiProtocol, hearing: Hearing) -> None:
        with contextlib.suppress(LookupServiceError):  # then the connection has trouble of its own
            if (lacking := await hearing.check()) is not None:
                self._say(lacking, str(lacking))
                ami.abort(str(lacking))

    # -- trouble -----------------------------------------------------------------------------------------

    def _attempt_failed(self, error: Exception) -> None:
        if not isinstance(error, CancelledError):
            self._say(error, f"not connected: {error}")

    def _say(self, trouble: Exception | None, detail: str) -> None:
        """Remembers how things are, and logs it once where it is new."""
        if trouble is None:
            _log.info("AMI connected", pbx=self._account.pbx, detail=detail)
        elif str(trouble) != str(self._trouble):
            _log.warning("AMI not connected", pbx=self._account.pbx, reason=str(trouble))
        self._trouble = trouble
        self._detail = detail

    def _delay(self, attempt: int) -> float:
        """Returns the seconds until the next attempt; `attempt` counts failures in a row from 1."""
        delay = FIRST_DELAY * 2.0 ** min(attempt - 1, 16)
        if isinstance(self._trouble, ConfigError):
            delay = LONGEST_DELAY
        return min(delay, LONGEST_DELAY) * (1 - JITTER * self._jitter())
