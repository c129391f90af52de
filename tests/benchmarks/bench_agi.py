"""CPU per looked-up call: ours against panoramisk and pyst2, doing the same job in the same run.

    python -m tests.benchmarks.bench_agi [--subscribers 1000000] [--calls 3000] [--rounds 5] [--file DB]

Every server is a process of its own; the rounds are interleaved, so that a machine whose speed drifts drifts
for all. The CPU is user plus system time of the server's process. Absolute times mean little: read the ratios.
All set the same 14 variables: ours with one command, the peers with one each, which is what their libraries
offer. `--peer-variables 8` makes the peers' job smaller than ours.
"""

import argparse
import contextlib
import statistics
import tempfile
from pathlib import Path

from tests.benchmarks import load
from tests.benchmarks.measuring import cpu_seconds, percentile, serving
from tests.benchmarks.subscribers import make, phone_of

SERVERS = {
    "whocalls: AGI + directory": "tests.benchmarks.ours_server",
    "whocalls serve (all)": "tests.benchmarks.serve_server",
    "panoramisk": "tests.benchmarks.peers.panoramisk_server",
    "pyst2 in threads": "tests.benchmarks.peers.pyst2_server",
}


def caller(index: int, subscribers: int) -> str:
    """A subscriber's number, spread over the whole table, as a trunk sends it."""
    return phone_of((index * 7919) % subscribers).lstrip("+")


def measure(pid: int, port: int, calls: int, subscribers: int) -> tuple[float, load.Result]:
    before = cpu_seconds(pid)
    result = load.run(port, lambda index: caller(index, subscribers), calls)
    return (cpu_seconds(pid) - before) / calls * 1e6, result


def compare(file: str, subscribers: int, calls: int, rounds: int, peers_set: int) -> dict[str, float]:
    """Runs the rounds and prints the table; returns the median CPU per call in µs by server."""
    cost: dict[str, list[float]] = {name: [] for name in SERVERS}
    last: dict[str, load.Result] = {}
    with contextlib.ExitStack() as stack:
        ready = {
            name: stack.enter_context(serving(module, file, str(peers_set)))
            for name, module in SERVERS.items()
        }
        for name, (pid, port) in ready.items():
            measure(pid, port, 300, subscribers)  # warm
            cost[name].clear()
        for _ in range(rounds):
            for name, (pid, port) in ready.items():
                used, last[name] = measure(pid, port, calls, subscribers)
                assert last[name].found == calls, f"{name}: {last[name].found} of {calls} found"
                cost[name].append(used)
    medians = {name: statistics.median(values) for name, values in cost.items()}
    peer = medians["panoramisk"]
    print(
        f"{'server':<28}{'µs CPU/call':>12}{'min':>8}{'max':>8}{'to panoramisk':>15}{'p50 ms':>8}{'p99 ms':>8}"
    )
    for name, values in cost.items():
        times = last[name].latencies
        print(
            f"{name:<28}{medians[name]:>12.0f}{min(values):>8.0f}{max(values):>8.0f}{medians[name] / peer:>15.2f}"
            f"{percentile(times, 0.5) * 1e3:>8.1f}{percentile(times, 0.99) * 1e3:>8.1f}"
        )
    return medians


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--subscribers", type=int, default=1_000_000)
    arguments.add_argument("--calls", type=int, default=3000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--file", help="a database made before by tests.benchmarks.subscribers")
    arguments.add_argument("--peer-variables", type=int, default=14)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = given.file or str(Path(folder) / "subscribers.db")
        if not Path(file).exists():
            make(given.subscribers, Path(file))
        compare(file, given.subscribers, given.calls, given.rounds, given.peer_variables)


if __name__ == "__main__":
    main()
