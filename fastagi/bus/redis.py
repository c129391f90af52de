"""The bus over Redis publish/subscribe, between processes and machines.

One connection publishes, one listens. The listening one comes back for ever, with growing pauses; each time
the subscribers are told, since messages may have been lost. Redis answers PING even while it has nothing to
say, so a frozen one is noticed within twice SILENCE.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from fastagi.bus.subscribers import Subscribers
from fastagi.errors import BusUnavailable, ConfigError, DeadlineExceeded
from fastagi.events import CHANNEL
from fastagi.interfaces import Health

__all__ = ["RedisBus"]

LIMIT = 1.0
"""Seconds for a publish, a connection or an answer."""
WAITING = 100
"""Most publishes that wait for their turn."""
PIPELINED = 100
"""Messages in one round trip; packing them costs the loop about 2 ms."""
SILENCE = 2.0
"""Seconds without a message until PING is sent, and then until the connection counts as dead."""
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
AT_ONCE = 20
"""Messages delivered before the loop gets a turn for others."""

_FAILURES = (RedisError, OSError, TimeoutError, DeadlineExceeded)

log = structlog.get_logger("whocalls.bus")


class RedisBus:
    """Implements interfaces.Bus.

    Args:
        url: redis://, rediss:// or unix://, as in the configuration.
        channel: the Redis channel.
        jitter: gives numbers from 0 to 1; many processes must not come back in one moment.
    """

    def __init__(
        self, url: str, *, channel: str = CHANNEL, jitter: Callable[[], float] = random.random
    ) -> None:
        self._url = url
        self._channel = channel
        self._jitter = jitter
        self._subscribers = Subscribers()
        self._client: Redis | None = None
        self._publishing = asyncio.Lock()
        self._waiting = 0
        self._refuse_until = 0.0
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._follows = False
        self._away: str | None = "not connected yet"
        self._refused: str | None = None

    async def start(self) -> None:
        """Connects in the background.

        Raises:
            ConfigError: the URL is not one that Redis has.
        """
        try:
            self._client = Redis.from_url(
                self._url,
                protocol=2,
                retry=Retry(NoBackoff(), 0),  # whether and when to try again is decided here
                socket_timeout=LIMIT,
                socket_connect_timeout=LIMIT,
            )
        except ValueError as error:
            raise ConfigError("configuration", "bus.url", str(error)) from None
        self._task = asyncio.create_task(self._stay_connected())

    async def close(self) -> None:
        """Ends all connections."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        client, self._client = self._client, None
        if client is not None:
            await _quietly(client.aclose())
        self._away = "closed"

    def health(self) -> Health:
        """Says whether it is connected, or why it is not."""
        failure = self._away or self._refused
        if failure is not None:
            return Health(ok=False, detail=f"redis: {failure}")
        return Health(ok=True, detail="redis: connected")

    # -- publishing ---------------------------------------------------------------------------------------

    async def publish(self, messages: Sequence[bytes]) -> None:
        """Sends messages in order, a hundred in a round trip, all within a second.

        Raises:
            BusUnavailable: Redis is away, hangs or refuses; for the next second everybody is told so at once.
        """
        loop = asyncio.get_running_loop()
        client = self._client
        if client is None:
            raise BusUnavailable("redis: not started")
        if loop.time() < self._refuse_until:
            raise BusUnavailable(f"redis: {self._refused}; trying again within {LIMIT:g} s")
        if self._waiting >= WAITING:
            raise BusUnavailable(f"redis: {WAITING} others wait already")
        self._waiting += 1
        try:
            async with asyncio.timeout(LIMIT), self._publishing:
                await self._send(client, messages)
            self._refused = None
        except Exception as error:
            if _is_a_bug(error):
                log.exception("publishing failed in a way nobody foresaw")
            self._refused = _told(error)
            self._refuse_until = loop.time() + LIMIT
            await _quietly(client.connection_pool.disconnect(inuse_connections=False))
            raise BusUnavailable(f"redis: {self._refused}") from error
        finally:
            self._waiting -= 1

    async def _send(self, client: Redis, messages: Sequence[bytes]) -> None:
        for at in range(0, len(messages), PIPELINED):
            async with client.pipeline(transaction=False) as pipeline:
                for message in messages[at : at + PIPELINED]:
                    pipeline.publish(self._channel, message)
                await pipeline.execute()

    # -- listening ----------------------------------------------------------------------------------------

    def subscribe(
        self, on_message: Callable[[bytes], None], on_connect: Callable[[], None]
    ) -> Callable[[], None]:
        """Delivers every message from now on; returns the function that ends it."""
        end = self._subscribers.add(on_message, on_connect)
        if self._follows:
            asyncio.get_running_loop().call_soon(self._tell_new_ones)
        self._wanted.set()
        return end

    def _tell_new_ones(self) -> None:
        if self._follows:
            self._subscribers.connected(again=False)

    async def _stay_connected(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self._watch()
                await self._listen()
            except Exception as error:
                if self._away is None:
                    pause = FIRST_PAUSE
                    log.warning(
                        "redis is away, trying again for ever", reason=_told(error), exc_info=_is_a_bug(error)
                    )
                self._away = _told(error)
            await asyncio.sleep(pause * (0.5 + self._jitter()))
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _watch(self) -> None:
        """Asks now and then whether Redis is there, until somebody wants its messages."""
        assert self._client is not None
        while not self._subscribers:
            self._wanted.clear()
            async with asyncio.timeout(LIMIT):
                await self._client.ping()
            self._answered()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), SILENCE)

    async def _listen(self) -> None:
        """Keeps one subscribed connection until it fails."""
        assert self._client is not None
        pubsub: Any = self._client.pubsub()
        try:
            async with asyncio.timeout(2 * LIMIT):
                await pubsub.subscribe(self._channel)
            await self._receive(pubsub)
        finally:
            self._follows = False
            await _quietly(pubsub.aclose())

    async def _receive(self, pubsub: PubSub) -> None:
        asked, taken = True, 0  # the subscription itself is to be answered
        while True:
            message = await pubsub.get_message(timeout=SILENCE)
            if message is not None:
                asked = False
                self._take(message)
                taken += 1
                if taken % AT_ONCE == 0:
                    await asyncio.sleep(0)
            elif asked:
                raise DeadlineExceeded("an answer to PING", SILENCE)
            else:
                asked = True
                async with asyncio.timeout(LIMIT):
                    await pubsub.ping()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "message":
            self._subscribers.deliver(message["data"])
            return
        self._answered()
        if message["type"] == "subscribe":
            self._follows = True
            self._subscribers.connected(again=True)

    def _answered(self) -> None:
        if self._away is not None:
            log.info("redis is connected")
            self._away = self._refused = None
            self._refuse_until = 0.0


def _is_a_bug(error: BaseException) -> bool:
    return not isinstance(error, _FAILURES)


def _told(error: BaseException) -> str:
    """Returns what went wrong on one line; time-outs often come without a word."""
    if isinstance(error, TimeoutError) and not str(error):
        return f"no answer within {LIMIT:g} s"
    return " ".join(str(error).split()) or type(error).__name__


async def _quietly(closing: Awaitable[Any]) -> None:
    """Closes what may be broken or frozen, within a second."""
    with contextlib.suppress(*_FAILURES):
        async with asyncio.timeout(LIMIT):
            await closing
