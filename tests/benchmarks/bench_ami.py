"""AMI events per second of CPU: bytes through the stream (parsing, judging) and through the tracker.

    python -m tests.benchmarks.bench_ami [--rounds 5]

Input are the recorded conversations: all events, and those that the product's own manager account lets through.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from fastagi.ami.messages import Message
from fastagi.ami.stream import Stream
from fastagi.ami.tracker import EVENTS, Tracker

CAPTURES = Path(__file__).parent.parent / "captures"
REPEAT = 20
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def messages(data: bytes) -> list[Message]:
    return [item for item in Stream().receive(data) if isinstance(item, Message)]


def timed(rounds: int, count: int, work: Callable[[], object]) -> tuple[float, float]:
    """Returns µs per event (median of the rounds) and events per second."""
    costs = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(REPEAT):
            work()
        costs.append((time.process_time() - start) / (REPEAT * count) * 1e6)
    cost = statistics.median(costs)
    return cost, 1e6 / cost


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    rounds = arguments.parse_args().rounds
    recorded = [path.read_bytes() for path in sorted(CAPTURES.glob("0*/ami.txt"))]
    calls = [messages(data) for data in recorded]
    ours = [[message for message in call if message.event in EVENTS] for call in calls]
    everything, used = sum(map(len, calls)), sum(map(len, ours))

    def parse() -> None:
        for data in recorded:
            Stream().receive(data)

    def track(conversations: list[list[Message]]) -> None:
        for call in conversations:
            tracker = Tracker("main", trunk_contexts=["from-trunk"])
            for message in call:
                tracker.feed(message, NOW)

    rows = (
        ("stream, every event", everything, parse),
        ("tracker, every event", everything, lambda: track(calls)),
        ("tracker, filtered events", used, lambda: track(ours)),
    )
    print(f"{'':<28}{'µs/event':>10}{'events/s':>12}")
    for name, count, work in rows:
        cost, rate = timed(rounds, count, work)
        print(f"{name:<28}{cost:>10.2f}{rate:>12,.0f}")


if __name__ == "__main__":
    main()
