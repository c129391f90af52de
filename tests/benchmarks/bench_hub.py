"""What it costs to tell 500 browsers: the hub alone, and the whole push side over real sockets.

    python -m tests.benchmarks.bench_hub

The second part runs the server in a process of its own (uvloop, fakes behind it) and reads from all connections
here. Ten of them take note of when each event arrives. 2 events a second: what an operator waits for the card.
200 a second is 50 calls a second with four events each, all seen by everybody: more than any call centre of 500
has. What concerns an operator's own phone does not wait for more to come, so the last figures are the worst.
"""

import asyncio
import json
import subprocess
import sys
import time

import uvloop

from tests.benchmarks.measuring import cpu_seconds, percentile
from tests.webhooks.fakes import event
from webhooks.frames import Framing, Scope
from webhooks.hub import Client, Hub

__all__ = []

CLIENTS = 500
WATCHED = 10


def hub_alone() -> None:
    """Measure publishing to 500 queues, and encoding."""
    for name, scopes in {
        "all see all": [Scope()] * CLIENTS,
        "operators, nobody's call": [Scope(phones=frozenset({str(n)})) for n in range(CLIENTS)],
    }.items():
        hub = Hub()
        hub.begin(0)
        clients = [Client(scope, lambda: None) for scope in scopes]
        for client in clients:
            hub.join(client)
        events = [event(seq) for seq in range(1, 401)]
        spent = 0.0
        for number, one in enumerate(events):
            began = time.perf_counter()
            hub.publish(one)
            spent += time.perf_counter() - began
            if number % 10 == 9:
                for client in clients:
                    client.take()
        print(f"hub alone, {name}: {spent / len(events) * 1e6:.0f} µs an event for {CLIENTS} clients")
    framing = Framing()
    began = time.perf_counter()
    for one in events:
        framing.frame(one)
    print(
        f"encoding: {(time.perf_counter() - began) / len(events) * 1e6:.0f} µs an event, once for all clients"
    )


async def over_sockets(clients: int, rate: float, seconds: float = 10) -> None:
    """Measure CPU of the server and the time to the browser."""
    command = [sys.executable, "-m", "tests.benchmarks.hub_server", str(clients), str(rate), str(seconds)]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    port = int(await process.stdout.readline())
    waits: list[float] = []
    readers = [asyncio.create_task(_read(port, n, waits if n < WATCHED else None)) for n in range(clients)]
    assert await process.stdout.readline() == b"go\n"
    before = cpu_seconds(process.pid)
    result = json.loads(await process.stdout.readline())
    spent = cpu_seconds(process.pid) - before
    for reader in readers:
        reader.cancel()
    process.stdin.close()
    await process.wait()
    events = result["events"]
    to_browser = ", ".join(f"p{share} {percentile(waits, share / 100) * 1000:.1f} ms" for share in (50, 99))
    lags = f"p50 {result['lag_ms'][0]} ms, p99 {result['lag_ms'][1]} ms, at most {result['lag_max_ms']} ms"
    print(
        f"{clients} sockets, {rate:g} events/s: {spent / events / clients * 1e6:.1f} µs of CPU a client and event, "
        f"{spent / seconds * 100:.0f} % of a core; to the browser {to_browser} "
        f"({len(waits)} of {events * min(clients, WATCHED)}); loop late by {lags}; dropped {result['dropped']}"
    )


async def _read(port: int, number: int, waits: list[float] | None) -> None:
    await asyncio.sleep(number * 0.003)  # or the backlog of the listening socket overflows
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: whocalls_session=s{number}\r\n\r\n".encode()
    )
    if waits is None:
        while await reader.read(1 << 18):
            pass
        return
    while line := await reader.readline():
        if line.startswith(b"data: "):
            waits.append(time.monotonic() - float(json.loads(line[6:])["call"]["note"]))


async def main() -> None:
    """Run all."""
    hub_alone()
    for clients, rate in ((10, 2), (10, 200), (CLIENTS, 2), (CLIENTS, 20), (CLIENTS, 200)):
        await over_sockets(clients, rate)


if __name__ == "__main__":
    uvloop.run(main())
