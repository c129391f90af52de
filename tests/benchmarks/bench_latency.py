"""Ring to browser: from the AGI connect to the event over SSE, at a steady rate, with the full `whocalls serve`.

    python -m tests.benchmarks.bench_latency [--rate 50] [--seconds 30] [--subscribers 100000] [--database URL]

The callers are spread over the whole directory. The AGI client and the SSE client are this one process, so its
own slowness is in the figures; nothing is subtracted.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

from tests.benchmarks.bench_agi import caller
from tests.benchmarks.load import _Call, environment
from tests.benchmarks.measuring import cpu_seconds, percentile
from tests.benchmarks.subscribers import make
from tests.product import Product, until


def ring(product: Product, index: int, subscribers: int, began: dict[str, float], agi: list[float]) -> None:
    """Makes one call and waits for its answer."""
    uniqueid = f"1795423013.{index}"
    start = time.time()
    began[f"main:{uniqueid}"] = start
    call = _Call(product.agi_port, environment(caller(index, subscribers), uniqueid))
    call.socket.settimeout(10)
    while not call.read():
        pass
    call.socket.close()
    agi.append(time.time() - start)


def run(product: Product, rate: float, seconds: float, subscribers: int) -> tuple[list[float], list[float]]:
    """Returns seconds from connect to SSE, and from connect to the AGI's end, for every call."""
    began: dict[str, float] = {}
    agi: list[float] = []
    calls = int(rate * seconds)
    with product.listen() as events:
        threads = []
        first = time.perf_counter()
        for index in range(calls):
            time.sleep(max(0.0, first + index / rate - time.perf_counter()))
            thread = threading.Thread(target=ring, args=(product, index, subscribers, began, agi))
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
        until(lambda: len(events.sse) >= calls, message="events are missing")
        arrived = {event["call"]["id"]: events.arrived[event["seq"]] for event in reversed(events.sse)}
    return [arrived[id] - start for id, start in began.items()], agi


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rate", type=float, default=50)
    arguments.add_argument("--seconds", type=float, default=30)
    arguments.add_argument("--subscribers", type=int, default=100_000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make(given.subscribers, Path(folder) / "whocalls.db")
        product = Product(Path(folder)).start(healthy=False)
        try:
            before = cpu_seconds(product.process.pid)
            browser, agi = run(product, given.rate, given.seconds, given.subscribers)
            used = (cpu_seconds(product.process.pid) - before) / given.seconds
        finally:
            product.stop()
    print(f"{len(browser)} calls at {given.rate:g} a second; the server used {used:.0%} of a core")
    for name, values in (("AGI connect to SSE received", browser), ("AGI connect to its end", agi)):
        p50, p99, top = (percentile(values, share) * 1e3 for share in (0.5, 0.99, 1.0))
        print(f"{name:<30} p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   max {top:6.1f} ms")


if __name__ == "__main__":
    main()
