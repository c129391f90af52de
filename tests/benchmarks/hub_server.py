"""The push side alone, for bench_hub: serves, waits for its clients, then lets events happen at a rate.

    python -m tests.benchmarks.hub_server CLIENTS RATE SECONDS

Prints its port, a line when events begin, and one line of JSON when they have all been sent.
"""

import asyncio
import json
import sys
import time
from dataclasses import replace

import structlog
import uvloop

from fastagi.calls import Caller, EventType, Subscriber
from fastagi.interfaces import Role
from tests.webhooks.fakes import make_call
from tests.webhooks.world import World, until
from webhooks.server import PushServer

__all__ = []

_PERSON = Subscriber(
    id="4711",
    login="ivanov",
    name="Иванов Иван Иванович",
    deposit="-12.50",
    currency="RUB",
    address="Москва, Садовая 1, кв. 2",
    tariff="Home 100",
    service="Internet",
    service_status="enabled",
    language="ru",
    url="https://billing.example/?uid=4711",
)


async def serve(clients: int, rate: float, seconds: float) -> None:
    """Serve once."""
    world = World()
    for number in range(clients):
        phone = f"{1000 + number}"
        world.accounts.sessions[f"s{number}"] = f"op{number}"
        world.accounts.people[f"op{number}"] = replace(
            world.accounts.people["olena"], login=f"op{number}", role=Role.OPERATOR, sip_phones=(phone,)
        )
    server = PushServer(world.site, "127.0.0.1", 0)
    async with world.subscribed():
        await server.start()
        print(server.port, flush=True)
        await until(lambda: world.hub.clients == clients, seconds=60)
        await asyncio.sleep(1)
        print("go", flush=True)
        lag = asyncio.create_task(_longest_turn())
        count = await _happen(world, rate, seconds)
        await asyncio.sleep(0.3)
        lag.cancel()
        lags = sorted(_LAGS)
        result = {
            "events": count,
            "dropped": world.hub.dropped,
            "lag_ms": [round(lags[int(len(lags) * share)] * 1000, 2) for share in (0.5, 0.99)],
            "lag_max_ms": round(lags[-1] * 1000, 2),
        }
        print(json.dumps(result), flush=True)
        sys.stdin.readline()
        await server.stop()


_LAGS: list[float] = []


async def _longest_turn() -> None:
    while True:
        before = time.monotonic()
        await asyncio.sleep(0.001)
        _LAGS.append(time.monotonic() - before - 0.001)


async def _happen(world: World, rate: float, seconds: float) -> int:
    count = int(rate * seconds)
    began = time.monotonic()
    kinds = (EventType.STARTED, EventType.RINGING, EventType.UPDATED, EventType.ENDED)
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        caller = Caller(raw="89161234567", e164="+79161234567", name=_PERSON.name)
        call = make_call(number // 4, caller=caller, subscriber=_PERSON, note=str(time.monotonic()))
        world.happen(kinds[number % 4], call)
        world.journal.events.clear()
    return count


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
