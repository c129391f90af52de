"""What a looked-up AGI call costs as the directory grows: 1 thousand, 100 thousand, 1 million subscribers.

    python -m tests.benchmarks.bench_scale [--calls 3000] [--rounds 5] [--folder DIR]

The same server (AGI and own directory, recorders behind), one process per size, rounds interleaved. The bare
lookup without a call around it is bench_lookup's.
"""

import argparse
import contextlib
import statistics
import tempfile
from pathlib import Path

from tests.benchmarks.bench_agi import measure
from tests.benchmarks.measuring import serving
from tests.benchmarks.subscribers import make

SIZES = (1_000, 100_000, 1_000_000)
SERVER = "tests.benchmarks.ours_server"


def compare(folder: Path, calls: int, rounds: int) -> dict[int, float]:
    """Runs the rounds and prints the table; returns the median CPU per call in µs by size."""
    files = {size: folder / f"{size}.db" for size in SIZES}
    for size, file in files.items():
        if not file.exists():
            make(size, file)
    cost: dict[int, list[float]] = {size: [] for size in SIZES}
    with contextlib.ExitStack() as stack:
        ready = {size: stack.enter_context(serving(SERVER, str(file))) for size, file in files.items()}
        for size, (pid, port) in ready.items():
            measure(pid, port, calls, size)  # warm
        for _ in range(rounds):
            for size, (pid, port) in ready.items():
                used, result = measure(pid, port, calls, size)
                assert result.found == calls, f"{size}: {result.found} of {calls} found"
                cost[size].append(used)
    medians = {size: statistics.median(values) for size, values in cost.items()}
    print(f"{'subscribers':>12}{'µs CPU/call':>14}{'min':>8}{'max':>8}{'to 1 thousand':>16}")
    for size, values in cost.items():
        ratio = medians[size] / medians[SIZES[0]]
        print(f"{size:>12,}{medians[size]:>14.0f}{min(values):>8.0f}{max(values):>8.0f}{ratio:>16.2f}")
    return medians


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--calls", type=int, default=3000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--folder", type=Path, help="where the databases are kept for the next time")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(given.folder or Path(folder), given.calls, given.rounds)


if __name__ == "__main__":
    main()
